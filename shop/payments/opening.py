"""Opening invoices.

`open_invoice` is the only place that asks for an invoice. It holds no transaction open while the
network is waited for.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import takewhile
from typing import cast

import structlog
from sqlalchemy import Table, bindparam, select, update
from sqlalchemy.orm import Session

from ..attention.kinds import AttentionKind
from ..attention.service import raise_attention
from ..because import Because
from ..config import current_settings
from ..db import end_read, execute, insert_row, transaction, utcnow
from ..failpoints import failpoint
from ..money import Money
from ..ops import journal
from ..orders.models import Order, OrderStatus, Placed
from ..orders.service import extend_history, lock_order, take_holds
from .cryptocloud import (
    CryptoCloud,
    CryptoCloudError,
    InTestMode,
    Invoice,
    TooManyCalls,
    Unavailable,
    Unclear,
    Untrusted,
)
from .models import FRUITLESS, LIVE, Payment, PaymentState, Postback, new_reference
from .queries import find_live_payment, payments_of
from .settling import lock_payment
from .telling import tell_a_person
from .times import CALL_LEASE, price_stands_for
from .watching import next_check

log = structlog.get_logger()

# Built once: composing a statement costs more than running it.
_orders, _payments = cast("Table", Order.__table__), cast("Table", Payment.__table__)
_others = _payments.alias()
_claimed = select(Postback.claimed_order).where(Postback.invoice_id == bindparam("invoice"))
_TO_BIND = (
    select(
        _orders.c.number,
        _orders.c.status,
        _orders.c.is_test,
        _payments.c.state,
        _payments.c.invoice_id,
        select(_others.c.id)
        .where(_others.c.invoice_id == bindparam("invoice"))
        .scalar_subquery()
        .label("bound_to"),
        _claimed.scalar_subquery().label("claimed"),
        select(_others.c.id)
        .where(_others.c.reference == _claimed.scalar_subquery())
        .scalar_subquery()
        .label("claimed_by"),
    )
    .join_from(_orders, _payments, _payments.c.order_id == _orders.c.id)
    .where(_orders.c.id == bindparam("order"), _payments.c.id == bindparam("payment"))
    .with_for_update(of=[_orders, _payments])  # in this order, as `lock_payment` does
)
_BIND = (
    update(_payments)
    .where(_payments.c.id == bindparam("payment"))
    .values(
        invoice_id=bindparam("invoice"),
        **{
            name: bindparam(name)
            for name in (
                "state",
                "pay_url",
                "test_mode",
                "opened_at",
                "expires_at",
                "next_check_at",
            )
        },
    )
)
UNAVAILABLE_SECONDS = 5.0
"""Between two attempts of one order while the provider is away, or asks for fewer calls, and does not say how long."""
LASTING_SECONDS = 60.0
"""Seconds between two attempts of one order while the provider refuses for a reason that lasts."""
PAUSES = (0.0, 2.0, 5.0, 10.0, 20.0, 40.0, 60.0, 120.0, 300.0)
"""Seconds before the next attempt, by how many of the order's attempts have failed in a row. The second is made at
once, because that often helps; the pauses grow after it, because a button must not flood the provider."""
MOST_ATTEMPTS = 60
"""How many attempts one order gets. At those pauses they take four hours; then a person looks why all failed."""


class PaymentInProgress(Exception):
    """Another request is opening this order's payment page right now."""


class PaymentBusy(Exception):
    """The last attempt failed a moment ago; the next may be made at `until`."""

    def __init__(self, until: datetime) -> None:
        self.until = until
        super().__init__(f"busy until {until:%Y-%m-%d %H:%M:%S} UTC")


class NotPayable(Exception):
    """The order has a status in which no payment may be started."""


class StillOpen(Exception):
    """The order's time is over by our clock, and its last pay page may still be paid, so there is no second one."""


@dataclass(frozen=True, slots=True)
class NewPayment:
    """A payment that has just been made, with what it takes to ask for its invoice."""

    id: int
    order_id: int
    reference: str
    money: Money
    email: str


def new_payment(
    session: Session, order: Order | Placed, attempt: int, now: datetime, reference: str = ""
) -> NewPayment:
    """Make a payment that this process is about to open; no other process touches it until its lease ends."""
    reference = reference or new_reference(order.number, attempt)
    payment_id = insert_row(
        session,
        Payment,
        order_id=order.id,
        attempt=attempt,
        reference=reference,
        amount_minor=order.total.minor,
        currency=order.total.currency,
        lease_until=now + CALL_LEASE,
    )
    return NewPayment(payment_id, order.id, reference, order.total, order.email)


