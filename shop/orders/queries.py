"""Reading orders."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from sqlalchemy import ColumnElement, Table, bindparam, literal, select

from ..db import db
from ..money import Money
from ..reading import reading
from .models import Order, OrderStatus, Placed
from .numbers import as_number

_orders = cast("Table", Order.__table__).c
_BY_CHECKOUT_KEY = select(
    _orders.cart_hash,
    _orders.id,
    _orders.number,
    _orders.email,
    _orders.total_minor,
    _orders.currency,
).where(_orders.checkout_key == bindparam("key"))


def find_order(number: str) -> Order | None:
    """The order of this number, written with or without its dash, in any case."""
    return db.session.scalar(select(Order).where(Order.number == as_number(number)))


def find_placed(checkout_key: str) -> tuple[Placed, str] | None:
    """The order that this form has already made, if any, and the fingerprint of what it said then."""
    if not checkout_key.isprintable():  # PostgreSQL chokes on a NUL, which anybody can send
        return None
    row = reading().execute(_BY_CHECKOUT_KEY, {"key": checkout_key}).first()
    if row is None:
        return None
    fingerprint, order_id, number, email, minor, currency = row
    return Placed(order_id, number, email, Money(minor, currency)), fingerprint


def order_of(placed: Placed) -> Order:
    """The order as it stands now."""
    return db.session.get_one(Order, placed.id)


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
