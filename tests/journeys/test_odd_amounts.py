"""Too little, too much: nothing is delivered for a part, and a person hears of what is left over."""

from __future__ import annotations

import re

import pytest
from flask import Flask

from tests.buyer import Buyer
from tests.factories import make_product
from tests.journeys.books import Books
from tests.journeys.till import Till


@pytest.fixture
def pay_url(app: Flask, buyer: Buyer) -> str:
    """The pay page of an order."""
    with app.app_context():
        product = make_product(stock=3)
    return buyer.buys(product.slug)


@pytest.fixture
def part_paid(till: Till, books: Books, pay_url: str) -> str:
    """The same pay page after nine tenths of the amount."""
    till.does("short", pay_url)
    books.sweeps(seconds=16)
    return pay_url


def test_a_part_of_the_amount_delivers_nothing_and_leads_back_to_the_pay_page(
    buyer: Buyer, till: Till, books: Books, pay_url: str
) -> None:
    invoice = till.does("short", pay_url)

    page = buyer.comes_back(invoice["return_url"])

    assert "Part of the amount has arrived" in page
    assert f'href="{pay_url}"' in page
    assert books.state() == ("pending", "paid_partial")
    assert books.delivered() == 0


def test_the_order_page_tells_what_has_happened_step_by_step(
    buyer: Buyer, till: Till, part_paid: str
) -> None:
    page = buyer.comes_back(till.does("rest", part_paid)["return_url"])

    assert re.findall(r'timeline__words">([^<]+)<', page) == [
        "Order placed",
        "Payment page ready",
        "Part of the amount has arrived",
        "Payment confirmed",
        "Goods delivered",
    ]
    assert len(re.findall(r'timeline__time"><time datetime="\d{4}-', page)) == 5


def test_the_rest_of_the_amount_completes_the_order(
    buyer: Buyer, till: Till, books: Books, part_paid: str
) -> None:
    invoice = till.does("rest", part_paid)

    assert "Paid, thank you" in buyer.comes_back(invoice["return_url"])
    assert books.state() == ("fulfilled", "none")
    assert books.attention() == []


def test_a_part_whose_time_is_over_goes_to_a_person(
    buyer: Buyer, till: Till, books: Books, part_paid: str
) -> None:
    till.does("expire", part_paid)

    books.sweeps(hours=25)

    assert books.state() == ("review", "paid_partial")
    assert books.attention() == ["paid_partial"]
    assert books.delivered() == 0
    (invoice,) = till.invoices()
    page = buyer.comes_back(invoice["return_url"])
    assert "A person will look at this order" in page
    assert "Please do not pay again" in page


@pytest.mark.parametrize(("called_overpaid", "flag"), [(True, "paid_over"), (False, "none")])
def test_more_than_the_amount_delivers_and_says_so_where_the_provider_does(
    buyer: Buyer, till: Till, books: Books, pay_url: str, called_overpaid: bool, flag: str
) -> None:
    till.is_switched("up", overpaid=called_overpaid)

    invoice = till.does("over", pay_url)

    page = buyer.comes_back(invoice["return_url"])
    assert "Paid, thank you" in page
    assert ("You sent more than needed" in page) is called_overpaid
    assert books.state() == ("fulfilled", flag)
