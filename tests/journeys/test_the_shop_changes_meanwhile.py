"""Between the form and its sending: a price, a product, the last unit or the token is gone."""

from __future__ import annotations

import threading
import time

import pytest
from flask import Flask
from sqlalchemy import update

from shop.catalogue.models import Price, Product
from shop.checkout import cart as carts
from shop.checkout.cart import Cart, load_cart
from shop.db import transaction
from tests.buyer import Buyer
from tests.factories import make_product
from tests.journeys.books import Books
from tests.journeys.till import Till

HOUR = 3600


@pytest.fixture
def product(app: Flask) -> Product:
    """Something of which one is left."""
    with app.app_context():
        return make_product(stock=1)


@pytest.fixture
def form(buyer: Buyer, product: Product) -> Buyer:
    """The buyer, with the checkout form before them."""
    buyer.puts_into_cart(product.slug)
    buyer.opens("/checkout")
    return buyer


def withdraw(app: Flask, product: Product) -> None:
    with app.app_context(), transaction() as session:
        session.execute(update(Product).where(Product.id == product.id).values(active=False))


def test_a_changed_price_is_shown_before_it_is_charged(
    app: Flask, form: Buyer, till: Till, books: Books, product: Product
) -> None:
    with app.app_context(), transaction() as session:
        session.execute(update(Price).where(Price.product_id == product.id).values(minor=1234))

    page = form.sends("/checkout", email="careful@example.com")

    assert page.status_code == 409
    assert "Please check the new total" in page.text
    assert "USD\u00a012.34" in page.text
    assert 'value="careful@example.com"' in page.text
    assert till.invoices() == []
    form.sends("/checkout")
    assert till.invoices()[0]["amount"] == "12.34"
    assert books.order().email == "careful@example.com"


def test_a_price_changed_after_the_order_changes_the_order_no_more(
    app: Flask, buyer: Buyer, till: Till, books: Books, product: Product
) -> None:
    pay_url = buyer.buys(product.slug)
    with app.app_context(), transaction() as session:
        session.execute(update(Price).where(Price.product_id == product.id).values(minor=9999))

    till.does("expire", pay_url)
    books.sweeps(seconds=16)
    buyer.comes_back(till.invoices()[0]["return_url"])
    buyer.presses("pay")

    assert [invoice["amount"] for invoice in till.invoices()] == ["10.00", "10.00"]


def test_a_withdrawn_product_is_taken_out_and_explained(
    app: Flask, form: Buyer, books: Books, product: Product
) -> None:
    withdraw(app, product)

    form.sends("/checkout", email=form.email)

    page = form.reads_answer()
    assert "no longer for sale and was taken out" in page
    assert "Your cart is empty" in page
    assert books.orders() == []


def test_of_two_products_the_one_that_is_left_can_be_ordered_with_one_press_more(
    app: Flask, buyer: Buyer, books: Books, product: Product
) -> None:
    with app.app_context():
        stays = make_product()
    buyer.puts_into_cart(stays.slug)
    buyer.puts_into_cart(product.slug)
    buyer.opens("/checkout")
    withdraw(app, product)

    page = buyer.sends("/checkout", email=buyer.email)

    assert page.status_code == 409
    assert "no longer for sale and was taken out" in page.text
    assert books.orders() == []
    assert buyer.sends("/checkout").status_code == 303
    assert books.order().total_minor == 1000


def test_what_somebody_else_bought_meanwhile_is_sold_out(
    app: Flask, form: Buyer, till: Till, books: Books, product: Product
) -> None:
    Buyer(app, "faster@example.com").buys(product.slug)

    form.sends("/checkout", email=form.email)

    assert f"{product.title} has sold out" in form.reads_answer()
    assert books.order().email == "faster@example.com"
    assert len(till.invoices()) == 1


def test_the_last_unit_is_sold_once_even_when_both_carts_held_it_at_the_end(
    app: Flask, form: Buyer, books: Books, product: Product, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The cart still shows a unit; it is gone by the time that the order takes it."""
    faster = threading.Thread(target=Buyer(app, "faster@example.com").buys, args=(product.slug,))

    def load_slowly(currency: str | None = None, carried: object = None) -> Cart:
        cart = load_cart(currency)
        monkeypatch.setattr(carts, "load_cart", load_cart)
        faster.start()
        faster.join()
        return cart

    monkeypatch.setattr(carts, "load_cart", load_slowly)
    form.sends("/checkout", email=form.email)

    assert f"{product.title} has sold out" in form.reads_answer()
    assert books.order().email == "faster@example.com"
    assert books.left(product.slug) == 0


def test_a_page_that_was_open_too_long_keeps_what_was_typed(
    form: Buyer, books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    later = time.time() + 5 * HOUR
    monkeypatch.setattr("itsdangerous.timed.TimestampSigner.get_timestamp", lambda _: int(later))

    page = form.sends("/checkout", email="patient@example.com")

    assert page.status_code == 400
    assert "This page was open too long. Please press the button again." in page.text
    assert 'value="patient@example.com"' in page.text
    assert books.orders() == []
    assert form.sends("/checkout").status_code == 303
    assert books.order().email == "patient@example.com"


def test_a_browser_that_lost_its_session_is_told_so(form: Buyer, books: Books) -> None:
    form.browser.delete_cookie("session")

    page = form.sends("/checkout", email=form.email)

    assert page.status_code == 400
    assert "Your browser keeps no cookie" in page.text
    assert books.orders() == []


def test_an_order_page_that_was_open_too_long_still_works(
    form: Buyer, monkeypatch: pytest.MonkeyPatch
) -> None:
    form.sends("/checkout", email=form.email)
    form.looks_at_order()
    later = time.time() + 5 * HOUR
    monkeypatch.setattr("itsdangerous.timed.TimestampSigner.get_timestamp", lambda _: int(later))

    form.presses("check")

    page = form.reads_answer()
    assert "This page was open too long" in page
    assert "Waiting for your payment" in page
