"""Opening invoices and learning what became of them.

`open_invoice` is the only place that asks for an invoice; `refresh` is the only place that asks
what is true, and the only one where an order becomes paid. Neither holds a transaction open while
the network is waited for.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import structlog
from sqlalchemy import or_, update
from sqlalchemy.orm import Session

from ..config import current_settings
from ..db import end_read, insert_if_new, rows_changed, transaction, utcnow
from ..fulfilment.service import deliver_order, plan_deliveries
from ..orders.models import SETTLED, HoldState, Order, OrderFlag, OrderStatus
from ..orders.service import (
    SoldOut,
    commit_holds,
    lock_order,
    raise_attention,
    release_holds,
    take_holds,
)
from . import cryptocloud
from .cryptocloud import CryptoCloud, CryptoCloudError, Invoice, InvoiceStatus, KeyRefused, Unclear
from .models import Payment, PaymentState, Postback, new_reference
from .queries import find_live_payment, find_payment_by_invoice, payments_of

log = structlog.get_logger()

CALL_LEASE = timedelta(seconds=30)
"""Longer than any create call lasts: a payment still `creating` after it has lost its process."""
INVOICE_LIFE = timedelta(hours=24)
"""CryptoCloud's own limit; API v1 offers no other."""
CHECK_AFTER = tuple(timedelta(seconds=s) for s in (15, 30, 60, 120, 300, 900, 3600))
WATCH_AFTER_EXPIRY = timedelta(hours=24)
WATCH_PARTIAL = timedelta(days=7)


class PaymentInProgress(Exception):
    """Another request is opening this order's payment page right now."""


class NotPayable(Exception):
    """The order is in a state in which no payment may be started."""


def new_payment(order: Order, attempt: int, now: datetime) -> Payment:
    """A payment about to be opened by the process that made it, which has a lease to do so."""
    return Payment(
        order=order,
        attempt=attempt,
        reference=new_reference(order, attempt),
        amount_minor=order.total_minor,
        currency=order.currency,
        lease_until=now + CALL_LEASE,
    )


def open_invoice(payment: Payment, gateway: CryptoCloud) -> None:
    """Ask the provider for the payment's invoice and note the outcome, whatever it is.

    Only the process that made the payment may call this, once. Afterwards the payment is `open`
    with a pay link, or `failed` (nothing exists), or `unknown` (an invoice may exist, unseen).
    """
    payment_id, order_id = payment.id, payment.order_id
    amount, reference = payment.money, payment.reference
    email = payment.order.email if current_settings().cryptocloud_send_email else None
    end_read()
    try:
        invoice = gateway.create_invoice(amount, reference=reference, email=email)
        _bind(order_id, payment_id, invoice)
    except CryptoCloudError as error:
        _note_failure(order_id, payment_id, error)


def _bind(order_id: int, payment_id: int, invoice: Invoice) -> None:
    with transaction() as session:
        order, payment = _lock(session, order_id, payment_id)
        waiting = session.get(Postback, invoice.id)
        if find_payment_by_invoice(invoice.id):
            raise Unclear("the reply names an invoice that belongs to another payment")
        now = utcnow()
        late = payment.state not in (PaymentState.CREATING, PaymentState.UNKNOWN)
        if late:
            payment = _watch_extra_invoice(session, order)
        payment.invoice_id, payment.pay_url = invoice.id, invoice.pay_url
        payment.opened_at, payment.expires_at = now, now + INVOICE_LIFE
        # A notice may have been faster than this reply.
        payment.next_check_at = now if waiting else now + CHECK_AFTER[0]
        if not late:
            payment.move(PaymentState.OPEN)
            order.expires_at = now + INVOICE_LIFE
            order.record("invoice_opened", f"invoice {invoice.id}")
    log.info("invoice_opened", order=order.number, payment=payment.reference, invoice=invoice.id)


def _watch_extra_invoice(session: Session, order: Order) -> Payment:
    """An invoice that came after we had given it up: never shown to the buyer, but watched."""
    attempt = payments_of(order.id)[-1].attempt + 1
    extra = new_payment(order, attempt, utcnow())
    extra.state = PaymentState.ABANDONED
    session.add(extra)
    order.record("extra_invoice", "an invoice was made after its payment had been given up")
    return extra


