"""What stands in the cart's fields is what is bought, whichever button of the page is pressed."""

from __future__ import annotations

import pytest
from flask import Flask

from shop.catalogue.models import Price, Product
from shop.db import transaction
from tests.buyer import Buyer
from tests.factories import provider

ELSEWHERE = "Your cart was changed in another tab or window"


@pytest.fixture
def engine() -> str:
    """A cart is a cookie: nothing is written."""
    return "sqlite"


@pytest.fixture
def buyer(app: Flask, rain: Product, snow: Product) -> Buyer:
    """With one of each in the cart."""
    buyer = Buyer(app)
    buyer.puts_into_cart(rain.slug)
    buyer.puts_into_cart(snow.slug)
    buyer.opens("/cart")
    return buyer


def test_a_quantity_that_was_typed_is_bought_by_going_to_checkout(
    buyer: Buyer, rain: Product
) -> None:
    buyer.sends("/cart/lines", **{f"quantity-{rain.slug}": "3", "checkout": "1"})

    assert buyer.page.headers["Location"] == "/checkout"
    assert "3 × <span>Rain" in buyer.reads_answer()


@pytest.mark.parametrize("typed", ["", "many", "-1"])
def test_a_quantity_that_is_none_keeps_the_buyer_at_the_cart(
    buyer: Buyer, rain: Product, typed: str
) -> None:
    buyer.sends("/cart/lines", **{f"quantity-{rain.slug}": typed, "checkout": "1"})

    assert buyer.page.headers["Location"] == "/cart"
    assert "Enter each quantity as a whole number" in buyer.reads_answer()


def test_a_quantity_that_was_typed_survives_the_removal_of_another_product(
    buyer: Buyer, rain: Product, snow: Product
) -> None:
    buyer.sends("/cart/lines", **{f"quantity-{rain.slug}": "3", "remove": snow.slug})

    page = buyer.reads_answer()
    assert "3 × <span>Rain" in page
    assert "Snow" not in page


def test_enter_in_a_field_updates_because_that_is_the_forms_first_button(buyer: Buyer) -> None:
    form = buyer.page.text.split('<form id="cart"')[1].split("</form>")[0]

    assert form.split("<button")[1].split(">")[0].count('name="update"') == 1
    assert 'form="cart" name="checkout"' in buyer.page.text


def test_a_cart_changed_in_another_tab_is_called_that_before_checkout(
    buyer: Buyer, rain: Product, snow: Product
) -> None:
    this_tab = buyer.page
    buyer.puts_into_cart(snow.slug)
    buyer.page = this_tab

    buyer.sends("/cart/lines", **{f"quantity-{rain.slug}": "3", "checkout": "1"})

    assert buyer.page.headers["Location"] == "/cart"
    page = buyer.reads_answer()
    assert ELSEWHERE in page
    assert "3 × <span>Rain" in page


@pytest.mark.parametrize("how", ["emptied", "ordered"])
def test_a_cart_that_went_in_another_tab_is_told_at_checkout(
    app: Flask, buyer: Buyer, rain: Product, snow: Product, how: str
) -> None:
    form = buyer.opens("/checkout")
    if how == "emptied":
        buyer.opens("/cart")
        none = {f"quantity-{each.slug}": "0" for each in (rain, snow)}
        buyer.sends("/cart/lines", **none)
    else:
        with provider(app) as calls:
            calls.invoice_is_made()
            buyer.checks_out()
    buyer.page = form

    buyer.sends("/checkout", email=buyer.email)

    page = buyer.reads_answer()
    assert ELSEWHERE in page
    assert "Your cart is empty" in page


@pytest.mark.parametrize("what", ["price", "stock", "gone"])
def test_what_the_shop_has_changed_is_not_laid_on_another_tab(
    app: Flask, buyer: Buyer, rain: Product, snow: Product, what: str
) -> None:
    buyer.opens("/cart")
    buyer.sends("/cart/lines", **{f"quantity-{rain.slug}": "5"})
    form = buyer.opens("/checkout")
    with app.app_context(), transaction() as session:
        product = session.get_one(Product, rain.id)
        if what == "price":
            session.query(Price).filter_by(product_id=rain.id).update({"minor": 700})
        elif what == "stock":
            product.available = product.stock_total = 2
        else:
            product.active = False
    buyer.page = form

    page = buyer.sends("/checkout", email=buyer.email)

    assert page.status_code == 409
    assert "Prices or stock have changed" in page.text
    assert ELSEWHERE not in page.text
