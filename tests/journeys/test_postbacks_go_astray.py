"""Postbacks are hints: lost, repeated, late or forged, the buyer gets what was paid for, once."""

from __future__ import annotations

import threading

import pytest
from flask import Flask

from shop.catalogue.models import DeliveryKind
from shop.sandbox.state import Sandbox
from tests.buyer import Buyer
from tests.factories import make_product
from tests.journeys.books import Books
from tests.journeys.till import Till


@pytest.fixture
def pay_url(app: Flask, buyer: Buyer) -> str:
    """The pay page of an order of one licence key."""
    with app.app_context():
        product = make_product(kind=DeliveryKind.KEY, keys=3)
    return buyer.buys(product.slug)


def test_the_return_page_finds_out_what_a_lost_postback_did_not_tell(
    buyer: Buyer, till: Till, books: Books, pay_url: str
) -> None:
    invoice = till.does("pay", pay_url, postback="lose")
    assert books.state() == ("pending", "none")

    page = buyer.comes_back(invoice["return_url"])

    assert "Paid, thank you" in page
    assert books.state() == ("fulfilled", "none")


def test_the_worker_finds_out_when_the_tab_was_closed_as_well(
    till: Till, books: Books, pay_url: str
) -> None:
    till.does("pay", pay_url, postback="lose")

    books.sweeps(seconds=16)

    assert books.state() == ("fulfilled", "none")
    assert len(books.mails()) == 1


def test_a_postback_sent_twice_delivers_once(
    buyer: Buyer, till: Till, books: Books, pay_url: str
) -> None:
    invoice = till.does("pay", pay_url, postback="twice")

    till.does("nothing", pay_url)  # and once more

    assert [sent["answer"] for sent in invoice["postbacks"]] == [200, 200]
    assert books.payments() == ["paid"]
    assert books.postbacks() == 1
    assert books.delivered() == 1
    assert len(books.mails()) == 1
    assert buyer.comes_back(invoice["return_url"]).count("goods__code") == 1


def test_an_order_waits_for_a_late_postback_and_is_paid_when_it_comes(
    buyer: Buyer,
    sandbox: Sandbox,
    till: Till,
    books: Books,
    pay_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    is_time = threading.Event()
    monkeypatch.setattr(sandbox, "pause", lambda _: is_time.wait(60))
    payment = threading.Thread(target=till.does, args=("pay", pay_url, "delay"))
    payment.start()

    before = buyer.looks_at_order()
    is_time.set()
    payment.join()

    assert "Waiting for your payment" in before
    assert books.state() == ("fulfilled", "none")


@pytest.mark.parametrize("action", ["nothing", "pay"])
def test_a_forged_postback_is_refused_and_changes_nothing(
    till: Till, books: Books, pay_url: str, action: str
) -> None:
    """Not even when the money is there: who cannot sign is not listened to."""
    invoice = till.does(action, pay_url, postback="forge")

    assert invoice["postbacks"][0]["answer"] == 403
    assert books.postbacks() == 0
    assert books.state() == ("pending", "none")
    assert books.payments() == ["open"]
    assert books.mails() == []


def test_a_genuine_postback_is_not_believed_when_the_api_says_unpaid(
    till: Till, books: Books, pay_url: str
) -> None:
    invoice = till.does("nothing", pay_url)

    assert invoice["postbacks"][0]["answer"] == 200
    assert books.postbacks() == 1
    assert books.state() == ("pending", "none")
    assert books.mails() == []


def test_a_postback_that_came_while_the_api_was_down_is_acted_upon_later(
    till: Till, books: Books, pay_url: str
) -> None:
    till.is_switched("down")
    invoice = till.does("pay", pay_url)
    assert invoice["postbacks"][0]["answer"] == 200
    assert books.state() == ("pending", "none")

    till.is_switched("up")
    books.sweeps(seconds=1)

    assert books.state() == ("fulfilled", "none")


def test_the_address_of_the_success_page_proves_nothing(
    buyer: Buyer, till: Till, books: Books, pay_url: str
) -> None:
    (invoice,) = till.invoices()
    reference, number = invoice["order_id"], invoice["id"]

    page = buyer.comes_back(f"/payment/success?order_id={reference}&invoice_uuid=INV-{number}")

    assert "We are checking your payment" in page
    assert "goods__code" not in page
    assert books.state() == ("pending", "none")
