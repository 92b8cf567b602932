"""How long may anything be silent, and is the worker?"""

from __future__ import annotations

from datetime import timedelta

from ..db import db, utcnow
from .models import JobRun

SILENT_AFTER = timedelta(minutes=5)
"""So long may anything be silent before a person is told."""
CLOCK_LEEWAY = timedelta(minutes=2)
"""So far may another machine's clock be ahead of ours."""


def worker_words() -> str:
    """What is wrong with the worker; empty while it sweeps.

    A sweep in the future was noted before the clock was set back. A living worker notes another one
    within a minute, so such a note must not hide a dead one.
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
