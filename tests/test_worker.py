"""The worker sweeps whatever becomes of its queue, and makes way for another process when it cannot."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy.exc import IntegrityError, OperationalError
from structlog.testing import capture_logs

import shop.worker
from shop import create_app, jobs
from shop.config import Settings
from shop.db import db, end_read
from shop.ops.models import JobRun
from shop.queue import wake
from shop.worker import ENDS_AFTER, Work
from tests.conftest import make_settings
from tests.support.processes import PATIENCE, ROOT, environment, unit, until


@pytest.fixture
def engine() -> str:
    return "sqlite"


@pytest.fixture(autouse=True)
def hurries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shop.worker, "EVERY", 0.01)
    monkeypatch.setattr(shop.worker, "LISTENS_EVERY", 0.001)
    monkeypatch.setattr(shop.worker, "TRIES_AGAIN_AFTER", 0.001)


class Rounds:
    """What is done instead of a job: nothing, and it is counted; or what a test says."""

    def __init__(self) -> None:
        self.count = 0
        self.act: Callable[[], object] = lambda: None

    def run(self, name: str) -> None:
        self.act()
        self.count += 1

    def more(self) -> None:
        """Return when there have been two more."""
        goal = self.count + 2
        until(lambda: self.count >= goal, "two more")


@pytest.fixture
def sweeps(monkeypatch: pytest.MonkeyPatch) -> Rounds:
    sweeps = Rounds()
    monkeypatch.setattr(jobs, "run", sweeps.run)
    return sweeps


@pytest.fixture
def listens(monkeypatch: pytest.MonkeyPatch) -> Rounds:
    listens = Rounds()
    monkeypatch.setattr(shop.worker, "run_next", lambda: listens.run("next"))
    return listens


@contextmanager
def at_work(app: Flask) -> Iterator[Work]:
    work = Work(app)
    work.start()
    try:
        yield work
    finally:
        work.end(PATIENCE)


def fail() -> None:
    raise ConnectionError("away")


class Turns:
    """In place of the event that ends the work: so many turns, and how long each pause would be."""

    def __init__(self, most: int) -> None:
        self.most, self.pauses = most, list[float]()

    def is_set(self) -> bool:
        return len(self.pauses) == self.most

    def wait(self, seconds: float) -> None:
        self.pauses.append(seconds)


def work_for(app: Flask, turns: int) -> tuple[Work, Turns]:
    """Work whose threads were not started, and which ends by itself."""
    work = Work(app)
    work._stop = ends = Turns(turns)  # type: ignore[assignment]
    return work, ends


def test_the_sweeps_go_on_without_the_queue_and_the_log_says_it_once(
    app: Flask, sweeps: Rounds, listens: Rounds
) -> None:
    tries = Rounds()
    listens.act = lambda: (tries.run("try"), fail())

    with capture_logs() as lines, at_work(app):
        sweeps.more()
        tries.more()
        listens.act = lambda: None
        listens.more()

    said = [line["event"] for line in lines if line["event"].startswith("queue")]
    assert said == ["queue_cannot_be_read", "queue_is_back"]


def test_a_sweep_that_breaks_does_not_end_the_sweeps(
    app: Flask, sweeps: Rounds, listens: Rounds
) -> None:
    tries = Rounds()
    sweeps.act = lambda: (tries.run("try"), fail())

    with at_work(app) as work:
        tries.more()
        assert work.ill() == ""
        sweeps.act = lambda: None
        sweeps.more()


def test_sweeps_begin_a_minute_apart_and_one_that_was_longer_is_followed_at_once(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    now, done = [1000.0], list[tuple[float, str]]()
    lasts = iter([20.0, 70.0, 0.0])

    def run(job: str) -> None:
        done.append((now[0], job))
        now[0] += next(lasts)

    monkeypatch.setattr(shop.worker, "EVERY", 60.0)
    monkeypatch.setattr(shop.worker, "monotonic", lambda: now[0])
    monkeypatch.setattr(jobs, "run", run)
    work, turns = work_for(app, 3)
    monkeypatch.setattr(turns, "wait", lambda s: (Turns.wait(turns, s), now.append(now.pop() + s)))

    work.sweep_each_minute()

    assert done == [(1000.0, "sweep"), (1060.0, "sweep"), (1130.0, "sweep")]


@pytest.mark.parametrize(
    ("error", "has_traceback"),
    [
        (ConnectionError("away"), True),
        (IntegrityError("INSERT", {}, Exception("a mistake of ours")), True),
        (OperationalError("SELECT", {}, Exception("away")), False),
    ],
)
def test_a_database_that_is_away_takes_a_sentence_in_the_log_and_a_mistake_its_traceback(
    app: Flask, sweeps: Rounds, error: Exception, *, has_traceback: bool
) -> None:
    def breaks() -> None:
        raise error

    sweeps.act = breaks
    work, _ = work_for(app, 1)

    with capture_logs() as lines:
        work.sweep_each_minute()

    (line,) = [line for line in lines if line["event"] == "sweep_broken"]
    assert line.get("exc_info") is (error if has_traceback else None)
    assert ("reason" in line) is not has_traceback


def test_the_queue_is_looked_into_again_at_once_after_a_job_and_mended_after_an_error(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    error, mended = ConnectionError("away"), list[Exception]()
    found = iter([True, False, error])

    def run_next() -> bool:
        if isinstance(next_ := next(found), Exception):
            raise next_
        return next_

    monkeypatch.setattr(shop.worker, "run_next", run_next)
    monkeypatch.setattr(shop.worker, "mend", mended.append)
    work, turns = work_for(app, 3)

    work.listen()

    assert turns.pauses == [0.0, shop.worker.LISTENS_EVERY, shop.worker.TRIES_AGAIN_AFTER]
    assert mended == [error]


def test_a_sweep_that_hangs_ends_the_worker_in_the_end_and_keeps_no_wake_up_waiting(
    app: Flask, sweeps: Rounds, listens: Rounds, monkeypatch: pytest.MonkeyPatch
) -> None:
    hangs, over = threading.Event(), threading.Event()
    sweeps.act = lambda: (hangs.set(), over.wait(PATIENCE))

    with at_work(app) as work:
        hangs.wait(PATIENCE)
        listens.more()
        assert work.ill() == ""
        work.swept_at -= ENDS_AFTER
        assert work.ill() == "no sweep has come to its end for eight minutes"
        over.set()


def test_a_sweep_in_hand_is_waited_for_and_not_for_ever(
    app: Flask, sweeps: Rounds, listens: Rounds
) -> None:
    """What is cut is taken up by the next sweep."""
    begun, over = threading.Event(), threading.Event()
    sweeps.act = lambda: (begun.set(), over.wait(PATIENCE))
    work = Work(app)
    work.start()
    begun.wait(PATIENCE)

    work.end(0.01)
    assert sweeps.count == 0
    over.set()
    work.end(PATIENCE)

    assert sweeps.count == 1


def test_sweeps_that_fail_for_minutes_end_the_worker(
    app: Flask, sweeps: Rounds, listens: Rounds
) -> None:
    """One that went well in between is enough to stay."""
    sweeps.act = fail

    with at_work(app) as work:
        work.swept_at -= ENDS_AFTER
        assert "no sweep" in work.ill()
        sweeps.act = lambda: None
        sweeps.more()
        assert work.ill() == ""


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_thread_that_dies_ends_the_worker(app: Flask, sweeps: Rounds, listens: Rounds) -> None:
    def die() -> None:
        raise SystemExit

    listens.act = die

    with at_work(app) as work:
        until(work.ill, "the death")
        assert work.ill() == "the thread for wake-ups died"


def test_a_clock_that_is_set_back_holds_no_sweep_up(
    app: Flask, sweeps: Rounds, listens: Rounds, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The pause is measured by a clock that nobody can set, so it has no need of the other."""
    monkeypatch.setattr("shop.db.utcnow", fail)

    with at_work(app):
        sweeps.more()


