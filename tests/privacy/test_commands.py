"""`flask privacy`: a buyer asks what is known about them, or to be forgotten."""

from __future__ import annotations

import json
from datetime import timedelta

from flask import Flask
from flask.testing import FlaskCliRunner

from shop.catalogue.models import DeliveryKind
from shop.db import db, utcnow
from shop.orders.models import Order
from tests.factories import make_open_order, make_product, send_due_mails
from tests.support.deciding import BY, does
from tests.support.sold import sell

ADDRESS = "buyer@example.com"


def sold(app: Flask) -> str:
    """The number of an order that has got everything."""
    with app.app_context():
        number = sell(app, make_product(kind=DeliveryKind.KEY, keys=1)).number
        send_due_mails(utcnow() + timedelta(minutes=3))
        return number


def unpaid(app: Flask) -> str:
    with app.app_context():
        return make_open_order(app)[0].number


def address_of(app: Flask, number: str) -> str:
    with app.app_context():
        return db.session.query(Order).filter_by(number=number).one().email


def test_export_tells_everything_about_an_address(app: Flask, runner: FlaskCliRunner) -> None:
    first, second = sold(app), unpaid(app)

    result = does(runner, "privacy", "export", " BUYER@Example.com ")

    known = json.loads(result.stdout)
    assert [order["order"] for order in known["orders"]] == [first, second]
    order = known["orders"][0]
    assert order["email"] == ADDRESS
    assert order["lines"][0]["total"] == "10.00 USD"
    assert order["payments"][0]["state"] == "paid"
    assert order["payments"][0]["error"] == ""
    assert order["deliveries"][0]["keys"][0].startswith("KEY-")
    assert "sent" in [mail["state"] for mail in order["mails"]]
    assert order["history"][0]["kind"] == "placed"
    assert known["attention"] == []


def test_export_of_an_unknown_address_is_empty(runner: FlaskCliRunner) -> None:
    result = does(runner, "privacy", "export", "nobody@example.com")

    assert json.loads(result.stdout)["orders"] == []


def test_erase_forgets_what_is_closed_and_names_what_is_not(
    app: Flask, runner: FlaskCliRunner
) -> None:
    closed, waiting = sold(app), unpaid(app)

    result = does(runner, "privacy", "erase", "Buyer@Example.com", *BY)

    assert result.exit_code == 1
    assert f"{closed}: the address is erased." in result.stdout
    assert f"{waiting} keeps the address: it is not closed, money may still come" in result.output
    assert (address_of(app, closed), address_of(app, waiting)) == ("", ADDRESS)


def test_erase_succeeds_when_nothing_is_left(app: Flask, runner: FlaskCliRunner) -> None:
    number = sold(app)

    result = does(runner, "privacy", "erase", ADDRESS, *BY)

    assert result.exit_code == 0
    history = json.loads(does(runner, "orders", "show", number, "--json").stdout)["history"]
    assert (history[-1]["kind"], history[-1]["who"]) == ("erased", "Ann")


def test_erase_refuses_an_address_that_no_order_has(runner: FlaskCliRunner) -> None:
    result = does(runner, "privacy", "erase", "nobody@example.com", *BY)

    assert result.exit_code == 1
    assert "No order has this address." in result.output


def test_the_reason_for_erasing_an_address_must_not_hold_it(
    app: Flask, runner: FlaskCliRunner
) -> None:
    number = sold(app)

    result = does(
        runner, "privacy", "erase", ADDRESS, "--reason", f"{ADDRESS} asked", "--who", "Ann"
    )

    assert result.exit_code == 1
    assert "leave the address out" in result.output
    assert address_of(app, number) == ADDRESS
