"""Orders for the commands by which a person decides, and what the commands left behind."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from click.testing import Result
from flask import Flask
from flask.testing import FlaskCliRunner
from sqlalchemy import select, update

from shop.attention.models import AttentionItem
from shop.catalogue.models import Product
from shop.db import db, end_read, transaction
from shop.orders.models import Order
from shop.orders.queries import find_order
from shop.outbox.models import OutboxMail
from shop.payments.checking import refresh
from shop.payments.queries import payments_of
from tests.factories import gateway, make_open_order, provider

BY = ("--reason", "The buyer wrote to us", "--who", "Ann")
PROOF = ("--transaction", "0xfeed")


def does(runner: FlaskCliRunner, *words: str) -> Result:
    """Run a command."""
    return runner.invoke(args=list(words))


def provider_told(app: Flask, number: str, status: str) -> None:
    """The shop has asked about the order's newest invoice, and this is what it was told."""
    with app.app_context(), provider(app) as calls:
        calls.invoice_is(status)
        refresh(payments_of(found(number).id)[-1], gateway(app))


def make_sold_out(app: Flask, slug: str) -> str:
    """An order whose money came after its end, when somebody else had the last unit."""
    with app.app_context():
        number = make_open_order(app, product_named(slug))[0].number
        provider_told(app, number, "canceled")
        end_read()  # what was read before that is older
        make_open_order(app, product_named(slug))
        provider_told(app, number, "paid")
    assert state(app, number) == ("review", "no_stock")
    return number


def add_units(app: Flask, slug: str, units: int) -> None:
    """More is put on sale, as an import would do it."""
    with app.app_context(), transaction() as session:
        session.execute(
            update(Product)
            .where(Product.slug == slug)
            .values(
                available=Product.available + units,
                stock_total=Product.stock_total + units,
            )
        )


def product_named(slug: str) -> Product:
    return db.session.scalars(select(Product).where(Product.slug == slug)).one()


def found(number: str) -> Order:
    order = find_order(number)
    assert order
    return order


def state(app: Flask, number: str) -> tuple[str, str]:
    """Status and flag."""
    with app.app_context():
        order = found(number)
        return order.status.value, order.flag.value


@contextmanager
def reading(app: Flask, number: str) -> Iterator[Order]:
    """The order, with everything that hangs on it."""
    with app.app_context():
        yield found(number)


def history(app: Flask, number: str) -> list[tuple[str, str, str]]:
    """What a person did, in what words, and who it was."""
    with reading(app, number) as order:
        return [
            (event.kind, event.note, event.who) for event in order.events if event.who != "shop"
        ]


def left(app: Flask, slug: str) -> int | None:
    """How many units may still be sold."""
    with app.app_context():
        return db.session.scalar(select(Product.available).where(Product.slug == slug))


def items(app: Flask) -> list[tuple[str, str]]:
    """Every attention item: its kind, and by whom it was resolved."""
    with app.app_context():
        query = select(AttentionItem).order_by(AttentionItem.id)
        return [(item.kind, item.resolved_by) for item in db.session.scalars(query)]


def letters(app: Flask) -> list[str]:
    """The mails to buyers that were queued."""
    query = select(OutboxMail.kind).where(OutboxMail.order_id.is_not(None))
    with app.app_context():
        return list(db.session.scalars(query.order_by(OutboxMail.id)))
