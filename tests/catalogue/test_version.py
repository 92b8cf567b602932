"""The catalogue has another version after each commit that changes what a public page shows, and after no other."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import Boolean, Integer, String, Table, delete, event, insert, text, update

import shop.catalogue.version
from shop.catalogue.models import (
    CatalogueVersion,
    Category,
    ExchangeRate,
    FormerAddress,
    Price,
    Product,
    ProductFile,
    ProductImage,
)
from shop.catalogue.service import put_on_sale, return_stock, take_stock
from shop.catalogue.version import EXTENSION, VersionReader
from shop.columns import UtcDateTime
from shop.db import Base, db, end_read, transaction, utcnow
from shop.schema import migrations
from tests.factories import confirm, make_open_order, make_product, send_due_mails

NOT_SHOWN = {
    "stock_total",
    "taken",
    "delivery_text",
    "delivery_markdown",
    "low_stock",
    "honour_late_hours",
}
"""Columns of a product that no public page shows."""
OTHERS: dict[type, object] = {
    Integer: 7,
    String: "oth",
    Boolean: False,
    UtcDateTime: datetime(2030, 1, 1, tzinfo=UTC),
}
"""A value for each type of column, which no row has yet."""


@pytest.fixture
def current(app: Flask) -> Callable[[], object]:
    reader: VersionReader = app.extensions[EXTENSION]
    return reader.current


@pytest.fixture
def product(app: Flask) -> int:
    """The only product, with one row in each table that shows something of it."""
    with app.app_context():
        id = make_product(stock=5).id
        with transaction() as session:
            session.add(Category(id=1, slug="loops", title="Loops"))
            session.add(Category(id=7, slug="beats", title="Beats"))
            session.add(
                ExchangeRate(currency="EUR", base_currency="USD", rate_e8=1, set_at=utcnow())
            )
            session.add(ProductFile(product_id=id, position=2, name="a", size=1))
            session.add(
                ProductImage(product_id=id, position=0, name="a", alt="A", width=1, height=1)
            )
            session.add(FormerAddress(path="/a", query="", product_id=id))
    return id


def change(app: Flask, statement: Any) -> None:
    with app.app_context(), transaction() as session:
        session.execute(statement, execution_options={"synchronize_session": False})


def columns(model: type[Base]) -> list[str]:
    table: Table = model.__table__  # type: ignore[assignment]
    return [each.name for each in table.columns if not each.primary_key and not each.foreign_keys]


def other_value(model: type[Base], name: str) -> object:
    column = model.__table__.columns[name]
    if name == "delivery_kind":
        return "file"
    return next(value for kind, value in OTHERS.items() if isinstance(column.type, kind))


@pytest.mark.parametrize("name", [*columns(Product), "category_id"])
def test_another_value_of_what_a_page_shows_of_a_product_is_another_version(
    app: Flask, product: int, current: Callable[[], object], name: str
) -> None:
    before = current()

    value = 7 if name == "category_id" else other_value(Product, name)
    given = {"updated_at": Product.updated_at} | {name: value}
    change(app, update(Product).where(Product.id == product).values(given))

    assert (current() == before) is (name in NOT_SHOWN)


@pytest.mark.parametrize(
    ("model", "name"),
    [
        (model, name)
        for model in (Category, Price, ExchangeRate, ProductImage, ProductFile, FormerAddress)
        for name in columns(model) or ["path"]
    ],
)
def test_another_value_of_anything_beside_a_product_is_another_version(
    app: Flask, product: int, current: Callable[[], object], model: type[Base], name: str
) -> None:
    before = current()

    statement = update(model).values({name: other_value(model, name)})
    change(app, statement.where(Category.id == 1) if model is Category else statement)

    assert current() != before


@pytest.mark.parametrize("model", [Price, ExchangeRate, ProductImage, ProductFile, FormerAddress])
def test_what_is_taken_away_is_another_version(
    app: Flask, product: int, current: Callable[[], object], model: type[Base]
) -> None:
    before = current()

    change(app, delete(model))

    assert current() != before


def test_a_new_product_and_a_new_category_are_each_another_version(
    app: Flask, current: Callable[[], object]
) -> None:
    first = current()
    with app.app_context():
        make_product()
    second = current()
    change(app, insert(Category).values(slug="loops", title="Loops", position=0, summary=""))

    assert len({first, second, current()}) == 3


def test_units_that_are_sold_are_another_version_while_they_are_few(
    app: Flask, current: Callable[[], object]
) -> None:
    with app.app_context():
        few, many = make_product(stock=101).id, make_product(stock=500).id
        unlimited = make_product().id
    versions = [current()]

    for id, units in ((many, 100), (unlimited, 1), (few, 1), (few, 1), (few, 1)):
        with app.app_context(), transaction() as session:
            assert take_stock(session, id, units)
        versions.append(current())
    for units in (1, 5):
        with app.app_context(), transaction() as session:
            return_stock(session, few, units)
        versions.append(current())
    with app.app_context(), transaction() as session:
        put_on_sale(session, few, 5, most=1000)
    versions.append(current())

    moved = [now != before for before, now in pairwise(versions)]
    assert moved == [False, False, False, True, True, True, True, False]


def test_an_order_its_money_and_its_mails_change_nothing_that_is_shown(
    app: Flask, current: Callable[[], object]
) -> None:
    with app.app_context():
        product = make_product()
        before = current()
        order, _ = make_open_order(app, product)
        confirm(app, order)
        send_due_mails()

    assert current() == before is not None


def test_what_was_rolled_back_is_no_other_version(
    app: Flask, product: int, current: Callable[[], object]
) -> None:
    before = current()

    def refuse() -> None:
        with transaction() as session:
            session.execute(update(Product).values(title="Never"))
            raise LookupError

    with app.app_context(), pytest.raises(LookupError):
        refuse()

    assert current() == before


def test_a_change_after_one_that_a_savepoint_took_back_is_another_version(
    app: Flask, product: int, current: Callable[[], object]
) -> None:
    before = current()
    with app.app_context():
        with transaction() as session:
            taken_back = session.begin_nested()
            session.execute(update(Product).values(title="Never"))
            taken_back.rollback()
        assert current() == before

        with transaction() as session:
            with session.begin_nested():
                session.execute(update(Product).values(title="One"))
            taken_back = session.begin_nested()
            session.execute(update(Product).values(title="Never"))
            taken_back.rollback()

        assert current() not in (before, None)


def test_a_transaction_that_changes_much_renews_the_version_once(
    app: Flask, product: int, engine: str
) -> None:
    """Whoever else changes something waits meanwhile."""
    if engine != "postgresql":
        pytest.skip("SQLite has one writer at a time")
    counted = "PERFORM nextval('calls'); RETURN NULL;"
    with app.app_context():
        with db.engine.begin() as connection:
            connection.exec_driver_sql("CREATE SEQUENCE calls")
            connection.exec_driver_sql(
                "CREATE OR REPLACE FUNCTION renew_catalogue_version() RETURNS trigger "
                f"LANGUAGE plpgsql AS $$ BEGIN {counted} END $$"
            )
        for call in (1, 2):
            with transaction() as session:
                for title in ("One", "Two"):
                    session.execute(update(Product).values(title=title))
                session.execute(update(Price).values(minor=7 + call))
                session.execute(delete(ProductImage))
            with db.engine.connect() as connection:
                assert connection.scalar(text("SELECT last_value FROM calls")) == call


def test_a_table_that_is_emptied_at_once_is_another_version(
    app: Flask, product: int, current: Callable[[], object], engine: str
) -> None:
    if engine != "postgresql":
        pytest.skip("SQLite has no TRUNCATE")
    versions = {current()}
    tables = ["former_addresses", "product_images", "product_files", "prices", "exchange_rates"]

    for table in [*tables, "products CASCADE", "categories CASCADE"]:
        change(app, text(f"TRUNCATE {table}"))
        versions.add(current())

    assert len(versions) == 8


def test_a_shop_that_was_downgraded_has_another_version_when_it_is_upgraded(
    app: Flask, product: int, current: Callable[[], object]
) -> None:
    """Pages of the time before are kept still, and what changed meanwhile has renewed nothing."""
    with app.app_context():
        versions = []
        for _ in range(2):
            migrations().downgrade("1796010921")
            migrations().upgrade()
            versions.append(current())

    assert len({*versions, None}) == 3


def test_a_rate_that_gets_too_old_is_another_version_without_a_commit(
    app: Flask, current: Callable[[], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    days = timedelta(days=app.config["SETTINGS"].shop_rate_max_age_days)
    set_at = utcnow()
    rate = insert(ExchangeRate).values(
        currency="EUR", base_currency="USD", rate_e8=1, set_at=set_at
    )
    change(app, rate)
    before = current()

    monkeypatch.setattr("shop.catalogue.version.utcnow", lambda: set_at + days)
    assert current() == before
    later = set_at + days + timedelta(microseconds=1)
    monkeypatch.setattr("shop.catalogue.version.utcnow", lambda: later)

    assert current() not in (before, None)


def test_a_clock_that_is_set_back_makes_a_rate_young_again(
    app: Flask, current: Callable[[], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else pages that were made by the wrong clock go on saying that nothing is sold in that currency."""
    days = timedelta(days=app.config["SETTINGS"].shop_rate_max_age_days)
    now = utcnow()
    for currency, age in (("EUR", days / 2), ("GBP", days / 4)):
        rate = {"currency": currency, "base_currency": "USD", "rate_e8": 1, "set_at": now - age}
        change(app, insert(ExchangeRate).values(rate))
    versions = []

    for passed in (timedelta(0), days / 2 + timedelta(seconds=1), days, days / 2, timedelta(0)):
        monkeypatch.setattr("shop.catalogue.version.utcnow", lambda passed=passed: now + passed)
        versions.append(current())

    both, one, none, again_both, again_at_first = versions
    assert len({both, one, none, None}) == 4
    assert again_both == again_at_first == both


