"""Who gets a cookie, what it may do, and which pages may be kept."""

from __future__ import annotations

import gzip

import pytest
from flask import Flask
from flask.testing import FlaskClient

from shop.orders.links import order_token
from tests.factories import make_open_order, make_product

PUBLIC = "public, max-age=0, must-revalidate"


@pytest.fixture
def slug(app: Flask) -> str:
    with app.app_context():
        return make_product().slug


def attributes(client: FlaskClient, slug: str) -> tuple[str, set[str]]:
    cookie = client.post("/cart", data={"product": slug}).headers["Set-Cookie"]
    pair, *rest = cookie.split("; ")
    return pair.partition("=")[0], set(rest)


def test_over_https_the_cookie_is_bound_to_the_host_and_hidden_from_scripts(
    secure_client: FlaskClient, slug: str
) -> None:
    name, rest = attributes(secure_client, slug)

    assert name == "__Host-session"
    assert rest == {"Secure", "HttpOnly", "SameSite=Lax", "Path=/"}


def test_over_plain_http_it_goes_without_what_browsers_would_refuse(
    client: FlaskClient, slug: str
) -> None:
    name, rest = attributes(client, slug)

    assert name == "session"
    assert rest == {"HttpOnly", "SameSite=Lax", "Path=/"}


@pytest.mark.parametrize("currency", ["", "?currency=EUR"])
def test_public_pages_set_no_cookie_and_hold_no_token(
    client: FlaskClient, slug: str, currency: str
) -> None:
    for address in ("/", f"/products/{slug}"):
        response = client.get(address + currency)
        assert "Set-Cookie" not in response.headers
        assert "Cookie" not in response.headers.get("Vary", "")
        assert "csrf" not in response.text
        assert response.headers["Cache-Control"] == PUBLIC


def test_public_pages_are_the_same_for_a_browser_with_a_cart(
    client: FlaskClient, slug: str
) -> None:
    before = [client.get(address).data for address in ("/", f"/products/{slug}")]
    client.post("/cart", data={"product": slug})

    for address, page in zip(("/", f"/products/{slug}"), before, strict=True):
        response = client.get(address)
        assert response.data == page
        assert "Set-Cookie" not in response.headers
        assert "Cookie" not in response.headers.get("Vary", "")


def test_a_public_page_is_not_sent_twice(client: FlaskClient, slug: str) -> None:
    etag = client.get(f"/products/{slug}").headers["ETag"]

    again = client.get(f"/products/{slug}", headers={"If-None-Match": etag})

    assert again.status_code == 304
    assert again.data == b""


def test_private_pages_are_never_kept(app: Flask, client: FlaskClient, slug: str) -> None:
    client.post("/cart", data={"product": slug})
    with app.app_context():
        order, _ = make_open_order(app)
        path = f"/orders/{order_token(order)}"

    for address in ("/cart", "/checkout", path, f"{path}/status", "/payment/success?order_id=x"):
        response = client.get(address)
        assert response.status_code == 200
        assert response.headers["Cache-Control"] == "no-store", address


@pytest.mark.parametrize("address", ["/healthz", "/readyz", "/no/such/page", "/downloads/x"])
def test_nobody_else_gets_a_cookie(client: FlaskClient, address: str) -> None:
    assert "Set-Cookie" not in client.get(address).headers


def test_a_postback_gets_no_cookie(client: FlaskClient) -> None:
    assert "Set-Cookie" not in client.post("/payments/cryptocloud/postback", json={}).headers


def test_the_pay_page_is_opened_without_telling_it_the_order_link(
    app: Flask, client: FlaskClient
) -> None:
    with app.app_context():
        order, payment = make_open_order(app)
        page = client.get(f"/orders/{order_token(order)}")

    assert f'href="{payment.pay_url}" rel="noreferrer"' in page.text
    assert page.headers["Referrer-Policy"] == "same-origin"


def test_public_pages_are_compressed_for_who_takes_that(client: FlaskClient, slug: str) -> None:
    plain = client.get(f"/products/{slug}")
    packed = client.get(f"/products/{slug}", headers={"Accept-Encoding": "br, gzip"})

    assert packed.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(packed.data) == plain.data
    assert len(packed.data) == packed.content_length < len(plain.data) / 2
    assert "Content-Encoding" not in plain.headers
    assert packed.headers["Vary"] == plain.headers["Vary"] == "Accept-Encoding"
    assert packed.headers["ETag"] != plain.headers["ETag"]
    again = client.get(
        f"/products/{slug}",
        headers={"Accept-Encoding": "gzip", "If-None-Match": packed.headers["ETag"]},
    )
    assert (again.status_code, again.data) == (304, b"")


def test_pages_with_tokens_are_never_compressed(app: Flask, client: FlaskClient, slug: str) -> None:
    """Their length would let a stranger guess the token letter by letter (BREACH)."""
    client.post("/cart", data={"product": slug})
    with app.app_context():
        order = f"/orders/{order_token(make_open_order(app)[0])}"

    for address in ("/cart", "/checkout", order, "/orders/find"):
        page = client.get(address, headers={"Accept-Encoding": "gzip"})
        assert page.status_code == 200
        assert "Content-Encoding" not in page.headers
