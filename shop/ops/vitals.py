"""When each job last came to its end, how long anything may be silent, and whether the worker is silent."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from ..db import db, insert_if_new, utcnow
from .models import JobRun

SILENT_AFTER = timedelta(minutes=5)
"""How long anything may be silent before a person is told."""
CLOCK_LEEWAY = timedelta(minutes=2)
"""How far another machine's clock may be ahead of ours."""


def note_run(session: Session, name: str, at: datetime) -> None:
    """Note inside a transaction that a job came to its end."""
    if not insert_if_new(session, JobRun, name=name, finished_at=at):
        session.get_one(JobRun, name).finished_at = at


def worker_words() -> str:
    """What is wrong with the worker; empty while it sweeps.

    A sweep in the future was noted before the clock was set back. A living worker notes another one
    within a minute, so such a note must not hide a dead worker.
    """
    run = db.session.get(JobRun, "sweep", populate_existing=True)
    if run is None:
        return "has never swept"
    age = utcnow() - run.finished_at
    if age < -CLOCK_LEEWAY:
        return "has not swept since the clock was set back"
    return f"last swept {ago(age)} ago" if age > SILENT_AFTER else ""


def ago(age: timedelta) -> str:
    """A length of time as a person says it."""
    seconds = max(0, round(age.total_seconds()))
    for size, unit in ((86400, "days"), (3600, "hours"), (60, "minutes")):
        if seconds >= 2 * size:
            return f"{seconds // size} {unit}"
    return "1 second" if seconds == 1 else f"{seconds} seconds"
