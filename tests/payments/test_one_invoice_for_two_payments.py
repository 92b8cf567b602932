"""An invoice belongs to one payment. API v1 does not say to which: a mix-up must not go unseen."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
import requests
import responses
from flask import Flask

from shop.attention.queries import open_attention
from shop.attention.service import resolve_attention_item
from shop.because import Because
from shop.config import Settings
from shop.db import transaction, utcnow
from shop.orders.models import OrderStatus
from shop.payments.cryptocloud import Invoice, ProvenPostback, Untrusted
from shop.payments.inbox import receive_postback
from shop.payments.models import Payment, PaymentState
from shop.payments.opening import bind, open_invoice
from shop.payments.sweep import sweep
from shop.payments.times import CHECK_AFTER
from tests.factories import (
    as_json,
    gateway,
    make_open_order,
    make_order,
    make_postback,
    make_product,
    provider,
)

ADDRESS = "/payments/cryptocloud/postback"


def make_lost(app: Flask) -> Payment:
    """The payment of an order for 20.00, of which the create call's answer was lost."""
    _, payment = make_order(app, make_product(price=2000))
    with provider(app) as calls:
        calls.add(responses.POST, calls.create_url, body=requests.ReadTimeout())
        open_invoice(payment, gateway(app))
    assert payment.state is PaymentState.UNKNOWN
    return payment


def tell(app: Flask, settings: Settings, about: Payment, names: Payment) -> int:
    """The answer to a postback with a genuine token."""
    body = make_postback(settings, about, order_id=names.reference)
    return app.test_client().post(ADDRESS, **as_json(body)).status_code


def test_a_postback_for_a_payment_whose_answer_was_lost_tells_a_person_that_another_got_its_invoice(
    app: Flask, settings: Settings
) -> None:
    with app.app_context():
        lost = make_lost(app)
        order, payment = make_open_order(app, make_product(price=1000))
        assert [tell(app, settings, payment, lost) for _ in range(2)] == [403, 403]

        (item,) = open_attention()

        assert (item.kind, item.reference) == ("order_mismatch", payment.reference)
        assert item.order_id == order.id
        assert item.note == (
            f"CryptoCloud says that invoice {payment.invoice_id}, which it gave us for order "
            f"{order.number} (10.00 USD), is for order {lost.order.number} (20.00 USD)."
        )
        with provider(app) as calls:
            calls.invoice_is("paid")
            sweep(gateway(app), utcnow())
        assert order.status is OrderStatus.FULFILLED, "what is paid is up to the provider's API"
        assert [each.id for each in open_attention()] == [item.id]


def test_a_person_who_has_seen_a_mix_up_is_not_told_of_it_again(
    app: Flask, settings: Settings
) -> None:
    with app.app_context():
        lost, (_, payment) = make_lost(app), make_open_order(app)
        tell(app, settings, payment, lost)
        resolve_attention_item(open_attention()[0].id, Because("paid back", "me"))

        tell(app, settings, payment, lost)

        assert open_attention() == []


def test_a_postback_that_names_a_payment_with_an_invoice_of_its_own_is_a_forgery_and_no_mix_up(
    app: Flask, settings: Settings
) -> None:
    with app.app_context():
        _, payment = make_open_order(app)
        _, another = make_open_order(app)

        assert tell(app, settings, payment, another) == 403

        assert open_attention() == []


def test_an_invoice_of_which_a_postback_says_that_it_was_paid_for_another_order_is_given_to_nobody(
    app: Flask,
) -> None:
    with app.app_context():
        lost, (order, payment) = make_lost(app), make_order(app)
        receive_postback(ProvenPostback("LOST0001", lost.reference, "success", "10.01", "BTC"))

        with provider(app) as calls:
            calls.invoice_is_made("LOST0001")
            calls.invoice_is("paid")
            open_invoice(payment, gateway(app))
            for later in (timedelta(0), timedelta(minutes=6)):
                sweep(gateway(app), utcnow() + later)

        assert (payment.invoice_id, order.status) == (None, OrderStatus.PENDING)
        assert sorted(item.kind for item in open_attention()) == [
            "reply_refused",
            "unmatched_invoice",
        ]


def test_a_postback_that_names_an_order_of_nobody_keeps_no_invoice_from_its_payment(
    app: Flask,
) -> None:
    """The sandbox of another shop, say, or an order id that the provider has cut short."""
    with app.app_context():
        order, payment = make_order(app)
        receive_postback(ProvenPostback("EARLY001", "not-one-of-ours", "success", "10.01", "BTC"))

        with provider(app) as calls:
            calls.invoice_is_made("EARLY001")
            calls.invoice_is("paid")
            open_invoice(payment, gateway(app))
            sweep(gateway(app), utcnow())

        assert order.status is OrderStatus.FULFILLED


def test_an_invoice_is_asked_for_in_the_name_and_amount_of_its_payment(app: Flask) -> None:
    with app.app_context():
        _, payment = make_order(app, make_product(price=1000))
        with provider(app) as calls:
            calls.invoice_is_made()
            open_invoice(payment, gateway(app))
            asked = json.loads(calls.calls[0].request.body or "")

        assert (asked["order_id"], asked["amount"]) == (payment.reference, "10.00")


def test_an_invoice_that_its_payment_has_already_is_no_mix_up(app: Flask) -> None:
    """The create reply, and the sweep that looks for lost ones, may both bring it."""
    with app.app_context():
        order, payment = make_open_order(app)
        again = Invoice(str(payment.invoice_id), str(payment.pay_url))
        assert payment.opened_at
        assert payment.next_check_at == payment.opened_at + CHECK_AFTER[0]

        assert bind(order.id, payment.id, payment.reference, again)
        with transaction():
            payment.move(PaymentState.CANCELLED)
        assert not bind(order.id, payment.id, payment.reference, again), (
            "and it is not shown once it is over"
        )


def test_a_payment_keeps_its_invoice_whatever_else_is_brought(app: Flask) -> None:
    with app.app_context():
        order, payment = make_open_order(app)
        before = payment.invoice_id

        other = Invoice("OTHER001", "https://pay.example/OTHER001")
        with pytest.raises(Untrusted):
            bind(order.id, payment.id, payment.reference, other)

        assert payment.invoice_id == before


def test_an_invoice_that_comes_after_its_payment_was_given_up_is_watched_and_not_shown(
    app: Flask,
) -> None:
    with app.app_context():
        lost = make_lost(app)
        with transaction():
            lost.move(PaymentState.ABANDONED)

        late = Invoice("LATE0001", "https://pay.example/LATE0001")
        shown = bind(lost.order_id, lost.id, lost.reference, late)

        assert (shown, lost.state, lost.invoice_id) == (None, PaymentState.ABANDONED, "LATE0001")
        assert lost.next_check_at is not None
        assert lost.order.events[-1].kind == "invoice_unused"
