"""The control of all fault tests: the ledger they trust says so when something is lost or doubled."""

from __future__ import annotations

from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import delete, insert, update

from shop.attention.models import AttentionItem
from shop.db import transaction, utcnow
from shop.orders.models import Order, OrderStatus
from shop.payments.checking import refresh
from shop.payments.models import Payment, Postback
from tests.factories import gateway, make_open_order, provider
from tests.support.ledger import Truth, tally, violations
from tests.support.promises import Promise

STRAY = "STRAY001"


@pytest.fixture
def engine() -> str:
    """Its statements are the same on both; tests/books/test_checks.py runs on each."""
    return "sqlite"


@pytest.fixture
def invoice(app: Flask) -> str:
    """An open invoice of the shop."""
    with app.app_context():
        return str(make_open_order(app)[1].invoice_id)


@pytest.fixture
def sold(app: Flask) -> str:
    """An invoice whose goods have been handed over."""
    with app.app_context():
        _, payment = make_open_order(app)
        with provider(app) as calls:
            calls.invoice_is("paid")
            refresh(payment, gateway(app))
        return str(payment.invoice_id)


def change(app: Flask, statement: object) -> None:
    with app.app_context(), transaction() as session:
        session.execute(statement)  # type: ignore[call-overload]


def test_a_sale_and_an_open_invoice_are_in_order(app: Flask, sold: str, invoice: str) -> None:
    assert violations(app, {sold: "paid", invoice: "created"}, settled=True, orders=2) == []


def test_paid_money_may_wait_for_the_sweep_but_not_longer(app: Flask, invoice: str) -> None:
    assert violations(app, {invoice: "paid"}) == []
    assert "lost: invoice" in violations(app, {invoice: "overpaid"}, settled=True)[0]


def test_paid_money_that_nobody_will_look_for_is_lost_at_once(app: Flask, invoice: str) -> None:
    change(app, update(Order).values(status=OrderStatus.EXPIRED))
    change(app, update(Payment).values(state="cancelled", next_check_at=None))

    assert any("nobody will ever look" in each for each in violations(app, {invoice: "paid"}))


def test_goods_without_the_providers_money_are_doubled(app: Flask, sold: str) -> None:
    promise = Promise()

    found = tally(promise, violations(app, {sold: "created"}))

    assert [each.partition(":")[0] for each in found] == ["doubled", "doubled"]
    assert (promise.lost, promise.doubled) == (0, 2)


def test_money_that_a_person_has_vouched_for_needs_no_provider(app: Flask, sold: str) -> None:
    change(app, update(Payment).values(confirmed_by="the owner"))

    assert violations(app, {sold: "canceled"}) == []


def test_an_order_that_has_vanished_is_missed(app: Flask, invoice: str) -> None:
    assert violations(app, {}, orders=2) == ["lost: 2 orders were made, and there are 1"]


def test_a_postback_answered_and_not_kept_is_lost(app: Flask) -> None:
    assert violations(app, Truth({STRAY: "paid"}), settled=True) == []
    assert "not in the inbox" in violations(app, Truth({STRAY: "paid"}, [STRAY]))[0]


def test_a_stray_invoice_is_put_before_a_person(app: Flask) -> None:
    long_ago = utcnow() - timedelta(hours=1)
    claims = {f"claimed_{name}": "" for name in ("status", "amount", "currency", "order")}
    change(
        app,
        insert(Postback).values(invoice_id=STRAY, first_at=long_ago, last_at=long_ago, **claims),
    )
    truth = Truth({STRAY: "paid"}, [STRAY])

    assert violations(app, truth) == []
    assert "leads nowhere" in violations(app, truth, settled=True)[0]
    change(app, update(Postback).values(done_at=utcnow(), verdict="unmatched"))
    assert "is closed as 'unmatched'" in violations(app, truth)[0]
    change(app, insert(AttentionItem).values(kind="unmatched_invoice", reference=STRAY, note=""))
    assert violations(app, truth, settled=True) == []
    change(app, delete(AttentionItem))
    assert violations(app, truth, settled=True) != []
