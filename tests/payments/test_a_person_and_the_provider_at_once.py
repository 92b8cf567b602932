"""A person confirms, cancels or refunds while the provider says that the money is there."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import func, select

from shop.because import Because
from shop.db import db
from shop.fulfilment.models import Delivery
from shop.fulfilment.service import deliver_order
from shop.orders.models import Order, OrderStatus
from shop.outbox.models import OutboxMail
from shop.payments import by_hand
from shop.payments.by_hand import NotPossible, cancel_order, confirm_order
from shop.payments.cryptocloud import InvoiceInfo, InvoiceStatus
from shop.payments.settling import settle
from tests.factories import gateway, make_open_order, make_product, provider
from tests.support.ledger import violations

ROUNDS = 4


def at_once(app: Flask, *acts: Callable[[], object]) -> list[object]:
    """What each came to, all having begun at the same moment."""
    barrier = Barrier(len(acts))

    def act(do: Callable[[], object]) -> object:
        with app.app_context():
            db.session.connection()
            db.session.rollback()
            barrier.wait(20)
            try:
                return do()
            except NotPossible as error:
                return error

    with ThreadPoolExecutor(len(acts)) as pool:
        return list(pool.map(act, acts))


def says_paid(app: Flask, order_id: int, payment_id: int) -> Callable[[], object]:
    def act() -> None:
        if settle(order_id, payment_id, InvoiceInfo(InvoiceStatus.PAID)):
            deliver_order(order_id)

    return act


def by_a_person(app: Flask, order_id: int, who: str = "Ann") -> Callable[[], object]:
    seen = Because("seen", who)
    return lambda: confirm_order(
        db.session.get_one(Order, order_id), gateway(app), seen, transaction_id="0xfeed"
    )


def cancelled(app: Flask, order_id: int) -> Callable[[], object]:
    def act() -> object:
        order = db.session.get_one(Order, order_id)
        return cancel_order(order, gateway(app), Because("asked to", "Ann"))

    return act


def test_a_confirmation_and_the_providers_word_sell_once(app: Flask) -> None:
    truth: dict[str, str] = {}
    for _ in range(ROUNDS):
        with app.app_context():
            order, payment = make_open_order(app, make_product(stock=2))
            order_id, payment_id, invoice = order.id, payment.id, str(payment.invoice_id)

        at_once(
            app,
            by_a_person(app, order_id),
            says_paid(app, order_id, payment_id),
            by_a_person(app, order_id, who="Bob"),
            says_paid(app, order_id, payment_id),
        )

        with app.app_context():
            order = db.session.get_one(Order, order_id)
            assert order.status is OrderStatus.FULFILLED
            assert [event.kind for event in order.events].count("paid") == 1
            for table, written in ((Delivery, 1), (OutboxMail, 2)):  # placed, and delivered
                rows = select(func.count()).select_from(table).where(table.order_id == order_id)
                assert db.session.scalar(rows) == written
        truth[invoice] = "paid"
    assert violations(app, truth) == []


def test_a_cancellation_and_the_providers_word_leave_one_of_the_two(app: Flask) -> None:
    truth: dict[str, str] = {}
    for _ in range(ROUNDS):
        with app.app_context():
            order, payment = make_open_order(app, make_product(stock=2))
            order_id, payment_id, invoice = order.id, payment.id, str(payment.invoice_id)

        with provider(app) as calls:
            calls.invoice_is("created")  # when the person asked, it was not paid yet
            at_once(
                app,
                cancelled(app, order_id),
                says_paid(app, order_id, payment_id),
            )

        with app.app_context():
            order = db.session.get_one(Order, order_id)
            # Cancelled first, it was paid late; paid first, it could not be cancelled.
            assert order.status is OrderStatus.FULFILLED
        truth[invoice] = "paid"
    assert violations(app, truth) == []


@pytest.mark.parametrize("engine", ["postgresql"])
def test_without_the_orders_lock_a_confirmation_and_the_provider_collide(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control: on SQLite every write waits for the one before; here the lock does that."""
    barrier = Barrier(2)

    def unlocked(session: Any, order_id: int) -> Order:
        order = session.get_one(Order, order_id, populate_existing=True)
        barrier.wait(20)
        return order

    with app.app_context():
        order, _ = make_open_order(app, make_product(stock=2))
        order_id = order.id
    monkeypatch.setattr(by_hand, "lock_order", unlocked)

    with pytest.raises(Exception, match=r"(?i)unique|duplicate|serialize|deadlock"):
        at_once(app, by_a_person(app, order_id), by_a_person(app, order_id, who="Bob"))
