"""Asking the provider what became of invoices, and acting on the answer.

`refresh` asks about one payment, the sweep about many at once (asking.py). Both act on the answer by
`act_on`, which has it written down by `settle` and hands over what is paid. No transaction is held open
while the network is waited for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from typing import NamedTuple

from sqlalchemy import or_, update

from ..db import end_read, rows_changed, transaction, utcnow
from ..fulfilment.service import deliver_order
from ..ops import journal
from ..ops.for_each import for_each
from .cryptocloud import (
    CryptoCloud,
    CryptoCloudError,
    InvoiceInfo,
    InvoiceStatus,
    Rejected,
    Unavailable,
    UnclearInvoice,
    Unreadable,
)
from .models import SAID_PAID, Payment
from .settling import lock_payment, note_unclear, settle
from .telling import tell_a_person


def claim_check(payment: Payment, at_most_every: timedelta) -> bool:
    """Take the turn to ask about a payment; False when it was asked about a moment ago."""
    payment_id, now = payment.id, utcnow()
    with transaction("claim_check") as session:
        return bool(
            rows_changed(
                session,
                update(Payment)
                .where(Payment.id == payment_id)
                .where(or_(Payment.checked_at.is_(None), Payment.checked_at <= now - at_most_every))
                .values(checked_at=now),
            )
        )


def refresh(payment: Payment, gateway: CryptoCloud, *, seconds: float | None = None) -> None:
    """Ask the provider what is true about this payment's invoice, act on it, deliver what is paid.

    Safe to call at any time, by anybody, any number of times. Raises CryptoCloudError when the
    provider cannot say; nothing has changed then, and the sweep will ask again.
    """
    question = question_about([payment])
    end_read()
    if question:
        act_on(question, lambda: gateway.invoice_infos(list(question), seconds=seconds))


class Asked(NamedTuple):
    """The order and the payment whose invoice is asked about."""

    order_id: int
    payment_id: int
    reference: str


Question = Mapping[str, Asked]
"""The invoices that one call asks about (`gateway.batch` at most), by their ids."""


def question_about(payments: Iterable[Payment]) -> Question:
    """The question about these payments, without those that have no invoice or are known to be paid."""
    return {
        payment.invoice_id: Asked(payment.order_id, payment.id, payment.reference)
        for payment in payments
        if payment.invoice_id and not payment.provider_says_paid
    }


def act_on(question: Question, answer: Callable[[], Mapping[str, InvoiceInfo]]) -> set[int]:
    """Act on the answer, which `answer` returns or raises; return the ids of the payments it told about.

    If what is told about an invoice cannot be understood, that is noted, and the invoice counts as not
    told about. Raises UnclearInvoice when nothing else was told.
    """
    try:
        infos = answer()
    except CryptoCloudError as error:
        _note_no_answer(question.values(), error)
        raise

    def act(told: tuple[str, InvoiceInfo]) -> None:
        asked, info = question[told[0]], told[1]
        if info.status in SAID_PAID:
            journal.note("paid", (told[0],))
        if settle(asked.order_id, asked.payment_id, info):
            deliver_order(asked.order_id)

    unknown = [asked for invoice_id, asked in question.items() if invoice_id not in infos]
    _note_unclear(unknown, "the provider knows no such invoice")
    for_each(infos.items(), act, "answers about invoices")
    unclear = [info for info in infos.values() if info.status is InvoiceStatus.UNKNOWN]
    if unclear and len(unclear) == len(infos):
        raise UnclearInvoice(unclear[0].problem)
    told = [i for i, info in infos.items() if info.status is not InvoiceStatus.UNKNOWN]
    return {question[invoice_id].payment_id for invoice_id in told}


def _note_no_answer(asked: Iterable[Asked], error: CryptoCloudError) -> None:
    """Note an error that came instead of an answer: with the invoices, or for a person if it stops the shop."""
    alarming = error.lasts and not isinstance(error, Unreadable)  # one garbled answer alarms nobody
    if alarming and not error.about_invoice:
        with transaction("attention") as session:
            tell_a_person(session, error)
    elif isinstance(error, Unreadable | Rejected) and not isinstance(error, Unavailable):
        _note_unclear(asked, str(error))


def _note_unclear(asked: Iterable[Asked], why: str) -> None:
    for one in asked:
        with transaction("attention") as session:
            _, payment = lock_payment(session, one.order_id, one.payment_id)
            note_unclear(payment, why, utcnow())
