"""Processes that die at a failpoint by SIGKILL, and what a test needs to stage it.

A `Nursery` is a process that has loaded the shop once and forks for every task: the child dies as
any other, and costs some 20 ms. `fresh` starts gunicorn, or a new interpreter for a command, which
costs a second or two. Both take the same tasks.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from types import SimpleNamespace, TracebackType
from typing import Any

import requests
from flask import Flask

import shop.db
from shop import create_app, failpoints
from shop.config import Settings, current_settings
from shop.payments.cryptocloud import answers, v1
from shop.payments.gateway import open_gateway
from tests.buyer import Buyer
from tests.factories import make_product
from tests.journeys.till import Till
from tests.support.processes import PATIENCE, ROOT, WebProcess, environment

FLASK = "from flask.cli import main; main()"


@dataclass(frozen=True)
class Task:
    """A request or a command for a process of its own, and where that is to die."""

    path: str = ""
    data: Mapping[str, str] | str | None = None
    cookie: str = ""
    command: tuple[str, ...] = ()
    point: str = ""
    ahead: float = 0  # seconds by which the process's clock goes ahead
    api: str = "1"  # the version of the provider's API that the shop speaks


@dataclass(frozen=True)
class End:
    """How the process ended."""

    killed: bool
    code: int = 0  # its exit code, or the answer's status


class Nursery:
    """A warm process that forks one child for every task."""

    def __init__(self, settings: Settings, log: Path, **more: str) -> None:
        self.log = log
        with log.open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tests.support.crashing"],
                cwd=ROOT,
                env=environment(settings, **more),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=output,
                text=True,
            )
        assert self._reads() == "ready\n"

    def run(self, task: Task) -> End:
        """Have a child do it; returns when the child has ended."""
        assert self.process.stdin
        self.process.stdin.write(f"{json.dumps(asdict(task))}\n")
        self.process.stdin.flush()
        return End(**json.loads(self._reads()))

    def loses_patience(self) -> None:
        """Have the child that waits for somebody else wait no longer, as if the time for that were over.

        A short limit instead would also end what is only slow because the machine is busy.
        """
        pid = self.process.pid
        (child,) = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        os.kill(int(child), signal.SIGALRM)

    def _reads(self) -> str:
        assert self.process.stdout
        line = self.process.stdout.readline()
        if not line:
            self.process.communicate(timeout=PATIENCE)
            raise AssertionError(f"the nursery has ended: {self.log.read_text()[-2000:]}")
        return line

    def __enter__(self) -> Nursery:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.process.communicate(timeout=PATIENCE)  # the end of its input is its end


@dataclass(frozen=True)
class Fresh:
    """The same with nothing prepared: gunicorn for a request, an interpreter for a command."""

    settings: Settings
    more: Mapping[str, str]

    def run(self, task: Task) -> End:
        """Start it, let it do the task, and see to it that nothing is left of it."""
        wanted = {"SHOP_FAILPOINTS": task.point, "CRYPTOCLOUD_API_VERSION": task.api}
        if not task.command:
            return self._request(task, wanted)
        return self._command(task, environment(self.settings, **self.more, **wanted))

    def _command(self, task: Task, given: dict[str, str]) -> End:
        moved = f"from tests.support.crashing import move_clock; move_clock({task.ahead!r}); "
        done = subprocess.run(
            [sys.executable, "-c", f"{moved}{FLASK}", "--app", "wsgi", *task.command],
            cwd=ROOT,
            env=given,
            capture_output=True,
            check=False,
            timeout=PATIENCE,
        )
        sys.stderr.buffer.write(done.stderr)  # pytest shows it when the test fails
        return End(killed=done.returncode == -signal.SIGKILL, code=done.returncode)

    def _request(self, task: Task, wanted: dict[str, str]) -> End:
        assert not task.ahead, "gunicorn has no clock to move"
        web = WebProcess(self.settings, **self.more, **wanted)
        headers = {"Content-Type": "application/json"} if isinstance(task.data, str) else {}
        try:
            with requests.Session() as browser:
                browser.trust_env = False
                answer = browser.post(
                    f"{web.url}{task.path}",
                    data=task.data,
                    headers=headers,
                    cookies={"session": task.cookie},
                    allow_redirects=False,
                    timeout=PATIENCE,
                )
            return End(killed=False, code=answer.status_code)
        except requests.ConnectionError:
            return End(killed=True)
        finally:
            web.close()


def speak(app: Flask, api: str) -> None:
    """Have the app speak this version of the provider's API."""
    settings: Settings = app.config["SETTINGS"]
    wanted = settings.model_copy(update={"cryptocloud_api_version": api})
    app.config["SETTINGS"] = wanted
    app.extensions["cryptocloud"] = open_gateway(wanted)


