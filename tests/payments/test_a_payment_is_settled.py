"""`refresh` is where an order becomes paid, and the only place."""

from __future__ import annotations

from datetime import timedelta

import pytest
from flask import Flask

from shop.attention.queries import open_attention
from shop.catalogue.models import Product
from shop.db import db, transaction, utcnow
from shop.fulfilment.models import Delivery
from shop.orders.models import HoldState, Order, OrderFlag, OrderStatus
from shop.payments.asking import Round
from shop.payments.checking import refresh
from shop.payments.cryptocloud import CryptoCloudError, InvoiceInfo, Unclear
from shop.payments.models import Payment, PaymentState
from shop.payments.opening import PaymentBusy, can_start_again, open_invoice, start_payment
from shop.payments.sweep import expire_orders, forget_lost_calls
from tests.factories import (
    confirm,
    gateway,
    make_open_order,
    make_order,
    make_product,
    provider,
)
from tests.support.sold import mail_kinds


def ask(app: Flask, payment: Payment, status: str) -> None:
    """Refresh the payment while the provider gives this status."""
    with provider(app) as calls:
        calls.invoice_is(status)
        refresh(payment, gateway(app))


def expire(app: Flask, order: Order, status: str) -> None:
    """Let the order's time pass while the provider gives this status."""
    with provider(app) as calls:
        calls.invoice_is(status)
        expire_orders(Round(gateway(app)), order.expires_at + timedelta(seconds=1))


def astray(app: Flask, payment: Payment, invoice_id: str) -> None:
    """Open the payment; the provider answers with this invoice, and a link to somebody else's host."""
    with provider(app) as calls:
        pay_url = f"https://elsewhere.example/{invoice_id}"
        answer = {"status": "success", "invoice_id": invoice_id, "pay_url": pay_url}
        calls.post(calls.create_url, json=answer)
        open_invoice(payment, gateway(app))


@pytest.mark.parametrize("status", ["paid", "overpaid"])
def test_a_paid_invoice_makes_the_order_paid_and_hands_out_the_goods(
    app: Flask, status: str
) -> None:
    with app.app_context():
        order, payment = make_open_order(app, make_product(stock=3))

        ask(app, payment, status)

        assert payment.state is PaymentState.PAID
        assert order.status is OrderStatus.FULFILLED
        assert order.events[-1].note == "everything was delivered"
        assert [hold.state for hold in order.holds] == [HoldState.COMMITTED]
        over = status == "overpaid"
        assert order.flag is (OrderFlag.PAID_OVER if over else OrderFlag.NONE)
        notes = [event.note for event in order.events]
        assert ("more than the amount was paid" in notes) is over
        assert db.session.query(Delivery).count() == 1
        assert mail_kinds() == ["order-placed", "order-delivered"]


def test_a_created_invoice_changes_nothing(app: Flask) -> None:
    with app.app_context():
        order, payment = make_open_order(app)

        ask(app, payment, "created")

        assert payment.state is PaymentState.OPEN
        assert order.status is OrderStatus.PENDING


def test_the_log_has_a_line_when_a_payment_comes_into_another_state_and_only_then(
    app: Flask, caplog: pytest.LogCaptureFixture
) -> None:
    with app.app_context():
        _, payment = make_open_order(app)
        caplog.clear()

        ask(app, payment, "created")
        assert "payment_open" not in caplog.text
        ask(app, payment, "paid")

        assert caplog.text.count("payment_paid") == 1


def test_asking_again_about_a_paid_invoice_does_nothing_calmly(app: Flask) -> None:
    with app.app_context():
        order, payment = make_open_order(app)
        ask(app, payment, "paid")
        history = len(order.events)

        ask(app, payment, "paid")
        with provider(app):  # a call would fail: none is made
            refresh(payment, gateway(app))

        assert len(order.events) == history
        assert mail_kinds() == ["order-placed", "order-delivered"]


def test_a_partial_payment_delivers_nothing_and_keeps_the_stock(app: Flask) -> None:
    with app.app_context():
        order, payment = make_open_order(app, make_product(stock=3))

        ask(app, payment, "partial")

        assert payment.state is PaymentState.PARTIAL
        assert (order.status, order.flag) == (OrderStatus.PENDING, OrderFlag.PAID_PARTIAL)
        assert order.events[-1].note == "a part of the amount has arrived"
        assert db.session.query(Delivery).count() == 0


