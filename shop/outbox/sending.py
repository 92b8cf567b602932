"""Sending the outbox's mails, each at least once: if a crash comes before it is noted as sent, it is sent again."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from time import monotonic

import structlog
from sqlalchemy import update
from sqlalchemy.orm import Session

from ..attention.kinds import AttentionKind
from ..attention.queries import unmailed_attention, waits_for_a_person
from ..attention.service import keep_attention, raise_attention
from ..because import Because
from ..config import current_settings
from ..db import db, end_read, rows_changed, transaction, utcnow
from ..failpoints import failpoint
from ..mail import NO_SERVER, Mail, MailNotSent, MailRefused, send
from ..orders.service import lock_order
from .kinds import ON_REQUEST, MailKind
from .models import MailState, OutboxMail
from .queries import due_mails, has_sent_since, is_due, mail_of, tried_in_vain_for_an_hour
from .service import new_message_id

log = structlog.get_logger()

Compose = Callable[[OutboxMail], Mail]
"""Writes a mail's text, at the moment when it is sent."""
LEASE = timedelta(minutes=2)
TRIES = 20
LONGEST_PAUSE = timedelta(hours=2)
AN_HOUR = timedelta(hours=1)
NOTHING_TAKEN = (
    "For an hour the mail server has taken no mail, and mails wait. Its answers are in the log's lines "
    "`mail_queued`; `doctor` looks whether it lets the shop in."
)
SECONDS_FOR_MAILS = 30
"""How long one sweep sends mails, so that it does not hang with the mail server; the next sweep sends the rest."""


def send_due_mails(compose: Compose, now: datetime | None = None) -> int:
    """Send every mail whose turn it is, as `compose` writes it; how many were sent.

    Without a mail server, all mails wait as they are, and no try is counted.
    """
    now = now or utcnow()
    keep_attention(AttentionKind.NO_MAIL_SERVER, "SMTP_URL", _without_server())
    if current_settings().mails_wait:
        return 0
    _tell_of_refusals(now)
    queue_alert(now)
    until, sent = monotonic() + SECONDS_FOR_MAILS, 0
    for mail in due_mails(now):
        if monotonic() < until:
            sent += _send(mail.id, compose, now)
    return sent


def _send(mail_id: int, compose: Compose, now: datetime) -> bool:
    if not _claim(mail_id, now):
        return False
    error, refused = "", False
    try:
        rendered = compose(db.session.get_one(OutboxMail, mail_id, populate_existing=True))
        end_read()
        failpoint("before_send")
        send(rendered)
        failpoint("after_send")
    except MailNotSent as failure:
        error, refused = str(failure), isinstance(failure, MailRefused)
    except Exception as failure:  # one mail that cannot be made must not hold up the others
        log.exception("mail_broken")
        error = type(failure).__name__
    _note_outcome(mail_id, now, error, refused=refused)
    return not error


def _without_server() -> str:
    return f"{NO_SERVER}. Buyers are told." if current_settings().mails_wait else ""


def _tell_of_refusals(now: datetime) -> None:
    """Keep a person told while the mail server takes no mail at all."""
    in_vain, item = tried_in_vain_for_an_hour(), (AttentionKind.MAILS_REFUSED, "mail server")
    if not in_vain and not waits_for_a_person(*item):
        return
    if has_sent_since(now - AN_HOUR):
        keep_attention(*item, "")
    elif in_vain:
        keep_attention(*item, NOTHING_TAKEN)


def note_bounce(order_id: int, because: Because) -> bool:
    """Note that a person has seen the order's mail come back; False when none of its mails has been sent."""
    with transaction("bounce") as session:
        order = lock_order(session, order_id)
        mail = mail_of(order)
        if mail is None or mail.state is not MailState.SENT:
            return False
        mail.state, mail.last_error = MailState.BOUNCED, because.why[:200]
        order.record("mail_bounced", because.why, who=because.who)
    return True


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
        mail = OutboxMail(dedupe_key=key, kind=MailKind.ATTENTION, message_id=new_message_id())
        mail.next_try_at = now
        session.add(mail)


def _claim(mail_id: int, now: datetime) -> bool:
    """Take the mail for this process; False when another one has it, or it is out of date."""
    with transaction("mail_claim") as session:
        taken = rows_changed(
            session,
            update(OutboxMail)
            .where(OutboxMail.id == mail_id, is_due(now))
            .values(state=MailState.SENDING, lease_until=now + LEASE, tries=OutboxMail.tries + 1),
        )
        if not taken:
            return False
        mail = session.get_one(OutboxMail, mail_id, populate_existing=True)
        if mail.is_moot:
            mail.state, mail.lease_until, mail.address = MailState.SKIPPED, None, ""
            if mail.order and mail.order.erased_at:
                _tell_a_person(session, mail, "the buyer's address was erased")
            return False
    return True


def _note_outcome(mail_id: int, now: datetime, error: str, *, refused: bool = False) -> None:
    with transaction("mail_sent") as session:
        mail = session.get_one(OutboxMail, mail_id, populate_existing=True)
        subject = mail.order.number if mail.order else "none"
        mail.lease_until, mail.last_error = None, error[:200]
        if not error:
            mail.state, mail.sent_at, mail.address = MailState.SENT, now, ""
        elif refused or mail.tries >= TRIES:
            mail.state, mail.address = MailState.REFUSED if refused else MailState.FAILED, ""
            _tell_a_person(session, mail, error)
        else:
            mail.state = MailState.QUEUED
            mail.next_try_at = now + min(timedelta(minutes=2**mail.tries), LONGEST_PAUSE)
    log.info("mail_" + mail.state, order=subject, kind=mail.kind, error=error)


def _tell_a_person(session: Session, mail: OutboxMail, error: str) -> None:
    """Tell a person of a mail that could not be sent, unless anybody can cause it by typing any address."""
    if mail.kind not in ON_REQUEST and not (mail.order and mail.order.is_free):
        note = f"The mail {mail.dedupe_key} could not be sent: {error}."
        kind, reference = AttentionKind.MAIL_FAILED, mail.dedupe_key
        raise_attention(session, kind, reference, note, order_id=mail.order_id)
