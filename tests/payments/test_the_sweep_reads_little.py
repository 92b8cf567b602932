"""A sweep that has nothing to do costs the same in a shop of a hundred thousand orders as in one of a few."""

from __future__ import annotations

import pytest
from flask import Flask

from shop.db import end_read, transaction, utcnow
from shop.fulfilment.queries import undelivered_orders
from shop.orders.models import Order, OrderStatus
from shop.orders.queries import has_status
from shop.payments.models import Payment
from shop.payments.sweep import sweep
from shop.payments.times import HOUR
from tests.factories import gateway, make_open_order, provider
from tests.support.plans import plans


@pytest.mark.parametrize(
    "index",
    [
        "ix_orders_due",
        "ix_orders_expires_at",
        "ix_payments_in_call",
        "ix_payments_next_check_at",
        "ix_payments_not_asked_about",
        "ix_payments_unclear",
        "ix_postbacks_not_done",
    ],
)
def test_what_a_sweep_has_to_see_to_is_found_by_an_index_of_just_that(
    app: Flask, index: str
) -> None:
    with app.app_context(), plans(app) as found:
        sweep(gateway(app))

    assert any(index in plan for plan in found)


def test_orders_that_wait_for_their_goods_are_found_by_an_index_of_just_them(app: Flask) -> None:
    with app.app_context(), plans(app) as found:
        assert undelivered_orders() == []

    assert ["ix_orders_paid" in plan for plan in found] == [True]


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("ended", ["the invoice", "the order"])
def test_a_payment_is_watched_again_by_whichever_end_is_the_later_one(
    app: Flask, ended: str, known: bool
) -> None:
    """As after more hours were given to late money: its watch had ended, and its money would count."""
    now = utcnow()
    with app.app_context():
        order, payment = make_open_order(app)
        with transaction() as session:
            old, order_id, payment_id = now - 400 * 24 * HOUR, order.id, payment.id
            order, payment = session.get_one(Order, order_id), session.get_one(Payment, payment_id)
            payment.next_check_at = None
            payment.opened_at = old if ended == "the invoice" else now
            payment.expires_at = payment.opened_at if known else None
            order.expires_at = old if ended == "the order" else now + HOUR
        end_read()

        with provider(app) as calls:
            calls.invoice_is("created")
            sweep(gateway(app), now)

        end_read()
        with transaction() as session:
            assert session.get_one(Payment, payment_id).next_check_at is not None


@pytest.mark.parametrize("status", list(OrderStatus))
def test_a_status_stands_in_the_statement_itself(app: Flask, status: OrderStatus) -> None:
    with app.app_context():
        order, _ = make_open_order(app)
        with transaction() as session:
            found = session.query(Order).where(has_status(status)).all()

        assert [each.id for each in found] == [order.id] * (status is OrderStatus.PENDING)