def open_invoice(payment: Payment | NewPayment, gateway: CryptoCloud) -> str:
    """Ask the provider for the payment's invoice and note the outcome, whatever it is.

    Only the process that made the payment may call this, once. Afterwards the payment is `open`
    with a pay link, or `failed` (nothing exists), or `unknown` (an invoice may exist, unseen).
    Returns the link if the buyer can pay by it now, or else an empty text.
    """
    payment_id, order_id = payment.id, payment.order_id
    amount, reference = payment.money, payment.reference
    email = payment.email if current_settings().cryptocloud_send_email else None
    end_read()
    failpoint("before_call")
    try:
        invoice = gateway.create_invoice(amount, reference=reference, email=email)
        failpoint("after_call")
        pay_url = bind(order_id, payment_id, reference, invoice)
        if pay_url is None:
            with contextlib.suppress(CryptoCloudError):  # if it stays open, it is watched
                gateway.cancel_invoice(invoice.id)
        return pay_url or ""
    except CryptoCloudError as error:
        note_failure(order_id, payment_id, error)
        return ""


def bind(order_id: int, payment_id: int, reference: str, invoice: Invoice) -> str | None:
    """Tie an invoice to the payment it was made for; returns its pay link, empty if the order needs no money now.

    None when the payment has been given up since: such an invoice is watched, in case somebody pays it,
    but never shown. Raises Untrusted when the invoice belongs to another payment, or when a proven
    postback says so; and InTestMode when it is a test with a pay page, where a buyer would send money
    that nobody ever gets.
    """
    journal.note("invoice", (invoice.id, reference))
    with transaction("bind", insists=True) as session:
        about = {"order": order_id, "payment": payment_id, "invoice": invoice.id}
        stands = execute(session, _TO_BIND, about).one()
        for_money = not stands.is_test and not current_settings().development
        if invoice.test_mode and invoice.pay_url and for_money:
            raise InTestMode("the invoice is a test: the project is in test mode", invoice.id)
        pay_url = invoice.pay_url if stands.status is OrderStatus.PENDING else ""
        if stands.invoice_id == invoice.id:
            return pay_url if stands.state in LIVE else None
        if stands.invoice_id or stands.bound_to:
            raise Untrusted("the reply names an invoice that belongs to another payment")
        if stands.claimed_by not in (None, payment_id):
            raise Untrusted("the reply names an invoice that was paid for another order")
        now = utcnow()
        expires_at = invoice.expires_at or now + current_settings().invoice_life
        told = stands.claimed is not None  # a postback was faster than this reply
        shown = stands.state in (PaymentState.CREATING, PaymentState.UNKNOWN)
        event = "invoice_opened" if shown else "invoice_unused"
        bound = about | {
            "state": PaymentState.OPEN if shown else stands.state,
            "pay_url": invoice.pay_url,
            "test_mode": invoice.test_mode,
            "opened_at": now,
            "expires_at": expires_at,
            "next_check_at": now if told else next_check(now, expires_at, now),
        }
        extend_history(
            session, order_id, event, f"invoice {invoice.id}", expires_at if shown else None
        )
        execute(session, _BIND, bound)
    log.info(event, order=stands.number, payment=reference, invoice=invoice.id)
    return pay_url if shown else None


def note_failure(order_id: int, payment_id: int, error: CryptoCloudError) -> None:
    """Write down why a payment has no invoice, and tell a person if the cause will not pass by itself."""
    unclear = isinstance(error, Unclear)
    with transaction("call_failed", insists=True) as session:
        order, payment = lock_payment(session, order_id, payment_id)
        if payment.state is PaymentState.CREATING:
            payment.move(PaymentState.UNKNOWN if unclear else PaymentState.FAILED)
            order.record(f"invoice_{payment.state}", str(error)[:300])
        if payment.state in (PaymentState.UNKNOWN, PaymentState.FAILED):
            payment.error, payment.error_lasts = str(error)[:300], error.lasts
            payment.retry_at = _not_before(error, _failures_in_a_row(order_id))
        if error.lasts:
            tell_a_person(session, error, order)
        if payment.attempt >= MOST_ATTEMPTS:
            note = (
                f"{payment.attempt} attempts to have order {order.number} paid have failed, "
                f"and no more are made. The last time: {error}."
            )
            kind = AttentionKind.TOO_MANY_ATTEMPTS
            raise_attention(session, kind, order.number, note, order_id=order_id)
    log.warning(
        "invoice_not_opened",
        order=order.number,
        payment=payment.reference,
        outcome=type(error).__name__,
        reason=str(error),
    )
    if isinstance(error, Untrusted) and error.invoice_id:
        unshown = Invoice(error.invoice_id, pay_url="", test_mode=error.test_mode)
        _watch_unshown(order_id, payment_id, payment.reference, unshown)


