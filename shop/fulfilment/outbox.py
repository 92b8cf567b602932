"""Sending what the outbox holds. At least once: a crash between sending and noting it sends again."""

from __future__ import annotations

from datetime import datetime, timedelta

import structlog
from sqlalchemy import update

from ..config import current_settings
from ..db import db, end_read, rows_changed, transaction, utcnow
from ..failpoints import failpoint
from ..i18n import speaking
from ..mail import Mail, MailNotSent, render_mail, send
from ..orders.links import order_url
from ..orders.queries import attention_mailed_by, unmailed_attention
from ..orders.service import raise_attention
from .goods import goods_of
from .models import GOODS_MAIL, MailState, OutboxMail
from .queries import due_mails, is_due
from .service import new_message_id

log = structlog.get_logger()

LEASE = timedelta(minutes=2)
TRIES = 20
LONGEST_PAUSE = timedelta(hours=2)


def send_due_mails(now: datetime | None = None) -> int:
    """Send every mail whose turn it is; how many were sent."""
    now = now or utcnow()
    queue_alert(now)
    return sum(_send(mail.id, now) for mail in due_mails(now))


def _send(mail_id: int, now: datetime) -> bool:
    if not _claim(mail_id, now):
        return False
    error = ""
    try:
        rendered = _render(mail_id)
        end_read()
        failpoint("before_send")
        send(rendered)
        failpoint("after_send")
    except MailNotSent as failure:
        error = str(failure)
    except Exception as failure:  # one mail that cannot be made must not hold up the others
        log.exception("mail_broken")
        error = type(failure).__name__
    _note_outcome(mail_id, now, error)
    return not error


def queue_alert(now: datetime) -> None:
    """Queue one mail to the operator about everything that waits for a person and was not mailed yet."""
    if not current_settings().alert_email or not unmailed_attention():
        return
    with transaction("alert") as session:
        items = unmailed_attention()
        if not items:
            return
        key = f"attention:{items[0].id}"
        for item in items:
            item.alert_key = key
        mail = OutboxMail(dedupe_key=key, template="attention", message_id=new_message_id())
        mail.next_try_at = now
        session.add(mail)


def _render(mail_id: int) -> Mail:
    mail = db.session.get_one(OutboxMail, mail_id, populate_existing=True)
    order = mail.order
    if order is None:
        return render_mail(
            mail.template,
            to=current_settings().alert_email,
            message_id=mail.message_id,
            items=attention_mailed_by(mail.dedupe_key),
        )
    with speaking(order.language):
        return render_mail(
            mail.template,
            to=order.email,
            message_id=mail.message_id,
            order=order,
            order_url=order_url(order),
            deliveries=goods_of(order) if mail.template == GOODS_MAIL else [],
            note=mail.note,
        )


def _claim(mail_id: int, now: datetime) -> bool:
    """Take the mail for this process; False when another one has it."""
    with transaction("mail_claim") as session:
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
    with transaction("mail_sent") as session:
        mail = session.get_one(OutboxMail, mail_id, populate_existing=True)
        subject = mail.order.number if mail.order else "operator"
        mail.lease_until, mail.last_error = None, error[:200]
        if not error:
            mail.state, mail.sent_at = MailState.SENT, now
        elif mail.tries >= TRIES:
            mail.state = MailState.FAILED
            raise_attention(
                session,
                "mail_failed",
                mail.dedupe_key,
                f"The mail {mail.dedupe_key} could not be sent: {error}.",
            )
        else:
            mail.state = MailState.QUEUED
            mail.next_try_at = now + min(timedelta(minutes=2**mail.tries), LONGEST_PAUSE)
    log.info("mail_" + mail.state, order=subject, template=mail.template, error=error)
