"""Whoever decides about an order's money holds its rows, and reads them as they are by then."""

from __future__ import annotations

import pytest
from flask import Flask
from sqlalchemy import text, update
from sqlalchemy.exc import OperationalError

from shop.db import db, rows_changed, transaction
from shop.orders.models import Order
from shop.payments.models import Payment
from shop.payments.settling import lock_payment
from tests.factories import make_open_order


def test_what_was_read_before_is_read_anew_under_the_lock(app: Flask) -> None:
    with app.app_context():
        order, payment = make_open_order(app)
        order_id, payment_id = order.id, payment.id

        with transaction() as session:
            lock_payment(session, order_id, payment_id)
            rows_changed(session, update(Order).values(link_version=7))
            rows_changed(session, update(Payment).values(checks=7))
            order, payment = lock_payment(session, order_id, payment_id)

            assert (order.link_version, payment.checks) == (7, 7)


@pytest.mark.parametrize("engine", ["postgresql"])
@pytest.mark.parametrize("table", ["orders", "payments"])
def test_nobody_else_gets_the_rows_meanwhile(app: Flask, table: str) -> None:
    """SQLite has one writer at a time, and so no locks of rows."""
    with app.app_context():
        order, payment = make_open_order(app)
        order_id, payment_id = order.id, payment.id
        wanted = text(f"SELECT 1 FROM {table} FOR UPDATE NOWAIT")

        with transaction() as session, db.engine.connect() as somebody_else:
            lock_payment(session, order_id, payment_id)

            with pytest.raises(OperationalError, match="could not obtain lock"):
                somebody_else.execute(wanted)
        with db.engine.connect() as somebody_else:
            assert somebody_else.execute(wanted).all() == [(1,)]
