"""How often and how long a bought file may be downloaded: the terms of its order line, kept exactly.

The bytes that were given count (see given.py), in however many requests, one after another or at once: each portion
of a file is written down before it leaves, and what did not leave is put back when its answer ends. A process that
dies puts nothing back: a buyer loses one portion of each of its answers at most.
"""

from __future__ import annotations

import errno
from datetime import datetime

import structlog
from flask import current_app
from flask_babel import gettext, ngettext
from sqlalchemy.orm import Session

from ..db import transaction, utcnow
from ..i18n import moment_text
from .given import block_size, blocks, copies_given, is_unfinished, may_give
from .models import Delivery

log = structlog.get_logger()

PORTION = 1024 * 1024
"""Bytes that are written down together, at least; of a large file it is one part in 32."""


class CutOff(ConnectionResetError):
    """Ends an answer in its middle. Web servers know the error: they close the connection, and log no mistake."""

    def __init__(self) -> None:
        super().__init__(errno.ECONNRESET, "no more of this file is given")


class UsedUp(CutOff):
    """The file has been given as often as was agreed."""


class Giving:
    """Counts one answer with a file, or a part of it: `more` is called before each portion, and `end` last."""

    def __init__(self, delivery: Delivery, start: int, stop: int, size: int) -> None:
        """Take the first portion; UsedUp if not all of it could be given as things stand."""
        self.app = current_app._get_current_object()  # type: ignore[attr-defined]
        self.id, self.renewed_at = delivery.id, delivery.renewed_at
        self.in_portions = delivery.line.max_downloads is not None
        """Whether `more` has to be called; if downloads are unlimited, everything is taken at once."""
        self.start, self.stop, self.size = start, stop, size
        self.blocks = blocks(start, stop, size)
        self.next = self.blocks.start
        self._take(need=self.blocks.stop)

    @property
    def granted(self) -> int:
        """Up to which byte the file may be given."""
        return min(self.next * block_size(self.size), self.stop)

    def more(self) -> None:
        """Take the next portion; UsedUp when other answers have taken it, CutOff when it cannot be written down."""
        try:
            with self.app.app_context():
                self._take()
        except UsedUp:
            raise
        except Exception as error:
            log.error("download_not_counted", delivery=self.id, error=type(error).__name__)
            raise CutOff from None

    def end(self, reached: int) -> None:
        """Put back what was taken and not given; `reached` is the byte after the last one that was given."""
        unsent = blocks(self.start, reached, self.size).stop if reached > self.start else 0
        back = range(max(unsent, self.blocks.start), self.next)
        if not back:
            return
        try:
            with self.app.app_context(), transaction("put_back") as session:
                delivery = _locked(session, self.id)
                if delivery.renewed_at == self.renewed_at:
                    _note(delivery, self.size, back, -1)
        except Exception as error:  # the answer is over, and nobody is there to be told
            log.error("download_not_put_back", delivery=self.id, error=type(error).__name__)

    def _take(self, need: int = 0) -> None:
        first, last = self.next, self.blocks.stop
        portion = max(PORTION // block_size(self.size), last // 32, 1)
        stop = min(first + portion, last) if self.in_portions else last
        with transaction("download") as session:
            delivery = _locked(session, self.id)
            _take(delivery, self.size, range(first, stop), range(first, max(stop, need)))
        self.next = stop


def take_whole(delivery: Delivery, size: int, seconds: int) -> int:
    """Count a whole copy that the bucket hands out by a link of `seconds`; return how long the link may live.

    Whoever asks again within this time gets a link for what is left of it, and nothing is counted.
    """
    now, id = utcnow(), delivery.id
    with transaction("download") as session:
        delivery = _locked(session, id)
        last = delivery.last_download_at
        passed = int((now - last).total_seconds()) if last else seconds
        if 0 <= passed < seconds:
            return seconds - passed
        whole = blocks(0, size, size)
        _take(delivery, size, whole, whole)
    return seconds


def _take(delivery: Delivery, size: int, wanted: range, need: range) -> None:
    """Write the `wanted` blocks down as given; UsedUp, and nothing is written, if `need` may not all be given."""
    most = delivery.line.max_downloads
    if most is not None and not may_give(delivery.given_of(size), need, most):
        raise UsedUp
    _note(delivery, size, wanted, +1)
    delivery.last_download_at = utcnow()


def _locked(session: Session, id: int) -> Delivery:
    return session.get_one(Delivery, id, with_for_update=True, populate_existing=True)


def _note(delivery: Delivery, size: int, which: range, times: int) -> None:
    given = delivery.given_of(size)
    for block in which:
        given[block] = max(given[block] + times, 0)
    delivery.given, delivery.downloads = given, copies_given(given)


def is_over(delivery: Delivery, now: datetime) -> bool:
    """Whether the buyer cannot begin a download any more, unless a person renews them."""
    return delivery.downloads_left == 0 or _has_ended(delivery, now)


def _has_ended(delivery: Delivery, now: datetime) -> bool:
    end = delivery.downloads_end_at
    return end is not None and end <= now


def unfinished_words(delivery: Delivery) -> str:
    """What to do about the last download while something of it is missing; empty when nothing is."""
    most = delivery.line.max_downloads
    if delivery.downloads_left != 0 or not is_unfinished(delivery.given or (), most or 0):
        return ""
    return gettext(
        "The last download has begun. If it breaks off, continue it in the browser or program "
        "that began it: that does not count again."
    )


def terms_left(delivery: Delivery, now: datetime) -> str:
    """What is left of the downloads, in a sentence or two for the buyer; empty when there is no limit."""
    left, end = delivery.downloads_left, delivery.downloads_end_at
    if not _has_ended(delivery, now) and (words := unfinished_words(delivery)):
        return words
    if is_over(delivery, now):
        return gettext("This file cannot be downloaded any more. Write to us if you need it again.")
    if left is None:
        return (
            gettext("You can download it until %(moment)s.", moment=moment_text(end)) if end else ""
        )
    if end is None:
        terms = ngettext("%(num)s download is left.", "%(num)s downloads are left.", left)
    else:
        terms = ngettext(
            "%(num)s download is left, until %(moment)s.",
            "%(num)s downloads are left, until %(moment)s.",
            left,
            moment=moment_text(end),
        )
    return terms + " " + gettext("A download that breaks off and is continued counts once.")
