"""Two sweeps, a worker and postbacks meet on the same rows: nothing is asked or done twice, nobody gets stuck."""

from __future__ import annotations

import json
import multiprocessing
import re
import socket
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from shop import create_app, jobs
from shop.catalogue.models import DeliveryKind
from shop.catalogue.queries import find_product
from shop.config import Settings
from shop.db import db, end_read, utcnow
from shop.orders.models import Order, OrderStatus
from shop.payments.opening import open_invoice
from shop.payments.sweep import sweep
from tests.conftest import make_settings
from tests.factories import gateway, make_order, make_product, make_token
from tests.payments.wire import Script, read_request, serving
from tests.support.crowd import at_once
from tests.support.forgeries import ADDRESS
from tests.support.ledger import tally, violations
from tests.support.promises import Promise
from tests.support.standin import StandIn, history, not_once, stand_in

PATIENCE = 60
DUE = timedelta(seconds=16)
"""After an invoice was opened, when its first check is due."""

Fields = dict[str, str]


class Round:
    """Six orders that are due for a check; four are paid, and the provider tells so of three of them."""

    def __init__(self, app: Flask, provider: StandIn, slug: str) -> None:
        self.app, self.postbacks = app, list[Fields]()
        with app.app_context():
            product = find_product(slug)
            assert product
            for number in range(6):
                _, payment = make_order(app, product)
                open_invoice(payment, provider)  # type: ignore[arg-type]
                assert payment.invoice_id
                provider.truth[payment.invoice_id] = "paid" if number < 4 else "created"
                fields = {"invoice_id": payment.invoice_id, "order_id": payment.reference}
                self.postbacks.append(fields)
        self.now = utcnow() + DUE

    def post(self) -> None:
        """Postbacks of the first three, one after the other, each twice."""
        client, settings = self.app.test_client(), self.app.config["SETTINGS"]
        for postback in self.postbacks[:3] * 2:
            token = make_token(settings, postback["invoice_id"])
            assert client.post(ADDRESS, data=postback | {"token": token}).status_code == 200

    def work(self) -> None:
        """What the worker does beside the sweep."""
        with self.app.app_context():
            jobs.deliveries()
            jobs.mails()

    def judge(self, asked: Counter[str], most: int) -> None:
        """The sweeps ask about each due invoice once; once more where a postback made it due again."""
        told, *rest = self.postbacks[:3], *self.postbacks[3:]
        assert all(asked[postback["invoice_id"]] <= most for postback in told)
        assert [asked[postback["invoice_id"]] for postback in rest] == [1, 1, 1]


def place(app: Flask, count: int) -> str:
    """A product with so many keys; its slug."""
    with app.app_context():
        return make_product(kind=DeliveryKind.KEY, keys=count).slug


def fulfilled_once(app: Flask) -> list[str]:
    """What is wrong with the orders that are paid; the others have nothing of it, which the ledger sees."""
    with app.app_context():
        pending = db.session.query(Order).filter(Order.status == OrderStatus.PENDING)
        open_ = {order.number for order in pending}
        end_read()
    return [sentence for sentence in not_once(app) if not any(n in sentence for n in open_)]


@pytest.mark.promise(18)
@pytest.mark.parametrize("rounds", [2, pytest.param(200, marks=pytest.mark.long)])
def test_two_sweeps_a_worker_and_postbacks_ask_and_fulfil_once(
    app: Flask, rounds: int, promise: Promise
) -> None:
    provider, slug = stand_in(app), place(app, 6 * rounds)
    sweepers = [StandIn(gateway(app), provider.truth) for _ in range(2)]

    for _ in range(rounds):
        this = Round(app, provider, slug)

        def act(number: int, this: Round = this) -> None:
            if number == 3:
                return this.post()
            if number == 2:
                return this.work()
            with app.app_context():
                sweep(sweepers[number], this.now)  # type: ignore[arg-type]

        at_once(4, act)
        this.judge(Counter(sweepers[0].asked + sweepers[1].asked), most=2)

    with app.app_context():
        jobs.deliveries()
    promise.cases += 6 * rounds
    found = violations(app, provider.truth, settled=True, orders=6 * rounds)
    assert tally(promise, found + fulfilled_once(app)) == []
    assert sum(counts["fulfilled"] for counts in history(app).values()) == 4 * rounds


