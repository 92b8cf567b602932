"""Our clock was a day or a year ahead, and is right now: nothing waits until the day that it showed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import select, update

from shop import jobs, moments
from shop.attention.queries import open_attention
from shop.because import Because
from shop.catalogue.models import DeliveryKind, ExchangeRate, Product
from shop.catalogue.queries import rates_with_faults
from shop.columns import UtcDateTime
from shop.config import Settings
from shop.db import Base, db, end_read, transaction, utcnow
from shop.doctor import machine
from shop.fulfilment.goods import download_url, find_download
from shop.fulfilment.models import Delivery, DeliveryState
from shop.limits.models import Placement
from shop.moments import CLOCKS_DIFFER, bounds, set_right
from shop.orders.models import Order, OrderStatus
from shop.outbox.kinds import MailKind
from shop.outbox.models import MailState, OutboxMail
from shop.outbox.on_request import FIRST_MAIL_WAITS, send_again
from shop.outbox.sending import LONGEST_PAUSE
from shop.payments.by_hand import cancel_order, refund_order
from shop.payments.checking import refresh
from shop.payments.cryptocloud import ProvenPostback, Unavailable
from shop.payments.inbox import receive_postback
from shop.payments.models import Payment, PaymentState
from shop.payments.opening import note_failure, open_invoice, start_payment
from shop.payments.watching import pause_after
from shop.sandbox.invoices import Action
from shop.sandbox.state import Sandbox
from tests.conftest import settings_for
from tests.factories import gateway, make_open_order, make_order, make_product, send_due_mails
from tests.faults.test_clocks import A_MINUTE, Clocks
from tests.support.sold import sell

DAY, YEAR = timedelta(days=1), timedelta(days=365)

ONLY_TOLD = {
    "attention_items.created_at": "in what order a person reads them",
    "attention_items.resolved_at": "shown",
    "deliveries.created_at": "shown",
    "licence_keys.added_at": "shown",
    "licence_keys.withdrawn_at": "whether it was, and no more",
    "order_events.at": "history is never rewritten; the address is erased so much later",
    "orders.corrected_at": "whether it was, and no more",
    "orders.erased_at": "whether it was, and no more",
    "orders.fulfilled_at": "shown; whether it was",
    "orders.paid_at": "shown; the hand-over does not wait for it",
    "payments.paid_at": "shown",
    "postbacks.done_at": "whether it was, and no more",
    "products.created_at": "told to search engines",
    "products.updated_at": "told to search engines",
}
"""Moments that nothing waits for and no limit counts from."""


@pytest.fixture
def settings(tmp_path: Path, database_url: str, sandbox: Sandbox) -> Settings:
    return settings_for(sandbox, tmp_path / "data", database_url)


@pytest.fixture
def clocks(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Iterator[Clocks]:
    clocks = Clocks()
    with monkeypatch.context() as patch:
        clocks.is_put_into(patch)
        sandbox.clock = lambda: clocks.theirs
        yield clocks


def test_every_stored_moment_has_been_considered(app: Flask) -> None:
    stored = {
        f"{table.name}.{column.name}"
        for table in Base.metadata.tables.values()
        for column in table.columns
        if isinstance(column.type, UtcDateTime)
    }
    with app.app_context():
        bounded = {f"{bound.table.name}.{bound.column.key}" for bound in bounds(utcnow())}

    assert bounded | set(ONLY_TOLD) == stored
    assert bounded & set(ONLY_TOLD) == set()


def minutes(clocks: Clocks, number: int) -> None:
    """The worker sweeps once a minute."""
    for _ in range(number):
        clocks.passed += A_MINUTE
        end_read()
        jobs.run("sweep")
        end_read()


class Waiting:
    """One order for each kind of waiting, made while the clock was ahead."""

    def __init__(self, app: Flask, sandbox: Sandbox, clocks: Clocks) -> None:
        self.app, self.sandbox, self.clocks = app, sandbox, clocks
        self.last_unit = make_product(stock=1)
        self.told = self.opened()
        self.lost = self.opened()
        self.unsent = self.opened()
        self.busy = make_order(app)[1].id
        self.died = make_order(app)[1].id
        self.held = make_order(app, self.last_unit)[1].id
        self.sold()
        self.sending()
        note_failure(*self.ids(self.busy), Unavailable("too many calls", retry_after=30))
        note_failure(*self.ids(self.held), Unavailable("too many calls", retry_after=30))
        receive_postback(ProvenPostback("WHOSE123", None, "success", "10.01", "USDT_TRC20"))
        with transaction() as session:
            session.add(
                ExchangeRate(
                    base_currency="USD", currency="EUR", rate_e8=90_000_000, set_at=utcnow()
                )
            )

    def opened(self) -> int:
        _, payment = make_order(self.app, make_product(stock=5))
        open_invoice(payment, gateway(self.app))
        return payment.id

    def ids(self, payment_id: int) -> tuple[int, int]:
        return db.session.get_one(Payment, payment_id).order_id, payment_id

    def payment(self, payment_id: int) -> Payment:
        end_read()
        return db.session.get_one(Payment, payment_id)

    def sold(self) -> None:
        """Paid, and its mail with the goods is queued."""
        payment = self.payment(self.told)
        self.sandbox.act(payment.invoice_id or "", Action.PAY)
        refresh(payment, gateway(self.app))

    def sending(self) -> None:
        """The worker dies while it sends the first mail of another."""
        order_id = self.payment(self.unsent).order_id
        with transaction() as session:
            session.execute(
                update(OutboxMail)
                .where(OutboxMail.order_id == order_id)
                .values(
                    state=MailState.SENDING, tries=1, lease_until=utcnow() + timedelta(minutes=2)
                )
            )

    def mail(self, payment_id: int, template: str) -> MailState:
        order_id = self.payment(payment_id).order_id
        query = select(OutboxMail.state).where(OutboxMail.order_id == order_id)
        return db.session.scalars(query.where(OutboxMail.kind == template)).one()


@pytest.mark.promise(15)
@pytest.mark.parametrize("ahead", [DAY, YEAR])
def test_within_minutes_of_the_right_time_all_is_done_that_was_begun_by_a_clock_ahead(
    app: Flask, clocks: Clocks, sandbox: Sandbox, ahead: timedelta
) -> None:
    with app.app_context():
        clocks.skew = ahead
        waiting = Waiting(app, sandbox, clocks)
        clocks.skew = timedelta(0)
        sandbox.act(waiting.payment(waiting.lost).invoice_id or "", Action.PAY)

        minutes(clocks, 4)

        assert waiting.mail(waiting.told, MailKind.ORDER_DELIVERED) is MailState.SENT
        assert waiting.mail(waiting.unsent, MailKind.ORDER_PLACED) is MailState.SENT
        assert waiting.payment(waiting.lost).order.status is OrderStatus.FULFILLED
        assert waiting.payment(waiting.died).state is PaymentState.ABANDONED
        payment, ours = start_payment(waiting.payment(waiting.busy).order_id)
        assert ours
        assert payment.expires_at is None
        assert send_again(waiting.payment(waiting.told).order_id)
        assert not any(unused for _, unused in rates_with_faults())
        assert open_attention() == []
        minutes(clocks, 3)
        assert [item.kind for item in open_attention()] == ["unmatched_invoice"]
        clocks.passed += timedelta(hours=24)
        minutes(clocks, 1)
        assert waiting.payment(waiting.held).order.status is OrderStatus.EXPIRED
        assert db.session.get_one(Product, waiting.last_unit.id).available == 1


@pytest.mark.parametrize("engine", ["sqlite"])
def test_without_being_set_right_mails_and_payments_would_wait_for_a_day(
    app: Flask, clocks: Clocks, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control."""
    monkeypatch.setattr(jobs, "set_right", lambda gateway: None)
    with app.app_context():
        clocks.skew = DAY
        waiting = Waiting(app, sandbox, clocks)
        clocks.skew = timedelta(0)

        minutes(clocks, 4)

        assert waiting.mail(waiting.told, MailKind.ORDER_DELIVERED) is MailState.QUEUED
        assert waiting.mail(waiting.unsent, MailKind.ORDER_PLACED) is MailState.SENDING
        assert waiting.payment(waiting.died).state is PaymentState.CREATING


