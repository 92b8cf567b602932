"""While the provider is away nobody hammers at its door, and once it is back all money is found at once."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from flask import Flask

from shop.catalogue.queries import find_product
from shop.db import db, end_read, transaction, utcnow
from shop.orders.models import Order, OrderStatus
from shop.payments.models import Payment
from shop.payments.opening import open_invoice
from shop.payments.sweep import sweep
from tests.factories import make_order, make_product
from tests.support.ledger import tally, violations
from tests.support.promises import Promise
from tests.support.standin import StandIn, not_once, stand_in

AWAY = timedelta(hours=2)
MINUTE = timedelta(minutes=1)
CALLS_A_MINUTE = 60


def place(app: Flask, provider: StandIn, count: int) -> None:
    """So many open orders."""
    with app.app_context():
        slug = make_product().slug
        for _ in range(count):
            product = find_product(slug)
            assert product
            open_invoice(make_order(app, product)[1], provider)  # type: ignore[arg-type]


def calls_of_sweep(app: Flask, provider: StandIn, now: datetime) -> int:
    """Sweep once, at this moment; how many calls it made."""
    before = len(provider.asked)
    with app.app_context():
        sweep(provider, now)  # type: ignore[arg-type]
    return len(provider.asked) - before


def paid(app: Flask) -> int:
    with app.app_context():
        return db.session.query(Order).filter(Order.status == OrderStatus.FULFILLED).count()


@pytest.mark.promise(19)
@pytest.mark.parametrize(
    ("orders", "every"),
    [(5, 20 * MINUTE), pytest.param(200, MINUTE, marks=pytest.mark.long)],
)
def test_two_hours_without_the_provider_cost_few_calls_and_no_money(
    app: Flask, orders: int, every: timedelta, promise: Promise
) -> None:
    provider, began = stand_in(app), utcnow()
    place(app, provider, orders)
    provider.truth = dict.fromkeys(provider.truth, "paid")
    provider.down = True

    sweeps = [began + every * number for number in range(1, AWAY // every + 1)]
    calls = [calls_of_sweep(app, provider, moment) for moment in sweeps]
    provider.down = False
    for minute in (1, 2):
        calls_of_sweep(app, provider, began + AWAY + minute * MINUTE)

    promise.cases += orders
    assert max(calls) <= CALLS_A_MINUTE
    found = violations(app, provider.truth, settled=True, orders=orders)
    assert tally(promise, found + not_once(app)) == []


def test_without_the_stop_after_some_errors_every_order_would_be_asked_about(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control for the number of calls."""
    monkeypatch.setattr("shop.payments.asking.ERRORS_IN_A_ROW", 10_000)
    provider = stand_in(app)
    place(app, provider, 8)
    provider.down = True

    assert calls_of_sweep(app, provider, utcnow() + MINUTE) == 8


def test_if_a_failed_check_counted_money_would_be_found_an_hour_late(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control for the two sweeps: a check that was not answered must not be put off like an answered one."""
    provider, began = stand_in(app), utcnow()
    place(app, provider, 1)
    provider.truth = dict.fromkeys(provider.truth, "paid")
    monkeypatch.setattr(
        "shop.payments.asking.Round.told",
        lambda calls, asked, _: {one.payment_id for one in asked.values()},
    )
    calls_of_sweep(app, provider, began + AWAY)
    monkeypatch.undo()

    for minute in (1, 2):
        calls_of_sweep(app, provider, began + AWAY + minute * MINUTE)

    assert paid(app) == 0


def test_invoices_that_nobody_can_say_anything_about_do_not_hold_up_the_others(app: Flask) -> None:
    """More of them than a sweep takes errors in a row: others are settled and expire all the same."""
    provider, began = stand_in(app), utcnow()
    place(app, provider, 4)
    strange = list(provider.truth)
    place(app, provider, 2)
    good, expiring = [id_ for id_ in provider.truth if id_ not in strange]
    provider.truth[good] = "paid"
    provider.truth[expiring] = "created"
    provider.unclear = set(strange)
    with app.app_context():
        with transaction() as session:
            for payment in session.query(Payment).filter(Payment.invoice_id != expiring):
                payment.order.expires_at = began + timedelta(hours=40)
        end_read()

    for minute in range(1, 4):
        calls_of_sweep(app, provider, began + minute * MINUTE)
    assert paid(app) == 1
    for minute in range(1, 4):
        calls_of_sweep(app, provider, began + timedelta(hours=25) + minute * MINUTE)

    with app.app_context():
        payment = db.session.query(Payment).filter(Payment.invoice_id == expiring).one()
        assert payment.order.status is OrderStatus.EXPIRED
