"""What a sale costs the database: so many statements, however often something is repeated."""

from __future__ import annotations

import pytest
from flask import Flask

from shop.db import db, end_read
from shop.payments.models import Payment
from tests.factories import (
    make_open_order,
    make_order,
    make_postback,
    make_product,
    provider,
)
from tests.support.crowd import fill_in
from tests.support.statements import counted, writes

POSTBACK = "/payments/cryptocloud/postback"


MOST = {"sqlite": 22, "postgresql": 21}
"""Statements of a checkout. On SQLite both commits have a BEGIN IMMEDIATE, on PostgreSQL one locks the buyer."""


def test_a_checkout_takes_few_statements(app: Flask, engine: str) -> None:
    with app.app_context():
        slug = make_product(stock=10).slug
        end_read()
    form = fill_in(app, slug)

    with provider(app) as calls, counted(app) as statements:
        calls.invoice_is_made()
        assert form.send().headers["Location"].startswith("http")

    assert len(statements) <= MOST[engine], statements


@pytest.mark.parametrize("status", ["paid", "created"])
def test_a_postback_that_is_repeated_within_a_minute_stores_nothing(
    app: Flask, status: str
) -> None:
    with app.app_context():
        _, payment = make_open_order(app)
        fields = make_postback(app.config["SETTINGS"], payment)
        end_read()
    client = app.test_client()

    with provider(app) as calls:
        calls.invoice_is(status)
        assert client.post(POSTBACK, data=fields).status_code == 200
        with counted(app) as statements:
            assert client.post(POSTBACK, data=fields).status_code == 200

    if status == "paid":
        assert len(statements) == 2
        assert writes(statements) == [], "it does not even queue behind those who write"
    else:
        assert not [each for each in writes(statements) if "postbacks" in each]


def test_a_postback_that_names_another_order_is_looked_at_however_often_it_comes(
    app: Flask,
) -> None:
    """The control: who repeats a postback with another order in it is refused each time."""
    with app.app_context():
        _, payment = make_open_order(app)
        _, other = make_order(app)
        fields = make_postback(app.config["SETTINGS"], payment)
        others = {"order_id": other.reference}
        end_read()
    client = app.test_client()
    with provider(app) as calls:
        calls.invoice_is("paid")
        assert client.post(POSTBACK, data=fields).status_code == 200

        answer = client.post(POSTBACK, data=fields | others)

    assert answer.status_code == 403


def test_the_page_after_an_opened_invoice_asks_the_database_nothing(app: Flask) -> None:
    with app.app_context():
        slug = make_product(stock=10).slug
        end_read()
    form = fill_in(app, slug)

    with provider(app) as calls, counted(app) as statements:
        calls.invoice_is_made()
        form.send()

    assert statements[-1].startswith("UPDATE payments"), "the last one binds the invoice"
    with app.app_context():
        assert db.session.query(Payment).one().pay_url
