"""Writing down what is true about a payment.

An order becomes paid in this file and no other: because the provider says so, a person does, or it costs nothing.
"""

from __future__ import annotations

from datetime import datetime
from typing import cast

import structlog
from sqlalchemy import Table, bindparam, update
from sqlalchemy.orm import Session

from ..attention.kinds import AttentionKind
from ..attention.service import resolve_attention
from ..because import Because
from ..config import current_settings
from ..db import rows_changed, transaction, utcnow
from ..fulfilment.service import plan_deliveries
from ..orders.models import (
    ENDED_UNPAID,
    SETTLED,
    HoldState,
    IllegalTransition,
    Order,
    OrderFlag,
    OrderStatus,
)
from ..orders.service import SoldOut, commit_holds, lock_order, release_holds, take_holds
from ..outbox.kinds import MailKind
from ..outbox.service import plan_mail
from .cryptocloud import InvoiceInfo, InvoiceStatus, same_to_the_cent
from .figures_text import figures_for_buyer
from .models import Payment, PaymentState, Postback, with_equal_places
from .partial import give_up_on_the_rest, note_partial, note_partial_of_an_old_one
from .queries import find_live_payment, find_payment_by_reference, payments_of
from .review import ask_a_person, to_review
from .times import GIVE_UP_ASKING_AFTER, HOUR
from .watching import late_time

log = structlog.get_logger()

_postbacks = cast("Table", Postback.__table__)
_CLOSE = (  # built once: composing a statement costs more than running it
    update(_postbacks)
    .where(_postbacks.c.invoice_id == bindparam("about"))
    .values(done_at=bindparam("now"), verdict="paid")
)
ANSWERED = (
    OrderFlag.PAID_PARTIAL,
    OrderFlag.NO_STOCK,
    OrderFlag.AMOUNT_MISMATCH,
    OrderFlag.PAID_LATE,
)
"""Flags that need no person any more once the order is sold."""
ANSWERED_ITEMS = tuple(map(AttentionKind, ANSWERED))
"""The attention items of the same names."""


def settle(order_id: int, payment_id: int, info: InvoiceInfo) -> bool:
    """Write down what the provider said; True when it left the order paid, to be delivered."""
    with transaction("settle") as session:
        order, payment = lock_payment(session, order_id, payment_id)
        if payment.state is PaymentState.PAID:
            if not payment.provider_says_paid:
                _note_money_after_confirmation(session, order, payment, info)
            return False
        was, now = payment.state, utcnow()
        if info.status is InvoiceStatus.UNKNOWN:
            note_unclear(payment, info.problem, now)
            payment.provider_status = info.status
            return False
        note_figures(payment, info, now)
        if payment.provider_says_paid:
            wrong = _mismatch(order, payment, info)
            take_money(session, order, payment, now, overpaid=info.is_overpaid, wrong=wrong)
        elif info.status is InvoiceStatus.PARTIAL:
            note_partial(session, order, payment, info, now)
        elif info.status is InvoiceStatus.CANCELED:
            _note_cancelled(session, order, payment)
    if payment.state is not was:
        log.info("payment_" + payment.state, order=order.number, payment=payment.reference)
    return order.status is OrderStatus.PAID


def note_figures(payment: Payment, info: InvoiceInfo, now: datetime) -> None:
    """Keep what the provider tells about an invoice beside its status; API v1 tells nothing."""
    payment.checked_at, payment.provider_status = now, info.status
    payment.unclear_since, payment.unclear_because = None, ""
    payment.test_mode = payment.test_mode or bool(info.test_mode)  # for good: a person decides
    payment.part_came = payment.part_came or info.is_part
    if info.status is InvoiceStatus.PARTIAL:
        payment.partial_since = payment.partial_since or now
    if info.coin:
        payment.coin = info.coin[:40]
    if info.due is not None and info.received is not None:
        payment.due, payment.received = f"{info.due:f}"[:60], f"{info.received:f}"[:60]


