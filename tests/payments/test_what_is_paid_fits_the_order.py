"""What API v2 tells about a paid invoice is compared with the order before anything is sold."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from flask import Flask

from shop.attention.models import AttentionItem
from shop.attention.queries import open_attention
from shop.db import db, transaction, utcnow
from shop.fulfilment.models import Delivery
from shop.orders.models import HoldState, Order, OrderFlag, OrderStatus
from shop.payments.cryptocloud import InvoiceInfo, InvoiceStatus
from shop.payments.cryptocloud.invoices import surplus
from shop.payments.figures_text import figures_in_words
from shop.payments.models import Payment, PaymentState
from shop.payments.opening import open_invoice, start_payment
from shop.payments.settling import settle
from tests.factories import confirm, gateway, make_open_order, make_product, provider
from tests.support.sold import goods_mails, mail_kinds


def tell(payment: Payment, status: InvoiceStatus = InvoiceStatus.PAID, **facts: Any) -> bool:
    """Settle by an answer that fits the payment, but for these facts."""
    fits = {
        "amount": payment.money.decimal,
        "currency": payment.currency,
        "reference": payment.reference,
    }
    return settle(payment.order_id, payment.id, InvoiceInfo(status, **(fits | facts)))


def go_live(app: Flask) -> None:
    """In development a test invoice is as good as a real one."""
    app.config["SETTINGS"] = app.config["SETTINGS"].model_copy(update={"shop_development": False})


def notes(order: Order) -> list[str]:
    return [event.note for event in order.events]


def pay_again(app: Flask, order: Order, payment: Payment) -> Payment:
    """The payment's time is over, and the buyer has opened another."""
    tell(payment, InvoiceStatus.CANCELED)
    again, _ = start_payment(order.id)
    with provider(app) as calls:
        calls.invoice_is_made()
        open_invoice(again, gateway(app))
    return again


MISFITS = [
    ({"amount": Decimal("9.99")}, "the invoice is about 9.99 USD and not 10.00 USD"),
    ({"amount": Decimal("10.0001")}, "the invoice is about 10.0001 USD and not 10.00 USD"),
    ({"amount": Decimal("1000")}, "the invoice is about 1000.00 USD and not 10.00 USD"),
    ({"currency": "EUR"}, "the invoice is about 10.00 EUR and not 10.00 USD"),
    ({"reference": "SOMEBODY-ELSES"}, "the invoice was made for another order"),
    ({"reference": ""}, "the invoice was made for another order"),
    ({"test_mode": True}, "it is a test invoice, and no money came"),
]


@pytest.mark.parametrize(
    "facts", [{}, {"amount": Decimal("10.000")}, {"reference": None}, {"amount": None}]
)
def test_an_invoice_that_fits_sells_the_order(app: Flask, facts: dict[str, Any]) -> None:
    with app.app_context():
        order, payment = make_open_order(app, make_product(stock=3))

        assert tell(payment, **facts)

        assert (order.status, order.flag) == (OrderStatus.PAID, OrderFlag.NONE)
        assert order.paid_at == payment.paid_at is not None
        assert notes(order)[-1] == f"invoice {payment.invoice_id} is paid"
        assert order.events[-1].who == "shop"
        assert open_attention() == []


@pytest.mark.parametrize(("facts", "wrong"), MISFITS)
def test_an_invoice_that_does_not_fit_sells_nothing_and_a_person_is_told_why(
    app: Flask, facts: dict[str, Any], wrong: str
) -> None:
    with app.app_context():
        order, payment = make_open_order(app, make_product(stock=3))
        go_live(app)

        assert not tell(payment, **facts)

        assert (payment.state, order.status) == (PaymentState.PAID, OrderStatus.REVIEW)
        assert (order.flag, order.paid_at) == (OrderFlag.AMOUNT_MISMATCH, None)
        assert payment.paid_at is not None
        assert payment.next_check_at is None
        assert notes(order)[-2:] == [wrong, "what was paid does not fit the order"]
        assert [hold.state for hold in order.holds] == [HoldState.HELD]
        assert db.session.query(Delivery).count() == 0
        assert mail_kinds() == ["order-placed", "order-review"]
        (item,) = open_attention()
        assert (item.kind, item.reference) == ("amount_mismatch", payment.reference)
        assert item.note == f"Order {order.number} was not sold: {wrong}."


