"""Queueing a mail, inside the transaction of what it tells."""

from __future__ import annotations

import secrets
from datetime import timedelta

from sqlalchemy.orm import Session

from ..config import current_settings
from ..db import insert_if_new, utcnow
from ..orders.models import Order, Placed
from .kinds import MailKind
from .models import OutboxMail


def plan_mail(
    session: Session,
    order: Order | Placed,
    kind: MailKind,
    about: str = "",
    note: str = "",
    *,
    address: str = "",
    wait: timedelta = timedelta(0),
) -> None:
    """Queue a mail to the buyer inside a transaction; a mail of one kind about one thing is queued only once."""
    insert_if_new(
        session,
        OutboxMail,
        dedupe_key=f"{kind}:{about or order.number}",
        kind=kind,
        order_id=order.id,
        address=address,
        note=note,
        next_try_at=utcnow() + wait,
        message_id=new_message_id(),
    )


def new_message_id() -> str:
    """A Message-ID of this shop."""
    return f"<{secrets.token_hex(16)}@{current_settings().mail_domain}>"
