"""A database or data folder that may not be written: doctor and commands say why, and what mends it."""

from __future__ import annotations

import codecs
import json
from pathlib import Path

import pytest
from click.testing import Result
from flask import Flask
from structlog.testing import capture_logs

from shop import create_app, jobs
from shop.config import ConfigurationError, Settings
from shop.worker import Work
from tests.conftest import make_settings
from tests.factories import provider
from tests.faults.test_the_database_cannot_be_written import (
    Breakage,
    changed_modes,
    database_file,
    read_only_file,
    read_only_folder,
    read_only_server,
    without_rights,
)

WITHOUT_RIGHTS = [("sqlite", read_only_file, "shop.db"), ("sqlite", read_only_folder, "")]
BREAKAGES = [*WITHOUT_RIGHTS, ("postgresql", read_only_server, "")]
MEND = {"sqlite": "chown -R USER", "postgresql": "Set DATABASE_URL to the primary"}


def run(app: Flask, *arguments: str) -> Result:
    with app.app_context():
        return app.test_cli_runner().invoke(args=list(arguments))


def is_a_sentence(answer: Result) -> bool:
    """And no traceback: that would be another exception than click's own exit."""
    return answer.exit_code == 1 and isinstance(answer.exception, SystemExit)


@pytest.mark.parametrize(("engine", "broken", "named"), BREAKAGES)
def test_the_doctor_says_why_the_database_cannot_be_written_and_what_mends_it(
    app: Flask, engine: str, broken: Breakage, named: str
) -> None:
    with provider(app), broken(app):
        answer = run(app, "doctor", "--json")

    found = {finding["name"]: finding for finding in json.loads(answer.stdout)}
    assert (answer.exit_code, found["database"]["level"]) == (1, "fail")
    assert named in found["database"]["text"]
    assert MEND[engine] in found["database"]["mend"]
    assert "the check itself failed" not in answer.stdout


@pytest.mark.parametrize("engine", ["sqlite"])
def test_what_cannot_be_looked_at_without_the_database_says_so(app: Flask) -> None:
    with provider(app), read_only_folder(app):
        answer = run(app, "doctor")

    assert "prices: not known, because the database cannot be used" in answer.stdout


@pytest.mark.parametrize(
    "command",
    [
        ("rates", "set", "EUR=0.9"),
        ("jobs", "run", "sweep"),
        ("invoices", "create", "--amount", "10", "--currency", "USD", "--email", "a@example.com"),
    ],
)
@pytest.mark.parametrize(("engine", "broken", "named"), BREAKAGES)
def test_a_command_says_why_the_database_cannot_be_written_and_what_mends_it(
    app: Flask, engine: str, broken: Breakage, named: str, command: tuple[str, ...]
) -> None:
    with provider(app), broken(app):
        answer = run(app, *command)

    assert is_a_sentence(answer), answer.exception
    assert named in answer.stderr
    assert MEND[engine] in answer.stderr


@pytest.mark.parametrize("engine", ["sqlite"])
@pytest.mark.parametrize(
    "command", [("pages", "export"), ("products", "import", "demo/catalogue.yaml")]
)
def test_a_command_that_writes_files_says_which_folder_it_may_not_write(
    app: Flask, settings: Settings, command: tuple[str, ...]
) -> None:
    codecs.lookup("utf-8-sig")  # the tests' user may not read Python's own files
    with read_only_folder(app):
        answer = run(app, *command)

    assert is_a_sentence(answer), answer.exception
    assert f"may not read and write {settings.shop_data_dir}" in answer.stderr
    assert f"chown -R USER {settings.shop_data_dir}" in answer.stderr


@pytest.mark.parametrize("engine", ["sqlite"])
@pytest.mark.parametrize("where", ["forbidden", "nowhere/at/all"])
def test_a_new_database_that_cannot_be_made_is_a_sentence(
    tmp_path: Path, where: str, engine: str
) -> None:
    folder = tmp_path / "forbidden"
    folder.mkdir()
    path = tmp_path / where / "shop.db"
    app = create_app(make_settings(tmp_path / "data", f"sqlite:///{path}"))

    with changed_modes(folder, 0o555), without_rights(folder / "shop.db"):
        answer = run(app, "db", "upgrade")

    assert is_a_sentence(answer), answer.exception
    assert str(path.parent) in answer.stderr


@pytest.mark.parametrize("engine", ["sqlite"])
def test_a_database_that_is_not_there_is_said_to_be_new_and_nothing_else_is(app: Flask) -> None:
    """The advice for a new one stood beneath every reason, where it was wrong."""
    with read_only_folder(app):
        refused = run(app, "orders", "list")
    database_file(app).unlink()

    answer = run(app, "orders", "list")

    assert "db upgrade" in answer.stderr
    assert "db upgrade" not in refused.stderr


@pytest.mark.parametrize("engine", ["sqlite"])
def test_garbage_in_place_of_the_database_is_a_sentence_of_every_command(app: Flask) -> None:
    database_file(app).write_bytes(b"garbage " * 1000)

    assert is_a_sentence(run(app, "orders", "list"))


@pytest.mark.parametrize("engine", ["sqlite"])
def test_a_worker_without_the_right_to_write_logs_a_sentence(app: Flask) -> None:
    with read_only_folder(app), capture_logs() as logs, app.app_context():
        try:
            jobs.run("sweep")
        except Exception as error:
            Work(app)._say(error)

    (said,) = [line for line in logs if line["event"] == "sweep_broken"]
    assert "chown -R USER" in said["reason"]
    assert "exc_info" not in said


def test_a_data_folder_that_nobody_may_look_into_keeps_the_shop_from_starting_in_words(
    tmp_path: Path,
) -> None:
    settings = make_settings(tmp_path / "data")
    settings.shop_data_dir.mkdir()

    with (
        changed_modes(settings.shop_data_dir, 0),
        without_rights(settings.shop_data_dir / "shop.db"),
        pytest.raises(ConfigurationError, match=r"SHOP_DATA_DIR, .*belongs to the user") as refused,
    ):
        create_app(settings)

    assert len(refused.value.problems) == 1


@pytest.mark.parametrize("engine", ["sqlite"])
def test_a_database_that_may_be_written_is_no_trouble(app: Flask) -> None:
    """The control."""
    with provider(app):
        found = json.loads(run(app, "doctor", "--json").stdout)

    assert {f["name"]: f["level"] for f in found}["database"] in ("ok", "warn")
    assert run(app, "rates", "set", "EUR=0.9").exit_code == 0
