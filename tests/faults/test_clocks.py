"""Our clock is wrong, or jumps: no forgery gets in, no genuine money waits, nothing happens too early."""

from __future__ import annotations

import itertools
import time
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import func, select

import shop.db
import shop.payments.cryptocloud.v2
from shop.config import Settings
from shop.db import db, end_read, utcnow
from shop.fulfilment.models import Delivery
from shop.orders.links import order_token
from shop.orders.models import Order, OrderFlag, OrderStatus
from shop.payments.checking import refresh
from shop.payments.models import Payment, PaymentState, Postback
from shop.payments.opening import open_invoice
from shop.payments.sweep import sweep
from shop.payments.times import CALL_LEASE
from shop.sandbox.invoices import Action
from shop.sandbox.state import Sandbox
from tests.conftest import settings_for
from tests.factories import gateway, make_order, make_postback, make_product, make_token
from tests.support.forgeries import ADDRESS, Target, forged
from tests.support.ledger import tally, truth_of, violations
from tests.support.promises import Promise

pytestmark = pytest.mark.promise(15)

SKEWS = [timedelta(minutes=minutes) for minutes in (-10, -4, -1, 1, 4, 10)]
AN_HOUR_BACK = timedelta(hours=-1)
Skews = tuple[timedelta, ...]
A_SECOND = timedelta(seconds=1)
A_MINUTE = timedelta(minutes=1)
ROUNDS = [1, pytest.param(20, marks=pytest.mark.long)]
WRONG = [(SKEWS[-1],), pytest.param((*SKEWS, AN_HOUR_BACK), marks=pytest.mark.long)]
OFTEN = [((SKEWS[0], SKEWS[-1]), 1), pytest.param(tuple(SKEWS), 20, marks=pytest.mark.long)]


class Clocks:
    """The provider's, which is right, and ours; time passes on both when a test says so."""

    def __init__(self) -> None:
        self.passed, self.skew = timedelta(), timedelta()

    @property
    def theirs(self) -> datetime:
        return datetime.now(UTC) + self.passed

    @property
    def ours(self) -> datetime:
        return self.theirs + self.skew

    def is_put_into(self, patch: pytest.MonkeyPatch) -> None:
        """Have the shop read our clock wherever it asks for the time."""
        clocks, real = self, time.time

        class OurTime(datetime):
            @classmethod
            def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
                return clocks.ours.astimezone(tz)

        patch.setattr(shop.db, "datetime", OurTime)
        patch.setattr(shop.payments.cryptocloud.v2, "datetime", OurTime)
        patch.setattr(time, "time", lambda: real() + (self.passed + self.skew).total_seconds())