@pytest.mark.parametrize("ahead", [DAY, YEAR])
def test_a_watch_that_a_clock_ahead_has_ended_is_taken_up_again(
    app: Flask, clocks: Clocks, sandbox: Sandbox, ahead: timedelta
) -> None:
    """An invoice that ended long ago by the wrong clock, and by the right one can be paid."""
    with app.app_context():
        payment_id = make_order(app)[1].id
        open_invoice(db.session.get_one(Payment, payment_id), gateway(app))
        clocks.skew = ahead + timedelta(days=9)
        minutes(clocks, 1)
        clocks.skew += timedelta(days=9)
        minutes(clocks, 1)
        payment = db.session.get_one(Payment, payment_id)
        assert payment.order.status is OrderStatus.EXPIRED
        assert payment.next_check_at is None
        clocks.skew = timedelta(0)
        sandbox.act(payment.invoice_id or "", Action.PAY)

        minutes(clocks, 2)

        assert db.session.get_one(Payment, payment_id).order.status is OrderStatus.FULFILLED


@pytest.mark.parametrize("age", [9, 100])
def test_the_next_question_about_an_old_invoice_waits_no_longer_than_its_age_allows(
    app: Flask, age: int
) -> None:
    """A postback that was refused while the clock was ahead wanted a look at once."""
    with app.app_context():
        _, payment = make_open_order(app)
        now = utcnow()
        pause = pause_after(age * 2 * DAY)
        for ahead, right in ((pause / 4, pause / 4), (pause + DAY, timedelta(0))):
            with transaction() as session:
                payment = session.get_one(Payment, payment.id)
                payment.expires_at, payment.next_check_at = now - age * DAY, now + ahead

            set_right(gateway(app), now)

            end_read()
            assert db.session.get_one(Payment, payment.id).next_check_at == now + right


