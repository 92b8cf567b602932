"""The doctor says what is wrong with a shop and how to mend it."""

from __future__ import annotations

import json
import os
import shutil
from collections import namedtuple
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import responses
from flask import Flask
from flask.testing import FlaskCliRunner
from sqlalchemy import text

from shop import create_app
from shop.attention.service import raise_attention
from shop.config import Settings
from shop.db import db, transaction, utcnow
from shop.doctor import Finding, database, examine, machine
from shop.doctor import settings as own_settings
from shop.ops.models import JobRun
from tests.conftest import make_settings
from tests.factories import provider


def findings(app: Flask, *, status: int = 400, body: str = '{"status": "error"}') -> dict[str, Any]:
    """What the doctor says, as a script reads it; and its exit code under "exit"."""
    with provider(app) as calls:
        calls.add(responses.GET, calls.info_url, body, status=status)
        result = app.test_cli_runner().invoke(args=["doctor", "--json"])
    found = {finding["name"]: finding for finding in json.loads(result.stdout)}
    return found | {"exit": result.exit_code}


def swept(app: Flask, ago: timedelta) -> None:
    with app.app_context(), transaction() as session:
        session.add(JobRun(name="sweep", finished_at=utcnow() - ago))


def in_production(settings: Settings, **values: object) -> Settings:
    """The same shop on the internet, where a fault is a failure and not a thing to be expected."""
    return settings.model_copy(update={"shop_development": False} | values)


@pytest.mark.parametrize(("values", "level"), [({}, "warn"), ({"shop_trusted_proxies": 1}, "ok")])
def test_a_shop_that_sells_should_have_a_proxy_in_front(
    tmp_path: Path, values: dict[str, object], level: str
) -> None:
    finding = own_settings.proxy(in_production(make_settings(tmp_path, **values)))

    assert finding.level == level
    assert ("SHOP_TRUSTED_PROXIES=1" in finding.mend) == (level == "warn")


def test_a_trial_needs_no_proxy(tmp_path: Path) -> None:
    assert own_settings.proxy(make_settings(tmp_path)).level == "ok"


def test_a_shop_that_is_fit_to_sell(app: Flask, engine: str) -> None:
    swept(app, timedelta(seconds=20))

    found = findings(app)

    assert found["exit"] == 0
    fine = ["settings", "migrations", "postback secret", "worker", "provider", "disk", "sweep lag"]
    for name in fine + ["database"] * (engine == "sqlite"):  # the tests' PostgreSQL trades safety
        assert found[name]["level"] == "ok", found[name]
        assert found[name]["mend"] == ""
    # It is a trial on somebody's own machine, which is worth warnings and no more.
    for name in ("public address", "postback address", "mail", "backups", "postbacks", "prices"):
        assert found[name]["level"] == "warn", found[name]


def test_a_worker_that_never_ran_is_a_failure(app: Flask) -> None:
    found = findings(app)

    assert found["worker"]["level"] == "fail"
    assert "flask --app wsgi worker" in found["worker"]["mend"]
    assert found["exit"] == 1


def test_a_worker_that_has_stopped_is_a_failure(app: Flask) -> None:
    swept(app, timedelta(minutes=30))

    assert "30 minutes ago" in findings(app)["worker"]["text"]


def test_a_worker_that_swept_in_the_future_is_a_failure(app: Flask) -> None:
    """The clock was set back, and no sweep has come to its end since."""
    swept(app, timedelta(days=-1))

    assert findings(app)["worker"]["text"] == "has not swept since the clock was set back"


@pytest.mark.parametrize("engine", ["sqlite"])
def test_a_queue_that_cannot_be_used_is_a_warning(app: Flask, settings: Settings) -> None:
    """Nothing depends on it but how soon a mail leaves."""
    file = settings.shop_data_dir / "queue.db"
    assert findings(app)["queue"]["level"] == "ok"
    file.write_bytes(b"garbage " * 1000)

    found = findings(app)["queue"]

    assert (found["level"], found["text"][:30]) == ("warn", "cannot be used (DatabaseError)")
    assert file.exists(), "the doctor changes nothing"


def test_missing_migrations_are_a_failure(app: Flask) -> None:
    with app.app_context(), transaction() as session:
        session.execute(text("DELETE FROM alembic_version"))

    found = findings(app)

    assert found["migrations"]["level"] == "fail"
    assert "db upgrade" in found["migrations"]["mend"]
    assert found["exit"] == 1