def test_a_database_that_is_away_at_the_start_is_waited_for(tmp_path: Path) -> None:
    """Else nobody would be there to tell of it. One without its tables is a mistake that is said at once."""
    away = create_app(make_settings(tmp_path / "away", "postgresql://nobody@127.0.0.1:1/nothing"))
    empty = create_app(make_settings(tmp_path / "empty"))

    with away.app_context():
        assert not shop.worker._tables_missing()
    result = empty.test_cli_runner().invoke(args=["worker"])

    assert result.exit_code == 1
    assert "db upgrade" in result.stderr
    with empty.app_context():
        db.engine.dispose()


def test_a_supervisor_starts_it_again_for_ever() -> None:
    values = unit("storefront-worker.service")

    assert values["Restart"] == ["always"]
    assert values["StartLimitIntervalSec"] == ["0"]
    longest = shop.worker.ENDS_WITHIN[signal.Signals[values["KillSignal"][0]]]
    assert longest < int(values["TimeoutStopSec"][0])


@contextmanager
def running(
    settings: Settings, tmp_path: Path, before: str = ""
) -> Iterator[subprocess.Popen[str]]:
    """A real worker; `before` is run in its process first."""
    script = (
        f"import shop.worker, shop.jobs, time\n{before}\nfrom wsgi import app\napp.cli(['worker'])"
    )
    with (tmp_path / "log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-c", script],
            cwd=ROOT,
            env=environment(settings, FLASK_APP="wsgi"),
            stdout=log,
            stderr=log,
            text=True,
        )
    try:
        yield process
    finally:
        process.kill()
        process.wait(PATIENCE)


