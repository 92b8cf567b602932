"""The postback inbox: proven postbacks wait here until they have been acted upon."""

from __future__ import annotations

from datetime import datetime, timedelta

import structlog
from sqlalchemy import bindparam, select, update
from sqlalchemy.orm import Session

from ..attention.kinds import AttentionKind
from ..attention.service import raise_attention_once
from ..db import db, insert_if_new, rows_changed, transaction, utcnow
from ..ops import journal
from . import cryptocloud
from .cryptocloud import SIGNED, BadPostback, Refusal
from .models import Payment, Postback
from .queries import find_payment_by_invoice, find_payment_by_reference

log = structlog.get_logger()

NUDGE_EVERY = timedelta(minutes=1)
COUNTED_EVERY = timedelta(minutes=1)
"""A proven postback that is repeated is counted once in so long."""
# Built once: composing a statement costs more than running it.
_LOOK_NOW = (
    update(Payment)
    .where(Payment.invoice_id == bindparam("about"), ~Payment.provider_says_paid)
    .values(next_check_at=bindparam("now"))
)
_COUNT = (
    update(Postback)
    .where(Postback.invoice_id == bindparam("about"))
    .values(hits=Postback.hits + 1, last_at=bindparam("now"))
)
_LAST_AT = select(Postback.last_at).where(Postback.invoice_id == bindparam("invoice_id"))


def receive_postback(postback: cryptocloud.ProvenPostback) -> Payment | None:
    """Put a proven postback into the inbox, and say which payment it is about, if we know it.

    Raises BadPostback when the postback names another order than ours for this invoice: nothing is
    stored then. What it says is a hint to look; `refresh` finds out what is true.
    """
    payment = find_payment_by_invoice(postback.invoice_id)
    if payment and _is_known(payment, postback, utcnow()):
        _log_received(postback, known=True, repeated=True)
        return payment
    if payment and postback.order_id not in (None, payment.reference):
        _tell_of_a_mix_up(payment, postback.order_id)
        raise BadPostback(
            "the order is not the one this invoice was made for",
            Refusal.OTHER_ORDER,
            postback.invoice_id,
        )
    with transaction("inbox") as session:
        now = utcnow()
        # The next sweep asks, in case this process dies now or the provider does not answer.
        # The payment's row is locked before the postback's, as in `settle`: else the two deadlock.
        rows_changed(session, _LOOK_NOW, {"about": postback.invoice_id, "now": now})
        is_new = _store(session, postback, now)
        if is_new:
            journal.note("paid", (postback.invoice_id,))
    _log_received(postback, known=payment is not None, repeated=not is_new)
    return find_payment_by_invoice(postback.invoice_id)


def _is_known(payment: Payment, postback: cryptocloud.ProvenPostback, now: datetime) -> bool:
    """Whether storing the postback would change nothing but its count, which was raised within the last minute.

    Decided before anything is written: whoever repeats a postback must not take the write lock.
    """
    if postback.order_id not in (None, payment.reference):
        return False
    due = payment.next_check_at
    if not payment.provider_says_paid and (due is None or due > now):
        return False
    last_at = db.session.connection().scalar(_LAST_AT, {"invoice_id": postback.invoice_id})
    return last_at is not None and now - COUNTED_EVERY < last_at <= now


def _log_received(postback: cryptocloud.ProvenPostback, *, known: bool, repeated: bool) -> None:
    log.info("postback_received", invoice=postback.invoice_id, known=known, repeated=repeated)


def _store(session: Session, postback: cryptocloud.ProvenPostback, now: datetime) -> bool:
    """Store the first postback about an invoice, and count the others; False for those."""
    is_new = insert_if_new(
        session,
        Postback,
        invoice_id=postback.invoice_id,
        first_at=now,
        last_at=now,
        claimed_status=postback.status,
        claimed_amount=postback.amount_crypto,
        claimed_currency=postback.currency,
        claimed_order=postback.order_id or "",
    )
    if not is_new:
        rows_changed(session, _COUNT, {"about": postback.invoice_id, "now": now})
    return is_new


