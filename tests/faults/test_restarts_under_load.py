"""Reload and restart while buyers are at it: no request fails, and no money is lost."""

from __future__ import annotations

import os
import random
import signal
import socket
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from flask import Flask

from demo.stack import Stack
from shop.config import Settings
from shop.db import db, end_read, utcnow
from shop.orders.models import Order
from shop.payments.cryptocloud.calls import CALL_SECONDS
from shop.payments.models import Postback
from shop.payments.sweep import sweep
from shop.sandbox.invoices import Action
from shop.sandbox.postbacks import happen
from shop.sandbox.state import Sandbox
from tests.conftest import settings_for
from tests.factories import gateway, make_product
from tests.support.ledger import tally, truth_of, violations
from tests.support.live_sandbox import running_sandbox
from tests.support.load import Load
from tests.support.processes import (
    PATIENCE,
    Notifications,
    WebProcess,
    here,
    open_socket,
    unit,
    until,
)
from tests.support.promises import Promise

SLOW = 0.2  # seconds of the provider for each call, so that every signal meets open calls
FULL = [
    pytest.param("sqlite", 8, 1),
    pytest.param("sqlite", 32, 3, marks=pytest.mark.long),
    pytest.param("postgresql", 32, 3, marks=pytest.mark.long),
]
figures = pytest.mark.parametrize(("engine", "clients", "rounds"), FULL, indirect=["engine"])


@pytest.fixture
def door() -> Iterator[socket.socket]:
    """The shop's port, open as long as the test runs."""
    with open_socket() as door:
        yield door


@pytest.fixture
def sandbox(door: socket.socket) -> Iterator[Sandbox]:
    shop = f"http://127.0.0.1:{door.getsockname()[1]}"
    with running_sandbox(
        notification_url=f"{shop}/payments/cryptocloud/postback",
        postback_patience=PATIENCE,  # a restart takes as long as the machine makes it
    ) as sandbox:
        sandbox.turn({"api": "slow", "seconds": SLOW})
        yield sandbox


@pytest.fixture
def settings(tmp_path: Path, database_url: str, sandbox: Sandbox) -> Settings:
    return settings_for(sandbox, tmp_path / "data", database_url)


@pytest.fixture
def slug(app: Flask) -> str:
    with app.app_context():
        slug = make_product(stock=100_000).slug
        end_read()
        return slug


def found_afterwards(app: Flask, sandbox: Sandbox, orders: int) -> list[str]:
    """What Rule B finds once the sweeps have run; the provider is quick again."""
    sandbox.turn({"api": "up"})
    with app.app_context():
        for minutes in (1, 5, 10):
            sweep(gateway(app), utcnow() + timedelta(minutes=minutes))
            end_read()
    return violations(app, truth_of(sandbox), settled=True, orders=orders)


@pytest.mark.promise(16)
@figures
def test_reload_and_restart_with_the_socket_outside_fail_no_request(
    app: Flask,
    settings: Settings,
    sandbox: Sandbox,
    door: socket.socket,
    slug: str,
    clients: int,
    rounds: int,
    promise: Promise,
) -> None:
    started = here(unit("storefront.service")["ExecStart"][0])
    with (
        Notifications() as told,
        closing(
            WebProcess(settings, workers=2, door=door, command=started, NOTIFY_SOCKET=told.name)
        ) as web,
        Load(web.url, slug, sandbox, clients) as load,
    ):
        assert told.recv(100).startswith(b"READY=1"), "Type=notify waits for this"
        for _ in range(rounds):
            load.goes_on(clients * 3)
            web.reload()
            load.goes_on(clients * 3)
            web.restart()
        load.goes_on(clients * 3)

    promise.cases += load.seen
    promise.lost += len(load.failures)
    assert load.failures == []
    assert load.placed
    assert tally(promise, found_afterwards(app, sandbox, len(load.placed))) == []


@pytest.mark.promise(16)
@pytest.mark.long
@figures
def test_without_the_socket_outside_requests_fail_but_none_that_was_begun(
    app: Flask,
    settings: Settings,
    sandbox: Sandbox,
    door: socket.socket,
    slug: str,
    clients: int,
    rounds: int,
    promise: Promise,
) -> None:
    """The control: gunicorn's own socket closes with it. Who is refused is also not half served."""
    port = door.getsockname()[1]
    door.close()
    with (
        closing(WebProcess(settings, workers=2, port=port)) as web,
        Load(web.url, slug, sandbox, clients) as load,
    ):
        for _ in range(rounds):
            load.goes_on(clients * 3)
            web.restart()
        load.goes_on(clients * 3)

    assert load.failures
    with app.app_context():
        taken = {order.checkout_key for order in db.session.query(Order)}
        heard = {postback.invoice_id for postback in db.session.query(Postback)}
        end_read()
    half_served = len(taken & set(load.refused)) + len(heard & set(load.unheard))
    promise.cases += load.seen + len(load.failures)
    promise.lost += half_served
    assert half_served == 0
    assert tally(promise, found_afterwards(app, sandbox, len(load.placed))) == []