def test_nobody_knows_the_version_while_the_database_is_away(
    app: Flask, product: int, current: Callable[[], object]
) -> None:
    before = current()
    with app.app_context():
        db.engine.dispose()

        def refuse(*_: object) -> None:
            raise db.engine.dialect.loaded_dbapi.OperationalError("gone")

        event.listen(db.engine, "do_connect", refuse)
        assert current() is None
        event.remove(db.engine, "do_connect", refuse)

    assert current() == before


def test_a_commit_before_the_file_was_away_for_a_moment_is_another_version(
    app: Flask, product: int, current: Callable[[], object], engine: str
) -> None:
    if engine != "sqlite":
        pytest.skip("a file of SQLite")
    before = current()
    change(app, update(Product).values(title="One"))
    with app.app_context():
        path = Path(db.engine.url.database or "")

    away = path.rename(path.with_name("away.db"))
    assert current() is None
    away.rename(path)

    assert current() not in (before, None)


def test_one_page_waits_for_a_reader_that_hangs_and_the_others_do_not(
    app: Flask, product: int, current: Callable[[], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As it does for a server that is frozen, or a connection that a firewall has dropped."""
    reader: VersionReader = app.extensions[EXTENSION]
    lock, waits, goes_on, hangs = reader._lock, list[float](), threading.Event(), threading.Event()

    class Watched:
        release = lock.release

        def acquire(self, timeout: float) -> bool:
            waits.append(timeout)
            return lock.acquire(timeout=min(timeout, 0.01))

    def hang() -> None:
        with lock:
            hangs.set()
            goes_on.wait()

    hanging = threading.Thread(target=hang)
    hanging.start()
    hangs.wait()
    with monkeypatch.context() as watching:
        watching.setattr(reader, "_lock", Watched())

        assert [current() for _ in range(3)] == [None, None, None]
        assert waits == [shop.catalogue.version.PATIENCE, 0, 0]
        goes_on.set()
        hanging.join()
        assert None not in (current(), current())
        assert waits[3:] == [0, shop.catalogue.version.PATIENCE]


def test_reading_the_version_leaves_nothing_open(
    app: Flask, product: int, current: Callable[[], object]
) -> None:
    """Neither a transaction, which would show the version of then, nor a lock."""
    versions = {current()}
    for title in ("One", "Two", "Three"):
        change(app, update(Product).values(title=title))
        versions.add(current())

    assert len(versions) == 4
    with app.app_context():
        assert db.session.query(CatalogueVersion).count() == 1
        end_read()
