"""Which orders this browser has placed: its cookie names the last few."""

from __future__ import annotations

from flask import session

from ..orders.models import Order

ORDERS_REMEMBERED = 5


def remember(order: Order) -> None:
    """Let this browser find its order again, when it comes back from the pay page."""
    # By number, because keys count up and the buyer can read the cookie: see orders/links.py.
    others = [number for number in remembered_orders() if number != order.number]
    session["orders"] = [order.number, *others][:ORDERS_REMEMBERED]


def remembered_orders() -> list[str]:
    """Their numbers, the newest first."""
    stored = session.get("orders")
    return [n for n in stored if isinstance(n, str)] if isinstance(stored, list) else []
