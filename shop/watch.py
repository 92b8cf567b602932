"""The watch: a thread of each web process, and of the worker, that looks at the database and the worker each minute.

It sends its mails itself: the outbox lies in the database, and the worker sends it, and these two are
what it watches. It measures time by a clock that nobody can set.
"""

from __future__ import annotations

import contextlib
import secrets
import threading
from datetime import datetime
from html import escape
from pathlib import Path
from time import monotonic, sleep
from typing import NoReturn

import structlog
from flask import Flask
from sqlalchemy import update

from .attention.kinds import AttentionKind
from .attention.models import AttentionItem
from .attention.queries import attention_mailed_by
from .attention.service import raise_attention
from .config import current_settings
from .db import db, end_read, rows_changed, transaction, utcnow
from .mail import Mail, MailNotSent, render_mail, send
from .ops.health import usable
from .ops.models import JobRun
from .ops.vitals import SILENT_AFTER
from .outbox.service import new_message_id
from .sqlite_file import DatabaseFileLost

log = structlog.get_logger()

EVERY = 60.0
"""Seconds."""
ANSWERS_WITHIN = 30.0
"""Seconds. A database that only hangs is away as well, and must not take this thread with it."""

WORKER_SILENT = (
    "No sweep of the worker has come to its end for five minutes. Until one does, payments may go "
    "unchecked and mails unsent. Look whether the worker runs; if it does, its log says what broke. The "
    "shop goes on selling meanwhile."
)
DATABASE_AWAY = (
    "For five minutes the shop has not been able to use its database ({reason}), so it sells nothing "
    "now. Money that is on its way is asked about once the database is back. Look whether the database "
    "runs, has room, and may be written to; `flask --app wsgi doctor` on the shop's machine says more."
)


def start(app: Flask) -> None:
    """Begin to watch, for as long as the process lives."""
    threading.Thread(target=Watch(app).run, name="watch", daemon=True).start()


class Watch:
    """What one process has seen, and whether it has told somebody."""

    def __init__(self, app: Flask) -> None:
        self.app = app
        self.usable_at = self.swept_at = monotonic()
        """When the database was last usable, and when a sweep was last seen to be a new one."""
        self.last_sweep: datetime | None = None
        self.reason = ""
        """What is wrong with the database; empty when nothing is."""
        self.lost = False
        """Whether the database will not come back by itself, so that waiting is no use."""
        self.told = False
        """Whether this process has sent a mail about the database since it was last usable."""
        self._probe = threading.Thread()

    def run(self) -> NoReturn:
        """Look once a minute."""
        while True:
            sleep(EVERY)
            try:
                with self.app.app_context():
                    self.look(monotonic())
            except Exception:  # the watch must go on in the next minute
                log.exception("watch_broken")

    def look(self, now: float) -> None:
        """Look once; `now` is in seconds of the monotonic clock."""
        sweep = self.last_sweep
        if self._database_answers():
            self.usable_at = now
            self.told = False
            _remove_marker()
            if self.last_sweep != sweep:
                self.swept_at = now
            elif now - self.swept_at >= self._patience():
                tell_of_the_worker()
        else:
            self.swept_at = now  # nobody can sweep meanwhile
            if self.lost or now - self.usable_at >= SILENT_AFTER.total_seconds():
                self._tell_of_the_database()

    def _patience(self) -> float:
        """How many seconds may pass without a new sweep.

        They are fewer if the last sweep is old by its date, so that a process need not live for long to notice.
        Some there are, because the clock may just have been set forward, or the machine been asleep.
        """
        overdue = self.last_sweep and utcnow() - self.last_sweep > SILENT_AFTER
        return 2 * EVERY if overdue else SILENT_AFTER.total_seconds()

    def _database_answers(self) -> bool:
        if not self._probe.is_alive():
            self._probe = threading.Thread(target=self._ask_the_database, daemon=True)
            self.reason, self.lost = "it does not answer", False
            self._probe.start()
        self._probe.join(ANSWERS_WITHIN)
        return not self.reason

    def _ask_the_database(self) -> None:
        try:
            with self.app.app_context():
                self.reason = "" if usable() else "it lacks this version's tables"
                run = db.session.get(JobRun, "sweep")
                self.last_sweep = run.finished_at if run else None
        except DatabaseFileLost as error:
            self.reason, self.lost = error.what, True
        except Exception as error:
            self.reason = type(error).__name__

    def _tell_of_the_database(self) -> None:
        """Tell a person once for each outage: the first process to make the marker does; if none can, each does."""
        log.error("database_away", reason=self.reason)
        try:
            _marker().touch(exist_ok=False)
        except FileExistsError:
            return
        except OSError:  # the disk is full, or read-only
            if self.told:
                return
        self.told = self.told or send_by_hand(_about_the_database(self.reason))
        if not self.told:
            _remove_marker()  # for whoever looks next


def _marker() -> Path:
    """The file that marks that a person was told that the database is away."""
    return current_settings().shop_data_dir / "database-away"


def _remove_marker() -> None:
    with contextlib.suppress(OSError):  # a disk that cannot be written has none
        _marker().unlink(missing_ok=True)


def tell_of_the_worker() -> None:
    """Put the worker's silence before a person, by a mail that does not wait for the worker."""
    log.error("worker_silent")
    with transaction("attention") as session:
        raise_attention(session, AttentionKind.WORKER_SILENT, "worker", WORKER_SILENT)
    if not current_settings().alert_email:
        return
    key, sent = f"watch:{secrets.token_hex(8)}", False
    if _mark_as_mailed("", key):
        try:
            sent = send_by_hand(_about_items(key))
        finally:
            if not sent:
                _mark_as_mailed(key, "")  # for whoever looks next


def _about_items(key: str) -> Mail:
    mail = render_mail(
        "attention",
        to=current_settings().alert_email,
        message_id=new_message_id(),
        items=attention_mailed_by(key),
    )
    end_read()
    return mail


def _mark_as_mailed(old: str, new: str) -> bool:
    """Take the worker's item for this process, so that one process alone sends the mail; or give it back."""
    with transaction("alert") as session:
        item = update(AttentionItem).where(
            AttentionItem.kind == AttentionKind.WORKER_SILENT,
            AttentionItem.resolved_at.is_(None),
            AttentionItem.alert_key == old,
        )
        return bool(rows_changed(session, item.values(alert_key=new)))


def send_by_hand(mail: Mail) -> bool:
    """Send a mail to the operator without the outbox; returns whether the mail server took it."""
    if not mail.to:
        return False
    try:
        send(mail)
    except (MailNotSent, OSError) as error:
        log.error("alert_not_sent", error=type(error).__name__)
        return False
    return True


def _about_the_database(reason: str) -> Mail:
    settings, text = current_settings(), DATABASE_AWAY.format(reason=reason)
    where = f"{settings.shop_name}, {settings.shop_public_url}"
    return Mail(
        to=settings.alert_email,
        subject=f"{settings.shop_name}: the database cannot be used",
        text=f"{text}\n\n{where}\n",
        html=f"<p>{escape(text)}</p>\n<p>{escape(where)}</p>\n",
        message_id=new_message_id(),
    )
