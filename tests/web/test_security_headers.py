"""The headers that keep a page this shop's own, on every kind of answer."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from shop import create_app
from shop.orders.links import order_url
from tests.buyer import Buyer
from tests.factories import make_open_order, make_product, provider
from tests.web.conftest import production


@pytest.fixture
def addresses(app: Flask) -> list[str]:
    """One address of each kind that a browser can open."""
    with app.app_context():
        slug = make_product().slug
        order, _ = make_open_order(app)
        path = order_url(order).removeprefix("http://localhost")
    own = ["/", f"/products/{slug}", "/cart", "/checkout", path, f"{path}/status"]
    machines = ["/healthz", "/readyz", "/payment/success?order_id=x", "/payment/fail"]
    errors = ["/no/such/page", "/cart/lines", "/downloads/forged", "/media/none"]
    return own + machines + errors


def test_every_kind_of_answer_has_them(app: Flask, addresses: list[str]) -> None:
    client = app.test_client()

    for address in addresses:
        headers = client.get(address).headers
        assert headers["X-Content-Type-Options"] == "nosniff", address
        assert headers["Referrer-Policy"] == "same-origin", address
        assert headers["Cross-Origin-Opener-Policy"] == "same-origin", address
        assert headers["Cross-Origin-Resource-Policy"] == "same-origin", address
        assert headers["X-Frame-Options"] == "DENY", address
        assert "camera=()" in headers["Permissions-Policy"], address
        assert "default-src 'none'" in headers["Content-Security-Policy"], address


@pytest.mark.parametrize("method", ["post", "put", "delete", "options"])
def test_answers_to_other_methods_have_them_too(client: FlaskClient, method: str) -> None:
    for address in ("/", "/cart", "/payments/cryptocloud/postback"):
        headers = client.open(address, method=method).headers
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert "Content-Security-Policy" in headers


def test_a_crash_has_them_too(app: Flask) -> None:
    @app.get("/crashes")
    def crashes() -> str:
        raise RuntimeError

    headers = app.test_client().get("/crashes").headers

    assert headers["X-Content-Type-Options"] == "nosniff"
    assert "Content-Security-Policy" in headers


def directives(policy: str) -> dict[str, set[str]]:
    parts = (part.split() for part in policy.split(";"))
    return {name: set(values) for name, *values in parts}


def test_the_policy_allows_this_shop_and_for_forms_the_pay_page(client: FlaskClient) -> None:
    policy = directives(client.get("/").headers["Content-Security-Policy"])

    assert policy == {
        "default-src": {"'none'"},
        "script-src": {"'self'"},
        "style-src": {"'self'"},
        "img-src": {"'self'"},
        "connect-src": {"'self'"},
        "manifest-src": {"'self'"},
        "form-action": {"'self'", "http://127.0.0.1:5001", "http://localhost:5001"},
        "base-uri": {"'none'"},
        "frame-ancestors": {"'none'"},
    }


def test_the_policy_lists_every_pay_host(tmp_path: Path) -> None:
    settings = production(
        tmp_path, cryptocloud_pay_hosts="pay.cryptocloud.plus, https://pay.example:8443"
    )

    policy = create_app(settings).extensions["security_headers"]["Content-Security-Policy"]

    assert directives(policy)["form-action"] == {
        "'self'", "https://pay.cryptocloud.plus", "https://pay.example:8443",
    }  # fmt: skip


def test_no_page_needs_what_the_policy_forbids(app: Flask, addresses: list[str]) -> None:
    """Inline scripts, styles and handlers would be dead in the browser."""
    client = app.test_client()

    for address in addresses:
        page = client.get(address).text
        assert not re.search(r"<style|\sstyle=|\son[a-z]+=|javascript:", page), address
        for script in re.findall(r"<script\b[^>]*>", page):
            assert "src=" in script or "application/ld+json" in script, address
        page = re.sub(r'<link rel="(canonical|alternate)"[^>]*>', "", page)  # named, not fetched
        for source in re.findall(r'<(?:script|img|link)[^>]*(?:src|href)="([^"]*)"', page):
            assert source.startswith("/"), address


def test_https_is_insisted_on_where_the_shop_has_it(
    secure_client: FlaskClient, client: FlaskClient
) -> None:
    hsts = secure_client.get("/").headers["Strict-Transport-Security"]

    assert int(re.findall(r"max-age=(\d+)", hsts)[0]) >= 365 * 24 * 3600
    assert "Strict-Transport-Security" not in client.get("/").headers


def test_the_software_is_not_named(app: Flask, addresses: list[str]) -> None:
    client = app.test_client()

    for address in addresses:
        assert "Server" not in client.get(address).headers
        assert "X-Powered-By" not in client.get(address).headers


def test_the_redirect_to_the_pay_page_has_them(app: Flask) -> None:
    with app.app_context():
        slug = make_product().slug
    buyer = Buyer(app)
    with provider(app) as calls:
        calls.invoice_is_made("ABCD1234")
        assert buyer.buys(slug) == "http://127.0.0.1:5001/ABCD1234"

    assert buyer.page.headers["Cache-Control"] == "no-store"
    assert "Content-Security-Policy" in buyer.page.headers
