"""The safety net, every minute: whatever a crash, a lost notice or a slow provider left behind.

Each row is its own small transaction, and every step is correct even when two sweeps run at once.
"""

from __future__ import annotations

import platform
import random
import time
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import TypeVar

import structlog
from sqlalchemy import ColumnElement, and_, case, func, null, or_, update

from ..db import db, end_read, rows_changed, transaction, utcnow
from ..ops.doctor.machine import ago
from ..ops.isolation import each
from ..orders.models import Order, OrderStatus
from ..orders.service import keep_attention, lock_order, raise_attention, raise_attention_once
from .cryptocloud import CryptoCloud, CryptoCloudError, InvoiceInfo, Rejected, Untrusted
from .invariants import findings
from .models import SAID_PAID, Payment, PaymentState, Postback
from .queries import (
    due_checks,
    find_live_payment,
    find_payment_by_invoice,
    find_payment_by_reference,
    is_due,
    overdue_orders,
    postbacks_not_done,
    stale,
    unclear_payments,
)
from .service import bind, next_check, note_failure, refresh_all
from .settling import end_unpaid, give_up_on_the_rest, lock_payment

T = TypeVar("T")

_end = func.coalesce(Payment.expires_at, Payment.opened_at, Payment.created_at)

log = structlog.get_logger()

SECONDS_FOR_CALLS = 45
"""A slow provider must not make one sweep run into the next."""
ERRORS_IN_A_ROW = 3
ABANDON_UNKNOWN_AFTER = timedelta(minutes=2)
MATCH_WITHIN = timedelta(minutes=5)
BELIEVE_WITHIN = timedelta(hours=24)
WATCH_AFTER_EXPIRY = timedelta(hours=24)
WATCH_PARTIAL = timedelta(days=7)
GIVE_UP_ASKING_AFTER = timedelta(hours=24)
"""A provider that says nothing for so long may not keep stock from other buyers any longer."""
STOP_ASKING_AFTER = timedelta(days=30)
"""After the end of an invoice that the provider never tells about; a person knows long since."""
HOUR = timedelta(hours=1)
CHECK_AGAIN_AFTER = timedelta(seconds=30)
"""At the next sweep, behind the others: what fails may not stand in the way of what does not."""
UNCLEAR_FOR = timedelta(minutes=3)
"""So long may answers about an invoice be unclear before a person is told."""
CLOCK_WRONG = timedelta(minutes=2)
UNCLEAR_AGAIN_AFTER = timedelta(minutes=15)
"""Once a person has been told that the answers about an invoice are not clear."""


def sweep(gateway: CryptoCloud, now: datetime | None = None) -> None:
    """One whole round. What breaks in one part keeps no other from its work, and is raised in the end."""
    now = now or utcnow()
    calls = Calls(gateway)
    parts: list[Callable[[Calls, datetime], None]] = [
        forget_lost_calls,
        check_due_payments,
        judge_postbacks,
        tell_of_unclear_answers,
        expire_orders,
        audit,
        compare_clocks,
    ]
    each(parts, lambda part: part(calls.afresh(), now), "the payment sweep's parts")


class Calls:
    """The provider calls of one round: limited in time, and over early when the provider is down."""

    def __init__(self, gateway: CryptoCloud) -> None:
        self.gateway = gateway
        self._until = time.monotonic() + SECONDS_FOR_CALLS
        self._errors = 0
        self.silent = False
        """Whether the provider did not even say no when it was last to be asked."""

    def afresh(self) -> Calls:
        """The same round, for its next part: a few invoices nobody can tell about must not end it."""
        self._errors = 0
        return self

    @property
    def over(self) -> bool:
        """Whether this round should make no further calls."""
        return self._errors >= ERRORS_IN_A_ROW or time.monotonic() > self._until

    def make(self, call: Callable[[], T], about: str) -> T | None:
        """Make one call; None when the provider could not say, or need not be asked again now.

        Raises Untrusted, which is an answer.
        """
        self.silent = True
        if self.over:
            return None
        try:
            answer = call()
        except Untrusted:
            self._errors, self.silent = 0, False
            raise  # an invoice was found that nobody may be shown
        except CryptoCloudError as error:
            # What is said of one invoice must not keep us from asking about others.
            self._errors = 0 if error.about_invoice else self._errors + 1
            self.silent = not (error.about_invoice and isinstance(error, Rejected))
            log.warning("check_failed", payment=about, outcome=type(error).__name__)
            return None
        self._errors, self.silent = 0, False
        return answer

    def ask(self, payments: Sequence[Payment]) -> set[int]:
        """Refresh payments, as many as one call can; the ids of those that the provider told about."""
        if not payments:
            return set()
        about = payments[0].reference
        return self.make(lambda: refresh_all(payments, self.gateway), about) or set()


def forget_lost_calls(calls: Calls, now: datetime) -> None:
    """A call whose process died is `unknown`; its invoice is looked for, and given up if there is none."""
    for payment in stale(PaymentState.CREATING, now):
        _move(payment, PaymentState.CREATING, PaymentState.UNKNOWN)
    each(
        stale(PaymentState.UNKNOWN, now),
        lambda payment: _look_for_invoice(payment, calls, now),
        "lost calls",
    )


