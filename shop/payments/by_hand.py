"""What a person decides about an order's money. Each decision is carried out like one of the shop's own.

All three functions take the person's reason and name (`because`), which stand in the order's history
for good. They raise NotPossible, with what to do instead, when the order's status does not allow the
decision; nothing has changed then.
"""

from __future__ import annotations

import contextlib
import enum
from collections.abc import Sequence

import structlog
from sqlalchemy.orm import Session

from ..attention.kinds import AttentionKind
from ..attention.service import raise_attention, resolve_attention
from ..because import Because
from ..db import transaction, utcnow
from ..fulfilment.queries import deliveries_of
from ..fulfilment.service import deliver_order, forget_missing_keys
from ..orders.models import ENDED_UNPAID, SETTLED, HoldState, Order, OrderStatus
from ..orders.service import lock_order, release_holds
from ..outbox.kinds import MailKind
from ..outbox.service import plan_mail
from .checking import refresh
from .cryptocloud import CryptoCloud, CryptoCloudError
from .models import Payment, PaymentState
from .queries import payments_of
from .settling import ANSWERED_ITEMS, complete

log = structlog.get_logger()

OPENING = (PaymentState.CREATING, PaymentState.UNKNOWN)
REFUNDABLE = (
    OrderStatus.PAID,
    OrderStatus.FULFILLED,
    OrderStatus.REVIEW,
    OrderStatus.REFUND_DUE,
)


class Decision(enum.StrEnum):
    """What a person can decide about an order's money."""

    CONFIRM = "confirm"
    CANCEL = "cancel"
    REFUND = "refund"


class NotPossible(Exception):
    """The order's status does not allow the decision; the text says what to do instead."""


def possible_decisions(order: Order) -> list[Decision]:
    """The decisions that are possible about the order as it stands; for a due refund, that it was made."""
    payments = payments_of(order.id)
    return [decision for decision, why_not in WHY_NOT.items() if not why_not(order, payments)]


def confirm_order(
    order: Order, gateway: CryptoCloud, because: Because, *, transaction_id: str
) -> Order:
    """Sell the goods because a person has seen the money, as if the provider had said so.

    `transaction_id` is what proves the money: a transaction hash, or the provider's own number. The
    provider is asked first, so that money it knows of now is not taken for more money later.
    """
    order_id, now = order.id, utcnow()
    _ask_about(order_id, gateway)
    with transaction("confirm") as session:
        order, payments = _decidable(session, order_id, Decision.CONFIRM)
        payment = _payment_to_confirm(payments)
        order.record(
            "confirmed",
            f"{payment.name}, transaction {transaction_id}: {because.why}",
            who=because.who,
        )
        if payment.state is not PaymentState.PAID:
            payment.move(PaymentState.PAID)
            payment.paid_at = now  # the provider is still asked: the invoice may be paid as well
        payment.confirmed_by, payment.transaction_id = because.who, transaction_id
        complete(
            session, order, payment, now, Because(f"{payment.name} was confirmed", because.who)
        )
    log.info("order_confirmed", order=order.number, status=order.status)
    deliver_order(order_id)
    return order


def cancel_order(order: Order, gateway: CryptoCloud, because: Because) -> Order:
    """Close an unpaid order and put its stock back on sale; its invoices are watched all the same.

    The provider is asked once more first. Where it can (API v2), the open invoice is cancelled there.
    """
    order_id = order.id
    _ask_about(order_id, gateway)
    with transaction("cancel") as session:
        order, payments = _decidable(session, order_id, Decision.CANCEL)
        _close_payments(payments)
        order.move(OrderStatus.CANCELLED, because)
        order.expires_at = min(order.expires_at, utcnow())  # money counts as late from now on
        release_holds(session, order)
    log.info("order_cancelled", order=order.number)
    for payment in payments:
        if payment.invoice_id:
            with contextlib.suppress(CryptoCloudError):
                gateway.cancel_invoice(payment.invoice_id)
    return order


