"""Sending what the outbox holds. At least once: a crash between sending and noting it sends again."""

from __future__ import annotations

from datetime import datetime, timedelta

import structlog
from sqlalchemy import update

from ..db import db, end_read, rows_changed, transaction, utcnow
from ..mail import Mail, MailNotSent, render_mail, send
from ..orders.links import order_url
from ..orders.service import raise_attention
from .goods import goods_of
from .models import MailState, OutboxMail
from .queries import due_mails, is_due

log = structlog.get_logger()

LEASE = timedelta(minutes=2)
TRIES = 20
LONGEST_PAUSE = timedelta(hours=2)


def send_due_mails(now: datetime | None = None) -> int:
    """Send every mail whose turn it is; how many were sent."""
    now = now or utcnow()
    return sum(_send(mail.id, now) for mail in due_mails(now))


def _send(mail_id: int, now: datetime) -> bool:
    if not _claim(mail_id, now):
        return False
    error = ""
    try:
        rendered = _render(mail_id)
        end_read()
        send(rendered)
    except MailNotSent as failure:
        error = str(failure)
    except Exception as failure:  # one mail that cannot be made must not hold up the others
        log.exception("mail_broken")
        error = type(failure).__name__
    _note_outcome(mail_id, now, error)
    return not error


def _render(mail_id: int) -> Mail:
    mail = db.session.get_one(OutboxMail, mail_id, populate_existing=True)
    order = mail.order
    return render_mail(
        mail.template,
        to=order.email,
        message_id=mail.message_id,
        order=order,
        order_url=order_url(order),
        deliveries=goods_of(order),
    )


def _claim(mail_id: int, now: datetime) -> bool:
    """Take the mail for this process; False when another one has it."""
    with transaction() as session:
        return bool(
            rows_changed(
                session,
                update(OutboxMail)
                .where(OutboxMail.id == mail_id, is_due(now))
                .values(
                    state=MailState.SENDING, lease_until=now + LEASE, tries=OutboxMail.tries + 1
                ),
            )
        )


def _note_outcome(mail_id: int, now: datetime, error: str) -> None:
    with transaction() as session:
        mail = session.get_one(OutboxMail, mail_id, populate_existing=True)
        number, mail.lease_until, mail.last_error = mail.order.number, None, error[:200]
        if not error:
            mail.state, mail.sent_at = MailState.SENT, now
        elif mail.tries >= TRIES:
            mail.state = MailState.FAILED
            raise_attention(
                session,
                "mail_failed",
                mail.dedupe_key,
                f"The mail for order {number} could not be sent: {error}.",
            )
        else:
            mail.state = MailState.QUEUED
            mail.next_try_at = now + min(timedelta(minutes=2**mail.tries), LONGEST_PAUSE)
    log.info("mail_" + mail.state, order=number, template=mail.template, error=error)
