"""Which state the catalogue is in: a name that changes with whatever public pages show of it.

The database gives the name anew, by triggers (migration the_catalogues_version), in each commit that changes
a page: products, prices, rates, pictures, files, categories, old addresses, and the stock as far as it is shown.
The name is random, so that no two states share one, also after a backup was restored.
"""

from __future__ import annotations

import threading
from collections.abc import Hashable
from datetime import UTC, datetime, timedelta
from typing import Any

from flask import Flask, current_app
from sqlalchemy import Engine, PoolProxiedConnection, event, select
from sqlalchemy.exc import SQLAlchemyError

from ..config import Settings
from ..db import db, utcnow
from ..sqlite_file import DatabaseFile
from ..web.caching import Version
from .models import ExchangeRate

EXTENSION = "catalogue_version"
VERSION = "SELECT version FROM catalogue_version"
PATIENCE = 1.0
"""Seconds to wait for another thread that asks; a page that is made anew needs no answer. Once that was in vain, nobody
waits until the other thread has come back: its server may be frozen, and each page would be as late."""
EVER = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)


def init_app(app: Flask, settings: Settings) -> None:
    """Give the app one reader."""
    with app.app_context():
        engine = db.engine
    days = timedelta(days=settings.shop_rate_max_age_days)
    file = app.extensions.get("database_file")
    app.extensions[EXTENSION] = VersionReader(engine, file, days)


def made_of_catalogue(**_: str) -> Version:
    """How to read the version of a public page that shows the catalogue."""
    reader: VersionReader = current_app.extensions[EXTENSION]
    return reader.current


class VersionReader:
    """Reads the version for all threads of a process, by one connection of its own, which never writes."""

    def __init__(self, engine: Engine, file: DatabaseFile | None, rates_last: timedelta) -> None:
        self.engine, self.file, self.rates_last = engine, file, rates_last
        self._lock = threading.RLock()
        self._is_stuck = False
        self._connection: PoolProxiedConnection | None = None
        self._commits: object = None
        """SQLite's count of other connections' commits when the version was read last."""
        self._version: object = None
        self._since, self._until = EVER
        """When an exchange rate got too old last, and when the next one will: prices change then without a commit.
        A clock that was wrong may be set back over either."""
        event.listen(engine, "engine_disposed", lambda _: self.close())
        if file is not None:
            # All connections of a process share what SQLite knows of the file: one that was opened while
            # the file could not be written would keep the others from writing.
            event.listen(engine, "invalidate", lambda *_: self.close())

    def current(self) -> Hashable | None:
        """The version that a reader would find who begins now; None if it cannot be told."""
        if not self._lock.acquire(timeout=0 if self._is_stuck else PATIENCE):
            self._is_stuck = True
            return None
        self._is_stuck = False
        try:
            return self._current()
        except (SQLAlchemyError, self.engine.dialect.loaded_dbapi.Error):
            self._leave()
            return None
        finally:
            self._lock.release()

    def close(self) -> None:
        """Close the connection; the next question opens another."""
        with self._lock:
            self._leave()

    def _current(self) -> Hashable | None:
        connection = self._connection or self._open()
        if self.file is None:
            version = _one(connection, VERSION)
        else:
            version = self._version_in_file(connection)
            if not self.file.is_in_place():
                self._commits = None  # when it is back, the version is read again
                return None  # what is open is not what the next visitor is to see
        if version != self._version or not self._since < utcnow() <= self._until:
            self._since, self._until = self._rates_between()
            self._version = version
        return version and (version, self._until)

    def _version_in_file(self, connection: Any) -> Any:
        """The version, read only when somebody has committed something since: that is known without a read."""
        commits = _one(connection, "PRAGMA data_version")
        if commits == self._commits:
            return self._version
        version = _one(connection, VERSION)
        self._commits = commits
        return version

    def _rates_between(self) -> tuple[datetime, datetime]:
        """Between which moments the rates that are young enough now are just these."""
        now = utcnow()
        with self.engine.connect() as connection:
            ends = [at + self.rates_last for at in connection.scalars(select(ExchangeRate.set_at))]
        since = max((end for end in ends if end < now), default=EVER[0])
        return since, min((end for end in ends if end >= now), default=EVER[1])

    def _open(self) -> PoolProxiedConnection:
        """Keep one connection of the pool. SQLite's count means nothing to another one."""
        self._commits = None
        self._connection = self.engine.raw_connection()
        if self.file is None:
            # Without a transaction around it, so that each read sees what is committed by then.
            self._connection.dbapi_connection.autocommit = True  # type: ignore[union-attr]
        return self._connection

    def _leave(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.invalidate()


def _one(connection: Any, statement: str) -> Any:
    row = connection.dbapi_connection.execute(statement).fetchone()
    return row and row[0]
