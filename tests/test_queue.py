"""The queue holds hints only, so a file that cannot be read is put aside, and nobody stays deaf or waits."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
from flask import Flask
from sqlalchemy.engine import make_url
from structlog.testing import capture_logs

import shop.queue
from shop import create_app
from shop.config import Settings
from shop.queue import Waker, connect, mend, probe, run_next, wake
from tests.faults.test_the_database_cannot_be_written import changed_modes, cut, without_rights


@pytest.fixture
def engine() -> str:
    return "sqlite"


@pytest.fixture
def file(settings: Settings) -> Path:
    return settings.shop_data_dir / "queue.db"


@pytest.fixture
def heard(app: Flask) -> list[str]:
    """What the worker was woken for."""
    heard: list[str] = []
    app.extensions["jobs"] = heard.append
    return heard


@pytest.fixture
def web(settings: Settings) -> Flask:
    """The shop in another process, which wakes the worker and has the queue open."""
    web = create_app(settings)
    with web.app_context():
        wake("mails")
    return web


def listen(app: Flask) -> None:
    """One turn of the worker's listening."""
    with app.app_context():
        try:
            while run_next():
                pass
        except Exception as error:
            mend(error)


def wakes(web: Flask) -> None:
    with web.app_context():
        wake("mails")


def garbage(file: Path) -> None:
    file.write_bytes(b"garbage " * 1000)


def malformed(file: Path) -> None:
    """A good first page, and nothing good behind it."""
    size = file.stat().st_size
    with file.open("r+b") as opened:
        opened.seek(100)
        opened.write(b"\xff" * (size - 100))


def without_its_table(file: Path) -> None:
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("DROP TABLE task")


def of_another_program(file: Path) -> None:
    file.unlink()
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("CREATE TABLE task (id INTEGER PRIMARY KEY, title TEXT)")


def a_pipe(file: Path) -> None:
    file.unlink()
    os.mkfifo(file)


def a_folder(file: Path) -> None:
    file.unlink()
    file.mkdir()


def deleted(file: Path) -> None:
    file.unlink()


def replaced(file: Path) -> None:
    file.rename(file.with_suffix(".old"))
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("VACUUM")


@pytest.mark.parametrize(
    "harm",
    [
        garbage,
        malformed,
        without_its_table,
        of_another_program,
        a_pipe,
        a_folder,
        deleted,
        replaced,
    ],
)
@pytest.mark.parametrize("running", [True, False], ids=["running", "at its start"])
def test_a_queue_that_cannot_be_read_is_made_anew_and_heard_again(
    app: Flask,
    web: Flask,
    file: Path,
    heard: list[str],
    harm: Callable[[Path], None],
    running: bool,
) -> None:
    if running:
        listen(app)
        assert heard == ["mails"]

    harm(file)
    listen(app)
    wakes(web)
    listen(app)
    heard.clear()
    wakes(web)
    listen(app)

    assert heard == ["mails"]
    lost = harm in (deleted, replaced)
    mended = harm is without_its_table and not running  # whoever opens the file makes its tables
    assert len(list(file.parent.glob("queue.db.unreadable-*"))) == (not lost and not mended)