def _note_failure(order_id: int, payment_id: int, error: CryptoCloudError) -> None:
    unclear = isinstance(error, Unclear)
    with transaction() as session:
        order, payment = _lock(session, order_id, payment_id)
        if payment.state is PaymentState.CREATING:
            payment.move(PaymentState.UNKNOWN if unclear else PaymentState.FAILED)
            payment.error = str(error)[:300]
            order.record(f"invoice_{payment.state}", payment.error)
        if isinstance(error, KeyRefused):
            raise_attention(
                session,
                "key_refused",
                current_settings().cryptocloud_shop_id,
                "CryptoCloud refused the API key: nobody can pay. Check CRYPTOCLOUD_API_KEY.",
            )
    log.warning(
        "invoice_not_opened",
        order=order.number,
        payment=payment.reference,
        outcome=type(error).__name__,
        reason=str(error),
    )


def start_payment(order_id: int) -> tuple[Payment, bool]:
    """The payment by which an unpaid order can be paid now, and whether the caller must open it.

    A live invoice is used again. After a failure or expiry this makes the next attempt: the same
    order at the same price; expired orders take their stock again first. Raises SoldOut,
    PaymentInProgress or NotPayable.
    """
    with transaction() as session:
        order = lock_order(session, order_id)
        now = utcnow()
        if order.status not in (OrderStatus.PENDING, OrderStatus.EXPIRED):
            raise NotPayable
        live = find_live_payment(order.id)
        if live and live.state in (PaymentState.OPEN, PaymentState.PARTIAL):
            return live, False
        if live and live.state is PaymentState.CREATING:
            raise PaymentInProgress
        if live:  # unknown: its link was never shown to anybody, so nobody can pay it by mistake
            live.move(PaymentState.ABANDONED)
        if order.status is OrderStatus.EXPIRED:
            take_holds(session, order)
            order.move(OrderStatus.PENDING, why="the buyer starts a new payment")
        order.expires_at = now + INVOICE_LIFE
        session.flush()  # the old payment must stop being live before the new one is inserted
        payment = new_payment(order, payments_of(order.id)[-1].attempt + 1, now)
        session.add(payment)
    return payment, True


def claim_check(payment: Payment, at_most_every: timedelta) -> bool:
    """Take the turn to ask about a payment; False when it was asked about a moment ago."""
    payment_id, now = payment.id, utcnow()
    with transaction() as session:
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
    if payment.state is PaymentState.PAID or not payment.invoice_id:
        return
    order_id, payment_id, invoice_id = payment.order_id, payment.id, payment.invoice_id
    end_read()
    status = gateway.invoice_status(invoice_id, seconds=seconds)
    if _settle(order_id, payment_id, status):
        deliver_order(order_id)


def _settle(order_id: int, payment_id: int, status: InvoiceStatus) -> bool:
    """Write down what the provider said; True when this made the order paid. The only such place."""
    with transaction() as session:
        order, payment = _lock(session, order_id, payment_id)
        if payment.state is PaymentState.PAID:
            return False
        was, now = payment.state, utcnow()
        payment.checked_at, payment.provider_status = now, status
        paid = status in (InvoiceStatus.PAID, InvoiceStatus.OVERPAID)
        if paid:
            _take_money(session, order, payment, over=status is InvoiceStatus.OVERPAID, now=now)
        elif status is InvoiceStatus.PARTIAL:
            _note_partial(session, order, payment)
        elif status is InvoiceStatus.CANCELED:
            _note_canceled(session, order, payment)
    if payment.state is not was:
        log.info("payment_" + payment.state, order=order.number, payment=payment.reference)
    return paid and order.status is OrderStatus.PAID


def _take_money(
    session: Session, order: Order, payment: Payment, *, over: bool, now: datetime
) -> None:
    before = order.status
    payment.move(PaymentState.PAID)
    payment.paid_at, payment.next_check_at = now, None
    _close_postback(session, payment, now)
    if before in SETTLED:
        order.raise_flag(OrderFlag.PAID_TWICE, f"invoice {payment.invoice_id} was paid as well")
        raise_attention(
            session,
            "paid_twice",
            payment.reference,
            f"Order {order.number} was paid twice; a refund is due to the buyer.",
        )
        return
    if not _hold_again(session, order):
        order.raise_flag(OrderFlag.NO_STOCK, "paid when the goods were sold out")
        if before is not OrderStatus.REVIEW:
            order.move(OrderStatus.REVIEW, why="the money came when nothing was left")
        raise_attention(
            session,
            "no_stock",
            payment.reference,
            f"Order {order.number} was paid late and its goods are sold out.",
        )
        return
    if before in (OrderStatus.EXPIRED, OrderStatus.CANCELLED):
        order.raise_flag(OrderFlag.PAID_LATE, f"the money came when the order was {before}")
    elif over:
        order.raise_flag(OrderFlag.PAID_OVER, "more than the amount was paid")
    elif order.flag is not OrderFlag.NONE:
        order.raise_flag(OrderFlag.NONE, "the rest was paid")
    commit_holds(session, order)
    order.mark_paid(at=now, why=f"invoice {payment.invoice_id} is paid")
    plan_deliveries(session, order)


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


