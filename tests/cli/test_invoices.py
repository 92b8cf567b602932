"""`flask invoices`: real invoices at the configured provider, for trying the way there."""

from __future__ import annotations

import json
from typing import Any

import pytest
import responses
from click.testing import Result
from flask import Flask
from flask.testing import FlaskCliRunner
from sqlalchemy import func, select

from shop.config import Settings
from shop.db import db
from shop.orders.models import Order
from shop.payments.models import Payment, PaymentState
from tests.factories import Provider, make_open_order, provider

GOOD = {"--amount": "10", "--currency": "EUR", "--email": "a@example.com"}


def create(runner: FlaskCliRunner, *more: str, **changes: str) -> Result:
    given = GOOD | {f"--{name}": value for name, value in changes.items()}
    words = [word for pair in given.items() for word in pair]
    return runner.invoke(args=["invoices", "create", *words, *more])


def sent(calls: Provider) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(calls.calls[0].request.body or "")
    return body


def orders(app: Flask) -> int:
    with app.app_context():
        return db.session.scalar(select(func.count()).select_from(Order)) or 0


def test_an_invoice_is_made_and_its_pay_link_printed(app: Flask, runner: FlaskCliRunner) -> None:
    with provider(app) as calls:
        calls.invoice_is_made("ABCD1234")
        result = create(runner)
        body = sent(calls)

    assert result.exit_code == 0
    assert "invoice_id: ABCD1234\n" in result.stdout
    assert "pay_url: http://127.0.0.1:5001/ABCD1234\n" in result.stdout
    assert (body["amount"], body["currency"], body["email"]) == ("10.00", "EUR", "a@example.com")


def test_the_order_id_is_sent_exactly_as_it_was_given(app: Flask, runner: FlaskCliRunner) -> None:
    with provider(app) as calls:
        calls.invoice_is_made()
        result = create(runner, "--order-id", "My order / 7: ~x")
        body = sent(calls)

    assert result.exit_code == 0
    assert body["order_id"] == "My order / 7: ~x"
    assert "order_id: My order / 7: ~x\n" in result.stdout


def test_an_order_id_is_made_up_where_none_is_given(app: Flask, runner: FlaskCliRunner) -> None:
    with provider(app) as calls:
        calls.invoice_is_made()
        found = json.loads(create(runner, "--json").stdout)
        body = sent(calls)

    assert body["order_id"] == found["order_id"]
    assert found["order_id"].startswith(found["order"])


def test_the_json_says_it_all(app: Flask, runner: FlaskCliRunner) -> None:
    with provider(app) as calls:
        calls.invoice_is_made("ABCD1234")
        found = json.loads(create(runner, "--json", "--order-id", "x", amount="10.5").stdout)

    assert found == {
        "invoice_id": "ABCD1234",
        "pay_url": "http://127.0.0.1:5001/ABCD1234",
        "amount": "10.50",
        "currency": "EUR",
        "order": found["order"],
        "order_id": "x",
    }


def test_the_order_is_marked_as_a_test_and_sells_nothing(
    app: Flask, runner: FlaskCliRunner
) -> None:
    with provider(app) as calls:
        calls.invoice_is_made()
        create(runner)

    with app.app_context():
        order = db.session.scalars(select(Order)).one()
        assert order.is_test
        assert [line.product_id for line in order.lines] == [None]
        assert order.events[0].who == "operator"


def test_the_currency_may_be_written_small(app: Flask, runner: FlaskCliRunner) -> None:
    with provider(app) as calls:
        calls.invoice_is_made()
        assert create(runner, currency="uah").exit_code == 0
        assert sent(calls)["currency"] == "UAH"


@pytest.mark.parametrize("engine", ["sqlite"])
@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("amount", text) for text in ("0", "0.00", "-1", "ten", "", "1e3", "NaN", "10,50")),
        *(("amount", text) for text in ("10.005", "٣", "9" * 20, "9" * 30, " 10", "0x10")),
        *(("currency", text) for text in ("XXX", "BTC", "", "EURO")),
        *(("email", text) for text in ("", "nobody", "a@b", "a@example.com\nBcc: x@y.z", "a b@c.de")),
        *(("order-id", text) for text in ("", " ", "x ", " x", "x" * 65, "a\nb", "заказ", "\t")),
    ],
)  # fmt: skip
def test_bad_input_is_named_and_nothing_is_made(
    app: Flask, runner: FlaskCliRunner, name: str, value: str
) -> None:
    with provider(app) as calls:
        result = create(runner, **{name: value})
        assert len(calls.calls) == 0

    assert result.exit_code in (1, 2)
    assert "Error: " in result.stderr
    assert "Traceback" not in result.output
    assert isinstance(result.exception, SystemExit)
    assert orders(app) == 0


