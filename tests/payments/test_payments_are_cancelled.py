"""An upgrade spells a payment's state as ours; the provider's word for its invoice stays as it was told."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask
from sqlalchemy import column, inspect, table, text
from sqlalchemy.exc import IntegrityError

from shop.db import db, end_read, transaction
from shop.payments.checking import refresh
from shop.payments.models import TRANSITIONS, Payment, PaymentState
from shop.schema import migrations
from tests.factories import gateway, make_open_order, make_order, provider

RELEASED = "1796010701"
"""The schema of version 0.1.0."""
Row = dict[str, Any]


def rows(name: str) -> list[Row]:
    with db.engine.connect() as connection:
        found = connection.execute(text(f"SELECT * FROM {name} ORDER BY id"))
        return [dict(row) for row in found.mappings()]


def rules() -> dict[str, Any]:
    """All that the database holds payments to, but for its trigger."""
    seen = inspect(db.engine)
    return {
        "columns": [str(each) for each in seen.get_columns("payments")],
        "checks": sorted(each["sqltext"] for each in seen.get_check_constraints("payments")),
        "unique": sorted(str(each["name"]) for each in seen.get_unique_constraints("payments")),
        "indexes": sorted(str(each["name"]) for each in seen.get_indexes("payments")),
        "keys": [each["name"] for each in seen.get_foreign_keys("payments")],
        "primary": seen.get_pk_constraint("payments")["constrained_columns"],
    }


def as_released(**tables: list[Row]) -> None:
    """The database of version 0.1.0, made by its own migrations, with these rows."""
    migrations().downgrade("base")
    migrations().upgrade(RELEASED)
    with db.engine.begin() as connection:
        for name, there in tables.items():
            target = table(name, *map(column, there[0]))
            for row in there:
                spelt = "canceled" if row.get("state") == "cancelled" else row.get("state")
                values = row | ({"state": spelt} if "state" in row else {})
                connection.execute(target.insert().values(values))


def moved(payment_id: int, state: str) -> bool:
    """Whether the database lets this payment go there; it is put back."""
    with db.engine.connect() as connection:
        try:
            connection.execute(
                text("UPDATE payments SET state = :state WHERE id = :id"),
                {"state": state, "id": payment_id},
            )
        except IntegrityError:
            return False
        finally:
            connection.rollback()
    return True


@pytest.fixture
def payments(app: Flask) -> dict[str, int]:
    """A payment that nobody has asked for yet, one that waits, one that is over, and one that a part came of."""
    with app.app_context():
        made = {"creating": make_order(app)[1].id}
        for state, told in (("open", ""), ("cancelled", "canceled"), ("partial", "partial")):
            payment = make_open_order(app)[1]
            if told:
                with provider(app) as calls:
                    calls.invoice_is(told)
                    refresh(payment, gateway(app))
            made[state] = payment.id
        end_read()
    return made


def test_a_cancelled_payment_of_the_released_version_is_one_after_the_upgrade(
    app: Flask, payments: dict[str, int]
) -> None:
    with app.app_context():
        before, held_to, orders = rows("payments"), rules(), rows("orders")
        as_released(orders=orders, payments=before)
        assert [row["state"] for row in rows("payments")] == [
            *("creating", "open", "canceled", "partial")
        ]

        migrations().upgrade()

        assert rows("payments") == before
        assert rules() == held_to
        over = db.session.get_one(Payment, payments["cancelled"])
        assert (over.state, over.provider_status) == (PaymentState.CANCELLED, "canceled")
        end_read()


def test_the_database_refuses_what_it_refused_before_the_upgrade(
    app: Flask, payments: dict[str, int]
) -> None:
    with app.app_context():
        as_released(orders=rows("orders"), payments=rows("payments"))
        migrations().upgrade()

        for state, payment_id in payments.items():
            if state == "creating":
                continue  # it has no invoice, and another rule asks for one
            ways = {each for each in PaymentState if moved(payment_id, each)}
            assert ways == {PaymentState(state)} | TRANSITIONS[PaymentState(state)]
            assert not moved(payment_id, "canceled")
        with pytest.raises(IntegrityError), transaction() as session:
            session.get_one(Payment, payments["cancelled"]).pay_url = None


def test_the_way_back_spells_it_as_before(app: Flask, payments: dict[str, int]) -> None:
    with app.app_context():
        as_released(orders=rows("orders"), payments=rows("payments"))
        released, held_to = rows("payments"), rules()
        migrations().upgrade()

        migrations().downgrade(RELEASED)

        assert rows("payments") == released
        assert rules() == held_to
        assert moved(payments["open"], "canceled")
        assert not moved(payments["cancelled"], "open")
        migrations().upgrade()
