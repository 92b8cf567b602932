"""An order's time is over by our clock; whether its pay page is closed as well, only the provider knows."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from flask import Flask

from shop.config import Settings
from shop.db import end_read, transaction, utcnow
from shop.orders.links import order_path
from shop.orders.models import Order, OrderStatus
from shop.payments.models import Payment, PaymentState
from shop.payments.opening import StillOpen, start_payment
from shop.payments.queries import payments_of
from shop.payments.sweep import sweep
from tests.conftest import make_settings
from tests.factories import Provider, gateway, make_open_order, provider

DAY = timedelta(days=1)


@pytest.fixture(params=["1", "2"])
def version(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def settings(tmp_path: Path, database_url: str, version: str) -> Settings:
    return make_settings(tmp_path / "data", database_url, cryptocloud_api_version=version)


@pytest.fixture
def app(app: Flask) -> Flask:
    app.config["WTF_CSRF_ENABLED"] = False
    return app


def times_out(app: Flask, calls: Provider, order: Order, says: str) -> None:
    """The shop's clock says that the order's time is over, and this is what the provider says of its invoice."""
    calls.invoice_is(says)
    sweep(gateway(app), order.expires_at)
    end_read()
    assert order.status is OrderStatus.EXPIRED


def a_minute_passes(order: Order) -> None:
    """Since the provider was asked about the order's invoices."""
    with transaction() as session:
        for payment in payments_of(order.id):
            session.get_one(Payment, payment.id).checked_at = utcnow() - timedelta(seconds=61)


def presses(app: Flask, order: Order) -> str:
    """Where pressing the button that starts a new payment leads, and what is read there."""
    browser = app.test_client()
    answer = browser.post(f"{order_path(order)}/pay")
    end_read()
    where = str(answer.headers["Location"])
    return where if "/orders/" not in where else browser.get(where).text


def test_an_order_is_not_paid_anew_while_its_pay_page_is_open(app: Flask) -> None:
    """Our clock is fast, or the invoice lives longer than ours should: its buyer could pay both."""
    with app.app_context(), provider(app) as calls:
        order, _ = make_open_order(app)
        calls.invoice_is_made()
        times_out(app, calls, order, "created")

        assert "The pay page of this order is not closed yet" in presses(app, order)
        a_minute_passes(order)
        assert "The pay page of this order is not closed yet" in presses(app, order)
        assert len(payments_of(order.id)) == 1

        a_minute_passes(order)
        calls.invoice_is("canceled")
        assert calls.pay_origin in presses(app, order)
        assert [payment.state for payment in payments_of(order.id)] == ["cancelled", "open"]


@pytest.mark.parametrize("engine", ["sqlite"])
def test_without_the_question_there_would_be_two_pay_pages(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control."""
    monkeypatch.setattr(Payment, "is_left_open", False)
    with app.app_context(), provider(app) as calls:
        order, _ = make_open_order(app)
        calls.invoice_is_made()
        times_out(app, calls, order, "created")

        assert calls.pay_origin in presses(app, order)


def test_a_provider_that_never_said_that_it_is_over_is_asked_first(app: Flask) -> None:
    """It was silent for a day, so the order's stock went back; now it is there again."""
    with app.app_context(), provider(app) as calls:
        order, _ = make_open_order(app)
        sweep(gateway(app), order.expires_at + DAY + timedelta(hours=1))
        end_read()
        assert order.status is OrderStatus.EXPIRED
        calls.invoice_is_made()

        with pytest.raises(StillOpen):
            start_payment(order.id)
        end_read()
        a_minute_passes(order)
        calls.invoice_is("canceled")
        assert calls.pay_origin in presses(app, order)


def test_money_that_is_found_on_the_way_to_a_new_payment_delivers(app: Flask) -> None:
    with app.app_context(), provider(app) as calls:
        order, _ = make_open_order(app)
        times_out(app, calls, order, "created")
        calls.invoice_is("paid")
        a_minute_passes(order)

        assert 'data-state="delivered"' in presses(app, order)
        assert [one.state for one in payments_of(order.id)] == [PaymentState.PAID]
