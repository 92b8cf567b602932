"""Reading orders."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import ColumnElement, bindparam, literal, select

from ..db import db
from .models import Order, OrderStatus
from .numbers import as_number

_BY_CHECKOUT_KEY = select(Order).where(Order.checkout_key == bindparam("key"))


def find_order(number: str) -> Order | None:
    """The order of this number, written with or without its dash, in any case."""
    return db.session.scalar(select(Order).where(Order.number == as_number(number)))


def find_order_by_checkout_key(checkout_key: str) -> Order | None:
    """The order that this form has already made, if any."""
    if not checkout_key.isprintable():  # PostgreSQL chokes on a NUL, which anybody can send
        return None
    return db.session.scalar(_BY_CHECKOUT_KEY, {"key": checkout_key})


def recent_orders(status: OrderStatus | None = None, limit: int = 50) -> Sequence[Order]:
    """The newest orders first."""
    query = select(Order).order_by(Order.id.desc()).limit(limit)
    if status:
        query = query.where(Order.status == status)
    return db.session.scalars(query).all()


def has_status(status: OrderStatus) -> ColumnElement[bool]:
    """Whether an order has this status, which stands in the statement itself.

    A database uses a partial index only for a statement in which it reads that the index is of all that is
    asked for; what is handed over beside the statement may be another status next time.
    """
    return Order.status == literal(status, Order.__table__.c.status.type, literal_execute=True)
