"""Each process watches the worker and the database, and tells a person without using either."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from aiosmtpd.smtp import Envelope
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, update

import shop.ops.health
import shop.watch
from shop import create_app, jobs
from shop.attention.kinds import AttentionKind
from shop.attention.models import AttentionItem
from shop.attention.queries import open_attention
from shop.attention.service import raise_attention
from shop.config import Settings
from shop.db import db, end_read, transaction, utcnow
from shop.ops.models import JobRun
from shop.watch import Watch
from tests.conftest import make_settings
from tests.factories import send_due_mails
from tests.faults.test_the_database_cannot_be_written import BREAKAGES, Breakage, read_only_file
from tests.ops.test_doctor_mail import Post, listening
from tests.support.processes import GUNICORN, PATIENCE, WebProcess, until

FIVE = 300.0
"""Minutes, in seconds."""


@pytest.fixture
def post() -> Iterator[Post]:
    return Post()


@pytest.fixture
def port(post: Post) -> Iterator[int]:
    with listening(post) as port:
        yield port


@pytest.fixture
def settings(tmp_path: Path, database_url: str, port: int) -> Settings:
    return make_settings(tmp_path / "data", database_url, smtp_url=f"smtp://127.0.0.1:{port}")


@pytest.fixture(autouse=True)
def looks_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shop.ops.health, "WRITES_EVERY", 0.0)


class Process:
    """A process that has just started, and how long it has lived."""

    def __init__(self, app: Flask) -> None:
        self.app, self.watch = app, Watch(app)
        self.watch.usable_at = self.watch.swept_at = 0.0

    def lives_until(self, seconds: float) -> None:
        """It looks for the last time at that age; it has looked each minute."""
        with self.app.app_context():
            self.watch.look(seconds)


def sweeps(app: Flask, ago: timedelta = timedelta(0)) -> None:
    """A sweep of the worker comes to its end."""
    with app.app_context(), transaction() as session:
        session.merge(JobRun(name="sweep", finished_at=utcnow() - ago))


def subjects(post: Post) -> list[str]:
    return [header(mail, "subject") for mail in post.taken]


def header(mail: Envelope, name: str) -> str:
    lines = (mail.content or b"").decode().splitlines()
    return next(line for line in lines if line.lower().startswith(f"{name}:")).partition(": ")[2]


def words(mail: Envelope) -> bytes:
    """What a mail says, without the line ends that it is sent with."""
    return (mail.content or b"").replace(b"=\r\n", b"").replace(b"=\n", b"")


def kinds(app: Flask) -> list[str]:
    with app.app_context():
        return [item.kind for item in open_attention()]


@pytest.mark.parametrize("swept", [True, False], ids=["after a sweep", "never swept"])
def test_a_silent_worker_is_told_once_by_whichever_process_looks_first(
    app: Flask, post: Post, swept: bool
) -> None:
    if swept:
        sweeps(app)
    processes = [Process(app) for _ in range(3)]
    for each in processes:
        each.lives_until(0)
        each.lives_until(FIVE - 1)
    assert post.taken == []

    for minute in range(3):
        for each in processes:
            each.lives_until(FIVE + minute * 60)

    (mail,) = post.taken
    assert mail.rcpt_tos == ["help@shop.example"]
    assert b"No sweep of the worker has come to its end" in (mail.content or b"")
    assert "@" in header(mail, "message-id")
    assert kinds(app) == ["worker_silent"]


def test_without_taking_the_item_each_process_would_send_a_mail(
    app: Flask, post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control for the one above."""
    monkeypatch.setattr(shop.watch, "_mark_as_mailed", lambda old, new: True)

    for _ in range(3):
        Process(app).lives_until(FIVE)

    assert len(post.taken) == 3


def test_many_processes_that_look_at_the_same_moment_send_one_mail(app: Flask, post: Post) -> None:
    processes = [Process(app) for _ in range(6)]
    threads = [threading.Thread(target=each.lives_until, args=[FIVE]) for each in processes]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)

    assert len(post.taken) == 1


def test_a_worker_that_sweeps_again_closes_the_item_and_the_next_silence_is_told_again(
    app: Flask, post: Post
) -> None:
    process = Process(app)
    process.lives_until(FIVE)

    with app.app_context():
        jobs.run("sweep")
    assert kinds(app) == []
    process.lives_until(FIVE + 60)
    process.lives_until(2 * FIVE)
    assert len(post.taken) == 1
    process.lives_until(2 * FIVE + 60)

    assert len(post.taken) == 2
    assert kinds(app) == ["worker_silent"]


def test_what_a_process_has_told_is_not_told_again_by_the_outbox(app: Flask, post: Post) -> None:
    Process(app).lives_until(FIVE)

    with app.app_context():
        assert send_due_mails() == 0