def _tell_of_a_mix_up(payment: Payment, named: str) -> None:
    """Ask a person whether the invoice was made for the payment that the postback names, whose reply was lost.

    API v1 does not say which order an invoice is for, so nobody else would notice. A payment that has an
    invoice of its own is left out: naming such a payment is a forger's cheapest try.
    """
    other = find_payment_by_reference(named)
    if other is None or other.invoice_id:
        return
    note = (
        f"CryptoCloud says that {payment.name}, which it gave us for order {payment.order.number} "
        f"({payment.money}), is for order {other.order.number} ({other.money})."
    )
    kind, reference, order_id = AttentionKind.ORDER_MISMATCH, payment.reference, payment.order_id
    with transaction("nudge") as session:
        raise_attention_once(session, kind, reference, note, order_id=order_id)


def nudge(invoice_id: str | None, because: Refusal, now: datetime | None = None) -> bool:
    """Have the sweep ask about an invoice that a refused postback named, once a minute at most.

    A reason that shows more about our key than the stored one replaces it at once; a reason that shows
    less never does: else a stranger could hide what is wrong with our key or clock.

    False when this postback did not count: nobody knows the invoice, or another postback was faster. A
    refused one proves nothing and decides nothing. But if our clock or secret is wrong, genuine ones are
    refused as well: so their money is found all the same, and `flask doctor` learns the reason.
    """
    now = now or utcnow()
    payment = find_payment_by_invoice(invoice_id) if invoice_id else None
    if payment is None:
        return False
    paid, seen, due = payment.provider_says_paid, payment.refused_at, payment.next_check_at
    shows_more = _weight(because) - _weight(payment.refused_because)
    same_minute = seen is not None and seen > now - NUDGE_EVERY
    later = now + NUDGE_EVERY
    # Decided before anything is written: a forgery costs its sender nothing, and must not take the write lock.
    if same_minute and shows_more <= 0:
        return False
    if shows_more < 0 and (paid or (due and due <= later)):
        return False
    when = min(due or later, later) if same_minute or shows_more < 0 else now
    values: dict[str, object] = {"next_check_at": None if paid else when}
    if shows_more >= 0:
        values |= {"refused_at": now, "refused_because": because}
    if not same_minute:
        values["refused_postbacks"] = Payment.refused_postbacks + 1
    first = Payment.refused_at.is_not_distinct_from(seen)  # nobody was faster
    counted = update(Payment).where(Payment.id == payment.id, first).values(values)
    with transaction("nudge") as session:
        return bool(rows_changed(session, counted))


def _weight(because: str) -> int:
    """How much a reason shows: 2, our key signed; 1, another key did; 0, anybody can send such a thing."""
    if because in SIGNED:
        return 2
    return 1 if because == Refusal.SIGNATURE else 0


def rest(invoice_id: str) -> None:
    """Put off by a minute the check that `nudge` has set, because the provider was just asked.

    So whoever repeats such a postback causes one call a minute, as with any other refused one.
    """
    with transaction("nudge") as session:
        rows_changed(
            session,
            update(Payment)
            .where(Payment.invoice_id == invoice_id, ~Payment.provider_says_paid)
            .where(Payment.next_check_at == Payment.refused_at)  # nobody has wanted it sooner since
            .values(next_check_at=utcnow() + NUDGE_EVERY),
        )


def reopen_postback(invoice_id: str) -> bool:
    """Put a postback back among those to be acted upon; False when the inbox has none of this invoice."""
    with transaction("replay") as session:
        rows_changed(session, _LOOK_NOW, {"about": invoice_id, "now": utcnow()})
        postback = update(Postback).where(Postback.invoice_id == invoice_id)
        return bool(rows_changed(session, postback.values(done_at=None, verdict="")))