def answer_while_it_stops(web: WebProcess, slug: str, sandbox: Sandbox) -> Load:
    """One buyer, who is waiting for the provider when the shop is told to stop."""
    with Load(web.url, slug, sandbox, 1) as load:
        until(sandbox.invoices, "the call for the invoice")
        load.ended.set()
        web.stop()
        until(lambda: load.placed or load.failures, "the buyer's answer")
    return load


@pytest.mark.promise(16)
@pytest.mark.long
def test_a_checkout_that_was_begun_is_answered_before_the_worker_stops(
    settings: Settings,
    sandbox: Sandbox,
    door: socket.socket,
    slug: str,
    promise: Promise,
) -> None:
    """However long the provider takes, within its deadline."""
    sandbox.turn({"api": "slow", "seconds": CALL_SECONDS - 3})  # the rest is for a busy machine
    with closing(WebProcess(settings, door=door)) as web:
        load = answer_while_it_stops(web, slug, sandbox)

    promise.cases += 1
    promise.lost += len(load.failures)
    assert (len(load.placed), load.failures) == (1, [])


@pytest.mark.long
@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
def test_with_less_patience_than_the_provider_needs_it_would_not_be(
    settings: Settings, sandbox: Sandbox, door: socket.socket, slug: str
) -> None:
    """The control for the test before."""
    sandbox.turn({"api": "slow", "seconds": 6})
    hasty = "--graceful-timeout=1"
    with closing(WebProcess(settings, door=door, GUNICORN_CMD_ARGS=hasty)) as web:
        load = answer_while_it_stops(web, slug, sandbox)

    assert (load.placed, len(load.failures)) == ([], 1)


@pytest.mark.promise(17)
@figures
def test_a_worker_killed_during_calls_takes_nobody_else_with_it(
    app: Flask,
    settings: Settings,
    sandbox: Sandbox,
    door: socket.socket,
    slug: str,
    clients: int,
    rounds: int,
    promise: Promise,
) -> None:
    """SIGKILL as when memory is short; in the full figures also SIGABRT, as for a worker that hangs."""
    signals = [signal.SIGKILL, signal.SIGABRT][:rounds]
    with closing(WebProcess(settings, workers=2, door=door)) as web:
        with Load(web.url, slug, sandbox, clients) as load:
            for number in signals * rounds:
                load.goes_on(clients * 3)
                kill_one_that_calls(web, sandbox, number)
            load.goes_on(clients * 3)
        sandbox.turn({"api": "up"})
        for invoice in sandbox.invoices():  # also those that neither buyer nor shop has heard of
            if invoice.status.value == "created":
                happen(sandbox, invoice.id, Action.PAY, wait=True)

    promise.cases += len(signals) * rounds
    assert len(load.failures) <= clients * len(signals) * rounds, "only those whom it served"
    assert not [failure for failure in load.failures if "WrongAnswer" in failure], "cut, at worst"
    with app.app_context():
        taken = {order.checkout_key for order in db.session.query(Order)}
        end_read()
    gone = set(load.placed) - taken
    promise.lost += len(gone)
    assert gone == set()
    assert tally(promise, found_afterwards(app, sandbox, len(taken))) == []


def kill_one_that_calls(web: WebProcess, sandbox: Sandbox, number: int) -> None:
    """Kill one of the workers while calls to the provider are open."""
    victim = random.choice(sorted(web.workers()))
    before = len(sandbox.invoices())
    until(lambda: len(sandbox.invoices()) > before, "one more call")
    os.kill(victim, number)
    until(lambda: victim not in web.workers(), "the end of the worker")


@pytest.mark.promise(16)
@pytest.mark.long
def test_dev_py_run_keeps_the_port_open_while_the_shop_restarts(
    tmp_path: Path, promise: Promise
) -> None:
    with (
        Stack(tmp_path / "data") as stack,
        Load(stack.shop_url, "", None, 8) as load,
    ):
        for _ in range(3):
            load.goes_on(50)
            stack.restart("shop")
        load.goes_on(50)

    promise.cases += load.seen
    promise.lost += len(load.failures)
    assert load.failures == []