def _look_for_invoice(payment: Payment, calls: Calls, now: datetime) -> None:
    order_id, payment_id, reference = payment.order_id, payment.id, payment.reference
    since, ended, amount = payment.created_at, payment.lease_until or now, payment.money
    end_read()
    # Where nobody can say, the buyer may start another payment meanwhile.
    patience = GIVE_UP_ASKING_AFTER
    try:
        found = calls.make(
            lambda: [calls.gateway.find_invoice(reference, amount, since)], reference
        )
        if found:
            patience = ABANDON_UNKNOWN_AFTER
        if found and found[0] and find_payment_by_invoice(found[0].id) is None:
            bind(order_id, payment_id, found[0])
    except Untrusted as error:
        note_failure(order_id, payment_id, error)
    if ended < now - patience:
        _move(db.session.get_one(Payment, payment_id), PaymentState.UNKNOWN, PaymentState.ABANDONED)


def check_due_payments(calls: Calls, now: datetime) -> None:
    """Ask about every invoice whose turn it is, less often the older it is."""
    due, size = due_checks(now), calls.gateway.batch
    turns = [due[start : start + size] for start in range(0, len(due), size)]
    each(turns, lambda turn: _check(turn, calls, now), "due payments")


def _check(turn: Sequence[Payment], calls: Calls, now: datetime) -> None:
    if calls.over:
        return
    mine = [payment for payment in turn if _claim(payment, now)]
    ids, last = {payment.id for payment in mine}, any(now >= _watched_until(p) for p in mine)
    told = calls.ask(mine)
    if told == ids and not last:
        return
    with transaction("check_again") as session:
        these = update(Payment).where(~Payment.is_closed)
        # A notice that has come since wants another look.
        seen = these.where(Payment.id.in_(told), Payment.next_check_at == now + HOUR)
        rows_changed(session, seen.where(_is_over(now)).values(next_check_at=None))
        later = case(
            (_end < now - STOP_ASKING_AFTER, null()),
            (_is_over(now), now + HOUR),
            (Payment.unclear_since < now - 2 * UNCLEAR_FOR, now + UNCLEAR_AGAIN_AFTER),
            else_=now + CHECK_AGAIN_AFTER,
        )
        rows_changed(session, these.where(Payment.id.in_(ids - told)).values(next_check_at=later))


def judge_postbacks(calls: Calls, now: datetime) -> None:
    """Close notices whose payment is settled; put those that lead nowhere before a person."""
    each(
        [notice.invoice_id for notice in postbacks_not_done()],
        lambda invoice_id: _judge(invoice_id, calls, now),
        "postbacks",
    )


def _judge(invoice_id: str, calls: Calls, now: datetime) -> None:
    payment, said = find_payment_by_invoice(invoice_id), ""
    if payment is None:
        payment, said = _match(invoice_id, calls)
    leads_nowhere = payment is None and not calls.silent  # as far as the provider says
    with transaction("judge") as session:
        notice = session.get_one(Postback, invoice_id)
        if payment and payment.is_closed:
            notice.done_at, notice.verdict = now, "paid"
        elif leads_nowhere and notice.first_at < now - MATCH_WITHIN:
            notice.done_at, notice.verdict = now, "unmatched"
            raise_attention(
                session,
                "unmatched_invoice",
                invoice_id,
                f"A notice that CryptoCloud signed is about invoice {invoice_id}, which no order of "
                f"this shop has. {said}",
            )
        if notice.done_at is None and notice.first_at < now - BELIEVE_WITHIN:
            notice.done_at, notice.verdict = now, "not confirmed"
            raise_attention(
                session,
                "not_confirmed",
                invoice_id,
                f"A notice said that invoice {invoice_id} was paid, "
                "and the provider's API has not confirmed it for a day.",
            )


def _match(invoice_id: str, calls: Calls) -> tuple[Payment | None, str]:
    """The payment that an unknown invoice was made for, and what CryptoCloud says about that invoice.

    By what the API says (v2), never by the notice.
    """
    end_read()
    infos = calls.make(lambda: calls.gateway.invoice_infos([invoice_id]), invoice_id)
    info = infos.get(invoice_id) if infos else None
    payment = find_payment_by_reference(info.reference) if info and info.reference else None
    return bind_found(invoice_id, payment) if payment else None, _in_words(info)


def _in_words(info: InvoiceInfo | None) -> str:
    """What the API says about an invoice that is not ours, as far as it is true."""
    if info is None:
        return "CryptoCloud's API does not know it either: look for it in your account."
    if info.status in SAID_PAID:
        return "CryptoCloud's API says that it was paid: it may have been made in your account by hand."
    said = info.problem or f"its status is {info.status}"
    return f"CryptoCloud's API does not say that it was paid: {said}."


