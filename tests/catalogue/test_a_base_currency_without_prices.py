"""After SHOP_BASE_CURRENCY was changed: whoever looks at the shop is told what cannot be bought, and why."""

from __future__ import annotations

import json
import logging
import runpy
import sys
from types import SimpleNamespace

import pytest
from flask import Flask
from flask.testing import FlaskClient, FlaskCliRunner
from sqlalchemy.exc import OperationalError

from shop.catalogue.models import Price, Product
from shop.catalogue.queries import price_list
from shop.catalogue.unpriced import warn_of_missing_prices
from shop.config import Settings
from shop.db import db, end_read
from shop.doctor import Finding
from shop.doctor import catalogue as checks
from tests.factories import make_product

NBSP = "\N{NO-BREAK SPACE}"
TOO_LARGE = 999_999_999_999_900
"""Minor units of a price as the import once let it in."""


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"shop_base_currency": "RUB"})


def in_dollars(**also: int) -> Product:
    """Something with a price in dollars, and others."""
    prices = {"USD": 1200, **also}
    return make_product(prices=[Price(currency=c, minor=minor) for c, minor in prices.items()])


def prices_found(app: Flask) -> Finding:
    found = checks.prices(app.config["SETTINGS"])
    assert isinstance(found, Finding)
    return found


def test_a_product_without_a_base_price_is_for_sale_in_no_currency(
    app: Flask, client: FlaskClient
) -> None:
    """It had a price and a button in dollars, and was taken out of the cart as no longer for sale."""
    with app.app_context():
        title, slug = (product := in_dollars()).title, product.slug
        other = in_dollars(RUB=100_000).slug
        assert price_list([slug]).price(slug, "USD") is None

    page = client.get(f"/products/{slug}?currency=USD").text
    assert "It cannot be bought at the moment." in page
    assert "Add to cart" not in page
    assert "USD" + NBSP not in page
    assert "Choose another currency" not in page
    shown = client.get("/?currency=USD&sort=price").text
    assert shown.count("It cannot be bought at the moment") == 1
    assert shown.index(f"/products/{other}") < shown.index(f"/products/{slug}")
    assert "The shop is not ready" not in shown
    client.post("/cart", data={"product": slug, "currency": "USD"})
    cart = client.get("/cart").text
    assert f"{title} cannot be bought at the moment." in cart
    assert "Your cart is empty." in cart


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("/", "The shop is not ready: nothing here can be bought at the moment."),
        ("/?currency=USD", "or write to"),
        ("/search?q=product", "The shop is not ready"),
        ("/ru/", "сейчас здесь ничего нельзя купить"),
        ("/uk/", "зараз тут нічого не можна купити"),
    ],
)
def test_buyers_read_that_nothing_can_be_bought_where_no_product_has_a_base_price(
    app: Flask, client: FlaskClient, address: str, words: str
) -> None:
    with app.app_context():
        in_dollars()

    assert words in client.get(address).text


def test_a_shop_that_can_sell_says_nothing_of_the_kind(app: Flask, client: FlaskClient) -> None:
    with app.app_context():
        in_dollars(RUB=100_000)

    assert "cannot be bought" not in client.get("/").text
    assert "The shop is not ready" not in client.get("/").text


def test_the_doctor_fails_where_nothing_and_warns_where_not_all_can_be_sold(app: Flask) -> None:
    with app.app_context():
        assert prices_found(app).text == "there is no product for sale"

        bad = [in_dollars().slug, in_dollars(RUB=TOO_LARGE).slug]
        found = prices_found(app)
        assert (found.level, "nothing can be sold" in found.text) == ("fail", True)
        assert "SHOP_BASE_CURRENCY" in found.mend

        in_dollars(RUB=100_000)
        found = prices_found(app)
        assert (found.level, found.text) == (
            "warn",
            f"2 of 3 products have no usable one in RUB: {', '.join(bad)}; they cannot be bought",
        )


def test_the_doctor_is_content_where_all_can_be_sold(app: Flask, runner: FlaskCliRunner) -> None:
    with app.app_context():
        in_dollars(RUB=100_000)

        assert prices_found(app) == Finding("ok", "prices", "each of 1 products has one in RUB")


def test_the_product_list_says_what_cannot_be_bought(app: Flask, runner: FlaskCliRunner) -> None:
    assert runner.invoke(args=["products", "list"]).output == "No products.\n"
    with app.app_context():
        bad, good = in_dollars().slug, in_dollars(RUB=100_000).slug
        old = make_product(active=False).slug
        spent = make_product(stock=0, prices=[Price(currency="RUB", minor=100)]).slug

    lines = runner.invoke(args=["products", "list"]).output.splitlines()
    rows = json.loads(runner.invoke(args=["products", "list", "--json"]).output)

    missing = "cannot be bought: no usable price in RUB, the base currency"
    assert lines == [
        f"{bad}  {missing}",
        f"{good}  1000.00 RUB",
        f"{old}  {missing}  off sale",
        f"{spent}  1.00 RUB  none in stock",
    ]
    assert [row["price"] for row in rows] == [None, "1000.00 RUB", None, "1.00 RUB"]
    assert [row["available"] for row in rows] == [None, None, None, 0]


def test_the_log_says_so_when_the_shop_starts(app: Flask, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    with app.app_context():
        warn_of_missing_prices()
        assert "no_prices" not in caplog.text, "a shop without products has nothing to sell"
        in_dollars()
        warn_of_missing_prices()
        assert "no_prices_in_base_currency" in caplog.text
        assert "RUB" in caplog.text
        caplog.clear()
        in_dollars(RUB=100_000)
        warn_of_missing_prices()

    assert caplog.text == ""


def test_both_the_web_server_and_the_worker_look_when_they_start(
    app: Flask,
    runner: FlaskCliRunner,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with app.app_context():
        in_dollars()
    monkeypatch.setenv("SHOP_DEVELOPMENT", "1")
    monkeypatch.setattr("shop.watch.start", lambda app: None)  # its thread would outlive the test

    runpy.run_path("gunicorn.conf.py")["post_worker_init"](SimpleNamespace(wsgi=app))
    assert caplog.text.count("no_prices_in_base_currency") == 1

    monkeypatch.setattr("shop.worker.signal", SimpleNamespace(signal=lambda *_: sys.exit()))
    runner.invoke(args=["worker"])
    assert caplog.text.count("no_prices_in_base_currency") == 2


def test_a_shop_starts_without_its_database(
    app: Flask, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def away() -> None:
        raise OperationalError("SELECT", {}, Exception("away"))

    monkeypatch.setattr("shop.catalogue.queries.base_prices", away)
    with app.app_context():
        warn_of_missing_prices()

    assert caplog.text == ""


def test_a_worker_that_has_started_keeps_no_transaction_open(app: Flask) -> None:
    """Its main thread lives as long as it does: a read that it left open would keep the log from being folded back."""
    with app.app_context():
        make_product()
        end_read()

        warn_of_missing_prices()

        assert not db.session.in_transaction()
