"""The doctor says what is wrong with a shop and how to mend it."""

from __future__ import annotations

import json
from collections import namedtuple
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import responses
from flask import Flask
from flask.testing import FlaskCliRunner
from sqlalchemy import text

from shop import create_app
from shop.config import Settings
from shop.db import db, transaction, utcnow
from shop.ops import doctor
from shop.ops.doctor import Finding, examine
from shop.ops.models import JobRun
from shop.orders.service import raise_attention
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


def test_a_shop_that_is_fit_to_sell(app: Flask) -> None:
    swept(app, timedelta(seconds=20))

    found = findings(app)

    assert found["exit"] == 0
    for name in ("settings", "database", "migrations", "postback secret", "worker", "provider"):
        assert found[name]["level"] == "ok", found[name]
        assert found[name]["mend"] == ""
    # It is a trial on somebody's own machine, which is worth a warning and no more.
    assert found["public address"]["level"] == "warn"
    assert found["mail"]["level"] == "warn"


def test_a_shop_on_the_internet_has_nothing_to_be_warned_of(app: Flask, settings: Settings) -> None:
    fit = settings.model_copy(
        update={"shop_public_url": "https://shop.example", "smtp_url": make_settings(
            settings.shop_data_dir, smtp_url="smtp://user:pass@mail.example:587"
        ).smtp_url}
    )  # fmt: skip
    with app.app_context():
        found = [doctor.public_address(fit), doctor.mail(fit)]

    assert [finding.level for finding in found] == ["ok", "ok"]


def test_a_worker_that_never_ran_is_a_failure(app: Flask) -> None:
    found = findings(app)

    assert found["worker"]["level"] == "fail"
    assert "flask --app wsgi worker" in found["worker"]["mend"]
    assert found["exit"] == 1


def test_a_worker_that_has_stopped_is_a_failure(app: Flask) -> None:
    swept(app, timedelta(minutes=30))

    assert "30 minutes ago" in findings(app)["worker"]["text"]


def test_missing_migrations_are_a_failure(app: Flask) -> None:
    with app.app_context(), transaction() as session:
        session.execute(text("DELETE FROM alembic_version"))

    found = findings(app)

    assert found["migrations"]["level"] == "fail"
    assert "db upgrade" in found["migrations"]["mend"]
    assert found["exit"] == 1


def test_a_refused_key_is_a_failure(app: Flask) -> None:
    found = findings(app, status=401)

    assert found["provider"]["level"] == "fail"
    assert found["provider"]["text"] == "refuses the API key"
    assert "CRYPTOCLOUD_API_KEY" in found["provider"]["mend"]


def test_a_silent_provider_is_a_failure(app: Flask) -> None:
    assert findings(app, status=500)["provider"]["level"] == "fail"


def test_a_misspelt_setting_is_a_warning(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_NAEM", "My shop")

    found = findings(app)["settings"]

    assert found["level"] == "warn"
    assert "SHOP_NAEM" in found["text"]
    assert "My shop" not in found["text"]


def test_a_short_postback_secret_is_a_warning(app: Flask, settings: Settings) -> None:
    short = make_settings(settings.shop_data_dir, cryptocloud_secret_key="short")

    with app.app_context():
        assert doctor.postback_secret(short).level == "warn"


def test_mails_that_nobody_can_answer_are_a_warning(app: Flask, settings: Settings) -> None:
    mute = make_settings(settings.shop_data_dir, smtp_url="smtp://m:25", shop_support_email="")

    with app.app_context():
        assert doctor.mail(mute).level == "warn"
        assert "SHOP_SUPPORT_EMAIL" in doctor.mail(mute).mend


def test_a_full_disk_is_a_failure(
    app: Flask, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda path: usage(10, 9, 1_000_000))

    with app.app_context():
        assert doctor.disk(settings) == Finding("fail", "disk", "1 MB free", "Make room.")


def test_an_old_sqlite_is_a_warning(
    app: Flask, settings: Settings, monkeypatch: pytest.MonkeyPatch, engine: str
) -> None:
    monkeypatch.setattr(doctor, "journal_mode", lambda: "TRUNCATE")

    with app.app_context():
        level = doctor.database(settings).level

    assert level == ("warn" if engine == "sqlite" else "ok")


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


def test_a_check_that_breaks_is_a_finding(app: Flask, settings: Settings) -> None:
    def broken_check(settings: Settings) -> Finding:
        raise ZeroDivisionError

    (found,) = examine(settings, [broken_check])

    assert (found.level, found.name) == ("fail", "broken check")


def test_the_words_for_people_say_the_same(app: Flask, runner: FlaskCliRunner) -> None:
    with provider(app) as calls:
        calls.add(responses.GET, calls.info_url, status=401)
        result = runner.invoke(args=["doctor"])

    assert result.exit_code == 1
    assert "fail  provider: refuses the API key. Copy CRYPTOCLOUD_API_KEY" in result.stdout
    assert "ok    migrations: up to date" in result.stdout


def test_no_secret_is_printed(app: Flask, settings: Settings, runner: FlaskCliRunner) -> None:
    with provider(app) as calls:
        calls.add(responses.GET, calls.info_url, status=401)
        output = runner.invoke(args=["doctor"]).output

    for name in ("secret_key", "cryptocloud_api_key", "cryptocloud_secret_key"):
        assert getattr(settings, name).get_secret_value() not in output
    with app.app_context():
        db.session.close()
