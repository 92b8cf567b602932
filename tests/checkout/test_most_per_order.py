"""As many units as the operator says go into one order, whichever way they are asked for."""

from __future__ import annotations

import json

import pytest
from flask import Flask
from sqlalchemy import select, update

from shop.catalogue.models import Product
from shop.db import db, transaction
from shop.orders.models import OrderLine, StockHold
from tests.buyer import Buyer, Form
from tests.factories import make_product, provider

ONE = "Rain: only one can be bought in one order."


@pytest.fixture
def slug(app: Flask) -> str:
    """Sold once in an order."""
    with app.app_context():
        return make_product(title="Rain", stock=9, most_per_order=1).slug


def ordered(app: Flask) -> list[tuple[int, int]]:
    """Quantity and units set aside of each order line."""
    with app.app_context():
        lines = select(OrderLine.quantity, StockHold.quantity).join(
            StockHold, StockHold.order_id == OrderLine.order_id
        )
        return [(bought, held) for bought, held in db.session.execute(lines)]


def says(app: Flask, most: int | None) -> None:
    """The operator imports another figure."""
    with app.app_context(), transaction() as session:
        session.execute(update(Product).values(most_per_order=most))


def buys(app: Flask, buyer: Buyer, **changes: object) -> None:
    with provider(app) as calls:
        calls.invoice_is_made()
        buyer.checks_out(**changes)
    assert buyer.page.status_code == 303


def test_product_and_cart_say_so_before_anybody_pays(app: Flask, slug: str) -> None:
    buyer = Buyer(app)
    page = buyer.opens(f"/products/{slug}").text
    assert "Only one per order" in page
    assert 'type="number"' not in page, "there is nothing to choose"
    assert Form(page, "/cart").fields["quantity"] == "1"

    buyer.puts_into_cart(slug)

    page = buyer.opens("/cart").text
    assert "Only one per order" in page
    assert 'type="number"' not in page
    assert f'name="remove" value="{slug}"' in page
    says(app, 3)
    assert "At most 3 per order" in buyer.opens(f"/products/{slug}").text
    assert 'max="3"' in buyer.opens("/cart").text
    assert "Не больше 3 шт. в одном заказе" in buyer.opens(f"/ru/products/{slug}").text
    says(app, None)
    assert "per order" not in buyer.opens(f"/products/{slug}").text


def test_machines_are_told_the_quantity_that_can_be_bought(app: Flask, slug: str) -> None:
    page = app.test_client().get(f"/products/{slug}").text
    facts = json.loads(page.split('<script type="application/ld+json">')[1].split("</script>")[0])

    assert facts["offers"]["eligibleQuantity"] == {"@type": "QuantitativeValue", "maxValue": 1}


def test_putting_it_in_again_leaves_one_and_says_why(app: Flask, slug: str) -> None:
    buyer = Buyer(app)
    buyer.puts_into_cart(slug)
    buyer.puts_into_cart(slug)

    assert ONE in buyer.opens("/cart").text
    assert ONE not in buyer.opens("/cart").text, "once"
    buys(app, buyer)
    assert ordered(app) == [(1, 1)]


@pytest.mark.parametrize("quantity", ["2", "99", "999999"])
def test_a_form_that_asks_for_more_gets_as_many_as_may_be(
    app: Flask, slug: str, quantity: str
) -> None:
    buyer = Buyer(app)
    buyer.puts_into_cart(slug, int(quantity))
    buyer.opens("/cart")
    buyer.sends("/cart/lines", **{f"quantity-{slug}": quantity, "checkout": "1"})

    assert ONE in buyer.reads_answer()
    buys(app, buyer)
    assert ordered(app) == [(1, 1)]


def test_a_browser_without_cookies_that_carries_more_gets_as_many_as_may_be(
    app: Flask, slug: str
) -> None:
    client = app.test_client(use_cookies=False)

    page = client.get(f"/checkout?product={slug}&quantity=5").text
    assert ONE in page
    fields = Form(page, "/checkout/one").fields | {"email": "a@example.com", "quantity": "5"}
    with provider(app) as calls:
        calls.invoice_is_made()
        assert client.post("/checkout/one", data=fields).status_code == 303

    assert ordered(app) == [(1, 1)]


def test_a_cart_from_before_is_made_smaller_and_says_why(app: Flask, slug: str) -> None:
    says(app, None)
    buyer = Buyer(app)
    buyer.puts_into_cart(slug, 4)
    assert "4 × <span>Rain" in buyer.opens("/checkout").text
    says(app, 2)

    buyer.opens("/cart")

    assert "Rain: at most 2 can be bought in one order." in buyer.page.text
    buys(app, buyer)
    assert ordered(app) == [(2, 2)]


def test_a_checkout_that_is_open_already_is_shown_again_before_anything_is_ordered(
    app: Flask, slug: str
) -> None:
    says(app, None)
    buyer = Buyer(app)
    buyer.puts_into_cart(slug, 4)
    buyer.opens("/checkout")
    says(app, 1)

    buyer.sends("/checkout", email="buyer@example.com")

    assert buyer.page.status_code == 409
    assert ONE in buyer.page.text
    assert ordered(app) == []


def test_two_tabs_that_each_put_one_in_order_one(app: Flask, slug: str) -> None:
    first, second = Buyer(app), Buyer(app)
    second.browser = first.browser
    first.opens(f"/products/{slug}")
    second.opens(f"/products/{slug}")
    first.sends("/cart")
    first.opens("/checkout")
    second.sends("/cart")

    with provider(app) as calls:
        calls.invoice_is_made()
        first.sends("/checkout", email="buyer@example.com")

    assert first.page.status_code == 303
    assert ordered(app) == [(1, 1)]


def test_the_smaller_of_stock_and_figure_counts(app: Flask, slug: str) -> None:
    says(app, 5)
    with app.app_context(), transaction() as session:
        session.execute(update(Product).values(available=2, stock_total=2))
    buyer = Buyer(app)
    buyer.puts_into_cart(slug, 4)

    assert "Rain: only 2 can be bought now." in buyer.opens("/cart").text
