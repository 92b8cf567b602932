"""What a buyer chose to see prices in stays chosen, on every way through the shop but the public pages' own."""

from __future__ import annotations

import re

import pytest
from flask import Flask

from shop.catalogue.models import Price, Product
from tests.buyer import Buyer
from tests.factories import make_product, provider


@pytest.fixture
def engine() -> str:
    """The choice is in a cookie."""
    return "sqlite"


@pytest.fixture
def buyer(app: Flask, rain: Product, snow: Product) -> Buyer:
    """With rain in the cart, for euros."""
    buyer = Buyer(app)
    buyer.puts_into_cart(rain.slug, currency="EUR")
    buyer.reads_answer()
    return buyer


def into_the_shop(page: str) -> set[str]:
    """The links of a page to lists of products and to products."""
    return set(re.findall(r'href="(/(?:products/[^"]+|\?[^"]*)?)"', page))


def total(page: str) -> str:
    found = re.findall(r'<span data-now>([A-Z]{3})|money-lines__amount">([A-Z]{3})', page)
    return "".join(found[-1])


def test_the_way_from_the_cart_back_to_products_is_in_its_currency(
    buyer: Buyer, rain: Product
) -> None:
    for address in ("/cart", "/checkout", "/orders/find"):
        links = into_the_shop(buyer.opens(address).text)
        assert links, address
        assert {link for link in links if not link.endswith("?currency=EUR")} == set(), address
    assert 'href="/terms?currency=EUR"' in buyer.page.text
    assert 'href="/?currency=EUR"' in buyer.opens("/terms?currency=EUR").text


@pytest.mark.parametrize("currency", ["USD", "GBP", "", "XXX"])
def test_adding_a_product_never_changes_the_currency_of_a_cart(
    buyer: Buyer, snow: Product, currency: str
) -> None:
    buyer.browser.post("/cart", data={"product": snow.slug, "currency": currency})

    page = buyer.opens("/cart").text

    assert "Snow" in page
    assert total(page) == "EUR"


def test_an_empty_cart_takes_the_currency_of_what_is_put_into_it(
    app: Flask, buyer: Buyer, rain: Product, snow: Product
) -> None:
    buyer.sends("/cart/lines", remove=rain.slug)
    buyer.puts_into_cart(snow.slug)
    assert total(buyer.opens("/cart").text) == "EUR", "a bare address is no choice"

    buyer.sends("/cart/lines", remove=snow.slug)
    other = Buyer(app)
    other.puts_into_cart(snow.slug, currency="EUR")

    assert total(other.opens("/cart").text) == "EUR"


def test_the_currency_chosen_at_checkout_is_the_carts_from_then_on(buyer: Buyer) -> None:
    buyer.checks_out(currency="USD", email="not one")
    assert total(buyer.page.text) == "USD"

    assert total(buyer.opens("/cart").text) == "USD"


def test_it_is_remembered_after_the_order(app: Flask, buyer: Buyer, snow: Product) -> None:
    with provider(app) as calls:
        calls.invoice_is_made()
        buyer.checks_out()
    assert buyer.page.status_code == 303

    assert "/?currency=EUR" in into_the_shop(buyer.opens("/cart").text)
    buyer.puts_into_cart(snow.slug)
    assert total(buyer.opens("/cart").text) == "EUR"


def test_public_pages_know_nothing_of_it(buyer: Buyer, rain: Product, app: Flask) -> None:
    for address in ("/", f"/products/{rain.slug}", "/search?q=rain", "/terms"):
        page = buyer.opens(address)

        assert page.data == app.test_client().get(address).data
        assert "Set-Cookie" not in page.headers
        assert "Cookie" not in page.headers.get("Vary", "")


def test_private_pages_say_how_much_is_in_the_cart(buyer: Buyer, rain: Product) -> None:
    assert "Cart&nbsp;(1)</a>" in buyer.opens("/orders/find").text

    buyer.opens("/cart")
    buyer.sends("/cart/lines", **{f"quantity-{rain.slug}": "3"})
    assert "Cart&nbsp;(3)</a>" in buyer.opens("/checkout").text

    buyer.opens("/cart")
    buyer.sends("/cart/lines", remove=rain.slug)
    assert "Cart</a>" in buyer.opens("/cart").text


def test_the_checkouts_button_and_summary_name_the_amount_in_each_currency(
    buyer: Buyer, snow: Product
) -> None:
    buyer.puts_into_cart(snow.slug, 2)

    page = buyer.opens("/checkout").text

    button = page.split("Continue to payment", 1)[1].split("</button>")[0]
    assert re.findall(r"<span>: ([A-Z]{3}.[\d.]+)</span>", button) == [
        "USD\xa020.00",
        "EUR\xa018.00",
    ]
    order = [re.search(f'value="{code}"', page).start() for code in ("USD", "EUR")]  # type: ignore[union-attr]
    assert order == sorted(order), "the style sheet finds an amount by the place of its button"
    summary = page.split('id="summary"')[1].split("</dl>")[0]
    amounts = re.findall(r"<span( data-now)?>([A-Z]{3}.[\d.]+)</span>", summary)
    assert [amount for now, amount in amounts if now] == [
        "EUR\xa09.00",
        "EUR\xa09.00",
        "EUR\xa018.00",
    ]
    assert [a for now, a in amounts if not now] == ["USD\xa010.00", "USD\xa010.00", "USD\xa020.00"]


def test_another_currency_is_promised_only_where_there_is_one(app: Flask) -> None:
    """A shop that was just moved has prices in one currency, and no rates."""
    with app.app_context():
        prices = [Price(currency=code, minor=900) for code in ("USD", "EUR")]
        one, two = make_product().slug, make_product(prices=prices).slug
    alone, both = Buyer(app), Buyer(app)
    alone.puts_into_cart(one)
    both.puts_into_cart(two)

    assert "another currency" not in alone.browser.get("/cart").text
    assert "In USD. Nothing is added" in alone.browser.get("/cart").text
    assert "Each shows" not in alone.browser.get("/checkout").text
    assert "you can choose another currency" in both.browser.get("/cart").text
    assert "Each shows" in both.browser.get("/checkout").text
