"""What waits for a person says which order it is about: erasing a buyer's address rests on it, and not on words."""

from __future__ import annotations

from flask import Flask
from sqlalchemy import select, text

from shop.attention.kinds import AttentionKind
from shop.attention.models import AttentionItem
from shop.attention.service import raise_attention
from shop.books.checks import discrepancies
from shop.books.service import check
from shop.db import db, end_read, transaction
from shop.fulfilment.models import Delivery
from shop.orders.models import Order
from shop.payments.models import Payment
from shop.privacy.queries import items_about, why_kept
from shop.schema import migrations
from tests.factories import make_open_order, make_product
from tests.support.sold import sell

BEFORE = "1796010701"


def orders_of_items() -> dict[str, int | None]:
    end_read()
    return {each.kind: each.order_id for each in db.session.scalars(select(AttentionItem))}


def test_an_upgrade_finds_the_order_of_each_item_that_names_one(app: Flask) -> None:
    with app.app_context():
        product = make_product()
        order, payment = make_open_order(app, product)
        sold = sell(app, product)
        delivery = db.session.scalars(select(Delivery).where(Delivery.order_id == sold.id)).one()
        items = {
            AttentionKind.REFUND_DUE: (order.number, "pay it back"),
            AttentionKind.PAID_TWICE: (payment.reference, "it is paid twice"),
            AttentionKind.NOT_CONFIRMED: (str(payment.invoice_id), "nobody says so"),
            AttentionKind.KEYS_SHORT: (f"delivery-{delivery.id}", "it waits for keys"),
            AttentionKind.FILE_MISSING: ("rain.zip", f"Order {sold.number} waits for it."),
            AttentionKind.CLOCK_WRONG: ("host-ABCD", "12:00 is XXXX-YYYY too late"),
            AttentionKind.KEYS_LOW: ("product-1", "few are left"),
        }
        with transaction() as session:
            for kind, (reference, note) in items.items():
                raise_attention(session, kind, reference, note)
        end_read()
        migrations().downgrade(BEFORE)

        migrations().upgrade()

        assert orders_of_items() == {
            "refund_due": order.id,
            "paid_twice": order.id,
            "not_confirmed": order.id,
            "keys_short": sold.id,
            "file_missing": sold.id,
            "clock_wrong": None,
            "keys_low": None,
        }


def test_an_order_is_kept_by_its_own_items_and_by_no_words(app: Flask) -> None:
    with app.app_context():
        order, other = (sell(app, make_product()) for _ in range(2))
        with transaction() as session:
            note = f"Order {other.number} was named in passing."
            raise_attention(session, AttentionKind.PAID_TWICE, "x", note, order_id=order.id)

        waits = "something about it waits for a person"
        assert waits in why_kept(order.id)
        assert waits not in why_kept(other.id)
        assert [item.reference for item in items_about(order)] == ["x"]
        assert items_about(other) == []


def test_what_is_wrong_with_the_books_names_the_order(app: Flask) -> None:
    with app.app_context():
        order, payment = make_open_order(app, make_product(stock=5))
        with transaction() as session:
            session.execute(text("DELETE FROM order_events WHERE sequence = 1"))
            session.execute(text("UPDATE products SET available = available + 1"))
            session.get_one(Payment, payment.id).amount_minor += 1
        end_read()

        found = {wrong.kind: wrong.order_id for wrong in discrepancies()}

        assert found == {
            "wrong_amount": order.id,
            "history_torn": order.id,
            "wrong_stock": None,
        }
        check()
        assert orders_of_items() == found, "and so do the items that a person gets"
        assert db.session.get_one(Order, order.id).number
