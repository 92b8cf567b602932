"""The line of those who want to write: everybody waits while it moves, and only a few when it stands still."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from flask import Flask
from sqlalchemy import func, select

import shop.db
import shop.turns
from shop.db import db, end_read
from shop.orders.models import Order
from shop.turns import PATIENT, Line
from tests.factories import make_product, provider
from tests.support.crowd import fill_in, outcome


@contextmanager
def taken(line: Line) -> Iterator[None]:
    """Somebody has the turn."""
    assert line.acquire(timeout=60)
    try:
        yield
    finally:
        line.release()


def until_waiting(line: Line, count: int) -> None:
    while line.waiting < count:
        time.sleep(0.001)


def turn(line: Line) -> bool:
    """Wait for a turn, have it, and give it back."""
    if not line.acquire(timeout=60):
        return False
    line.release()
    return True


def test_when_the_line_stands_still_a_few_wait_on_and_the_others_are_told_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(shop.turns, "STANDS_STILL", 0)
    line = Line()

    with ThreadPoolExecutor(PATIENT) as pool:
        with taken(line):
            waiting = [pool.submit(turn, line) for _ in range(PATIENT)]
            until_waiting(line, PATIENT)
            refused = [turn(line) for _ in range(30)]

        assert refused == [False] * 30
        assert [each.result() for each in waiting] == [True] * PATIENT
    assert turn(line), "afterwards it moves again"


def test_whoever_insists_waits_however_long_the_line_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """They have asked the provider already, and the answer would be lost."""
    monkeypatch.setattr(shop.turns, "STANDS_STILL", 0)
    line = Line()

    with ThreadPoolExecutor(PATIENT + 1) as pool:
        with taken(line):
            waiting = [pool.submit(turn, line) for _ in range(PATIENT)]
            until_waiting(line, PATIENT)
            last = pool.submit(line.acquire, 60, insists=True)
            until_waiting(line, PATIENT + 1)

        assert last.result()
        line.release()
        assert all(each.result() for each in waiting)


def test_while_the_line_moves_everybody_waits() -> None:
    """The control: without a standstill nobody is refused."""
    line = Line()

    with ThreadPoolExecutor(32) as pool:
        with taken(line):
            waiting = [pool.submit(turn, line) for _ in range(32)]
            until_waiting(line, 32)

        assert all(each.result() for each in waiting)


def test_whoever_comes_straight_back_is_behind_all_who_wait() -> None:
    """Else busy threads keep the turn among themselves, and the others wait until they are told that all are busy."""
    line, order = Line(), list[object]()

    def wait(number: int) -> None:
        assert line.acquire(timeout=60)
        order.append(number)
        line.release()

    with ThreadPoolExecutor(8) as pool:
        assert line.acquire(timeout=60)
        for number in range(8):
            pool.submit(wait, number)
            until_waiting(line, number + 1)
        line.release()
        assert line.acquire(timeout=60)
        order.append("back")
        line.release()

    assert order == [*range(8), "back"]


def test_so_many_have_a_turn_at_once_whoever_gives_one_up() -> None:
    line = Line(at_once=2)

    with taken(line), taken(line):
        assert not line.acquire(timeout=0)
        assert line.waiting == 0
    with taken(line), taken(line), ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(turn, line)
        until_waiting(line, 1)
        line.release()
        assert waiting.result()
        assert line.acquire(timeout=60)
        assert not line.acquire(timeout=0)


def test_a_checkout_behind_a_standstill_is_put_off_and_pages_are_served(
    app: Flask, engine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = Line()
    monkeypatch.setattr(shop.db, "_write_lock" if engine == "sqlite" else "_postgres_writers", line)
    monkeypatch.setattr(shop.turns, "STANDS_STILL", 0)
    monkeypatch.setattr(shop.turns, "PATIENT", 0)
    with app.app_context():
        slug = make_product(stock=1).slug
        end_read()
    form = fill_in(app, slug)

    with taken(line):
        answer = form.send()
        page = app.test_client().get("/")

    assert (answer.status_code, page.status_code) == (503, 200)
    assert int(answer.headers["Retry-After"]) > 0
    with app.app_context():
        assert db.session.scalar(select(func.count()).select_from(Order)) == 0
    with provider(app) as calls:
        calls.invoice_is_made()
        assert outcome(form.send()) == "sold", "the same form, once more"


def test_the_log_says_how_long_a_request_has_queued_and_only_where_it_has(
    app: Flask, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with app.app_context():
        slug = make_product().slug
        end_read()
    form = fill_in(app, slug)

    def queued(worth_noting: float, key: str) -> list[object]:
        monkeypatch.setattr(shop.db, "WORTH_NOTING", worth_noting)
        caplog.clear()
        with provider(app) as calls:
            calls.invoice_is_made()
            form.send(key)
        lines = [json.loads(each.msg) for each in caplog.records if each.name == "shop.requests"]
        return [line.get("queued_ms") for line in lines]

    assert queued(60, "a") == [None]
    (waited,) = queued(0, "b")
    assert isinstance(waited, float)


def test_no_turn_is_kept_by_a_writer_who_fails(app: Flask) -> None:
    with app.app_context():
        for _ in range(20):
            with pytest.raises(LookupError), shop.db.transaction():
                raise LookupError
        with shop.db.transaction():
            """Somebody else's turn."""
