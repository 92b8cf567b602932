"""What is said of a mail wherever one is shown to a person or a program."""

from __future__ import annotations

from typing import Any

from ..orders.facts import moment_text
from .models import OutboxMail


def mail_facts(mail: OutboxMail) -> dict[str, Any]:
    """How a mail stands."""
    return {
        "kind": mail.kind,
        "state": mail.state,
        "tries": mail.tries,
        "note": mail.note,
        "message_id": mail.message_id,
        "sent_at": moment_text(mail.sent_at),
        "error": mail.last_error,
    }
