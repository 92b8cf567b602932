"""What a lost postback, a dead process or a silent provider leaves behind is found, and not asked about too often."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import pairwise
from math import ceil

import pytest
import responses
from flask import Flask
from sqlalchemy import select

from shop.attention.queries import open_attention
from shop.books.service import check
from shop.db import db, end_read, transaction, utcnow
from shop.orders.models import Order, OrderFlag, OrderStatus
from shop.payments.asking import ERRORS_IN_A_ROW, Round
from shop.payments.cryptocloud import InvoiceInfo, InvoiceStatus, ProvenPostback, Rejected, Unclear
from shop.payments.inbox import receive_postback
from shop.payments.models import Payment, PaymentState, Postback
from shop.payments.opening import open_invoice
from shop.payments.settling import settle
from shop.payments.sweep import check_due_payments, sweep
from shop.payments.watching import is_watched, late_time
from tests.factories import gateway, make_open_order, make_order, make_product, provider

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
WATCH = timedelta(days=4)
"""After an invoice's end: late money counts for three days here, and a day is added."""


def postback(invoice_id: str, order_id: str | None = None) -> ProvenPostback:
    return ProvenPostback(invoice_id, order_id, "success", "10.01", "USDT_TRC20")


def test_a_payment_whose_postback_was_lost_is_found(app: Flask) -> None:
    with app.app_context():
        order, _ = make_open_order(app)

        with provider(app) as calls:
            calls.invoice_is("paid")
            sweep(gateway(app), utcnow() + timedelta(seconds=16))

        assert order.status is OrderStatus.FULFILLED


asked_at: list[datetime] = []
"""The moments of the sweeps below."""


def hours_of_questions(app: Flask, payment: Payment, until: timedelta) -> list[float]:
    """Sweep whenever an invoice is due, until so long after its end; when it was asked about, from its end."""
    assert payment.expires_at is not None
    asked = list[float]()
    while payment.next_check_at and (now := payment.next_check_at) < payment.expires_at + until:
        asked_at.append(now)
        sweep(gateway(app), now)
        end_read()
        asked.append((now - payment.expires_at) / HOUR)
    return asked


def test_an_open_invoice_is_asked_about_less_and_less_often_and_hourly_until_a_day_after_its_end(
    app: Flask,
) -> None:
    with app.app_context():
        order, payment = make_open_order(app)
        start, end = payment.opened_at, order.expires_at
        assert start is not None
        minutes: list[int] = []
        with provider(app) as calls:
            calls.invoice_is("created")
            minute = 0
            while minute < 47 * 60:
                # To the minute of what is due next; as long as that is often, also to the one before,
                # in which nothing is. Every minute of two days would take its time.
                now = start + timedelta(minutes=minute)
                due = [when for when in (payment.next_check_at, end) if when and when > now]
                next_one = ceil((min(due) - start) / MINUTE)
                one_before = next_one - 1 if minute < 180 else next_one
                for at in sorted({max(minute + 1, one_before), next_one}):
                    before = len(calls.calls)
                    sweep(gateway(app), start + timedelta(minutes=at))
                    minutes += [at] * (len(calls.calls) - before)
                minute = next_one

        assert minutes[:7] == [1, 2, 4, 9, 24, 84, 144]
        assert {later - one for one, later in pairwise(minutes[7:]) if later != one} <= {60, 36, 24}
        assert payment.checks == len(minutes) - 1, "the other was asked before the order expired"
        assert payment.state is PaymentState.CANCELLED


