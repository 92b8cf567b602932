"""Pressing "Try again" while the provider says no: soon again where that helps, and never hundreds of times."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
import requests
from flask import Flask

import shop.payments.opening as opening
from shop.attention.queries import open_attention
from shop.db import transaction, utcnow
from shop.limits import service as limits
from shop.limits.service import TooManyOrders, check_limits_again
from shop.orders.links import order_path
from shop.orders.models import Order
from shop.payments.models import SAID_OVER, Payment
from shop.payments.opening import (
    MOST_ATTEMPTS,
    NotPayable,
    PaymentBusy,
    open_invoice,
    start_payment,
)
from shop.payments.queries import payments_of
from tests.buyer import Buyer
from tests.factories import (
    gateway,
    make_buyer,
    make_cart,
    make_order,
    make_product,
    place_order,
    provider,
)

SAYS: dict[str, dict[str, Any]] = {
    "not sent": {"body": requests.ConnectTimeout()},
    "a plain 5xx": {"status": 500, "body": "oops"},
    "no answer": {"body": requests.ConnectionError("reset")},
    "too many": {"status": 429, "headers": {"Retry-After": "1"}},
    "not now": {"status": 406},
    "a refusal": {"status": 400, "json": {"status": "error", "error": "Unknown shop"}},
}


class Clock:
    """The shop's time, which a test moves on."""

    def __init__(self) -> None:
        self.now = utcnow()

    def __call__(self) -> datetime:
        return self.now

    def moves_on(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(opening, "utcnow", clock)
    return clock


def fails(app: Flask, payment: Payment, **says: Any) -> None:
    with provider(app) as calls:
        calls.post(calls.create_url, **says)
        open_invoice(payment, gateway(app))


def presses(app: Flask, order: Order, **says: Any) -> bool:
    """Whether pressing "Try again" made another attempt, which fails too."""
    try:
        payment, ours = start_payment(order.id, check_limits_again)
    except (PaymentBusy, NotPayable, TooManyOrders):
        return False
    assert ours
    fails(app, payment, **says)
    return True


@pytest.mark.parametrize("kind", SAYS)
@pytest.mark.parametrize("engine", ["sqlite"])
def test_pressing_all_the_time_makes_few_attempts(app: Flask, clock: Clock, kind: str) -> None:
    """Sixty-six in four seconds, they were."""
    with app.app_context():
        order, payment = make_order(app)
        fails(app, payment, **SAYS[kind])

        made = 0
        for _ in range(16):
            made += presses(app, order, **SAYS[kind])
            clock.moves_on(4 / 16)

        assert made <= 2
        for _ in range(20):
            made += presses(app, order, **SAYS[kind])
            clock.moves_on(30)
        assert made <= 10


@pytest.mark.parametrize("engine", ["sqlite"])
def test_without_the_pauses_each_press_would_be_an_attempt(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control."""
    monkeypatch.setattr(opening, "PAUSES", (0.0,))
    with app.app_context():
        order, payment = make_order(app)
        fails(app, payment, **SAYS["a plain 5xx"])

        assert all(presses(app, order, **SAYS["a plain 5xx"]) for _ in range(16))


@pytest.mark.parametrize("kind", ["a plain 5xx", "a refusal"])
def test_the_attempts_of_one_order_can_never_be_hundreds(
    app: Flask, clock: Clock, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    assert MOST_ATTEMPTS <= 60
    for module in ("shop.payments.opening", "shop.orderpage.page", "shop.orderpage.states"):
        monkeypatch.setattr(f"{module}.MOST_ATTEMPTS", 4)
    with app.app_context():
        order, payment = make_order(app)
        fails(app, payment, **SAYS[kind])

        for _ in range(6):
            clock.moves_on(300)
            presses(app, order, **SAYS[kind])

        assert len(payments_of(order.id)) == 4
        assert "too_many_attempts" in [item.kind for item in open_attention()]
        page = app.test_client().get(order_path(order)).text
        assert "The shop cannot take your payment now" in page
        assert "mailto:help@shop.example" in page
        assert "/pay" not in page


@pytest.mark.parametrize("kind", ["not sent", "a plain 5xx", "no answer"])
@pytest.mark.parametrize("engine", ["sqlite"])
def test_the_first_time_trying_again_at_once_helps(app: Flask, kind: str) -> None:
    with app.app_context():
        slug = make_product().slug
    buyer = Buyer(app)
    buyer.puts_into_cart(slug)
    with provider(app) as calls:
        calls.post(calls.create_url, **SAYS[kind])
        buyer.checks_out()
    assert "Please try again." in buyer.reads_answer()

    with provider(app) as calls:
        calls.invoice_is_made()
        answer = buyer.presses("pay")

    assert answer.headers["Location"].startswith(calls.pay_origin)


@pytest.mark.parametrize("engine", ["sqlite"])
def test_the_page_says_when_to_press_again(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "PAUSES", (0.0, 110.0))
    with app.app_context():
        slug = make_product().slug
    buyer = Buyer(app)
    buyer.puts_into_cart(slug)
    with provider(app) as calls:
        calls.post(calls.create_url, **SAYS["a plain 5xx"])
        buyer.checks_out()
        buyer.reads_answer()
        for _ in range(2):
            buyer.presses("pay")
            page = buyer.reads_answer()
        assert len(calls.calls) == 2, "at checkout, and once again"

    assert "Your order is kept. You can press again in 2 minutes." in page
    assert "The payment page did not open" in page


def test_a_pay_page_in_between_begins_the_count_anew(app: Flask, clock: Clock) -> None:
    with app.app_context():
        order, payment = make_order(app)
        fails(app, payment, **SAYS["not sent"])
        assert presses(app, order, **SAYS["not sent"])
        clock.moves_on(2)
        again, _ = start_payment(order.id)
        with provider(app) as calls:
            calls.invoice_is_made()
            open_invoice(again, gateway(app))
        with transaction() as session:
            cancelled = session.get_one(Payment, again.id)
            cancelled.move(opening.PaymentState.CANCELLED)
            cancelled.provider_status = SAID_OVER

        assert presses(app, order, **SAYS["not sent"])
        assert presses(app, order, **SAYS["not sent"])


@pytest.fixture
def many_orders(app: Flask, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], list[Order]]:
    """Orders from one network, whose first attempt has failed."""
    monkeypatch.setattr(limits, "ATTEMPTS_PER_CLIENT", 4)

    def place(client: str) -> list[Order]:
        placed = []
        cart = make_cart(app, make_product())
        for n in range(limits.ATTEMPTS_PER_CLIENT + 2):
            buyer = make_buyer(cart, email=f"{client}-{n}@example.com", client=client)
            order, payment = place_order(cart, buyer)
            assert payment
            fails(app, payment, **SAYS["not sent"])
            placed.append(order)
        return placed

    return place


def test_one_network_with_many_orders_cannot_press_them_all_at_once(
    app: Flask, many_orders: Callable[[str], list[Order]], monkeypatch: pytest.MonkeyPatch
) -> None:
    with app.app_context():
        orders = many_orders("a network")
        other = many_orders("another network")[0]

        made = sum(presses(app, order, **SAYS["not sent"]) for order in orders)

        assert made == limits.ATTEMPTS_PER_CLIENT
        assert presses(app, other, **SAYS["not sent"]), "others are not held up"
        with pytest.raises(TooManyOrders) as refused:
            start_payment(orders[-1].id, check_limits_again)
        assert refused.value.whose == "attempts"
        assert refused.value.until <= utcnow() + timedelta(minutes=1)

        in_a_minute = utcnow() + timedelta(minutes=1)
        monkeypatch.setattr(limits, "utcnow", lambda: in_a_minute)
        assert presses(app, orders[-1], **SAYS["not sent"])


def test_attempts_that_led_to_a_pay_page_hold_no_network_up(
    app: Flask, many_orders: Callable[[str], list[Order]]
) -> None:
    with app.app_context():
        for order in many_orders("a network"):
            payment, ours = start_payment(order.id, check_limits_again)
            assert ours
            with provider(app) as calls:
                calls.invoice_is_made()
                open_invoice(payment, gateway(app))


def test_without_the_networks_limit_they_all_would(
    app: Flask, many_orders: Callable[[str], list[Order]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control."""
    monkeypatch.setattr(limits, "_limit_attempts", lambda *_: None)
    with app.app_context():
        orders = many_orders("a network")

        assert sum(presses(app, order, **SAYS["not sent"]) for order in orders) == len(orders)
