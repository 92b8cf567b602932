"""The same shop with CRYPTOCLOUD_API_VERSION=2: lost answers are found, what came is told in figures."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest
from flask import Flask

from shop.config import Settings
from shop.orders.links import order_token
from shop.payments import opening
from shop.payments.cryptocloud import CryptoCloudV2, InvoiceInfo
from tests.buyer import Buyer
from tests.factories import make_product
from tests.journeys.books import Books
from tests.journeys.till import Till

HOURS = 2


@pytest.fixture
def settings(settings: Settings) -> Settings:
    changes = {"cryptocloud_api_version": "2", "cryptocloud_invoice_hours": HOURS}
    return settings.model_copy(update=changes)


@pytest.fixture
def slug(app: Flask) -> str:
    with app.app_context():
        return make_product(stock=9).slug


@pytest.mark.parametrize("encoding", ["json", "form"])
def test_a_buyer_pays_and_gets_the_goods(
    buyer: Buyer, till: Till, books: Books, slug: str, encoding: str
) -> None:
    till.is_switched("up", postback_format=encoding)
    pay_url = buyer.buys(slug)

    invoice = till.does("pay", pay_url)

    assert invoice["api"] == "v2"
    (sent,) = invoice["postbacks"]
    assert (sent["encoding"], sent["answer"]) == (encoding, 200)
    assert "invoice_info" in sent["fields"]
    assert "Paid, thank you" in buyer.comes_back(invoice["return_url"])
    assert books.state() == ("fulfilled", "none")
    assert len(books.mails()) == 1


def test_the_time_to_pay_is_the_shops_own_and_stands_on_the_order_page(
    buyer: Buyer, till: Till, slug: str
) -> None:
    buyer.buys(slug)

    (invoice,) = till.invoices()
    deadline = datetime.fromisoformat(invoice["deadline"])
    page = buyer.looks_at_order()

    lifetime = deadline - datetime.fromisoformat(invoice["created"])
    assert timedelta(hours=HOURS, seconds=-1) <= lifetime <= timedelta(hours=HOURS)
    assert f"{deadline:%H:%M} UTC" in page
    assert "(about 119 minutes left)" in page


def test_an_invoice_whose_answer_got_lost_is_found_and_offered_to_the_buyer(
    buyer: Buyer, till: Till, books: Books, slug: str
) -> None:
    till.is_switched("reset")
    buyer.puts_into_cart(slug)
    buyer.checks_out()
    assert "The payment page did not open" in buyer.reads_answer()
    till.is_switched("up")

    books.sweeps(seconds=31)

    (invoice,) = till.invoices()
    assert books.payments() == ["open"]
    assert f'href="{invoice["pay_url"]}"' in buyer.looks_at_order()
    till.does("pay", invoice["pay_url"])
    assert books.state() == ("fulfilled", "none")


def test_an_invoice_that_comes_too_late_is_cancelled_and_never_shown(
    app: Flask,
    buyer: Buyer,
    till: Till,
    books: Books,
    slug: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The process sleeps between call and answer; meanwhile the buyer has started another payment."""
    impatient = Buyer(app)
    impatient.browser = buyer.browser

    def sleeps(where: str) -> None:
        if where != "after_call" or books.payments() != ["creating"]:
            return
        till.is_switched("down")
        books.sweeps(seconds=31)
        till.is_switched("up")
        impatient.opens(order_path(books))
        impatient.presses("pay")

    monkeypatch.setattr(opening, "failpoint", sleeps)

    pay_url = buyer.buys(slug)

    second, first = till.invoices()
    assert pay_url == second["pay_url"]
    assert (first["status"], second["status"]) == ("canceled", "created")
    assert books.payments() == ["abandoned", "open"]
    assert first["pay_url"] not in buyer.opens(order_path(books)).text


def test_many_invoices_are_asked_about_in_few_calls(
    app: Flask,
    shop: str,
    till: Till,
    books: Books,
    slug: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pay_urls = [Buyer(app, f"{n}@example.com").buys(slug) for n in range(7)]
    for pay_url in pay_urls[:6]:
        till.does("pay", pay_url, postback="lose")
    asked = []
    ask = CryptoCloudV2.invoice_infos

    def count(self: CryptoCloudV2, ids: Sequence[str], **how: Any) -> dict[str, InvoiceInfo]:
        asked.append(len(ids))
        return ask(self, ids, **how)

    monkeypatch.setattr(CryptoCloudV2, "invoice_infos", count)
    monkeypatch.setattr(CryptoCloudV2, "batch", 3)

    books.sweeps(seconds=16)

    assert asked == [3, 3, 1]
    assert [order.status for order in books.orders()] == ["fulfilled"] * 6 + ["pending"]


def test_what_is_missing_is_told_in_figures(
    buyer: Buyer, till: Till, books: Books, slug: str
) -> None:
    pay_url = buyer.buys(slug)

    invoice = till.does("short", pay_url, coin="USDT_TRC20")

    figures = "9.00 of 10.00 USDT TRC20 came; 1.00 USDT TRC20 is missing."
    assert figures in buyer.comes_back(invoice["return_url"])
    (mail,) = books.mails()
    assert figures in mail.get_body(("plain",)).get_content()  # type: ignore[union-attr]


def test_a_cancelled_order_cannot_be_paid_at_the_provider_any_more(
    app: Flask, buyer: Buyer, till: Till, books: Books, slug: str
) -> None:
    buyer.buys(slug)
    number = books.order().number

    words = ["orders", "cancel", number, "--reason", "asked to", "--who", "Ann"]
    result = app.test_cli_runner().invoke(args=words)

    assert result.stdout == f"{number} is cancelled.\n"
    (invoice,) = till.invoices()
    assert invoice["status"] == "canceled"
    assert books.left(slug) == 9


def order_path(books: Books) -> str:
    with books.app.app_context():
        return f"/orders/{order_token(books.order())}"
