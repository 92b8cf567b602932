"""Expired orders: paid again, paid late, and paid when there is nothing left to deliver."""

from __future__ import annotations

from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import update

from shop.catalogue.models import Product
from shop.db import transaction, utcnow
from shop.orders.models import Order
from tests.buyer import Buyer
from tests.factories import make_product
from tests.journeys.books import Books
from tests.journeys.till import Till


@pytest.fixture
def slug(app: Flask) -> str:
    """A product of which there are two."""
    with app.app_context():
        return make_product(stock=2).slug


@pytest.fixture
def expired(buyer: Buyer, till: Till, books: Books, slug: str) -> str:
    """The pay page of an order of both units, whose time is over; the order page is open."""
    pay_url = buyer.buys(slug, 2)
    assert books.left(slug) == 0
    till.does("expire", pay_url)
    buyer.looks_at_order()
    buyer.presses("check")
    assert "Payment time is over" in buyer.reads_answer()
    return pay_url


@pytest.fixture
def other(app: Flask, shop: str) -> Buyer:
    """Somebody else who wants the same."""
    return Buyer(app, "other@example.com")


def test_an_unpaid_order_whose_time_is_over_gives_its_stock_back(
    books: Books, slug: str, expired: str
) -> None:
    assert books.state() == ("expired", "none")
    assert books.left(slug) == 2


def test_the_worker_closes_an_order_that_nobody_looks_at(
    buyer: Buyer, books: Books, slug: str
) -> None:
    buyer.buys(slug)

    books.sweeps(hours=25)

    assert books.state() == ("expired", "none")
    assert books.left(slug) == 2


def test_an_order_is_not_closed_while_the_provider_cannot_say_that_no_money_came(
    buyer: Buyer, till: Till, books: Books, slug: str
) -> None:
    pay_url = buyer.buys(slug)
    till.does("pay", pay_url, postback="lose")
    till.is_switched("down")
    books.sweeps(hours=25)
    assert books.state() == ("pending", "none")

    till.is_switched("up")
    books.sweeps(hours=26)

    assert books.state() == ("fulfilled", "none")


@pytest.mark.parametrize(
    "change", [{"created_at": utcnow() - timedelta(days=8)}, {"active": False}]
)
def test_last_months_price_and_what_is_withdrawn_cannot_be_paid_anew(
    app: Flask, buyer: Buyer, books: Books, expired: str, change: dict[str, object]
) -> None:
    form = buyer.page
    table = Order if "created_at" in change else Product
    with app.app_context(), transaction() as session:
        session.execute(update(table).values(**change))

    page = buyer.opens(form.request.path).text.partition("<main")[2]
    assert "Payment time is over" in page
    assert "See all products" in page
    assert "Start a new payment" not in page

    buyer.page = form  # a tab that was left open
    buyer.presses("pay")
    assert books.state() == ("expired", "none")
    assert books.payments() == ["cancelled"]


def test_paying_again_is_the_same_order_with_a_new_payment_and_the_stock_taken_again(
    buyer: Buyer, till: Till, books: Books, slug: str, expired: str
) -> None:
    again = buyer.presses("pay").headers["Location"]
    assert again.startswith(till.pay_origins)
    assert again != expired
    assert books.left(slug) == 0

    page = buyer.comes_back(till.does("pay", again)["return_url"])

    assert "Paid, thank you" in page
    assert books.state() == ("fulfilled", "none")
    assert books.payments() == ["cancelled", "paid"]
    assert books.left(slug) == 0
    assert len(books.mails()) == 1


def test_pressing_pay_again_twice_opens_one_invoice(
    buyer: Buyer, till: Till, books: Books, expired: str
) -> None:
    order_page = buyer.page
    first = buyer.presses("pay").headers["Location"]

    buyer.page = order_page
    second = buyer.presses("pay").headers["Location"]

    assert first == second
    assert books.payments() == ["cancelled", "open"]
    assert len(till.invoices()) == 2


def test_an_order_cannot_be_paid_again_when_its_goods_are_gone(
    buyer: Buyer, other: Buyer, books: Books, slug: str, expired: str
) -> None:
    order_page = buyer.page
    other.buys(slug)

    buyer.page = order_page
    buyer.presses("pay")

    assert "has sold out" in buyer.reads_answer()
    assert books.orders()[0].status == "expired"
    assert books.left(slug) == 1


def test_late_money_counts_takes_the_stock_again_and_delivers(
    buyer: Buyer, till: Till, books: Books, slug: str, expired: str
) -> None:
    invoice = till.does("late", expired)

    page = buyer.comes_back(invoice["return_url"])

    assert "Paid, thank you" in page
    assert "after this order was closed" in page
    assert books.state() == ("fulfilled", "paid_late")
    assert books.left(slug) == 0
    assert len(books.mails()) == 1


def test_late_money_is_found_by_the_worker_when_its_postback_is_lost(
    till: Till, books: Books, expired: str
) -> None:
    till.does("late", expired, postback="lose")

    books.sweeps(hours=2)

    assert books.state() == ("fulfilled", "paid_late")


def test_late_money_for_goods_that_are_gone_goes_to_a_person(
    buyer: Buyer, other: Buyer, till: Till, books: Books, slug: str, expired: str
) -> None:
    other.buys(slug)

    invoice = till.does("late", expired)

    page = buyer.comes_back(invoice["return_url"])
    assert "A person will look at this order" in page
    assert "the last piece was sold in the meantime" in page
    late = books.orders()[0]
    assert (late.status, late.flag) == ("review", "no_stock")
    assert books.attention() == ["no_stock"]
    assert books.delivered() == 0
    assert books.left(slug) == 1


def test_money_for_both_payments_of_an_order_delivers_once_and_is_put_before_a_person(
    buyer: Buyer, till: Till, books: Books, expired: str
) -> None:
    again = buyer.presses("pay").headers["Location"]
    till.does("pay", again)

    till.does("late", expired)

    assert books.state() == ("fulfilled", "paid_twice")
    assert books.attention() == ["paid_twice"]
    assert books.delivered() == 1
    twice, delivered = sorted(mail["Subject"] for mail in books.mails())
    assert delivered.endswith("is paid")
    assert twice.endswith("was paid twice")
    (alert,) = books.alerts()
    assert "that payment goes back to the buyer" in alert.get_body(("plain",)).get_content()
