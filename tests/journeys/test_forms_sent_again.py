"""Double clicks, the back button and old tabs: one form makes one order, and no order by surprise."""

from __future__ import annotations

import dataclasses
import threading

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from shop.sandbox.state import Sandbox
from tests.buyer import Buyer
from tests.factories import make_product
from tests.journeys.books import Books
from tests.journeys.till import Till
from tests.support.processes import until


@pytest.fixture
def slug(app: Flask) -> str:
    with app.app_context():
        return make_product(stock=5).slug


@pytest.fixture
def form(buyer: Buyer, slug: str) -> TestResponse:
    """The checkout page of a cart with one unit, before it is sent."""
    buyer.puts_into_cart(slug)
    return buyer.opens("/checkout")


def test_a_form_sent_twice_is_one_order_and_one_invoice(
    buyer: Buyer, till: Till, books: Books, slug: str, form: TestResponse
) -> None:
    first = buyer.sends("/checkout", email=buyer.email).headers["Location"]
    buyer.page = form

    second = buyer.sends("/checkout", email=buyer.email).headers["Location"]

    assert first == second
    assert len(books.orders()) == len(till.invoices()) == 1
    assert books.left(slug) == 4


def test_a_second_press_while_the_first_one_waits_leads_to_the_same_order(
    app: Flask,
    buyer: Buyer,
    sandbox: Sandbox,
    till: Till,
    books: Books,
    form: TestResponse,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    impatient = Buyer(app)
    cookie = buyer.browser.get_cookie("session")
    assert cookie
    impatient.browser.set_cookie("session", cookie.value)
    impatient.page = form
    # The first press waits until the test says so, and no number of seconds for the rest to race with.
    is_time, gateway = threading.Event(), app.extensions["cryptocloud"]
    app.extensions["cryptocloud"] = dataclasses.replace(gateway, call_seconds=60)
    monkeypatch.setattr(sandbox, "pause", lambda _: is_time.wait(60))
    till.is_switched("slow")
    first = threading.Thread(target=buyer.sends, args=("/checkout",), kwargs={"email": buyer.email})
    first.start()
    until(till.invoices, "the call for the invoice")

    impatient.sends("/checkout", email=buyer.email)
    page = impatient.reads_answer()
    is_time.set()
    first.join()

    assert "Opening the payment page" in page
    assert buyer.page.headers["Location"].startswith(till.pay_origins)
    assert len(books.orders()) == len(till.invoices()) == 1


def test_the_same_form_after_the_money_came_leads_to_the_goods_and_not_to_the_pay_page(
    buyer: Buyer, till: Till, books: Books, form: TestResponse
) -> None:
    till.does("pay", buyer.sends("/checkout", email=buyer.email).headers["Location"])
    buyer.page = form

    buyer.sends("/checkout", email=buyer.email)

    assert "Paid, thank you" in buyer.reads_answer()
    assert len(books.orders()) == 1


def test_going_back_and_ordering_anew_is_a_new_order(
    buyer: Buyer, till: Till, books: Books, slug: str
) -> None:
    first = buyer.buys(slug)

    second = buyer.buys(slug)

    assert first != second
    assert len(books.orders()) == 2


def test_an_old_form_with_another_address_shows_the_order_it_made(
    buyer: Buyer, till: Till, books: Books, form: TestResponse
) -> None:
    buyer.sends("/checkout", email=buyer.email)
    buyer.page = form

    buyer.sends("/checkout", email="somebody.else@example.com")

    page = buyer.reads_answer()
    assert "You have sent this form before" in page
    assert f"Order {books.order().number}" in page
    assert len(till.invoices()) == 1


def test_an_old_form_takes_nothing_out_of_a_cart_that_was_filled_since(
    app: Flask, buyer: Buyer, books: Books, form: TestResponse
) -> None:
    buyer.sends("/checkout", email=buyer.email)
    with app.app_context():
        another = make_product()
    buyer.puts_into_cart(another.slug)
    buyer.page = form

    buyer.sends("/checkout", email=buyer.email)

    assert len(books.orders()) == 1
    assert f'href="/products/{another.slug}"' in buyer.opens("/cart").text


def test_a_cart_changed_in_another_tab_is_shown_before_it_is_ordered(
    app: Flask, buyer: Buyer, till: Till, books: Books, form: TestResponse
) -> None:
    with app.app_context():
        another = make_product(price=500)
    buyer.puts_into_cart(another.slug)
    buyer.page = form

    page = buyer.sends("/checkout", email=buyer.email)

    assert page.status_code == 409
    assert "Your cart was changed in another tab or window" in page.text
    assert "Prices or stock have changed" not in page.text
    assert f'value="{buyer.email}"' in page.text
    assert another.title in page.text
    assert books.orders() == []
    assert buyer.sends("/checkout").status_code == 303
    assert books.order().total_minor == 1500


def test_the_pay_page_can_be_left_and_opened_again_from_the_order_page(
    buyer: Buyer, till: Till, form: TestResponse
) -> None:
    pay_url = buyer.sends("/checkout", email=buyer.email).headers["Location"]
    (invoice,) = till.invoices()

    page = buyer.comes_back(invoice["return_url"])  # "leave without paying"

    assert "Waiting for your payment" in page
    assert f'href="{pay_url}"' in page