@pytest.fixture
def clocks(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Clocks:
    clocks = Clocks()
    clocks.is_put_into(monkeypatch)
    sandbox.clock = lambda: clocks.theirs
    return clocks


@pytest.fixture
def settings(tmp_path: Path, database_url: str, sandbox: Sandbox) -> Settings:
    return settings_for(sandbox, tmp_path / "data", database_url)


def buy(app: Flask) -> Payment:
    """An order whose invoice is open."""
    _, payment = make_order(app, make_product(stock=5))
    open_invoice(payment, gateway(app))
    return db.session.get_one(Payment, payment.id)


def postback_of(app: Flask, payment: Payment, clocks: Clocks) -> dict[str, object]:
    """What the provider sends: good for five minutes of its own clock."""
    assert payment.invoice_id
    settings: Settings = app.config["SETTINGS"]
    expires = int(clocks.theirs.timestamp()) + 300
    return make_postback(
        settings, payment, token=make_token(settings, payment.invoice_id, exp=expires)
    )


def sweep_until(app: Flask, clocks: Clocks, payment: Payment, state: PaymentState) -> int:
    """Sweep once a minute until the payment is so; how many sweeps it took, three at the most."""
    for number in (1, 2, 3):
        clocks.passed += A_MINUTE
        end_read()
        sweep(gateway(app))
        if payment.state is state:
            return number
    return 99


def is_paid(app: Flask, clocks: Clocks, sandbox: Sandbox, *, told: bool) -> int:
    """A buyer pays an invoice that is three hours old; how many sweeps it takes until we know."""
    payment = buy(app)
    clocks.passed += timedelta(hours=3)
    end_read()
    sweep(gateway(app))  # from now on, it is asked about once an hour
    assert payment.state is PaymentState.OPEN
    sandbox.act(payment.invoice_id or "", Action.PAY)
    if told:
        postback = postback_of(app, payment, clocks)
        assert app.test_client().post(ADDRESS, data=postback).status_code in (200, 403)
    end_read()
    return (
        0
        if payment.state is PaymentState.PAID
        else sweep_until(app, clocks, payment, PaymentState.PAID)
    )


@pytest.mark.parametrize(("skews", "rounds"), OFTEN)
def test_genuine_money_is_found_within_two_sweeps_however_wrong_our_clock_is(
    app: Flask, clocks: Clocks, sandbox: Sandbox, promise: Promise, skews: Skews, rounds: int
) -> None:
    with app.app_context():
        for skew in skews * rounds:
            clocks.skew = skew

            sweeps = is_paid(app, clocks, sandbox, told=True)

            promise.cases += 1
            assert sweeps <= 2, f"with our clock off by {skew}"
    found = violations(app, truth_of(sandbox), orders=promise.cases, settled=True, now=clocks.ours)
    assert tally(promise, found) == []


@pytest.mark.parametrize("rounds", ROUNDS)
@pytest.mark.parametrize("told", [True, False])
def test_genuine_money_is_found_within_two_sweeps_after_our_clock_was_set_back(
    app: Flask, clocks: Clocks, sandbox: Sandbox, promise: Promise, told: bool, rounds: int
) -> None:
    with app.app_context():
        for _ in range(rounds):
            clocks.skew = timedelta()
            payment = buy(app)
            clocks.skew = AN_HOUR_BACK
            sandbox.act(payment.invoice_id or "", Action.PAY)
            if told:
                postback = postback_of(app, payment, clocks)
                assert app.test_client().post(ADDRESS, data=postback).status_code == 403

            sweeps = sweep_until(app, clocks, payment, PaymentState.PAID)

            promise.cases += 1
            assert sweeps <= 2
    found = violations(app, truth_of(sandbox), orders=rounds, settled=True, now=clocks.ours)
    assert tally(promise, found) == []


def test_a_clock_that_was_set_back_does_not_keep_us_from_asking_again(
    app: Flask, clocks: Clocks, sandbox: Sandbox
) -> None:
    """Not only once, when the jump is seen: the money may come at any time in the hour that is lived twice."""
    with app.app_context():
        payment = buy(app)
        clocks.skew = AN_HOUR_BACK
        clocks.passed += A_MINUTE
        end_read()
        sweep(gateway(app))
        sandbox.act(payment.invoice_id or "", Action.PAY)

        assert sweep_until(app, clocks, payment, PaymentState.PAID) <= 2


@pytest.mark.parametrize("engine", ["sqlite"])
def test_without_the_nudge_a_refused_postback_would_leave_the_money_waiting(
    app: Flask, clocks: Clocks, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control: it is the refused postback that has the provider asked."""
    monkeypatch.setattr("shop.payments.views.nudge", lambda *given: False)
    clocks.skew = SKEWS[-1]
    with app.app_context():
        assert is_paid(app, clocks, sandbox, told=True) > 2


def target_of(app: Flask, sandbox: Sandbox) -> Target:
    """An order that nobody has paid, a cheap one that the forger has, and one that was."""
    ids = itertools.count()
    sandbox._unused_id = lambda: f"T{next(ids):07}"  # type: ignore[method-assign]  # one kind needs a T
    wanted, cheap, other = buy(app), buy(app), buy(app)
    for payment in (cheap, other):
        sandbox.act(payment.invoice_id or "", Action.PAY)
        refresh(payment, gateway(app))
    link = order_token(db.session.get_one(Order, wanted.order_id))
    names = [name for each in (cheap, other) for name in (each.invoice_id or "", each.reference)]
    return Target(app, wanted.invoice_id or "", wanted.reference, link, *names)


def accepted(target: Target) -> list[str]:
    """The kinds of forgery that our clock lets in."""
    found, client = [], target.app.test_client()
    for kind, postbacks in forged(target).items():
        for postback in postbacks:
            answer = client.open(ADDRESS, **{"method": "POST"} | dict(postback))
            if answer.status_code not in (403, 405, 413):
                found.append(kind)
    return found


@pytest.mark.parametrize("skews", WRONG)
def test_no_forgery_is_accepted_however_wrong_our_clock_is(
    app: Flask, clocks: Clocks, sandbox: Sandbox, promise: Promise, skews: Skews
) -> None:
    with app.app_context():
        target = target_of(app, sandbox)
        for skew in skews:
            clocks.skew = skew

            assert accepted(target) == []

            promise.cases += len(forged(target))
        end_read()
        assert count(Postback) == 0
        assert count(Delivery) == 2
    assert tally(promise, violations(app, truth_of(sandbox), orders=3, now=clocks.ours)) == []


@pytest.mark.parametrize("engine", ["sqlite"])
def test_a_genuine_postback_sent_again_after_its_time_has_no_effect_where_our_clock_lets_it_in(
    app: Flask, clocks: Clocks, sandbox: Sandbox
) -> None:
    """Ten minutes slow, we take what has expired elsewhere; it is a hint to look, and no more."""
    clocks.skew = SKEWS[0]
    with app.app_context():
        payment = buy(app)
        postback = postback_of(app, payment, clocks)
        clocks.passed += timedelta(minutes=8)

        assert app.test_client().post(ADDRESS, data=postback).status_code == 200

        end_read()
        assert (payment.state, payment.order.status) == (PaymentState.OPEN, OrderStatus.PENDING)
        assert count(Delivery) == 0


@pytest.mark.parametrize("engine", ["sqlite"])
def test_without_the_look_at_its_times_an_old_token_would_get_in(
    app: Flask, clocks: Clocks, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control: the list of forgeries sees it."""
    with app.app_context():
        target = target_of(app, sandbox)
        monkeypatch.setattr(
            "shop.payments.cryptocloud.postbacks._check_times", lambda claims, now: None
        )

        assert "replay after expiry" in accepted(target)


def count(table: type) -> int:
    return db.session.scalar(select(func.count()).select_from(table)) or 0


def at(clocks: Clocks, moment: datetime) -> None:
    """Let time pass until the right clock shows this moment."""
    clocks.passed += moment - clocks.theirs
    end_read()


@pytest.mark.parametrize("skews", WRONG)
def test_orders_do_not_expire_earlier_than_the_clock_is_fast(
    app: Flask, clocks: Clocks, sandbox: Sandbox, promise: Promise, skews: Skews
) -> None:
    sandbox.configure(lifetime=timedelta(days=3))  # the provider itself does not end it
    with app.app_context():
        for skew in skews:
            clocks.skew = timedelta()
            payment = buy(app)
            over = payment.order.expires_at
            clocks.skew = skew

            at(clocks, over - skew - A_SECOND)
            sweep(gateway(app))
            assert payment.order.status is OrderStatus.PENDING
            at(clocks, over - skew + A_SECOND)
            sweep(gateway(app))
            assert payment.order.status is OrderStatus.EXPIRED

            # Should that have been too early: the money of a late payment is found all the same.
            sandbox.act(payment.invoice_id or "", Action.PAY)
            app.test_client().post(ADDRESS, data=postback_of(app, payment, clocks))
            if payment.state is not PaymentState.PAID:
                assert sweep_until(app, clocks, payment, PaymentState.PAID) <= 2
            end_read()
            order = payment.order
            assert (order.status, order.flag) == (OrderStatus.FULFILLED, OrderFlag.PAID_LATE)
            promise.cases += 1
    found = violations(app, truth_of(sandbox), orders=len(skews), settled=True, now=clocks.ours)
    assert tally(promise, found) == []


@pytest.mark.parametrize("skews", WRONG)
def test_a_call_is_not_given_up_earlier_than_the_clock_is_fast(
    app: Flask, clocks: Clocks, promise: Promise, skews: Skews
) -> None:
    with app.app_context():
        for skew in skews:
            clocks.skew = timedelta()
            _, payment = make_order(app, make_product(stock=5))
            begun = utcnow()
            clocks.skew = skew

            if skew < CALL_LEASE:
                at(clocks, begun + CALL_LEASE - skew - A_SECOND)
                sweep(gateway(app))
                assert payment.state is PaymentState.CREATING
            at(clocks, begun + CALL_LEASE - skew + A_SECOND)
            sweep(gateway(app))
            assert payment.state is PaymentState.UNKNOWN
            promise.cases += 1
