"""Reading orders."""

from __future__ import annotations

from collections.abc import Sequence
from unicodedata import category

from sqlalchemy import select

from ..db import db
from .models import Order, OrderStatus


def find_order(number: str) -> Order | None:
    """The order of this number, written with or without its dash, in any case."""
    return db.session.scalar(select(Order).where(Order.number == as_number(number)))


def as_number(text: str) -> str:
    """The order number that was typed or pasted: with or without its dash, in any case, and whatever else."""
    signs = {char for char in text if category(char)[0] in "PSZ" or category(char) == "Cf"}
    letters = "".join("".join(char for char in text if char not in signs).split()).upper()
    return f"{letters[:4]}-{letters[4:]}"


def find_order_by_checkout_key(checkout_key: str) -> Order | None:
    """The order that this form has already made, if any."""
    if not checkout_key.isprintable():  # PostgreSQL chokes on a NUL, which anybody can send
        return None
    return db.session.scalar(select(Order).where(Order.checkout_key == checkout_key))


def recent_orders(status: OrderStatus | None = None, limit: int = 50) -> Sequence[Order]:
    """The newest orders first."""
    query = select(Order).order_by(Order.id.desc()).limit(limit)
    if status:
        query = query.where(Order.status == status)
    return db.session.scalars(query).all()