class Clock:
    """A clock that can be set ahead; time goes on from there."""

    ahead = timedelta(0)

    def now(self) -> datetime:
        """What time it is."""
        return datetime.now(UTC) + self.ahead


@contextlib.contextmanager
def own_clock(clock: Clock) -> Iterator[None]:
    """Let the shop in this process go by this clock while the block runs."""
    before = shop.db.datetime, v1.time, answers.time
    _set_clock(clock)
    try:
        yield
    finally:
        shop.db.datetime, v1.time, answers.time = before  # type: ignore[attr-defined]


def move_clock(seconds: float) -> None:
    """Set this process's clock ahead, for good."""
    clock = Clock()
    clock.ahead = timedelta(seconds=seconds)
    _set_clock(clock)


def _set_clock(clock: Clock) -> None:
    class Moved(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Any:
            return clock.now().astimezone(tz)

    ours = SimpleNamespace(time=lambda: clock.now().timestamp(), monotonic=time.monotonic)
    shop.db.datetime, v1.time, answers.time = Moved, ours, ours  # type: ignore


def main() -> None:
    """The nursery: a task on each line of the input, how it ended on each of the output."""
    app = _warm()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    for line in sys.stdin:
        task = Task(**json.loads(line))
        told, tell = os.pipe()
        child = os.fork()
        if not child:
            os.dup2(2, 1)  # what it prints is no report
            try:
                os.write(tell, b"%d" % _live(app, task))
            finally:
                os._exit(0)
        os.close(tell)
        code = int(os.read(told, 20) or b"-1")
        os.close(told)
        killed = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
        sys.stdout.write(f"{json.dumps(asdict(End(killed, code)))}\n")
        sys.stdout.flush()


def _warm() -> Flask:
    """The shop after one whole sale, so that nothing is imported or compiled for the first time later."""
    app = create_app()
    with app.app_context():
        slug = make_product(slug="rehearsal").slug
        shop.db.end_read()
        provider = current_settings().cryptocloud_api_url
    link = Buyer(app).buys(slug)
    Till(provider).does("pay", link, postback="lose")
    runner = app.test_cli_runner()
    for ahead in (0, 60):
        move_clock(ahead)
        assert runner.invoke(args=["jobs", "run", "sweep"]).exit_code == 0
    with app.app_context():
        shop.db.db.engine.dispose()  # no connection may be handed on
    gc.collect()
    gc.freeze()  # a collection in a child would copy most of the memory
    return app


def _live(app: Flask, task: Task) -> int:
    """Do the task, as far as one gets; the exit code or the answer's status."""
    random.seed()  # or all children would throw the same dice
    move_clock(task.ahead)
    speak(app, task.api)
    signal.signal(signal.SIGALRM, _out_of_patience)
    failpoints.arm(task.point)
    if task.command:
        result = app.test_cli_runner().invoke(args=task.command)
        if result.exception:
            sys.stderr.write(f"{task}: {result.output} {result.exception!r}\n")
        return result.exit_code
    browser = app.test_client()
    browser.set_cookie("session", task.cookie)
    kind = "application/json" if isinstance(task.data, str) else None
    return browser.post(task.path, data=task.data, content_type=kind).status_code


def _out_of_patience(number: int, frame: object) -> None:
    """What a socket raises by itself."""
    raise TimeoutError("timed out")


if __name__ == "__main__":
    main()