def test_if_a_check_were_not_claimed_both_sweeps_would_ask(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control for the count of calls."""
    monkeypatch.setattr("shop.payments.sweep._claim", lambda *_: True)
    provider, slug = stand_in(app), place(app, 6)
    sweepers = [StandIn(gateway(app), provider.truth) for _ in range(2)]
    this = Round(app, provider, slug)

    with app.app_context():
        for sweeper in sweepers:
            sweep(sweeper, this.now)  # type: ignore[arg-type]

    with pytest.raises(AssertionError):
        this.judge(Counter(sweepers[0].asked + sweepers[1].asked), most=2)


def sweep_when_told(settings: Settings, told: Connection) -> None:
    """A process that sweeps: for every moment it is given, at that moment."""
    app = create_app(settings)
    while now := told.recv():
        with app.app_context():
            sweep(gateway(app), now)
        told.send("done")


class Sweepers:
    """Two of them, with nothing in common but the database and the provider."""

    def __init__(self, settings: Settings) -> None:
        spawn = multiprocessing.get_context("spawn")
        self.lines: list[Any] = []
        self.processes = []
        for _ in range(2):
            ours, theirs = spawn.Pipe()
            process = spawn.Process(target=sweep_when_told, args=(settings, theirs), daemon=True)
            process.start()
            self.lines.append(ours)
            self.processes.append(process)

    def begin(self, now: datetime) -> None:
        for line in self.lines:
            line.send(now)

    def end(self) -> None:
        for line in self.lines:
            assert line.poll(PATIENCE), "a sweep got stuck"
            assert line.recv() == "done"

    def stop(self) -> None:
        for line, process in zip(self.lines, self.processes, strict=True):
            line.send(None)
            process.join(PATIENCE)


def telling(truth: dict[str, str], asked: list[str]) -> Script:
    """A provider that answers over HTTP what the stand-in knows, and notes who was asked about."""

    def script(connection: socket.socket) -> None:
        found = re.search(rb"uuid=INV-(\w+)", read_request(connection))
        assert found
        asked.append(found[1].decode())
        reply = json.dumps({"status": "success", "status_invoice": truth[asked[-1]]})
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n")
        connection.sendall(reply.encode())

    return script


@contextmanager
def sweeping(settings: Settings) -> Iterator[Sweepers]:
    sweepers = Sweepers(settings)
    try:
        yield sweepers
    finally:
        sweepers.stop()


@pytest.mark.promise(18)
@pytest.mark.long
@pytest.mark.parametrize("rounds", [200])
def test_two_processes_that_sweep_a_worker_and_postbacks_ask_and_fulfil_once(
    app: Flask, tmp_path: Path, database_url: str, rounds: int, promise: Promise
) -> None:
    provider, slug, asked = stand_in(app), place(app, 6 * rounds), list[str]()

    with serving(telling(provider.truth, asked)) as address:
        own = make_settings(tmp_path / "data", database_url, cryptocloud_api_url=address)
        with sweeping(own) as sweepers:
            for _ in range(rounds):
                this = Round(app, provider, slug)
                sweepers.begin(this.now)
                at_once(2, lambda number, this=this: (this.post, this.work)[number]())
                sweepers.end()
                this.judge(Counter(asked), most=2)

    with app.app_context():
        jobs.deliveries()
    promise.cases += 6 * rounds
    found = violations(app, provider.truth, settled=True, orders=6 * rounds)
    assert tally(promise, found + fulfilled_once(app)) == []
    assert sum(counts["fulfilled"] for counts in history(app).values()) == 4 * rounds