def has_run(app: Flask, job: str) -> bool:
    with app.app_context():
        found = db.session.get(JobRun, job)
        end_read()
        return found is not None


def is_woken(app: Flask) -> bool:
    """Whether a wake-up gets through; each is only a hint, so there may be several."""
    with app.app_context():
        wake("mails")
    return has_run(app, "mails")


def test_a_worker_whose_queue_is_garbage_or_deleted_works_and_stops_when_it_is_asked(
    app: Flask, settings: Settings, tmp_path: Path
) -> None:
    queue = settings.shop_data_dir / "queue.db"
    queue.write_bytes(b"garbage " * 1000)

    with running(settings, tmp_path) as worker:
        until(lambda: has_run(app, "sweep"), "a sweep")
        until(lambda: is_woken(app), "a wake-up")
        with app.app_context(), db.engine.begin() as connection:
            connection.execute(JobRun.__table__.delete())

        queue.unlink()

        until(lambda: is_woken(app), "a wake-up")
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(PATIENCE) == 0


HANGS = "shop.jobs.JOBS['sweep'] = lambda: (print('in a sweep', flush=True), time.sleep(600))"


def test_a_worker_that_can_do_nothing_ends_and_says_why(
    settings: Settings, app: Flask, tmp_path: Path
) -> None:
    with running(settings, tmp_path, f"{HANGS}\nshop.worker.ENDS_AFTER = 0") as worker:
        assert worker.wait(PATIENCE) == 1

    (line,) = [
        line for line in (tmp_path / "log").read_text().splitlines() if "worker_ends" in line
    ]
    assert "no sweep has come to its end" in line


@pytest.mark.long
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_worker_stops_in_the_middle_of_a_sweep(
    settings: Settings, app: Flask, tmp_path: Path, number: signal.Signals
) -> None:
    """It waits for the job in hand, and not for ever: what is cut is taken up by the next sweep."""
    hurry = "shop.worker.ENDS_WITHIN = dict.fromkeys(shop.worker.ENDS_WITHIN, 0.1)"
    with running(settings, tmp_path, f"{HANGS}\n{hurry}") as worker:
        until(lambda: "in a sweep" in (tmp_path / "log").read_text(), "a sweep")

        worker.send_signal(number)

        assert worker.wait(PATIENCE) == 0
