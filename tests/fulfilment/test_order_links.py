"""An order's page opens for whoever has its link, and for nobody else; nothing tells the two apart."""

from __future__ import annotations

import re
import secrets

import pytest
from flask import Flask
from flask.testing import FlaskClient
from itsdangerous import URLSafeSerializer, URLSafeTimedSerializer
from werkzeug.test import TestResponse

from shop.config import Settings
from shop.db import transaction
from shop.orders.links import find_order_by_token, order_token, order_url
from shop.orders.models import Order
from tests.factories import make_open_order


@pytest.fixture
def order(app: Flask) -> Order:
    with app.app_context():
        return make_open_order(app)[0]


@pytest.fixture
def token(app: Flask, order: Order) -> str:
    with app.app_context():
        return order_token(order)


def not_found(response: TestResponse) -> str:
    """The body of a 404, without what differs between any two requests."""
    assert response.status_code == 404
    assert "Set-Cookie" not in response.headers
    return re.sub(r"reference \w+", "", response.text)


def test_the_link_opens_the_order(client: FlaskClient, order: Order, token: str) -> None:
    assert f"Order {order.number}" in client.get(f"/orders/{token}").text


def wrong_tokens(app: Flask, order: Order, token: str) -> list[str]:
    key, content = str(app.secret_key), [order.number, order.link_version]
    payload, signature = token.rsplit(".", 1)
    return [
        URLSafeSerializer("another-key", salt="order-link").dumps(content),
        URLSafeSerializer(key, salt="download-link").dumps(content),
        URLSafeTimedSerializer(key, salt="order-link").dumps(content),
        URLSafeSerializer(key, salt="order-link").dumps(["AAAA-BBBB", 1]),  # no such order
        URLSafeSerializer(key, salt="order-link").dumps([order.number, 0]),
        URLSafeSerializer(key, salt="order-link").dumps([order.number, 2]),
        f"{payload}.",
        payload,
        signature,
        f"{payload}.{signature[:-4]}AAAA",
        f"x{token}",
        f"{token}.x",
        token.swapcase(),
        order.number,
        str(order.id),
        "None",
        "..",
        "é" * 10,
        "%00",
        "x" * 4000,
        secrets.token_urlsafe(32),
    ]


def test_forged_foreign_outdated_and_absent_are_the_same_404(
    app: Flask, client: FlaskClient, order: Order, token: str
) -> None:
    answers = {
        not_found(client.get(f"/orders/{wrong}")) for wrong in wrong_tokens(app, order, token)
    }

    assert len(answers) == 1


@pytest.mark.parametrize("action", ["", "/status"])
def test_every_page_below_asks_for_the_same_link(
    app: Flask, client: FlaskClient, order: Order, token: str, action: str
) -> None:
    for wrong in wrong_tokens(app, order, token):
        assert client.get(f"/orders/{wrong}{action}").status_code == 404, wrong


@pytest.mark.parametrize("action", ["pay", "check"])
def test_so_does_every_button(app: Flask, order: Order, token: str, action: str) -> None:
    app.config["WTF_CSRF_ENABLED"] = False  # a stranger has a token of their own session
    client = app.test_client()

    for wrong in wrong_tokens(app, order, token):
        assert client.post(f"/orders/{wrong}/{action}").status_code == 404, wrong


def test_raising_the_version_kills_the_links_sent_before(
    app: Flask, client: FlaskClient, order: Order, token: str
) -> None:
    with app.app_context():
        with transaction() as session:
            order = session.merge(order)
            order.link_version += 1
        new = order_token(order)

    not_found(client.get(f"/orders/{token}"))
    assert client.get(f"/orders/{new}").status_code == 200


def test_two_orders_have_two_links(app: Flask, order: Order, token: str) -> None:
    with app.app_context():
        other, _ = make_open_order(app)

        assert order_token(other) != token
        found = find_order_by_token(token)
        assert found
        assert found.id == order.id


def test_guessing_finds_nothing(app: Flask, order: Order) -> None:
    with app.app_context():
        payload = order_token(order).partition(".")[0]
        guesses = (secrets.token_urlsafe(24) for _ in range(2000))

        assert not any(find_order_by_token(f"{payload}.{guess}") for guess in guesses)


def test_another_shops_key_opens_nothing(app: Flask, client: FlaskClient, token: str) -> None:
    """So a copied database is no key to anybody's page."""
    app.secret_key = "another-secret-key-that-is-long-enough"

    not_found(client.get(f"/orders/{token}"))


def test_the_mailed_address_starts_with_the_configured_one(
    app: Flask, settings: Settings, order: Order
) -> None:
    with app.test_request_context(headers={"Host": "localhost:99"}):
        assert order_url(order).startswith(f"{settings.shop_public_url}/orders/")


def test_neither_the_link_nor_the_address_is_logged(
    client: FlaskClient, token: str, caplog: pytest.LogCaptureFixture
) -> None:
    client.get(f"/orders/{token}")
    client.get(f"/orders/{token}/status")
    client.get(f"/orders/{token}x")

    assert caplog.records
    assert token not in caplog.text
    assert "buyer@example.com" not in caplog.text
