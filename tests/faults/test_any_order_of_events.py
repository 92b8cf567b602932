"""Create reply, postback, poll and return page come in any order; the order is fulfilled once in each."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable
from datetime import timedelta

import pytest
from flask import Flask

from shop.because import Because
from shop.catalogue.models import Product
from shop.catalogue.queries import find_product
from shop.config import Settings
from shop.db import db, end_read, utcnow
from shop.money import Money
from shop.orders.models import OrderFlag, OrderStatus
from shop.payments.by_hand import cancel_order, refund_order
from shop.payments.checking import refresh
from shop.payments.cryptocloud import Invoice
from shop.payments.models import Payment
from shop.payments.opening import open_invoice
from shop.payments.sweep import sweep
from tests.factories import make_order, make_product, make_token
from tests.support.forgeries import ADDRESS
from tests.support.ledger import tally, violations
from tests.support.processes import until
from tests.support.promises import Promise
from tests.support.standin import StandIn, believe_old_news, history, not_once, stand_in

POLLED_AFTER = [timedelta(seconds=16), timedelta(minutes=4), timedelta(seconds=31)]
"""A poll may find the call running, given up for lost, or past the end of its lease."""


class HeldBack(StandIn):
    """Its invoices exist, and are paid, long before its replies to the create calls arrive."""

    asked_for: threading.Event
    may_reply: threading.Event

    def create_invoice(self, amount: Money, *, reference: str, email: str | None = None) -> Invoice:
        made = super().create_invoice(amount, reference=reference)
        self.truth[made.id], self.newest = "paid", made.id
        self.asked_for.set()
        assert self.may_reply.wait(120)
        return made


class Sale:
    """One order whose create call waits for its reply, and the four things that may happen to it."""

    def __init__(self, app: Flask, slug: str, polled_after: timedelta) -> None:
        self.app, self.polled_after = app, polled_after
        self.gateway = HeldBack(app.extensions["cryptocloud"], app.extensions["truth"])
        self.gateway.asked_for, self.gateway.may_reply = threading.Event(), threading.Event()
        app.extensions["cryptocloud"] = self.gateway
        with app.app_context():
            product = find_product(slug)
            assert product
            order, payment = make_order(app, product)
            self.number, self.payment_id, self.reference = (
                order.number,
                payment.id,
                payment.reference,
            )
        self.call = threading.Thread(target=self._open)
        self.call.start()
        assert self.gateway.asked_for.wait(120)

    def _open(self) -> None:
        with self.app.app_context():
            open_invoice(db.session.get_one(Payment, self.payment_id), self.gateway)  # type: ignore[arg-type]

    def reply(self) -> None:
        self.gateway.may_reply.set()
        self.call.join(30)
        assert not self.call.is_alive()

    def postback(self) -> None:
        settings: Settings = self.app.config["SETTINGS"]
        invoice_id = self.gateway.newest
        assert post_postback(self.app, settings, invoice_id, self.reference) == 200

    def poll(self) -> None:
        sweep_once(self.app, self.gateway, self.polled_after)

    def return_page(self) -> None:
        """The browser comes back from the pay page, and is led to its order."""
        browser = self.app.test_client()
        with browser.session_transaction() as session:
            session["orders"] = [self.number]
        answer = browser.get(f"/payment/success?order_id={self.reference}", follow_redirects=True)
        assert answer.status_code == 200
        assert self.number in answer.text


def sweep_once(app: Flask, gateway: StandIn, later: timedelta = timedelta(seconds=16)) -> None:
    with app.app_context():
        sweep(gateway, utcnow() + later)  # type: ignore[arg-type]


def post_postback(app: Flask, settings: Settings, invoice_id: str, reference: str) -> int:
    fields = {"invoice_id": invoice_id, "order_id": reference, "status": "success"}
    token = make_token(settings, invoice_id)
    return app.test_client().post(ADDRESS, data=fields | {"token": token}).status_code


Event = Callable[[Sale], None]
EVENTS: list[Event] = [Sale.reply, Sale.postback, Sale.poll, Sale.return_page]


ORDERINGS = list(itertools.permutations(EVENTS))


def let_all_happen(app: Flask, orderings: list[tuple[Event, ...]], rounds: int = 1) -> int:
    """Every ordering so many times, each for an order of its own; how many orders that were."""
    app.extensions["truth"] = {}
    with app.app_context():
        slug = make_product(stock=len(orderings) * rounds).slug
    for number in range(rounds):
        for which, ordering in enumerate(orderings, start=number):
            sale = Sale(app, slug, POLLED_AFTER[which % len(POLLED_AFTER)])
            for event in ordering:
                event(sale)
    return len(orderings) * rounds


@pytest.mark.promise(3)
@pytest.mark.parametrize("rounds", [1, pytest.param(50, marks=pytest.mark.long)])
def test_in_each_of_the_24_orderings_the_order_is_fulfilled_once(
    app: Flask, rounds: int, promise: Promise
) -> None:
    orders = let_all_happen(app, ORDERINGS, rounds)
    gateway = app.extensions["cryptocloud"]

    for _ in range(-(-orders // 200)):  # a sweep asks about 200 at most
        sweep_once(app, gateway, timedelta(minutes=5))

    promise.cases += orders
    found = violations(app, gateway.truth, settled=True, orders=orders)
    assert tally(promise, found + not_once(app)) == []


def test_without_the_last_sweep_a_postback_that_came_before_the_reply_would_be_forgotten(
    app: Flask,
) -> None:
    """The control: this ordering needs the sweep, and what is lost without it would be seen."""
    let_all_happen(app, [(Sale.postback, Sale.poll, Sale.return_page, Sale.reply)])

    assert len(not_once(app)) == 4


@pytest.mark.promise(3)
@pytest.mark.parametrize("rounds", [2, pytest.param(50, marks=pytest.mark.long)])
def test_a_postback_for_an_order_that_is_closed_already_loses_and_doubles_nothing(
    app: Flask, settings: Settings, rounds: int, promise: Promise
) -> None:
    gateway = stand_in(app)
    with app.app_context():
        product = make_product(stock=4 * rounds)
        for _ in range(rounds):
            sales = {kind: open_order(app, gateway, product) for kind in CLOSED}
            for kind, payment in sales.items():
                invoice_id, reference = str(payment.invoice_id), payment.reference
                CLOSED[kind](app, gateway, payment)
                end_read()
                gateway.truth[invoice_id] = "paid"
                for _ in range(2):
                    assert post_postback(app, settings, invoice_id, reference) == 200

            outcomes = {kind: (p.order.status, p.order.flag) for kind, p in sales.items()}
            assert outcomes == {
                "paid": (OrderStatus.FULFILLED, OrderFlag.NONE),
                "expired": (OrderStatus.FULFILLED, OrderFlag.PAID_LATE),
                "cancelled": (OrderStatus.FULFILLED, OrderFlag.PAID_LATE),
                "refunded": (OrderStatus.REFUNDED, OrderFlag.NONE),
            }

    promise.cases += 8 * rounds
    found = violations(app, gateway.truth, settled=True, orders=4 * rounds)
    assert tally(promise, found + not_once(app)) == []


def open_order(app: Flask, gateway: StandIn, product: Product) -> Payment:
    _, payment = make_order(app, product)
    open_invoice(payment, gateway)  # type: ignore[arg-type]
    return payment


def pay(app: Flask, gateway: StandIn, payment: Payment) -> None:
    gateway.truth[str(payment.invoice_id)] = "paid"
    refresh(payment, gateway)  # type: ignore[arg-type]


def expire(app: Flask, gateway: StandIn, payment: Payment) -> None:
    gateway.truth[str(payment.invoice_id)] = "canceled"
    refresh(payment, gateway)  # type: ignore[arg-type]


def cancel(app: Flask, gateway: StandIn, payment: Payment) -> None:
    cancel_order(payment.order, gateway, Because("the buyer asked for it", "shop keeper"))  # type: ignore[arg-type]


def refund(app: Flask, gateway: StandIn, payment: Payment) -> None:
    pay(app, gateway, payment)
    refund_order(payment.order, Because("it did not fit", "shop keeper"), transaction_id="0xabc")


CLOSED: dict[str, Callable[[Flask, StandIn, Payment], None]] = {
    "paid": pay,
    "expired": expire,
    "cancelled": cancel,
    "refunded": refund,
}


@pytest.mark.promise(3)
@pytest.mark.parametrize("guarded", [True, False])
@pytest.mark.parametrize("rounds", [2, pytest.param(50, marks=pytest.mark.long)])
def test_poll_and_postback_that_ask_at_the_same_moment_fulfil_once(
    app: Flask,
    settings: Settings,
    rounds: int,
    guarded: bool,
    promise: Promise,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With the control: if settling did not look again under its lock, both would sell the goods."""
    gateway = stand_in(app)
    gateway.before_answer = threading.Barrier(2, timeout=60).wait
    if not guarded:
        believe_old_news(app, monkeypatch)
    for _ in range(rounds):
        with app.app_context():
            payment = open_order(app, gateway, make_product())
            invoice_id, reference = str(payment.invoice_id), payment.reference
            gateway.truth[invoice_id] = "paid"

        poll = threading.Thread(target=sweep_once, args=(app, gateway))
        poll.start()
        until(lambda id_=invoice_id: id_ in gateway.asked, "the poll's question")
        assert post_postback(app, settings, invoice_id, reference) == 200
        poll.join(30)

    assert len(gateway.asked) == 2 * rounds
    if not guarded:
        assert all(counts["paid"] == 2 for counts in history(app).values())
        return
    promise.cases += 2 * rounds
    found = violations(app, gateway.truth, settled=True, orders=rounds)
    assert tally(promise, found + not_once(app)) == []
