"""An address that was given out once leads to the page for ever: in another language, or from another host."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from shop import create_app
from shop.config import Settings
from shop.db import db
from shop.orders.links import order_path
from shop.payments.models import Payment
from tests.buyer import Buyer
from tests.factories import (
    as_json,
    make_open_order,
    make_postback,
    make_product,
    provider,
)
from tests.support.sold import sell_file
from tests.web.conftest import production
from tests.web.test_languages import order_in

Speaks = Callable[[str], Flask]


@pytest.fixture
def speaks(settings: Settings) -> Speaks:
    """The same shop, started again with these languages."""
    return lambda languages: create_app(
        settings.model_copy(update={"shop_languages": tuple(languages.split(","))})
    )


def follow(client: FlaskClient, address: str) -> TestResponse:
    """Where an address leads, by one redirect at most."""
    answer = client.get(address)
    return client.get(answer.headers["Location"]) if answer.status_code == 301 else answer


@pytest.mark.parametrize(
    "pasted",
    [*".,;:!?)]>*", ").", "%22", "%20", "%C2%BB", "%E2%80%9D,", "%E2%80%8B", "%E2%80%A6", "..."],
)
@pytest.mark.parametrize("engine", ["sqlite"])
def test_an_address_with_a_sign_pasted_behind_it_is_found(app: Flask, pasted: str) -> None:
    with app.app_context():
        order, slug = order_in(app, "ru"), make_product().slug
        paths = [order_path(order), f"/products/{slug}", "/ru/cart", "/orders/find", "/terms", "/"]
    buyer = Buyer(app)

    for path in paths:
        page = buyer.browser.get(path if pasted == "?" else path + pasted)

        assert page.status_code == 200, path
        assert [
            link for link in re.findall(r'href="([^"]+)"', page.text) if link.endswith(pasted)
        ] == []


@pytest.mark.parametrize("engine", ["sqlite"])
def test_a_download_link_with_a_full_stop_behind_it_gives_the_file(app: Flask) -> None:
    with app.app_context():
        _, link = sell_file(app)

    assert app.test_client().get(f"{link}.", buffered=True).data == b"the goods"


@pytest.mark.parametrize("engine", ["sqlite"])
def test_only_questions_are_freed_of_what_was_pasted_and_only_at_their_end(
    client: FlaskClient,
) -> None:
    assert client.post("/cart.", data={"product": "x"}).status_code in (404, 405)
    assert client.get("/orders./find").status_code == 404
    assert client.get("/robots.txt").status_code == 200
    assert client.get("/." + "." * 5000).status_code == 200


@pytest.mark.parametrize("languages", ["en", "uk", "ru,en", "uk,ru,en"])
@pytest.mark.parametrize("placed_in", ["en", "ru", "uk"])
def test_a_mailed_link_opens_the_order_whatever_languages_the_shop_speaks_now(
    app: Flask, speaks: Speaks, placed_in: str, languages: str
) -> None:
    with app.app_context():
        order = order_in(app, placed_in)
        mailed = order_path(order)

    page = follow(speaks(languages).test_client(), mailed)

    assert page.status_code == 200
    assert order.number in page.text
    bare, code = not mailed.startswith("/" + placed_in), mailed[1:3]
    speaks_it = not bare and code in languages.split(",")
    assert f'<html lang="{code if speaks_it else languages[:2]}">' in page.text


@pytest.mark.parametrize("code", ["en", "ru", "uk"])
@pytest.mark.parametrize("languages", ["en", "uk,en", "ru,uk,en"])
def test_every_known_prefix_leads_to_the_page_with_its_query(
    speaks: Speaks, languages: str, code: str
) -> None:
    client = speaks(languages).test_client()

    answer = client.get(f"/{code}/cart?currency=EUR&x=%2F%0D%0A")

    if code in languages.split(",")[1:]:
        assert answer.status_code == 200
    else:
        assert answer.status_code == 301
        assert answer.headers["Location"] == "/cart?currency=EUR&x=%2F%0D%0A"
        assert answer.headers["Cache-Control"] == "no-store", "the language may come back"
        assert client.head(f"/{code}/cart").status_code == 301


@pytest.mark.parametrize(
    ("path", "leads_to"),
    [
        ("/ru", "/"),
        ("/ru/", "/"),
        ("/ru//evil.example/x", "/evil.example/x"),
        ("/ru/\\evil.example", "/%5Cevil.example"),
        ("/ru/%0D%0ASet-Cookie:%20a=b", "/%0D%0ASet-Cookie:%20a=b"),
        ("/ru/products/дождь", "/products/%D0%B4%D0%BE%D0%B6%D0%B4%D1%8C"),
        ("/ru/a%3Fb", "/a%3Fb"),
    ],
)
def test_no_prefix_leads_out_of_the_shop(speaks: Speaks, path: str, leads_to: str) -> None:
    assert speaks("en").test_client().get(path).headers["Location"] == leads_to


def test_a_form_that_was_open_in_a_dropped_language_makes_its_order(
    app: Flask, speaks: Speaks
) -> None:
    with app.app_context():
        product = make_product()
    buyer = Buyer(app)
    buyer.opens(f"/ru/products/{product.slug}")
    buyer.sends("/ru/cart")
    buyer.opens("/ru/checkout")
    after = speaks("en")
    cookie = buyer.browser.get_cookie("session")
    assert cookie
    buyer.browser = after.test_client()
    buyer.browser.set_cookie("session", cookie.value)

    with provider(after) as calls:
        calls.invoice_is_made()
        answer = buyer.sends("/ru/checkout", email=buyer.email)

    assert answer.status_code == 303
    assert answer.headers["Location"].startswith(calls.pay_origin)


def test_a_download_link_in_a_dropped_language_leads_to_the_file(
    app: Flask, speaks: Speaks
) -> None:
    with app.app_context():
        _, download = sell_file(app, content=b"goods")

    with follow(speaks("uk").test_client(), f"/ru{download}") as answer:
        assert answer.data == b"goods"


def test_the_link_of_an_order_that_is_led_on_stays_out_of_the_log(
    app: Flask, speaks: Speaks, caplog: pytest.LogCaptureFixture
) -> None:
    with app.app_context():
        mailed = order_path(order_in(app, "ru"))

    follow(speaks("en").test_client(), mailed)

    assert caplog.records
    assert mailed.rpartition("/")[2] not in caplog.text


@pytest.fixture
def moved_app(settings: Settings) -> Flask:
    """A shop that was at old.example before."""
    return create_app(
        production(
            settings.shop_data_dir,
            database_url=settings.database_url,
            shop_former_hosts="old.example,Older.Example",
            shop_languages="en,uk",
        )
    )


@pytest.mark.parametrize("host", ["old.example", "old.example:443", "older.example"])
@pytest.mark.parametrize(
    ("path", "leads_to"),
    [
        ("/", "/"),
        ("/uk/cart?currency=EUR", "/uk/cart?currency=EUR"),
        ("/ru/orders/x.y", "/orders/x.y"),
        ("/ru//evil.example/", "/evil.example/"),
        ("/no/such/page", "/no/such/page"),
    ],
)
def test_a_page_at_a_former_host_leads_to_the_present_one(
    moved_app: Flask, host: str, path: str, leads_to: str
) -> None:
    answer = moved_app.test_client().get(path, headers={"Host": host})

    assert answer.status_code == 301
    assert answer.headers["Location"] == f"https://shop.example{leads_to}"
    assert answer.headers["Cache-Control"] == "no-store"


def test_a_postback_to_a_former_host_is_taken_as_it_is(app: Flask, moved_app: Flask) -> None:
    with app.app_context():
        _, payment = make_open_order(app)
        postback = make_postback(moved_app.config["SETTINGS"], payment)

    with provider(moved_app) as calls:
        calls.invoice_is("paid")
        answer = moved_app.test_client().post(
            "/payments/cryptocloud/postback", headers={"Host": "old.example"}, **as_json(postback)
        )

    assert answer.status_code == 200
    with app.app_context():
        assert db.session.get_one(Payment, payment.id).provider_says_paid


def test_a_form_that_was_open_at_a_former_host_is_taken_there(app: Flask, moved_app: Flask) -> None:
    """Its cookies belong to that host, and the browser would not carry it to another one."""
    with app.app_context():
        slug = make_product().slug
    client = moved_app.test_client()
    at_old = {"base_url": "https://old.example", "headers": {"Origin": "https://old.example"}}

    assert client.post("/cart", data={"product": slug}, **at_old).status_code == 303
    assert client.post("/cart", data={"product": "none"}, **at_old).status_code == 404


@pytest.mark.parametrize("host", ["oldest.example", "old.example.evil.example", "evil.example"])
def test_any_other_host_is_refused_as_before(moved_app: Flask, host: str) -> None:
    for path in ("/", "/ru/", "/uk/cart"):
        answer = moved_app.test_client().get(path, headers={"Host": host})
        assert answer.status_code == 400
        assert "Location" not in answer.headers
