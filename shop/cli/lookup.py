"""Finding the order that a command is about."""

from __future__ import annotations

from ..orders.models import Order
from ..orders.queries import find_order
from .printing import refuse


def order_named(number: str) -> Order:
    """The order with this number; refuses when there is none."""
    order = find_order(number)
    if order is None:
        refuse(f"There is no order {number}.")
    return order
