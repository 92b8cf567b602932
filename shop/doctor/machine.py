"""Is the machine's part done: the worker, room on the disk, backups?"""

from __future__ import annotations

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy.engine import make_url

from .. import queue as queues
from ..config import Settings
from ..db import utcnow
from ..ops import journal
from ..ops.vitals import ago, worker_words
from .findings import Finding, failure

LITTLE_SPACE = 500_000_000
SOME_SPACE = 2_000_000_000
BACKUP_OLD = timedelta(hours=26)
"""A day, and two hours for a nightly job that starts late or takes long."""

UNFINISHED = (".part", ".partial", ".tmp")


def worker(settings: Settings) -> Finding:
    """The worker has swept lately."""
    if wrong := worker_words():
        mend = "Start it: `flask --app wsgi worker`. If it runs, its log says what broke."
        return Finding("fail", "worker", wrong, mend)
    return Finding("ok", "worker", "sweeps every minute")


def queue(settings: Settings) -> Finding:
    """Wake-ups reach the worker."""
    try:
        queues.probe(settings)
    except Exception as error:  # whatever a queue's client may raise
        return Finding(
            "warn",
            "queue",
            f"cannot be used ({type(error).__name__}): mails leave up to a minute later",
            "The worker mends a file of its own by itself; else look at QUEUE_URL and its server.",
        )
    return Finding("ok", "queue", "takes wake-ups")


def disk(settings: Settings) -> Finding:
    """There is room to write."""
    free = min(shutil.disk_usage(folder).free for folder in _written(settings))
    text = f"{free // 1_000_000} MB free"
    if free <= LITTLE_SPACE:
        return Finding("fail", "disk", text, "Make room.")
    if free <= SOME_SPACE:
        return Finding("warn", "disk", text, "Make room soon.")
    return Finding("ok", "disk", text)


def _written(settings: Settings) -> list[Path]:
    url = make_url(settings.database)
    folders = [settings.shop_data_dir]
    if url.get_backend_name() == "sqlite" and url.database:
        folders.append(Path(url.database).absolute().parent)
    return folders


def journal_file(settings: Settings) -> Finding:
    """The journal can be written, so that an older copy of the database can be told from a whole one."""
    if not journal.is_writable():
        text = f"{journal.folder()} cannot be written"
        return Finding("fail", "journal", text, "Give the shop's user the right to write there.")
    return Finding("ok", "journal", f"is written in {journal.folder()}")


def backups(settings: Settings) -> Finding:
    """The newest backup is from today or last night."""
    folder = settings.shop_backup_dir
    if folder is None:
        return Finding(
            "warn",
            "backups",
            "nobody looks whether there are any",
            "Set SHOP_BACKUP_DIR to the folder where your backups arrive.",
        )
    if not folder.is_dir():
        text = f"there is no folder {folder}"
        return Finding(failure(settings), "backups", text, "Correct SHOP_BACKUP_DIR.")
    newest = _newest_file(folder)
    if newest is None:
        text = f"{folder} holds none"
        return Finding(failure(settings), "backups", text, "Make one: docs/operating.md.")
    age = utcnow() - newest
    if age > BACKUP_OLD:
        text = f"the newest is {ago(age)} old"
        return Finding(failure(settings), "backups", text, "Find out why none was made since.")
    return Finding("ok", "backups", f"the newest is {ago(age)} old")


def _newest_file(folder: Path) -> datetime | None:
    """When the newest whole file below `folder` was written; hidden, empty and unfinished ones are none."""
    times = [
        path.stat().st_mtime
        for path in folder.rglob("*")
        if path.is_file()
        and not path.name.startswith(".")
        and path.suffix not in UNFINISHED
        and path.stat().st_size
    ]
    return datetime.fromtimestamp(max(times), UTC) if times else None