def test_an_invoice_that_names_another_order_of_the_shop_does_not_fit(app: Flask) -> None:
    with app.app_context():
        _, other = make_open_order(app)
        order, payment = make_open_order(app)

        assert not tell(payment, reference=other.reference)

        assert (order.status, order.flag) == (OrderStatus.REVIEW, OrderFlag.AMOUNT_MISMATCH)
        assert other.state is PaymentState.OPEN


def test_an_invoice_that_names_another_payment_of_its_order_fits(app: Flask) -> None:
    with app.app_context():
        order, first = make_open_order(app)
        again = pay_again(app, order, first)

        assert tell(again, reference=first.reference)

        assert order.status is OrderStatus.PAID


def test_a_test_invoice_pays_a_test_order(app: Flask) -> None:
    with app.app_context():
        order, payment = make_open_order(app)
        with transaction():
            order.is_test = True
        go_live(app)

        assert tell(payment, test_mode=True)

        assert order.status is OrderStatus.PAID
        assert payment.test_mode


def test_in_development_a_test_invoice_pays_any_order(app: Flask) -> None:
    with app.app_context():
        order, payment = make_open_order(app)

        assert tell(payment, test_mode=True)

        assert order.status is OrderStatus.PAID


def test_an_invoice_that_does_not_fit_leaves_an_order_alone_that_is_sold(app: Flask) -> None:
    with app.app_context():
        order, first = make_open_order(app)
        again = pay_again(app, order, first)
        tell(again)

        assert tell(first, amount=Decimal(3))  # the order is paid, by the other

        assert (order.status, order.flag) == (OrderStatus.PAID, OrderFlag.NONE)
        assert first.state is PaymentState.PAID
        (item,) = open_attention()
        assert (item.kind, item.reference) == ("amount_mismatch", first.reference)
        assert item.note == (
            f"Order {order.number} was paid already when {first.name} was: "
            "the invoice is about 3.00 USD and not 10.00 USD."
        )


def test_a_second_payment_of_an_order_that_waits_for_a_person_is_a_second_one(app: Flask) -> None:
    with app.app_context():
        order, first = make_open_order(app)
        again = pay_again(app, order, first)
        assert not tell(again, amount=Decimal(3))

        assert not tell(first)

        assert (order.status, order.flag) == (OrderStatus.REVIEW, OrderFlag.PAID_TWICE)
        assert [item.kind for item in open_attention()] == ["amount_mismatch", "paid_twice"]
        assert open_attention()[1].note == (
            f"Order {order.number} was paid already when {first.name} was: "
            "that payment goes back to the buyer."
        )


def test_money_beside_a_confirmed_order_is_compared_as_well(app: Flask) -> None:
    with app.app_context():
        order, payment = make_open_order(app)
        confirm(app, order)

        assert not tell(payment, amount=Decimal(3))

        (item,) = open_attention()
        assert item.note == (
            f"Order {order.number} was confirmed by Ann, and now {payment.name} is paid as well, "
            "but the invoice is about 3.00 USD and not 10.00 USD."
        )


def test_the_hours_of_the_shop_hold_for_late_money_when_no_product_is_left_to_say(
    app: Flask,
) -> None:
    with app.app_context():
        order, payment = make_open_order(app)
        tell(payment, InvoiceStatus.CANCELED)
        with transaction():
            order.lines[0].product = None
            order.expires_at = utcnow() - timedelta(hours=71)

        assert tell(payment)

        assert (order.status, order.flag) == (OrderStatus.PAID, OrderFlag.PAID_LATE)


def test_a_confirmed_order_is_sold_in_the_name_of_who_confirmed_it(app: Flask) -> None:
    with app.app_context():
        order, payment = make_open_order(app)
        tell(payment, InvoiceStatus.PARTIAL)
        tell(payment, InvoiceStatus.CANCELED)
        assert [item.kind for item in open_attention()] == ["paid_partial"]

        confirm(app, order, provider_says="canceled")

        sold = next(event for event in order.events if event.kind == "paid")
        assert (sold.note, sold.who) == (f"{payment.name} was confirmed", "Ann")
        item = db.session.query(AttentionItem).one()
        assert (item.resolution, item.resolved_by) == ("the order is paid", "Ann")


COIN = {"coin": "USDT_TRC20", "due": Decimal("10.010")}