@pytest.mark.parametrize(
    ("late", "own", "until", "calls_after_the_first_day"),
    [
        (72, None, 96, 14),
        (72, 12, 36, 6),
        (0, None, 24, 2),
        pytest.param(72, 8760, 8784, 52, marks=pytest.mark.long),
    ],
)
def test_an_invoice_is_watched_for_as_long_as_its_money_counts_and_a_day_ever_more_seldom(
    app: Flask,
    monkeypatch: pytest.MonkeyPatch,
    late: int,
    own: int | None,
    until: int,
    calls_after_the_first_day: int,
) -> None:
    set_late_hours(app, late)
    with app.app_context(), provider(app) as calls:
        _, payment = make_open_order(app, make_product(honour_late_hours=own))
        calls.invoice_is("canceled")
        with transaction() as session:
            session.get_one(Payment, payment.id).next_check_at = payment.expires_at
        monkeypatch.setattr("shop.payments.settling.utcnow", lambda: asked_at[-1])

        asked = hours_of_questions(app, payment, timedelta(days=500))

        first_day = [hour for hour in asked if hour < 24]
        assert first_day == pytest.approx(range(24))
        last = asked[-1]
        assert until <= last <= until * 9 / 8 + 1, "the last look is behind the end of the watch"
        assert len(asked) - 24 <= calls_after_the_first_day
        assert all(later - one <= max(1, one / 8) + 0.01 for one, later in pairwise(asked))
        assert open_attention() == []


def test_money_that_comes_late_is_found_although_its_postback_was_lost(app: Flask) -> None:
    """At hour 26 after its end, when it still counts for two days: it was watched for one."""
    with app.app_context(), provider(app) as calls:
        order, payment = make_open_order(app)
        calls.invoice_is("created")
        sweep(gateway(app), order.expires_at + MINUTE)
        end = payment.expires_at
        assert end is not None
        hours_of_questions(app, payment, timedelta(hours=26))
        calls.invoice_is("paid")

        hours_of_questions(app, payment, timedelta(hours=31))

        assert (order.status, order.flag) == (OrderStatus.FULFILLED, OrderFlag.PAID_LATE)


def test_the_watch_over_all_invoices_of_an_order_counts_from_its_end_which_moves(
    app: Flask,
) -> None:
    """Paid anew on the sixth day, its price stands again, and so does the money for its first invoice."""
    with app.app_context(), provider(app) as calls:
        order, first = make_open_order(app)
        calls.invoice_is("canceled")
        sweep(gateway(app), order.expires_at + MINUTE)
        end = order.expires_at
        hours_of_questions(app, first, timedelta(days=9))
        assert first.next_check_at is None

        with transaction() as session:
            session.get_one(Order, order.id).expires_at = end + timedelta(days=6)
        calls.invoice_is("paid")
        sweep(gateway(app), end + timedelta(days=8))

        assert first.state is PaymentState.PAID


def test_an_invoice_whose_money_counts_again_because_the_hours_were_raised_is_watched_again(
    app: Flask,
) -> None:
    with app.app_context(), provider(app) as calls:
        order, payment = make_open_order(app)
        calls.invoice_is("canceled")
        sweep(gateway(app), order.expires_at + MINUTE)
        hours_of_questions(app, payment, timedelta(days=9))
        assert payment.next_check_at is None
        set_late_hours(app, 30 * 24)
        calls.invoice_is("paid")

        sweep(gateway(app), order.expires_at + timedelta(days=9))

        assert payment.state is PaymentState.PAID


def set_late_hours(app: Flask, hours: int) -> None:
    """Have late money count for so many hours."""
    update = {"shop_late_payment_hours": hours}
    app.config["SETTINGS"] = app.config["SETTINGS"].model_copy(update=update)


def test_who_is_watched_in_the_database_is_who_is_not_too_late_by_a_day(app: Flask) -> None:
    """The two say the same of each order; its strictest product decides."""
    with app.app_context():
        for own in ((None,), (0,), (5, None), (200, 100), (8760,)):
            products = [make_product(honour_late_hours=hours) for hours in own]
            make_open_order(app, *products)
        for payment in db.session.query(Payment).all():
            order = payment.order
            for over in (timedelta(seconds=-1), timedelta(seconds=1)):
                at = order.expires_at + late_time(order) + timedelta(days=1) + over
                query = select(Payment.id).where(Payment.id == payment.id, is_watched(at))
                assert (db.session.scalar(query) is None) == (over > timedelta(0))


