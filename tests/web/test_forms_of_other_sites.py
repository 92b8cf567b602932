"""A form that another site made the browser send is refused, with or without a token."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.buyer import Form
from tests.factories import make_product

Post = Callable[..., TestResponse]


@pytest.fixture
def slug(app: Flask) -> str:
    with app.app_context():
        return make_product().slug


@pytest.fixture
def add(secure_client: FlaskClient, slug: str) -> Post:
    """Send "Add to cart" with these headers."""

    def add(**headers: str) -> TestResponse:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return secure_client.post("/cart", data={"product": slug}, headers=named)

    return add


@pytest.mark.parametrize("site", ["same-origin", "none"])
def test_the_shops_own_form_is_taken(add: Post, site: str) -> None:
    assert add(Sec_Fetch_Site=site, Origin="https://shop.example").status_code == 303


@pytest.mark.parametrize("site", ["cross-site", "same-site", "", "nonsense", "same-origin, none"])
def test_what_the_browser_calls_another_site_is_refused(add: Post, site: str) -> None:
    response = add(Sec_Fetch_Site=site, Origin="https://shop.example")

    assert response.status_code == 403
    assert "This form did not come from our pages" in response.text
    assert "Set-Cookie" not in response.headers


def test_an_old_browser_is_judged_by_its_origin(add: Post) -> None:
    assert add(Origin="https://shop.example").status_code == 303


@pytest.mark.parametrize(
    "origin",
    [
        "null",
        "",
        "https://evil.example",
        "http://shop.example",
        "https://shop.example.evil.example",
        "https://evil.example/https://shop.example",
        "https://shop.example:8443",
        "https://shop.example, https://evil.example",
        "HTTPS://SHOP.EXAMPLE@evil.example",
    ],
)
def test_any_other_origin_is_refused(add: Post, origin: str) -> None:
    assert add(Origin=origin).status_code == 403


def test_a_program_that_sends_neither_is_taken(add: Post) -> None:
    """It is no browser, so nobody's cart is in its cookies."""
    assert add().status_code == 303


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("address", ["/", "/cart", "/checkout", "/no/such/page", "/orders/x/pay"])
def test_the_check_is_made_before_anything_else(
    client: FlaskClient, method: str, address: str
) -> None:
    response = client.open(address, method=method, headers={"Sec-Fetch-Site": "cross-site"})

    assert response.status_code in (403, 405)


def test_the_postback_comes_from_elsewhere_and_is_judged_by_its_token(
    client: FlaskClient,
) -> None:
    response = client.post(
        "/payments/cryptocloud/postback", json={}, headers={"Origin": "https://evil.example"}
    )

    assert response.get_json() == {"message": "Postback refused"}


def test_a_token_does_not_help_another_site(secure_client: FlaskClient, slug: str) -> None:
    secure_client.post("/cart", data={"product": slug})
    fields = Form(secure_client.get("/cart").text, "/cart/lines").fields
    own = {"Sec-Fetch-Site": "same-origin"}
    theirs = {"Sec-Fetch-Site": "cross-site"}

    answer = secure_client.post("/cart/lines", data=fields | {"remove": slug}, headers=theirs)

    assert answer.status_code == 403
    assert slug in secure_client.get("/cart").text
    answer = secure_client.post("/cart/lines", data=fields | {"remove": slug}, headers=own)
    assert answer.status_code == 303
    assert slug not in secure_client.get("/cart").text


def test_a_link_from_another_site_is_welcome(client: FlaskClient, slug: str) -> None:
    headers = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}

    for address in ("/", f"/products/{slug}", "/cart", "/payment/success?order_id=x"):
        assert client.get(address, headers=headers).status_code == 200
