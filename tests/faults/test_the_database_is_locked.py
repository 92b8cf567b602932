"""Another process holds the database: everyone is told in time to come back, and no invoice is made."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import Connection, event, text
from sqlalchemy.exc import OperationalError
from werkzeug.test import TestResponse

import shop.db
from shop.config import Settings
from shop.db import db, end_read, transaction
from shop.payments.models import Payment
from shop.sandbox.state import Sandbox
from tests.conftest import settings_for
from tests.factories import gateway, make_order, make_postback, make_product
from tests.support.crowd import FilledForm, at_once, fill_in, outcome
from tests.support.ledger import tally, truth_of, violations
from tests.support.locker import locked
from tests.support.promises import Promise

pytestmark = pytest.mark.promise(9)

FULL = pytest.param(30.0, marks=pytest.mark.long)
"""The lock of docs/promises.md in seconds; the quick tier's is shorter, and the shop's patience with it."""


@pytest.fixture
def settings(tmp_path: Path, database_url: str, sandbox: Sandbox) -> Settings:
    return settings_for(sandbox, tmp_path / "data", database_url)


@contextmanager
def impatient(app: Flask, monkeypatch: pytest.MonkeyPatch, seconds: float) -> Iterator[None]:
    """For a while the shop waits only so long for its turn; on PostgreSQL three tenths of that."""

    def shorten(connection: Any, record: Any) -> None:
        connection.cursor().execute(f"SET lock_timeout='{int(seconds * 300)}ms'")
        connection.commit()

    with app.app_context():
        engine = db.engine
    postgresql = engine.dialect.name == "postgresql"
    engine.dispose()
    if postgresql:
        event.listen(engine, "connect", shorten)
    with monkeypatch.context() as patch:
        patch.setattr(shop.db, "BUSY_SECONDS", seconds)
        yield
    if postgresql:
        event.remove(engine, "connect", shorten)
    engine.dispose()


def says_come_back(answer: TestResponse) -> bool:
    return answer.status_code == 503 and int(answer.headers["Retry-After"]) > 0


class Visitors:
    """Buyers with filled-in forms, and the provider with genuine postbacks about open orders."""

    def __init__(self, app: Flask, sandbox: Sandbox, count: int) -> None:
        self.app, self.count = app, count
        with app.app_context():
            slug = make_product(stock=1000).slug
            self.postbacks = [self._postback(app) for _ in range(count)]
            end_read()
        self.form: FilledForm = fill_in(app, slug)

    @staticmethod
    def _postback(app: Flask) -> dict[str, object]:
        _, payment = make_order(app)
        shop.payments.opening.open_invoice(payment, gateway(app))
        return make_postback(app.config["SETTINGS"], db.session.get_one(Payment, payment.id))

    def come(self, wave: int = 0) -> list[tuple[TestResponse, float]]:
        """All at once; each answer and the seconds it took. The same ones again with the same wave."""

        def visit(number: int) -> tuple[TestResponse, float]:
            began = time.monotonic()
            if number % 2:
                answer = self.form.send(f"{wave}-{number}")
            else:
                client = self.app.test_client()
                postback = self.postbacks[number // 2]
                answer = client.post("/payments/cryptocloud/postback", data=postback)
            return answer, time.monotonic() - began

        return at_once(2 * self.count, visit)


@pytest.mark.parametrize("seconds", [0.6, FULL])
def test_whoever_comes_while_it_is_locked_is_told_in_time_and_is_served_afterwards(
    app: Flask,
    sandbox: Sandbox,
    promise: Promise,
    monkeypatch: pytest.MonkeyPatch,
    seconds: float,
) -> None:
    patience, waves = seconds / 3, 6 if seconds == 30 else 2
    visitors = Visitors(app, sandbox, count=8 if seconds == 30 else 3)
    invoices_before = len(sandbox.invoices())
    answered_within = 12 if seconds == 30 else 30  # in the quick tier the machine may be busy
    url = app.config["SETTINGS"].database
    pause = (seconds - patience) / (waves - 1)

    with impatient(app, monkeypatch, patience), ThreadPoolExecutor(waves) as pool, locked(url):
        coming: list[Future[Any]] = []
        for wave in range(waves):  # one while the other still waits
            coming.append(pool.submit(visitors.come, wave))
            assert app.test_client().get("/").status_code == 200, "the shop can be looked at"
            time.sleep(pause if wave < waves - 1 else 0)
        answers = [answer for wave in coming for answer in wave.result()]

    promise.cases += len(answers)
    assert all(says_come_back(answer) for answer, _ in answers)
    assert max(took for _, took in answers) < answered_within
    assert len(sandbox.invoices()) == invoices_before
    for wave in range(waves):
        later = [answer for answer, _ in visitors.come(wave)]
        assert {answer.status_code for answer in later[::2]} == {200}
        assert {outcome(answer) for answer in later[1::2]} == {"sold"}
    orders = visitors.count * (1 + waves)
    assert tally(promise, violations(app, truth_of(sandbox), orders=orders)) == []


@pytest.mark.parametrize("engine", ["sqlite"])  # only its writers queue in the process
def test_what_the_turn_in_the_process_has_cost_is_not_waited_for_again(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the last of many would wait twice as long. The control is the writer that finds no queue."""
    real, left = shop.db._begin_writing, list[float]()
    turn, now = Turn(), [1000.0]  # a clock of its own: the machine's pace is not the point

    def begin(connection: Connection, until: float) -> None:
        left.append(until - now[0])
        real(connection, until)

    def write(number: int = 0) -> None:
        with app.app_context(), transaction():
            """Nothing: it is about the turn."""

    monkeypatch.setattr(shop.db, "_begin_writing", begin)
    monkeypatch.setattr(shop.db, "_write_lock", turn)
    monkeypatch.setattr(shop.db, "time", SimpleNamespace(monotonic=lambda: now[0]))
    write()
    with ThreadPoolExecutor(1) as pool:
        with turn.lock:
            turn.asked_for.clear()
            waiting = pool.submit(write)
            assert turn.asked_for.wait(30)
            until_over(waiting, 0.1)
            now[0] += 3
        waiting.result()

    assert left == [shop.db.BUSY_SECONDS, shop.db.BUSY_SECONDS - 3]

    with locked(app.config["SETTINGS"].database), app.app_context():
        began = time.monotonic()
        with pytest.raises(OperationalError, match="locked"), db.engine.connect() as connection:
            connection.execution_options(write_until=now[0]).execute(text("SELECT 1"))
        # At once; half of what a writer may wait is left for a busy machine.
        assert time.monotonic() - began < shop.db.BUSY_SECONDS / 2, "no time was left to wait"


