"""Every (status, status) pair: those in the table are allowed, all others refused, twice over."""

from __future__ import annotations

import importlib
import itertools
import re
from ast import literal_eval
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import Connection, text
from sqlalchemy.exc import IntegrityError

from shop.because import Because
from shop.db import db, transaction, utcnow
from shop.orders.models import TRANSITIONS, IllegalTransition, Order, OrderStatus
from shop.payments.models import TRANSITIONS as PAYMENT_TRANSITIONS
from shop.payments.models import Payment, PaymentState
from tests.factories import make_order
from tests.support.promises import Promise

DOCUMENT = Path(__file__).resolve().parent.parent.parent / "docs" / "states.md"
ORDERS = list(itertools.product(OrderStatus, repeat=2))
PAYMENTS = list(itertools.product(PaymentState, repeat=2))


@pytest.mark.promise(25)
def test_the_model_of_orders_makes_the_moves_of_the_table_and_refuses_the_rest(
    promise: Promise,
) -> None:
    for old, new in ORDERS:
        order = Order(number="AAAA-BBBB", status=old)
        if new in TRANSITIONS[old]:
            order.move(new, Because("a test"))
            assert order.status is new
            assert order.events[-1].kind == new
        else:
            with pytest.raises(IllegalTransition):
                order.move(new, Because("a test"))
            assert order.status is old
            assert not order.events
        promise.cases += 1


@pytest.mark.promise(25)
def test_the_model_of_payments_makes_the_moves_of_the_table_and_refuses_the_rest(
    promise: Promise,
) -> None:
    for old, new in PAYMENTS:
        payment = Payment(reference="AAAA-BBBB-1", state=old)
        if new in PAYMENT_TRANSITIONS[old]:
            payment.move(new)
            assert payment.state is new
        else:
            with pytest.raises(IllegalTransition):
                payment.move(new)
            assert payment.state is old
        promise.cases += 1


@pytest.mark.promise(25)
def test_the_database_refuses_the_same_moves_whoever_writes_them(
    app: Flask, promise: Promise
) -> None:
    """And each move is tried without the trigger as well: it is that which refuses, not the test."""
    with app.app_context():
        order, payment = make_order(app)
        db.session.rollback()
        for old, new in ORDERS:
            allowed = old is new or new in TRANSITIONS[old]
            assert _write("orders", "status", order.id, old, new) is allowed, (old, new)
            assert _write("orders", "status", order.id, old, new, guarded=False), (old, new)
        for before, after in PAYMENTS:
            allowed = before is after or after in PAYMENT_TRANSITIONS[before]
            assert _write("payments", "state", payment.id, before, after) is allowed, (
                before,
                after,
            )
            assert _write("payments", "state", payment.id, before, after, guarded=False)
    promise.cases += len(ORDERS) + len(PAYMENTS)


@pytest.mark.promise(25)
def test_the_database_knows_no_other_states_and_none_without_what_it_needs(
    app: Flask, promise: Promise
) -> None:
    moved = text("UPDATE payments SET state = :state WHERE id = :id")
    with app.app_context():
        order, payment = make_order(app)
        db.session.rollback()
        for state in ("shipped", "PAID", "", "paid "):
            assert not _write("orders", "status", order.id, "pending", state, guarded=False)
            assert not _write("payments", "state", payment.id, "open", state, guarded=False)
            promise.cases += 2
        for state in ("open", "partial", "cancelled"):  # of a payment without invoice
            with db.engine.connect() as connection:
                _unguard(connection, "payments", "state")
                with pytest.raises(IntegrityError):
                    connection.execute(moved, {"state": state, "id": payment.id})
            promise.cases += 1


@pytest.mark.promise(25)
def test_the_operators_guide_shows_the_same_tables(promise: Promise) -> None:
    orders, payments = (documented(heading) for heading in ("Orders", "Payments"))

    assert orders == _plain(TRANSITIONS)
    assert payments == _plain(PAYMENT_TRANSITIONS)
    promise.cases += len(ORDERS) + len(PAYMENTS)


def documented(heading: str) -> dict[str, set[str]]:
    """The moves of a table `| From | To | When |`; a row without From says how it all begins."""
    section = DOCUMENT.read_text("utf-8").partition(f"## {heading}\n")[2].partition("\n## ")[0]
    moves: dict[str, set[str]] = {}
    for row in re.findall(r"^\|(.+?)\|(.+?)\|", section, re.MULTILINE):
        old, new = (re.findall(r"`(\w+)`", cell) for cell in row)
        for state in old:
            moves.setdefault(state, set()).update(new)
    return moves


def _plain(table: Mapping[Any, Iterable[Any]]) -> dict[str, set[str]]:
    return {str(old): set(map(str, new)) for old, new in table.items() if new}


def test_the_triggers_were_made_from_the_same_tables_as_the_models() -> None:
    migration = importlib.import_module("shop.migrations.1795364354_the_shop")
    payments = str(_plain(migration.PAYMENT_MOVES))

    assert _plain(migration.ORDER_MOVES) == _plain(TRANSITIONS)
    # A later migration spells a state in our way.
    assert literal_eval(payments.replace("canceled", "cancelled")) == _plain(PAYMENT_TRANSITIONS)


def test_an_order_cannot_be_paid_without_a_date(app: Flask) -> None:
    with app.app_context():
        order, _ = make_order(app)
        with pytest.raises(IntegrityError), transaction() as session:
            session.get_one(Order, order.id).move(OrderStatus.PAID, Because("a test"))


def _write(table: str, column: str, key: int, old: str, new: str, *, guarded: bool = True) -> bool:
    """Put a row into `old` behind the trigger's back, then try to move it to `new` in plain SQL."""
    at = {"old": old, "new": new, "id": key, "now": utcnow().replace(tzinfo=None)}
    facts = {
        "orders": ", paid_at = :now, fulfilled_at = :now",
        "payments": ", invoice_id = 'TEST0000', pay_url = 'https://pay.example/TEST0000'",
    }[table]
    with db.engine.connect() as connection:
        transaction = connection.begin()
        try:
            guard = _unguard(connection, table, column)
            connection.execute(
                text(f"UPDATE {table} SET {column} = :old{facts} WHERE id = :id"), at
            )
            if guarded:
                connection.exec_driver_sql(guard)
            connection.execute(text(f"UPDATE {table} SET {column} = :new WHERE id = :id"), at)
        except IntegrityError:
            return False
        else:
            return True
        finally:
            transaction.rollback()


def _unguard(connection: Connection, table: str, column: str) -> str:
    """Take the trigger away until the rollback; the statement that brings it back sooner."""
    trigger = f"tr_{table}_{column}"
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"ALTER TABLE {table} DISABLE TRIGGER {trigger}")
        return f"ALTER TABLE {table} ENABLE TRIGGER {trigger}"
    kept = connection.execute(
        text("SELECT sql FROM sqlite_master WHERE name = :name"), {"name": trigger}
    ).scalar_one()
    connection.exec_driver_sql(f"DROP TRIGGER {trigger}")
    return str(kept)
