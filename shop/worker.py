"""The worker: a sweep every minute, and in between whatever the web processes wake it for.

The sweeps do not go through the queue, whose file may be deleted and whose server may be away. What
cannot be mended from within ends the process with a reason, and its supervisor starts another one.
"""

from __future__ import annotations

import logging
import os
import signal
import threading
from time import monotonic, sleep
from types import FrameType
from typing import NoReturn

import click
import structlog
from flask import Flask
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from . import jobs, watch
from .catalogue.unpriced import warn_of_missing_prices
from .db import end_read
from .queue import mend, run_next
from .schema import migrated
from .unusable import database_trouble, is_trouble

log = structlog.get_logger()

EVERY = 60.0
"""Seconds from the start of a sweep to the start of the next."""
ENDS_AFTER = 480.0
"""Seconds without a finished sweep, whether sweeps hang or fail, until the process ends: a new one may do better.

They are more than the watch takes to tell a person, because that watch may be this process's own.
"""
LISTENS_EVERY = 0.2
"""Seconds from one look into the queue to the next, because a queue in a file does not call us."""
TRIES_AGAIN_AFTER = 2.0
"""Seconds after the queue could not be read."""
ENDS_WITHIN = {signal.SIGINT: 25.0, signal.SIGTERM: 4.0}
"""Seconds for the job in hand when it is told to stop; one that takes longer may be cut at any point."""


class Stopped(BaseException):
    """Somebody asked the process to end."""


def run(app: Flask) -> None:
    """Run the worker within its app's context, until it is told to stop or cannot go on."""
    if _tables_missing():
        raise click.ClickException(
            "The tables are missing or old: run `flask --app wsgi db upgrade`."
        )
    warn_of_missing_prices()
    for number in ENDS_WITHIN:
        signal.signal(number, _stop)
    work = Work(app)
    try:
        work.start()
        watch.start(app)
        while not (reason := work.ill()):
            sleep(1)
    except Stopped as stopped:
        work.end(ENDS_WITHIN[stopped.args[0]])
        return
    _give_up(reason)


class Work:
    """What the worker does, in two threads."""

    def __init__(self, app: Flask) -> None:
        self.app = app
        self.swept_at = monotonic()
        """When a sweep last came to its end; at first, when the first one was due."""
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=work, name=name, daemon=True)
            for name, work in (("sweeps", self.sweep_each_minute), ("wake-ups", self.listen))
        ]

    def start(self) -> None:
        """Start both threads."""
        for thread in self._threads:
            thread.start()
        log.info("worker_started")

    def end(self, patience: float) -> None:
        """Let the jobs in hand come to their end, for at most `patience` seconds."""
        self._stop.set()
        until = monotonic() + patience
        for thread in self._threads:
            if thread.is_alive():
                thread.join(max(0.0, until - monotonic()))
        log.info("worker_stopped")

    def ill(self) -> str:
        """Why another process should take over; empty while there is no reason."""
        for thread in self._threads:
            if not thread.is_alive():
                return f"the thread for {thread.name} died"
        if monotonic() - self.swept_at > ENDS_AFTER:
            return "no sweep has come to its end for eight minutes"
        return ""

    def sweep_each_minute(self) -> None:
        """Do the minute's work; the minutes are measured by a clock that nobody can set."""
        while not self._stop.is_set():
            began = monotonic()
            try:
                with self.app.app_context():
                    jobs.run("sweep")
                self.swept_at = monotonic()
            except Exception as error:  # it must not keep the next one from trying
                self._say(error)
            self._stop.wait(max(0.0, began + EVERY - monotonic()))

    def _say(self, error: Exception) -> None:
        """Log why a sweep broke: a database that is away takes a sentence a minute, and no traceback."""
        if not isinstance(error, DBAPIError) or not is_trouble(error):
            log.error("sweep_broken", exc_info=error)
            return
        with self.app.app_context():
            log.error("sweep_broken", reason=". ".join(database_trouble(error)))

    def listen(self) -> None:
        """Run what the web processes ask for. A queue that fails is logged once, and tried again."""
        heard = True
        while not self._stop.is_set():
            try:
                with self.app.app_context():
                    pause = 0.0 if run_next() else LISTENS_EVERY
                if not heard:
                    log.info("queue_is_back")
                heard = True
            except Exception as error:  # whatever a queue's client may raise
                if heard:
                    log.warning("queue_cannot_be_read", error=type(error).__name__)
                heard, pause = False, TRIES_AGAIN_AFTER
                with self.app.app_context():
                    mend(error)
            self._stop.wait(pause)


def _tables_missing() -> bool:
    """Whether the database is there, but lacks this version's tables. The worker waits for one that is away."""
    try:
        return not migrated()
    except SQLAlchemyError:
        return False
    finally:
        end_read()


def _stop(number: int, frame: FrameType | None) -> NoReturn:
    """Unwind the main thread; a second signal ends the process at once."""
    for each in ENDS_WITHIN:
        signal.signal(each, signal.SIG_DFL)
    raise Stopped(number)


def _give_up(reason: str) -> NoReturn:
    """End at once: Python's own end would wait for threads, and one of them may hang."""
    log.error("worker_ends", reason=reason)
    logging.shutdown()
    os._exit(1)
