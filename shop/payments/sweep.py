"""The sweep of payments: every minute it picks up what a crash, a lost postback or a slow provider left.

Each row is its own small transaction, and every step is correct even when two sweeps run at once.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

import structlog
from sqlalchemy import ColumnElement, case, null, update

from ..attention.kinds import AttentionKind
from ..attention.service import tell_once
from ..db import db, end_read, rows_changed, transaction, utcnow
from ..ops.for_each import for_each
from ..orders.models import Order, OrderStatus
from ..orders.service import lock_order
from .asking import Round
from .checking import Question, question_about
from .clock import compare_clocks
from .cryptocloud import CryptoCloud, Untrusted
from .judging import judge_postbacks
from .models import Payment, PaymentState
from .opening import bind, note_failure
from .partial import give_up_on_the_rest
from .queries import (
    due_checks,
    find_live_payment,
    find_payment_by_invoice,
    is_due,
    overdue_orders,
    past_their_lease,
    unclear_payments,
)
from .settling import end_unpaid, lock_payment
from .silence import tell_of_silence
from .times import (
    A_DAY,
    ABANDON_UNKNOWN_AFTER,
    CHECK_AGAIN_AFTER,
    GIVE_UP_ASKING_AFTER,
    HOUR,
    STOP_ASKING_AFTER,
    UNCLEAR_AGAIN_AFTER,
    UNCLEAR_FOR,
)
from .watching import is_recent, is_watched, next_check

log = structlog.get_logger()


def sweep(gateway: CryptoCloud, now: datetime | None = None) -> None:
    """Do one whole round. An error in one part keeps no other from its work, and is raised at the end."""
    now, calls = now or utcnow(), Round(gateway)
    for_each(PARTS, lambda part: part[0](calls.for_part(part[1]), now), "the payment sweep's parts")


def watch_again(calls: Round, now: datetime) -> None:
    """Watch those invoices again whose watch ended too early: their money may still come and count.

    It did if late money is given more hours now, if the order is paid anew, or if a clock was wrong.
    """
    with transaction("watch_again") as session:
        left = update(Payment).where(Payment.next_check_at.is_(None), ~Payment.provider_says_paid)
        left = left.where(Payment.invoice_id.is_not(None), is_recent(now), is_watched(now))
        rows_changed(session, left.values(next_check_at=now))


def forget_lost_calls(calls: Round, now: datetime) -> None:
    """Look for the invoice of each payment whose process died in its call; give up those that have none."""
    for payment in past_their_lease(PaymentState.CREATING, now):
        _move(payment, PaymentState.CREATING, PaymentState.UNKNOWN)
    for_each(
        past_their_lease(PaymentState.UNKNOWN, now),
        lambda payment: _look_for_invoice(payment, calls, now),
        "lost calls",
    )


def _look_for_invoice(payment: Payment, calls: Round, now: datetime) -> None:
    order_id, payment_id, reference = payment.order_id, payment.id, payment.reference
    since, ended, amount = payment.created_at, payment.lease_until or now, payment.money
    end_read()
    # While the provider cannot say, the buyer may start another payment.
    patience, heard = GIVE_UP_ASKING_AFTER, calls.heard
    try:
        found = calls.make(
            lambda: [calls.gateway.find_invoice(reference, amount, since)], reference
        )
        if not calls.gateway.lists_invoices:
            calls.heard = heard
        if found:
            patience = ABANDON_UNKNOWN_AFTER
        if found and found[0] and find_payment_by_invoice(found[0].id) is None:
            bind(order_id, payment_id, reference, found[0])
    except Untrusted as error:
        note_failure(order_id, payment_id, error)
    if ended < now - patience:
        _move(db.session.get_one(Payment, payment_id), PaymentState.UNKNOWN, PaymentState.ABANDONED)


@dataclass(frozen=True)
class Check:
    """What the sweep needs of a payment whose turn it is, read for all such payments in one query."""

    question: Question
    """Empty if the payment's money is known to be there."""
    payment_id: int
    again_at: datetime | None
    """When to ask again if all goes well; None is never."""
    is_old: bool
    """Whether its invoice ended a day ago or earlier, so that the watch over it may end."""


def check_due_payments(calls: Round, now: datetime) -> None:
    """Ask about every invoice whose turn it is, less often the older it is."""
    due, size, watched = due_checks(now), calls.gateway.batch, is_watched(now)
    checks = [_check(payment, now) for payment in due]
    turns = [checks[start : start + size] for start in range(0, len(checks), size)]
    for_each(
        calls.answers(turns, lambda turn: _claim_all(turn, now)),
        lambda come: _note_told(come[0], come[1], calls.told(*come[1:]), watched, now),
        "due payments",
    )


