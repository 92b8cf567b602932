"""A link that is mailed to an address, so that whoever opens it shows that the address is theirs.

Anybody can type anybody's address, and limits are counted by it: so its owner needs a way past
what others have used up.
"""

from __future__ import annotations

import secrets
from datetime import timedelta

import structlog
from itsdangerous import BadData, URLSafeTimedSerializer

from ..config import current_settings
from ..db import insert_if_new, transaction, utcnow
from ..i18n import language, prefix_of
from ..mailbox import mailbox
from ..ops.rations import UsedUp, ration_subject, use_ration
from ..queue import wake
from ..signing import accepted_keys
from ..web.network import mailbox_key
from .kinds import MailKind
from .models import OutboxMail
from .service import new_message_id

log = structlog.get_logger()

LINK_LASTS = timedelta(days=2)
"""Longer than the day of LINKS_A_DAY: if a stranger has used these up, the owner's mailbox has links that work."""
LINKS_A_DAY = 3
"""Links a day that are mailed to one address."""
LINKS_OF_CLIENT = 20
"""Links a day that one network may ask for, because it could try many addresses."""


def mail_proof(email: str, client: str) -> None:
    """Mail an address a link, unless it has had enough of them today: those it has still work.

    Raises UsedUp when the network has asked for too many.
    """
    with transaction("proof") as session:
        try:
            use_ration(session, ration_subject("proof", mailbox(email)), LINKS_A_DAY)
        except UsedUp:
            return
        if client:
            use_ration(session, ration_subject("proof-of-client", client), LINKS_OF_CLIENT)
        insert_if_new(
            session,
            OutboxMail,
            dedupe_key=f"{MailKind.MAILBOX_LINK}:{secrets.token_hex(8)}",
            kind=MailKind.MAILBOX_LINK,
            address=email,
            note=language(),
            next_try_at=utcnow(),
            message_id=new_message_id(),
        )
    log.info("proof_asked_for")
    wake("mails")


def proof_url(email: str, code: str) -> str:
    """The link for the mail, in this language."""
    token = _serializer().dumps(mailbox_key(email))
    return f"{current_settings().shop_public_url}{prefix_of(code)}/mailbox/{token}"


def read_proof(token: str) -> str | None:
    """The key of the mailbox that the link was mailed to; None when it is forged or too old."""
    try:
        return str(_serializer().loads(token, max_age=int(LINK_LASTS.total_seconds())))
    except BadData:
        return None


def _serializer() -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(accepted_keys(), salt="mailbox-link")