def take_money(
    session: Session,
    order: Order,
    payment: Payment,
    now: datetime,
    *,
    overpaid: bool,
    wrong: str,
) -> None:
    """Note that this payment's money is there, and sell the order; not if `wrong` says why it does not count."""
    payment.move(PaymentState.PAID)
    payment.paid_at, payment.next_check_at = now, None
    _close_postback(session, payment, now)
    if wrong:
        _note_mismatch(session, order, payment, wrong)
    elif _is_sold(order, payment):
        _note_second_payment(session, order, payment)
    elif _too_late(order, now):
        order.raise_flag(OrderFlag.PAID_LATE, f"the money came when the order was {order.status}")
        to_review(session, order, "the money came long after its time")
        ask_a_person(
            session, order, payment, AttentionKind.PAID_LATE, "was paid long after its end."
        )
    else:
        complete(
            session, order, payment, now, Because(f"{payment.name} is paid"), overpaid=overpaid
        )


def complete(
    session: Session,
    order: Order,
    payment: Payment,
    now: datetime,
    because: Because,
    *,
    overpaid: bool = False,
) -> None:
    """Sell the goods to an order whose money is there; if they are gone, a person is asked."""
    before = order.status
    if not _hold_again(session, order):
        order.raise_flag(OrderFlag.NO_STOCK, "paid when the goods were sold out")
        to_review(session, order, "the money came when the goods were sold out")
        ask_a_person(
            session,
            order,
            payment,
            AttentionKind.NO_STOCK,
            "was paid late and its goods are sold out.",
        )
        return
    if overpaid:
        order.raise_flag(OrderFlag.PAID_OVER, "more than the amount was paid")
    elif before in ENDED_UNPAID:
        order.raise_flag(OrderFlag.PAID_LATE, f"the money came when the order was {before}")
    elif order.flag in ANSWERED:
        order.raise_flag(OrderFlag.NONE, "the money is complete")
    commit_holds(session, order)
    order.paid_with = payment.paid_with
    order.mark_paid(because, at=now)
    plan_deliveries(session, order, note=figures_for_buyer(order, payment) if overpaid else "")
    # The item about a part that came by another invoice stays open: that part did not pay for this.
    resolve_attention(
        session,
        [payment.reference],
        Because("the order is paid", because.who),
        kinds=ANSWERED_ITEMS,
    )


def settle_free(session: Session, order: Order, now: datetime) -> None:
    """Sell an order that costs nothing, in the commit that makes it: nobody is asked, and no sweep waits for it."""
    if not order.is_free:
        raise IllegalTransition(f"order {order.number} costs {order.total}")
    commit_holds(session, order)
    order.mark_paid(Because("there is nothing to pay"), at=now)
    plan_deliveries(session, order)


def _note_money_after_confirmation(
    session: Session, order: Order, payment: Payment, info: InvoiceInfo
) -> None:
    """Ask a person about money that the provider saw after one vouched for it: it may be more money."""
    part_came_before = payment.part_came
    note_figures(payment, info, utcnow())
    if payment.provider_says_paid or payment.part_came > part_came_before:
        came = "is paid" if payment.provider_says_paid else "is paid in part"
        but = f", but {wrong}" if (wrong := _mismatch(order, payment, info)) else ""
        what = (
            f"was confirmed by {payment.confirmed_by}, and now {payment.name} {came} as well{but}."
        )
        ask_a_person(session, order, payment, AttentionKind.CONFIRMED_AND_PAID, what)


def _note_mismatch(session: Session, order: Order, payment: Payment, wrong: str) -> None:
    if _is_sold(order, payment):
        what = f"was paid already when {payment.name} was: {wrong}."
    else:
        order.raise_flag(OrderFlag.AMOUNT_MISMATCH, wrong)
        to_review(session, order, "what was paid does not fit the order")
        what = f"was not sold: {wrong}."
    ask_a_person(session, order, payment, AttentionKind.AMOUNT_MISMATCH, what)