def test_without_a_look_at_the_file_a_deleted_queue_is_deaf(
    app: Flask, web: Flask, file: Path, heard: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control: a deleted file goes on working for whoever has it open, and for nobody else."""
    monkeypatch.setattr(shop.queue, "_identity", lambda settings: None)
    listen(app)

    file.unlink()
    heard.clear()
    wakes(create_app(app.config["SETTINGS"]))
    listen(app)

    assert heard == []


def test_a_file_that_may_not_be_read_is_put_aside(app: Flask, file: Path, heard: list[str]) -> None:
    """Left behind by a command that somebody gave as root."""
    file.touch(0o600)

    with changed_modes(file.parent, 0o777), without_rights(file):
        listen(app)
        wakes(app)
        listen(app)
        assert file.stat().st_uid == os.geteuid()
        assert heard == ["mails"]


def test_where_nobody_may_look_into_the_folder_the_queue_breaks_nothing_and_is_kept(
    app: Flask, web: Flask, file: Path, settings: Settings, heard: list[str]
) -> None:
    listen(app)
    before = heard.copy()
    with changed_modes(file.parent, 0), without_rights(file):
        listen(app)
        wakes(web)
        probe(settings)
    wakes(web)
    listen(app)

    assert heard[len(before) :] == ["mails"]
    assert list(file.parent.glob("queue.db.*")) == []


def test_a_queue_that_is_only_busy_stays_where_it_is(
    app: Flask, web: Flask, file: Path, heard: list[str]
) -> None:
    with closing(sqlite3.connect(file, isolation_level=None)) as somebody:
        somebody.execute("BEGIN EXCLUSIVE")
        listen(app)
        somebody.execute("ROLLBACK")
    listen(app)

    assert heard == ["mails"]
    assert not list(file.parent.glob("*unreadable*"))


def test_only_the_newest_unreadable_files_are_kept(
    app: Flask, file: Path, heard: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(5):
        file.with_name(f"queue.db.unreadable-2020010{number}T000000").touch()

    garbage(file)
    listen(app)

    kept = sorted(path.name for path in file.parent.glob("*unreadable*"))
    assert len(kept) == shop.queue.KEPT_ASIDE
    assert kept[:2] == [
        "queue.db.unreadable-20200103T000000",
        "queue.db.unreadable-20200104T000000",
    ]


def test_the_journal_of_an_unreadable_file_is_not_played_into_the_new_one(
    app: Flask, file: Path, heard: list[str]
) -> None:
    garbage(file)
    journal = file.with_name("queue.db-journal")
    journal.write_bytes(b"\xd9\xd5\x05\xf9\x20\xa1\x63\xd7" + b"\0" * 504)

    listen(app)

    assert not journal.exists()


def unreadable() -> sqlite3.DatabaseError:
    error = sqlite3.DatabaseError()
    error.sqlite_errorcode = sqlite3.SQLITE_NOTADB
    return error


def test_what_lies_beside_an_unreadable_file_goes_with_it(app: Flask, file: Path) -> None:
    beside = [file.with_name(file.name + part) for part in ("-journal", "-wal", "-shm")]
    with app.app_context():
        connect()
        for each in beside:
            each.touch()

        mend(unreadable())

    assert not file.exists()
    assert [each for each in beside if each.exists()] == []


@pytest.mark.parametrize("error", [ConnectionError("reset"), ValueError()])
def test_an_error_that_is_not_of_the_file_leaves_it_in_its_place(
    app: Flask, file: Path, error: Exception
) -> None:
    with app.app_context():
        connect()

        mend(error)

    assert file.exists()


def test_a_file_that_cannot_be_put_aside_breaks_nothing(
    app: Flask, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read_only(*_: object) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(Path, "rename", read_only)
    with app.app_context():
        connect()

        mend(unreadable())

    assert file.exists()


def test_to_look_at_the_queue_makes_no_file(settings: Settings, file: Path, app: Flask) -> None:
    """The doctor may be run as root, whose file the worker could not read."""
    probe(settings)

    assert not file.exists()


@pytest.mark.parametrize(
    "url", ["postgresql://nobody@127.0.0.1:1/nothing", "postgresql://nobody@192.0.2.1/nothing"]
)
def test_a_server_that_is_away_keeps_no_buyer_waiting(
    settings: Settings, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even one that swallows what it is sent: the limit is among what the client is told."""
    asked: list[dict[str, object]] = []

    def connect_to(dsn: str, **limits: object) -> None:
        asked.append(limits)
        raise psycopg.OperationalError

    monkeypatch.setattr(psycopg, "connect", connect_to)
    away = create_app(settings.model_copy(update={"queue_url": url}))

    with away.app_context():
        wake("mails")

    assert asked == [{"connect_timeout": 2, "tcp_user_timeout": 5000}]


class FrozenServer:
    """A queue's server that takes a connection, and says nothing until it is thawed."""

    def __init__(self) -> None:
        self.thawed, self.asked, self.clock = threading.Event(), list[str](), 1000.0

    def connect(self, dsn: str, **limits: object) -> None:
        self.asked.append(dsn)
        if not self.thawed.is_set():
            self.thawed.wait(60)
            self.clock += 1
        raise psycopg.OperationalError


@pytest.fixture
def frozen(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[FrozenServer]:
    server = FrozenServer()
    monkeypatch.setattr(psycopg, "connect", server.connect)
    monkeypatch.setattr(shop.queue, "ANSWERS_WITHIN", 0.05)
    monkeypatch.setattr(shop.queue, "monotonic", lambda: server.clock)
    monkeypatch.setattr(shop.queue, "_waker", Waker())
    yield server
    server.thawed.set()


@pytest.fixture
def away(settings: Settings) -> Flask:
    return create_app(settings.model_copy(update={"queue_url": "postgresql://queue.example/q"}))


def test_a_frozen_server_keeps_nobody_waiting(away: Flask, frozen: FrozenServer) -> None:
    """The first buyer waits for a moment, and the others not even for that."""
    with capture_logs() as said:
        for _ in range(3):
            wakes(away)

    assert not frozen.thawed.is_set(), "nobody has waited for its answer"
    assert [line["error"] for line in said] == ["NoAnswer", "NoAnswerYet", "NoAnswerYet"]
    assert len(frozen.asked) == 1


def test_without_a_thread_of_its_own_a_wake_up_lasts_as_long_as_the_frost(
    away: Flask, frozen: FrozenServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control."""

    def send_at_once(waker: Waker, app: Flask, job: str) -> str:
        return shop.queue._ask_for(job)

    monkeypatch.setattr(Waker, "send", send_at_once)
    with ThreadPoolExecutor(1) as pool:
        waking = pool.submit(wakes, away)
        with pytest.raises(TimeoutError):
            waking.result(4 * shop.queue.ANSWERS_WITHIN)
        frozen.thawed.set()
        waking.result(60)


def test_after_a_server_that_failed_slowly_no_wake_up_is_sent_for_a_while(
    away: Flask, frozen: FrozenServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    wakes(away)
    waited_for = shop.queue._waker._waited_for
    frozen.thawed.set()
    waited_for.put(waited_for.get(timeout=60))

    monkeypatch.setattr(shop.queue, "ANSWERS_WITHIN", 60)
    with capture_logs() as said:
        for _ in range(3):
            wakes(away)
            frozen.clock += shop.queue.RESTS / 2

    assert [line["error"] for line in said] == ["NotTried", "NotTried", "OperationalError"]
    assert len(frozen.asked) == 2, "the last one failed at once, which costs nobody anything"


def test_the_queue_is_opened_once(app: Flask) -> None:
    with app.app_context():
        assert connect() is connect()


@pytest.mark.parametrize("engine", ["postgresql"])
def test_a_server_that_cut_the_line_is_heard_again(settings: Settings) -> None:
    url = make_url(settings.database).set(drivername="postgresql")
    address = url.render_as_string(hide_password=False)
    app = create_app(settings.model_copy(update={"queue_url": address}))
    heard: list[str] = []
    app.extensions["jobs"] = heard.append
    wakes(app)
    with psycopg.connect(address, autocommit=True) as operator:
        cut(operator)

    listen(app)
    wakes(app)
    wakes(app)
    listen(app)

    assert "mails" in heard
    with app.app_context():
        connect().storage.close()
