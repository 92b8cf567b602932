"""The operator sees what holds somebody up, and lets them go on."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskCliRunner

from shop.config import Settings
from shop.db import end_read, transaction, utcnow
from shop.limits.models import Placement
from shop.limits.service import TooManyOrders
from shop.ops.rations import ration_subject, use_ration
from shop.orders.models import Order, OrderStatus
from shop.outbox.on_request import AGAIN, SEARCHES, TO_AN_ADDRESS
from shop.payments.models import Payment
from shop.payments.opening import PaymentBusy, open_invoice, start_payment
from shop.web.network import client_key
from tests.conftest import make_settings
from tests.factories import gateway, make_buyer, make_cart, make_product, place_order, provider

ADDRESS, NETWORK = "buyer@example.com", "1.2.3.4"


@pytest.fixture
def settings(tmp_path: Path, database_url: str) -> Settings:
    return make_settings(tmp_path / "data", database_url, shop_unpaid_orders=2)


def place(app: Flask, email: str = ADDRESS, network: str = NETWORK) -> str:
    cart = make_cart(app, make_product())
    buyer = make_buyer(cart, email=email, client=client_key(network))
    return place_order(cart, buyer)[0].number


@pytest.mark.parametrize("whose", [ADDRESS, "Buyer+shop@Example.com", NETWORK])
def test_who_is_counted_is_shown_with_its_end_and_lifted(
    app: Flask, runner: FlaskCliRunner, whose: str
) -> None:
    with app.app_context():
        numbers = [place(app) for _ in range(2)]
        for n in range(8 * (whose == NETWORK)):
            numbers.append(place(app, f"else-{n}@example.com"))
        with pytest.raises(TooManyOrders):
            place(app, ADDRESS if "@" in whose else "one-more@example.com")
        end_read()

    shown = json.loads(runner.invoke(args=["limits", "show", whose, "--json"]).stdout)
    result = runner.invoke(args=["limits", "lift", whose])

    assert [order["order"] for order in shown["orders"]] == numbers
    assert all(order["until"].endswith("UTC") for order in shown["orders"])
    assert result.exit_code == 0
    assert "Nothing counts against this" in result.stdout
    with app.app_context():
        place(app, ADDRESS if "@" in whose else "one-more@example.com")
        end_read()


def test_what_waits_for_money_counts_whatever_its_age_and_the_rest_of_a_network_for_an_hour(
    app: Flask, runner: FlaskCliRunner
) -> None:
    with app.app_context():
        over, waits, was_over = (place(app, f"{n}@example.com") for n in range(3))
        place(app, "3@example.com", "5.6.7.8")
        with transaction() as session:
            for number, status, hours in (
                (over, OrderStatus.CANCELLED, 0),
                (waits, OrderStatus.PENDING, 3),
                (was_over, OrderStatus.CANCELLED, 2),
            ):
                order = session.query(Order).filter_by(number=number).one()
                order.status = status
                placement = session.get_one(Placement, order.id)
                placement.placed_at = utcnow() - timedelta(hours=hours)

    shown = json.loads(runner.invoke(args=["limits", "show", NETWORK, "--json"]).stdout)

    assert [order["order"] for order in shown["orders"]] == [waits, over], "the oldest first"


def test_rations_of_an_address_are_shown_and_given_back(app: Flask, runner: FlaskCliRunner) -> None:
    with app.app_context(), transaction() as session:
        for _ in range(SEARCHES):
            use_ration(session, ration_subject("search", ADDRESS), SEARCHES)
        use_ration(session, ration_subject("mail", ADDRESS), TO_AN_ADDRESS)

    text = runner.invoke(args=["limits", "show", ADDRESS]).stdout
    assert "searches  5 of 5" in text
    assert "mails  1 of 10" in text
    assert ADDRESS not in text

    runner.invoke(args=["limits", "lift", ADDRESS])
    assert "searches  0 of 5" in runner.invoke(args=["limits", "show", ADDRESS]).stdout


def test_the_pause_and_the_mails_of_an_order_are_shown_and_lifted(
    app: Flask, runner: FlaskCliRunner
) -> None:
    with app.app_context():
        cart = make_cart(app, make_product())
        order, payment = place_order(cart, make_buyer(cart))
        assert payment
        number, order_id = order.number, order.id
        with provider(app) as calls:
            calls.post(calls.create_url, status=429)
            open_invoice(payment, gateway(app))
        with transaction() as session:
            found = session.get_one(Payment, payment.id)
            assert found.retry_at
            use_ration(session, ration_subject("again", number), AGAIN)
        with pytest.raises(PaymentBusy):
            start_payment(order_id)
        end_read()

    text = runner.invoke(args=["limits", "show", number]).stdout
    assert "attempts_to_pay: 1" in text
    assert "next_attempt: 20" in text
    assert "mails again  1 of 3" in text

    runner.invoke(args=["limits", "lift", number])
    assert "next_attempt: at once" in runner.invoke(args=["limits", "show", number]).stdout
    with app.app_context():
        assert start_payment(order_id)[1]


@pytest.mark.parametrize("engine", ["sqlite"])
@pytest.mark.parametrize(
    ("whose", "said"),
    [("2222-2222", "There is no order"), ("10.0.0.1", "no address of the internet")],
)
def test_what_is_not_counted_is_said_so(runner: FlaskCliRunner, whose: str, said: str) -> None:
    for command in ("show", "lift"):
        result = runner.invoke(args=["limits", command, whose])
        assert result.exit_code == 1
        assert said in result.output