@pytest.mark.parametrize(
    ("came", "flag", "note"),
    [
        ("10.01", OrderFlag.NONE, ""),
        ("9", OrderFlag.NONE, ""),  # the merchant said that it is enough
        ("12.01", OrderFlag.PAID_OVER, "12.01 USDT TRC20 came, 2.00 USDT TRC20 more"),
        ("12.010000000000002", OrderFlag.PAID_OVER, "12.01 USDT TRC20 came, 2.00 USDT TRC20 more"),
        ("10.010000000000002", OrderFlag.NONE, ""),
        ("10.009999999999998", OrderFlag.NONE, ""),
    ],
)
def test_only_a_surplus_is_told_with_the_goods(
    app: Flask, came: str, flag: OrderFlag, note: str
) -> None:
    with app.app_context():
        order, payment = make_open_order(app)

        assert tell(payment, received=Decimal(came), **COIN)

        assert order.flag is flag
        assert (payment.coin, payment.due, payment.received) == ("USDT_TRC20", "10.010", came)
        assert order.paid_with == f"{Decimal(came):.2f} USDT TRC20"
        assert mail_kinds() == ["order-placed", "order-delivered"]
        (letter,) = goods_mails()
        assert letter.note.startswith(note)
        assert bool(letter.note) is bool(note)


@pytest.mark.parametrize(
    ("received", "due", "more"),
    [
        ("3", "2", "1"),
        ("1", "2", "-1"),
        ("2", "2", "0"),
        ("1.000000000001", "1", "0"),  # as much as floats may add to it
        ("1.0000000000011", "1", "1.1e-12"),
        ("0.000000000001", "0", "1e-12"),
    ],
)
def test_what_floats_make_of_an_amount_is_no_surplus(received: str, due: str, more: str) -> None:
    assert surplus(Decimal(received), Decimal(due)) == Decimal(more)


@pytest.mark.parametrize(
    ("received", "due", "coin", "words"),
    [
        ("10.000000000000002", "10.0", "", ""),
        ("9.999999999999998", "10.0", "", ""),
        ("5", "10.0", "", "5.00 of 10.00 came; 5.00 is missing."),
        ("11", "10.0", "", "11.00 came, 1.00 more than was asked for."),
        ("0", "0.00012345", "BTC", "0.00000000 of 0.00012345 BTC came; 0.00012345 BTC is missing."),
        (
            "0.003000000000000001",
            "0.003456789012",
            "ETH",
            "0.003000000000 of 0.003456789012 ETH came; 0.000456789012 ETH is missing.",
        ),
        ("1234567.891234567891234568", "1234567.891234567891234560", "SHIB", ""),
        ("0.002", "0.001", "A_B", "0.002 A B came, 0.001 A B more than was asked for."),
        ("123456789012345678", "123456789012345670", "", ""),
    ],
)
def test_people_read_figures_without_the_noise_of_floats(
    received: str, due: str, coin: str, words: str
) -> None:
    payment = Payment(received=received, due=due, coin=coin)

    assert str(payment.figures or "") == words
    assert figures_in_words(payment.figures) == words


def test_figures_that_are_long_or_missing_are_kept_as_far_as_they_go(app: Flask) -> None:
    with app.app_context():
        _, payment = make_open_order(app)

        tell(payment, InvoiceStatus.CREATED, coin="C" * 50, due=Decimal(1))
        assert (payment.coin, payment.due, payment.received) == ("C" * 40, "", "")
        tell(payment, InvoiceStatus.CREATED, received=Decimal(1))
        assert (payment.due, payment.received) == ("", "")
        digits = "0." + "1" * 70
        tell(payment, InvoiceStatus.CREATED, due=Decimal(digits), received=Decimal(digits))

        assert (payment.due, payment.received) == (digits[:60], digits[:60])
        assert payment.coin == "C" * 40
        assert not payment.test_mode
        assert payment.provider_status == "created"


def test_a_part_stays_known_when_the_provider_speaks_of_it_no_more(app: Flask) -> None:
    with app.app_context():
        _, payment = make_open_order(app)

        tell(payment, InvoiceStatus.PARTIAL)
        assert payment.part_came
        tell(payment, InvoiceStatus.CREATED)

        assert payment.part_came


def test_when_it_was_looked_at_is_kept(app: Flask) -> None:
    with app.app_context():
        _, payment = make_open_order(app)
        before = utcnow()

        tell(payment, InvoiceStatus.CREATED)

        assert payment.checked_at
        assert before <= payment.checked_at <= utcnow() + timedelta(seconds=1)
