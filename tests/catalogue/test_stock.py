"""Stock is taken by one conditional UPDATE: the last unit is sold once."""

from __future__ import annotations

import contextlib
import threading

import pytest
from flask import Flask
from sqlalchemy import select

from shop.catalogue.models import Product
from shop.catalogue.service import return_stock, take_stock
from shop.db import db, transaction

from .conftest import ImportText, ProductText


class SoldOut(Exception):
    """Another line of the cart was sold out."""


def rain() -> Product:
    return db.session.scalars(select(Product).execution_options(populate_existing=True)).one()


def test_units_are_taken_while_there_are_enough(
    app: Flask, import_text: ImportText, product: ProductText
) -> None:
    with app.app_context():
        import_text(product(stock="5"))
        number, changed = rain().id, rain().updated_at

        with transaction() as session:
            assert take_stock(session, number, 3)
            assert not take_stock(session, number, 3)
            assert take_stock(session, number, 2)
            assert not take_stock(session, number, 1)

        assert (rain().available, rain().updated_at) == (0, changed)


def test_an_unlimited_product_never_runs_out(
    app: Flask, import_text: ImportText, product: ProductText
) -> None:
    with app.app_context():
        import_text(product(stock="unlimited"))
        number = rain().id

        with transaction() as session:
            assert take_stock(session, number, 10_000)
            return_stock(session, number, 10_000)

        assert rain().available is None


def test_a_product_that_is_not_there_has_no_stock(app: Flask) -> None:
    with app.app_context(), transaction() as session:
        assert not take_stock(session, 4711, 1)


@pytest.mark.parametrize("quantity", [0, -1])
def test_a_quantity_below_one_is_a_mistake_in_the_program(app: Flask, quantity: int) -> None:
    with app.app_context(), transaction() as session:
        with pytest.raises(ValueError, match="at least 1"):
            take_stock(session, 1, quantity)
        with pytest.raises(ValueError, match="at least 1"):
            return_stock(session, 1, quantity)


def test_what_was_taken_comes_back_with_a_rollback(
    app: Flask, import_text: ImportText, product: ProductText
) -> None:
    with app.app_context():
        import_text(product(stock="5"))
        number = rain().id

        with contextlib.suppress(SoldOut), transaction() as session:
            take_stock(session, number, 3)
            raise SoldOut

        assert rain().available == 5


def test_sixteen_buyers_share_ten_units(
    app: Flask, import_text: ImportText, product: ProductText
) -> None:
    with app.app_context():
        import_text(product(stock="10"))
        number = rain().id
    start = threading.Barrier(16)
    sold: list[bool] = []

    def buy() -> None:
        with app.app_context():
            start.wait()
            with transaction() as session:
                sold.append(take_stock(session, number, 1))

    buyers = [threading.Thread(target=buy) for _ in range(16)]
    for buyer in buyers:
        buyer.start()
    for buyer in buyers:
        buyer.join()

    assert sorted(sold) == [False] * 6 + [True] * 10
    with app.app_context():
        assert rain().available == 0
