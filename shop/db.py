"""The database: engine set-up for SQLite and PostgreSQL, the base model, and the one way to write."""

from __future__ import annotations

import contextlib
import functools
import inspect
import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import structlog
from flask import Flask, g
from flask_sqlalchemy_lite import SQLAlchemy
from sqlalchemy import (
    Connection,
    CursorResult,
    Engine,
    ExceptionContext,
    Executable,
    Insert,
    MetaData,
    Table,
    event,
    insert,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import DeclarativeBase, Session

from . import postgres
from .failpoints import failpoint
from .reading import EXTENSION, OneConnection, end_reading
from .sqlite_file import DatabaseFile
from .turns import Line

try:
    from pysqlite3 import dbapi2 as sqlite_driver
except ImportError:  # no wheel for this platform
    sqlite_driver = sqlite3

log = structlog.get_logger()

BUSY_SECONDS = 10
"""How long a writer waits for its turn before the buyer is told that the shop is busy."""
SOON = 100  # milliseconds of a wait that are not worth two statements
WORTH_NOTING = 0.001  # seconds of waiting
POSTGRES_LIMITS = {
    "lock_timeout": 3000,
    "statement_timeout": 5000,
    "idle_in_transaction_session_timeout": 10000,
}
"""Milliseconds."""
READ_ONLY_SQLSTATE = "25006"
Values = Mapping[str, Any] | None


class DatabaseBusy(Exception):
    """Another writer held the database for longer than a buyer should wait."""


class Base(DeclarativeBase):
    """The base of every table's class; its naming convention keeps migrations the same on both engines."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(column_0_N_label)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


db = SQLAlchemy(session_options={"expire_on_commit": False, "class_": OneConnection})
_write_lock = Line()
"""SQLite has one writer at a time, and its own waiting is not fair."""
_postgres_writers = Line(at_once=16)
"""Writers may wait for each other's rows, and keep their session meanwhile: half of them are left for pages."""


def utcnow() -> datetime:
    """Now, aware, in UTC."""
    return datetime.now(UTC)


def engine_options(url: str) -> dict[str, Any]:
    """How to open the database at `url`: driver, pool and time limits for each engine."""
    if make_url(url).get_backend_name() == "sqlite":
        return {
            "url": url,
            "hide_parameters": True,  # an error's text must not show what was to be stored
            "module": sqlite_driver,
            "connect_args": {"timeout": BUSY_SECONDS, "check_same_thread": False},
            "pool_size": 32,
            "max_overflow": 16,
        }
    # A server may be set to answer before a commit is on its disk: a power cut would lose orders.
    session = POSTGRES_LIMITS | {"synchronous_commit": "on", "timezone": "UTC"}
    return {
        "url": url,
        "hide_parameters": True,
        "pool_pre_ping": True,
        "pool_size": 16,
        "max_overflow": 17,  # together one for each thread of a web process (gunicorn.conf.py), and VersionReader's
        "pool_timeout": BUSY_SECONDS,
        "connect_args": {
            "options": " ".join(f"-c {name}={value}" for name, value in session.items()),
            "connect_timeout": 5,
        },
    }


def init_app(app: Flask, url: str) -> None:
    """Give the app its engine and session."""
    app.config["SQLALCHEMY_ENGINES"] = {"default": engine_options(url)}
    db.init_app(app)
    # One of the extension's two is asynchronous: it would start an event loop in a new thread for
    # every request, which costs more than the page's queries, to close sessions nobody opens here.
    app.teardown_appcontext_funcs[:] = [
        function
        for function in app.teardown_appcontext_funcs
        if not inspect.iscoroutinefunction(function)
    ]
    app.teardown_appcontext(_leave_sessions)  # runs before the extension's own, which closes them
    with app.app_context():
        event.listen(db.engine, "handle_error", _leave_useless_connections)
        if _on_sqlite():
            file = DatabaseFile(Path(db.engine.url.database or ""), sqlite_driver)
            app.extensions["database_file"] = file
            _set_up_sqlite(db.engine, file)
        else:
            postgres.set_up(db.engine)
            db.sessionmaker.configure(bind=db.engine.execution_options(**postgres.READS))
        app.extensions[EXTENSION] = db.sessionmaker.kw["bind"]


def _leave_sessions(error: BaseException | None) -> None:
    """Roll back open sessions; a connection that was cut after the answer was made must not turn that into an error."""
    end_reading()
    for session in g.get("_sqlalchemy_sessions", {}).values():
        session.expunge_all()  # what was read stays as it was: the rollback would have it forgotten
        _roll_back(session)


def _leave_useless_connections(context: ExceptionContext) -> None:
    """Open new connections, without a restart, in place of those that would fail for ever.

    One that was opened while the database was read-only stays so, and one on PostgreSQL keeps the plan of a statement.
    """
    error = context.original_exception
    useless = (READ_ONLY_SQLSTATE, postgres.DEAD_PLAN)
    if "readonly database" in str(error) or getattr(error, "sqlstate", "") in useless:
        context.is_disconnect = True


def journal_mode() -> str:
    """WAL, unless this SQLite has the WAL-reset bug (3.7.0 to 3.51.2), which can corrupt a shop."""
    return "WAL" if sqlite_driver.sqlite_version_info >= (3, 51, 3) else "TRUNCATE"


def _set_up_sqlite(engine: Engine, file: DatabaseFile) -> None:
    if journal_mode() != "WAL":
        log.warning("sqlite_without_wal", version=sqlite_driver.sqlite_version)

    @event.listens_for(engine, "do_connect")
    def open_file(dialect: Any, record: Any, arguments: list[Any], options: dict[str, Any]) -> None:
        arguments[:] = [file.address()]
        options["uri"] = True

    @event.listens_for(engine, "connect")
    def connect(connection: Any, record: Any) -> None:
        try:
            # The driver must not begin transactions by itself: `begin` below decides which kind.
            connection.isolation_level = None
            for pragma in (
                f"journal_mode={journal_mode()}",
                "synchronous=FULL",
                "foreign_keys=ON",
                f"busy_timeout={int(BUSY_SECONDS * 1000)}",
                "mmap_size=0",
                "secure_delete=ON",  # what was erased must not stay readable in the file's free space
            ):
                connection.execute(f"PRAGMA {pragma}")
            connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        except BaseException:
            connection.close()  # half open, it could keep a lock
            raise
        file.opened(connection)

    @event.listens_for(engine, "close")
    def close(connection: Any, record: Any) -> None:
        file.closed(connection)

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        until = connection.get_execution_options().get("write_until")
        driver: Any = connection.connection.dbapi_connection
        if until is None:
            driver.execute("BEGIN")  # it waits for nothing: the first read takes the lock
        else:
            _begin_writing(connection, until)
        file.check(driver)


def _begin_writing(connection: Connection, until: float) -> None:
    """Take SQLite's write lock by `until`: the time that the wait for `_write_lock` has taken is used up."""
    left = max(0, int((until - time.monotonic()) * 1000))
    if left > BUSY_SECONDS * 1000 - SOON:
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        return
    connection.exec_driver_sql(f"PRAGMA busy_timeout={left}")
    try:
        connection.exec_driver_sql("BEGIN IMMEDIATE")
    finally:
        if not connection.invalidated:
            connection.exec_driver_sql(f"PRAGMA busy_timeout={int(BUSY_SECONDS * 1000)}")


def end_read() -> None:
    """Close the read that is open, so that none stays open while the network is waited for.

    What has been read is forgotten, because it may be different when it is needed again.
    """
    end_reading()
    _roll_back(db.session)
    db.session.expire_all()  # a rollback does it only where a transaction was open


def _roll_back(session: Session) -> None:
    """Roll back; a connection that was cut meanwhile has done so by itself, and is not used again."""
    with contextlib.suppress(DBAPIError):
        session.rollback()


@contextlib.contextmanager
def transaction(name: str = "write", *, insists: bool = False) -> Iterator[Session]:
    """The one way to write: everything inside is committed together at the end, or not at all.

    `name` says what is written; tests let the process die `before_…`, `inside_…` or `after_…` it.
    What was read before is read anew, because it may have changed. On SQLite the write lock is
    taken at the start (a deferred one fails when two readers want to write). A process's threads wait
    in a line for it. Raises DatabaseBusy when that stands still, unless whoever writes `insists`,
    because something would be left half done.
    """
    failpoint(f"before_{name}")
    session = db.session
    if session.info.get("writing"):
        raise RuntimeError("a transaction is open already: one use case, one commit")
    end_read()
    line = _write_lock if _on_sqlite() else _postgres_writers
    began = time.monotonic()
    if not line.acquire(timeout=BUSY_SECONDS, insists=insists):
        raise DatabaseBusy
    session.info["writing"] = True
    try:
        until = {"write_until": began + BUSY_SECONDS}
        session.info["connection"] = session.connection(execution_options=until)
        _note_wait(time.monotonic() - began)
        yield session
        failpoint(f"inside_{name}")
        session.commit()
    except BaseException:
        _roll_back(session)  # without hiding what went wrong
        raise
    finally:
        session.info.clear()
        line.release()
    failpoint(f"after_{name}")


def _note_wait(seconds: float) -> None:
    """Remember, for the request's line in the log, what it has waited until it could write."""
    if seconds >= WORTH_NOTING:
        g.queued_ms = round(g.get("queued_ms", 0.0) + seconds * 1000, 1)


@functools.cache
def _insert_new(model: type[Base], on_sqlite: bool) -> Executable:
    """The statement of `insert_if_new`, made once: composing one costs more than running it."""
    table = cast("Table", model.__table__)
    insert = sqlite.insert if on_sqlite else postgresql.insert
    return insert(table).on_conflict_do_nothing().returning(*table.primary_key)


def _on_sqlite() -> bool:
    return db.engine.dialect.name == "sqlite"


def execute(session: Session, statement: Executable, values: Values = None) -> CursorResult[Any]:
    """Run a statement about rows, not objects; what the objects of the session have become goes first."""
    session.flush()
    return _connection(session).execute(statement, values)


def _connection(session: Session) -> Connection:
    """The connection of the commit, which `transaction` keeps: to be asked for it takes the session twice as long."""
    kept: Connection | None = session.info.get("connection")
    # A savepoint begins only when the session is asked for its connection.
    return session.connection() if kept is None or session.in_nested_transaction() else kept


@functools.cache
def _insert(model: type[Base]) -> Insert:
    return insert(cast("Table", model.__table__))


def insert_row(session: Session, model: type[Base], **values: Any) -> int:
    """Insert a row without an object of the session, which costs several times as much; returns its key."""
    return int(execute(session, _insert(model), values).inserted_primary_key[0])  # type: ignore[index]


def insert_rows(session: Session, model: type[Base], rows: Sequence[Mapping[str, Any]]) -> None:
    """The same for several rows with the same columns."""
    session.flush()
    _connection(session).execute(_insert(model), list(rows))


def insert_if_new(session: Session, model: type[Base], **values: Any) -> bool:
    """Insert a row unless a unique rule says that it is there already; True when this call made it."""
    # By what it returns and not by its row count, which drivers do not always know.
    return execute(session, _insert_new(model, _on_sqlite()), values).first() is not None


def insert_all_new(session: Session, model: type[Base], rows: Sequence[Mapping[str, Any]]) -> int:
    """Insert those rows that are new, all with the same columns, in few statements; returns how many were new."""
    if not rows:
        return 0
    return len(_connection(session).execute(_insert_new(model, _on_sqlite()), list(rows)).all())


def rows_changed(session: Session, statement: Executable, values: Values = None) -> int:
    """Run an INSERT, UPDATE or DELETE; returns how many rows it touched. Objects read before stay as they were."""
    return int(execute(session, statement, values).rowcount)
