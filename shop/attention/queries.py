"""Reading the attention list."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select

from ..db import db
from .kinds import AttentionKind
from .models import AttentionItem


def open_attention() -> Sequence[AttentionItem]:
    """What still waits for a person, oldest first."""
    query = select(AttentionItem).where(AttentionItem.resolved_at.is_(None))
    return db.session.scalars(query.order_by(AttentionItem.id)).all()


def waits_for_a_person(kind: AttentionKind, reference: str) -> bool:
    """Whether an item of this kind about this is open."""
    query = select(AttentionItem.id).where(
        AttentionItem.kind == kind,
        AttentionItem.reference == reference,
        AttentionItem.resolved_at.is_(None),
    )
    return db.session.scalar(query.limit(1)) is not None


def unmailed_attention() -> Sequence[AttentionItem]:
    """The open items that no mail has told the operator of yet."""
    query = select(AttentionItem).where(
        AttentionItem.resolved_at.is_(None), AttentionItem.alert_key == ""
    )
    return db.session.scalars(query.order_by(AttentionItem.id)).all()


def attention_mailed_by(alert_key: str) -> Sequence[AttentionItem]:
    """The items that one mail to the operator is about."""
    query = select(AttentionItem).where(AttentionItem.alert_key == alert_key)
    return db.session.scalars(query.order_by(AttentionItem.id)).all()


def recent_attention(limit: int = 50) -> Sequence[AttentionItem]:
    """Items of the list, resolved ones included, the newest first."""
    query = select(AttentionItem).order_by(AttentionItem.id.desc()).limit(limit)
    return db.session.scalars(query).all()
