"""Forgetting who the buyer was."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

import structlog
from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from ..attention.kinds import AttentionKind
from ..attention.service import resolve_attention
from ..because import Because
from ..config import current_settings
from ..db import transaction, utcnow
from ..limits.models import Placement
from ..mail import forget_written
from ..ops import journal
from ..ops.for_each import for_each
from ..orders.models import Order
from ..orders.service import lock_order
from ..outbox.models import OutboxMail
from ..payments.queries import payments_of
from .queries import erasable_orders, items_naming, why_kept

log = structlog.get_logger()

ERASED = "[erased address]"


class StillNeeded(Exception):
    """The order waits for something for which its buyer may have to be written to; `reasons` says what."""

    def __init__(self, order: Order, reasons: list[str]) -> None:
        self.order, self.reasons = order, reasons
        super().__init__(f"order {order.number}: {', '.join(reasons)}")


def erase_order(order_id: int, because: Because) -> bool:
    """Take the buyer's address out of an order and of everything about it; False when it was out already.

    Amounts, lines, payments, deliveries and history stay. Raises StillNeeded, and then nothing has
    changed. No mail that needs the address is queued meanwhile: mails are queued under the order's lock.
    """
    with transaction("erase") as session:
        order = lock_order(session, order_id)
        if order.erased_at:
            return False
        if reasons := why_kept(order_id):
            raise StillNeeded(order, reasons)
        _erase_from_words(session, order)
        session.execute(delete(Placement).where(Placement.order_id == order_id))
        order.erase_buyer(because, at=utcnow())
        query = select(OutboxMail.message_id).where(OutboxMail.order_id == order_id)
        written = session.scalars(query).all()
        done = Because("the address was erased", because.who)
        resolve_attention(session, [order.number], done, kinds=[AttentionKind.ERASE_AGAIN])
        journal.note("erased", (order.number,))
    for message_id in written:
        forget_written(message_id)
    log.info("buyer_erased", order=order.number)
    return True


def erase_due(now: datetime | None = None) -> None:
    """Erase every buyer whose order was closed longer ago than the settings keep addresses."""
    days = current_settings().shop_retention_days
    if not days:
        return
    before = (now or utcnow()) - timedelta(days=days)
    why = f"nothing has happened for {days} days"
    for_each(
        erasable_orders(before),
        lambda order_id: _erase_if_it_can_be(order_id, why),
        "orders whose buyer is to be erased",
    )


def _erase_if_it_can_be(order_id: int, why: str) -> None:
    """Erase an order's buyer, unless the order has begun to need the address since; a later sweep does then."""
    try:
        erase_order(order_id, Because(why))
    except StillNeeded:
        return


def _erase_from_words(session: Session, order: Order) -> None:
    """Take the address out of all texts about an order: people write it into their reasons, the provider too."""
    if not order.email:
        return
    pattern = re.compile(re.escape(order.email), re.IGNORECASE)
    for event in order.events:
        event.note = pattern.sub(ERASED, event.note)
        event.who = pattern.sub(ERASED, event.who)[:80]
    for mail in session.scalars(select(OutboxMail).where(OutboxMail.order_id == order.id)):
        mail.last_error = pattern.sub(ERASED, mail.last_error)[:200]
    for payment in payments_of(order.id):
        payment.error = pattern.sub(ERASED, payment.error)[:300]
        payment.unclear_because = pattern.sub(ERASED, payment.unclear_because)[:300]
    for item in items_naming(order.email):
        # By its id, because two references may differ by the address alone, and open ones must differ.
        item.reference = pattern.sub(f"[erased {item.id}]", item.reference)[:120]
        item.note = pattern.sub(ERASED, item.note)
        item.resolution = pattern.sub(ERASED, item.resolution)