def _check(payment: Payment, now: datetime) -> Check:
    ends_at = max(payment.ends_at, payment.order.expires_at)
    again_at = next_check(payment.opened_at or payment.created_at, ends_at, now)
    return Check(
        question_about([payment]),
        payment.id,
        None if payment.provider_says_paid else again_at,
        payment.ends_at <= now - A_DAY,
    )


def _claim_all(turn: Sequence[Check], now: datetime) -> Question:
    """The question of one call: about the payments that no other sweep has claimed first."""
    mine = [check.question for check in turn if _claim(check.payment_id, check.again_at, now)]
    return {invoice_id: asked for question in mine for invoice_id, asked in question.items()}


def _note_told(
    turn: Sequence[Check],
    asked: Question,
    told: set[int],
    watched: ColumnElement[bool],
    now: datetime,
) -> None:
    """Ask again soon about payments that were not told about, and end the watch over those past it."""
    ids = {one.payment_id for one in asked.values()}
    if told == ids and not any(check.is_old for check in turn):
        return
    ended = Payment.ends_at <= now - A_DAY
    given_up = Payment.ends_at < now - STOP_ASKING_AFTER
    with transaction("check_again") as session:
        these = update(Payment).where(~Payment.provider_says_paid)
        # A postback that has come since wants another look.
        seen = these.where(Payment.id.in_(told), ~watched, Payment.next_check_at >= now + HOUR)
        rows_changed(session, seen.values(next_check_at=None))
        later = case(
            (given_up & ~watched, null()),
            (given_up, Payment.next_check_at),
            (ended, now + HOUR),
            (Payment.unclear_since < now - 2 * UNCLEAR_FOR, now + UNCLEAR_AGAIN_AFTER),
            else_=now + CHECK_AGAIN_AFTER,
        )
        rows_changed(session, these.where(Payment.id.in_(ids - told)).values(next_check_at=later))


def tell_of_unclear_answers(calls: Round, now: datetime) -> None:
    """Put before a person the payments about which CryptoCloud has told nothing usable for minutes."""
    told = [
        (
            payment.reference,
            payment.order_id,
            f"What CryptoCloud's API says about {payment.name} of order {payment.order.number} cannot "
            f"be used: {payment.unclear_because}. Look it up in your account; if the money is there, "
            "confirm the order.",
        )
        for payment in unclear_payments(now - UNCLEAR_FOR)
    ]
    for reference, order_id, note in told:
        tell_once(AttentionKind.ANSWER_UNCLEAR, reference, note, order_id=order_id)


def expire_orders(calls: Round, now: datetime) -> None:
    """Close unpaid orders whose time is over, after asking the provider once more about each."""
    overdue = [order.id for order in overdue_orders(now)]
    # In random order: else the same few that the provider cannot tell about would always come first.
    random.shuffle(overdue)
    for_each(
        calls.answers(overdue, _last_question),
        lambda come: _expire(come[0], calls.told(*come[1:]), now),
        "overdue orders",
    )


def _last_question(order_id: int) -> Question:
    live = find_live_payment(order_id)
    return question_about([live]) if live else {}


def _expire(order_id: int, told: set[int], now: datetime) -> None:
    order, live = db.session.get_one(Order, order_id), find_live_payment(order_id)
    waited = order.expires_at < now - GIVE_UP_ASKING_AFTER
    if live and live.invoice_id and live.id not in told and not waited:
        return  # the provider has not said, or not clearly, that the money is not there
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
            live.move(PaymentState.CANCELLED)  # still watched, in case the money comes late
        end_unpaid(session, order)
    log.info("payment_time_over", order=order.number, status=order.status)


def _claim(payment_id: int, again_at: datetime | None, now: datetime) -> bool:
    """Take this check, and set the time of the next; False when another sweep was faster.

    A next check is always set, in case this process dies before it has asked; only an answer ends the checks.
    """
    due = update(Payment).where(Payment.id == payment_id, is_due(now))
    with transaction("claim") as session:
        taken = due.values(next_check_at=again_at, checks=Payment.checks + 1)
        return bool(rows_changed(session, taken))


def _move(payment: Payment, old: PaymentState, new: PaymentState) -> None:
    with transaction("lost_call") as session:
        order, payment = lock_payment(session, payment.order_id, payment.id)
        if payment.state is old:
            payment.move(new)
            order.record(f"invoice_{new}", "the provider's answer was lost")


PARTS: tuple[tuple[Callable[[Round, datetime], None], float], ...] = (
    (watch_again, 0.2),
    (forget_lost_calls, 0.2),
    (expire_orders, 0.4),
    (check_due_payments, 0.9),
    (judge_postbacks, 1),
    (tell_of_unclear_answers, 1),
    (compare_clocks, 1),
    (tell_of_silence, 1),
)
"""The parts of a round in their order, each with the share of the time for calls after which it makes none.

Orders that are overdue come before other checks: they keep stock from other buyers, and must not wait.
"""
