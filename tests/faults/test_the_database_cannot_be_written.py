"""Disk full, file or database read-only: 503, health red, no invoice, and no restart needed afterwards.

What stands in for what: SQLite's own page limit and a file-size limit on the running server for a
full disk; real file modes, as a user who has no rights, for a file that became read-only;
`default_transaction_read_only` for a PostgreSQL that fell over to its standby and back.
"""

from __future__ import annotations

import os
import pwd
import resource
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
import requests
from flask import Flask
from sqlalchemy import event, func, select, text
from sqlalchemy.engine import make_url
from werkzeug.test import TestResponse

import shop.db
import shop.ops.health
from shop.config import Settings
from shop.db import db, end_read, utcnow
from shop.orders.models import Order
from shop.payments.models import Payment
from shop.payments.opening import open_invoice
from shop.payments.sweep import sweep
from shop.sandbox.state import Sandbox
from tests.conftest import settings_for
from tests.factories import gateway, make_order, make_postback, make_product
from tests.support.crowd import fill_in, outcome
from tests.support.ledger import tally, truth_of, violations
from tests.support.processes import WebProcess
from tests.support.promises import Promise

pytestmark = pytest.mark.promise(10)

TIMES = [1, pytest.param(20, marks=pytest.mark.long)]
NO_LIMIT = 2**31 - 2


@pytest.fixture
def settings(tmp_path: Path, database_url: str, sandbox: Sandbox) -> Settings:
    return settings_for(sandbox, tmp_path / "data", database_url)


@pytest.fixture(autouse=True)
def always_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Health is looked at anew each time, not every five seconds."""
    monkeypatch.setattr(shop.ops.health, "WRITES_EVERY", 0.0)


Breakage = Callable[[Flask], AbstractContextManager[None]]


@contextmanager
def every_use_runs(app: Flask, statement: str, afterwards: str) -> Iterator[None]:
    """Every connection, also one that is open already, runs a statement before it is used."""
    runs = [statement]

    def use(connection: Any, record: Any, proxy: Any) -> None:
        connection.execute(runs[-1]).fetchall()

    with app.app_context():
        event.listen(db.engine, "checkout", use)
    yield
    runs.append(afterwards)


def query_only(app: Flask) -> AbstractContextManager[None]:
    """SQLite refuses every write, as on a read-only file system."""
    return every_use_runs(app, "PRAGMA query_only=ON", "PRAGMA query_only=OFF")


@contextmanager
def full(app: Flask) -> Iterator[None]:
    """SQLite's file may not grow by another page; there is still some room on those it has."""
    with app.app_context(), db.engine.connect() as connection:
        pages = connection.scalar(text("PRAGMA page_count"))
    with every_use_runs(app, f"PRAGMA max_page_count={pages}", f"PRAGMA max_page_count={NO_LIMIT}"):
        yield


@contextmanager
def read_only_file(app: Flask) -> Iterator[None]:
    """The file may only be read, and connections are opened while it is so."""
    path = database_file(app)
    with changed_modes(path, 0o444), changed_modes(path.parent, 0o777), without_rights(path):
        yield


@contextmanager
def read_only_folder(app: Flask) -> Iterator[None]:
    """Nothing can be made beside the file, which SQLite needs its log for, even to read."""
    path = database_file(app)
    with changed_modes(path.parent, 0o555), without_rights(path):
        yield


def database_file(app: Flask) -> Path:
    """Where SQLite's file is; nobody has it open any more, so that its log is gone."""
    with app.app_context():
        db.engine.dispose()
        return Path(db.engine.url.database or "")


@contextmanager
def changed_modes(path: Path, mode: int) -> Iterator[None]:
    before = path.stat().st_mode
    path.chmod(mode)
    try:
        yield
    finally:
        path.chmod(before)


@contextmanager
def without_rights(path: Path) -> Iterator[None]:
    """File modes mean nothing to root: be somebody who may get at the file and owns nothing."""
    if os.geteuid() != 0:
        yield
        return
    with ExitStack() as opened:
        for folder in path.parents[1:]:
            opened.enter_context(changed_modes(folder, folder.stat().st_mode | 0o011))
        os.seteuid(pwd.getpwnam("nobody").pw_uid)
        try:
            yield
        finally:
            os.seteuid(0)


