"""The safety net, every minute: whatever a crash, a lost notice or a slow provider left behind.

Each row is its own small transaction, and every step is correct even when two sweeps run at once.
"""

from __future__ import annotations

import time
from datetime import datetime, timedelta

import structlog
from sqlalchemy import update

from ..db import rows_changed, transaction, utcnow
from ..orders.models import OrderStatus
from ..orders.service import lock_order, raise_attention, release_holds
from .cryptocloud import CryptoCloud, CryptoCloudError
from .models import Payment, PaymentState, Postback
from .queries import (
    due_checks,
    find_live_payment,
    find_payment_by_invoice,
    overdue_orders,
    postbacks_not_done,
    stale,
)
from .service import (
    CHECK_AFTER,
    WATCH_AFTER_EXPIRY,
    WATCH_PARTIAL,
    give_up_on_the_rest,
    refresh,
)

log = structlog.get_logger()

SECONDS_FOR_CALLS = 45
"""A slow provider must not make one sweep run into the next."""
ERRORS_IN_A_ROW = 3
ABANDON_UNKNOWN_AFTER = timedelta(minutes=2)
MATCH_WITHIN = timedelta(minutes=5)
BELIEVE_WITHIN = timedelta(hours=24)


def sweep(gateway: CryptoCloud, now: datetime | None = None) -> None:
    """One whole round."""
    now = now or utcnow()
    calls = Calls(gateway)
    forget_lost_calls(now)
    check_due_payments(calls, now)
    judge_postbacks(now)
    expire_orders(calls, now)


class Calls:
    """The provider calls of one round: limited in time, and over early when the provider is down."""

    def __init__(self, gateway: CryptoCloud) -> None:
        self._gateway = gateway
        self._until = time.monotonic() + SECONDS_FOR_CALLS
        self._errors = 0

    @property
    def over(self) -> bool:
        """Whether this round should make no further calls."""
        return self._errors >= ERRORS_IN_A_ROW or time.monotonic() > self._until

    def ask(self, payment: Payment) -> bool:
        """Refresh one payment; False when the provider could not say."""
        if self.over:
            return False
        reference = payment.reference
        try:
            refresh(payment, self._gateway)
        except CryptoCloudError as error:
            self._errors += 1
            log.warning("check_failed", payment=reference, outcome=type(error).__name__)
            return False
        self._errors = 0
        return True


def forget_lost_calls(now: datetime) -> None:
    """A call whose process died is `unknown`; what stays unknown is given up, and can be tried again."""
    for payment in stale(PaymentState.CREATING, now):
        _move(payment, PaymentState.CREATING, PaymentState.UNKNOWN)
    for payment in stale(PaymentState.UNKNOWN, now - ABANDON_UNKNOWN_AFTER):
        _move(payment, PaymentState.UNKNOWN, PaymentState.ABANDONED)


def check_due_payments(calls: Calls, now: datetime) -> None:
    """Ask about every invoice whose turn it is, less often the older it is."""
    for payment in due_checks(now):
        if calls.over:
            return
        if _claim(payment, now):
            calls.ask(payment)


def judge_postbacks(now: datetime) -> None:
    """Close notices whose payment is settled; put those that lead nowhere before a person."""
    for notice in postbacks_not_done():
        payment = find_payment_by_invoice(notice.invoice_id)
        with transaction() as session:
            notice = session.get_one(Postback, notice.invoice_id, populate_existing=True)
            if payment and payment.state is PaymentState.PAID:
                notice.done_at, notice.verdict = now, "paid"
            elif payment is None and notice.first_at < now - MATCH_WITHIN:
                notice.done_at, notice.verdict = now, "unmatched"
                raise_attention(
                    session,
                    "unmatched_invoice",
                    notice.invoice_id,
                    f"CryptoCloud says that invoice {notice.invoice_id} was paid, "
                    "but no order of this shop has it.",
                )
            elif notice.first_at < now - BELIEVE_WITHIN:
                notice.done_at, notice.verdict = now, "not confirmed"
                raise_attention(
                    session,
                    "not_confirmed",
                    notice.invoice_id,
                    f"A notice said that invoice {notice.invoice_id} was paid, "
                    "and the provider's API has not confirmed it for a day.",
                )


def expire_orders(calls: Calls, now: datetime) -> None:
    """Close unpaid orders whose time is over, after asking the provider once more about each."""
    for order in overdue_orders(now):
        live = find_live_payment(order.id)
        if live and live.invoice_id and not calls.ask(live):
            continue  # nobody could say that the money is not there
        _expire(order.id, now)


def _expire(order_id: int, now: datetime) -> None:
    with transaction() as session:
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
        order.move(OrderStatus.EXPIRED, why="the time for paying is over")
        release_holds(session, order)
    log.info("order_expired", order=order.number)


def _claim(payment: Payment, now: datetime) -> bool:
    """Take this check, and set the time of the next; False when another sweep was faster."""
    payment_id, seen = payment.id, payment.next_check_at
    due = now + CHECK_AFTER[min(payment.checks + 1, len(CHECK_AFTER) - 1)]
    watch = WATCH_PARTIAL if payment.provider_status == "partial" else WATCH_AFTER_EXPIRY
    last = (payment.expires_at or payment.created_at) + watch
    with transaction() as session:
        return bool(
            rows_changed(
                session,
                update(Payment)
                .where(Payment.id == payment_id, Payment.next_check_at == seen)
                .values(next_check_at=due if due < last else None, checks=Payment.checks + 1),
            )
        )


def _move(payment: Payment, old: PaymentState, new: PaymentState) -> None:
    with transaction() as session:
        order = lock_order(session, payment.order_id)
        payment = session.get_one(Payment, payment.id, with_for_update=True, populate_existing=True)
        if payment.state is old:
            payment.move(new)
            order.record(f"invoice_{new}", "the provider's answer was lost")
