"""Without its database the shop says so: 503 and when to come back, never 200, never a crash."""

from __future__ import annotations

from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

import shop.db
from shop import create_app
from shop.db import db
from tests.conftest import make_settings
from tests.factories import make_open_order, make_postback, make_token

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


@pytest.fixture
def damaged(tmp_path: Path) -> FlaskClient:
    """A shop whose database is garbage."""
    (tmp_path / "shop.db").write_bytes(b"garbage " * 1000)
    url = f"sqlite:///{tmp_path / 'shop.db'}"
    return create_app(make_settings(tmp_path / "data", url)).test_client()


@pytest.mark.parametrize("shop", ["away", "damaged"])
def test_a_form_that_was_open_for_too_long_is_503_as_well(
    shop: str, request: pytest.FixtureRequest
) -> None:
    """What answers it loads the cart, and is itself what answers an error."""
    client: FlaskClient = request.getfixturevalue(shop)
    with client.session_transaction() as session:
        session["cart"] = {"rain": 1}

    assert says_come_back(client.post("/checkout", data={"email": "buyer@example.com"}))


def test_a_genuine_postback_is_503_so_that_the_provider_sends_it_again(
    away: FlaskClient,
) -> None:
    settings = away.application.config["SETTINGS"]
    postback = {"invoice_id": "ABCD1234", "token": make_token(settings, "ABCD1234")}

    assert says_come_back(away.post("/payments/cryptocloud/postback", json=postback))


def test_a_forged_postback_is_not_acknowledged_either(away: FlaskClient) -> None:
    """One that names an invoice may be genuine, sent while our clock is wrong: let it come again."""
    postback = {"invoice_id": "ABCD1234", "token": "e30.e30.e30"}

    assert says_come_back(away.post("/payments/cryptocloud/postback", json=postback))


def test_rubbish_is_refused_without_asking_the_database(away: FlaskClient) -> None:
    assert away.post("/payments/cryptocloud/postback", json={"token": "e30"}).status_code == 403


def test_an_error_page_still_comes(away: FlaskClient) -> None:
    assert away.get("/no/such/page").status_code == 404


def test_a_database_without_tables_is_never_an_empty_shop(tmp_path: Path) -> None:
    app = create_app(make_settings(tmp_path / "data"))

    assert app.test_client().get("/").status_code == 503
    with app.app_context():
        db.engine.dispose()


def test_a_process_whose_own_writers_are_too_slow_says_so_as_well(
    app: Flask, engine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if engine != "sqlite":
        pytest.skip("only SQLite's writers queue in the process")
    with app.app_context():
        _, payment = make_open_order(app)
        postback = make_postback(app.config["SETTINGS"], payment)
    monkeypatch.setattr(shop.db, "BUSY_SECONDS", 0.05)
    line = shop.db._write_lock
    assert line.acquire(timeout=0)

    try:
        answer = app.test_client().post("/payments/cryptocloud/postback", data=postback)
    finally:
        line.release()

    assert says_come_back(answer)