@pytest.mark.parametrize("say", ["partial", "canceled"])
def test_a_partial_payment_never_expires_silently(app: Flask, say: str) -> None:
    """Whether the provider closes the invoice or leaves it open for ever, a person is told."""
    with app.app_context():
        order, payment = make_open_order(app, make_product(stock=3))
        ask(app, payment, "partial")

        expire(app, order, say)

        assert order.status is OrderStatus.REVIEW
        assert [hold.state for hold in order.holds] == [HoldState.HELD]
        assert [item.kind for item in open_attention()] == ["paid_partial"]
        ask(app, payment, "paid")
        assert order.status is OrderStatus.FULFILLED


def test_the_rest_of_a_partial_payment_completes_the_order(app: Flask) -> None:
    with app.app_context():
        order, payment = make_open_order(app)
        ask(app, payment, "partial")

        ask(app, payment, "paid")

        assert (order.status, order.flag) == (OrderStatus.FULFILLED, OrderFlag.NONE)
        assert "the money is complete" in [event.note for event in order.events]


def test_a_partial_payment_whose_time_ran_out_goes_to_a_person(app: Flask) -> None:
    with app.app_context():
        order, payment = make_open_order(app, make_product(stock=3))
        ask(app, payment, "partial")

        ask(app, payment, "canceled")

        assert (order.status, order.flag) == (OrderStatus.REVIEW, OrderFlag.PAID_PARTIAL)
        assert [hold.state for hold in order.holds] == [HoldState.HELD]
        assert [(item.kind, item.order_id) for item in open_attention()] == [
            ("paid_partial", order.id)
        ]


def test_a_cancelled_invoice_expires_the_order_and_puts_the_stock_back(app: Flask) -> None:
    with app.app_context():
        product = make_product(stock=3)
        order, payment = make_open_order(app, product, quantity=2)

        ask(app, payment, "canceled")

        assert (payment.state, order.status) == (PaymentState.CANCELLED, OrderStatus.EXPIRED)
        db.session.refresh(product)
        assert product.available == 3


def test_late_money_counts_and_takes_the_stock_again(app: Flask) -> None:
    with app.app_context():
        product = make_product(stock=3)
        order, payment = make_open_order(app, product)
        ask(app, payment, "canceled")

        ask(app, payment, "paid")

        assert (order.status, order.flag) == (OrderStatus.FULFILLED, OrderFlag.PAID_LATE)
        db.session.refresh(product)
        assert product.available == 2


def test_money_later_than_a_product_honours_goes_to_a_person(app: Flask) -> None:
    """The strictest product of an order decides."""
    with app.app_context():
        patient, strict = make_product(stock=3), make_product(stock=3, honour_late_hours=0)
        order, payment = make_open_order(app, patient, strict)
        ask(app, payment, "canceled")

        ask(app, payment, "paid")

        assert (payment.state, order.status) == (PaymentState.PAID, OrderStatus.REVIEW)
        assert order.flag is OrderFlag.PAID_LATE
        assert [event.note for event in order.events[-2:]] == [
            "the money came when the order was expired",
            "the money came long after its time",
        ]
        assert [(item.kind, item.reference) for item in open_attention()] == [
            ("paid_late", payment.reference)
        ]
        assert open_attention()[0].note == f"Order {order.number} was paid long after its end."
        assert db.session.query(Delivery).count() == 0
        db.session.refresh(strict)
        assert strict.available == 3


@pytest.mark.parametrize(
    ("own", "honoured"), [(None, 72), (2, 2), (200, 200)], ids=["default", "shorter", "longer"]
)
@pytest.mark.parametrize("late", [False, True], ids=["in time", "late"])
def test_late_money_is_honoured_for_the_hours_of_the_product(
    app: Flask, own: int | None, honoured: int, late: bool
) -> None:
    with app.app_context():
        order, payment = make_open_order(app, make_product(stock=3, honour_late_hours=own))
        ask(app, payment, "canceled")
        with transaction():
            spare = timedelta(minutes=-1 if late else 1)
            order.expires_at = utcnow() - timedelta(hours=honoured) + spare

        ask(app, payment, "paid")

        assert order.status is (OrderStatus.REVIEW if late else OrderStatus.FULFILLED)


def test_late_money_for_what_is_sold_out_goes_to_a_person_and_takes_nothing(app: Flask) -> None:
    """Of two products one is still there: it must not stay set aside for an order that is stuck."""
    with app.app_context():
        there, gone = make_product(stock=1), make_product(stock=1)
        order, payment = make_open_order(app, there, gone)
        ask(app, payment, "canceled")
        make_open_order(app, gone)

        ask(app, payment, "paid")

        assert (order.status, order.flag) == (OrderStatus.REVIEW, OrderFlag.NO_STOCK)
        assert payment.state is PaymentState.PAID
        db.session.refresh(there)
        assert there.available == 1
        assert db.session.query(Delivery).count() == 0
        assert [event.note for event in order.events[-2:]] == [
            "paid when the goods were sold out",
            "the money came when the goods were sold out",
        ]
        (item,) = open_attention()
        assert (item.kind, item.reference) == ("no_stock", payment.reference)
        assert item.note == f"Order {order.number} was paid late and its goods are sold out."