@contextmanager
def read_only_server(app: Flask) -> Iterator[None]:
    """PostgreSQL cuts every connection and refuses writes on new ones, as a standby does."""
    url = make_url(app.config["SETTINGS"].database).set(drivername="postgresql")
    address, name = url.render_as_string(hide_password=False), url.database
    with psycopg.connect(address, autocommit=True) as operator:
        setting = f'ALTER DATABASE "{name}" SET default_transaction_read_only = '
        operator.execute(f"{setting} on")
        cut(operator)
        try:
            yield
        finally:  # and the connections that were opened meanwhile stay as they are
            operator.execute("SET default_transaction_read_only = off")
            operator.execute(f"{setting} off")


def cut(operator: psycopg.Connection[Any]) -> None:
    operator.execute(
        "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )


BREAKAGES: list[tuple[str, Breakage]] = [
    ("sqlite", query_only),
    ("sqlite", read_only_file),
    ("postgresql", read_only_server),
]


def postback_of_an_open_order(app: Flask) -> dict[str, object]:
    """What the provider sends about an order whose invoice it has made."""
    _, payment = make_order(app)
    open_invoice(payment, gateway(app))
    postback = make_postback(app.config["SETTINGS"], db.session.get_one(Payment, payment.id))
    end_read()
    return postback


def says_come_back(answer: TestResponse) -> bool:
    return answer.status_code == 503 and int(answer.headers["Retry-After"]) > 0


@pytest.mark.parametrize("times", TIMES)
@pytest.mark.parametrize(("engine", "broken"), BREAKAGES)
def test_nothing_is_promised_that_cannot_be_written_down(
    app: Flask, sandbox: Sandbox, promise: Promise, broken: Breakage, times: int
) -> None:
    with app.app_context():
        slug = make_product(stock=1000).slug
        postback = postback_of_an_open_order(app)
    form = fill_in(app, slug)
    shop_front = app.test_client()
    assert shop_front.get("/readyz").status_code == 200
    assert shop_front.get("/no/such/page").status_code == 404  # its template is read once, now

    for number in range(times):
        invoices = len(sandbox.invoices())
        with broken(app):
            assert says_come_back(form.send(number))
            answer = shop_front.post("/payments/cryptocloud/postback", data=postback)
            assert says_come_back(answer)
            assert shop_front.get("/readyz").status_code == 503
            assert shop_front.get("/").status_code == 200
            assert shop_front.get(f"/products/{slug}").status_code == 200
            assert len(sandbox.invoices()) == invoices

        promise.cases += 1
        # A connection that was opened meanwhile is left when it fails: once, at the most.
        assert 200 in (shop_front.get("/readyz").status_code for _ in range(2))
        assert outcome(form.send(number)) == "sold"
        answer = shop_front.post("/payments/cryptocloud/postback", data=postback)
        assert answer.status_code == 200
        assert shop_front.get("/readyz").status_code == 200
    orders = 1 + times
    assert tally(promise, violations(app, truth_of(sandbox), orders=orders)) == []


@pytest.mark.parametrize(
    ("engine", "broken"), [("sqlite", read_only_file), ("postgresql", read_only_server)]
)
def test_connections_that_are_kept_would_stay_read_only_for_ever(
    app: Flask, broken: Breakage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control: what leaving them is there for."""
    shop_front = app.test_client()
    assert shop_front.get("/readyz").status_code == 200
    with app.app_context():
        event.remove(db.engine, "handle_error", shop.db._leave_useless_connections)

    with broken(app):
        assert shop_front.get("/readyz").status_code == 503

    assert shop_front.get("/readyz").status_code == 503


@pytest.mark.parametrize("engine", ["sqlite"])
def test_a_shop_that_starts_in_a_read_only_folder_serves_nobody_until_it_can_be_written(
    app: Flask, sandbox: Sandbox, promise: Promise
) -> None:
    """Not even readers: a database in WAL mode is opened with a log beside it."""
    with app.app_context():
        slug = make_product(stock=1).slug
        end_read()
    form, shop_front = fill_in(app, slug), app.test_client()
    assert shop_front.get("/no/such/page").status_code == 404

    with read_only_folder(app):
        assert says_come_back(form.send())
        assert says_come_back(shop_front.get("/"))
        assert shop_front.get("/readyz").status_code == 503
        assert len(sandbox.invoices()) == 0

    promise.cases += 1
    assert shop_front.get("/readyz").status_code == 200
    assert outcome(form.send()) == "sold"
    assert tally(promise, violations(app, truth_of(sandbox), orders=1)) == []


@pytest.mark.parametrize("times", [1, pytest.param(5, marks=pytest.mark.long)])
@pytest.mark.parametrize("engine", ["sqlite"])
def test_a_file_that_reaches_its_limit_sells_what_it_has_room_for_and_loses_no_order(
    app: Flask, sandbox: Sandbox, promise: Promise, times: int
) -> None:
    """Where the order fitted and the note of its invoice did not, it is as after a crash in between."""
    with app.app_context():
        slug = make_product(stock=10_000).slug
        end_read()
    form, shop_front = fill_in(app, slug), app.test_client()
    sold = stranded = 0

    for number in range(times):
        with full(app):
            while outcome(answer := form.send(f"{number}-{sold}")) == "sold":
                sold += 1
            assert says_come_back(answer)
            assert len(sandbox.invoices()) - sold - stranded in (0, 1)
            assert shop_front.get("/readyz").status_code == 503
            assert shop_front.get("/").status_code == 200

        promise.cases += 1
        assert shop_front.get("/readyz").status_code == 200
        answer = form.send(f"{number}-{sold}")
        sold += outcome(answer) == "sold"
        stranded += answer.headers["Location"].startswith("/orders/")
        assert len(sandbox.invoices()) == count_orders(app) == sold + stranded
    with app.app_context():
        for later in (1, 5):
            sweep(gateway(app), utcnow() + timedelta(minutes=later))
            end_read()
    found = violations(app, truth_of(sandbox), orders=sold + stranded, settled=True)
    assert tally(promise, found) == []


def count_orders(app: Flask) -> int:
    with app.app_context():
        return db.session.scalar(select(func.count()).select_from(Order)) or 0


@contextmanager
def files_may_not_grow(web: WebProcess) -> Iterator[None]:
    """The server, which is running, may write no file beyond its first byte."""
    pids = [web.process.pid, *children(web.process.pid)]
    before = [resource.prlimit(pid, resource.RLIMIT_FSIZE) for pid in pids]
    for pid in pids:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (1, before[0][1]))
    try:
        yield
    finally:
        for pid, limit in zip(pids, before, strict=True):
            resource.prlimit(pid, resource.RLIMIT_FSIZE, limit)


def children(pid: int) -> list[int]:
    listed = Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii")
    return [int(child) for child in listed.split()]


@pytest.fixture
def web(settings: Settings) -> Iterator[WebProcess]:
    web = WebProcess(settings)
    yield web
    web.kill()


@pytest.mark.skipif(sys.platform != "linux", reason="limits of another process are Linux's")
@pytest.mark.parametrize("times", TIMES)
@pytest.mark.parametrize("engine", ["sqlite"])
def test_a_running_server_whose_disk_is_full_recovers_by_itself(
    app: Flask, sandbox: Sandbox, web: WebProcess, promise: Promise, times: int
) -> None:
    with app.app_context():
        slug = make_product(stock=1000).slug
        postback = postback_of_an_open_order(app)
    form = fill_in(app, slug)

    def order(number: int) -> requests.Response:
        fields = form.fields | {"checkout_key": f"{form.fields['checkout_key']}{number}"}
        return post("/checkout", fields, cookies={"session": form.cookie})

    def post(path: str, fields: dict[str, Any], **more: Any) -> requests.Response:
        address = f"{web.url}{path}"
        return requests.post(address, fields, timeout=60, allow_redirects=False, **more)

    for number in range(times):
        invoices = len(sandbox.invoices())
        with files_may_not_grow(web):
            for answer in (order(number), post("/payments/cryptocloud/postback", postback)):
                assert answer.status_code == 503
                assert int(answer.headers["Retry-After"]) > 0
            assert len(sandbox.invoices()) == invoices
            assert requests.get(f"{web.url}/products/{slug}", timeout=60).status_code == 200

        promise.cases += 1
        assert order(number).headers["Location"].startswith(sandbox.settings.pay_origins())
        assert post("/payments/cryptocloud/postback", postback).status_code == 200
    orders = 1 + times
    assert tally(promise, violations(app, truth_of(sandbox), orders=orders)) == []
