"""However often, and however much at once, a form is sent: one order, one invoice, no unit sold twice."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import func, select
from werkzeug.test import TestResponse

from shop.catalogue.models import Product
from shop.checkout.service import CartChanged, OrderChanged, find_placed_order
from shop.config import Settings
from shop.db import db, end_read
from shop.orders.models import Order, OrderLine
from shop.orders.service import SoldOut
from shop.payments.models import Payment
from shop.sandbox.state import Sandbox
from tests.conftest import settings_for
from tests.factories import make_buyer, make_cart, make_product, place_order
from tests.support.crowd import at_once, fill_in


@pytest.fixture
def settings(tmp_path: Path, database_url: str, sandbox: Sandbox) -> Settings:
    return settings_for(sandbox, tmp_path / "data", database_url)


def count(table: type) -> int:
    return db.session.scalar(select(func.count()).select_from(table)) or 0


def left_of(product: Product) -> int | None:
    """Units on sale now, as the database has it: what was read before is a picture of then."""
    end_read()
    return product.available


def submit_at_once(app: Flask, *, keys: Callable[[int], object]) -> list[TestResponse]:
    """Fifty times the same form from the same browser; `keys` may change its checkout key."""
    with app.app_context():
        slug = make_product(stock=100).slug
    form = fill_in(app, slug)
    return at_once(50, lambda number: form.insist(keys(number)))


def test_fifty_parallel_submits_of_one_form_make_one_order_and_one_invoice(
    app: Flask, sandbox: Sandbox
) -> None:
    answers = submit_at_once(app, keys=lambda number: "")

    assert {answer.status_code for answer in answers} == {303}
    with app.app_context():
        assert (count(Order), count(OrderLine), count(Payment)) == (1, 1, 1)
    assert len(sandbox.invoices()) == 1


def test_without_the_key_of_the_form_the_same_submits_would_make_many_orders(
    app: Flask, sandbox: Sandbox
) -> None:
    """The control: it is the checkout key that the test above relies on."""
    submit_at_once(app, keys=lambda number: number)

    with app.app_context():
        assert count(Order) > 1
    assert len(sandbox.invoices()) > 1


def test_the_same_form_again_is_the_same_order(app: Flask) -> None:
    with app.app_context():
        cart = make_cart(app, make_product())
        buyer = make_buyer(cart)
        order, payment = place_order(cart, buyer)
        assert payment is not None

        again, nothing = place_order(cart, buyer)

        assert again.id == order.id
        assert nothing is None


def test_a_form_that_asks_for_another_order_than_it_made_is_refused(app: Flask) -> None:
    with app.app_context():
        cart = make_cart(app, make_product())
        buyer = make_buyer(cart)
        order, _ = place_order(cart, buyer)
        other = make_buyer(cart, checkout_key=buyer.checkout_key, email="else@example.com")

        with pytest.raises(OrderChanged) as refused:
            place_order(cart, other)

        assert refused.value.order.id == order.id
        found = find_placed_order(buyer)
        assert found
        assert found.id == order.id
        assert count(Order) == 1


def test_a_cart_that_is_not_what_the_buyer_saw_makes_no_order(app: Flask) -> None:
    with app.app_context():
        product = make_product(stock=5)
        cart = make_cart(app, product)
        buyer = make_buyer(cart, seen="something else")

        with pytest.raises(CartChanged):
            place_order(cart, buyer)

        assert count(Order) == 0
        assert left_of(product) == 5


def test_an_order_for_more_than_there_is_leaves_nothing_behind(app: Flask) -> None:
    with app.app_context():
        plenty, few = make_product(stock=9), make_product(stock=1)
        cart = make_cart(app, plenty, few)
        place_order(make_cart(app, few), make_buyer(make_cart(app, few)))

        with pytest.raises(SoldOut):
            place_order(cart, make_buyer(cart))

        assert count(Order) == 1
        assert left_of(plenty) == 9
