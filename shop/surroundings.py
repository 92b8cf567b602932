"""What the sweep looks at around the shop: whether its public address leads here, and room on the disk."""

from __future__ import annotations

from datetime import datetime

from flask import current_app

from .attention.kinds import AttentionKind
from .attention.service import keep_attention
from .attention.silences import heard, not_heard
from .config import Settings, current_settings
from .db import end_read, utcnow
from .doctor.address import public_address
from .doctor.machine import disk
from .ops.for_each import for_each
from .site.texts import unreadable
from .web.own_files import UnreadableFile
from .web.own_templates import OwnTemplates
from .web.theme import own_styles

ADDRESS_SILENT = (
    "Since {since} nothing has shown that the shop's public address leads to this shop. Are the web "
    "server and the proxy in front of it running? `flask --app wsgi doctor` says what is there instead. "
    "If buyers get through, and only this server cannot reach its own address (NAT), resolve this item: "
    "it does not come again until the address has been reached once."
)


def look_around(now: datetime | None = None) -> None:
    """Put before a person what is wrong around the shop, and take it back when it is right again."""
    settings, now = current_settings(), now or utcnow()
    for_each(
        (look_at_address, look_at_disk, look_at_own_files),
        lambda look: look(settings, now),
        "surroundings",
    )


def look_at_address(settings: Settings, now: datetime) -> None:
    """Look whether buyers get through: they do not when web server, proxy, certificate or name is gone."""
    if settings.development:
        return
    end_read()
    if public_address(settings).level == "ok":
        heard("address")
    else:
        not_heard("address", ADDRESS_SILENT, now)


def look_at_disk(settings: Settings, now: datetime) -> None:
    """Look whether there is room to write; a person is told before there is none, because then it is too late."""
    found = disk(settings)
    note = (
        f"The disk of the data folder or of the database is nearly full ({found.text}). Make room: once "
        "it is full, nothing can be sold."
    )
    keep_attention(AttentionKind.DISK_LOW, "disk", note if found.level == "fail" else "")


def look_at_own_files(settings: Settings, now: datetime) -> None:
    """Look whether the operator's own texts, templates and style sheet can be used: buyers go without them if not."""
    problems = unreadable(settings) + OwnTemplates(settings).unusable(current_app.jinja_env)
    try:
        own_styles(settings)
    except UnreadableFile as error:
        problems.append(str(error))
    note = "; ".join(problems)[:500]
    keep_attention(AttentionKind.OWN_FILES_UNREADABLE, "pages and style", note)
