"""A no that will not pass by itself is before a person at once, and its buyer is told the truth."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import responses
from flask import Flask
from flask.testing import FlaskClient

from shop.attention.queries import open_attention
from shop.config import Settings
from shop.db import transaction, utcnow
from shop.limits.service import check_limits_again
from shop.orders.links import order_path
from shop.orders.models import Order
from shop.payments.checking import refresh
from shop.payments.cryptocloud import CryptoCloudError
from shop.payments.models import Payment, PaymentState
from shop.payments.opening import NotPayable, PaymentBusy, open_invoice, start_payment
from tests.factories import gateway, make_open_order, make_order, provider

pytestmark = pytest.mark.parametrize("version", ["1", "2"])

HTML = "<html><body>Checking your browser</body></html>"
SAYS: dict[str, tuple[dict[str, Any], str, str]] = {
    "an amount below the minimum": (
        {"status": 400, "json": {"status": "error", "error": "Minimum amount is 0.1 USD"}},
        "Minimum amount is 0.1 USD",
        "raise the price",
    ),
    "a wrong shop id": (
        {"status": 400, "json": {"status": "error", "result": {"shop_id": "Unknown"}}},
        "shop_id: Unknown",
        "CRYPTOCLOUD_SHOP_ID",
    ),
    "the same inside a 200": (
        {"status": 200, "json": {"status": "error", "result": {"shop_id": "Unknown"}}},
        "shop_id: Unknown",
        "CRYPTOCLOUD_SHOP_ID",
    ),
    "a project that is not active": (
        {"status": 403, "json": {"detail": "Project is not active"}},
        "Project is not active",
        "moderation",
    ),
    "a wall": (
        {"status": 403, "body": HTML, "headers": {"Server": "cloudflare"}},
        "something in between answered in the API's place (403), which calls itself cloudflare",
        "CRYPTOCLOUD_API_URL",
    ),
    "a page that says 200": (
        {"status": 200, "body": HTML},
        "something in between answered in the API's place (200)",
        "CRYPTOCLOUD_API_URL",
    ),
    "a reply that cannot be read": (
        {"status": 200, "json": {"status": "success"}},
        "was refused, and the buyer was sent nowhere",
        "CRYPTOCLOUD_API_URL",
    ),
    "an API that is gone": (
        {"status": 410, "json": {"message": "This version was switched off"}},
        "no such API at this address (410): This version was switched off",
        "CRYPTOCLOUD_API_URL",
    ),
    "a redirect within": (
        {"status": 302, "headers": {"Location": "/maintenance"}},
        "a redirect to no other host",
        "firewalls and proxies",
    ),
    "an API that has moved": (
        {"status": 301, "headers": {"Location": "https://api.trybit.com/v2"}},
        "sends to api.trybit.com",
        "set it to that address",
    ),
    "a wrong key": (
        {"status": 401, "json": {"message": "Unauthenticated."}},
        "refused the API key",
        "CRYPTOCLOUD_API_KEY",
    ),
}


@pytest.fixture
def settings(settings: Settings, version: str) -> Settings:
    return settings.model_copy(update={"cryptocloud_api_version": version})


def refuse(app: Flask, payment: Payment, **says: Any) -> int:
    """Have the provider answer so when the payment's invoice is asked for; the number of calls."""
    with provider(app) as calls:
        calls.post(calls.create_url, **says)
        open_invoice(payment, gateway(app))
        return len(calls.calls)


def page(client: FlaskClient, order: Order) -> str:
    return client.get(order_path(order)).text


@pytest.mark.parametrize("kind", SAYS)
def test_it_is_before_a_person_at_once_in_the_providers_words_and_says_where_to_look(
    app: Flask, kind: str
) -> None:
    says, words, where = SAYS[kind]
    with app.app_context():
        _order, payment = make_order(app)

        refuse(app, payment, **says)

        (item,) = open_attention()
        assert words in item.note
        assert where in item.note
        assert payment.error_lasts
        assert payment.state in (PaymentState.FAILED, PaymentState.UNKNOWN)


@pytest.mark.parametrize("kind", SAYS)
def test_the_buyer_hears_that_the_shop_has_a_problem_and_whom_to_write_to(
    app: Flask, client: FlaskClient, kind: str
) -> None:
    with app.app_context():
        order, payment = make_order(app)
        refuse(app, payment, **SAYS[kind][0])

        text = page(client, order)

        assert "The shop cannot take your payment now" in text
        assert "mailto:help@shop.example" in text
        assert order.number in text
        assert "Nothing was charged" in text
        assert "Try again" not in text


@pytest.mark.parametrize("engine", ["sqlite"])
@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("ru", "Магазин сейчас не может принять оплату"),
        ("uk", "Магазин зараз не може прийняти оплату"),
    ],
)
def test_it_is_said_in_the_buyers_language(
    app: Flask, client: FlaskClient, language: str, words: str
) -> None:
    with app.app_context():
        order, payment = make_order(app)
        refuse(app, payment, **SAYS["a wrong shop id"][0])

        assert words in client.get(f"/{language}{order_path(order)}").text


