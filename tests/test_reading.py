"""The connection that pages read rows with: one at a time, given back, and never behind what was written."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, update

from shop.catalogue.models import DeliveryKind, Product, ProductFile, ProductImage
from shop.catalogue.queries import find_offer
from shop.db import db, end_read, transaction
from shop.reading import reading
from tests.catalogue.conftest import counted
from tests.factories import make_product


def in_use() -> int:
    pool: Any = db.engine.pool
    return int(pool.checkedout())


def test_a_page_gives_its_connection_back(app: Flask, client: FlaskClient) -> None:
    with app.app_context():
        slug = make_product().slug

    client.get("/")
    with app.app_context():
        kept = in_use()  # by who reads the catalogue's version

    for address in (f"/products/{slug}", "/products/none", "/sitemap.xml", "/cart"):
        client.get(address)

    with app.app_context():
        assert in_use() == kept == 1


def test_each_thread_of_a_web_process_finds_a_connection_beside_the_one_of_the_version(
    app: Flask, client: FlaskClient
) -> None:
    client.get("/")
    threads = 32

    with app.app_context(), contextlib.ExitStack() as all_of_them:
        for _ in range(threads):
            all_of_them.enter_context(db.engine.connect())

        assert in_use() == threads + 1


def test_a_request_has_one_connection_at_a_time(app: Flask) -> None:
    with app.app_context():
        slug = make_product().slug
        end_read()

        assert find_offer(slug, "USD")
        assert in_use() == 1
        assert db.session.scalar(select(Product.slug)) == slug
        assert in_use() == 1
        assert find_offer(slug, "USD")  # by the session's, which has begun
        assert in_use() == 1
        with transaction():
            assert in_use() == 1
        assert in_use() == 0


def test_rows_are_read_anew_after_a_write_and_within_it(app: Flask) -> None:
    with app.app_context():
        slug = make_product(stock=5).slug
        before = find_offer(slug, "USD")

        with transaction() as session:
            session.execute(update(Product).values(available=4))
            within = find_offer(slug, "USD")
        after = find_offer(slug, "USD")

    assert before is not None
    assert within is not None
    assert after is not None
    assert (before.left, within.left, after.left) == (5, 4, 4)


def test_a_read_that_has_ended_sees_what_others_wrote(app: Flask) -> None:
    with app.app_context():
        slug = make_product(stock=5).slug
        assert find_offer(slug, "USD")
        with app.app_context(), transaction() as session:
            session.execute(update(Product).values(available=4))

        end_read()

        now = find_offer(slug, "USD")
        assert now is not None
        assert now.left == 4


def test_a_connection_that_broke_is_given_back_and_the_next_works(app: Flask) -> None:
    with app.app_context():
        slug = make_product().slug
        reading().connection.dbapi_connection.close()  # type: ignore[union-attr]
        end_read()

        assert find_offer(slug, "USD")


def test_the_page_of_several_files_and_pictures_takes_two_statements(
    app: Flask, client: FlaskClient
) -> None:
    with app.app_context():
        offered = make_product(
            kind=DeliveryKind.FILE,
            delivery_text="",
            delivery_file="a/one.zip",
            delivery_size=1000,
        )
        with transaction() as session:
            for number in range(2):
                about = {"product_id": offered.id, "position": number}
                session.add(ProductFile(name=f"a/{number}.pdf", size=2000, **about))
                picture = {"alt": f"Picture {number}", "width": 400, "height": 300}
                session.add(ProductImage(name=f"{number}" * 32, **picture, **about))

    client.get("/")  # the catalogue's new version is found
    with counted(app) as statements:
        page = client.get(f"/products/{offered.slug}").text

    assert len(statements) == 2
    assert page.index("Picture 0") < page.index("Picture 1")
    assert "3 files (ZIP, PDF, 5 kB)" in page


def test_an_object_that_is_changed_outside_of_a_transaction_is_refused_and_not_stored(
    app: Flask,
) -> None:
    """PostgreSQL reads without a transaction: what the next read brings along would stay, mistake or not."""
    with app.app_context():
        id = make_product(title="Rain").id
        end_read()

    with app.app_context():
        db.session.get_one(Product, id).title = "Never"
        with pytest.raises(RuntimeError, match="outside of a transaction"):
            db.session.scalar(select(Product.slug))

    with app.app_context():
        assert db.session.get_one(Product, id).title == "Rain"
