"""Waking the worker. A wake-up is only a hint that there is work: every job finds its work in the
database, and the minute's sweep makes up for a lost hint. So a queue that cannot be read may be put
aside.

Huey is imported at the first wake-up, as it imports every database client that it can find; gunicorn's
master imports it for all web workers.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
from pathlib import Path
from queue import Empty, SimpleQueue
from time import monotonic
from typing import TYPE_CHECKING, Any, NoReturn

import structlog
from flask import Flask, current_app
from itsdangerous import Signer

from .config import Settings, current_settings
from .db import utcnow
from .signing import AcceptedKeys, accepted_keys

if TYPE_CHECKING:
    from huey import Huey

log = structlog.get_logger()


UNREADABLE = {
    sqlite3.SQLITE_ERROR,  # a table or a column is missing
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_CORRUPT,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_NOTADB,
}
"""SQLite's errors that a new file cures; neither a busy file nor a full disk is among them."""
KEPT_ASIDE = 3
ANSWERS_WITHIN = 0.5
"""How many seconds whoever wakes the worker waits for the queue, at most."""
RESTS = 30.0
"""Seconds without a wake-up after one that failed slowly: each would cost somebody that wait."""


def wake(job: str) -> None:
    """Ask the worker to run a job soon. Never fails, nor lasts: a sale must not depend on the queue."""
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]
    if error := _waker.send(app, job):
        log.warning("wake_up_lost", job=job, error=error)


class Waker:
    """The thread by which a process wakes the worker.

    A queue's client may wait for a frozen server until that goes on, whatever limits it was given, and
    everybody else who uses the client waits with it. So only this thread does.
    """

    def __init__(self) -> None:
        self._asked = SimpleQueue[tuple[Flask, str, SimpleQueue[str]]]()
        self._waited_for = SimpleQueue[str]()
        self._waited_for.put("")
        """Where the answer comes that somebody has waited for in vain, most recently."""
        self._rests_until = 0.0
        self._starting = threading.Lock()
        self._thread = threading.Thread()

    def send(self, app: Flask, job: str) -> str:
        """Have the worker asked for a job; returns why that failed, and nothing where it did not."""
        if self._waited_for.empty():
            return "NoAnswerYet"
        if monotonic() < self._rests_until:
            return "NotTried"
        self._start()
        answer = SimpleQueue[str]()
        self._asked.put((app, job, answer))
        try:
            return answer.get(timeout=ANSWERS_WITHIN)
        except Empty:
            self._waited_for = answer
            return "NoAnswer"

    def _start(self) -> None:
        with self._starting:
            if not self._thread.is_alive():  # as after a fork
                self._thread = threading.Thread(target=self._run, name="wake-ups", daemon=True)
                self._thread.start()

    def _run(self) -> NoReturn:
        while True:
            app, job, answer = self._asked.get()
            began, error = monotonic(), "Unexpected"
            try:
                with app.app_context():
                    error = _ask_for(job)
                if error and monotonic() - began > ANSWERS_WITHIN:
                    self._rests_until = monotonic() + RESTS
            finally:
                answer.put(error)
            del app, answer  # nothing is kept while nothing is asked for


def _ask_for(job: str) -> str:
    try:
        connect()
        current_app.extensions["run_job"](job)
    except Exception as error:  # whatever a queue's client may raise
        mend(error)
        return type(error).__name__
    return ""


_waker = Waker()


def run_next() -> bool:
    """Run the job that was asked for first; False when none waits. Raises whatever a queue's client may."""
    queue = connect()
    task = queue.dequeue()
    if task is not None:
        queue.execute(task)  # logs what a job raises
    return task is not None


def mend(error: Exception) -> None:
    """Close a queue that failed, so that its next use opens it anew; put its file aside if that cannot be read."""
    settings = current_settings()
    _close()
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF  # the rest of it tells details
    failed = current_app.extensions.get("queue_file")
    file = _file(settings)
    # The functions of os.path, unlike Path's, raise nothing if nobody may look into the folder.
    unreadable = code in UNREADABLE or not os.path.isfile(file)
    if failed and unreadable and failed == _identity(settings):  # nobody was faster
        _put_aside(file)