@pytest.mark.parametrize(("said", "seconds"), [({"Retry-After": "20"}, 20), ({}, 5)])
def test_what_was_too_busy_is_tried_again_when_the_provider_says(
    app: Flask, said: dict[str, str], seconds: int
) -> None:
    with app.app_context():
        order, payment = make_order(app)
        pause, before = timedelta(seconds=seconds), utcnow()
        with provider(app) as calls:
            calls.post(calls.create_url, status=429, headers=said)
            open_invoice(payment, gateway(app))

        assert payment.retry_at
        assert before + pause <= payment.retry_at <= utcnow() + pause
        with pytest.raises(PaymentBusy):
            start_payment(order.id)


def test_an_expired_order_can_be_paid_anew_for_a_week(app: Flask) -> None:
    with app.app_context():
        order, _ = make_open_order(app)
        week = order.created_at + timedelta(days=7)

        assert can_start_again(order, week - timedelta(seconds=1))
        assert not can_start_again(order, week)


def test_the_next_payment_of_an_order_has_its_own_number_and_a_whole_day(app: Flask) -> None:
    with app.app_context():
        order, payment = make_open_order(app)
        ask(app, payment, "canceled")
        before = utcnow()

        again, ours = start_payment(order.id)

        assert (ours, again.attempt, again.state) == (True, 2, PaymentState.CREATING)
        assert (order.status, order.expires_at >= before + timedelta(days=1)) == ("pending", True)
        assert [(event.kind, event.note) for event in order.events[2:]] == [
            ("expired", "the time for paying is over"),
            ("pending", "the buyer starts a new payment"),
        ]


def test_a_second_paid_invoice_is_shown_to_a_person_and_delivers_nothing_more(app: Flask) -> None:
    with app.app_context():
        order, first = make_open_order(app)
        ask(app, first, "canceled")
        second, ours = start_payment(order.id)
        assert ours
        with provider(app) as calls:
            calls.invoice_is_made()
            open_invoice(second, gateway(app))
        ask(app, second, "paid")

        ask(app, first, "paid")

        assert (order.status, order.flag) == (OrderStatus.FULFILLED, OrderFlag.PAID_TWICE)
        assert first.state is PaymentState.PAID
        assert db.session.query(Delivery).count() == 1
        assert [(item.kind, item.order_id) for item in open_attention()] == [
            ("paid_twice", order.id)
        ]


def test_money_by_an_older_invoice_of_an_order_that_a_person_confirmed_may_be_what_they_saw(
    app: Flask,
) -> None:
    with app.app_context():
        order, first = make_open_order(app)
        ask(app, first, "canceled")
        second = start_payment(order.id)[0]
        with provider(app) as calls:
            calls.invoice_is_made()
            open_invoice(second, gateway(app))
        confirm(app, order)

        ask(app, first, "paid")

        (item,) = open_attention()
        assert (item.kind, item.order_id) == ("confirmed_and_paid", order.id)
        assert item.note == (
            f"Order {order.number} was confirmed by hand, and now {first.name} is paid: "
            "is it the same money?"
        )
        assert order.flag is OrderFlag.NONE


def test_each_further_payment_of_an_order_is_told_to_its_buyer_and_to_a_person(app: Flask) -> None:
    with app.app_context():
        order, first = make_open_order(app)
        payments = [first]
        for _ in range(2):
            ask(app, payments[-1], "canceled")
            payments.append(start_payment(order.id)[0])
            with provider(app) as calls:
                calls.invoice_is_made()
                open_invoice(payments[-1], gateway(app))

        for payment in reversed(payments):
            ask(app, payment, "paid")

        assert mail_kinds() == ["order-placed", "order-delivered", "payment-twice", "payment-twice"]
        assert [item.kind for item in open_attention()] == ["paid_twice", "paid_twice"]
        assert db.session.query(Delivery).count() == 1


