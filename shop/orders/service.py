"""What other use cases do to an order inside their own transaction, and the attention list."""

from __future__ import annotations

from collections.abc import Collection

import structlog
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from ..catalogue.service import return_stock, take_stock
from ..db import insert_if_new, rows_changed, transaction, utcnow
from .models import AttentionItem, HoldState, Order, StockHold
from .queries import waits_for_a_person

log = structlog.get_logger()


class SoldOut(Exception):
    """There are not enough units left; `product_id` says of what."""

    def __init__(self, product_id: int) -> None:
        self.product_id = product_id
        super().__init__(f"product {product_id} is sold out")


def lock_order(session: Session, order_id: int) -> Order:
    """The order, locked until the commit and read anew. Always locked before its payments and products."""
    return session.get_one(Order, order_id, with_for_update=True, populate_existing=True)


def take_holds(session: Session, order: Order) -> None:
    """Set the order's units aside, in ascending product order so that two orders cannot deadlock.

    Raises SoldOut; the caller's transaction must then not be committed.
    """
    for hold in sorted(order.holds, key=lambda hold: hold.product_id):
        if not take_stock(session, hold.product_id, hold.quantity):
            raise SoldOut(hold.product_id)
        hold.state = HoldState.HELD


def release_holds(
    session: Session,
    order: Order,
    *,
    of: HoldState = HoldState.HELD,
    but: Collection[int | None] = (),
) -> None:
    """Put units in state `of` back on sale, `but` these products; what is in another state stays."""
    for hold in sorted(order.holds, key=lambda hold: hold.product_id):
        if hold.product_id not in but and _change_hold(session, hold, of, HoldState.RELEASED):
            return_stock(session, hold.product_id, hold.quantity)


def commit_holds(session: Session, order: Order) -> None:
    """The held units are sold."""
    for hold in order.holds:
        _change_hold(session, hold, HoldState.HELD, HoldState.COMMITTED)


def raise_attention(session: Session, kind: str, reference: str, note: str) -> None:
    """Put something before a person; once, however often it is found before it is resolved."""
    if insert_if_new(session, AttentionItem, kind=kind, reference=reference, note=note):
        log.warning("attention", kind=kind, reference=reference)


def raise_attention_once(session: Session, kind: str, reference: str, note: str) -> None:
    """The same for what cannot be mended, only seen: resolved once, it stays so until it is another."""
    seen = select(AttentionItem.id).where(
        AttentionItem.kind == kind,
        AttentionItem.reference == reference,
        AttentionItem.note == note,
    )
    if session.scalar(seen.limit(1)) is None:
        raise_attention(session, kind, reference, note)


def resolve_attention(
    session: Session, references: Collection[str], *, kinds: Collection[str], why: str, who: str
) -> None:
    """Close what is open of these kinds about these references, because it has been seen to."""
    rows_changed(
        session,
        update(AttentionItem)
        .where(AttentionItem.kind.in_(kinds), AttentionItem.reference.in_(references))
        .where(AttentionItem.resolved_at.is_(None))
        .values(resolved_at=utcnow(), resolved_by=who, resolution=why),
    )


def keep_attention(kind: str, reference: str, note: str) -> None:
    """Have a fault before a person for as long as it lasts; `note` says what it is, and is empty when there is none."""
    if waits_for_a_person(kind, reference) == bool(note):
        return
    with transaction("attention") as session:
        if note:
            raise_attention(session, kind, reference, note)
        else:
            resolve_attention(
                session, [reference], kinds=[kind], why="it is over by itself", who="shop"
            )


def resolve_attention_item(item_id: int, *, why: str, who: str) -> AttentionItem | None:
    """Close one item of the list; None when there is no open one of this id."""
    with transaction("resolve") as session:
        item = session.get(AttentionItem, item_id, with_for_update=True, populate_existing=True)
        if item is None or item.resolved_at:
            return None
        item.resolved_at, item.resolved_by, item.resolution = utcnow(), who, why
    log.info("attention_resolved", kind=item.kind, reference=item.reference)
    return item


def _change_hold(session: Session, hold: StockHold, old: HoldState, new: HoldState) -> bool:
    """Move one hold from `old` to `new`; False when it was not in `old` (checked by the database)."""
    session.flush()  # the UPDATE below must not be overwritten by a pending change
    return bool(
        rows_changed(
            session,
            update(StockHold)
            .where(StockHold.order_id == hold.order_id, StockHold.product_id == hold.product_id)
            .where(StockHold.state == old)
            .values(state=new),
        )
    )
