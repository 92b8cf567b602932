"""CryptoCloud down, slow, garbled or refusing: the order is kept, and one press more pays for it."""

from __future__ import annotations

import dataclasses
import time

import pytest
from flask import Flask

from shop.payments.cryptocloud.calls import CALL_SECONDS
from tests.buyer import Buyer
from tests.factories import make_product
from tests.journeys.books import Books
from tests.journeys.till import Till
from tests.support.processes import until

# What is known afterwards: no invoice, or perhaps one that nobody was shown.
FAULTS = {
    "down": "unknown",
    "slow": "unknown",
    "garbled": "unknown",
    "401": "failed",
    "406": "failed",
}


HEADLINES = {"406": "Payment is busy, your order is kept"}


@pytest.fixture
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy provider may be asked again at once, and one whose no lasts before a minute has passed."""
    monkeypatch.setattr("shop.payments.opening.UNAVAILABLE_SECONDS", 0.001)
    monkeypatch.setattr("shop.payments.opening.LASTING_SECONDS", 0.001)
    monkeypatch.setattr("shop.payments.opening.PAUSES", (0.0,))


def keeps_waiting(app: Flask, till: Till, api: str, seconds: float) -> None:
    """The provider answers too late for a shop that waits half a second, where it would wait eight.

    Only while this lasts: one that is well gets all the time that a busy machine may take.
    """
    gateway = app.extensions["cryptocloud"]
    app.extensions["cryptocloud"] = dataclasses.replace(gateway, call_seconds=0.5)
    till.is_switched(api, seconds=seconds)


def fails(app: Flask, till: Till, fault: str) -> None:
    if fault == "slow":
        keeps_waiting(app, till, fault, seconds=60)  # nobody waits for its end
    else:
        till.is_switched(fault)


def all_is_well(app: Flask, till: Till) -> None:
    """The shop is started anew, with the right key: the old client has stopped calling for a while."""
    till.is_switched("up")
    gateway = app.extensions["cryptocloud"]
    app.extensions["cryptocloud"] = dataclasses.replace(gateway, call_seconds=CALL_SECONDS)


@pytest.fixture
def slug(app: Flask) -> str:
    with app.app_context():
        return make_product(stock=5).slug


@pytest.mark.parametrize("fault", FAULTS)
def test_the_order_is_kept_and_trying_again_pays_for_it(
    app: Flask, no_pause: None, buyer: Buyer, till: Till, books: Books, slug: str, fault: str
) -> None:
    fails(app, till, fault)
    buyer.puts_into_cart(slug)
    buyer.checks_out()
    page = buyer.reads_answer()
    assert HEADLINES.get(fault, "The payment page did not open") in page
    assert "Nothing was charged" in page
    assert f"Order {books.order().number}" in page
    assert books.payments() == [FAULTS[fault]]

    all_is_well(app, till)
    pay_url = buyer.presses("pay").headers["Location"]
    page = buyer.comes_back(till.does("pay", pay_url)["return_url"])

    assert "Paid, thank you" in page
    assert books.state() == ("fulfilled", "none")
    assert books.left(slug) == 4


def test_a_provider_that_cannot_be_reached_is_the_same_to_the_buyer(
    app: Flask, buyer: Buyer, till: Till, books: Books, slug: str
) -> None:
    gateway = app.extensions["cryptocloud"]
    app.extensions["cryptocloud"] = dataclasses.replace(gateway, url="http://127.0.0.1:9")
    buyer.puts_into_cart(slug)
    buyer.checks_out()
    assert "The payment page did not open" in buyer.reads_answer()
    assert books.payments() == ["failed"]

    app.extensions["cryptocloud"] = gateway
    pay_url = buyer.presses("pay").headers["Location"]

    assert pay_url.startswith(till.pay_origins)
    assert books.payments() == ["failed", "open"]


def test_only_what_will_not_pass_by_itself_is_put_before_a_person(
    no_pause: None, buyer: Buyer, till: Till, books: Books, slug: str
) -> None:
    till.is_switched("406")
    buyer.puts_into_cart(slug)
    buyer.checks_out()
    assert books.attention() == []

    for fault in ("foreign_link", "foreign_link", "repeat", "401"):
        till.is_switched(fault)
        buyer.reads_answer()
        answer = buyer.presses("pay")
        assert answer.headers["Location"].startswith("/orders/")

    assert sorted(books.attention()) == ["key_refused", "reply_refused", "reply_refused"]
    assert books.payments() == ["failed", "abandoned", "abandoned", "abandoned", "failed"]


def test_an_invoice_that_was_refused_is_never_taken_for_another_orders(
    app: Flask, buyer: Buyer, till: Till, books: Books, slug: str
) -> None:
    till.is_switched("foreign_link")
    buyer.puts_into_cart(slug)
    buyer.checks_out()
    (refused,) = till.invoices()

    till.is_switched("repeat")  # the provider answers with the invoice before
    other = Buyer(app, "other@example.com")
    other.puts_into_cart(slug)
    answer = other.checks_out()

    assert answer.headers["Location"].startswith("/orders/")
    assert books.payments() == ["abandoned", "unknown"]
    till.is_switched("up")
    till.does("pay", refused["pay_url"])
    assert [str(order.status) for order in books.orders()] == ["fulfilled", "pending"]


def test_the_page_says_so_when_the_provider_still_fails(
    buyer: Buyer, till: Till, books: Books, slug: str
) -> None:
    till.is_switched("down")
    buyer.puts_into_cart(slug)
    buyer.checks_out()
    buyer.reads_answer()

    buyer.presses("pay")

    assert "The payment page did not open" in buyer.reads_answer()
    assert books.state() == ("pending", "none")
    assert books.payments() == ["abandoned", "unknown"]


def test_an_invoice_whose_answer_was_lost_is_never_shown_to_the_buyer(
    app: Flask, buyer: Buyer, till: Till, slug: str
) -> None:
    fails(app, till, "slow")
    buyer.puts_into_cart(slug)
    buyer.checks_out()
    page = buyer.reads_answer()
    (lost,) = until(till.invoices, "the call for the invoice")  # the shop no longer waits for it
    assert lost["pay_url"] not in page

    all_is_well(app, till)
    shown = buyer.presses("pay").headers["Location"]

    assert shown != lost["pay_url"]
    assert lost["pay_url"] not in buyer.looks_at_order()


def test_an_answer_that_drips_in_does_not_hold_the_buyer(
    app: Flask, buyer: Buyer, till: Till, slug: str
) -> None:
    keeps_waiting(app, till, "drip", seconds=0.3)  # sooner than a socket would give up
    buyer.puts_into_cart(slug)
    started = time.monotonic()

    buyer.checks_out()

    # The whole answer would take most of a minute; a busy machine may take many times half a second.
    assert time.monotonic() - started < 20
    assert "The payment page did not open" in buyer.reads_answer()


@pytest.mark.parametrize("fault", FAULTS)
def test_asking_about_a_payment_changes_nothing_while_the_provider_fails(
    app: Flask, buyer: Buyer, till: Till, books: Books, slug: str, fault: str
) -> None:
    pay_url = buyer.buys(slug)
    fails(app, till, fault)
    buyer.looks_at_order()
    buyer.presses("check")
    page = buyer.reads_answer()
    assert "Trybit does not answer at the moment" in page
    assert "Waiting for your payment" in page
    assert f'href="{pay_url}"' in page

    all_is_well(app, till)
    invoice = till.does("pay", pay_url, postback="lose")
    books.sweeps(hours=1)

    assert "Paid, thank you" in buyer.comes_back(invoice["return_url"])