@pytest.mark.parametrize("engine", ["sqlite"])
@pytest.mark.parametrize("missing", ["--amount", "--currency", "--email"])
def test_what_is_missing_is_named(runner: FlaskCliRunner, missing: str) -> None:
    words = [word for name, value in GOOD.items() if name != missing for word in (name, value)]

    result = runner.invoke(args=["invoices", "create", *words])

    assert result.exit_code == 2
    assert missing in result.stderr


def test_an_order_id_can_be_used_once(app: Flask, runner: FlaskCliRunner) -> None:
    with provider(app) as calls:
        calls.invoice_is_made()
        create(runner, "--order-id", "once")
        result = create(runner, "--order-id", "once")
        assert len(calls.calls) == 1

    assert result.exit_code == 1
    assert "Order id once has been used before; choose another." in result.stderr


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (400, "said no (400): too small"),
        (401, "refused the API key (401)"),
        (500, "the answer (500) is not one that the API gives"),
    ],
)
def test_a_provider_that_makes_none_is_named(
    app: Flask, runner: FlaskCliRunner, status: int, words: str
) -> None:
    with provider(app) as calls:
        calls.post(calls.create_url, json={"status": "error", "error": "too small"}, status=status)
        result = create(runner, "--json")

    assert result.exit_code == 1
    assert result.stdout == "", "nothing that a script could take for an invoice"
    assert words in result.stderr
    with app.app_context():
        payment = db.session.scalars(select(Payment)).one()
        assert payment.order.number in result.stderr
        assert payment.state in (PaymentState.FAILED, PaymentState.UNKNOWN)


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (500, "An invoice may have been made, but no usable answer came"),
        (401, "No invoice was made"),
    ],
)
def test_a_provider_that_fails_is_named(
    app: Flask, runner: FlaskCliRunner, status: int, said: str
) -> None:
    with provider(app) as calls:
        calls.post(calls.create_url, status=status)
        result = create(runner)

    assert result.exit_code == 1
    assert said in result.stderr
    assert "Traceback" not in result.output


def test_no_secret_is_printed(app: Flask, settings: Settings, runner: FlaskCliRunner) -> None:
    with provider(app) as calls:
        calls.invoice_is_made()
        output = create(runner).output
        calls.post(calls.create_url, status=401)
        output += create(runner).output
        calls.invoice_is("created")
        output += runner.invoke(args=["invoices", "show", "ABCD1234"]).output

    for name in ("secret_key", "cryptocloud_api_key", "cryptocloud_secret_key"):
        assert getattr(settings, name).get_secret_value() not in output


@pytest.mark.parametrize("spelling", ["{}", "INV-{}", "inv-{}"])
def test_an_invoice_of_ours_is_shown_with_its_order(
    app: Flask, runner: FlaskCliRunner, spelling: str
) -> None:
    with app.app_context():
        order, payment = make_open_order(app)
        number, invoice = order.number, str(payment.invoice_id)

    with provider(app) as calls:
        calls.invoice_is("partial")
        result = runner.invoke(args=["invoices", "show", spelling.format(invoice), "--json"])

    assert result.exit_code == 0
    found = json.loads(result.stdout)
    assert found["invoice_id"] == invoice
    assert found["provider_status"] == "partial"
    assert found["order"] == number
    assert found["amount"] == "10.00 USD"


def test_looking_changes_nothing(app: Flask, runner: FlaskCliRunner) -> None:
    with app.app_context():
        _, payment = make_open_order(app)
        invoice = str(payment.invoice_id)

    with provider(app) as calls:
        calls.invoice_is("paid")
        runner.invoke(args=["invoices", "show", invoice])

    with app.app_context():
        assert db.session.scalars(select(Payment)).one().state is PaymentState.OPEN


def test_an_invoice_of_nobody_we_know_is_shown_without_order(
    app: Flask, runner: FlaskCliRunner
) -> None:
    with provider(app) as calls:
        calls.invoice_is("paid")
        found = json.loads(runner.invoke(args=["invoices", "show", "ZZZZ9999", "--json"]).stdout)

    assert found == {"invoice_id": "ZZZZ9999", "provider_status": "paid", "order": None}


@pytest.mark.parametrize("engine", ["sqlite"])
@pytest.mark.parametrize("invoice", ["x", "", "INV-", "../../v1", "ABCD 1234", "A" * 40, "АБВГ"])
def test_what_is_no_invoice_id_is_refused(app: Flask, runner: FlaskCliRunner, invoice: str) -> None:
    with provider(app) as calls:
        result = runner.invoke(args=["invoices", "show", invoice])
        assert len(calls.calls) == 0

    assert result.exit_code == 1
    assert "An invoice id looks like INV-ABCD1234" in result.stderr


def test_a_provider_that_does_not_say_is_named(app: Flask, runner: FlaskCliRunner) -> None:
    with provider(app) as calls:
        calls.add(responses.GET, calls.info_url, status=503)
        result = runner.invoke(args=["invoices", "show", "ABCD1234", "--json"])

    assert result.exit_code == 1
    assert result.stdout == ""
    assert "The provider did not say" in result.stderr
