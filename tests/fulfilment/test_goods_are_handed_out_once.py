"""Each paid line gets its goods, once; each key goes to one unit of one order."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from flask import Flask
from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError

from shop import jobs
from shop.attention.queries import open_attention
from shop.catalogue.models import DeliveryKind, Product
from shop.db import db, end_read, transaction
from shop.fulfilment.goods import goods_of
from shop.fulfilment.models import Delivery, LicenceKey
from shop.fulfilment.service import deliver_order
from shop.orders.models import Order, OrderStatus
from shop.payments.checking import refresh
from tests.factories import (
    add_keys,
    gateway,
    make_open_order,
    make_product,
    provider,
    send_due_mails,
)
from tests.support.sold import mail_kinds, make_file, unsold_keys


def pay(app: Flask, *products: Product, quantity: int = 1) -> Order:
    """An order for these products, paid."""
    order, payment = make_open_order(app, *products, quantity=quantity)
    with provider(app) as calls:
        calls.invoice_is("paid")
        refresh(payment, gateway(app))
    return order


def keys_of(order: Order) -> list[str]:
    query = select(LicenceKey.value).join(Delivery).where(Delivery.order_id == order.id)
    return list(db.session.scalars(query.order_by(LicenceKey.unit)))


def test_every_unit_gets_its_own_key_in_the_order_they_were_added(app: Flask) -> None:
    with app.app_context():
        product = make_product(kind=DeliveryKind.KEY, keys=5)

        first, second = pay(app, product, quantity=2), pay(app, product)

        assert [key[-3:] for key in keys_of(first)] == ["000", "001"]
        assert [key[-3:] for key in keys_of(second)] == ["002"]
        end_read()
        assert product.available == unsold_keys(product.id) == 2


def test_delivering_again_changes_nothing(app: Flask) -> None:
    with app.app_context():
        order = pay(app, make_product(kind=DeliveryKind.KEY, keys=5), make_product())
        before = (keys_of(order), len(order.events), order.fulfilled_at)

        deliver_order(order.id)
        jobs.deliveries()

        assert (keys_of(order), len(order.events), order.fulfilled_at) == before
        assert mail_kinds() == ["order-placed", "order-delivered"]


def test_an_order_whose_keys_have_gone_waits_and_a_person_is_told(app: Flask) -> None:
    """Keys that an operator removed by hand: the buyer waits, and gets them with the next ones added."""
    with app.app_context():
        product = make_product(kind=DeliveryKind.KEY, keys=1)
        order, payment = make_open_order(app, product)
        with transaction() as session:
            session.query(LicenceKey).delete()
        with provider(app) as calls:
            calls.invoice_is("paid")
            refresh(payment, gateway(app))
        assert order.status is OrderStatus.PAID
        assert [item.kind for item in open_attention()] == ["keys_short"]
        assert send_due_mails() == 2, "to the operator, and to the buyer"

        add_keys(product, ["LATE-KEY"])
        jobs.deliveries()

        assert order.status is OrderStatus.FULFILLED
        assert keys_of(order) == ["LATE-KEY"]
        end_read()
        assert product.available == 0, "what an order waits for is not for sale"
        assert open_attention() == []
        assert send_due_mails() == 1


def test_adding_known_keys_again_adds_nothing(app: Flask) -> None:
    with app.app_context():
        product = make_product(kind=DeliveryKind.KEY)

        assert add_keys(product, ["A", "B", "A"]) == (2, 0)
        assert add_keys(product, ["B", "C"]) == (1, 1)

        end_read()
        assert product.available == 3


@pytest.mark.parametrize("now", [DeliveryKind.TEXT, DeliveryKind.FILE])
def test_what_was_a_text_when_it_was_ordered_and_is_a_file_now_is_handed_out_as_a_file(
    app: Flask, now: DeliveryKind
) -> None:
    """And the other way round: an import may change it while the buyer pays."""
    old = DeliveryKind.FILE if now is DeliveryKind.TEXT else DeliveryKind.TEXT
    with app.app_context():
        make_file(app.config["SETTINGS"], "goods.zip")
        order, payment = make_open_order(app, make_product(kind=old))
        with transaction() as session:
            file = "goods.zip" if now is DeliveryKind.FILE else ""
            session.execute(update(Product).values(delivery_kind=now, delivery_file=file))
        with provider(app) as calls:
            calls.invoice_is("paid")
            refresh(payment, gateway(app))

        (goods,) = goods_of(order)
        assert goods.kind is now
        assert (goods.download_url is not None) is (now is DeliveryKind.FILE)


def test_an_order_that_is_not_paid_gets_nothing(app: Flask) -> None:
    with app.app_context():
        order, _ = make_open_order(app, make_product(kind=DeliveryKind.KEY, keys=1))

        deliver_order(order.id)

        assert keys_of(order) == []
        assert order.status is OrderStatus.PENDING


def test_a_line_cannot_be_delivered_twice_not_even_by_hand(app: Flask) -> None:
    with app.app_context():
        order = pay(app, make_product())
        line = order.lines[0]

        with pytest.raises(IntegrityError), transaction() as session:
            session.add(Delivery(order_id=order.id, order_line_id=line.id, kind=DeliveryKind.TEXT))


def test_thirty_two_deliverers_at_once_hand_out_each_key_once(app: Flask) -> None:
    """Web processes, the sweep and a person may all deliver the same orders at the same moment."""
    with app.app_context():
        product = make_product(kind=DeliveryKind.KEY, keys=40)
        orders = [make_open_order(app, product, quantity=2) for _ in range(8)]
        with pytest.MonkeyPatch.context() as patch, provider(app) as calls:
            patch.setattr("shop.payments.checking.deliver_order", lambda order_id: None)
            calls.invoice_is("paid")
            for _, payment in orders:
                refresh(payment, gateway(app))
        numbers, product_id = [order.id for order, _ in orders], product.id
        end_read()
    gate = threading.Barrier(32)

    def deliver(turn: int) -> None:
        gate.wait(120)
        with app.app_context():
            deliver_order(numbers[turn % 8])

    with ThreadPoolExecutor(32) as pool:
        list(pool.map(deliver, range(32)))

    with app.app_context():
        given = [
            key for order_id in numbers for key in keys_of(db.session.get_one(Order, order_id))
        ]
        assert len(given) == len(set(given)) == 16
        assert unsold_keys(product_id) == 24