def bind_found(invoice_id: str, payment: Payment) -> Payment | None:
    """The payment, with the invoice that was made for it; None where it has, or may yet get, another."""
    if payment.invoice_id:
        return None
    with transaction("match") as session:
        order, payment = lock_payment(session, payment.order_id, payment.id)
        if payment.invoice_id or payment.state not in (
            PaymentState.UNKNOWN,
            PaymentState.ABANDONED,
        ):
            return None  # its own process is about to bind it, or the provider had said no: for a person
        if payment.state is PaymentState.UNKNOWN:
            payment.move(PaymentState.ABANDONED)
        payment.invoice_id, payment.pay_url = (
            invoice_id,
            "",
        )  # never shown, so its link is not needed
        payment.next_check_at = utcnow()
        order.record("invoice_found", f"{payment.name} was made although no answer came")
    return payment


def tell_of_unclear_answers(calls: Calls, now: datetime) -> None:
    """Put before a person what for minutes CryptoCloud has told nothing about that can be used."""
    told = [
        (
            payment.reference,
            f"What CryptoCloud's API says about {payment.name} of order {payment.order.number} cannot "
            f"be used: {payment.unclear_because}. Look it up in your account; if the money is there, "
            "confirm the order.",
        )
        for payment in unclear_payments(now - UNCLEAR_FOR)
    ]
    for reference, note in told:
        with transaction("attention") as session:
            raise_attention_once(session, "answer_unclear", reference, note)


def expire_orders(calls: Calls, now: datetime) -> None:
    """Close unpaid orders whose time is over, after asking the provider once more about each."""
    overdue = [order.id for order in overdue_orders(now)]
    # In any order: else the same few that nobody can tell about would stand before all others.
    random.shuffle(overdue)
    each(
        overdue,
        lambda order_id: _expire(order_id, calls, now),
        "overdue orders",
    )


def _expire(order_id: int, calls: Calls, now: datetime) -> None:
    order, live = db.session.get_one(Order, order_id), find_live_payment(order_id)
    waited = order.expires_at < now - GIVE_UP_ASKING_AFTER
    if live and live.invoice_id and not calls.ask([live]) and not waited:
        return  # nobody could say, or not clearly, that the money is not there
    with transaction("expire") as session:
        order = lock_order(session, order_id)
        if order.status is not OrderStatus.PENDING or order.expires_at > now:
            return
        live = find_live_payment(order_id)
        if live and live.state is PaymentState.PARTIAL:
            give_up_on_the_rest(session, order, live)
            return
        if live and live.state is not PaymentState.OPEN:
            return  # creating or unknown: settled by this sweep or the next
        if live:
            live.move(PaymentState.CANCELED)  # still watched, in case the money comes late
        end_unpaid(session, order)
    log.info("payment_time_over", order=order.number, status=order.status)


def audit(calls: Calls, now: datetime) -> None:
    """Put before a person whatever in the books contradicts itself. Money is never repaired by itself."""
    found = list(findings(now))
    if not found:
        return
    with transaction("audit") as session:
        for finding in found:
            raise_attention_once(session, finding.kind, finding.reference, finding.note)


def compare_clocks(calls: Calls, now: datetime) -> None:
    """Have a person told for as long as this machine's clock is wrong, by the dates of the answers."""
    ahead = calls.gateway.clock_ahead
    if ahead is not None:
        keep_attention("clock_wrong", platform.node(), _clock_in_words(ahead))


def _clock_in_words(ahead: float) -> str:
    if abs(ahead) < CLOCK_WRONG.total_seconds():
        return ""
    off, side = ago(timedelta(seconds=abs(ahead))), "behind" if ahead > 0 else "ahead of"
    return (
        f"The clock of the machine {platform.node()} is {off} {side} CryptoCloud's. Its notices are signed "
        "for five minutes, so genuine ones are refused (the shop asks instead), and orders end at the "
        "wrong time. Let NTP set the clock (`timedatectl set-ntp true`); the item closes by itself."
    )


def _claim(payment: Payment, now: datetime) -> bool:
    """Take this check, and set the time of the next; False when another sweep was faster.

    There always is a next one, should this process die before it has asked: only an answer ends it.
    """
    payment_id, due = payment.id, next_check(payment.opened_at or payment.created_at, now)
    last = _watched_until(payment)
    with transaction("claim") as session:
        return bool(
            rows_changed(
                session,
                update(Payment)
                .where(Payment.id == payment_id, is_due(now))
                .values(next_check_at=min(due, last) if now < last else now + HOUR)
                .values(checks=Payment.checks + 1),
            )
        )


def _is_over(now: datetime) -> ColumnElement[bool]:
    """Whether a payment's invoice need not be watched any longer, once it has been told about."""
    return or_(
        and_(~Payment.part_came, _end <= now - WATCH_AFTER_EXPIRY), _end <= now - WATCH_PARTIAL
    )


def _watched_until(payment: Payment) -> datetime:
    watch = WATCH_PARTIAL if payment.part_came else WATCH_AFTER_EXPIRY
    return (payment.expires_at or payment.opened_at or payment.created_at) + watch


def _move(payment: Payment, old: PaymentState, new: PaymentState) -> None:
    with transaction("lost_call") as session:
        order, payment = lock_payment(session, payment.order_id, payment.id)
        if payment.state is old:
            payment.move(new)
            order.record(f"invoice_{new}", "the provider's answer was lost")