class Turn:
    """The process's lock for writing, which says that somebody asks for it."""

    def __init__(self) -> None:
        self.lock, self.asked_for = threading.Lock(), threading.Event()

    def acquire(self, timeout: float, *, insists: bool) -> bool:
        self.asked_for.set()
        return self.lock.acquire(timeout=timeout)

    def release(self) -> None:
        self.lock.release()


def until_over(waiting: Future[None], seconds: float) -> None:
    """Let it wait for a while; it must not be done before."""
    with pytest.raises(TimeoutError):
        waiting.result(seconds)


@pytest.mark.parametrize("engine", ["sqlite"])
def test_a_checkout_that_asks_for_the_invoice_first_leaves_one_behind(
    app: Flask, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control: no invoice is made because the order is stored before anybody is called."""

    def naive(cart: Any, buyer: Any) -> Any:
        gateway(app).create_invoice(cart.total, reference="early")
        return real(cart, buyer)

    real = shop.checkout.service.place_order
    with app.app_context():
        slug = make_product(stock=1).slug
        end_read()
    form = fill_in(app, slug)
    monkeypatch.setattr("shop.checkout.views.place_order", naive)
    monkeypatch.setattr("shop.checkout.views.find_placed_order", lambda buyer: None)

    with impatient(app, monkeypatch, 0.3), locked(app.config["SETTINGS"].database):
        assert says_come_back(form.send())

    assert len(sandbox.invoices()) == 1