def _note_second_payment(session: Session, order: Order, payment: Payment) -> None:
    if any(
        p.state is PaymentState.PAID and not p.provider_says_paid for p in payments_of(order.id)
    ):
        what = f"was confirmed by hand, and now {payment.name} is paid: is it the same money?"
        ask_a_person(session, order, payment, AttentionKind.CONFIRMED_AND_PAID, what)
        return
    order.raise_flag(OrderFlag.PAID_TWICE, f"{payment.name} was paid as well")
    what = f"was paid already when {payment.name} was: that payment goes back to the buyer."
    ask_a_person(session, order, payment, AttentionKind.PAID_TWICE, what)
    plan_mail(session, order, MailKind.PAYMENT_TWICE, payment.reference)


def end_unpaid(session: Session, order: Order) -> None:
    """End an order whose time for paying is over: it expires, or a person decides if a part of its money came."""
    with_part = [payment for payment in payments_of(order.id) if payment.part_came]
    if with_part:
        give_up_on_the_rest(session, order, with_part[0])
        return
    order.move(OrderStatus.EXPIRED, Because("the time for paying is over"))
    now = utcnow()
    if order.expires_at < now - GIVE_UP_ASKING_AFTER - HOUR:
        order.expires_at = now  # a clock was behind when this was written, or no sweep ran
    order.expires_at = min(order.expires_at, now)  # money counts as late from now on
    release_holds(session, order)


def lock_payment(session: Session, order_id: int, payment_id: int) -> tuple[Order, Payment]:
    """An order and one of its payments, locked until the commit; always the order first."""
    order = lock_order(session, order_id)
    return order, session.get_one(Payment, payment_id, with_for_update=True, populate_existing=True)


def _mismatch(order: Order, payment: Payment, info: InvoiceInfo) -> str:
    """Why the paid invoice does not fit the order; empty if it fits, or if the provider does not say (v1)."""
    other_amount = info.amount is not None and not same_to_the_cent(info.amount, payment.money)
    if other_amount or info.currency not in ("", payment.currency):
        amount = with_equal_places(info.amount)[0] if info.amount is not None else "an amount"
        currency = info.currency or payment.currency
        return f"the invoice is about {amount} {currency} and not {payment.money}"
    named = find_payment_by_reference(info.reference) if info.reference is not None else payment
    if named is None or named.order_id != order.id:
        return "the invoice was made for another order"
    if payment.test_mode and not order.is_test and not current_settings().development:
        if info.test_mode is False:
            return "it was a test invoice, and CryptoCloud says now that it is none"
        return "it is a test invoice, and no money came"
    return ""


def _too_late(order: Order, now: datetime) -> bool:
    """Whether money that comes now is later than the strictest product of the order honours."""
    if order.status not in ENDED_UNPAID:
        return False
    return now > order.expires_at + late_time(order)


def _is_sold(order: Order, payment: Payment) -> bool:
    """Whether the order's money came by another payment, even one that waits for a person."""
    others = (other for other in payments_of(order.id) if other is not payment)
    return order.status in SETTLED or any(other.state is PaymentState.PAID for other in others)


def _hold_again(session: Session, order: Order) -> bool:
    """Whether the order's units are set aside for it, after trying to take released ones again."""
    if all(hold.state is not HoldState.RELEASED for hold in order.holds):
        return True
    try:
        with session.begin_nested():
            take_holds(session, order)
    except SoldOut:
        return False
    return True


def note_unclear(payment: Payment, why: str, now: datetime) -> None:
    """Note that an answer about the invoice could not be understood: since when, and why, for the sweep."""
    if payment.unclear_since is None:
        payment.unclear_since = now
    payment.unclear_because = why[:300]


def _note_cancelled(session: Session, order: Order, payment: Payment) -> None:
    was_live = payment.is_live
    if payment.state in (PaymentState.OPEN, PaymentState.PARTIAL):
        payment.move(PaymentState.CANCELLED)
    if payment.part_came and find_live_payment(order.id):
        note_partial_of_an_old_one(session, order, payment)
    elif payment.part_came:
        give_up_on_the_rest(session, order, payment)
    elif was_live and order.status is OrderStatus.PENDING:
        end_unpaid(session, order)


def _close_postback(session: Session, payment: Payment, now: datetime) -> None:
    rows_changed(session, _CLOSE, {"about": payment.invoice_id, "now": now})
