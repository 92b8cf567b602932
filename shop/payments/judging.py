"""Postbacks that nobody has judged yet: which invoice each is about, and what is true of it."""

from __future__ import annotations

from datetime import datetime

from ..attention.kinds import AttentionKind
from ..attention.service import raise_attention
from ..db import end_read, transaction, utcnow
from ..ops.for_each import for_each
from .asking import Round
from .cryptocloud import InvoiceInfo
from .models import SAID_PAID, Payment, PaymentState, Postback
from .queries import find_payment_by_invoice, find_payment_by_reference, postbacks_not_done
from .settling import lock_payment
from .times import BELIEVE_WITHIN, MATCH_WITHIN


def judge_postbacks(calls: Round, now: datetime) -> None:
    """Close postbacks whose payment is settled; put those that lead nowhere before a person."""
    for_each(
        [postback.invoice_id for postback in postbacks_not_done()],
        lambda invoice_id: _judge(invoice_id, calls, now),
        "postbacks",
    )


def _judge(invoice_id: str, calls: Round, now: datetime) -> None:
    payment, said = find_payment_by_invoice(invoice_id), ""
    if payment is None:
        payment, said = _match(invoice_id, calls)
    leads_nowhere = payment is None and not calls.silent  # a silent provider decides nothing
    with transaction("judge") as session:
        postback = session.get_one(Postback, invoice_id)
        if payment and payment.provider_says_paid:
            postback.done_at, postback.verdict = now, "paid"
        elif leads_nowhere and postback.first_at < now - MATCH_WITHIN:
            postback.done_at, postback.verdict = now, "unmatched"
            raise_attention(
                session,
                AttentionKind.UNMATCHED_INVOICE,
                invoice_id,
                f"A postback that CryptoCloud signed is about invoice {invoice_id}, which no order of "
                f"this shop has. {said}",
            )
        if postback.done_at is None and postback.first_at < now - BELIEVE_WITHIN:
            postback.done_at, postback.verdict = now, "not confirmed"
            raise_attention(
                session,
                AttentionKind.NOT_CONFIRMED,
                invoice_id,
                f"A postback said that invoice {invoice_id} was paid, "
                "and the provider's API has not confirmed it for a day.",
                order_id=payment.order_id if payment else None,
            )


def _match(invoice_id: str, calls: Round) -> tuple[Payment | None, str]:
    """The payment that an unknown invoice was made for, and what CryptoCloud says about that invoice.

    Only what the API says (v2) decides this, never the postback.
    """
    end_read()
    infos = calls.make(lambda: calls.gateway.invoice_infos([invoice_id]), invoice_id)
    info = infos.get(invoice_id) if infos else None
    payment = find_payment_by_reference(info.reference) if info and info.reference else None
    return bind_found(invoice_id, payment) if payment else None, _in_words(info)


def _in_words(info: InvoiceInfo | None) -> str:
    """What the API says about an invoice that no payment has, as a sentence for a person."""
    if info is None:
        return "CryptoCloud's API does not know it either: look for it in your account."
    if info.status in SAID_PAID:
        return "CryptoCloud's API says that it was paid: it may have been made in your account by hand."
    said = info.problem or f"its status is {info.status}"
    return f"CryptoCloud's API does not say that it was paid: {said}."


def bind_found(invoice_id: str, payment: Payment) -> Payment | None:
    """Tie the invoice to the payment it was made for; None if that has, or may yet get, another invoice."""
    if payment.invoice_id:
        return None
    with transaction("match") as session:
        order, payment = lock_payment(session, payment.order_id, payment.id)
        if payment.invoice_id or payment.state not in (
            PaymentState.UNKNOWN,
            PaymentState.ABANDONED,
        ):
            return None  # its own process is about to bind it, or the provider refused it: a person decides
        if payment.state is PaymentState.UNKNOWN:
            payment.move(PaymentState.ABANDONED)
        payment.invoice_id, payment.pay_url = (
            invoice_id,
            "",
        )  # never shown, so its link is not needed
        payment.next_check_at = utcnow()
        order.record("invoice_found", f"{payment.name} was made although no answer came")
    return payment
