"""Whoever is not the buyer learns nothing: not from a return address, not from a guess."""

from __future__ import annotations

import re

import pytest
from flask import Flask

from tests.buyer import Buyer
from tests.factories import make_product
from tests.journeys.books import Books
from tests.journeys.till import Till


@pytest.fixture
def engine() -> str:
    """The same pages are read from either."""
    return "sqlite"


@pytest.fixture
def stranger(app: Flask, shop: str) -> Buyer:
    return Buyer(app, "stranger@example.com")


@pytest.fixture
def return_url(app: Flask, buyer: Buyer, till: Till) -> str:
    """Where the buyer of a paid order is sent back to."""
    with app.app_context():
        product = make_product(title="A secret wish")
    address: str = till.does("pay", buyer.buys(product.slug))["return_url"]
    return address


def test_the_return_address_in_another_browser_shows_nothing_of_the_order(
    buyer: Buyer, stranger: Buyer, books: Books, return_url: str
) -> None:
    page = stranger.comes_back(return_url)

    assert stranger.page.status_code == 200
    assert "You are back from the payment page" in page
    for private in (buyer.email, books.order().number, "A secret wish", "10.00"):
        assert private not in page
    assert set(re.findall(r"/orders/[^\"?]*", page)) == {"/orders/find"}


def test_a_made_up_return_address_looks_just_the_same(stranger: Buyer, return_url: str) -> None:
    real = stranger.comes_back(return_url)

    made_up = stranger.comes_back("/payment/success?order_id=7K3M-Q9XD-1-0&invoice_uuid=INV-X")
    nothing = stranger.comes_back("/payment/fail")

    assert real == made_up == nothing


def test_an_order_number_opens_no_order(stranger: Buyer, books: Books, return_url: str) -> None:
    order = books.order()

    answers = {stranger.opens(f"/orders/{guess}").status_code for guess in (order.number, order.id)}

    assert answers == {404}


def test_a_forged_order_link_is_like_one_that_never_was(
    buyer: Buyer, stranger: Buyer, return_url: str
) -> None:
    buyer.comes_back(return_url)
    address = buyer.page.request.path
    assert stranger.opens(address).status_code == 200  # who has the link may look

    # Not the last letter: some of its bits mean nothing.
    forged = stranger.opens(address[:-2] + ("A" if address[-2] != "A" else "B") + address[-1])

    assert forged.status_code == 404
    assert "This page does not exist" in forged.text


def test_private_pages_are_kept_by_nobody(buyer: Buyer, return_url: str) -> None:
    buyer.comes_back(return_url)

    assert buyer.page.headers["Cache-Control"] == "no-store"
    assert 'content="noindex, nofollow"' in buyer.page.text


def test_the_pay_page_is_told_the_reference_and_not_the_order_link(
    buyer: Buyer, till: Till, return_url: str
) -> None:
    buyer.comes_back(return_url)
    token = buyer.page.request.path.rpartition("/")[2]

    (invoice,) = till.invoices()

    assert token not in str(invoice)
