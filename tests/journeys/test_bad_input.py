"""What people and programs type: each gets a clear page, and nothing happens by mistake."""

from __future__ import annotations

import pytest
from flask import Flask

from shop.catalogue.models import Product
from tests.buyer import Buyer
from tests.factories import make_product
from tests.journeys.books import Books


@pytest.fixture
def engine() -> str:
    """Next to nothing is written here, so one engine will do."""
    return "sqlite"


@pytest.fixture
def product(app: Flask) -> Product:
    with app.app_context():
        return make_product(stock=3)


@pytest.mark.parametrize(
    "email",
    ["", "buyer", "buyer@", "@example.com", "a b@example.com", "a@b", "x" * 250 + "@example.com"],
)
def test_a_wrong_address_is_explained_and_kept(
    buyer: Buyer, books: Books, product: Product, email: str
) -> None:
    buyer.puts_into_cart(product.slug)

    page = buyer.checks_out(email=email)

    assert page.status_code == 422
    assert "<title>Error: Checkout" in page.text
    assert "There is a problem" in page.text
    assert "email address" in page.text
    assert f'value="{email}"' in page.text
    assert 'aria-invalid="true"' in page.text
    assert books.orders() == []
    assert buyer.sends("/checkout", email=buyer.email).status_code == 303


def test_spaces_around_an_address_are_not_a_mistake(
    buyer: Buyer, books: Books, product: Product
) -> None:
    buyer.puts_into_cart(product.slug)

    buyer.checks_out(email="  buyer@example.com ")

    assert books.order().email == "buyer@example.com"


@pytest.mark.parametrize("currency", ["XXX", "", "usd", "BTC", None])
def test_an_unknown_currency_is_refused_and_the_address_kept(
    buyer: Buyer, books: Books, product: Product, currency: str | None
) -> None:
    buyer.puts_into_cart(product.slug)

    page = buyer.checks_out(currency=currency)

    assert page.status_code == 422
    assert "Choose one of the currencies below" in page.text
    assert f'value="{buyer.email}"' in page.text
    assert books.orders() == []


@pytest.mark.parametrize("field", ["checkout_key", "seen"])
@pytest.mark.parametrize("value", [None, "", "short", "x" * 2000])
def test_a_tampered_form_makes_no_order(
    buyer: Buyer, books: Books, product: Product, field: str, value: str | None
) -> None:
    buyer.puts_into_cart(product.slug)

    page = buyer.checks_out(**{field: value})

    assert page.status_code in (409, 422)
    assert "Please" in page.text.split("There is a problem")[1].split("</div>")[0]
    assert f'value="{buyer.email}"' in page.text
    assert books.orders() == []


def test_a_tampered_form_can_be_sent_again(buyer: Buyer, books: Books, product: Product) -> None:
    buyer.puts_into_cart(product.slug)
    buyer.checks_out(checkout_key="short", seen="")

    page = buyer.sends("/checkout")

    assert page.status_code == 303, page.text
    assert len(books.orders()) == 1


@pytest.mark.parametrize("quantity", ["0", "-1", "1.5", "many", "", "1e3", "９", "9999999999"])
def test_a_quantity_that_is_none_is_explained(
    buyer: Buyer, product: Product, quantity: str
) -> None:
    buyer.opens(f"/products/{product.slug}")
    buyer.sends("/cart", quantity=quantity)

    page = buyer.reads_answer()

    assert "as a whole number from 1 to 3" in page
    assert "Your cart is empty" in page


def test_more_than_there_is_becomes_what_there_is(buyer: Buyer, product: Product) -> None:
    buyer.opens(f"/products/{product.slug}")
    buyer.sends("/cart", quantity="50")

    page = buyer.reads_answer()

    assert f"{product.title}: only 3 can be bought now" in page
    assert 'value="3"' in page


def test_a_cart_that_a_stranger_signed_is_an_empty_cart(buyer: Buyer, product: Product) -> None:
    buyer.puts_into_cart(product.slug)
    cookie = buyer.browser.get_cookie("session")
    assert cookie
    buyer.browser.set_cookie("session", cookie.value[:-2] + "xx")

    assert "Your cart is empty" in buyer.opens("/cart").text


@pytest.mark.parametrize(
    "address",
    ["/products/no-such-thing", "/orders/none", "/orders/none/status", "/media/x.webp", "/nowhere"],
)
def test_an_unknown_address_is_a_page_of_the_shop(buyer: Buyer, address: str) -> None:
    page = buyer.opens(address)

    assert page.status_code == 404
    assert "This page does not exist" in page.text
    assert "Go to all products" in page.text


def test_an_unknown_product_cannot_be_put_into_the_cart(buyer: Buyer) -> None:
    page = buyer.browser.post("/cart", data={"product": "no-such-thing", "quantity": "1"})

    assert page.status_code == 404


def test_a_body_beyond_all_measure_is_refused_with_a_page(
    buyer: Buyer, books: Books, product: Product
) -> None:
    buyer.puts_into_cart(product.slug)

    page = buyer.checks_out(email="x" * 100_000)

    assert page.status_code == 413
    assert "That was too much at once" in page.text
    assert books.orders() == []


def test_an_empty_cart_leads_from_the_checkout_back_to_itself(buyer: Buyer) -> None:
    buyer.opens("/checkout")

    page = buyer.reads_answer()

    assert "Your cart is empty" in page
    assert "See all products" in page
