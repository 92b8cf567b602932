"""Reading payments and the postback inbox."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, and_, bindparam, case, exists, func, literal, or_, select
from sqlalchemy.orm import contains_eager

from ..attention.kinds import AttentionKind
from ..attention.models import AttentionItem
from ..db import db
from ..orders.models import Order, OrderStatus
from ..orders.queries import has_status
from .cryptocloud import SIGNED, InvoiceStatus
from .models import LIVE, Figures, Payment, PaymentState, Postback
from .times import ABOUT_TO_EXPIRE

# Built once: composing a statement costs more than running it.
_BY_INVOICE = select(Payment).where(Payment.invoice_id == bindparam("invoice_id"))
_OF_ORDER = (
    select(Payment).where(Payment.order_id == bindparam("order_id")).order_by(Payment.attempt)
)
_LIVE_OF_ORDER = select(Payment).where(
    Payment.order_id == bindparam("order_id"), Payment.state.in_(LIVE)
)
_BY_REFERENCE = select(Payment).where(Payment.reference == bindparam("reference"))


def find_payment_by_invoice(invoice_id: str) -> Payment | None:
    """The payment that this invoice (bare id) belongs to."""
    return db.session.scalar(_BY_INVOICE, {"invoice_id": invoice_id})


def find_payment_by_reference(reference: str) -> Payment | None:
    """The payment whose reference the provider knows as `order_id`."""
    if not reference.isprintable():  # PostgreSQL chokes on a NUL, which anybody can send
        return None
    return db.session.scalar(_BY_REFERENCE, {"reference": reference})


def invoices_without_payment(ids: Collection[str]) -> list[str]:
    """Which of these invoices no payment has."""
    known = db.session.scalars(select(Payment.invoice_id).where(Payment.invoice_id.in_(ids)))
    return sorted(set(ids) - set(known))


def payments_of(order_id: int) -> Sequence[Payment]:
    """Every attempt at paying an order, oldest first."""
    return db.session.scalars(_OF_ORDER, {"order_id": order_id}).all()


def figures_of(order_id: int) -> Figures | None:
    """How much of an order's money came; None when it was exact or the provider does not tell.

    Once a payment is complete, its figures are the order's, and not those of an earlier part.
    """
    payments = payments_of(order_id)
    paid = [payment for payment in payments if payment.state is PaymentState.PAID]
    return next((p.figures for p in reversed(paid or payments) if p.figures), None)


def find_live_payment(order_id: int) -> Payment | None:
    """The one attempt that may still lead to a payment in the ordinary way."""
    return db.session.scalar(_LIVE_OF_ORDER, {"order_id": order_id})


def is_due(now: datetime) -> ColumnElement[bool]:
    """Whether it is time to ask about a payment's invoice.

    It is also time if the last look lies in the future: the clock has been set back since.
    """
    last_look = func.coalesce(Payment.checked_at, Payment.opened_at)
    return Payment.next_check_at.is_not(None) & ((Payment.next_check_at <= now) | (last_look > now))


def due_checks(now: datetime, limit: int = 1000) -> Sequence[Payment]:
    """Payments whose invoice should be asked about.

    First come those whose order is about to expire, then others whose money is expected, then those that
    are watched in case money comes late; in each group, the longest overdue come first.
    """
    told = exists().where(Postback.invoice_id == Payment.invoice_id, Postback.done_at.is_(None))
    pending = Order.status == OrderStatus.PENDING
    urgency = case(
        (and_(pending, Order.expires_at <= now + ABOUT_TO_EXPIRE), 0),
        (or_(pending, told), 1),
        else_=2,
    )
    query = (
        select(Payment)
        .join(Payment.order)
        .options(contains_eager(Payment.order))
        .where(is_due(now), Payment.invoice_id.is_not(None))
        .order_by(urgency, Payment.next_check_at)
        .limit(limit)
    )
    return db.session.scalars(query).all()


def past_their_lease(state: PaymentState, lease_before: datetime) -> Sequence[Payment]:
    """Payments in `state` whose lease ended before the given moment."""
    # In the statement itself, so that the index of payments without an invoice yet is used.
    is_in_it = Payment.state == literal(state, Payment.__table__.c.state.type, literal_execute=True)
    query = select(Payment).where(is_in_it, Payment.lease_until < lease_before)
    return db.session.scalars(query).all()


def unclear_payments(before: datetime) -> Sequence[Payment]:
    """Payments about which the provider has told nothing clear since `before`, and which need a person.

    Either the provider knows the invoice and tells something odd; or a postback that our key signed
    says that money came, whether it was proven or refused for another reason.
    """
    proven = exists().where(Postback.invoice_id == Payment.invoice_id, Postback.done_at.is_(None))
    something = or_(
        Payment.provider_status == InvoiceStatus.UNKNOWN,
        Payment.refused_because.in_(SIGNED),
        proven,
    )
    waits = exists().where(
        AttentionItem.kind == AttentionKind.ANSWER_UNCLEAR,
        AttentionItem.reference == Payment.reference,
        AttentionItem.resolved_at.is_(None),
    )
    query = select(Payment).where(Payment.unclear_since <= before, ~Payment.provider_says_paid)
    return db.session.scalars(query.where(something, ~waits)).all()


def postbacks_not_done(limit: int = 200) -> Sequence[Postback]:
    """Postbacks that have not been acted upon yet, oldest first."""
    query = select(Postback).where(Postback.done_at.is_(None))
    return db.session.scalars(query.order_by(Postback.last_at).limit(limit)).all()


def recent_postbacks(limit: int = 50, *, only_waiting: bool = False) -> Sequence[Postback]:
    """Postbacks of the inbox, the newest first."""
    query = select(Postback).order_by(Postback.last_at.desc()).limit(limit)
    if only_waiting:
        query = query.where(Postback.done_at.is_(None))
    return db.session.scalars(query).all()


def newest_payment() -> Payment | None:
    """The last attempt at paying anything."""
    return db.session.scalar(select(Payment).order_by(Payment.id.desc()).limit(1))


def refused_payments(limit: int = 50) -> Sequence[Payment]:
    """Payments of which a postback was refused, the newest refusal first."""
    query = select(Payment).where(Payment.refused_at.is_not(None))
    return db.session.scalars(query.order_by(Payment.refused_at.desc()).limit(limit)).all()


def overdue_orders(now: datetime, limit: int = 1000) -> Sequence[Order]:
    """Unpaid orders whose time is over."""
    query = (
        select(Order)
        .where(has_status(OrderStatus.PENDING), Order.expires_at <= now)
        .order_by(Order.expires_at)
        .limit(limit)
    )
    return db.session.scalars(query).all()


_proven = exists().where(Postback.invoice_id == Payment.invoice_id)


def last_proven() -> datetime | None:
    """When a postback last proved that it comes from the provider."""
    return db.session.scalar(select(func.max(Postback.last_at)))


def refused_since(moment: datetime) -> Sequence[Payment]:
    """Payments of which a postback was refused after this moment, and none was ever proven."""
    query = select(Payment).where(
        Payment.refused_postbacks > 0, Payment.refused_at > moment, ~_proven
    )
    return db.session.scalars(query).all()


def last_signed() -> datetime | None:
    """When a postback was last refused although our key had signed it: nobody else can make one."""
    query = select(func.max(Payment.refused_at)).where(Payment.refused_because.in_(SIGNED))
    return db.session.scalar(query)


def find_last_paid(before: datetime) -> tuple[Payment, bool] | None:
    """The payment that the provider last called paid, and whether its postback arrived."""
    query = (
        select(Payment, _proven)
        .where(
            Payment.state == PaymentState.PAID,
            Payment.paid_at < before,
            Payment.confirmed_by == "",
        )
        .order_by(Payment.paid_at.desc())
        .limit(1)
    )
    found = db.session.execute(query).first()
    return (found[0], found[1]) if found else None


def attempts_since(moment: datetime) -> Sequence[Payment]:
    """Every attempt since then to have an invoice made that has come to an end, the newest first."""
    query = select(Payment).where(
        Payment.created_at > moment, Payment.state != PaymentState.CREATING
    )
    return db.session.scalars(query.order_by(Payment.id.desc())).all()


def last_pay_url() -> str:
    """The newest pay link that a buyer was sent to; empty when there was none."""
    query = select(Payment.pay_url).where(Payment.pay_url.is_not(None), Payment.pay_url != "")
    return db.session.scalar(query.order_by(Payment.id.desc()).limit(1)) or ""


def oldest_due(now: datetime) -> datetime | None:
    """Since when the sweep owes a payment its check; None when it owes none."""
    return db.session.scalar(
        select(func.min(Payment.next_check_at)).where(
            Payment.next_check_at <= now, Payment.invoice_id.is_not(None)
        )
    )
