"""PostgreSQL crashes, connections are cut, the answer to a COMMIT is lost: no order is, nor made twice."""

from __future__ import annotations

import secrets
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from flask import Flask, Response
from sqlalchemy import func, select, text
from sqlalchemy.exc import OperationalError

import shop.db
from shop.config import Settings
from shop.db import db, end_read, utcnow
from shop.orders.models import Order, OrderStatus
from shop.payments.sweep import sweep
from shop.sandbox.invoices import Action
from shop.sandbox.state import Sandbox
from tests.conftest import migrate, settings_for
from tests.factories import gateway, make_product, make_token
from tests.support.crowd import FilledForm, fill_in, outcome
from tests.support.cutter import Cutter, cutter
from tests.support.ledger import tally, truth_of, violations
from tests.support.postgres import NoPostgres, Server, own_server
from tests.support.promises import Promise

pytestmark = pytest.mark.promise(11)

BUYERS = 6
BLOWS = [1, pytest.param(20, marks=pytest.mark.long)]
"""Crashes of the server, and as many rounds of cutting every connection."""
PATIENCE = 60


@pytest.fixture(params=["postgresql"])
def engine(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """A server of our own, which may be crashed; with `synchronous_commit` off, as if set up badly."""
    try:
        with own_server(("fsync=off", "synchronous_commit=off")) as server:
            yield server
    except NoPostgres as error:
        pytest.skip(f"no PostgreSQL: {error}")


@pytest.fixture
def wire(server: Server) -> Iterator[Cutter]:
    short = tempfile.TemporaryDirectory(prefix="wire-")  # a socket's path may not be long
    with short as folder, cutter(server.folder, Path(folder)) as wire:
        yield wire


@pytest.fixture
def settings(
    engine: str, tmp_path: Path, server: Server, wire: Cutter, sandbox: Sandbox
) -> Settings:
    name = f"test_{secrets.token_hex(6)}"
    with psycopg.connect(server.url, autocommit=True) as operator:
        operator.execute(f'CREATE DATABASE "{name}"')
    url = f"postgresql+psycopg://postgres@/{name}?host={wire.folder}"
    settings = settings_for(sandbox, tmp_path / "data", url)
    migrate(settings)
    return settings


class Crowd:
    """Buyers who send each form until it has made an order, pay, and have it told until it is heard."""

    def __init__(self, app: Flask, sandbox: Sandbox, form: FilledForm) -> None:
        self.app, self.sandbox, self.form = app, sandbox, form
        self.over = threading.Event()
        self.orders = self.again = self.unpaid = 0
        self.odd: list[str] = []
        self.counting = threading.Lock()

    def buy_until_over(self, name: int, *, keeps_the_form: bool) -> None:
        number = 0
        while not self.over.is_set():
            self.buy(f"{name}-{number}", keeps_the_form=keeps_the_form)
            number += 1

    def buy(self, key: str, *, keeps_the_form: bool) -> None:
        tries, until = 0, time.monotonic() + PATIENCE
        while time.monotonic() < until:
            answer = self.form.send(key if keeps_the_form else f"{key}-{tries}")
            if answer.status_code == 303:
                break
            tries += 1
            if answer.status_code != 503:
                self.odd.append(outcome(answer))
            time.sleep(0.01)
        with self.counting:
            self.orders += 1
            self.again += tries
        if outcome(answer) != "sold":  # an order without an invoice yet: its page explains
            with self.counting:
                self.unpaid += 1
            return
        invoice = answer.headers["Location"].rpartition("/")[2]
        self.sandbox.act(invoice, Action.PAY)
        self.tell(invoice, until)

    def tell(self, invoice: str, until: float) -> None:
        postback = {"invoice_id": invoice, "token": make_token(self.settings, invoice)}
        while time.monotonic() < until:
            answer = self.app.test_client().post("/payments/cryptocloud/postback", data=postback)
            if answer.status_code == 200:
                return
            if answer.status_code != 503:
                self.odd.append(f"postback {answer.status_code}")
            time.sleep(0.01)

    @property
    def settings(self) -> Settings:
        settings: Settings = self.app.config["SETTINGS"]
        return settings


@contextmanager
def crowded(
    app: Flask, sandbox: Sandbox, buyers: int, *, keeps_the_form: bool = True
) -> Iterator[Crowd]:
    with app.app_context():
        slug = make_product(stock=100_000).slug
        end_read()
    crowd = Crowd(app, sandbox, fill_in(app, slug))
    threads = [
        threading.Thread(
            target=crowd.buy_until_over, args=(name,), kwargs={"keeps_the_form": keeps_the_form}
        )
        for name in range(buyers)
    ]
    for thread in threads:
        thread.start()
    try:
        yield crowd
    finally:
        crowd.over.set()
        for thread in threads:
            thread.join(2 * PATIENCE)


def cut_all(server: Server) -> None:
    with psycopg.connect(server.url, autocommit=True) as operator:
        operator.execute(
            "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity"
            " WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
        )


def bought(crowd: Crowd, more: int) -> None:
    """Wait until so many more orders have been made."""
    goal, until = crowd.orders + more, time.monotonic() + PATIENCE
    while crowd.orders < goal:
        assert time.monotonic() < until, "nobody can buy any more"
        time.sleep(0.01)


def count_orders(app: Flask) -> int:
    with app.app_context():
        return db.session.scalar(select(func.count()).select_from(Order)) or 0


def sweep_twice(app: Flask) -> None:
    with app.app_context():
        for later in (1, 2):
            sweep(gateway(app), utcnow() + timedelta(minutes=later))
            end_read()


@pytest.mark.parametrize("blows", BLOWS)
def test_while_the_server_crashes_and_connections_are_cut_every_form_makes_one_order(
    app: Flask, sandbox: Sandbox, server: Server, wire: Cutter, promise: Promise, blows: int
) -> None:
    wire.every = {"after": 11, "before": 17}
    with crowded(app, sandbox, BUYERS) as crowd:
        for _ in range(blows):
            bought(crowd, 4)
            server.restart()
            bought(crowd, 4)
            cut_all(server)
        bought(crowd, 4)
    wire.every = {}
    sweep_twice(app)

    promise.cases += crowd.orders
    promise.doubled += max(0, count_orders(app) - crowd.orders)
    assert crowd.odd == []
    assert crowd.again > 0
    assert min(wire.cuts.values()) > 0
    found = violations(app, truth_of(sandbox), orders=crowd.orders, settled=True)
    assert tally(promise, found) == []
    with app.app_context():
        paid = Order.status.in_([OrderStatus.PAID, OrderStatus.FULFILLED])
        sold = db.session.scalar(select(func.count()).select_from(Order).where(paid)) or 0
        assert sold >= crowd.orders - crowd.unpaid


def test_a_form_that_gets_a_new_key_when_it_is_sent_again_makes_two_orders(
    app: Flask, sandbox: Sandbox, wire: Cutter
) -> None:
    """The control: the shop cannot know that a COMMIT was done; it is the key that does."""
    with crowded(app, sandbox, 1, keeps_the_form=False) as crowd:
        wire.every = {"after": 3}
        bought(crowd, 4)
    wire.every = {}

    assert count_orders(app) > crowd.orders


def test_a_connection_that_is_cut_while_the_answer_goes_out_does_not_spoil_it(
    app: Flask, server: Server
) -> None:
    def cut(answer: Response) -> Response:
        db.session.rollback()  # a read has nothing to end; this is what an unfinished write leaves
        db.session.connection(execution_options={"write_until": 0.0}).execute(text("SELECT 1"))
        cut_all(server)
        return answer

    app.after_request(cut)
    assert app.test_client().get("/").status_code == 200

    app.teardown_appcontext_funcs.remove(shop.db._leave_sessions)
    with pytest.raises(OperationalError):  # the control: it takes the answer with it
        app.test_client().get("/")


def test_every_connection_waits_for_the_disk_whatever_the_server_is_set_to(
    app: Flask, server: Server
) -> None:
    with psycopg.connect(server.url) as other:
        assert setting(other) == "off"

    with app.app_context(), db.engine.connect() as one, db.engine.connect() as two:
        drivers: list[Any] = [one.connection.driver_connection, two.connection.driver_connection]
        assert [setting(driver) for driver in drivers] == ["on", "on"]


def setting(connection: psycopg.Connection[Any]) -> str:
    row = connection.execute("SHOW synchronous_commit").fetchone()
    assert row
    return str(row[0])


def test_each_connection_has_the_time_limits_of_the_shop(app: Flask) -> None:
    """Else a buyer would wait for as long as somebody holds a lock."""
    names = list(shop.db.POSTGRES_LIMITS)
    asked = text("SELECT name, setting FROM pg_settings WHERE name = ANY(:names)")
    with app.app_context(), db.engine.connect() as connection:
        told = {name: int(ms) for name, ms in connection.execute(asked, {"names": names})}

    assert told == shop.db.POSTGRES_LIMITS


def not_kept(number: int) -> str:
    """The address of a page that nobody has asked for yet."""
    return f"/search?q=rain{number}"


def test_a_page_needs_no_transaction_and_its_statements_stay_prepared(
    app: Flask, server: Server
) -> None:
    client = app.test_client()
    for number in range(8):  # psycopg prepares what is asked for the sixth time
        assert client.get(not_kept(number)).status_code == 200

    with app.app_context():
        driver = db.session.connection().connection.dbapi_connection
        assert driver.autocommit
        assert driver.info.transaction_status == psycopg.pq.TransactionStatus.IDLE
        assert [n for n in driver._prepared._names.values() if n]


def test_a_migration_may_change_what_a_prepared_statement_answers(
    app: Flask, server: Server
) -> None:
    client = app.test_client()
    for number in range(8):
        assert client.get(not_kept(number)).status_code == 200

    with app.app_context():
        address = db.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(address) as another:
        another.execute("ALTER TABLE categories ALTER COLUMN title TYPE text")

    client.get(not_kept(8))  # it may fail, but once
    assert [client.get(not_kept(number)).status_code for number in range(9, 17)] == [200] * 8


def test_a_write_is_undone_as_a_whole_after_pages_were_read(app: Flask) -> None:
    for _ in range(3):
        assert app.test_client().get("/").status_code == 200
    with app.app_context():
        title = make_product().title

        for begun in (shop.db.transaction, db.engine.begin):
            with pytest.raises(RuntimeError):
                changed_and_given_up(begun)

        assert db.session.scalars(text("SELECT title FROM products")).all() == [title]


def changed_and_given_up(begun: Callable[[], AbstractContextManager[Any]]) -> None:
    with begun() as connection:
        connection.execute(text("UPDATE products SET title = 'changed'"))
        raise RuntimeError


def test_connections_that_were_cut_between_two_pages_are_not_noticed(
    app: Flask, server: Server
) -> None:
    client = app.test_client()

    for number in range(5):
        assert client.get(not_kept(number)).status_code == 200
        cut_all(server)
    assert client.get(not_kept(5)).status_code == 200