def _note_partial(session: Session, order: Order, payment: Payment) -> None:
    if payment.state is PaymentState.PARTIAL:
        return
    payment.move(PaymentState.PARTIAL)
    if order.status is OrderStatus.PENDING:
        order.raise_flag(OrderFlag.PAID_PARTIAL, "a part of the amount has arrived")
        return
    raise_attention(
        session,
        "paid_partial",
        payment.reference,
        f"A part of the money for order {order.number} came when it was {order.status}.",
    )
    if order.status in (OrderStatus.EXPIRED, OrderStatus.CANCELLED):
        order.raise_flag(OrderFlag.PAID_PARTIAL, "a part of the amount came late")
        order.move(OrderStatus.REVIEW, why="a part of the money came late")


def _note_canceled(session: Session, order: Order, payment: Payment) -> None:
    if payment.state is PaymentState.PARTIAL:
        payment.move(PaymentState.CANCELED)
        give_up_on_the_rest(session, order, payment)
    elif payment.state is PaymentState.OPEN:
        payment.move(PaymentState.CANCELED)
        if order.status is OrderStatus.PENDING:
            order.move(OrderStatus.EXPIRED, why="the time for paying is over")
            release_holds(session, order)


def give_up_on_the_rest(session: Session, order: Order, payment: Payment) -> None:
    """A part of the money came and the time for the rest is over: a person decides, nothing expires."""
    if order.status is OrderStatus.PENDING:
        order.move(OrderStatus.REVIEW, why="the rest of the money did not come in time")
    raise_attention(
        session,
        "paid_partial",
        payment.reference,
        f"Order {order.number} was paid in part only, and its time is over.",
    )


def receive_postback(notice: cryptocloud.Postback) -> Payment | None:
    """Put a proven notice into the inbox, and say which payment it is about, if we know it.

    Raises BadPostback when the notice names another order than ours for this invoice: nothing is
    stored then. What it says is a hint to look; `refresh` finds out what is true.
    """
    payment = find_payment_by_invoice(notice.invoice_id)
    if payment and notice.order_id not in (None, payment.reference):
        raise cryptocloud.BadPostback("the order is not the one this invoice was made for")
    with transaction() as session:
        now = utcnow()
        fresh = insert_if_new(
            session,
            Postback,
            invoice_id=notice.invoice_id,
            first_at=now,
            last_at=now,
            claimed_status=notice.status,
            claimed_amount=notice.amount_crypto,
            claimed_currency=notice.currency,
            claimed_order=notice.order_id or "",
        )
        if not fresh:
            rows_changed(
                session,
                update(Postback)
                .where(Postback.invoice_id == notice.invoice_id)
                .values(hits=Postback.hits + 1, last_at=now),
            )
        # Should this process die now, or the provider not answer: the next sweep asks.
        rows_changed(
            session,
            update(Payment)
            .where(Payment.invoice_id == notice.invoice_id, Payment.state != PaymentState.PAID)
            .values(next_check_at=now),
        )
    log.info(
        "postback_received",
        invoice=notice.invoice_id,
        known=payment is not None,
        repeated=not fresh,
    )
    return find_payment_by_invoice(notice.invoice_id)


def _close_postback(session: Session, payment: Payment, now: datetime) -> None:
    rows_changed(
        session,
        update(Postback)
        .where(Postback.invoice_id == payment.invoice_id)
        .values(done_at=now, verdict="paid"),
    )


def _lock(session: Session, order_id: int, payment_id: int) -> tuple[Order, Payment]:
    order = lock_order(session, order_id)
    return order, session.get_one(Payment, payment_id, with_for_update=True, populate_existing=True)
