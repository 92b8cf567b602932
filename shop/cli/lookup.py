"""What commands are about: the order that was named, and the provider that the settings name."""

from __future__ import annotations

from flask import current_app

from ..orders.models import Order
from ..orders.queries import find_order
from ..payments.cryptocloud import CryptoCloud
from .printing import refuse


def gateway() -> CryptoCloud:
    """The provider's client."""
    found: CryptoCloud = current_app.extensions["cryptocloud"]
    return found


def order_named(number: str) -> Order:
    """The order with this number; refuses when there is none."""
    order = find_order(number)
    if order is None:
        refuse(f"There is no order {number}.")
    return order
