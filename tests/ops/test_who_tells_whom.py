"""docs/operating.md, "Who tells you what": each row is made to happen, and somebody hears within ten minutes."""

from __future__ import annotations

import shutil
import threading
from collections import namedtuple
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from typing import Any

import pytest
import requests
import responses
from flask import Flask
from structlog.testing import capture_logs

from shop import jobs
from shop.attention.queries import open_attention
from shop.config import ROOT, Settings
from shop.db import end_read
from shop.doctor import machine
from shop.watch import Watch
from shop.worker import Work
from tests.conftest import make_settings
from tests.factories import Provider, make_open_order, provider
from tests.faults.test_the_database_cannot_be_written import full, query_only
from tests.ops.test_doctor_mail import Post, listening
from tests.support.processes import PATIENCE, until
from tests.support.sold import sell

PUBLIC = "https://shop.example"
ELSEWHERE = {"clock"}
"""Rows that have tests of their own."""


@pytest.fixture
def engine() -> str:
    return "sqlite"


@pytest.fixture
def post() -> Post:
    return Post()


@pytest.fixture
def settings(tmp_path: Path, database_url: str, post: Post) -> Iterator[Settings]:
    with listening(post) as port:
        settings = make_settings(
            tmp_path / "data",
            database_url,
            smtp_url=f"smtp://127.0.0.1:{port}",
            shop_trusted_hosts="localhost",
        )
        yield settings.model_copy(update={"shop_development": False, "shop_public_url": PUBLIC})


class Shop:
    """A shop in production whose clock is moved by hand, and what a person gets from it."""

    def __init__(self, app: Flask, post: Post, calls: Provider, patch: pytest.MonkeyPatch) -> None:
        self.app, self.post, self.calls, self.patch = app, post, calls, patch
        self.worker = self.web = True
        self.passed = timedelta()
        self.got: set[str] = set()
        shop = self

        class Moved(datetime):
            @classmethod
            def now(cls, tz: tzinfo | None = None) -> Any:
                return (datetime.now(UTC) + shop.passed).astimezone(tz)

        patch.setattr("shop.db.datetime", Moved)
        patch.setattr("shop.ops.health.WRITES_EVERY", 0.0)

    def ten_minutes_pass(self) -> None:
        """The worker sweeps each minute, and a web process looks, as far as they live."""
        watch = Watch(self.app)
        watch.usable_at = watch.swept_at = 0.0
        with capture_logs() as lines:
            for _ in range(10):
                self.passed += timedelta(minutes=1)
                with self.app.app_context():
                    if self.worker:
                        with suppress(Exception):
                            jobs.run("sweep")
                    if self.web:
                        watch.look(self.passed.total_seconds())
            self.looks_by_hand()
        self.got |= logged(lines)

    def looks_by_hand(self) -> None:
        """What a person sees who looks, or a monitor."""
        answer = self.app.test_client().get("/readyz", base_url=PUBLIC)
        if answer.status_code == 503:
            self.got.add("503 from `/readyz`")
        wrong = [name for name, words in answer.get_json().items() if words != "ok"]
        self.got |= {f"`{name}` in `/readyz`" for name in wrong}
        with self.app.app_context(), suppress(Exception):
            self.got |= {f"the item `{item.kind}`" for item in open_attention()}
            if machine.queue(self.app.config["SETTINGS"]).level != "ok":
                self.got.add("the doctor's `queue`")
        operators = [mail for mail in self.post.taken if mail.rcpt_tos == ["help@shop.example"]]
        if operators and self.post.answer.startswith("250"):
            self.got.add("a mail")


def logged(lines: Iterable[Mapping[str, Any]]) -> set[str]:
    return {f"the log's `{line['event']}`" for line in lines}


@pytest.fixture
def world(app: Flask, post: Post, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shop]:
    """All is well: the public address leads to the shop, and the provider answers."""
    with provider(app) as calls:

        def by_proxy(request: requests.PreparedRequest) -> tuple[int, dict[str, str], str]:
            answer = app.test_client().get(request.path_url, base_url=PUBLIC)
            return answer.status_code, {}, answer.text

        calls.add_callback(responses.GET, f"{PUBLIC}/healthz", by_proxy)
        calls.invoice_is("created")
        yield Shop(app, post, calls, monkeypatch)


Failure = Callable[[Shop], AbstractContextManager[None]]


@contextmanager
def worker(shop: Shop) -> Iterator[None]:
    shop.worker = False
    yield


@contextmanager
def database(shop: Shop) -> Iterator[None]:
    with query_only(shop.app):
        yield


@contextmanager
def disk_full(shop: Shop) -> Iterator[None]:
    with full(shop.app):
        yield


@contextmanager
def disk_nearly_full(shop: Shop) -> Iterator[None]:
    usage = namedtuple("usage", "total used free")
    shop.patch.setattr(shutil, "disk_usage", lambda path: usage(10, 9, 400_000_000))
    yield


@contextmanager
def web_server(shop: Shop) -> Iterator[None]:
    shop.web = False
    shop.calls.remove(responses.GET, f"{PUBLIC}/healthz")
    yield


@contextmanager
def the_provider(shop: Shop) -> Iterator[None]:
    with shop.app.app_context():
        make_open_order(shop.app)
        end_read()
    shop.calls.upsert(responses.GET, shop.calls.info_url, body=requests.ConnectionError())
    yield


@contextmanager
def mail_server(shop: Shop) -> Iterator[None]:
    with shop.app.app_context():
        sell(shop.app)
        end_read()
    shop.post.answer = "451 later"
    yield


@contextmanager
def queue(shop: Shop) -> Iterator[None]:
    """A server that is away; a file would be made anew."""
    away = {"queue_url": "postgresql://nobody@127.0.0.1:1/nothing"}
    shop.app.config["SETTINGS"] = shop.app.config["SETTINGS"].model_copy(update=away)
    work, tried = Work(shop.app), threading.Event()
    del work._threads[0]  # which sweeps
    shop.patch.setattr("shop.worker.mend", lambda error: tried.set())
    with capture_logs() as lines:
        work.start()
        until(tried.is_set, "a try")
        work.end(PATIENCE)
    shop.got |= logged(lines)
    yield


FAILURES: dict[str, Failure] = {
    "worker": worker,
    "database": database,
    "disk nearly full": disk_nearly_full,
    "disk full": disk_full,
    "web server or proxy": web_server,
    "provider": the_provider,
    "mail server": mail_server,
    "queue": queue,
}


def rows() -> dict[str, set[str]]:
    """What each row of the table promises."""
    text = (ROOT / "docs" / "operating.md").read_text("utf-8")
    section = text.partition("\n## Who tells you what\n")[2].partition("\n## ")[0]
    cells = [line.strip("| ").split(" | ") for line in section.splitlines() if line[:1] == "|"]
    return {name: set(what.split("; ")) - {"nothing"} for name, what, _ in cells[2:]}


def test_every_row_has_been_considered() -> None:
    """One that promises nothing says who else could tell."""
    assert {name for name, what in rows().items() if what} == set(FAILURES) | ELSEWHERE


@pytest.mark.parametrize("name", FAILURES)
def test_a_person_gets_what_the_table_promises(world: Shop, name: str) -> None:
    with FAILURES[name](world):
        world.ten_minutes_pass()

    promised = rows()[name]
    assert promised <= world.got
    assert ("a mail" in promised) == ("a mail" in world.got)


def test_when_all_is_well_nobody_is_told_anything(world: Shop) -> None:
    """The control."""
    world.ten_minutes_pass()

    assert set().union(*rows().values()).isdisjoint(world.got)
