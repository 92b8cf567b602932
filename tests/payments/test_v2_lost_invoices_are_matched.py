"""A postback may be all that is left of a lost answer: API v2 says which order its invoice was made for."""

from __future__ import annotations

from datetime import timedelta

import pytest
from flask import Flask

from shop.attention.queries import open_attention
from shop.config import Settings
from shop.db import end_read, transaction, utcnow
from shop.orders.models import OrderStatus
from shop.payments.cryptocloud import ProvenPostback
from shop.payments.inbox import receive_postback
from shop.payments.models import Payment, PaymentState
from shop.payments.sweep import sweep
from tests.factories import Provider, ProviderV2, gateway, make_open_order, make_order, provider

LOST = "LOST0001"


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"cryptocloud_api_version": "2"})


def is_made_and_paid(calls: Provider, payment: Payment, **facts: object) -> None:
    """The provider has made an invoice for this payment, whose answer never came, and it is paid."""
    assert isinstance(calls, ProviderV2)
    calls.made[LOST] = {
        "uuid": f"INV-{LOST}",
        "amount_in_fiat": "10.00",
        "fiat_currency": "USD",
        "order_id": payment.reference,
    } | facts
    calls.invoice_is("paid")
    receive_postback(ProvenPostback(LOST, None, "success", "10.01", "USDT_TRC20"))


WAYS = {
    PaymentState.CREATING: [],
    PaymentState.FAILED: [PaymentState.FAILED],
    PaymentState.UNKNOWN: [PaymentState.UNKNOWN],
    PaymentState.ABANDONED: [PaymentState.UNKNOWN, PaymentState.ABANDONED],
}


def is_left(payment: Payment, state: PaymentState) -> None:
    """This is how far the payment's own process and the sweeps have come."""
    for step in WAYS[state]:
        with transaction() as session:
            session.get_one(Payment, payment.id).move(step)
    end_read()


@pytest.mark.parametrize("state", [PaymentState.UNKNOWN, PaymentState.ABANDONED])
def test_the_invoice_of_a_lost_answer_is_bound_and_its_money_buys_the_goods(
    app: Flask, state: PaymentState
) -> None:
    with app.app_context(), provider(app) as calls:  # its list of invoices cannot be had
        order, payment = make_order(app)
        is_left(payment, state)
        is_made_and_paid(calls, payment)

        sweep(gateway(app), now := utcnow())
        bound = (payment.state, payment.invoice_id, payment.pay_url)
        sweep(gateway(app), now + timedelta(minutes=1))

        assert bound == (PaymentState.ABANDONED, LOST, "")
        assert order.status is OrderStatus.FULFILLED
        found = ("invoice_found", f"invoice {LOST} was made although no answer came")
        assert found in [(event.kind, event.note) for event in order.events]
        assert open_attention() == []


@pytest.mark.parametrize("state", [PaymentState.CREATING, PaymentState.FAILED])
def test_an_invoice_is_not_bound_where_its_process_is_about_to_or_the_provider_had_said_no(
    app: Flask, state: PaymentState
) -> None:
    with app.app_context(), provider(app) as calls:
        order, payment = make_order(app)
        is_left(payment, state)
        is_made_and_paid(calls, payment)

        sweep(gateway(app), utcnow())

        assert (payment.state, payment.invoice_id) == (state, None)
        assert order.status is OrderStatus.PENDING


def test_a_payment_that_has_an_invoice_gets_no_second_one(app: Flask) -> None:
    with app.app_context(), provider(app) as calls:
        _, payment = make_open_order(app)
        own = payment.invoice_id
        is_made_and_paid(calls, payment)

        sweep(gateway(app), now := utcnow())
        sweep(gateway(app), now + timedelta(minutes=6))

        assert payment.invoice_id == own
        assert [item.reference for item in open_attention()] == [LOST]


@pytest.mark.parametrize("reference", ["7K3M-Q9XD-1-0123456789abcdef", "", None])
def test_an_invoice_that_names_no_payment_of_ours_is_put_before_a_person(
    app: Flask, reference: str | None
) -> None:
    with app.app_context(), provider(app) as calls:
        _, payment = make_order(app)
        is_left(payment, PaymentState.ABANDONED)
        is_made_and_paid(calls, payment, order_id=reference)

        sweep(gateway(app), utcnow() + timedelta(minutes=6))

        (item,) = open_attention()
        assert item.kind == "unmatched_invoice"
        assert item.note.endswith(
            " CryptoCloud's API says that it was paid: it may have been made in your account by hand."
        )
        assert payment.invoice_id is None


def test_an_invoice_that_the_api_does_not_know_is_put_before_a_person_as_such(app: Flask) -> None:
    with app.app_context(), provider(app) as calls:
        calls.post(calls.info_url, json={"status": "success", "result": []})
        receive_postback(ProvenPostback(LOST, None, "success", "10.01", "USDT_TRC20"))

        sweep(gateway(app), utcnow() + timedelta(minutes=6))

        (item,) = open_attention()
        assert item.note.endswith(
            " CryptoCloud's API does not know it either: look for it in your account."
        )


def test_a_lost_invoice_that_nobody_can_look_for_is_not_given_up_for_a_day(app: Flask) -> None:
    with app.app_context(), provider(app):  # every call fails
        _, payment = make_order(app)
        is_left(payment, PaymentState.UNKNOWN)

        sweep(gateway(app), utcnow() + timedelta(hours=23))
        assert payment.state is PaymentState.UNKNOWN
        sweep(gateway(app), utcnow() + timedelta(hours=25))
        assert payment.state is PaymentState.ABANDONED


@pytest.mark.parametrize(
    "odd",
    [
        {"link": "https://pay.elsewhere.example/X"},
        {"amount_in_fiat": 9.99},
        {"amount_in_fiat": "ten"},
        {"test_mode": "true"},
    ],
)
def test_a_listed_invoice_that_nobody_may_be_shown_is_watched_and_a_person_is_told(
    app: Flask, odd: dict[str, object]
) -> None:
    with app.app_context(), provider(app) as calls:
        _, payment = make_order(app)
        is_left(payment, PaymentState.UNKNOWN)
        assert isinstance(calls, ProviderV2)
        good = {"uuid": f"INV-{LOST}", "link": f"{calls.pay_origin}/{LOST}", "amount_in_fiat": 10.0}
        calls.made[LOST] = good | {"order_id": payment.reference} | odd
        calls.invoices_are_listed(LOST)

        sweep(gateway(app), utcnow() + timedelta(minutes=1))

        bound = (payment.state, payment.invoice_id, payment.pay_url)
        assert bound == (PaymentState.ABANDONED, LOST, "")
        assert [item.kind for item in open_attention()] == ["reply_refused"]
        assert payment.next_check_at is not None
