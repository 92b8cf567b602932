"""The shop answers to its own names only, and believes proxies only when told to."""

from __future__ import annotations

from pathlib import Path

import pytest
from flask import Flask, request
from flask.testing import FlaskClient

from shop import create_app
from shop.orders.links import order_url
from shop.orders.models import Order
from tests.web.conftest import production

BAD_HOSTS = [
    "evil.example",
    "shop.example.evil.example",
    "evilshop.example",
    "shop.example@evil.example",
    "evil.example#shop.example",
    "evil.example/shop.example",
    "shop.example evil.example",
    "shop.example, evil.example",
    "shop.example:80@evil.example",
    "localhost",
    "127.0.0.1",
    "[::1]",
    "",
]


@pytest.mark.parametrize("host", BAD_HOSTS)
@pytest.mark.parametrize("address", ["/", "/no/such/page", "/cart", "//evil.example/x"])
def test_another_host_name_is_refused_in_plain_words(
    secure_app: Flask, host: str, address: str
) -> None:
    """An error page with links could not be built for it, and once was a bare crash."""
    response = secure_app.test_client().get(address, headers={"Host": host})

    assert response.status_code == 400
    assert response.text == "This shop does not answer to that host name.\n"
    assert "Location" not in response.headers
    assert response.headers["X-Content-Type-Options"] == "nosniff"


def test_another_host_name_with_another_sites_form_is_refused_as_well(secure_app: Flask) -> None:
    response = secure_app.test_client().post(
        "/cart", headers={"Host": "evil.example", "Sec-Fetch-Site": "cross-site"}
    )

    assert response.status_code in (400, 403)
    assert "evil" not in response.text


def test_a_postback_to_another_host_name_is_refused(secure_app: Flask) -> None:
    response = secure_app.test_client().post(
        "/payments/cryptocloud/postback", headers={"Host": "evil.example"}
    )

    assert response.status_code == 400


@pytest.mark.parametrize(
    "host",
    ["shop.example", "shop.example:443", "SHOP.Example", "Shop.Example:443", "shop.example."],
)
def test_its_own_name_is_answered(secure_app: Flask, host: str) -> None:
    assert secure_app.test_client().get("/", headers={"Host": host}).status_code == 200


def test_further_names_can_be_allowed(tmp_path: Path, settings: object) -> None:
    app = create_app(production(tmp_path / "data", shop_trusted_hosts="10.0.0.7, inner.example"))
    client = app.test_client()

    assert client.get("/terms", headers={"Host": "10.0.0.7"}).status_code == 200
    assert client.get("/terms", headers={"Host": "inner.example"}).status_code == 200
    assert client.get("/terms", headers={"Host": "10.0.0.8"}).status_code == 400


@pytest.mark.parametrize("host", ["10.0.0.8:8000", "localhost", "[::1]:8000", "evil.example", ""])
def test_a_health_checker_needs_to_know_no_name(
    tmp_path: Path, settings: object, host: str
) -> None:
    """They ask each machine by its address."""
    client = create_app(production(tmp_path / "data")).test_client()

    assert client.get("/healthz", headers={"Host": host}).json == {"status": "ok"}
    assert client.get("/readyz", headers={"Host": host}).status_code == 503  # no tables are here
    assert client.get("/terms", headers={"Host": host}).status_code == 400


def test_the_doctors_question_needs_the_name_that_buyers_use(secure_app: Flask) -> None:
    """It would not see a proxy that swallows the name."""
    asked = f"/healthz?nonce={'n' * 32}"

    client = secure_app.test_client()

    assert client.get(asked, headers={"Host": "backend:8000"}).status_code == 400
    assert client.get(asked, headers={"Host": "shop.example"}).json["proof"]


@pytest.mark.parametrize(("public", "host"), [
    ("http://[::1]:8000", "[::1]:8000"),
    ("http://[::1]:8000", "[0:0:0:0:0:0:0:1]:8000"),
    ("http://магазин.рф", "xn--80aairftm.xn--p1ai"),
])  # fmt: skip
def test_a_shop_is_answered_at_whatever_address_it_has(
    tmp_path: Path, public: str, host: str
) -> None:
    settings = production(tmp_path / "data", shop_public_url=public, shop_development=True)
    client = create_app(settings).test_client()

    assert client.get("/terms", headers={"Host": host}).status_code == 200
    assert client.get("/terms", headers={"Host": "[::2]:8000"}).status_code == 400


def test_mailed_links_and_redirects_do_not_follow_a_foreign_port(
    secure_app: Flask,
) -> None:
    """A port that is not ours passes the check of names, so no link may be built from it."""
    order = Order(id=1, link_version=1)
    with secure_app.test_request_context("/", headers={"Host": "shop.example:99"}):
        assert order_url(order).startswith("https://shop.example/orders/")

    client = secure_app.test_client()
    response = client.get("/", headers={"Host": "shop.example:99"})
    assert ":99" not in response.text
    response = client.get("/checkout", headers={"Host": "shop.example:99"})
    assert response.headers["Location"] == "/cart"


FORWARDED = {
    "X-Forwarded-For": "203.0.113.9",
    "X-Forwarded-Proto": "https",
    "X-Forwarded-Host": "shop.example",
}


def seen_by(app: Flask, host: str, headers: dict[str, str]) -> tuple[int, str]:
    @app.get("/seen")
    def seen() -> str:
        return f"{request.remote_addr} {request.scheme} {request.host}"

    response = app.test_client().get("/seen", headers={"Host": host, **headers})
    return response.status_code, response.text


def test_without_a_trusted_proxy_its_headers_are_ignored(secure_app: Flask) -> None:
    lies = FORWARDED | {"X-Forwarded-Host": "evil.example"}

    assert seen_by(secure_app, "shop.example", lies) == (200, "127.0.0.1 http shop.example")


def test_without_a_trusted_proxy_its_headers_open_no_door(secure_app: Flask) -> None:
    status, _ = seen_by(secure_app, "evil.example", FORWARDED)

    assert status == 400


def test_with_a_trusted_proxy_its_headers_count(tmp_path: Path) -> None:
    app = create_app(production(tmp_path / "data", shop_trusted_proxies=1))

    assert seen_by(app, "backend:8000", FORWARDED) == (200, "203.0.113.9 https shop.example")


def test_with_a_trusted_proxy_only_its_own_entry_counts(tmp_path: Path) -> None:
    """What the visitor put in front of the proxy's entry is the visitor's invention."""
    app = create_app(production(tmp_path / "data", shop_trusted_proxies=1))
    lies = FORWARDED | {"X-Forwarded-For": "10.0.0.1, 127.0.0.1, 203.0.113.9"}

    assert seen_by(app, "backend:8000", lies)[1].startswith("203.0.113.9 ")


def test_with_a_trusted_proxy_a_foreign_forwarded_host_is_refused(tmp_path: Path) -> None:
    app = create_app(production(tmp_path / "data", shop_trusted_proxies=1))
    lies = FORWARDED | {"X-Forwarded-Host": "evil.example"}

    assert seen_by(app, "shop.example", lies)[0] == 400


def test_a_development_shop_answers_on_the_loopback(client: FlaskClient) -> None:
    for host in ("localhost:8000", "127.0.0.1:8123", "[::1]:8000"):
        assert client.get("/terms", headers={"Host": host}).status_code == 200
    assert client.get("/terms", headers={"Host": "evil.example"}).status_code == 400
