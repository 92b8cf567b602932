"""Nobody is led away from the shop: not by a link somebody made, not by a reply of the provider."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import pytest
import responses
from flask import Flask, redirect, request
from flask.testing import FlaskClient
from sqlalchemy import select
from werkzeug.test import TestResponse
from werkzeug.urls import iri_to_uri
from werkzeug.wrappers import Response

from shop.config import Settings
from shop.db import db
from shop.orders.links import order_token
from shop.payments.models import Payment
from tests.buyer import Buyer, Form
from tests.conftest import make_settings
from tests.factories import Provider, make_product, provider
from tests.support.promises import Promise

HOME = "http://localhost"
PAY_HOST = "https://pay.cryptocloud.plus"
LIST = {HOME, PAY_HOST}
"""Where a buyer may be sent."""

HOSTILE = [
    "https://evil.example", "http://evil.example/", "HTTPS://EVIL.EXAMPLE/x", "//evil.example",
    "///evil.example", "////evil.example", "/\\evil.example", "\\\\evil.example", "\\/evil.example",
    "/\t/evil.example", "\t//evil.example", " //evil.example", "\n//evil.example", "/\n/evil.example",
    "/\r/evil.example", "\u0000//evil.example", "\u0001https://evil.example", "ht\ttps://evil.example",
    "https:evil.example", "https:/evil.example", "https:///evil.example", "https:\\\\evil.example",
    "https:/\\evil.example", "http:\\/evil.example", "//localhost@evil.example",
    "https://localhost@evil.example", "https://localhost:80@evil.example", "https://localhost%40evil.example",
    "//localhost.evil.example", "https://evil.example#localhost", "https://evil.example?localhost",
    "https://evil.example\\@localhost", "https://localhost\\.evil.example",
    "https://user:password@localhost:99/", "http://localhost:99/", "http://localhost:8080/cart",
    "//localhost:99", "https://pay.cryptocloud.plus@evil.example/x",
    "https://pay.cryptocloud.plus.evil.example/x", "https://pay.cryptocloud.plus:8443/x",
    "http://pay.cryptocloud.plus/x", "https://evil.example/pay.cryptocloud.plus",
    "https://paycryptocloud.plus/x", "https://pay.cryptocIoud.plus/x", "https://pay.crypt\u043ecloud.plus/x",
    "https://pay.cryptocloud.plus\u2024evil.example/", "https://evil\u3002example/", "https://[::1]/",
    "https://[::ffff:127.0.0.1]/", "https://2130706433/", "https://0x7f000001/",
    "https://169.254.169.254/latest/meta-data/", "javascript:alert(1)", "JaVaScRiPt:alert(1)",
    "java\tscript:alert(1)", " javascript:alert(1)", "javascript://localhost/%0aalert(1)",
    "data:text/html,<script>alert(1)</script>", "vbscript:msgbox(1)", "file:///etc/passwd",
    "ftp://evil.example/", "mailto:evil@evil.example", "intent://evil.example#Intent;scheme=https;end",
    "https://evil.example\r\nSet-Cookie: a=b",
    "https://pay.cryptocloud.plus\r\nLocation: https://evil.example",
]  # fmt: skip
NAMES = (
    "next",
    "url",
    "return",
    "return_url",
    "return_to",
    "redirect",
    "redirect_uri",
    "continue",
    "to",
)
each = pytest.mark.parametrize("step", [7, pytest.param(1, marks=pytest.mark.long)])
"""Every seventh address in a hurry; the judge below has them all each time."""
on_one = pytest.mark.parametrize("engine", ["sqlite"])
"""For what does not touch the database."""


def where_to(location: str) -> str:
    """The origin that a browser goes to from the shop: it forgives more than `urlsplit` does."""
    location = re.sub(r"[\t\r\n]", "", location.strip("".join(map(chr, range(33)))))
    head, mark, tail = location.partition("?")
    special = re.match(r"(?i)(https?:)?[\\/]*", head)
    if special and (special[1] or head.startswith(("/", "\\"))):
        head = head.replace("\\", "/")
        scheme = (special[1] or "").lower()
        if scheme:  # however many slashes: a browser reads https:x, https:/x and https:///x alike
            head = f"{scheme}//{head[len(scheme) :].lstrip('/')}"
        elif head.startswith("//"):
            head = f"//{head.lstrip('/')}"
    try:
        parts = urlsplit(urljoin(f"{HOME}/payment/success", head + mark + tail))
    except ValueError:
        return "nowhere that can be named"
    return f"{parts.scheme}://{parts.netloc}"


def leads_away(response: TestResponse) -> bool:
    location = response.headers.get("Location")
    return (
        location is not None and where_to(location) not in LIST
    ) or "Refresh" in response.headers


def test_the_judge_knows_a_way_home_from_a_way_out() -> None:
    """The control: every hostile address would be noticed, and what the shop says is not."""
    home = [
        "/cart",
        "/orders/x?returned=1",
        f"{HOME}/cart",
        f"{PAY_HOST}/X",
        "cart",
        "?x=//evil.example",
    ]

    assert [address for address in home if where_to(address) not in LIST] == []
    assert [address for address in HOSTILE if where_to(address) in LIST] == []
    assert len(HOSTILE) >= 60


@pytest.fixture
def settings(tmp_path: Path, database_url: str) -> Settings:
    return make_settings(tmp_path / "data", database_url, cryptocloud_pay_hosts=PAY_HOST)


@pytest.fixture
def calls(app: Flask) -> Iterator[Provider]:
    with provider(app) as calls:
        calls.invoice_is("created")
        yield calls


@pytest.fixture
def buyer(app: Flask, calls: Provider) -> Buyer:
    """With an order that waits for money, and another product in the cart."""
    with app.app_context():
        slug = make_product(stock=500).slug
    buyer = Buyer(app)
    calls.invoice_is_made()
    buyer.buys(slug)
    buyer.puts_into_cart(slug)
    return buyer


def order_of(app: Flask) -> tuple[str, str]:
    """The order's address, and the reference by which the provider sends its buyer back."""
    with app.app_context():
        payment = db.session.scalars(select(Payment)).one()
        return f"/orders/{order_token(payment.order)}", payment.reference


