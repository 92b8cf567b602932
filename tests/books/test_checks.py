"""What can never be true is looked for all the same, and a person is told."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import Executable, delete, insert, select, text, update

from shop.attention.models import AttentionItem
from shop.attention.queries import open_attention
from shop.attention.service import resolve_attention_item
from shop.because import Because
from shop.books.checks import CHECKS, discrepancies
from shop.books.service import check
from shop.catalogue.models import DeliveryKind, Product
from shop.db import db, transaction, utcnow
from shop.fulfilment.models import Delivery, DeliveryState, LicenceKey
from shop.fulfilment.service import deliver_order
from shop.orders.models import HoldState, Order, OrderEvent, OrderLine, OrderStatus, StockHold
from shop.outbox.models import OutboxMail
from shop.payments.by_hand import refund_order
from shop.payments.checking import refresh
from shop.payments.models import Payment, PaymentState, Postback
from shop.payments.opening import start_payment
from tests.factories import (
    gateway,
    make_buyer,
    make_cart,
    make_open_order,
    make_order,
    make_product,
    place_order,
    provider,
)


class Undone(Exception):
    """Ends a transaction without a trace."""


class Shop:
    """A shop in every ordinary state, by the numbers of its orders."""

    def __init__(self, app: Flask) -> None:
        self.app = app
        many = make_product(stock=50)
        keys = make_product(kind=DeliveryKind.KEY, keys=5)
        self.slug, self.keys = many.slug, keys.slug
        self.placed = make_order(app, many)[0].number
        self.waiting = make_open_order(app, many, quantity=2)[0].number
        self.partial = self.with_invoice("partial", many)
        self.expired = self.with_invoice("canceled", many)
        self.fulfilled = self.with_invoice("paid", many, keys, quantity=2)
        self.sold_out = self.paid_late(make_product(stock=1), rival=True)
        self.late = self.paid_late(make_product(stock=1), rival=False)
        self.twice = self.paid_twice(many)
        self.keyless = self.short_of_keys(make_product(kind=DeliveryKind.KEY, keys=1))
        self.refund = self.with_invoice("paid", many)
        refund_order(self.order(self.refund), Because("the buyer asked", "Ann"))
        self.free = self.given_away(make_product(kind=DeliveryKind.KEY, keys=2, price=0))

    def given_away(self, product: Product) -> str:
        cart = make_cart(self.app, product)
        order, _ = place_order(cart, make_buyer(cart, email="else@example.com"))
        deliver_order(order.id)
        return order.number

    def order(self, number: str) -> Order:
        return db.session.scalars(select(Order).where(Order.number == number)).one()

    def payment(self, number: str) -> Payment:
        return db.session.scalars(select(Payment).join(Order).where(Order.number == number)).one()

    def told(self, payment: Payment, status: str) -> None:
        with provider(self.app) as calls:
            calls.invoice_is(status)
            refresh(payment, gateway(self.app))

    def with_invoice(self, status: str, *products: Product, quantity: int = 1) -> str:
        order, payment = make_open_order(self.app, *products, quantity=quantity)
        self.told(payment, status)
        return order.number

    def paid_late(self, product: Product, *, rival: bool) -> str:
        order, payment = make_open_order(self.app, product)
        self.told(payment, "canceled")
        if rival:
            self.with_invoice("paid", product)
        self.told(payment, "paid")
        return order.number

    def paid_twice(self, product: Product) -> str:
        order, first = make_open_order(self.app, product)
        self.told(first, "canceled")
        second, _ = start_payment(order.id)
        self.told(first, "paid")
        with transaction() as session:
            second = session.get_one(Payment, second.id)
            second.invoice_id, second.pay_url = "SECOND01", "https://pay.example/SECOND01"
            second.move(PaymentState.OPEN)
        self.told(second, "paid")
        return order.number

    def short_of_keys(self, product: Product) -> str:
        order, payment = make_open_order(self.app, product)
        with transaction() as session:
            session.execute(delete(LicenceKey).where(LicenceKey.product_id == product.id))
        self.told(payment, "paid")
        with transaction() as session:
            session.add(LicenceKey(product_id=product.id, value="ANOTHER-KEY"))
        return order.number


@pytest.fixture
def shop(app: Flask) -> Shop:
    with app.app_context():
        return Shop(app)


def found(**later: float) -> set[tuple[str, str]]:
    moment = utcnow() + timedelta(**later)
    return {(finding.kind, finding.reference) for finding in discrepancies(moment)}


def test_a_healthy_shop_in_every_ordinary_state_has_nothing_to_report(
    app: Flask, shop: Shop
) -> None:
    with app.app_context():
        statuses = set(db.session.scalars(select(Order.status)))
        states = set(db.session.scalars(select(Payment.state)))

        assert found() == set()

        assert {"pending", "paid", "fulfilled", "expired", "review", "refund_due"} <= statuses
        assert {"creating", "open", "partial", "paid", "cancelled"} <= states


def of(shop: Shop, number: str) -> int:
    return shop.order(number).id


def line_of(shop: Shop, number: str, position: int = 1) -> int:
    lines = shop.order(number).lines
    return lines[position - 1].id


def key_delivery(shop: Shop) -> int:
    query = select(Delivery.id).where(Delivery.order_id == of(shop, shop.fulfilled))
    return db.session.scalars(query.where(Delivery.kind == DeliveryKind.KEY)).one()


Break = Callable[[Shop], Executable]

BROKEN: dict[str, tuple[Break, Callable[[Shop], tuple[str, str]]]] = {
    "money came and the order waits on": (
        lambda shop: (
            update(Payment)
            .where(Payment.order_id == of(shop, shop.waiting))
            .values(state=PaymentState.PAID, next_check_at=None)
        ),
        lambda shop: ("money_not_counted", shop.waiting),
    ),
    "nobody was told of the second payment": (
        lambda shop: delete(AttentionItem).where(AttentionItem.kind == "paid_twice"),
        lambda shop: ("money_not_counted", shop.twice),
    ),
    "nobody was told of money for what is sold out": (
        lambda shop: delete(AttentionItem).where(AttentionItem.kind == "no_stock"),
        lambda shop: ("money_not_counted", shop.sold_out),
    ),
    "nobody was told of the second payment of an order whose refund is due": (
        lambda shop: insert(Payment).values(
            order_id=of(shop, shop.refund),
            attempt=2,
            reference="second",
            state=PaymentState.PAID,
            amount_minor=shop.order(shop.refund).total_minor,
            currency=shop.order(shop.refund).currency,
        ),
        lambda shop: ("money_not_counted", shop.refund),
    ),
    "an order is paid by nothing": (
        lambda shop: (
            update(Order)
            .where(Order.number == shop.waiting)
            .values(status=OrderStatus.PAID, paid_at=utcnow())
        ),
        lambda shop: ("paid_without_money", shop.waiting),
    ),
    "an order has no payment": (
        lambda shop: delete(Payment).where(Payment.order_id == of(shop, shop.placed)),
        lambda shop: ("no_payment", shop.placed),
    ),
    "an order that costs nothing has a payment": (
        lambda shop: (
            update(Payment)
            .where(Payment.order_id == of(shop, shop.placed))
            .values(order_id=of(shop, shop.free))
        ),
        lambda shop: ("free_not_given", shop.free),
    ),
    "an invoice is about less than the order": (
        lambda shop: (
            update(Payment).where(Payment.order_id == of(shop, shop.waiting)).values(amount_minor=1)
        ),
        lambda shop: ("wrong_amount", shop.payment(shop.waiting).reference),
    ),
    "a line's price has changed since": (
        lambda shop: (
            update(OrderLine)
            .where(OrderLine.order_id == of(shop, shop.waiting))
            .values(unit_minor=1)
        ),
        lambda shop: ("wrong_total", shop.waiting),
    ),
    "goods are planned for an unpaid order": (
        lambda shop: insert(Delivery).values(
            order_id=of(shop, shop.waiting),
            order_line_id=line_of(shop, shop.waiting),
            kind=DeliveryKind.TEXT,
        ),
        lambda shop: ("goods_without_money", shop.waiting),
    ),
    "a paid line is not planned": (
        lambda shop: delete(Delivery).where(Delivery.order_line_id == line_of(shop, shop.late)),
        lambda shop: ("goods_missing", shop.late),
    ),
    "a line of a fulfilled order still waits": (
        lambda shop: (
            update(Delivery)
            .where(Delivery.order_line_id == line_of(shop, shop.late))
            .values(state=DeliveryState.WAITING)
        ),
        lambda shop: ("goods_missing", shop.late),
    ),
    "a key was taken back": (
        lambda shop: (
            update(LicenceKey)
            .where(LicenceKey.delivery_id == key_delivery(shop), LicenceKey.unit == 1)
            .values(delivery_id=None, unit=None)
        ),
        lambda shop: ("wrong_keys", f"delivery-{key_delivery(shop)}"),
    ),
    "a key too many was handed out": (
        lambda shop: (
            update(LicenceKey)
            .where(LicenceKey.value == "ANOTHER-KEY")
            .values(delivery_id=key_delivery(shop), unit=9)
        ),
        lambda shop: ("wrong_keys", f"delivery-{key_delivery(shop)}"),
    ),
    "the mail is gone": (
        lambda shop: delete(OutboxMail).where(OutboxMail.order_id == of(shop, shop.late)),
        lambda shop: ("mail_missing", shop.late),
    ),
    "an unpaid order's units went back on sale": (
        lambda shop: (
            update(StockHold)
            .where(StockHold.order_id == of(shop, shop.waiting))
            .values(state=HoldState.RELEASED)
        ),
        lambda shop: ("wrong_hold", shop.waiting),
    ),
    "an expired order keeps its units": (
        lambda shop: (
            update(StockHold)
            .where(StockHold.order_id == of(shop, shop.expired))
            .values(state=HoldState.HELD)
        ),
        lambda shop: ("wrong_hold", shop.expired),
    ),
    "a unit has appeared": (
        lambda shop: (
            update(Product).where(Product.slug == shop.slug).values(available=Product.available + 1)
        ),
        lambda shop: ("wrong_stock", shop.slug),
    ),
    "more keys are on sale than there are": (
        lambda shop: (
            update(Product).where(Product.slug == shop.keys).values(available=Product.available + 1)
        ),
        lambda shop: ("wrong_stock", shop.keys),
    ),
    "an invoice's process died long ago": (
        lambda shop: (
            update(Payment)
            .where(Payment.order_id == of(shop, shop.placed))
            .values(lease_until=utcnow() - timedelta(hours=2))
        ),
        lambda shop: ("payment_stuck", shop.payment(shop.placed).reference),
    ),
    "nobody will ask about an open invoice": (
        lambda shop: (
            update(Payment)
            .where(Payment.order_id == of(shop, shop.waiting))
            .values(next_check_at=None)
        ),
        lambda shop: ("payment_stuck", shop.payment(shop.waiting).reference),
    ),
    "an invoice is asked about without end": (
        lambda shop: (
            update(Payment)
            .where(Payment.order_id == of(shop, shop.expired))
            .values(
                expires_at=utcnow() - timedelta(days=3),
                checked_at=utcnow() - timedelta(days=3),
                next_check_at=utcnow() + timedelta(hours=1),
            )
        ),
        lambda shop: ("not_answered", shop.payment(shop.expired).reference),
    ),
    "a postback lies in the inbox for two days": (
        lambda shop: insert(Postback).values(
            invoice_id="LOST0001",
            hits=1,
            first_at=utcnow() - timedelta(days=2),
            last_at=utcnow(),
            claimed_status="success",
            claimed_amount="",
            claimed_currency="",
            claimed_order="",
        ),
        lambda shop: ("postback_stuck", "LOST0001"),
    ),
    "a page of the history was torn out": (
        lambda shop: delete(OrderEvent).where(
            OrderEvent.order_id == of(shop, shop.late), OrderEvent.sequence == 2
        ),
        lambda shop: ("history_torn", shop.late),
    ),
    "the history's last entry is gone": (
        lambda shop: delete(OrderEvent).where(
            OrderEvent.order_id == of(shop, shop.waiting), OrderEvent.sequence > 1
        ),
        lambda shop: ("history_torn", shop.waiting),
    ),
    "the history begins with something else": (
        lambda shop: (
            update(OrderEvent)
            .where(OrderEvent.order_id == of(shop, shop.waiting), OrderEvent.sequence == 1)
            .values(kind="paid")
        ),
        lambda shop: ("history_torn", shop.waiting),
    ),
}


def test_whatever_is_broken_is_found(app: Flask, shop: Shop) -> None:
    with app.app_context():
        missed, kinds = [], {"not_delivered"}  # shown below
        for name, (damage, expected) in BROKEN.items():
            wanted = expected(shop)
            kinds.add(wanted[0])

            with suppress(Undone), transaction() as session:
                session.execute(damage(shop), execution_options={"synchronize_session": False})
                if wanted not in found():
                    missed.append(name)
                raise Undone  # the next one starts from a healthy shop
        assert missed == []
        assert found() == set()
        assert kinds == {kind for kind, _, _ in CHECKS}, "each check is shown to find something"


def test_goods_that_wait_for_hours_and_not_for_keys_are_found(app: Flask) -> None:
    with app.app_context(), pytest.MonkeyPatch.context() as patch, provider(app) as calls:
        order, payment = make_open_order(app)
        patch.setattr("shop.payments.checking.deliver_order", lambda order_id: None)
        calls.invoice_is("paid")
        refresh(payment, gateway(app))

        assert found() == set()
        assert found(hours=2) == {("not_delivered", order.number)}


def test_an_answer_that_stays_unknown_for_a_day_is_found(app: Flask) -> None:
    with app.app_context():
        _, payment = make_order(app)
        with transaction() as session:
            session.get_one(Payment, payment.id).move(PaymentState.UNKNOWN)

        assert found(hours=3) == set()
        assert found(hours=26) == {("payment_stuck", payment.reference)}


def test_what_a_person_has_resolved_is_told_again_only_when_it_is_something_else(
    app: Flask,
) -> None:
    def spoil(units: int) -> list[str]:
        with transaction() as session:
            session.execute(update(Product).values(available=Product.available + units))
        check()
        return [item.kind for item in open_attention()]

    with app.app_context():
        make_product(stock=5)
        assert spoil(1) == ["wrong_stock"]
        resolve_attention_item(open_attention()[0].id, Because("counted", "Ann"))

        assert spoil(0) == []
        assert spoil(2) == ["wrong_stock"]


def test_a_sweep_looks_at_the_newest_orders_only(app: Flask) -> None:
    with app.app_context():
        old, _ = make_order(app)
        with transaction() as session:
            session.execute(text("DELETE FROM order_events"))
        make_order(app)

        assert {finding.reference for finding in discrepancies(newest=1)} == set()
        assert {finding.reference for finding in discrepancies(newest=2)} == {old.number}
        assert {finding.reference for finding in discrepancies(newest=None)} == {old.number}