def probe(settings: Settings) -> None:
    """See whether the queue can be used; raises whatever its client may. Makes no file."""
    if settings.queue_url or os.path.exists(_file(settings)):
        queue = _open(settings, accepted_keys())
        queue.storage.queue_size()
        queue.storage.close()


def connect() -> Huey:
    """The app's queue. Its one task runs a job by its name, which `app.extensions["jobs"]` does.

    It is opened anew when its file is another one: a process that has a deleted file open could still
    write to it, and no other process would read that.
    """
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]
    settings = current_settings()
    known: Huey | None = app.extensions.get("queue")
    if known and app.extensions["queue_file"] == _identity(settings):
        return known
    _close()
    app.extensions["queue_file"] = _identity(settings)
    opened = _open(settings, accepted_keys())

    def run_job(name: str) -> None:
        with app.app_context():
            app.extensions["jobs"](name)

    app.extensions["run_job"] = opened.task(name="run_job")(run_job)
    app.extensions["queue_file"] = _identity(settings)
    app.extensions["queue"] = opened
    return opened


def _close() -> None:
    if queue := current_app.extensions.pop("queue", None):
        with contextlib.suppress(Exception):  # it may be broken
            queue.storage.close()


def _open(settings: Settings, keys: AcceptedKeys) -> Huey:
    from huey import PostgresHuey, RedisHuey, SqliteHuey
    from huey.serializer import Serializer

    class Signed(Serializer):  # type: ignore[misc]
        """Messages are pickles: signed, so that only this shop's processes can write one."""

        def _serialize(self, data: object) -> bytes:
            return Signer(keys, salt="queue").sign(super()._serialize(data))

        def _deserialize(self, data: bytes) -> object:
            return super()._deserialize(Signer(keys, salt="queue").unsign(data))

    options: dict[str, Any] = {"results": False, "utc": True, "serializer": Signed()}
    # These hold for a server that is away. The worker and the doctor wait no longer for one that is frozen.
    if settings.queue_url.startswith("redis"):
        more = "&" if "?" in settings.queue_url else "?"
        url = f"{settings.queue_url}{more}socket_connect_timeout=2&socket_timeout=5"
        return RedisHuey("shop", url=url, **options)
    if settings.queue_url:
        options |= {"connect_timeout": 2, "tcp_user_timeout": 5000}
        return PostgresHuey("shop", dsn=settings.queue_url, **options)
    # Huey takes the system's SQLite, whose WAL may have the bug that db.py avoids; hints need no fsync.
    return SqliteHuey(
        "shop",
        filename=str(_file(settings)),
        journal_mode="truncate",
        fsync=False,
        timeout=1,
        **options,
    )


def _file(settings: Settings) -> Path:
    return settings.shop_data_dir / "queue.db"


def _identity(settings: Settings) -> tuple[int, int] | None:
    """Which file the queue is in; None if it is not in a file, or the file is missing."""
    if settings.queue_url:
        return None
    try:
        found = _file(settings).stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _put_aside(file: Path) -> None:
    """Move the file out of the way, for a person to look at, and forget what was put aside long ago."""
    with contextlib.suppress(OSError):  # it is gone, or the folder cannot be written: tried again
        file.rename(file.with_name(f"{file.name}.unreadable-{utcnow():%Y%m%dT%H%M%S}"))
        log.warning("queue_put_aside", file=file.name)
        for rest in ("-journal", "-wal", "-shm"):  # of the old file; they would damage the new one
            file.with_name(file.name + rest).unlink(missing_ok=True)
        for old in sorted(file.parent.glob(f"{file.name}.unreadable-*"))[:-KEPT_ASIDE]:
            old.unlink()