@pytest.mark.parametrize("engine", ["sqlite"])
def test_a_misspelt_setting_is_a_warning(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_NAEM", "My shop")

    found = findings(app)["settings"]

    assert found["level"] == "warn"
    assert "SHOP_NAEM" in found["text"]
    assert "My shop" not in found["text"]


def test_a_trial_that_everybody_can_reach_is_a_warning(tmp_path: Path) -> None:
    public = make_settings(tmp_path, shop_public_url="https://shop.example")

    assert own_settings.unknown_settings(public).level == "warn"
    assert own_settings.unknown_settings(in_production(public)).level == "ok"


@pytest.mark.parametrize(
    ("secret", "level"),
    [
        ("too-short-a-secret", "warn"),
        ("0" * 40, "warn"),
        ("0123456789" * 4, "ok"),
        ("k" * 31, "warn"),
    ],
)
def test_a_postback_secret_that_may_be_guessed_is_a_warning(
    tmp_path: Path, secret: str, level: str
) -> None:
    settings = make_settings(tmp_path, cryptocloud_secret_key=secret)

    finding = own_settings.postback_secret(settings)

    assert finding.level == level
    assert secret not in finding.text


@pytest.mark.parametrize(
    ("name", "until_name"),
    [
        ("secret_key_previous", "secret_key_previous_until"),
        ("cryptocloud_previous_secret_key", "cryptocloud_previous_secret_until"),
    ],
)
@pytest.mark.parametrize(("hours", "level"), [(-1, "warn"), (1, "ok")])
def test_a_previous_secret_is_to_be_removed_when_its_time_is_over(
    tmp_path: Path, hours: int, level: str, name: str, until_name: str
) -> None:
    until = utcnow() + timedelta(hours=hours)
    secret = "before-before-before-before-before"
    settings = make_settings(tmp_path, **{name: secret, until_name: until})

    (finding,) = own_settings.previous_secret(settings)

    assert finding.level == level
    assert (f"Remove {name.upper()}" in finding.mend) == (level == "warn")
    assert f"{until:%Y-%m-%d %H:%M}" in finding.text
    assert ("is accepted until" in finding.text) == (level == "ok")
    assert "before-before" not in finding.text
    assert own_settings.previous_secret(make_settings(tmp_path)) == []


@pytest.mark.parametrize(
    ("free", "level"), [(1_000_000, "fail"), (1_000_000_000, "warn"), (9_000_000_000, "ok")]
)
def test_a_full_disk_is_a_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free: int, level: str
) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(10, 9, free))

    finding = machine.disk(make_settings(tmp_path))

    assert (finding.level, finding.text) == (level, f"{free // 1_000_000} MB free")


def test_the_fullest_of_the_disks_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The database may lie on another one than the data folder."""
    usage = namedtuple("usage", "total used free")
    free = {tmp_path / "data": 9_000_000_000, tmp_path / "elsewhere": 7_000_000}
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(10, 9, free[path]))
    settings = make_settings(tmp_path / "data", f"sqlite:///{tmp_path}/elsewhere/shop.db")

    assert machine.disk(settings).text == "7 MB free"


@pytest.mark.parametrize("engine", ["sqlite"])
def test_an_old_sqlite_is_a_warning(
    app: Flask, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "journal_mode", lambda: "TRUNCATE")

    with app.app_context():
        assert database.database(settings).level == "warn"


@pytest.mark.parametrize("engine", ["sqlite"])
@pytest.mark.parametrize(
    ("pragma", "level"), [("journal_mode=DELETE", "warn"), ("synchronous=NORMAL", "fail")]
)
def test_a_sqlite_that_is_not_as_safe_as_it_was_set_up_is_told(
    app: Flask, settings: Settings, pragma: str, level: str
) -> None:
    with app.app_context():
        with db.engine.connect() as connection:
            raw: Any = connection.connection.driver_connection
            connection.rollback()
            raw.execute(f"PRAGMA {pragma}")
        finding = database.database(settings)
        db.session.close()

    assert finding.level == level


@pytest.mark.parametrize("engine", ["postgresql"])
def test_a_postgresql_that_forgets_in_a_power_cut_is_a_failure(
    app: Flask, settings: Settings
) -> None:
    """The tests' own server is such a one, because it is faster."""
    with app.app_context():
        trial = database.database(settings)
        db.session.execute(text("SET LOCAL synchronous_commit = off"))
        earnest = database.database(in_production(settings))
        db.session.close()

    assert (trial.level, earnest.level) == ("warn", "fail")
    assert "fsync" in trial.text
    assert "synchronous_commit" not in trial.text, "the shop sets it for itself"
    assert "synchronous_commit" in earnest.text


