"""Reading the outbox."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, and_, func, or_, select

from ..config import current_settings
from ..db import db
from ..orders.models import HAS_GOODS, Order, OrderStatus
from .kinds import MailKind
from .models import MailState, OutboxMail

TRIES_IN_AN_HOUR = 6
"""The sixth try comes an hour after the first: 2 + 4 + 8 + 16 + 32 minutes lie between them."""


def is_due(now: datetime) -> ColumnElement[bool]:
    """Whether a mail's turn has come, or its sender died on the way."""
    return or_(
        and_(OutboxMail.state == MailState.QUEUED, OutboxMail.next_try_at <= now),
        and_(OutboxMail.state == MailState.SENDING, OutboxMail.lease_until <= now),
    )


def due_mails(now: datetime, limit: int = 100) -> Sequence[OutboxMail]:
    """Mails to send now. A mail with goods waits until all of the goods have been handed out.

    It waits no longer if they will not be, because the money goes back; the sender skips it then.
    """
    complete = or_(Order.fulfilled_at.is_not(None), Order.status.not_in(HAS_GOODS))
    query = (
        select(OutboxMail)
        .outerjoin(Order)
        .where(is_due(now))
        .where(or_(OutboxMail.kind != MailKind.ORDER_DELIVERED, complete))
        .order_by(OutboxMail.next_try_at)
        .limit(limit)
    )
    return db.session.scalars(query).all()


def tried_in_vain_for_an_hour() -> bool:
    """Whether a mail waits that the mail server has not taken for an hour."""
    query = select(OutboxMail.id).where(
        OutboxMail.state == MailState.QUEUED, OutboxMail.tries >= TRIES_IN_AN_HOUR
    )
    return db.session.scalar(query.limit(1)) is not None


def has_sent_since(moment: datetime) -> bool:
    """Whether a mail has got through since then."""
    query = select(OutboxMail.id).where(OutboxMail.sent_at > moment)
    return db.session.scalar(query.limit(1)) is not None


def waiting_words() -> str:
    """Why mails wait; empty while the mail server takes what it is given."""
    if current_settings().mails_wait:
        return "all wait, because SMTP_URL is not set"
    waits = and_(OutboxMail.state == MailState.QUEUED, OutboxMail.tries > 0)
    count = db.session.scalar(select(func.count()).where(waits)) or 0
    return f"the mail server keeps {count} waiting" if count else ""


def mail_of(order: Order) -> OutboxMail | None:
    """The mail that the buyer waits for: the one with the goods once they are there, before that the newest."""
    goods = OutboxMail.kind == MailKind.ORDER_DELIVERED
    delivered = order.status is OrderStatus.FULFILLED
    query = select(OutboxMail).where(
        OutboxMail.order_id == order.id,
        OutboxMail.state != MailState.SKIPPED,
        OutboxMail.kind != MailKind.ADDRESS_CORRECTED,
        goods if delivered else ~goods,
    )
    return db.session.scalar(query.order_by(OutboxMail.id.desc()).limit(1))


def mails_of(order_id: int) -> Sequence[OutboxMail]:
    """Every mail about an order, the oldest first."""
    query = select(OutboxMail).where(OutboxMail.order_id == order_id).order_by(OutboxMail.id)
    return db.session.scalars(query).all()
