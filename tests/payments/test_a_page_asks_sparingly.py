"""However many look at an order, its invoice is asked about once in a while; one of them takes the turn."""

from __future__ import annotations

from datetime import timedelta

import pytest
from flask import Flask

from shop.db import db, end_read, transaction, utcnow
from shop.orders.links import order_token
from shop.orders.models import OrderStatus
from shop.payments.checking import claim_check
from shop.payments.models import Payment
from shop.payments.sweep import sweep
from tests.factories import gateway, make_open_order, provider

OFTEN = timedelta(seconds=10)


def test_the_turn_to_ask_comes_again_after_the_pause_and_not_before(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    start, turns = utcnow(), []
    with app.app_context():
        payment = make_open_order(app)[1]
        other = make_open_order(app)[1]
        for seconds in (0, 1, 9.9, 10, 10.1, 19.9, 20):
            now = start + timedelta(seconds=seconds)
            monkeypatch.setattr("shop.payments.checking.utcnow", lambda now=now: now)
            turns.append(claim_check(payment, OFTEN))
            end_read()

        assert turns == [True, False, False, True, False, False, True]
        assert db.session.get_one(Payment, payment.id).checked_at == start + 2 * OFTEN
        assert db.session.get_one(Payment, other.id).checked_at is None


def status_page(app: Flask, token: str) -> str:
    """What the script of the order page is told."""
    return app.test_client().get(f"/orders/{token}/status").text


def test_the_open_page_of_an_expired_order_finds_money_that_comes_late(app: Flask) -> None:
    """Its postback was lost, and the sweep will look in an hour."""
    with app.app_context(), provider(app) as calls:
        order, _ = make_open_order(app)
        calls.invoice_is("canceled")
        sweep(gateway(app), order.expires_at)
        token = order_token(order)
        page = status_page(app, token)
        assert 'data-state="expired"' in page
        assert 'data-final="false"' in page
        calls.invoice_is("paid")
        asked = len(calls.calls)

        assert 'data-state="expired"' in status_page(app, token)
        assert len(calls.calls) == asked, "once a minute is enough"
        with transaction() as session:
            session.get_one(Payment, 1).checked_at = utcnow() - timedelta(seconds=61)
        assert 'data-state="delivered"' in status_page(app, token)


def test_the_page_of_an_expired_order_that_is_not_watched_any_more_asks_nothing(app: Flask) -> None:
    with app.app_context(), provider(app) as calls:
        order, payment = make_open_order(app)
        calls.invoice_is("canceled")
        sweep(gateway(app), order.expires_at)
        assert order.status is OrderStatus.EXPIRED
        with transaction() as session:
            late = session.get_one(Payment, payment.id)
            late.next_check_at, late.checked_at = None, None
        asked = len(calls.calls)

        page = status_page(app, order_token(order))
        assert 'data-final="false"' in page, "a person may still confirm it"
        assert "Check payment again" not in page
        assert len(calls.calls) == asked
