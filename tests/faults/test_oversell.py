"""However many want the last units at once: each is sold once, and at every step none is missing."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import func, select, text, update
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from shop.catalogue.models import DeliveryKind, Product
from shop.catalogue.service import take_stock
from shop.config import Settings
from shop.db import db, end_read, transaction
from shop.orders.models import Order, StockHold
from shop.sandbox.state import Sandbox
from tests.conftest import settings_for
from tests.factories import make_product
from tests.support.crowd import at_once, fill_in, outcome
from tests.support.ledger import tally, truth_of, violations
from tests.support.promises import Promise
from tests.support.sold import unsold_keys

pytestmark = pytest.mark.promise(7)

BUYERS = 64
UNITS = 10
ROUNDS = [1, pytest.param(100, marks=pytest.mark.long)]

# One statement, so that it is one moment, on both engines.
ADRIFT = text(
    "SELECT count(*) FROM products WHERE stock_total IS NOT NULL AND stock_total <> available + "
    "COALESCE((SELECT sum(quantity) FROM stock_holds"
    " WHERE product_id = products.id AND state IN ('held', 'committed')), 0)"
)


@pytest.fixture
def settings(tmp_path: Path, database_url: str, sandbox: Sandbox) -> Settings:
    return settings_for(sandbox, tmp_path / "data", database_url)


@contextmanager
def watched(app: Flask) -> Iterator[list[int]]:
    """Look again and again, from beside, at how many products' units do not add up."""
    seen: list[int] = []
    over = threading.Event()

    def look() -> None:
        with app.app_context():
            while True:
                last = over.wait(0.005)  # leave the processor to the buyers
                seen.append(db.session.scalar(ADRIFT) or 0)
                end_read()
                if last:
                    return

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield seen
    finally:
        over.set()
        thread.join()


def count(app: Flask, what: type) -> int:
    with app.app_context():
        return db.session.scalar(select(func.count()).select_from(what)) or 0


def settle(app: Flask, sandbox: Sandbox, promise: Promise, *, orders: int) -> None:
    """Rule B at the end of a test: the invoices nobody has paid, and no order too many or too few."""
    assert tally(promise, violations(app, truth_of(sandbox), orders=orders)) == []


@pytest.mark.parametrize("rounds", ROUNDS)
def test_of_ten_units_sixty_four_buyers_get_ten(
    app: Flask, sandbox: Sandbox, promise: Promise, rounds: int
) -> None:
    sold = 0
    with watched(app) as adrift:
        for _ in range(rounds):
            with app.app_context():
                product = make_product(stock=UNITS)
                slug, product_id = product.slug, product.id
                end_read()
            form = fill_in(app, slug)
            got = Counter(at_once(BUYERS, lambda n, form=form: outcome(form.insist(n))))

            promise.cases += BUYERS
            assert got == {"sold": UNITS, "sold out": BUYERS - UNITS}
            with app.app_context():
                assert db.session.get_one(Product, product_id).available == 0
            sold += got["sold"]

    assert set(adrift) == {0}
    assert len(adrift) > rounds
    assert sold == rounds * UNITS == len(sandbox.invoices())
    settle(app, sandbox, promise, orders=sold)


@pytest.mark.parametrize("rounds", [1, pytest.param(50, marks=pytest.mark.long)])
def test_carts_of_three_in_opposite_order_get_all_three_or_none(
    app: Flask, sandbox: Sandbox, promise: Promise, rounds: int
) -> None:
    sold = 0
    with watched(app) as adrift:
        for _ in range(rounds):
            with app.app_context():
                products = [make_product(stock=UNITS) for _ in range(3)]
                slugs, ids = [p.slug for p in products], [p.id for p in products]
                end_read()
            forms = [fill_in(app, *slugs), fill_in(app, *reversed(slugs))]
            got = Counter(at_once(BUYERS, lambda n, forms=forms: outcome(forms[n % 2].insist(n))))

            promise.cases += BUYERS
            assert got == {"sold": UNITS, "sold out": BUYERS - UNITS}
            with app.app_context():
                assert [db.session.get_one(Product, id_).available for id_ in ids] == [0, 0, 0]
            sold += got["sold"]

    assert set(adrift) == {0}
    assert count(app, StockHold) == 3 * sold == 3 * count(app, Order)
    settle(app, sandbox, promise, orders=sold)


@pytest.mark.parametrize("rounds", [1, pytest.param(20, marks=pytest.mark.long)])
def test_of_ten_units_that_are_free_sixty_four_buyers_get_ten_while_the_provider_is_away(
    app: Flask, sandbox: Sandbox, promise: Promise, rounds: int
) -> None:
    sandbox.turn({"api": "down"})
    given = 0
    with watched(app) as adrift:
        for number in range(rounds):
            with app.app_context():
                product = make_product(kind=DeliveryKind.KEY, keys=UNITS, price=0)
                slug, product_id = product.slug, product.id
                end_read()
            form = fill_in(app, slug)
            got = Counter(
                at_once(BUYERS, lambda n, f=form, r=number: outcome(f.insist(f"{r}-{n}")))
            )

            promise.cases += BUYERS
            assert got == {"order page": UNITS, "sold out": BUYERS - UNITS}
            with app.app_context():
                assert db.session.get_one(Product, product_id).available == 0
                assert unsold_keys(product_id) == 0
            given += got["order page"]

    assert set(adrift) == {0}
    assert given == rounds * UNITS
    assert sandbox.invoices() == []
    settle(app, sandbox, promise, orders=given)


def test_stock_that_is_read_before_it_is_written_is_sold_many_times(
    app: Flask, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control: what the conditional UPDATE is there for. The naive code has seen ten units."""

    def naive(session: Session, product_id: int, quantity: int) -> bool:
        session.execute(
            update(Product).where(Product.id == product_id).values(available=UNITS - quantity)
        )
        return True

    with app.app_context():
        product = make_product(stock=UNITS)
        slug = product.slug
        end_read()
    form = fill_in(app, slug)
    monkeypatch.setattr("shop.orders.service.take_stock", naive)

    with watched(app) as adrift:
        got = Counter(at_once(16, lambda n: outcome(form.insist(n))))

    assert got == {"sold": 16}
    assert adrift[-1] == 1, "the watch sees it"
    assert violations(app, truth_of(sandbox)) != [], "and so does the checker"


@pytest.mark.parametrize("engine", ["postgresql"])  # SQLite's one writer cannot deadlock
def test_rows_that_are_locked_in_the_order_of_the_carts_block_each_other(app: Flask) -> None:
    """The control for opposite carts: without the ascending order of products PostgreSQL deadlocks."""
    with app.app_context():
        ids = [make_product(stock=UNITS).id for _ in range(2)]
        end_read()
    gate = threading.Barrier(2)

    def take(number: int) -> str:
        first, second = ids if number else reversed(ids)
        try:
            with app.app_context(), transaction() as session:
                take_stock(session, first, 1)
                gate.wait(60)
                take_stock(session, second, 1)
        except OperationalError as error:
            return type(error.orig).__name__
        return "committed"

    assert "DeadlockDetected" in at_once(2, take)
