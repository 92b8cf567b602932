"""Price times quantity, times a rate, summed over lines: it fits all the way, or is refused in words."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal

import pytest
from flask import Flask
from flask.testing import FlaskClient, FlaskCliRunner
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sqlalchemy import update

from shop.catalogue.models import RATE_PLACES, Price
from shop.catalogue.pricing import PriceList
from shop.catalogue.queries import MAX_QUANTITY
from shop.catalogue.service import set_rates
from shop.checkout.cart import MAX_LINES
from shop.db import transaction
from shop.money import CURRENCIES, LARGEST_MINOR, LARGEST_PRICE, Money
from shop.payments.cryptocloud import CryptoCloud
from shop.payments.models import Payment
from tests.buyer import Buyer
from tests.factories import make_product, provider

TOO_LARGE = 999_999_999_999_900
"""9,999,999,999,999.00: what the import let in, and three of which no page could add up."""
LARGEST_BIGINT = 2**63 - 1
NBSP = "\N{NO-BREAK SPACE}"
CLIENT = CryptoCloud(api_key="key", shop_id="shop", secret_key="s" * 32)

stored = st.integers(1, LARGEST_MINOR) | st.integers(LARGEST_PRICE - 2, LARGEST_PRICE + 2)
lines = st.lists(st.tuples(stored, st.integers(1, MAX_QUANTITY)), min_size=1, max_size=MAX_LINES)
rates_e8 = st.integers(1, 10**17)
"""All that `rates set` takes."""


def test_a_full_cart_of_the_largest_price_is_an_amount() -> None:
    assert LARGEST_PRICE * MAX_QUANTITY * MAX_LINES <= LARGEST_MINOR <= LARGEST_BIGINT


@pytest.mark.parametrize("examples", [100, pytest.param(10_000, marks=pytest.mark.long)])
def test_every_product_of_figures_fits_into_an_invoice_or_has_no_price(examples: int) -> None:
    @settings(max_examples=examples, deadline=None)
    @given(cart=lines, rate=rates_e8, base=st.sampled_from(sorted(CURRENCIES)))
    @example(cart=[(TOO_LARGE, 3)], rate=10**8, base="USD")
    @example(cart=[(LARGEST_PRICE, MAX_QUANTITY)] * MAX_LINES, rate=10**8, base="RUB")
    @example(cart=[(1, 1)], rate=1, base="USD")
    def claim(cart: list[tuple[int, int]], rate: int, base: str) -> None:
        own = {f"p{n}": {base: minor} for n, (minor, _) in enumerate(cart)}
        quantities = {f"p{n}": quantity for n, (_, quantity) in enumerate(cart)}
        listed = PriceList(base, own, dict.fromkeys(CURRENCIES, rate))
        for code in CURRENCIES:
            check(listed, quantities, code, own, Decimal(rate).scaleb(-RATE_PLACES))

    claim()


def check(
    listed: PriceList,
    quantities: Mapping[str, int],
    code: str,
    own: Mapping[str, Mapping[str, int]],
    rate: Decimal,
) -> None:
    units = {slug: listed.price(slug, code) for slug in quantities}
    for slug, unit in units.items():
        base = own[slug][listed.base_currency]
        exact = base * (1 if code == listed.base_currency else rate)
        if unit is None:
            assert base > LARGEST_PRICE or exact >= LARGEST_PRICE or exact <= Decimal("0.5")
        else:
            assert 0 < unit.minor <= LARGEST_PRICE
    total = listed.total(quantities, code)
    if None in units.values():
        assert total is None
        return
    assert total is not None
    minor = sum(unit.minor * quantities[slug] for slug, unit in units.items() if unit)
    assert total.minor == minor <= LARGEST_BIGINT
    text = str(CLIENT._order(total, "reference", None)["amount"])
    assert re.fullmatch(r"\d{1,13}\.\d\d", text)
    assert int(text.replace(".", "")) == minor


PAGES = ("/", "/?sort=price", "/?sort=price-down&currency=RUB", "/?sort=name", "/cart", "/checkout")


def test_a_cart_that_holds_more_than_can_be_billed_keeps_the_rest_and_says_so(
    app: Flask, client: FlaskClient
) -> None:
    """Every page with this cart was an error until its cookie went."""
    with app.app_context():
        set_rates({"RUB": "96.50"})
        slugs = [make_product(price=price).slug for price in (1000, 1200)]
    for slug in slugs:
        client.post("/cart", data={"product": slug, "quantity": "3"})
    with app.app_context(), transaction() as session:
        session.execute(update(Price).where(Price.minor == 1000).values(minor=TOO_LARGE))

    cart = client.get("/cart")

    assert cart.status_code == 200
    assert "A product in your cart is no longer for sale and was taken out." in cart.text
    assert f"USD{NBSP}36.00" in cart.text
    assert [client.get(page).status_code for page in PAGES] == [200] * len(PAGES)
    assert "It cannot be bought at the moment" in client.get(f"/products/{slugs[0]}").text


@pytest.mark.parametrize("rate", ["0.00000001", "0.92", "999999999.99999999"])
def test_no_price_quantity_and_rate_break_a_page(
    app: Flask, client: FlaskClient, rate: str
) -> None:
    prices = (1, LARGEST_PRICE - 1, LARGEST_PRICE, LARGEST_PRICE + 1, TOO_LARGE, LARGEST_BIGINT)
    with app.app_context():
        set_rates({"RUB": rate}, sure=True)
        slugs = [make_product(price=price).slug for price in prices for _ in range(2)]
    for slug in slugs:
        client.post("/cart", data={"product": slug, "quantity": "99", "currency": "RUB"})

    for address in (*PAGES, *(f"/products/{slug}?currency=RUB" for slug in slugs)):
        assert client.get(address).status_code == 200, address


def test_a_full_cart_of_the_largest_price_is_ordered_and_invoiced(app: Flask) -> None:
    buyer = Buyer(app)
    with app.app_context():
        slugs = [make_product(price=LARGEST_PRICE).slug for _ in range(MAX_LINES)]
    for slug in slugs:
        buyer.browser.post("/cart", data={"product": slug, "quantity": str(MAX_QUANTITY)})
    buyer.opens("/checkout")

    with provider(app) as calls:
        calls.invoice_is_made()
        buyer.sends("/checkout", email="buyer@example.com")
        body = str(calls.calls[0].request.body)

    assert buyer.page.status_code == 303
    assert "2970000000000.00" in body
    with app.app_context(), transaction() as session:
        (payment,) = session.query(Payment).all()
        assert payment.money == Money(LARGEST_PRICE * MAX_QUANTITY * MAX_LINES, "USD")


@pytest.mark.parametrize(
    ("amount", "exit_code"), [("1000000000.00", 0), ("1000000000.01", 1), ("9999999999999", 1)]
)
def test_a_test_invoice_is_bounded_as_a_price_is(
    app: Flask, runner: FlaskCliRunner, amount: str, exit_code: int
) -> None:
    command = ["invoices", "create", "--currency", "USD", "--email", "a@example.com", "--amount"]
    with provider(app) as calls:
        calls.invoice_is_made()
        result = runner.invoke(args=[*command, amount])

    assert result.exit_code == exit_code
    if exit_code:
        assert "The amount may be 1000000000.00 USD at most" in result.output