def test_whoever_is_in_a_hurry_says_for_how_long_the_provider_may_be_asked(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = []

    def ask_in_time(ids: list[str], *, seconds: float | None) -> dict[str, InvoiceInfo]:
        given.append(seconds)
        return {}

    with app.app_context():
        _, payment = make_open_order(app)
        monkeypatch.setattr(gateway(app), "invoice_infos", ask_in_time)

        refresh(payment, gateway(app), seconds=4.0)

        assert given == [4.0]


def test_an_invoice_whose_order_a_person_confirmed_is_looked_at_all_the_same(app: Flask) -> None:
    with app.app_context():
        order, payment = make_open_order(app)
        confirm(app, order)
        before = utcnow()

        ask(app, payment, "created")

        assert payment.checked_at
        assert payment.checked_at >= before
        assert open_attention() == []


def test_a_provider_that_cannot_say_changes_nothing(app: Flask) -> None:
    with app.app_context():
        order, payment = make_open_order(app)

        with pytest.raises(CryptoCloudError):
            ask(app, payment, "melted")

        assert (payment.state, order.status) == (PaymentState.OPEN, OrderStatus.PENDING)


def test_nothing_is_delivered_when_the_commit_fails(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Paid, deliveries and mail are one commit: a crash inside it leaves none of them."""
    with app.app_context():
        order, payment = make_open_order(app)

        def crash(*_: object, **__: object) -> None:
            raise SystemExit

        with monkeypatch.context() as patch:
            patch.setattr("shop.payments.settling.plan_deliveries", crash)
            with pytest.raises(SystemExit):
                ask(app, payment, "paid")
        db.session.rollback()
        assert (payment.state, order.status) == (PaymentState.OPEN, OrderStatus.PENDING)

        ask(app, payment, "paid")
        assert order.status is OrderStatus.FULFILLED


def test_an_invoice_of_another_payment_is_never_bound_to_this_one(app: Flask) -> None:
    with app.app_context():
        _, other = make_open_order(app)
        order, payment = make_open_order(app)
        ask(app, payment, "canceled")
        again, _ = start_payment(order.id)

        with provider(app) as calls:
            calls.invoice_is_made(other.invoice_id)
            open_invoice(again, gateway(app))

        assert again.state is PaymentState.UNKNOWN
        assert again.invoice_id is None
        assert Unclear.__name__ not in again.error


def test_an_invoice_whose_link_leads_astray_is_watched_and_its_link_not_kept(app: Flask) -> None:
    with app.app_context():
        order, payment = make_open_order(app)
        ask(app, payment, "canceled")
        again, _ = start_payment(order.id)

        astray(app, again, "ASTRAY01")

        assert (again.state, again.invoice_id) == (PaymentState.ABANDONED, "ASTRAY01")
        assert again.pay_url == ""
        ask(app, again, "paid")
        assert order.status is OrderStatus.FULFILLED


def test_a_link_that_leads_astray_with_an_invoice_of_another_payment_binds_nothing(
    app: Flask,
) -> None:
    with app.app_context():
        _, other = make_open_order(app)
        order, payment = make_open_order(app)
        ask(app, payment, "canceled")
        again, _ = start_payment(order.id)

        astray(app, again, str(other.invoice_id))

        assert (again.state, again.invoice_id) == (PaymentState.ABANDONED, None)
        assert other.state is PaymentState.OPEN


def test_an_answer_that_comes_after_the_payment_was_given_up_is_watched_and_never_shown(
    app: Flask,
) -> None:
    with app.app_context():
        order, payment = make_open_order(app)
        ask(app, payment, "canceled")
        slow, _ = start_payment(order.id)
        forget_lost_calls(Round(gateway(app)), utcnow() + timedelta(minutes=1))
        forget_lost_calls(Round(gateway(app)), utcnow() + timedelta(minutes=5))
        assert slow.state is PaymentState.ABANDONED

        with provider(app) as calls:
            invoice_id = calls.invoice_is_made()
            open_invoice(slow, gateway(app))

        extra = db.session.query(Payment).filter_by(invoice_id=invoice_id).one()
        assert extra.state is PaymentState.ABANDONED
        assert extra.next_check_at is not None
        ask(app, extra, "paid")
        assert order.status is OrderStatus.FULFILLED


def test_money_that_comes_before_the_order_page_expires_is_never_too_late(app: Flask) -> None:
    """The sweep asks the provider once more before it closes an order."""
    with app.app_context():
        order, _ = make_open_order(app)

        with provider(app) as calls:
            calls.invoice_is("paid")
            expire_orders(Round(gateway(app)), utcnow() + timedelta(days=2))

        assert order.status is OrderStatus.FULFILLED


def test_an_order_is_not_closed_while_nobody_can_say_that_no_money_came(app: Flask) -> None:
    with app.app_context():
        order, _ = make_open_order(app, make_product(stock=1))

        with provider(app):  # every call fails
            expire_orders(Round(gateway(app)), utcnow() + timedelta(hours=40))

        assert order.status is OrderStatus.PENDING
        assert db.session.query(Product).one().available == 0
