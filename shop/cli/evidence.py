"""What the doctor reads of payments and postbacks."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import exists, func, select

from ..db import db
from ..payments.cryptocloud import SIGNED
from ..payments.models import Payment, PaymentState, Postback

_proven = exists().where(Postback.invoice_id == Payment.invoice_id)


def last_proven() -> datetime | None:
    """When a postback last proved that it comes from the provider."""
    return db.session.scalar(select(func.max(Postback.last_at)))


def refused_since(moment: datetime) -> Sequence[Payment]:
    """Payments of which a notice was refused after this moment, and none was ever proven."""
    query = select(Payment).where(
        Payment.refused_postbacks > 0, Payment.refused_at > moment, ~_proven
    )
    return db.session.scalars(query).all()


def last_signed() -> datetime | None:
    """When a notice was last refused although our key had signed it: nobody else can make one."""
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
