"""`flask orders`: looking, and asking the provider again."""

from __future__ import annotations

import json
from urllib.parse import urlsplit

import pytest
import responses
from flask import Flask
from flask.testing import FlaskClient, FlaskCliRunner
from sqlalchemy import select

from shop.catalogue.models import DeliveryKind
from shop.config import Settings
from shop.db import db, end_read, transaction
from shop.orders.models import Order, OrderFlag
from shop.payments.checking import refresh
from shop.payments.opening import open_invoice, start_payment
from shop.payments.queries import payments_of
from tests.factories import gateway, make_open_order, make_order, make_product, provider


@pytest.fixture
def number(app: Flask) -> str:
    """An order whose invoice is open."""
    with app.app_context():
        return make_open_order(app)[0].number


def test_the_newest_orders_come_first(app: Flask, runner: FlaskCliRunner) -> None:
    with app.app_context():
        numbers = [make_order(app)[0].number for _ in range(3)]

    lines = runner.invoke(args=["orders", "list"]).stdout.splitlines()

    assert [line.split()[0] for line in lines] == numbers[::-1]
    assert "pending" in lines[0]
    assert "10.00 USD" in lines[0]


def test_a_script_reads_the_list_as_json(runner: FlaskCliRunner, number: str) -> None:
    (found,) = json.loads(runner.invoke(args=["orders", "list", "--json"]).stdout)

    assert found["order"] == number
    assert found["status"] == "pending"
    assert found["flag"] == "none"
    assert found["total"] == "10.00 USD"
    assert found["test"] is False
    assert found["created_at"].endswith("+00:00")


def test_an_oddity_is_in_the_list(app: Flask, runner: FlaskCliRunner) -> None:
    with app.app_context():
        order, _ = make_order(app)
        with transaction() as session:
            session.merge(order).raise_flag(OrderFlag.PAID_PARTIAL, "some of it")

    assert "paid_partial" in runner.invoke(args=["orders", "list"]).stdout


def test_the_list_can_be_narrowed(app: Flask, runner: FlaskCliRunner, number: str) -> None:
    with app.app_context():
        make_order(app)

    def listed(*words: str) -> int:
        return len(json.loads(runner.invoke(args=["orders", "list", "--json", *words]).stdout))

    assert listed() == 2
    assert listed("--limit", "1") == 1
    assert listed("--status", "pending") == 2
    assert listed("--status", "paid") == 0


def test_an_empty_list_says_so_to_people_and_is_empty_to_scripts(runner: FlaskCliRunner) -> None:
    assert runner.invoke(args=["orders", "list"]).stdout == "No orders.\n"
    assert json.loads(runner.invoke(args=["orders", "list", "--json"]).stdout) == []


@pytest.mark.parametrize("engine", ["sqlite"])
@pytest.mark.parametrize("words", [["--status", "lost"], ["--limit", "0"], ["--limit", "x"]])
def test_a_wish_that_makes_no_sense_is_refused(runner: FlaskCliRunner, words: list[str]) -> None:
    result = runner.invoke(args=["orders", "list", *words])

    assert result.exit_code == 2
    assert words[0] in result.stderr


def test_an_order_is_shown_with_everything_and_its_link_works(
    client: FlaskClient, runner: FlaskCliRunner, number: str
) -> None:
    found = json.loads(runner.invoke(args=["orders", "show", number, "--json"]).stdout)

    assert found["order"] == number
    assert found["email"] == "buyer@example.com"
    assert found["lines"][0]["quantity"] == 1
    assert found["payments"][0]["state"] == "open"
    assert found["payments"][0]["pay_url"].startswith("http://127.0.0.1:5001/")
    assert [event["kind"] for event in found["history"]] == ["placed", "invoice_opened"]
    assert f"Order {number}" in client.get(urlsplit(found["url"]).path).text


def test_an_order_is_shown_to_people(runner: FlaskCliRunner, number: str) -> None:
    text = runner.invoke(args=["orders", "show", number]).stdout

    assert f"order: {number}\n" in text
    assert "history:\n" in text
    assert "invoice_opened" in text