@pytest.mark.parametrize("behind", [DAY, YEAR])
def test_money_is_found_after_a_clock_was_behind(
    app: Flask, clocks: Clocks, sandbox: Sandbox, behind: timedelta
) -> None:
    """By the right clock the order's time was over before it was placed; it is closed, and still watched."""
    with app.app_context():
        clocks.skew = -behind
        payment_id = make_order(app)[1].id
        open_invoice(db.session.get_one(Payment, payment_id), gateway(app))
        clocks.skew = timedelta(0)
        minutes(clocks, 2)
        payment = db.session.get_one(Payment, payment_id)
        sandbox.act(payment.invoice_id or "", Action.PAY)
        clocks.passed += timedelta(hours=20)

        minutes(clocks, 2)

        assert db.session.get_one(Payment, payment_id).order.status is OrderStatus.FULFILLED


def test_what_lies_no_further_ahead_than_it_may_is_left_as_it_is(app: Flask) -> None:
    """A machine whose clock is some minutes off, and what waits by right."""
    with app.app_context():
        _order, payment = make_order(app)
        now = utcnow()
        with transaction() as session:
            for bound in bounds(now):
                furthest = now + bound.ahead + CLOCKS_DIFFER - timedelta(seconds=1)
                session.execute(
                    update(bound.table).where(bound.where).values({bound.column.key: furthest})
                )
            before = session.get_one(Payment, payment.id).retry_at
        placed = db.session.scalars(select(Placement.placed_at)).one()

        set_right(gateway(app), now)

        end_read()
        assert db.session.get_one(Payment, payment.id).retry_at == before
        assert db.session.scalars(select(Placement.placed_at)).one() == placed


