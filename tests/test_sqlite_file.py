"""A database file that is deleted or replaced under the shop: nothing more is sold, and nothing is lost."""

from __future__ import annotations

import os
import shutil
import sqlite3
import stat
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import Result
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError

from shop import create_app
from shop.config import Settings
from shop.db import db, end_read, journal_mode
from shop.ops import journal
from shop.orders.models import Order
from shop.sqlite_file import PARTS, DatabaseFile, DatabaseFileLost
from shop.watch import Watch
from tests.conftest import make_settings, migrate
from tests.factories import make_open_order, make_order, make_product
from tests.faults.test_the_database_cannot_be_written import changed_modes, without_rights
from tests.ops.test_doctor_mail import Post, listening
from tests.support.crowd import fill_in, outcome

pytestmark = [
    pytest.mark.promise(10),
    pytest.mark.skipif(journal_mode() != "WAL", reason="this SQLite is not used with a log"),
]


@pytest.fixture
def engine() -> str:
    return "sqlite"


@pytest.fixture
def post() -> Post:
    return Post()


@pytest.fixture
def settings(tmp_path: Path, sqlite_template: Path, post: Post) -> Iterator[Settings]:
    with listening(post) as port:
        settings = make_settings(tmp_path / "data", smtp_url=f"smtp://127.0.0.1:{port}")
        settings.shop_data_dir.mkdir()
        shutil.copyfile(sqlite_template, settings.shop_data_dir / "shop.db")
        yield settings


@pytest.fixture
def path(settings: Settings) -> Path:
    return settings.shop_data_dir / "shop.db"


def count(settings: Settings) -> int:
    """How many orders a shop that starts now knows."""
    fresh = create_app(settings)
    with fresh.app_context():
        try:
            return db.session.scalar(select(func.count()).select_from(Order)) or 0
        finally:
            end_read()
            db.engine.dispose()


def upgrade(app: Flask) -> Result:
    """What `flask db upgrade` says, which is what both services begin with."""
    with app.app_context():
        return app.test_cli_runner().invoke(args=["db", "upgrade"])


def deleted(path: Path) -> None:
    path.unlink()


def replaced(path: Path) -> None:
    """By an older copy, as somebody does who restores a backup under a running shop."""
    shutil.copyfile(path, copy := path.with_name("copy"))
    copy.replace(path)


def a_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("lose", [deleted, replaced, a_pipe])
def test_once_its_file_is_not_the_open_one_the_shop_sells_nothing(
    app: Flask, client: FlaskClient, path: Path, part: str, lose: object
) -> None:
    with app.app_context():
        slug = make_product(stock=9).slug
        end_read()
    form = fill_in(app, slug)

    lose(path.with_name(path.name + part))  # type: ignore[operator]

    for _ in range(2):
        assert outcome(form.send()).startswith("503")
        answer = client.get("/readyz")
        assert (answer.status_code, answer.get_json()["reason"]) == (503, "DatabaseFileLost")
        assert client.get("/terms").status_code == 200


def test_what_only_a_deleted_file_knew_is_saved_and_a_restart_with_it_loses_nothing(
    app: Flask, settings: Settings, path: Path
) -> None:
    with app.app_context():
        make_open_order(app)
        path.unlink()
        with pytest.raises(DatabaseFileLost) as lost:
            make_order(app)
        db.session.rollback()
        db.engine.dispose()

    (saved,) = path.parent.glob("shop.db.rescued-*")
    assert f"move {saved} to {path}" in lost.value.what
    assert sorted(each.name for each in path.parent.glob("shop.db*")) == [saved.name]
    saved.rename(path)
    assert count(settings) == 1


