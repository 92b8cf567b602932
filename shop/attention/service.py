"""Opening attention items, which put something before a person, and closing them."""

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
    """Put something before a person; once, however often it is found until a person resolves the item.

    `order_id` names the order that the item is about: while the item is open, the buyer's address is kept.
    """
    values = {"kind": kind, "reference": reference, "note": note, "order_id": order_id}
    if insert_if_new(session, AttentionItem, **values):
        log.warning("attention", kind=kind, reference=reference)


def raise_attention_once(
    session: Session, kind: AttentionKind, reference: str, note: str, *, order_id: int | None = None
) -> None:
    """Put before a person what cannot be mended, only seen: once resolved, it comes back with another note only."""
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
    """Close the open items of these kinds with these references, because they have been seen to."""
    rows_changed(
        session,
        update(AttentionItem)
        .where(AttentionItem.kind.in_(kinds), AttentionItem.reference.in_(references))
        .where(AttentionItem.resolved_at.is_(None))
        .values(resolved_at=utcnow(), resolved_by=because.who, resolution=because.why),
    )


def keep_attention(kind: AttentionKind, reference: str, note: str) -> None:
    """Keep an item about a fault open while the fault lasts; `note` says what it is, and is empty once it is over."""
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