def refund_order(order: Order, because: Because, *, transaction_id: str = "") -> Order:
    """Note a refund: as due without `transaction_id`, as made with it. The shop itself sends no money.

    Units that were not handed over go back on sale.
    """
    order_id = order.id
    with transaction("refund") as session:
        order, payments = _decidable(session, order_id, Decision.REFUND)
        if order.status is OrderStatus.REFUND_DUE and not transaction_id:
            raise NotPossible(
                f"A refund of order {order.number} is due already; note it as made with --transaction."
            )
        if order.status is not OrderStatus.REFUND_DUE:
            _take_back(session, order)
            forget_missing_keys(session, order, who=because.who)
            order.move(OrderStatus.REFUND_DUE, because)
            if not transaction_id:
                plan_mail(session, order, MailKind.REFUND_DUE)
                note = f"Order {order.number} ({order.total}) is to be paid back: {because.why}"
                raise_attention(
                    session, AttentionKind.REFUND_DUE, order.number, note, order_id=order_id
                )
        if transaction_id:
            session.flush()  # one move at a time: the database, too, refuses to skip refund_due
            paid_back = Because(f"transaction {transaction_id}: {because.why}", because.who)
            order.move(OrderStatus.REFUNDED, paid_back)
            references = [payment.reference for payment in _whose_money_goes_back(payments)]
            done = Because(f"refunded: {because.why}", because.who)
            resolve_attention(session, references, done, kinds=ANSWERED_ITEMS)
            resolve_attention(session, [order.number], done, kinds=[AttentionKind.REFUND_DUE])
    log.info("order_" + order.status, order=order.number)
    return order


def _ask_about(order_id: int, gateway: CryptoCloud) -> None:
    """Ask what the provider knows of an order's payments; if it cannot say, the person's word stands."""
    for payment in payments_of(order_id):
        with contextlib.suppress(CryptoCloudError):
            refresh(payment, gateway)


def _decidable(
    session: Session, order_id: int, decision: Decision
) -> tuple[Order, Sequence[Payment]]:
    """Lock the order, and return it with its payments; NotPossible if the decision cannot be taken."""
    order = lock_order(session, order_id)
    payments = payments_of(order_id)
    if why_not := WHY_NOT[decision](order, payments):
        raise NotPossible(why_not)
    return order, payments


def _why_not_confirmed(order: Order, payments: Sequence[Payment]) -> str:
    if order.status in SETTLED:
        return f"Order {order.number} is {order.status} already."
    if not payments:
        return f"Order {order.number} has no payment to confirm."
    if _payment_to_confirm(payments).state in OPENING:
        return f"The invoice of order {order.number} is being made; try again in two minutes."
    return ""


def _why_not_cancelled(order: Order, payments: Sequence[Payment]) -> str:
    if order.status in ENDED_UNPAID:
        return f"Order {order.number} is {order.status} already; its stock is back on sale."
    if order.status not in (OrderStatus.PENDING, OrderStatus.REVIEW):
        return f"Order {order.number} is {order.status}: only unpaid ones are cancelled."
    if order.status is OrderStatus.REVIEW or any(_has_money(payment) for payment in payments):
        return (
            f"Money has come for order {order.number}: use `orders confirm`, "
            "or `orders refund` once it is in review."
        )
    if any(payment.state is PaymentState.CREATING for payment in payments):
        return f"The invoice of order {order.number} is being made; try again in a minute."
    return ""


def _why_not_refunded(order: Order, payments: Sequence[Payment]) -> str:
    if order.is_free:
        return f"Order {order.number} was free: there is no money to pay back."
    if order.status in REFUNDABLE:
        return ""
    if order.status is OrderStatus.PENDING and any(payment.part_came for payment in payments):
        return f"Order {order.number} can still be paid in full: refund it once it is in review."
    return f"Order {order.number} is {order.status}: there is nothing to refund."


WHY_NOT = {
    Decision.CONFIRM: _why_not_confirmed,
    Decision.CANCEL: _why_not_cancelled,
    Decision.REFUND: _why_not_refunded,
}
"""Why a decision cannot be taken about an order with these payments; empty when it can."""


def _whose_money_goes_back(payments: Sequence[Payment]) -> Sequence[Payment]:
    """The paid payments, or all if none is. A part that came beside a paid one stays before a person."""
    return [payment for payment in payments if payment.state is PaymentState.PAID] or payments


def _payment_to_confirm(payments: Sequence[Payment]) -> Payment:
    """The payment whose money is there: one that waits for a person, else the newest."""
    paid = [payment for payment in payments if payment.state is PaymentState.PAID]
    paid.sort(key=lambda payment: payment.paid_at or utcnow())
    with_money = paid or [payment for payment in payments if payment.part_came]
    return with_money[0] if with_money else payments[-1]


def _has_money(payment: Payment) -> bool:
    return payment.state is PaymentState.PAID or payment.part_came


def _close_payments(payments: Sequence[Payment]) -> None:
    for payment in payments:
        if payment.state is PaymentState.UNKNOWN:
            payment.move(PaymentState.ABANDONED)
        elif payment.state is PaymentState.OPEN:
            payment.move(PaymentState.CANCELLED)


def _take_back(session: Session, order: Order) -> None:
    """Put back on sale the units that were set aside, or sold and not handed over."""
    handed_over = {d.line.product_id for d in deliveries_of(order.id) if d.delivered_at}
    for state in (HoldState.HELD, HoldState.COMMITTED):
        release_holds(session, order, of=state, but=handed_over)
