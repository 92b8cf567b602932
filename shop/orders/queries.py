"""Reading orders."""

from __future__ import annotations

from collections.abc import Sequence
from unicodedata import category

from sqlalchemy import select

from ..db import db
from .models import AttentionItem, Order, OrderStatus


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


def open_attention() -> Sequence[AttentionItem]:
    """What still waits for a person, oldest first."""
    query = select(AttentionItem).where(AttentionItem.resolved_at.is_(None))
    return db.session.scalars(query.order_by(AttentionItem.id)).all()


def waits_for_a_person(kind: str, reference: str) -> bool:
    """Whether an item of this kind about this is open."""
    query = select(AttentionItem.id).where(
        AttentionItem.kind == kind,
        AttentionItem.reference == reference,
        AttentionItem.resolved_at.is_(None),
    )
    return db.session.scalar(query.limit(1)) is not None


def unmailed_attention() -> Sequence[AttentionItem]:
    """What waits for a person whom no mail has told yet."""
    query = select(AttentionItem).where(
        AttentionItem.resolved_at.is_(None), AttentionItem.alert_key == ""
    )
    return db.session.scalars(query.order_by(AttentionItem.id)).all()


def attention_mailed_by(alert_key: str) -> Sequence[AttentionItem]:
    """What one mail to the operator is about."""
    query = select(AttentionItem).where(AttentionItem.alert_key == alert_key)
    return db.session.scalars(query.order_by(AttentionItem.id)).all()


def recent_attention(limit: int = 50) -> Sequence[AttentionItem]:
    """Items of the list, resolved ones included, the newest first."""
    query = select(AttentionItem).order_by(AttentionItem.id.desc()).limit(limit)
    return db.session.scalars(query).all()
