"""The session is in the browser's hands: what it sends back is believed only if the shop signed it."""

from __future__ import annotations

import hashlib
import re

import pytest
from flask import Flask
from flask.sessions import SecureCookieSessionInterface
from flask.testing import FlaskClient
from itsdangerous import URLSafeTimedSerializer

from shop.catalogue.queries import MAX_QUANTITY
from shop.checkout.cart import MAX_LINES
from shop.orders.links import order_token
from tests.buyer import Buyer
from tests.factories import make_open_order, make_product, provider

LONGEST = 80
"""Characters of a slug; the catalogue takes no longer one."""


@pytest.fixture
def slug(app: Flask) -> str:
    with app.app_context():
        return make_product().slug


def signed(app: Flask, content: object) -> str:
    serializer = SecureCookieSessionInterface().get_signing_serializer(app)
    assert serializer
    return str(serializer.dumps(content))


def cart_of(client: FlaskClient, cookie: str) -> str:
    browser = client.application.test_client(use_cookies=False)
    response = browser.get("/cart", headers={"Cookie": f"session={cookie}"})
    assert response.status_code == 200
    return response.text


def test_a_cookie_of_the_shop_is_believed(app: Flask, client: FlaskClient, slug: str) -> None:
    assert slug in cart_of(client, signed(app, {"cart": {slug: 2}}))


def test_an_altered_cookie_is_an_empty_cart(app: Flask, client: FlaskClient, slug: str) -> None:
    good = signed(app, {"cart": {slug: 2}})
    forged = URLSafeTimedSerializer("another-key", salt="cookie-session").dumps({"cart": {slug: 2}})
    payload, stamp, signature = good.rsplit(".", 2)
    altered = [
        forged,
        "A" + good[1:],
        f"{payload}.{stamp}.",
        f"{payload}..{signature}",
        payload,
        f"{payload}.{stamp}.{signature[:-2]}xx",
        "",
        ".",
        "\x00",
        "é",
        "x" * 8000,
    ]

    for cookie in altered:
        assert slug not in cart_of(client, cookie), cookie[:80]


def test_an_order_link_is_no_cookie_and_a_cookie_no_order_link(
    app: Flask, client: FlaskClient
) -> None:
    """Both are signed with the same key, for different ends."""
    with app.app_context():
        order, _ = make_open_order(app)
        token = order_token(order)

    assert "Your cart is empty" in cart_of(client, token)
    assert client.get(f"/orders/{signed(app, [order.id, 1])}").status_code == 404
    assert client.get(f"/downloads/{token}").status_code == 410


@pytest.mark.parametrize(
    "content",
    [
        {"cart": []},
        {"cart": "x"},
        {"cart": None},
        {"cart": {"no-such-product": 1}},
        {"cart": {"../../etc": 1, "": 1, "\x00": 1}},
        {"currency": "XXX"},
        {"currency": 7},
        {"orders": "x"},
        {"orders": [999_999]},
        {"orders": ["AAAA-BBBB", None]},
    ],
)
def test_a_cookie_of_an_older_shop_is_no_crash(
    app: Flask, client: FlaskClient, content: object
) -> None:
    client.set_cookie("session", signed(app, content))

    assert client.get("/cart").status_code == 200
    assert client.get("/checkout").status_code == 303
    assert client.get("/payment/success?order_id=x").status_code == 200


def test_the_cookie_does_not_tell_how_many_orders_there_were(app: Flask, slug: str) -> None:
    """It is signed, not secret: with the order's key in it, anybody could count a shop's sales."""
    buyer = Buyer(app)
    with provider(app) as calls:
        calls.invoice_is_made()
        buyer.buys(slug)

    with buyer.browser.session_transaction() as session:
        (remembered,) = session["orders"]
    assert re.fullmatch(r"[2-9A-Z]{4}-[2-9A-Z]{4}", remembered)
    assert "Pay USD" in buyer.looks_at_order()


@pytest.fixture
def widest(app: Flask) -> list[str]:
    """As many products as a cart may hold and more, with slugs as long as there can be."""
    with app.app_context():
        return [
            make_product(slug=f"{n:02}-{hashlib.sha512(bytes([n])).hexdigest()}"[:LONGEST]).slug
            for n in range(MAX_LINES + 5)
        ]


def test_the_largest_cart_fits_into_a_cookie(client: FlaskClient, widest: list[str]) -> None:
    """Browsers drop a cookie of more than 4096 bytes without a word, and the cart with it."""
    for slug in widest:
        response = client.post("/cart", data={"product": slug, "quantity": str(MAX_QUANTITY)})
        assert response.status_code == 303
        cookie = response.headers.get("Set-Cookie", "")
        assert len(cookie) < 4093
        client.get("/cart")

    page = client.get("/cart").text
    assert page.count('name="quantity-') == MAX_LINES


def test_a_full_cart_says_so(client: FlaskClient, widest: list[str]) -> None:
    for slug in widest[:MAX_LINES]:
        client.post("/cart", data={"product": slug})
    client.get("/cart")

    client.post("/cart", data={"product": widest[MAX_LINES]})

    page = client.get("/cart").text
    assert "Your cart is full" in page
    assert widest[MAX_LINES] not in page


def test_messages_that_nobody_looked_at_do_not_burst_the_cookie(
    client: FlaskClient, widest: list[str]
) -> None:
    """A browser that follows no redirect collects one message with each press of the button."""
    for _ in range(5):
        for slug in widest[:MAX_LINES]:
            response = client.post("/cart", data={"product": slug})
            assert len(response.headers.get("Set-Cookie", "")) < 4093