def _not_before(error: CryptoCloudError, failures: int) -> datetime | None:
    """When another attempt may be made after so many failures in a row; None when it may be at once."""
    wait = PAUSES[min(failures, len(PAUSES)) - 1]
    if error.lasts:
        wait = max(wait, LASTING_SECONDS)
    elif isinstance(error, TooManyCalls | Unavailable):
        wait = max(wait, error.retry_after or UNAVAILABLE_SECONDS)
    return utcnow() + timedelta(seconds=wait) if wait else None


def _failures_in_a_row(order_id: int) -> int:
    """How many of an order's newest attempts have shown its buyer no pay page; one at least."""
    newest_first = reversed(payments_of(order_id))
    return max(1, sum(1 for _ in takewhile(lambda each: each.state in FRUITLESS, newest_first)))


def _watch_unshown(order_id: int, payment_id: int, reference: str, invoice: Invoice) -> None:
    """Tie an invoice whose reply was refused to its payment: nobody is shown it, but its money is watched for."""
    with transaction("lost_call") as session:
        _, payment = lock_payment(session, order_id, payment_id)
        if payment.state is PaymentState.UNKNOWN:
            payment.move(PaymentState.ABANDONED)
    with contextlib.suppress(Untrusted):  # the invoice belongs to another payment already
        bind(order_id, payment_id, reference, invoice)


def can_start_again(order: Order, now: datetime) -> bool:
    """Whether an order whose time is over can still be paid: its price stands, and its products are on sale."""
    if order.erased_at:
        return False  # its goods could not be mailed
    on_sale = all(line.product is None or line.product.active for line in order.lines)
    return on_sale and now < order.created_at + price_stands_for()


def start_payment(
    order_id: int, admit: Callable[[Session, Order], None] = lambda session, order: None
) -> tuple[Payment, bool]:
    """The payment by which an unpaid order can be paid now, and whether the caller must open it.

    A live invoice is used again. After a failure or expiry this makes the next attempt, if `admit` does
    not object in the same transaction: the same order at the same price. Expired orders take their
    stock again first. Raises SoldOut, PaymentInProgress, PaymentBusy, StillOpen or NotPayable.
    """
    with transaction("start_payment") as session:
        order = lock_order(session, order_id)
        now = utcnow()
        if order.status not in (OrderStatus.PENDING, OrderStatus.EXPIRED):
            raise NotPayable
        if order.status is OrderStatus.EXPIRED and not can_start_again(order, now):
            raise NotPayable
        live = find_live_payment(order.id)
        if live and live.state in (PaymentState.OPEN, PaymentState.PARTIAL):
            return live, False
        if live and live.state is PaymentState.CREATING:
            raise PaymentInProgress
        attempts = payments_of(order.id)
        if not attempts:
            raise NotPayable  # a check of the books has told a person
        if any(payment.is_left_open for payment in attempts):
            raise StillOpen
        last = attempts[-1]
        if last.attempt >= MOST_ATTEMPTS:
            raise NotPayable
        if last.retry_at and last.retry_at > now:
            raise (
                NotPayable if last.error_lasts else PaymentBusy(last.retry_at)
            )  # its page says which
        admit(session, order)
        if live:  # unknown: its link was never shown to anybody, so nobody can pay it by mistake
            live.move(PaymentState.ABANDONED)
        if order.status is OrderStatus.EXPIRED:
            take_holds(session, order)
            order.move(OrderStatus.PENDING, Because("the buyer starts a new payment"))
        order.expires_at = now + current_settings().invoice_life
        # What was written above goes first: the old payment must stop being live before there is a new one.
        payment = new_payment(session, order, last.attempt + 1, now)
        return session.get_one(Payment, payment.id), True
