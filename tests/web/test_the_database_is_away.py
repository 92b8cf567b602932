"""Without its database the shop says so: 503 and when to come back, never 200, never a crash."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import event, func, select, text
from werkzeug.test import TestResponse

import shop.db
from shop import create_app
from shop.db import db
from shop.orders.models import Order
from shop.payments.models import Postback
from tests.buyer import Buyer
from tests.conftest import make_settings
from tests.factories import make_open_order, make_postback, make_product, make_token, provider

NOBODY_LISTENS = "postgresql://nobody@127.0.0.1:1/nothing"


@pytest.fixture(params=["sqlite", "postgresql"])
def engine(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def says_come_back(response: TestResponse) -> bool:
    return (
        response.status_code == 503
        and int(response.headers["Retry-After"]) > 0
        and "The shop is busy right now" in response.text
        and "psycopg" not in response.text.lower()
        and "sqlite" not in response.text.lower()
    )


@pytest.fixture
def away(tmp_path: Path) -> FlaskClient:
    """A shop whose database server does not answer."""
    return create_app(make_settings(tmp_path / "data", NOBODY_LISTENS)).test_client()


@pytest.mark.parametrize("address", ["/", "/products/rain", "/payment/success?order_id=x"])
def test_a_page_that_needs_the_database_is_503(away: FlaskClient, address: str) -> None:
    assert says_come_back(away.get(address))


def test_adding_to_the_cart_is_503(away: FlaskClient) -> None:
    assert says_come_back(away.post("/cart", data={"product": "rain"}))


def test_a_genuine_postback_is_503_so_that_the_provider_sends_it_again(
    away: FlaskClient,
) -> None:
    settings = away.application.config["SETTINGS"]
    notice = {"invoice_id": "ABCD1234", "token": make_token(settings, "ABCD1234")}

    assert says_come_back(away.post("/payments/cryptocloud/postback", json=notice))


def test_a_forged_postback_is_refused_without_asking_the_database(away: FlaskClient) -> None:
    notice = {"invoice_id": "ABCD1234", "token": "e30.e30.e30"}

    assert away.post("/payments/cryptocloud/postback", json=notice).status_code == 403


def test_an_error_page_still_comes(away: FlaskClient) -> None:
    assert away.get("/no/such/page").status_code == 404


def test_a_database_without_tables_is_never_an_empty_shop(tmp_path: Path) -> None:
    app = create_app(make_settings(tmp_path / "data"))

    assert app.test_client().get("/").status_code == 503
    with app.app_context():
        db.engine.dispose()


@contextmanager
def locked(app: Flask) -> Iterator[None]:
    """Another program holds what a writer needs."""
    with app.app_context():
        if db.engine.dialect.name == "postgresql":
            with db.engine.connect() as other:
                other.execute(text("LOCK TABLE orders, postbacks IN ACCESS EXCLUSIVE MODE"))
                yield
            return
        path = db.engine.url.database
    assert path
    # The shop's own driver: two SQLite libraries in one process do not see each other's locks.
    with closing(shop.db.sqlite_driver.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield


@pytest.fixture
def impatient(app: Flask) -> Flask:
    """The shop, waiting a moment for its turn instead of seconds."""

    def shorten(connection: Any, record: Any) -> None:
        sqlite = db.engine.dialect.name == "sqlite"
        cursor = connection.cursor()
        cursor.execute("PRAGMA busy_timeout=50" if sqlite else "SET lock_timeout='50ms'")
        cursor.close()
        connection.commit()

    with app.app_context():
        event.listen(db.engine, "connect", shorten)
    return app


def count(app: Flask, table: type) -> int:
    with app.app_context():
        return db.session.scalar(select(func.count()).select_from(table)) or 0


def test_a_checkout_while_the_database_is_locked_makes_no_invoice_and_works_afterwards(
    impatient: Flask,
) -> None:
    with impatient.app_context():
        product = make_product(stock=1)
    buyer = Buyer(impatient)
    buyer.puts_into_cart(product.slug)
    form = buyer.opens("/checkout")

    with locked(impatient), provider(impatient) as calls:
        answer = buyer.sends("/checkout", email="buyer@example.com")
        assert says_come_back(answer)
        assert len(calls.calls) == 0
    assert count(impatient, Order) == 0

    buyer.page = form
    with provider(impatient) as calls:
        calls.invoice_is_made()
        answer = buyer.sends("/checkout", email="buyer@example.com")
    assert answer.status_code == 303
    assert count(impatient, Order) == 1


def test_a_postback_while_the_database_is_locked_is_not_acknowledged(impatient: Flask) -> None:
    with impatient.app_context():
        _, payment = make_open_order(impatient)
        notice = make_postback(impatient.config["SETTINGS"], payment)
    client = impatient.test_client()

    with locked(impatient):
        answer = client.post("/payments/cryptocloud/postback", data=notice)

    assert says_come_back(answer)
    assert count(impatient, Postback) == 0
    with provider(impatient) as calls:
        calls.invoice_is("paid")
        assert client.post("/payments/cryptocloud/postback", data=notice).status_code == 200


def test_a_process_whose_own_writers_are_too_slow_says_so_as_well(
    app: Flask, engine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if engine != "sqlite":
        pytest.skip("only SQLite's writers queue in the process")
    with app.app_context():
        _, payment = make_open_order(app)
        notice = make_postback(app.config["SETTINGS"], payment)
    monkeypatch.setattr(shop.db, "BUSY_SECONDS", 0.05)
    lock: threading.Lock = shop.db._write_lock

    with lock:
        answer = app.test_client().post("/payments/cryptocloud/postback", data=notice)

    assert says_come_back(answer)


def test_a_read_only_database_still_shows_the_shop_and_refuses_to_sell(app: Flask) -> None:
    with app.app_context():
        slug = make_product().slug
        _, payment = make_open_order(app)
        notice = make_postback(app.config["SETTINGS"], payment)
        read_only = (
            "PRAGMA query_only=ON"
            if db.engine.dialect.name == "sqlite"
            else "SET default_transaction_read_only=on"
        )

        def forbid(connection: Any, record: Any) -> None:
            connection.cursor().execute(read_only)
            connection.commit()

        event.listen(db.engine, "connect", forbid)
        db.session.close()
        db.engine.dispose()
    buyer = Buyer(app)
    buyer.puts_into_cart(slug)

    with provider(app) as calls:
        assert says_come_back(buyer.checks_out())
        assert len(calls.calls) == 0
    answer = app.test_client().post("/payments/cryptocloud/postback", data=notice)
    assert says_come_back(answer)
