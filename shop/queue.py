"""Waking the worker. A wake-up is only a hint that there is work: every job finds its own, and the
minute's sweep makes good a hint that was lost. So nothing is a queue of record but the database.

Huey is imported at the first wake-up: it imports every database client that it can find, which
may be a sixth of a web process's memory.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import structlog
from flask import Flask, current_app
from itsdangerous import Signer

from .config import Settings, current_settings
from .signing import AcceptedKeys, accepted_keys

if TYPE_CHECKING:
    from huey import Huey

log = structlog.get_logger()


def wake(job: str) -> None:
    """Ask the worker to run a job soon. Never fails: a sale must not depend on the queue."""
    try:
        connect()
        current_app.extensions["run_job"](job)
    except Exception as error:  # whatever a queue's client may raise
        log.warning("wake_up_lost", job=job, error=type(error).__name__)


def connect() -> Huey:
    """The app's queue. Its one task runs a job by its name in `app.extensions["jobs"]`."""
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]
    if "queue" not in app.extensions:
        opened = _open(current_settings(), accepted_keys())

        def run_job(name: str) -> None:
            with app.app_context():
                app.extensions["jobs"][name]()

        app.extensions["run_job"] = opened.task(name="run_job")(run_job)
        app.extensions["queue"] = opened
    queue: Huey = app.extensions["queue"]
    return queue


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
    if settings.queue_url.startswith("redis"):
        return RedisHuey("shop", url=settings.queue_url, **options)
    if settings.queue_url:
        return PostgresHuey("shop", dsn=settings.queue_url, **options)
    # Huey takes the system's SQLite, whose WAL may have the bug that db.py avoids; hints need no fsync.
    return SqliteHuey(
        "shop",
        filename=str(settings.shop_data_dir / "queue.db"),
        journal_mode="truncate",
        fsync=False,
        **options,
    )
