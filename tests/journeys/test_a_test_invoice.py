"""`flask invoices create`: a real invoice at the provider, for an order that is marked as a test."""

from __future__ import annotations

import json

import pytest
from flask.testing import FlaskCliRunner

from tests.buyer import Buyer
from tests.journeys.books import Books
from tests.journeys.till import Till

COMMAND = ["invoices", "create", "--amount", "10", "--currency", "EUR", "--email", "a@example.com"]


@pytest.fixture
def made(shop: str, runner: FlaskCliRunner) -> dict[str, str]:
    result = runner.invoke(args=[*COMMAND, "--json"])
    assert result.exit_code == 0, result.output
    found: dict[str, str] = json.loads(result.stdout)
    return found


def test_the_invoice_is_at_the_provider_and_its_pay_page_opens(
    till: Till, books: Books, made: dict[str, str]
) -> None:
    (invoice,) = till.invoices()

    assert (invoice["amount"], invoice["currency"]) == ("10.00", "EUR")
    assert invoice["email"] == "a@example.com"
    assert invoice["pay_url"] == made["pay_url"]
    assert invoice["order_id"] == made["order_id"]
    assert books.order().is_test


def test_a_paid_test_order_says_that_it_is_a_test_on_the_page_and_in_the_mail(
    buyer: Buyer, runner: FlaskCliRunner, till: Till, books: Books, made: dict[str, str]
) -> None:
    till.does("pay", made["pay_url"])

    shown = json.loads(runner.invoke(args=["orders", "show", made["order"], "--json"]).stdout)
    page = buyer.opens(shown["url"]).text

    assert shown["status"] == "fulfilled"
    assert "This is a test order" in page
    assert "Paid, thank you" in page
    assert "Your goods are below" not in page  # there are none
    (mail,) = books.mails()
    assert "This is a test order" in mail.as_string()


def test_a_given_order_id_is_what_the_provider_is_told(
    runner: FlaskCliRunner, shop: str, till: Till
) -> None:
    first = runner.invoke(args=[*COMMAND, "--order-id", "till-7"])
    again = runner.invoke(args=[*COMMAND, "--order-id", "till-7"])

    assert first.exit_code == 0
    assert [invoice["order_id"] for invoice in till.invoices()] == ["till-7"]
    assert again.exit_code != 0
    assert "has been used before" in again.output


@pytest.mark.parametrize(
    ("fault", "said"), [("down", "An invoice may have been made"), ("401", "No invoice was made")]
)
def test_a_provider_that_fails_is_named_and_the_exit_code_says_so(
    runner: FlaskCliRunner, shop: str, till: Till, fault: str, said: str
) -> None:
    till.is_switched(fault)

    result = runner.invoke(args=COMMAND)

    assert result.exit_code != 0
    assert said in result.output