def test_a_number_may_be_typed_carelessly(runner: FlaskCliRunner, number: str) -> None:
    for typed in (number.lower(), number.replace("-", ""), f" {number} "):
        assert runner.invoke(args=["orders", "show", typed]).exit_code == 0


BY = ["--reason", "why", "--who", "Ann"]


@pytest.mark.parametrize(
    "words",
    [
        ["show"],
        ["refresh"],
        ["confirm", "--transaction", "0xfeed", *BY],
        ["cancel", *BY],
        ["refund", *BY],
    ],
    ids=lambda words: words[0],
)
def test_an_unknown_number_is_named(runner: FlaskCliRunner, words: list[str]) -> None:
    for number in ("XXXX-XXXX", "1", "'; DROP TABLE orders", "%", "é"):
        result = runner.invoke(args=["orders", *words, number])

        assert result.exit_code == 1
        assert f"There is no order {number}." in result.stderr


def test_asking_again_makes_a_paid_order_paid_and_hands_out_the_goods(
    app: Flask, runner: FlaskCliRunner, number: str
) -> None:
    with provider(app) as calls:
        calls.invoice_is("paid")
        result = runner.invoke(args=["orders", "refresh", number])

    assert result.exit_code == 0
    assert result.stdout == f"{number} is fulfilled.\n"


def test_asking_again_about_nothing_new_changes_nothing(
    app: Flask, runner: FlaskCliRunner, number: str
) -> None:
    with provider(app) as calls:
        calls.invoice_is("created")
        assert runner.invoke(args=["orders", "refresh", number]).stdout == f"{number} is pending.\n"


def test_a_provider_that_is_down_is_named(app: Flask, runner: FlaskCliRunner, number: str) -> None:
    with provider(app) as calls:
        calls.add(responses.GET, calls.info_url, status=500)
        result = runner.invoke(args=["orders", "refresh", number])

    assert result.exit_code == 1
    assert result.stdout == f"{number} is pending.\n"
    assert "the provider did not say" in result.stderr


def test_what_cannot_be_told_about_one_invoice_keeps_nobody_from_asking_about_the_next(
    app: Flask, runner: FlaskCliRunner, number: str
) -> None:
    with app.app_context(), provider(app) as calls:
        order = db.session.scalars(select(Order)).one()
        calls.invoice_is("canceled")
        refresh(payments_of(order.id)[0], gateway(app))
        second, _ = start_payment(order.id)
        calls.invoice_is_made()
        open_invoice(second, gateway(app))
        first, new = (payment.invoice_id for payment in payments_of(order.id))
        calls.remove(responses.GET, calls.info_url)
        for invoice, status in ((first, 404), (new, 200)):
            calls.add(
                responses.GET,
                calls.info_url,
                json={"status": "success", "status_invoice": "paid"},
                status=status,
                match=[responses.matchers.query_param_matcher({"uuid": f"INV-{invoice}"})],
            )
        end_read()
        result = runner.invoke(args=["orders", "refresh", number])

    assert result.stdout == f"{number} is fulfilled.\n"
    assert f"About invoice {first} the provider did not say" in result.stderr
    assert result.exit_code == 1


def test_an_order_without_invoice_cannot_be_asked_about(app: Flask, runner: FlaskCliRunner) -> None:
    with app.app_context():
        number = make_order(app)[0].number

    result = runner.invoke(args=["orders", "refresh", number])

    assert result.exit_code == 1
    assert f"Order {number} has no invoice to ask about." in result.stderr


def test_the_deliveries_are_shown_without_the_goods(
    app: Flask, settings: Settings, runner: FlaskCliRunner
) -> None:
    """A terminal is looked at over shoulders, and its output is pasted into tickets."""
    with app.app_context():
        order, _ = make_open_order(app, make_product(kind=DeliveryKind.KEY, keys=1))
    with provider(app) as calls:
        calls.invoice_is("paid")
        runner.invoke(args=["orders", "refresh", order.number])

    text = runner.invoke(args=["orders", "show", order.number]).output

    assert "key  delivered" in text
    assert "KEY-" not in text
    for name in ("secret_key", "cryptocloud_api_key", "cryptocloud_secret_key"):
        assert getattr(settings, name).get_secret_value() not in text