def test_an_invoice_of_which_a_part_came_is_watched_for_a_week_after_its_end(app: Flask) -> None:
    set_late_hours(app, 0)
    with app.app_context():
        _, payment = make_open_order(app)
        with provider(app) as calls:
            calls.invoice_is("partial")
            sweep(gateway(app), payment.expires_at)

            asked = hours_of_questions(app, payment, timedelta(days=20))

            assert 7 * 24 <= asked[-1] <= 8 * 24
            assert payment.next_check_at is None


def test_an_invoice_the_provider_never_tells_about_is_shown_to_a_person_and_given_up(
    app: Flask,
) -> None:
    with app.app_context():
        make_open_order(app)
        start, asked = utcnow(), {}
        with provider(app) as calls:
            no = {"status": "error", "error": "Invoice is not found"}
            calls.add(responses.GET, calls.info_url, status=400, json=no)
            for hour in (*range(0, 48, 6), *range(48, 24 * 3), *range(24 * 3, 24 * 33, 12)):
                before = len(calls.calls)
                sweep(gateway(app), start + timedelta(hours=hour))
                check(start + timedelta(hours=hour))
                asked[hour] = len(calls.calls) - before
                end_read()
            sweep(gateway(app), start + timedelta(days=40))
            told = [item.kind for item in open_attention()]

        assert told == ["not_answered"]
        assert {asked[hour] for hour in range(49, 24 * 3)} == {1}, "once an hour"
        assert sum(count for hour, count in asked.items() if hour >= 24 * 32) == 0, (
            "a month is enough"
        )