@pytest.mark.parametrize("engine", ["sqlite"])
class TestBackups:
    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        (folder := tmp_path / "backups").mkdir()
        return folder

    def look(self, settings: Settings, folder: Path | None) -> Finding:
        return machine.backups(in_production(settings, shop_backup_dir=folder))

    def put(self, file: Path, hours: float, content: str = "x") -> None:
        file.parent.mkdir(exist_ok=True)
        file.write_text(content)
        when = (datetime.now(UTC) - timedelta(hours=hours)).timestamp()
        os.utime(file, (when, when))

    def test_one_of_last_night_is_good(self, settings: Settings, folder: Path) -> None:
        self.put(folder / "old.db", 300)
        self.put(folder / "daily" / "new.db", 25)

        assert self.look(settings, folder).level == "ok"

    def test_an_older_one_is_a_failure(self, settings: Settings, folder: Path) -> None:
        self.put(folder / "shop.db", 27)

        finding = self.look(settings, folder)

        assert (finding.level, finding.text) == ("fail", "the newest is 27 hours old")

    def test_what_is_no_whole_backup_does_not_count(self, settings: Settings, folder: Path) -> None:
        self.put(folder / "shop.db", 100)
        self.put(folder / "empty.db", 1, "")
        self.put(folder / "shop.db.part", 1)
        self.put(folder / ".lock", 1)

        assert self.look(settings, folder).text == "the newest is 4 days old"

    def test_none_at_all_is_a_failure_and_in_a_trial_a_warning(
        self, settings: Settings, folder: Path
    ) -> None:
        trial = settings.model_copy(update={"shop_backup_dir": folder})

        assert self.look(settings, folder).level == "fail"
        assert self.look(settings, folder / "nowhere").level == "fail"
        assert machine.backups(trial).level == "warn"

    def test_nobody_looking_is_a_warning(self, settings: Settings) -> None:
        assert self.look(settings, None).level == "warn"


def test_things_that_wait_for_a_person_are_a_warning(app: Flask) -> None:
    with app.app_context(), transaction() as session:
        raise_attention(session, "paid_twice", "x", "Order X was paid twice.")

    found = findings(app)["attention"]

    assert found["level"] == "warn"
    assert "attention list" in found["mend"]


def test_a_database_that_is_away_is_a_finding_and_not_a_crash(tmp_path: Path) -> None:
    app = create_app(make_settings(tmp_path, "postgresql://u:tell-nobody@127.0.0.1:1/nothing"))

    found = findings(app)

    assert found["exit"] == 1
    assert found["database"]["level"] == "fail"
    assert found["disk"]["level"] == "ok", "the other checks are still made"
    assert "tell-nobody" not in json.dumps(found)


def test_a_check_that_breaks_is_a_finding_and_the_next_is_still_made(
    app: Flask, settings: Settings
) -> None:
    """On PostgreSQL the broken statement would have spoilt the transaction for all that follow."""

    def broken_check(settings: Settings) -> Finding:
        db.session.execute(text("SELECT nothing FROM nowhere"))
        raise AssertionError

    with app.app_context():
        broken, next_one = examine(settings, [broken_check, database.migrations])

    assert (broken.level, broken.name) == ("fail", "broken check")
    assert next_one.level == "ok"


@pytest.mark.parametrize("engine", ["postgresql"])
def test_no_transaction_stays_open_while_the_network_is_waited_for(
    app: Flask, settings: Settings
) -> None:
    """PostgreSQL ends one that idles for ten seconds; a mail server may take fifteen."""
    during = []

    def slow(settings: Settings) -> list[Finding]:
        during.append(db.session.in_transaction())
        return []

    with app.app_context():
        list(examine(settings, [database.migrations, slow]))

    assert during == [False]


def test_the_words_for_people_say_the_same(app: Flask, runner: FlaskCliRunner) -> None:
    with provider(app) as calls:
        calls.add(responses.GET, calls.info_url, status=401)
        result = runner.invoke(args=["doctor"])

    assert result.exit_code == 1
    assert "fail  provider: refuses the API key. Copy CRYPTOCLOUD_API_KEY" in result.stdout
    assert "ok    migrations: up to date" in result.stdout


@pytest.mark.parametrize("engine", ["sqlite"])
def test_no_secret_is_printed(app: Flask, settings: Settings, runner: FlaskCliRunner) -> None:
    with provider(app) as calls:
        calls.add(responses.GET, calls.info_url, status=401)
        output = runner.invoke(args=["doctor"]).output

    for name in ("secret_key", "cryptocloud_api_key", "cryptocloud_secret_key"):
        assert getattr(settings, name).get_secret_value() not in output