def test_a_shop_whose_clocks_are_right_writes_nothing(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    with app.app_context():
        make_order(app)
        monkeypatch.setattr(moments, "transaction", None)  # it cannot

        set_right(gateway(app))


def test_a_download_link_that_was_mailed_while_the_clock_was_ahead_opens(
    app: Flask, clocks: Clocks
) -> None:
    with app.app_context():
        _, payment = make_order(app, make_product(kind=DeliveryKind.FILE, delivery_file="a.zip"))
        with transaction() as session:
            line = payment.order.lines[0]
            session.add(
                Delivery(
                    order_id=payment.order_id,
                    order_line_id=line.id,
                    kind=DeliveryKind.FILE,
                    state=DeliveryState.DELIVERED,
                    file="a.zip",
                    delivered_at=utcnow(),
                )
            )
        clocks.skew = DAY
        delivery = db.session.scalars(select(Delivery)).one()
        address = download_url(delivery, delivery.order)
        token = re.sub(r".*/", "", address)
        clocks.skew = timedelta(0)

        assert find_download(token) is delivery
        clocks.passed += timedelta(days=8) + A_MINUTE
        assert find_download(token) is None


def test_a_worker_that_stopped_while_the_clock_was_ahead_is_seen_to_have_stopped(
    app: Flask, clocks: Clocks, settings: Settings
) -> None:
    with app.app_context():
        clocks.skew = DAY
        jobs.run("sweep")
        clocks.skew = timedelta(0)
        end_read()

        assert machine.worker(settings).level == "fail"
        jobs.run("sweep")
        end_read()
        assert machine.worker(settings).level == "ok"


def test_mails_are_sent_at_once_although_the_clock_that_queued_them_was_ahead(app: Flask) -> None:
    """The smallest case, without a sweep of payments."""
    with app.app_context():
        make_order(app)
        with transaction() as session:
            session.execute(update(OutboxMail).values(next_try_at=utcnow() + DAY))
        assert send_due_mails() == 0

        set_right(gateway(app))

        assert send_due_mails() == 1


@pytest.mark.parametrize(
    ("tries", "ahead", "is_set_right"),
    [(0, FIRST_MAIL_WAITS + CLOCKS_DIFFER + A_MINUTE, True), (3, LONGEST_PAUSE, False)],
    ids=["never tried", "tried again later"],
)
def test_a_mail_waits_no_longer_than_its_own_pause_and_as_long(
    app: Flask, tries: int, ahead: timedelta, is_set_right: bool
) -> None:
    with app.app_context():
        make_order(app)
        now = utcnow()
        with transaction() as session:
            session.execute(update(OutboxMail).values(next_try_at=now + ahead, tries=tries))

        set_right(gateway(app), now)

        end_read()
        due = db.session.scalars(select(OutboxMail.next_try_at)).one()
        assert (due < now + ahead) is is_set_right


@pytest.mark.parametrize(
    ("provider_says", "is_set_right"),
    [(0.0, True), (86400.0, False), (None, False), (Unavailable("not now"), False)],
)
def test_an_orders_time_to_pay_is_touched_only_if_the_providers_clock_bears_ours_out(
    app: Flask,
    monkeypatch: pytest.MonkeyPatch,
    provider_says: float | Unavailable | None,
    is_set_right: bool,
) -> None:
    """It looks the same when it is now that our clock is wrong, and a year slow."""

    def check_key() -> float | None:
        if isinstance(provider_says, Unavailable):
            raise provider_says
        return provider_says

    monkeypatch.setattr(gateway(app), "check_key", check_key)
    with app.app_context():
        order, payment = make_order(app)
        now = utcnow()
        with transaction() as session:
            ahead = {"lease_until": now + YEAR, "created_at": now + YEAR}
            session.execute(update(Payment).values(ahead))
        with transaction() as session:
            session.execute(update(Order).values(expires_at=now + YEAR, created_at=now + YEAR))

        set_right(gateway(app), now)

        end_read()
        end, placed = (timedelta(hours=24), timedelta(0)) if is_set_right else (YEAR, YEAR)
        assert db.session.get_one(Order, order.id).expires_at == now + end
        assert db.session.get_one(Order, order.id).created_at == now + placed
        assert db.session.get_one(Payment, payment.id).created_at == now + placed
        assert db.session.get_one(Payment, payment.id).lease_until == now, "which does no harm"


def test_an_open_invoice_keeps_its_time_when_the_settings_give_less_to_new_ones(
    app: Flask, settings: Settings
) -> None:
    with app.app_context():
        app.config["SETTINGS"] = settings.model_copy(update={"cryptocloud_invoice_hours": 720})
        order, payment = make_order(app)
        open_invoice(payment, gateway(app))
        end = db.session.get_one(Order, order.id).expires_at
        app.config["SETTINGS"] = settings

        set_right(gateway(app))

        end_read()
        assert db.session.get_one(Order, order.id).expires_at == end
        assert db.session.get_one(Payment, payment.id).expires_at == end


def test_while_every_clock_is_right_nothing_is_asked_or_set_whatever_state_orders_are_in(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(moments, "_is_borne_out", lambda _: pytest.fail("the provider was asked"))
    with app.app_context():
        make_open_order(app)
        ends = {order.id: order.expires_at for order in (sell(app), sell(app), sell(app))}
        due, done, _ = (db.session.get_one(Order, id_) for id_ in ends)
        refund_order(due, Because("asked", "Ann"))
        refund_order(done, Because("asked", "Ann"), transaction_id="tx")
        cancel_order(make_open_order(app)[0], gateway(app), Because("asked", "Ann"))
        end_read()

        set_right(gateway(app))

        end_read()
        assert {id_: db.session.get_one(Order, id_).expires_at for id_ in ends} == ends
