"""An order page that is left open goes on looking for as long as its order can change."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from flask import Flask

from shop.because import Because
from shop.db import transaction, utcnow
from shop.orderpage.page import LOOK_AGAIN, LOOK_AGAIN_SLOWLY
from shop.orders.links import order_path
from shop.orders.models import Order, OrderStatus
from shop.payments.by_hand import cancel_order, refund_order
from shop.payments.models import Payment
from shop.payments.sweep import sweep
from tests.buyer import Buyer
from tests.factories import (
    confirm,
    gateway,
    make_open_order,
    make_order,
    make_product,
    provider,
    send_due_mails,
)


def made(app: Flask, state: str) -> Order:
    """An order whose page is in this state."""
    if state == "failed":
        order, payment = make_order(app)
        with transaction() as session:
            session.get_one(Payment, payment.id).state = "failed"  # type: ignore[assignment]
        return order
    order, payment = make_open_order(app)
    with provider(app) as calls:
        if state in ("expired", "review"):
            calls.invoice_is("partial" if state == "review" else "canceled")
            sweep(gateway(app), utcnow())
            sweep(gateway(app), order.expires_at)
        elif state == "cancelled":
            calls.invoice_is("created")
            cancel_order(order, gateway(app), Because("a slip", "Ann"))
    if state in ("delivered", "refund_due", "refunded"):
        confirm(app, order)
    if state in ("refund_due", "refunded"):
        sent = "0xfeed" if state == "refunded" else ""
        refund_order(order, Because("wished", "Ann"), transaction_id=sent)
    return order


@pytest.mark.parametrize(
    ("state", "pace"),
    [
        ("waiting", LOOK_AGAIN),
        ("failed", LOOK_AGAIN_SLOWLY),
        ("expired", LOOK_AGAIN_SLOWLY),
        ("cancelled", LOOK_AGAIN_SLOWLY),
        ("refund_due", LOOK_AGAIN_SLOWLY),
        ("delivered", LOOK_AGAIN_SLOWLY),
        ("refunded", None),
    ],
)
@pytest.mark.parametrize("engine", ["sqlite"])
def test_a_page_looks_again_in_every_state_that_can_change_and_says_so_without_scripts(
    app: Flask, state: str, pace: int | None
) -> None:
    with app.app_context():
        path = order_path(made(app, state))
    page = app.test_client().get(path).text

    assert f'data-state="{state}"' in page
    assert page.count(f'data-final="{"false" if pace else "true"}"') == 2
    refresh = re.findall(r'<noscript><meta http-equiv="refresh" content="(\d+)"></noscript>', page)
    promised = re.findall(r"looks again by itself every (\d+) seconds", page)
    assert refresh == promised == ([str(pace)] if pace else [])


@pytest.mark.parametrize("engine", ["sqlite"])
def test_a_delivered_order_is_final_once_its_mail_has_gone(app: Flask) -> None:
    with app.app_context():
        path = order_path(made(app, "delivered"))
        assert 'data-final="false"' in app.test_client().get(path).text

        send_due_mails()

    assert 'data-final="true"' in app.test_client().get(path).text


def test_the_status_brings_all_that_belongs_to_the_state(app: Flask) -> None:
    """The receipt's row of the payment, and the offer to change the address, which is over."""
    with app.app_context():
        order = made(app, "waiting")
        path = order_path(order)
        before = app.test_client().get(f"{path}/status").text
        confirm(app, order)
    after = app.test_client().get(f"{path}/status").text

    for page in (before, after):
        assert re.findall(r'data-live="(\w+)"', page) == ["status", "receipt", "mail"]
    assert ("<dt>Paid</dt>" in before, "<dt>Paid</dt>" in after) == (False, True)
    assert ("/address" in before, "/address" in after) == (True, False)
    whole = app.test_client().get(path).text
    assert re.findall(r'data-live="(\w+)"', whole) == ["status", "receipt", "mail"]


@pytest.mark.parametrize("state", ["expired", "cancelled", "review"])
def test_the_buyer_of_a_closed_order_has_the_payment_checked_and_gets_the_goods(
    app: Flask, state: str
) -> None:
    with app.app_context():
        order = made(app, state)
        path = order_path(order)
    buyer = Buyer(app)
    with provider(app) as calls:
        calls.invoice_is("partial" if state == "review" else "canceled")
        wait_a_minute(app)
        buyer.opens(path)
        assert "Check payment again" in buyer.page.text
        assert len(calls.calls) == 0, "opening the page asks nothing"
        buyer.presses("check")
        assert len(calls.calls) == 1
        said = "nothing has changed yet" if state == "review" else "We have not seen a payment yet"
        assert said in buyer.reads_answer()

        wait_a_minute(app)
        calls.invoice_is("paid")
        buyer.presses("check")

        assert "Paid, thank you" in buyer.reads_answer()


def wait_a_minute(app: Flask) -> None:
    with app.app_context(), transaction() as session:
        for payment in session.query(Payment):
            payment.checked_at = None


def test_an_expired_order_whose_goods_went_meanwhile_is_before_a_person(app: Flask) -> None:
    with app.app_context():
        last = make_product(stock=1)
        order, _ = make_open_order(app, last)
        path = order_path(order)
        with provider(app) as calls:
            calls.invoice_is("canceled")
            sweep(gateway(app), order.expires_at)
            make_order(app, last)
            calls.invoice_is("paid")
            wait_a_minute(app)

            page = app.test_client().get(f"{path}/status").text

        assert 'data-state="review"' in page
        assert 'data-final="false"' in page
        assert order.status is OrderStatus.REVIEW


@pytest.mark.parametrize(
    ("minutes", "said"),
    [(24 * 60, "24 hours"), (205, "3 hours"), (170, "169 minutes"), (1, "a minute")],
)
@pytest.mark.parametrize("engine", ["sqlite"])
def test_the_time_that_is_left_is_told_to_the_nearest_hour(
    app: Flask, minutes: int, said: str
) -> None:
    """A day, a moment after ordering, was "about 23 hours"."""
    with app.app_context():
        order, payment = make_open_order(app)
        with transaction() as session:
            end = utcnow() + timedelta(minutes=minutes)
            session.get_one(Payment, payment.id).expires_at = end

        assert f"(about {said} left)" in app.test_client().get(order_path(order)).text
