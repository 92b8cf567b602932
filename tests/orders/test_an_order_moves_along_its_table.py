"""Every (status, status) pair: those in the table are allowed, all others refused, twice over."""

from __future__ import annotations

import importlib
import itertools

import pytest
from flask import Flask
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from shop.db import db, transaction, utcnow
from shop.orders.models import TRANSITIONS, IllegalTransition, Order, OrderStatus
from shop.payments.models import TRANSITIONS as PAYMENT_TRANSITIONS
from shop.payments.models import PaymentState
from tests.factories import make_order

PAIRS = list(itertools.permutations(OrderStatus, 2))


@pytest.mark.parametrize(("old", "new"), PAIRS)
def test_the_model_allows_what_the_table_allows_and_refuses_the_rest(
    old: OrderStatus, new: OrderStatus
) -> None:
    order = Order(number="AAAA-BBBB", status=old)

    if new in TRANSITIONS[old]:
        order.move(new, why="a test")
        assert order.status is new
        assert order.events[-1].kind == new
    else:
        with pytest.raises(IllegalTransition):
            order.move(new, why="a test")
        assert order.status is old


def test_the_database_refuses_the_same_moves_whoever_writes_them(app: Flask) -> None:
    with app.app_context():
        order, _ = make_order(app)
        db.session.rollback()
        for old, new in PAIRS:
            assert _write("orders", "status", order.id, old, new) is (new in TRANSITIONS[old]), (
                old,
                new,
            )


def test_the_database_refuses_moves_of_a_payment_that_are_not_in_its_table(app: Flask) -> None:
    with app.app_context():
        _, payment = make_order(app)
        db.session.rollback()
        for old, new in itertools.permutations(PaymentState, 2):
            allowed = new in PAYMENT_TRANSITIONS[old]
            assert _write("payments", "state", payment.id, old, new) is allowed, (old, new)


def test_the_triggers_were_made_from_the_same_tables_as_the_models() -> None:
    migration = importlib.import_module("shop.migrations.1795364354_the_shop")

    def plain(table: object) -> dict[str, set[str]]:
        return {str(old): set(map(str, new)) for old, new in table.items() if new}  # type: ignore[attr-defined]

    assert plain(migration.ORDER_MOVES) == plain(TRANSITIONS)
    assert plain(migration.PAYMENT_MOVES) == plain(PAYMENT_TRANSITIONS)


def test_an_order_cannot_be_paid_without_a_date(app: Flask) -> None:
    with app.app_context():
        order, _ = make_order(app)
        with pytest.raises(IntegrityError), transaction() as session:
            session.get_one(Order, order.id).move(OrderStatus.PAID, why="a test")


def _write(table: str, column: str, key: int, old: str, new: str) -> bool:
    """Put a row into `old` behind the trigger's back, then try to move it to `new` in plain SQL."""
    trigger = f"tr_{table}_{column}"
    at = {"old": old, "new": new, "id": key, "now": utcnow().replace(tzinfo=None)}
    facts = {
        "orders": ", paid_at = :now, fulfilled_at = :now",
        "payments": ", invoice_id = 'TEST0000', pay_url = 'https://pay.example/TEST0000'",
    }[table]
    with db.engine.connect() as connection:
        transaction = connection.begin()
        if connection.dialect.name == "sqlite":
            kept = connection.execute(
                text("SELECT sql FROM sqlite_master WHERE name = :n"), {"n": trigger}
            ).scalar_one()
            connection.exec_driver_sql(f"DROP TRIGGER {trigger}")
            connection.execute(
                text(f"UPDATE {table} SET {column} = :old{facts} WHERE id = :id"), at
            )
            connection.exec_driver_sql(kept)
        else:
            connection.exec_driver_sql(f"ALTER TABLE {table} DISABLE TRIGGER {trigger}")
            connection.execute(
                text(f"UPDATE {table} SET {column} = :old{facts} WHERE id = :id"), at
            )
            connection.exec_driver_sql(f"ALTER TABLE {table} ENABLE TRIGGER {trigger}")
        try:
            connection.execute(text(f"UPDATE {table} SET {column} = :new WHERE id = :id"), at)
        except IntegrityError:
            return False
        else:
            return True
        finally:
            transaction.rollback()