def test_one_order_makes_one_attempt_a_minute_while_it_lasts(
    app: Flask, client: FlaskClient
) -> None:
    with app.app_context():
        order, payment = make_order(app)
        refuse(app, payment, **SAYS["a wrong shop id"][0])

        with pytest.raises(NotPayable):
            start_payment(order.id, check_limits_again)
        with transaction() as session:
            found = session.get_one(Payment, payment.id)
            assert found.retry_at is not None
            assert found.retry_at > utcnow() + timedelta(seconds=50)
            found.retry_at = utcnow()  # the minute is over

        assert "Try again" in page(client, order)
        again, ours = start_payment(order.id, check_limits_again)
        assert ours
        assert refuse(app, again, **SAYS["a wrong shop id"][0]) == 1
        with pytest.raises(NotPayable):
            start_payment(order.id, check_limits_again)


def test_many_orders_that_it_stops_are_one_item_and_another_reason_is_another(app: Flask) -> None:
    with app.app_context():
        for _ in range(3):
            refuse(app, make_order(app)[1], **SAYS["a wrong shop id"][0])
        assert len(open_attention()) == 1

        refuse(app, make_order(app)[1], **SAYS["an amount below the minimum"][0])
        assert len(open_attention()) == 2


@pytest.mark.parametrize(
    "words",
    [
        ("Project blocked, request 4f1d2c3b9a", "Project blocked, request 77e0c1d2aa"),
        ("Minimum amount is 0.000141 BTC", "Minimum amount is 0.2 BTC"),
        ("Closed until 10:05", "Closed until 10:06"),
    ],
)
def test_a_reason_with_another_figure_each_time_is_one_reason(
    app: Flask, words: tuple[str, str]
) -> None:
    with app.app_context():
        for error in words:
            refuse(app, make_order(app)[1], status=400, json={"status": "error", "error": error})

        (item,) = open_attention()
        assert words[0] in item.note


def test_a_buyers_address_in_the_words_is_kept_nowhere(app: Flask) -> None:
    with app.app_context():
        _, payment = make_order(app)
        address = payment.order.email

        says = {"status": "error", "error": f"Email {address} is blacklisted"}
        refuse(app, payment, status=400, json=says)

        (item,) = open_attention()
        assert address not in f"{item.reference} {item.note} {payment.error}"
        assert "is blacklisted" in item.note


@pytest.mark.parametrize("engine", ["sqlite"])
@pytest.mark.parametrize(
    "says",
    [
        {"status": 429},
        {"status": 406},
        {"status": 400, "json": {"status": "error", "result": {"rate_limit": "5 per minute"}}},
    ],
)
def test_what_passes_by_itself_is_waited_for_and_bothers_nobody(
    app: Flask, client: FlaskClient, says: dict[str, Any]
) -> None:
    with app.app_context():
        order, payment = make_order(app)
        refuse(app, payment, **says)

        assert open_attention() == []
        assert "Payment is busy, your order is kept" in page(client, order)
        with pytest.raises(PaymentBusy):
            start_payment(order.id, check_limits_again)


def test_a_pay_link_to_a_host_that_is_not_listed_names_it_and_the_setting(
    app: Flask, client: FlaskClient
) -> None:
    with app.app_context():
        order, payment = make_order(app)
        link = "https://pay.somewhere.example/89UX09KA"
        told = {"uuid": "INV-89UX09KA", "link": link}
        made = {"pay_url": link, "invoice_id": "89UX09KA", "result": told}

        refuse(app, payment, json={"status": "success"} | made)

        (item,) = open_attention()
        assert item.kind == "reply_refused"
        assert "pay.somewhere.example" in item.note
        assert "CRYPTOCLOUD_PAY_HOSTS" in item.note
        assert "The shop cannot take your payment now" in page(client, order)
        with pytest.raises(NotPayable):
            start_payment(order.id, check_limits_again)


@pytest.mark.parametrize(
    "kind",
    ["a project that is not active", "a wall", "an API that is gone", "an API that has moved"],
)
def test_it_is_told_when_the_provider_is_asked_about_a_payment_as_well(
    app: Flask, kind: str
) -> None:
    says, words, where = SAYS[kind]
    with app.app_context():
        _order, payment = make_open_order(app)
        with provider(app) as calls:
            method = responses.POST if "merchant" in calls.info_url else responses.GET
            calls.add(method, calls.info_url, **says)
            with pytest.raises(CryptoCloudError):
                refresh(payment, gateway(app))

        (item,) = open_attention()
        assert item.note.startswith("CryptoCloud does not answer about invoices: ")
        assert words in item.note
        assert where in item.note


@pytest.mark.parametrize("kind", ["a page that says 200", "a reply that cannot be read"])
def test_one_unreadable_answer_about_a_payment_bothers_nobody(app: Flask, kind: str) -> None:
    with app.app_context():
        _order, payment = make_open_order(app)
        with provider(app) as calls:
            method = responses.POST if "merchant" in calls.info_url else responses.GET
            calls.add(method, calls.info_url, **SAYS[kind][0])
            with pytest.raises(CryptoCloudError):
                refresh(payment, gateway(app))

        assert open_attention() == []
        assert payment.unclear_since is not None