def test_without_the_look_a_sale_would_be_lost(
    app: Flask, settings: Settings, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control: SQLite goes on writing into what nobody will ever open again."""
    monkeypatch.setattr(DatabaseFile, "check", lambda self, connection: None)
    backup = path.with_name("backup.db")
    with app.app_context():
        make_product()
        db.engine.dispose()
        shutil.copyfile(path, backup)
        make_product()
        path.unlink()
        make_open_order(app)
        assert db.session.scalar(select(func.count()).select_from(Order)) == 1
        end_read()
        db.engine.dispose()

    backup.replace(path)
    for part in PARTS[1:]:
        path.with_name(path.name + part).unlink(missing_ok=True)
    assert count(settings) == 0


def test_a_deleted_log_is_folded_back_before_anybody_restarts(
    app: Flask, settings: Settings, path: Path
) -> None:
    with app.app_context():
        make_open_order(app)
        path.with_name("shop.db-wal").unlink()
        with pytest.raises(DatabaseFileLost, match="restart web server and worker"):
            make_order(app)

        assert count(settings) == 1, "another process, which starts while this one still runs"
        with pytest.raises(DatabaseFileLost):
            make_order(app)
        db.session.rollback()


def test_a_log_that_is_gone_at_the_start_is_said(
    app: Flask, settings: Settings, path: Path
) -> None:
    """After a kill the index stays, and says that there was one: the newest sales were in it."""
    with app.app_context():
        make_open_order(app)
        for part in PARTS:
            name = path.name + part
            shutil.copyfile(path.with_name(name), path.with_name(f"crashed-{name}"))
        db.engine.dispose()
    for part in PARTS:
        path.with_name(f"crashed-shop.db{part}").replace(path.with_name(f"shop.db{part}"))
    path.with_name("shop.db-wal").unlink()

    answer = upgrade(create_app(settings))

    assert answer.exit_code == 1
    assert "the newest sales may have been in it" in answer.output
    with pytest.raises(DatabaseFileLost):
        count(settings)


def test_what_is_saved_is_named_after_the_file_that_was_open(path: Path) -> None:
    """All processes give the same name, so one copy is made; another file that is lost gets one of its own."""
    file = DatabaseFile(path, sqlite3)
    assert file.rescued().name == "shop.db.rescued-0", "while none is open"

    file.opened(object())

    assert file.rescued() == path.with_name(f"shop.db.rescued-{path.stat().st_ino}")


def test_the_log_of_the_file_that_was_put_in_the_place_of_a_lost_one_is_left_alone(
    app: Flask, path: Path
) -> None:
    log = path.with_name("shop.db-wal")
    with app.app_context():
        make_product()
        for each in (path, log):
            replaced(each)
        theirs = log.stat().st_ino

        with pytest.raises(DatabaseFileLost):
            make_product()
        db.session.rollback()

    assert len(list(path.parent.glob("shop.db.rescued-*"))) == 1
    assert log.stat().st_ino == theirs


def test_the_index_of_a_lost_log_stays_while_somebody_keeps_it_from_being_folded_back(
    path: Path,
) -> None:
    index = path.with_name("shop.db-shm")
    index.touch()
    file = DatabaseFile(path, sqlite3)
    file.opened(object())
    for busy in (1, 0):
        answer = SimpleNamespace(fetchone=lambda busy=busy: (busy, 0, 0))

        file._fold_back(SimpleNamespace(execute=lambda _, answer=answer: answer))

        assert index.exists() == bool(busy)


def test_what_cannot_be_saved_is_said_with_the_place_where_it_still_is(
    app: Flask, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with app.app_context():
        make_product()
        path.unlink()
        with pytest.raises(
            DatabaseFileLost, match=rf"stop nothing before .* /proc/{os.getpid()}/fd/"
        ):
            make_product()


def test_in_a_folder_that_nobody_may_look_into_the_shop_sells_nothing_and_breaks_nowhere(
    app: Flask, client: FlaskClient, path: Path
) -> None:
    with app.app_context():
        slug = make_product(stock=9).slug
        end_read()
    form = fill_in(app, slug)

    with changed_modes(path.parent, 0), without_rights(path):
        for _ in range(2):
            assert outcome(form.send()).startswith("503")
            assert client.get("/readyz").status_code == 503


def test_a_lost_file_is_told_at_once_and_with_what_to_do(
    app: Flask, post: Post, path: Path
) -> None:
    watch = Watch(app)
    with app.app_context():
        watch.look(watch.usable_at)
        path.unlink()
        watch.look(watch.usable_at + 1)
        watch.look(watch.usable_at + 2)

    (mail,) = post.taken
    assert b"shop.db.rescued-" in (mail.content or b"").replace(b"=\r\n", b"")


@pytest.mark.parametrize("left", ["nothing", "an empty file"])
def test_a_shop_that_has_sold_is_never_begun_anew_in_silence(
    app: Flask, settings: Settings, path: Path, left: str
) -> None:
    with app.app_context():
        make_open_order(app)
        end_read()
        db.engine.dispose()
    path.unlink()
    if left == "an empty file":
        path.touch()

    answer = upgrade(create_app(settings))

    assert answer.exit_code == 1
    assert "Nothing was made. Put the database back" in answer.output
    assert path.exists() == (left == "an empty file")


def test_a_shop_of_which_nobody_can_tell_whether_it_has_sold_is_not_begun_anew_either(
    settings: Settings, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreadable() -> None:
        raise PermissionError

    monkeypatch.setattr(journal, "files", unreadable)
    path.unlink()

    answer = upgrade(create_app(settings))

    assert answer.exit_code == 1
    assert "Nothing was made. Put the database back" in answer.output
    assert not path.exists()


def test_a_shop_that_has_not_sold_begins_with_an_empty_database(tmp_path: Path) -> None:
    """The control; and the file is nobody else's to write."""
    settings = make_settings(tmp_path / "new")

    migrate(settings)

    assert count(settings) == 0
    mode = (settings.shop_data_dir / "shop.db").stat().st_mode
    assert not stat.S_IMODE(mode) & 0o022


def test_nothing_but_a_migration_makes_a_database(settings: Settings, path: Path) -> None:
    path.unlink()
    app = create_app(settings)

    assert app.test_client().get("/readyz").status_code == 503
    assert app.test_client().get("/").status_code == 503
    assert not path.exists()


def test_garbage_in_place_of_the_database_is_no_error_of_ours(
    app: Flask, client: FlaskClient, path: Path
) -> None:
    path.write_bytes(b"\xff\xfe garbage" * 1000)

    assert client.get("/").status_code == 503
    answer = upgrade(app)
    assert answer.exit_code == 1
    assert answer.output.startswith("Error: The database cannot be used: ")


def test_a_mistake_of_ours_stays_one(
    app: Flask, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control: not everything that a database says means that it is away."""

    def mistaken() -> None:
        raise IntegrityError("INSERT", {}, Exception())

    app.config["PROPAGATE_EXCEPTIONS"] = False
    monkeypatch.setattr("shop.catalogue.storefront.views._list", lambda *_, **__: mistaken())

    assert client.get("/").status_code == 500