def test_a_sweep_that_dies_at_the_last_look_is_not_the_last_to_look(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    def dies(*_: object, **__: object) -> None:
        raise SystemExit

    with app.app_context():
        order, payment = make_open_order(app)
        with provider(app) as calls:
            calls.invoice_is("created")
            sweep(gateway(app), utcnow() + timedelta(hours=25))  # its time is over, it is watched
            with monkeypatch.context() as patch:
                patch.setattr(gateway(app), "invoice_infos", dies)
                with pytest.raises(SystemExit):
                    sweep(gateway(app), utcnow() + timedelta(hours=24) + WATCH)
            end_read()
            calls.invoice_is("paid")
            sweep(gateway(app), utcnow() + timedelta(hours=24) + 1.2 * WATCH)

        assert payment.state is PaymentState.PAID
        assert order.status is OrderStatus.FULFILLED


Told = dict[str, InvoiceInfo]


def while_asked(
    app: Flask, monkeypatch: pytest.MonkeyPatch, meanwhile: Callable[[list[str]], Told]
) -> None:
    """When the provider is asked about these invoices, this happens before its answer is here."""

    def answer(ids: list[str], seconds: float | None) -> Told:
        with app.app_context():  # calls are made in threads of their own
            return meanwhile(ids)

    monkeypatch.setattr(gateway(app), "invoice_infos", answer)


def test_a_postback_that_comes_during_the_last_look_has_the_invoice_looked_at_again(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    with app.app_context():
        _, payment = make_open_order(app)
        invoice, reference = str(payment.invoice_id), payment.reference

        def meanwhile(_: list[str]) -> Told:
            receive_postback(postback(invoice, reference))
            return {invoice: InvoiceInfo(InvoiceStatus.CANCELED)}

        while_asked(app, monkeypatch, meanwhile)
        check_due_payments(Round(gateway(app)), utcnow() + timedelta(hours=25) + WATCH)

        assert payment.next_check_at is not None
        assert payment.next_check_at <= utcnow()


def test_an_invoice_that_somebody_else_learns_to_be_paid_meanwhile_is_not_asked_about_again(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    with app.app_context():
        order, payment = make_open_order(app)
        order_id, payment_id = order.id, payment.id

        def meanwhile(_: list[str]) -> Told:
            settle(order_id, payment_id, InvoiceInfo(InvoiceStatus.PAID))
            raise Unclear("no answer in time")

        while_asked(app, monkeypatch, meanwhile)
        check_due_payments(Round(gateway(app)), utcnow() + timedelta(seconds=16))

        assert (payment.state, payment.next_check_at) == (PaymentState.PAID, None)


@pytest.mark.parametrize(
    ("age", "pause"),
    [
        (timedelta(seconds=16), timedelta(seconds=30)),
        (timedelta(hours=47), timedelta(seconds=30)),
        (timedelta(hours=49), timedelta(hours=1)),
    ],
)
def test_what_nobody_tells_about_is_asked_about_again_soon_or_long_after_its_end_hourly(
    app: Flask, age: timedelta, pause: timedelta
) -> None:
    with app.app_context():
        _, payment = make_open_order(app)
        now = utcnow() + age
        with provider(app):  # every call fails
            check_due_payments(Round(gateway(app)), now)

        assert payment.next_check_at == now + pause


def test_two_sweeps_at_the_same_minute_ask_once(app: Flask) -> None:
    with app.app_context():
        make_open_order(app)
        now = utcnow() + timedelta(seconds=16)

        with provider(app) as calls:
            calls.invoice_is("created")
            sweep(gateway(app), now)
            sweep(gateway(app), now)

            assert len(calls.calls) == 1


def test_what_another_sweep_took_meanwhile_is_left_to_it(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both had the same list; while the first waits for an answer the second takes the next turn."""
    with app.app_context():
        for _ in range(2):
            make_open_order(app)
        now, asked = utcnow() + timedelta(seconds=16), []

        def other_sweep(ids: list[str]) -> Told:
            asked.extend(ids)
            if len(asked) == 1:
                check_due_payments(Round(gateway(app)), now)
            return {id_: InvoiceInfo(InvoiceStatus.CREATED) for id_ in ids}

        while_asked(app, monkeypatch, other_sweep)
        check_due_payments(Round(gateway(app)), now)

        assert len(asked) == len(set(asked)) == 2


def test_the_last_look_at_one_invoice_does_not_end_the_watch_over_a_silent_one(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    with app.app_context():
        (_, silent), (_, told) = make_open_order(app), make_open_order(app)
        now, silent_invoice = utcnow() + timedelta(hours=25) + WATCH, silent.invoice_id

        def tells(ids: list[str]) -> Told:
            if silent_invoice in ids:
                raise Unclear("no answer in time")
            return {id_: InvoiceInfo(InvoiceStatus.CREATED) for id_ in ids}

        while_asked(app, monkeypatch, tells)
        check_due_payments(Round(gateway(app)), now)

        assert (silent.next_check_at, told.next_check_at) == (now + timedelta(hours=1), None)


def test_a_silent_provider_is_not_asked_about_every_order(app: Flask) -> None:
    with app.app_context():
        for _ in range(ERRORS_IN_A_ROW + 4):
            make_open_order(app)

        with provider(app) as calls:  # every call fails
            sweep(gateway(app), utcnow() + timedelta(seconds=16))

            assert len(calls.calls) == ERRORS_IN_A_ROW


def test_invoices_that_the_provider_does_not_know_hold_up_no_other(app: Flask) -> None:
    with app.app_context():
        for _ in range(ERRORS_IN_A_ROW):
            make_open_order(app)
        order, payment = make_open_order(app)

        with provider(app) as calls:
            calls.get(calls.info_url, status=400, json={"error": "Invoice is not found"})
            calls.get(
                calls.info_url,
                json={"status": "success", "status_invoice": "paid"},
                match=[
                    responses.matchers.query_param_matcher({"uuid": f"INV-{payment.invoice_id}"})
                ],
            )
            sweep(gateway(app), utcnow() + timedelta(seconds=16))

        assert order.status is OrderStatus.FULFILLED


def test_invoices_that_cannot_be_asked_about_wait_behind_the_others(app: Flask) -> None:
    with app.app_context():
        for _ in range(ERRORS_IN_A_ROW):
            make_open_order(app)
        order, payment = make_open_order(app)
        now = utcnow() + timedelta(seconds=16)

        with provider(app) as calls:
            calls.get(calls.info_url, body="<html>")
            calls.get(
                calls.info_url,
                json={"status": "success", "status_invoice": "paid"},
                match=[
                    responses.matchers.query_param_matcher({"uuid": f"INV-{payment.invoice_id}"})
                ],
            )
            sweep(gateway(app), now)
            assert order.status is OrderStatus.PENDING
            sweep(gateway(app), now + timedelta(minutes=1))

        assert order.status is OrderStatus.FULFILLED


def test_a_provider_that_is_silent_for_a_day_keeps_no_stock_and_no_money_is_lost(
    app: Flask,
) -> None:
    with app.app_context():
        product = make_product(stock=1)
        order, payment = make_open_order(app, product)
        late = order.expires_at + timedelta(hours=23)
        with provider(app):
            sweep(gateway(app), late)
            assert order.status is OrderStatus.PENDING
            sweep(gateway(app), late + timedelta(hours=2))
            assert order.status is OrderStatus.EXPIRED
            db.session.refresh(product)
            assert product.available == 1
            sweep(gateway(app), late + timedelta(hours=40))

        with provider(app) as calls:
            calls.invoice_is("paid")
            sweep(gateway(app), late + timedelta(hours=41))

        assert payment.state is PaymentState.PAID
        assert (order.status, order.flag) == (OrderStatus.FULFILLED, OrderFlag.PAID_LATE)


def test_a_call_whose_process_died_can_be_tried_again_after_a_while(app: Flask) -> None:
    with app.app_context():
        order, payment = make_order(app)

        with provider(app):
            sweep(gateway(app), utcnow() + timedelta(seconds=31))
            assert payment.state is PaymentState.UNKNOWN
            sweep(gateway(app), utcnow() + timedelta(minutes=3))

        assert payment.state is PaymentState.ABANDONED
        assert order.status is OrderStatus.PENDING
        assert [(event.kind, event.note) for event in order.events[1:]] == [
            ("invoice_unknown", "the provider's answer was lost"),
            ("invoice_abandoned", "the provider's answer was lost"),
        ]


def test_a_postback_that_was_stored_and_not_acted_upon_is_acted_upon(app: Flask) -> None:
    with app.app_context():
        order, payment = make_open_order(app)
        assert payment.invoice_id
        receive_postback(postback(payment.invoice_id, payment.reference))

        with provider(app) as calls:
            calls.invoice_is("paid")
            sweep(gateway(app), utcnow() + timedelta(seconds=1))

        assert order.status is OrderStatus.FULFILLED
        stored = db.session.query(Postback).one()
        assert (stored.verdict, stored.hits) == ("paid", 1)
        assert stored.done_at is not None


def test_a_postback_that_is_faster_than_the_create_reply_is_not_forgotten(app: Flask) -> None:
    with app.app_context():
        order, payment = make_order(app)
        receive_postback(postback("FAST0001", payment.reference))

        with provider(app) as calls:
            calls.invoice_is_made("FAST0001")
            calls.invoice_is("paid")
            open_invoice(payment, gateway(app))
            sweep(gateway(app), utcnow())

        assert order.status is OrderStatus.FULFILLED


def test_a_postback_about_an_unknown_invoice_reaches_a_person_after_five_minutes(
    app: Flask,
) -> None:
    with app.app_context(), provider(app) as calls:
        calls.invoice_is("paid")
        assert receive_postback(postback("WHOSE123")) is None

        sweep(gateway(app), utcnow() + timedelta(minutes=4))
        assert open_attention() == []
        sweep(gateway(app), utcnow() + timedelta(minutes=6))
        sweep(gateway(app), utcnow() + timedelta(minutes=7))

        assert [item.kind for item in open_attention()] == ["unmatched_invoice"]
        assert db.session.query(Postback).one().verdict == "unmatched"


def test_while_the_provider_is_silent_nobody_is_told_that_an_invoice_belongs_to_no_order(
    app: Flask,
) -> None:
    with app.app_context():
        receive_postback(postback("WHOSE123"))

        with provider(app) as calls:
            sweep(gateway(app), utcnow() + timedelta(minutes=6))  # nobody answers
            assert open_attention() == []
            no = {"status": "error", "error": "Invoice is not found"}
            calls.add(responses.GET, calls.info_url, status=400, json=no)
            sweep(gateway(app), utcnow() + timedelta(minutes=7))

        assert [item.kind for item in open_attention()] == ["unmatched_invoice"]


def test_a_postback_about_an_unknown_invoice_of_a_provider_that_stays_silent_reaches_a_person_too(
    app: Flask,
) -> None:
    with app.app_context():
        receive_postback(postback("WHOSE123"))

        with provider(app):
            sweep(gateway(app), utcnow() + timedelta(hours=25))

        assert [item.kind for item in open_attention()] == ["not_confirmed"]


def test_a_round_without_time_to_ask_tells_nobody_that_an_invoice_belongs_to_no_order(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shop.payments.asking.SECONDS_FOR_CALLS", -1)
    monkeypatch.setattr("shop.payments.asking.LEAST_SECONDS", -1)
    with app.app_context():
        receive_postback(postback("WHOSE123"))

        sweep(gateway(app), utcnow() + timedelta(minutes=6))

        assert open_attention() == []


@pytest.mark.parametrize("plain_no", [False, True], ids=["an answer", "a plain no"])
def test_only_errors_in_a_row_end_a_round(app: Flask, plain_no: bool) -> None:
    def fails() -> None:
        raise Unclear("no answer in time")

    def answers() -> None:
        if plain_no:
            raise Rejected("no such invoice")

    with app.app_context():
        calls = Round(gateway(app))
        for _ in range(3):
            for _ in range(ERRORS_IN_A_ROW - 1):
                calls.make(fails, "one")
            calls.make(answers, "another")

        for _ in range(ERRORS_IN_A_ROW):
            assert not calls.is_over
            calls.make(fails, "one")
        assert calls.is_over
        assert calls.make(lambda: "an answer", "one") is None, "nobody is asked any more"


def test_a_postback_that_the_provider_does_not_confirm_reaches_a_person_after_a_day(
    app: Flask,
) -> None:
    with app.app_context():
        order, payment = make_open_order(app)
        assert payment.invoice_id
        receive_postback(postback(payment.invoice_id, payment.reference))

        with provider(app) as calls:
            calls.invoice_is("created")
            sweep(gateway(app), utcnow() + timedelta(minutes=1))
            assert open_attention() == []
            sweep(gateway(app), utcnow() + timedelta(hours=25))

        assert [(item.kind, item.order_id) for item in open_attention()] == [
            ("not_confirmed", order.id)
        ]
        assert db.session.query(Postback).one().verdict == "not confirmed"
        assert order.status is not OrderStatus.PAID


def test_a_repeated_postback_is_counted_once_a_minute_and_not_stored_again(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    with app.app_context():
        _, payment = make_open_order(app)
        assert payment.invoice_id

        for minute in range(3):
            now = utcnow() + timedelta(minutes=minute)
            monkeypatch.setattr("shop.payments.inbox.utcnow", lambda now=now: now)
            for _ in range(3):
                receive_postback(postback(payment.invoice_id, payment.reference))

        assert [stored.hits for stored in db.session.query(Postback)] == [3]


def test_an_unpaid_order_is_closed_after_a_day_and_its_invoice_watched_for_another(
    app: Flask,
) -> None:
    with app.app_context():
        order, payment = make_open_order(app)

        with provider(app) as calls:
            calls.invoice_is("created")
            sweep(gateway(app), utcnow() + timedelta(hours=24, minutes=1))
            assert (order.status, payment.state) == (OrderStatus.EXPIRED, PaymentState.CANCELLED)
            calls.invoice_is("paid")
            sweep(gateway(app), utcnow() + timedelta(hours=26))

        assert db.session.get_one(Payment, payment.id).state is PaymentState.PAID
        assert order.status is OrderStatus.FULFILLED