def returns(app: Flask, buyer: Buyer, addresses: list[str]) -> list[str]:
    """Come back from the pay page by links that name another place to go on to; which were followed."""
    reference, followed = order_of(app)[1], []
    for address in addresses:
        for page in ("/payment/success", "/payment/fail"):
            more = dict.fromkeys(NAMES, address)
            ours = buyer.browser.get(page, query_string={"order_id": reference} | more)
            other = buyer.browser.get(page, query_string={"order_id": address} | more)
            assert (ours.status_code, other.status_code) == (303, 200)
            if leads_away(ours) or leads_away(other) or "evil" in other.text:
                followed.append(address)
    return followed


@pytest.mark.promise(34)
@each
def test_the_way_back_from_the_pay_page_leads_to_the_order_whatever_the_link_names(
    app: Flask, buyer: Buyer, promise: Promise, step: int
) -> None:
    assert returns(app, buyer, HOSTILE[::step]) == []

    promise.cases += len(HOSTILE[::step])


@on_one
@each
def test_a_way_back_that_went_where_the_link_says_would_be_found_out(
    app: Flask, buyer: Buyer, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    """The control."""

    def obliging(*given: object, **more: object) -> Response:
        return redirect(sent(request.args["next"]), 303)

    monkeypatch.setattr("shop.orderpage.views.redirect", obliging)
    addresses = HOSTILE[::step]

    found = returns(app, buyer, addresses)

    assert set(found) == {a for a in addresses if where_to(sent(a)) not in LIST}
    assert len(set(found)) > len(addresses) * 0.8


def sent(address: str) -> str:
    """An address as Werkzeug would write it into a header; some lose their sting on the way."""
    with contextlib.suppress(ValueError):
        return iri_to_uri(re.sub(r"[\r\n]", "", address))
    return "https://evil.example"


@pytest.mark.promise(34)
@each
def test_no_form_leads_to_a_place_that_is_named_in_it(
    app: Flask, buyer: Buyer, promise: Promise, step: int
) -> None:
    order, _ = order_of(app)
    cart = Form(buyer.opens("/cart").text, "/cart/lines").fields
    checkout = Form(buyer.opens("/checkout").text, "/checkout").fields | {"email": "not one"}
    token = {"csrf_token": checkout["csrf_token"]}
    forms = {
        "/cart": {"product": "none", "quantity": "1"},
        "/cart/lines": cart,
        "/checkout": checkout,
        f"{order}/check": token,
        f"{order}/pay": token,
        f"{order}/pay?": {},
    }
    for address in HOSTILE[::step]:
        more = dict.fromkeys(NAMES, address)
        referrer = {} if re.search(r"[^ -~]", address) else {"Referer": address}
        for action, fields in forms.items():
            answer = buyer.browser.post(
                action, query_string=more, data=more | fields, headers=referrer
            )
            assert answer.status_code in (303, 400, 404, 409, 422), (action, address)
            assert not leads_away(answer), (action, address)
        promise.cases += 1


@pytest.mark.promise(34)
@each
def test_no_pay_url_of_a_reply_leads_off_the_list_or_gets_onto_a_page(
    app: Flask,
    buyer: Buyer,
    calls: Provider,
    promise: Promise,
    step: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("shop.payments.opening.LASTING_SECONDS", -1)  # the minute is over each time
    monkeypatch.setattr("shop.payments.opening.PAUSES", (0.0,))
    for module in ("shop.payments.opening", "shop.orderpage.page", "shop.orderpage.states"):
        monkeypatch.setattr(f"{module}.MOST_ATTEMPTS", 10_000)
    order, _ = order_of(app)
    calls.invoice_is("canceled")
    buyer.opens(order)
    buyer.presses("check")
    for number, address in enumerate(HOSTILE[::step]):
        reply = {"status": "success", "invoice_id": f"EVIL{number:04}", "pay_url": address}
        calls.upsert(responses.POST, calls.create_url, json=reply)
        buyer.opens(order)
        answer = buyer.presses("pay")
        assert answer.headers["Location"] == order, address
        assert address not in buyer.opens(order).text
        promise.cases += 1

    calls.remove(responses.POST, calls.create_url)
    calls.invoice_is_made()
    assert where_to(buyer.presses("pay").headers["Location"]) == PAY_HOST


HOSTS = [
    *("localhost:99", "localhost:80@evil.example", "localhost@evil.example", "evil.example"),
    *("localhost.evil.example", "localhost\\.evil.example", "localhost, evil.example", "[::1]", ""),
    *("localhost#evil.example", "localhost/evil.example", "localhost evil.example", "LOCALHOST:99"),
]
FORWARDED = {
    "X-Forwarded-Host": "evil.example",
    "X-Forwarded-Proto": "https",
    "X-Forwarded-Port": "99",
    "X-Forwarded-Prefix": "//evil.example",
    "Forwarded": "host=evil.example;proto=https",
    "X-Original-URL": "//evil.example",
    "X-Rewrite-URL": "//evil.example",
}


@pytest.mark.promise(34)
@on_one
def test_no_host_name_and_no_proxys_word_gets_into_a_redirect(
    app: Flask, buyer: Buyer, promise: Promise
) -> None:
    """An address without any path once was redirected to the port that the visitor had named."""
    client, reference = app.test_client(), order_of(app)[1]
    for host in HOSTS:
        for page in (
            "/checkout",
            "/cart/",
            f"/payment/success?order_id={reference}",
            "//x.example/",
        ):
            for headers in ({"Host": host}, {"Host": "localhost"} | FORWARDED):
                answer = client.get(page, headers=headers)
                assert answer.status_code < 500
                assert not leads_away(answer), (page, headers)
        promise.cases += 1


@pytest.mark.promise(34)
@on_one
@each
def test_no_path_turns_into_a_redirect(client: FlaskClient, promise: Promise, step: int) -> None:
    for address in HOSTILE[::step]:
        for path in (address, f"/{address}", f"//{address}/", f"/products/{address}/"):
            sent = path.encode().decode("latin-1")  # as WSGI hands it over
            answer = client.get("/", environ_overrides={"PATH_INFO": sent})
            assert answer.status_code in (200, 400, 404, 405), path
            assert "Location" not in answer.headers, path
        promise.cases += 1
