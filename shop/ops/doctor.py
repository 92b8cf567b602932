"""Is this shop fit to sell? Each check says ok, warn or fail, and how to mend what is not ok."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from sqlalchemy import text

from ..config import Settings, unknown_names
from ..db import db, journal_mode, utcnow
from ..schema import migrated
from .models import JobRun

Level = Literal["ok", "warn", "fail"]

SWEEP_LATE = timedelta(minutes=5)
LITTLE_SPACE = 500_000_000


@dataclass(frozen=True)
class Finding:
    """What one check found. `mend` says what to do, and is empty when all is well."""

    level: Level
    name: str
    text: str
    mend: str = ""


Check = Callable[[Settings], Finding]


def examine(settings: Settings, checks: list[Check]) -> Iterator[Finding]:
    """Run the checks one after the other; one that breaks is a finding, not a crash."""
    for check in checks:
        name = check.__name__.replace("_", " ")
        try:
            yield check(settings)
        except Exception as error:  # whatever it is, the others should still be made
            yield Finding("fail", name, f"the check itself failed: {type(error).__name__}")


def database(settings: Settings) -> Finding:
    """The database answers and is safe to use."""
    name = db.engine.dialect.name
    version = db.session.scalar(
        text("SELECT sqlite_version()" if name == "sqlite" else "SHOW server_version")
    )
    if name == "sqlite" and journal_mode() != "WAL":
        return Finding(
            "warn",
            "database",
            f"SQLite {version} has a bug in WAL mode, so the slower TRUNCATE mode is used",
            "Install pysqlite3, or use PostgreSQL.",
        )
    return Finding("ok", "database", f"{name} {version}")


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


def unknown_settings(settings: Settings) -> Finding:
    """No setting is misspelt."""
    if names := unknown_names(os.environ):
        return Finding(
            "warn",
            "settings",
            f"unknown: {', '.join(names)}",
            "Compare them with the README's table.",
        )
    return Finding("ok", "settings", "all known")


def postback_secret(settings: Settings) -> Finding:
    """Nobody can guess the secret that signs postbacks."""
    if len(settings.cryptocloud_secret_key.get_secret_value().encode()) < 32:
        return Finding(
            "warn",
            "postback secret",
            "shorter than 32 bytes",
            "Copy the whole secret key from the project's settings, or make a new one there.",
        )
    return Finding("ok", "postback secret", "long enough")


def public_address(settings: Settings) -> Finding:
    """Buyers reach the shop by https."""
    if settings.secure:
        return Finding("ok", "public address", settings.shop_public_url)
    return Finding(
        "warn",
        "public address",
        f"{settings.shop_public_url} is plain http",
        "Fine on your own machine; use https in production.",
    )


def mail(settings: Settings) -> Finding:
    """Mails leave the machine, with somebody to answer them."""
    if not settings.smtp_url.get_secret_value():
        return Finding(
            "warn" if settings.development else "fail",
            "mail",
            f"written into {settings.shop_data_dir / 'outbox'}, not sent",
            "Set SMTP_URL.",
        )
    if not settings.shop_support_email:
        return Finding(
            "warn", "mail", "buyers are given no address to write to", "Set SHOP_SUPPORT_EMAIL."
        )
    return Finding("ok", "mail", "sent by SMTP")


def worker(settings: Settings) -> Finding:
    """The worker has swept lately."""
    run = db.session.get(JobRun, "sweep")
    start = "Start it: `flask --app wsgi worker`."
    if run is None:
        return Finding("fail", "worker", "has never run", start)
    age = utcnow() - run.finished_at
    if age > SWEEP_LATE:
        return Finding(
            "fail", "worker", f"last swept {int(age.total_seconds() // 60)} minutes ago", start
        )
    return Finding("ok", "worker", f"last swept {int(age.total_seconds())} seconds ago")


def disk(settings: Settings) -> Finding:
    """There is room to write."""
    free = shutil.disk_usage(settings.shop_data_dir).free
    level: Level = "ok" if free > LITTLE_SPACE else "fail"
    return Finding(
        level, "disk", f"{free // 1_000_000} MB free", "" if level == "ok" else "Make room."
    )


CHECKS: list[Check] = [
    unknown_settings,
    database,
    migrations,
    postback_secret,
    public_address,
    mail,
    worker,
    disk,
]
