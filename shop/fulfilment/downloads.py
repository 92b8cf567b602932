"""How often and how long a bought file may be downloaded: the terms of its order line, kept exactly."""

from __future__ import annotations

from datetime import datetime, timedelta

from flask_babel import gettext, ngettext
from sqlalchemy import update

from ..db import rows_changed, transaction
from ..i18n import moment_text
from .models import Delivery

CONTINUED_WITHIN = timedelta(days=1)
"""So long after a download began, a request for a later part of the file continues it."""


def is_continued(delivery: Delivery, start: int, now: datetime) -> bool:
    """Whether a request for the file from this byte on goes on with a download that was counted."""
    begun = delivery.last_download_at
    return start > 0 and begun is not None and now - begun < CONTINUED_WITHIN


def count_download(delivery: Delivery, now: datetime) -> bool:
    """Count one more download; False when all have been used.

    One conditional UPDATE: who read first would see the last one left as often as they like.
    """
    statement = update(Delivery).where(Delivery.id == delivery.id)
    most = delivery.line.max_downloads
    if most is not None:
        statement = statement.where(Delivery.downloads < most)
    values = {"downloads": Delivery.downloads + 1, "last_download_at": now}
    with transaction("download") as session:
        return bool(rows_changed(session, statement.values(values)))


def is_over(delivery: Delivery, now: datetime) -> bool:
    """Whether a file cannot be downloaded any more, unless a person renews it."""
    end = delivery.downloads_end_at
    return delivery.downloads_left == 0 or (end is not None and end <= now)


def terms_left(delivery: Delivery, now: datetime) -> str:
    """What is left of the downloads, in a sentence for the buyer; empty when there is no limit."""
    left, end = delivery.downloads_left, delivery.downloads_end_at
    if is_over(delivery, now):
        return gettext("This file cannot be downloaded any more. Write to us if you need it again.")
    if left is None:
        return (
            gettext("You can download it until %(moment)s.", moment=moment_text(end)) if end else ""
        )
    if end is None:
        return ngettext("%(num)s download is left.", "%(num)s downloads are left.", left)
    return ngettext(
        "%(num)s download is left, until %(moment)s.",
        "%(num)s downloads are left, until %(moment)s.",
        left,
        moment=moment_text(end),
    )