def test_only_the_item_about_this_silence_is_taken_to_be_told(app: Flask, post: Post) -> None:
    """Another one would be in no mail of the outbox any more."""
    with app.app_context(), transaction() as session:
        raise_attention(session, AttentionKind.KEYS_LOW, "rain", "few are left")
        raise_attention(session, AttentionKind.WORKER_SILENT, "worker", "of last week")
        session.execute(
            update(AttentionItem)
            .where(AttentionItem.kind == AttentionKind.WORKER_SILENT)
            .values(resolved_at=utcnow())
        )

    Process(app).lives_until(FIVE)

    with app.app_context():
        told = select(AttentionItem).where(AttentionItem.alert_key != "")
        assert [item.note for item in db.session.scalars(told)] == [shop.watch.WORKER_SILENT]


def test_a_mail_that_was_not_taken_is_tried_again(app: Flask, post: Post) -> None:
    post.answer = "451 later"
    process = Process(app)
    process.lives_until(FIVE)
    post.answer, tried = "250 OK", len(post.taken)

    process.lives_until(FIVE + 60)
    process.lives_until(FIVE + 120)

    assert len(post.taken) - tried == 1


def test_a_mail_that_could_not_be_made_is_tried_again(
    app: Flask, post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The template may be the operator's own."""

    def broken(*_: object, **__: object) -> None:
        raise TypeError

    process = Process(app)
    with monkeypatch.context() as patch:
        patch.setattr(shop.watch, "render_mail", broken)
        with pytest.raises(TypeError):
            process.lives_until(FIVE)

    process.lives_until(FIVE + 60)

    assert len(post.taken) == 1


@pytest.mark.parametrize("ahead", [timedelta(hours=1), timedelta(days=365)])
def test_a_sweep_noted_before_the_clock_was_set_back_hides_no_dead_worker(
    app: Flask, client: FlaskClient, post: Post, ahead: timedelta
) -> None:
    sweeps(app, -ahead)
    process = Process(app)
    process.lives_until(0)

    process.lives_until(FIVE)

    assert len(post.taken) == 1
    assert client.get("/readyz").get_json()["worker"] == (
        "has not swept since the clock was set back"
    )


def test_a_clock_that_is_set_forward_makes_no_living_worker_silent(app: Flask, post: Post) -> None:
    """To the new clock the last sweep is a day old, until the next comes to its end."""
    process = Process(app)
    sweeps(app, timedelta(days=1))
    process.lives_until(0)
    process.lives_until(60)
    sweeps(app)
    process.lives_until(120)

    assert post.taken == []


def test_a_process_that_does_not_live_for_five_minutes_notices_too(app: Flask, post: Post) -> None:
    """A busy shop starts its web processes anew every few minutes (max_requests)."""
    sweeps(app, timedelta(minutes=6))
    process = Process(app)
    process.lives_until(0)
    process.lives_until(60)
    assert post.taken == []

    process.lives_until(120)

    assert len(post.taken) == 1


def test_with_nobody_to_mail_to_there_is_the_list(tmp_path: Path, database_url: str) -> None:
    app = create_app(make_settings(tmp_path / "quiet", database_url, shop_support_email=""))

    Process(app).lives_until(FIVE)

    assert kinds(app) == ["worker_silent"]
    with app.app_context():
        assert db.session.query(AttentionItem).one().alert_key == ""
        end_read()
        db.engine.dispose()


@pytest.mark.parametrize(("engine", "broken"), BREAKAGES)
def test_a_database_that_cannot_be_used_is_told_once_and_without_it(
    app: Flask, post: Post, broken: Breakage
) -> None:
    """Where the data folder is read-only too, no process knows of the others, and each tells once."""
    processes = [Process(app) for _ in range(3)]
    mails = 3 if broken is read_only_file else 1
    for outage in (1, 2):
        start = outage * 1000
        sweeps(app)
        for each in processes:
            each.lives_until(start)
        with broken(app):
            for each in processes:
                each.lives_until(start + FIVE - 1)
            assert len(post.taken) == mails * (outage - 1)
            for minute in range(3):
                for each in processes:
                    each.lives_until(start + FIVE + minute * 60)

        assert subjects(post) == ["Storefront: the database cannot be used"] * outage * mails
        for second in range(2):  # a connection that was opened meanwhile is left when it fails
            for each in processes:
                each.lives_until(start + FIVE + 180 + second)
    assert kinds(app) == [], "the worker, which could do nothing, has had no time yet"


@pytest.mark.parametrize("engine", ["sqlite"])
def test_on_a_full_disk_each_process_tells_once(
    app: Flask, post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where no file can be made nobody knows of the others; better twice than not at all."""

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(shop.watch, "usable", full)
    monkeypatch.setattr(Path, "touch", full)
    processes = [Process(app) for _ in range(2)]

    for minute in range(3):
        for each in processes:
            each.lives_until(FIVE + minute * 60)

    assert len(post.taken) == 2
    assert b"its database (OSError)" in words(post.taken[0])


@pytest.mark.parametrize("engine", ["sqlite"])
def test_a_marker_that_cannot_be_removed_keeps_nobody_from_watching_the_worker(
    app: Flask, post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read_only(*_: object, **__: object) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(Path, "unlink", read_only)

    Process(app).lives_until(FIVE)

    assert kinds(app) == ["worker_silent"]


@pytest.mark.parametrize("engine", ["sqlite"])
def test_a_database_without_this_versions_tables_is_told_as_one_that_is_away(
    app: Flask, post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shop.watch, "usable", lambda: False)

    Process(app).lives_until(FIVE)

    (mail,) = post.taken
    assert header(mail, "subject") == "Storefront: the database cannot be used"
    assert "@" in header(mail, "message-id")
    assert b"its database (it lacks this version's tables)" in words(mail)


@pytest.mark.parametrize("engine", ["sqlite"])
def test_a_database_that_only_hangs_is_told_as_well(
    app: Flask, post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    over = threading.Event()
    monkeypatch.setattr(shop.watch, "usable", lambda: over.wait(PATIENCE))
    monkeypatch.setattr(shop.watch, "ANSWERS_WITHIN", 0.01)
    process, before = Process(app), threading.active_count()

    process.lives_until(FIVE)
    process.lives_until(FIVE + 60)

    assert len(post.taken) == 1
    assert b"its database (it does not answer)" in words(post.taken[0])
    assert threading.active_count() == before + 1
    over.set()


@pytest.mark.parametrize("engine", ["sqlite"])
def test_a_mail_about_the_database_that_was_not_taken_is_tried_again(
    app: Flask, post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shop.watch, "usable", lambda: False)
    post.answer = "451 later"
    process, other = Process(app), Process(app)
    process.lives_until(FIVE)
    post.answer, tried = "250 OK", len(post.taken)

    for each in (other, process):
        each.lives_until(FIVE + 60)

    assert len(post.taken) - tried == 1


@pytest.mark.parametrize("engine", ["sqlite"])
def test_the_watch_survives_whatever_it_meets(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    class Over(BaseException):
        pass

    pauses: list[float] = []

    def sleep(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) > 3:
            raise Over

    monkeypatch.setattr(shop.watch, "sleep", sleep)
    watch = Watch(app)
    looks: list[float] = []

    def look(now: float) -> None:
        looks.append(now)
        raise RuntimeError

    monkeypatch.setattr(watch, "look", look)
    with pytest.raises(Over):
        watch.run()

    assert len(looks) == 3
    assert looks == sorted(looks), "at moments of a clock that nobody can set"
    assert set(pauses) == {60.0}


@pytest.mark.parametrize("engine", ["sqlite"])
def test_nothing_but_a_server_watches(app: Flask) -> None:
    """A command, or a test, must not tell anybody anything."""
    assert "watch" not in [thread.name for thread in threading.enumerate()]


HURRIED = """
import datetime, os
from pathlib import Path

exec(Path("gunicorn.conf.py").read_text())  # all else is as in production
watch_as_in_production = post_worker_init


def post_worker_init(worker):
    import shop.watch

    tell = shop.watch.tell_of_the_worker

    def tell_and_count():
        tell()
        with open(os.environ["LOOKS"], "a") as looks:
            looks.write(f"{os.getpid()}\\n")

    shop.watch.EVERY = 0.1
    shop.watch.SILENT_AFTER = datetime.timedelta(seconds=0.5)
    shop.watch.tell_of_the_worker = tell_and_count
    watch_as_in_production(worker)
"""


@pytest.mark.parametrize("engine", ["sqlite"])
def test_a_web_server_that_nobody_visits_tells_of_its_silent_worker_once(
    app: Flask, settings: Settings, post: Post, tmp_path: Path
) -> None:
    config, looks = tmp_path / "hurried.conf.py", tmp_path / "looks"
    config.write_text(HURRIED)
    looks.touch()
    command = [str(config) if part == "gunicorn.conf.py" else part for part in GUNICORN]
    more = {"LOOKS": str(looks), "SHOP_SUPPORT_EMAIL": "help@shop.example"}

    with closing(WebProcess(settings, workers=2, command=command, **more)):
        until(lambda: len(set(looks.read_text().split())) == 2, "a look of each process")

    assert len(post.taken) == 1
    assert kinds(app) == ["worker_silent"]
