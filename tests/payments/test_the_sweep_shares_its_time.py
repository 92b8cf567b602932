"""Each part of the sweep has its share of the time, and several invoices are asked about at once."""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import Future, wait
from datetime import datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import insert, update

from shop.because import Because
from shop.catalogue.models import Product
from shop.db import db, end_read, transaction, utcnow
from shop.orders.models import Order, OrderStatus
from shop.payments import asking
from shop.payments.asking import AT_ONCE, ERRORS_IN_A_ROW, Round
from shop.payments.cryptocloud import InvoiceInfo, Unclear
from shop.payments.models import Payment, PaymentState
from shop.payments.opening import open_invoice
from shop.payments.sweep import check_due_payments, expire_orders, sweep
from tests.factories import make_order, make_product
from tests.support.standin import StandIn

MINUTE = timedelta(minutes=1)


class SlowProvider(StandIn):
    """Each of its answers takes some seconds, by a clock that goes on when the sweep waits for one."""

    def __init__(self, app: Flask, seconds: float, patch: pytest.MonkeyPatch) -> None:
        super().__init__(app.extensions["cryptocloud"])
        app.extensions["cryptocloud"] = self
        self.seconds, self.now, self.most = seconds, 0.0, 0
        self.ends: list[float] = []
        self.changed = threading.Condition()
        patch.setattr(asking.time, "monotonic", lambda: self.now)
        patch.setattr(asking, "wait", self.wait)

    def invoice_infos(
        self, ids: Sequence[str], *, seconds: float | None = None
    ) -> dict[str, InvoiceInfo]:
        with self.changed:
            self.ends.append(end := self.now + self.seconds)
            self.most = max(self.most, len(self.ends))
            self.changed.notify_all()
            self.changed.wait_for(lambda: self.now >= end)
            self.ends.remove(end)
        return super().invoice_infos(ids)

    def wait(self, calls: Collection[Future[Any]], *, return_when: str) -> Any:
        """Let time pass until the first of these calls is answered."""
        with self.changed:
            if not any(call.done() for call in calls):
                self.changed.wait_for(lambda: len(self.ends) >= len(calls))
                self.now = min(self.ends)
                self.changed.notify_all()
        return wait(calls, return_when=return_when)


@pytest.fixture
def slow(app: Flask, monkeypatch: pytest.MonkeyPatch) -> Iterator[SlowProvider]:
    with monkeypatch.context() as patch:
        provider = SlowProvider(app, 8, patch)
        with app.app_context():
            yield provider


def open_invoices(app: Flask, provider: StandIn, count: int, due: datetime) -> None:
    """So many more like the first, whose time to be asked about has come."""
    _, payment = make_order(app, make_product())
    open_invoice(payment, provider)  # type: ignore[arg-type]
    first = db.session.get_one(Payment, payment.id)
    order, numbers = first.order, range(1000, 999 + count)
    with transaction() as session:
        session.execute(update(Payment).where(Payment.id == first.id).values(next_check_at=due))
        made = [_like(order, id=n, number=f"{n}", checkout_key=f"{n}", version=0) for n in numbers]
        session.execute(insert(Order), made)
        facts = {"next_check_at": due, "pay_url": first.pay_url}
        rows = [
            _like(first, id=n, order_id=n, reference=f"{n}", invoice_id=f"C{n:07}", **facts)
            for n in numbers
        ]
        session.execute(insert(Payment), rows)
    provider.truth |= {f"C{n:07}": "created" for n in numbers}


def _like(row: Order | Payment, **values: object) -> dict[str, Any]:
    columns = row.__table__.columns.keys()
    return {name: getattr(row, name) for name in columns} | values


def overdue(app: Flask, provider: StandIn) -> tuple[Order, Product]:
    """An order whose time is over, and the product of which it keeps the last unit."""
    product = make_product(stock=1)
    order, payment = make_order(app, product)
    open_invoice(payment, provider)  # type: ignore[arg-type]
    with transaction() as session:
        session.get_one(Order, order.id).expires_at = utcnow() - MINUTE
    return order, product


def test_an_overdue_order_gives_its_stock_back_although_the_due_invoices_take_all_the_time(
    app: Flask, slow: SlowProvider
) -> None:
    open_invoices(app, slow, 60, utcnow() - MINUTE)
    order, product = overdue(app, slow)

    sweep(slow, utcnow())  # type: ignore[arg-type]

    end_read()
    assert order.status is OrderStatus.EXPIRED
    assert product.available == 1
    assert len(slow.asked) < 60, "there was more to ask"
    assert slow.now < 60, "the next sweep comes in a minute"


