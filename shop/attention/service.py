"""Putting something before a person, and taking it back."""

from __future__ import annotations

from collections.abc import Collection

import structlog
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from ..because import Because
from ..db import insert_if_new, rows_changed, transaction, utcnow
from .kinds import AttentionKind
from .models import AttentionItem
from .queries import waits_for_a_person

log = structlog.get_logger()


def raise_attention(
    session: Session, kind: AttentionKind, reference: str, note: str, *, order_id: int | None = None
) -> None:
    """Put something before a person; once, however often it is found before it is resolved.

    `order_id` is of the order that it is about: while it is open, the buyer's address is kept.
    """
    values = {"kind": kind, "reference": reference, "note": note, "order_id": order_id}
    if insert_if_new(session, AttentionItem, **values):
        log.warning("attention", kind=kind, reference=reference)


def raise_attention_once(
    session: Session, kind: AttentionKind, reference: str, note: str, *, order_id: int | None = None
) -> None:
    """The same for what cannot be mended, only seen: resolved once, it stays so until it is another."""
    seen = select(AttentionItem.id).where(
        AttentionItem.kind == kind,
        AttentionItem.reference == reference,
        AttentionItem.note == note,
    )
    if session.scalar(seen.limit(1)) is None:
        raise_attention(session, kind, reference, note, order_id=order_id)


def tell_once(
    kind: AttentionKind, reference: str, note: str, *, order_id: int | None = None
) -> None:
    """`raise_attention_once` in a transaction of its own."""
    with transaction("attention") as session:
        raise_attention_once(session, kind, reference, note, order_id=order_id)


def resolve_attention(
    session: Session,
    references: Collection[str],
    because: Because,
    *,
    kinds: Collection[AttentionKind],
) -> None:
    """Close what is open of these kinds about these references, because it has been seen to."""
    rows_changed(
        session,
        update(AttentionItem)
        .where(AttentionItem.kind.in_(kinds), AttentionItem.reference.in_(references))
        .where(AttentionItem.resolved_at.is_(None))
        .values(resolved_at=utcnow(), resolved_by=because.who, resolution=because.why),
    )


def keep_attention(kind: AttentionKind, reference: str, note: str) -> None:
    """Have a fault before a person for as long as it lasts; `note` says what it is, and is empty when there is none."""
    if waits_for_a_person(kind, reference) == bool(note):
        return
    with transaction("attention") as session:
        if note:
            raise_attention(session, kind, reference, note)
        else:
            resolve_attention(session, [reference], Because("it is over by itself"), kinds=[kind])


def resolve_attention_item(item_id: int, because: Because) -> AttentionItem | None:
    """Close one item of the list; None when there is no open one of this id."""
    with transaction("resolve") as session:
        item = session.get(AttentionItem, item_id, with_for_update=True, populate_existing=True)
        if item is None or item.resolved_at:
            return None
        item.resolved_at, item.resolved_by, item.resolution = utcnow(), because.who, because.why
    log.info("attention_resolved", kind=item.kind, reference=item.reference)
    return item
