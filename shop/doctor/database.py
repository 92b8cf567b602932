"""Does the database answer, keep what it has confirmed, and have this version's tables?"""

from __future__ import annotations

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from ..config import Settings
from ..db import db, journal_mode
from ..ops.health import usable
from ..schema import migrated
from ..sqlite_file import DatabaseFileLost
from ..unusable import database_trouble
from .findings import Finding, failure


def database(settings: Settings) -> Finding:
    """The database answers, takes writes, and what it has confirmed survives a power cut."""
    try:
        found = _sqlite() if db.engine.dialect.name == "sqlite" else _postgresql(settings)
        usable()  # to a reader, a read-only one looks healthy
    except DatabaseFileLost as error:
        return Finding("fail", "database", error.what)
    except DBAPIError as error:
        reason, mend = database_trouble(error)
        return Finding("fail", "database", f"cannot be used: {reason}", mend)
    return found


def _sqlite() -> Finding:
    version = db.session.scalar(text("SELECT sqlite_version()"))
    mode = str(db.session.scalar(text("PRAGMA journal_mode"))).upper()
    if db.session.scalar(text("PRAGMA synchronous")) != 2:
        return Finding(
            "fail",
            "database",
            f"SQLite {version} does not wait for the disk (synchronous is not FULL)",
            "Report this: the shop sets it on every connection.",
        )
    if journal_mode() != "WAL":
        return Finding(
            "warn",
            "database",
            f"SQLite {version} has a bug in WAL mode, so the slower {mode} mode is used",
            "Install pysqlite3, or use PostgreSQL.",
        )
    if mode != "WAL":
        return Finding(
            "warn",
            "database",
            f"SQLite {version} could not be put into WAL mode and uses {mode}",
            "Keep the data folder on a local disk, or use PostgreSQL.",
        )
    return Finding("ok", "database", f"SQLite {version}, {mode}, synchronous=FULL")


def _postgresql(settings: Settings) -> Finding:
    version = db.session.scalar(text("SHOW server_version"))
    unsafe = [
        name
        for name in ("synchronous_commit", "fsync", "full_page_writes")
        if db.session.scalar(text(f"SHOW {name}")) == "off"
    ]
    if unsafe:
        return Finding(
            failure(settings),
            "database",
            f"PostgreSQL {version} may forget paid orders when the power fails: "
            f"{', '.join(unsafe)} off",
            "Switch them on in postgresql.conf.",
        )
    return Finding("ok", "database", f"PostgreSQL {version}, synchronous_commit on")


def migrations(settings: Settings) -> Finding:
    """The tables are this version's."""
    if migrated():
        return Finding("ok", "migrations", "up to date")
    return Finding(
        "fail",
        "migrations",
        "the database is not at this version",
        "Run `flask --app wsgi db upgrade`.",
    )
