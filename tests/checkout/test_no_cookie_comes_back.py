"""A browser that keeps no cookie, such as the one inside a messenger: it is told so, and one product can be bought."""

from __future__ import annotations

import re

import pytest
from flask import Flask

from shop.catalogue.models import Price
from shop.db import db
from shop.orders.links import order_path
from shop.orders.models import Order
from tests.buyer import Buyer
from tests.factories import make_open_order, make_product, provider

WHY = "none came back from your browser"


@pytest.fixture
def forgetful(app: Flask) -> Buyer:
    buyer = Buyer(app)
    buyer.browser = app.test_client(use_cookies=False)
    return buyer


def orders(app: Flask) -> list[Order]:
    with app.app_context():
        return list(db.session.query(Order))


def reaches_checkout(buyer: Buyer, slug: str, quantity: int = 1, currency: str = "USD") -> None:
    buyer.puts_into_cart(slug, quantity, currency)
    page = buyer.reads_answer()
    assert WHY in page
    assert "Your cart is empty" not in page
    fields = dict(re.findall(r'name="(product|quantity|shown)" value="([^"]*)"', page))
    buyer.opens("/checkout?" + "&".join(f"{name}={value}" for name, value in fields.items()))


def test_one_product_is_bought_without_any_cookie(app: Flask, forgetful: Buyer) -> None:
    with app.app_context():
        slug = make_product(
            prices=[Price(currency="USD", minor=1000), Price(currency="EUR", minor=900)], stock=5
        ).slug
    reaches_checkout(forgetful, slug, 2, "EUR")
    assert "EUR\xa018.00" in forgetful.page.text
    form = forgetful.page

    with provider(app) as calls:
        calls.invoice_is_made()
        first = forgetful.sends("/checkout/one", email="a@example.com")
        forgetful.page = form
        again = forgetful.sends("/checkout/one", email="a@example.com")
        assert len(calls.calls) == 1

    assert first.status_code == again.status_code == 303
    assert first.headers["Location"] == again.headers["Location"]
    (order,) = orders(app)
    assert (order.currency, order.total_minor, order.email) == ("EUR", 1800, "a@example.com")


def test_a_mistake_keeps_the_product_in_the_form(app: Flask, forgetful: Buyer) -> None:
    with app.app_context():
        slug = make_product().slug
    reaches_checkout(forgetful, slug)

    page = forgetful.sends("/checkout/one", email="not one")

    assert page.status_code == 422
    with provider(app) as calls:
        calls.invoice_is_made()
        assert forgetful.sends("/checkout/one", email="a@example.com").status_code == 303
    assert len(orders(app)) == 1


def test_what_sold_out_meanwhile_is_not_sold(app: Flask, forgetful: Buyer) -> None:
    with app.app_context():
        product = make_product(stock=1)
        slug = product.slug
    reaches_checkout(forgetful, slug)
    with app.app_context():
        make_open_order(app, product)

    forgetful.sends("/checkout/one", email="a@example.com")

    assert len(orders(app)) == 1
    assert forgetful.page.headers["Location"] == "/"


@pytest.mark.parametrize("engine", ["sqlite"])
def test_a_browser_with_a_cookie_never_comes_here(app: Flask) -> None:
    with app.app_context():
        mine, other = make_product(title="Mine").slug, make_product(title="Other").slug
    buyer = Buyer(app)
    buyer.puts_into_cart(mine)
    assert WHY not in buyer.reads_answer()

    page = buyer.opens(f"/checkout?product={other}&quantity=1").text
    assert "Mine" in page
    assert "Other" not in page
    answer = buyer.browser.post("/checkout/one", data={"product": other, "email": buyer.email})
    assert answer.headers["Location"] == "/checkout"
    assert orders(app) == []


@pytest.mark.parametrize("engine", ["sqlite"])
def test_no_other_site_orders_by_it(app: Flask, forgetful: Buyer) -> None:
    answer = forgetful.browser.post(
        "/checkout/one", data={"product": "x"}, headers={"Sec-Fetch-Site": "cross-site"}
    )

    assert answer.status_code == 403


@pytest.mark.parametrize("engine", ["sqlite"])
def test_every_button_that_needs_the_cookie_says_so(app: Flask, forgetful: Buyer) -> None:
    with app.app_context():
        path = order_path(make_open_order(app)[0])
    for action in (
        "/checkout",
        "/cart/lines",
        f"{path}/check",
        f"{path}/pay",
        f"{path}/mail",
        "/mailbox",
    ):
        answer = forgetful.browser.post(action, data={"email": "a@example.com"})

        assert answer.status_code == 400, action
        assert WHY in answer.text, action
    forgetful.opens("/orders/find")
    page = forgetful.sends("/orders/find", email="a@example.com", number="7K3M-Q9XD")
    assert (page.status_code, "No cookie came back" in page.text) == (400, True)
    assert 'value="a@example.com"' in page.text


@pytest.mark.parametrize("added", ["none", "%00", "../x", "x" * 3000])
@pytest.mark.parametrize("engine", ["sqlite"])
def test_what_is_no_product_is_offered_to_nobody(forgetful: Buyer, added: str) -> None:
    page = forgetful.opens(f"/cart?added={added}&quantity=99999999&shown=XXX")

    assert page.status_code == 200
    assert "Buy this product all the same" not in page.text
    assert forgetful.opens(f"/checkout?product={added}").status_code == 303