def test_with_one_budget_for_all_the_overdue_order_would_keep_its_stock(
    app: Flask, slow: SlowProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control: one call at a time, the due invoices first, and nobody has a share."""
    monkeypatch.setattr(asking, "AT_ONCE", 1)
    monkeypatch.setattr(asking, "LEAST_SECONDS", -1)
    parts = ((check_due_payments, 1), (expire_orders, 1))
    monkeypatch.setattr("shop.payments.sweep.PARTS", parts)
    open_invoices(app, slow, 12, utcnow() - MINUTE)
    order, _ = overdue(app, slow)

    sweep(slow, utcnow())  # type: ignore[arg-type]

    end_read()
    assert order.status is OrderStatus.PENDING


def test_overdue_orders_leave_the_due_invoices_their_share(app: Flask, slow: SlowProvider) -> None:
    """However many there are of them."""
    open_invoices(app, slow, 50, utcnow() - MINUTE)
    with transaction() as session:
        session.execute(update(Order).values(expires_at=utcnow() - MINUTE))
    sweep(slow, utcnow())  # type: ignore[arg-type]

    end_read()
    checked = db.session.query(Payment).filter(Payment.checks > 0).count()
    expired = db.session.query(Order).filter(Order.status == OrderStatus.EXPIRED).count()
    assert checked >= 5
    assert expired >= 5
    assert slow.now < 60


def test_several_are_asked_about_at_once_while_the_provider_answers(
    app: Flask, slow: SlowProvider
) -> None:
    slow.seconds = 1
    open_invoices(app, slow, 60, utcnow() - MINUTE)

    check_due_payments(Round(slow), utcnow())  # type: ignore[arg-type]

    assert len(slow.asked) == len(set(slow.asked)) == 60
    assert slow.most == AT_ONCE
    # One alone, then two, four and eight, then sixteen at a time.
    assert slow.now <= 4 + (60 - 15) / AT_ONCE + 1


def test_a_provider_that_goes_down_is_called_no_more_than_those_that_were_under_way(
    app: Flask, slow: SlowProvider
) -> None:
    slow.seconds = 1
    open_invoices(app, slow, 200, utcnow() - MINUTE)

    def goes_down() -> None:
        slow.down = len(slow.asked) > 20

    slow.before_answer = goes_down
    now = utcnow()
    check_due_payments(Round(slow), now)  # type: ignore[arg-type]

    # Good answers that were under way may be acted on between the bad ones, and each lets one more call begin.
    assert 20 < len(slow.asked) <= 20 + 2 * AT_ONCE + ERRORS_IN_A_ROW
    again = db.session.query(Payment).filter(Payment.next_check_at == now + timedelta(seconds=30))
    assert again.count() == len(slow.asked) - 20, "what was not answered is asked again"


def test_after_an_error_the_provider_is_asked_about_one_at_a_time_until_it_answers(
    app: Flask,
) -> None:
    with app.app_context():
        calls = Round(app.extensions["cryptocloud"])
        for _ in range(6):
            calls.make(lambda: "an answer", "one")
        assert calls._at_once == AT_ONCE

        def fails() -> None:
            raise Unclear("no answer in time")

        calls.make(fails, "another")
        assert calls._at_once == 1


def test_what_breaks_when_an_answer_is_acted_on_keeps_no_other_from_its_turn(
    app: Flask, slow: SlowProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow.seconds = 1
    open_invoices(app, slow, 10, utcnow() - MINUTE)
    act = asking.act_on

    def breaks(question: Any, answer: Any) -> set[int]:
        if "C0001003" in question:
            raise RuntimeError("broken")
        return act(question, answer)

    monkeypatch.setattr(asking, "act_on", breaks)
    with pytest.raises(RuntimeError, match="broken"):
        check_due_payments(Round(slow), utcnow())  # type: ignore[arg-type]

    assert len(slow.asked) == 10
    told = db.session.query(Payment).filter(Payment.checked_at.is_not(None))
    assert told.count() == 9


def test_what_is_about_to_expire_is_asked_about_first_and_what_is_only_watched_last(
    app: Flask, slow: SlowProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking, "AT_ONCE", 1)  # so that the order can be seen
    slow.seconds = 1
    open_invoices(app, slow, 8, utcnow() - MINUTE)
    with transaction() as session:
        watched = session.get_one(Payment, 1002)
        watched.state, watched.next_check_at = PaymentState.CANCELLED, utcnow() - 9 * MINUTE
        session.execute(
            update(Order).where(Order.id == 1002).values(expires_at=utcnow() - MINUTE * 120)
        )
        session.get_one(Order, 1005).expires_at = utcnow() + MINUTE
    with transaction() as session:
        session.get_one(Order, 1002).move(OrderStatus.EXPIRED, Because("its time is over"))

    check_due_payments(Round(slow), utcnow())  # type: ignore[arg-type]

    assert slow.asked[0] == "C0001005"
    assert slow.asked[-1] == "C0001002"
