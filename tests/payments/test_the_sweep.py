"""What a lost notice, a dead process or a silent provider leaves behind is found, and not asked about too often."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from math import ceil

import pytest
import responses
from flask import Flask

from shop.db import db, end_read, utcnow
from shop.orders.models import OrderFlag, OrderStatus
from shop.orders.queries import open_attention
from shop.payments.cryptocloud import InvoiceInfo, InvoiceStatus, Rejected, Unclear
from shop.payments.cryptocloud import Postback as Notice
from shop.payments.inbox import receive_postback
from shop.payments.models import Payment, PaymentState, Postback
from shop.payments.service import open_invoice
from shop.payments.settling import settle
from shop.payments.sweep import ERRORS_IN_A_ROW, Calls, check_due_payments, sweep
from tests.factories import gateway, make_open_order, make_order, make_product, provider

MINUTE = timedelta(minutes=1)


def notice(invoice_id: str, order_id: str | None = None) -> Notice:
    return Notice(invoice_id, order_id, "success", "10.01", "USDT_TRC20")


def test_a_payment_whose_notice_was_lost_is_found(app: Flask) -> None:
    with app.app_context():
        order, _ = make_open_order(app)

        with provider(app) as calls:
            calls.invoice_is("paid")
            sweep(gateway(app), utcnow() + timedelta(seconds=16))

        assert order.status is OrderStatus.FULFILLED


def test_an_open_invoice_is_asked_about_less_and_less_often_until_a_day_after_its_end(
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
            while minute < 52 * 60:
                # To the minute of what is due next; as long as that is often, also to the one before,
                # in which nothing is. Every minute of two days would take its time.
                now = start + timedelta(minutes=minute)
                due = [when for when in (payment.next_check_at, end) if when and when > now]
                next_one = ceil((min(due) - start) / MINUTE) if due else 52 * 60
                one_before = next_one - 1 if minute < 180 else next_one
                for at in sorted({max(minute + 1, one_before), next_one}):
                    before = len(calls.calls)
                    sweep(gateway(app), start + timedelta(minutes=at))
                    minutes += [at] * (len(calls.calls) - before)
                minute = next_one

        assert minutes[:7] == [1, 2, 4, 9, 24, 84, 144]
        assert payment.checks == len(minutes) - 1, "the other was asked before the order expired"
        assert payment.state is PaymentState.CANCELED
        assert payment.next_check_at is None
        assert minutes[-1] == 48 * 60


def test_an_invoice_of_which_a_part_came_is_watched_for_a_week_after_its_end(app: Flask) -> None:
    with app.app_context():
        _, payment = make_open_order(app)
        assert payment.expires_at is not None
        week = payment.expires_at + timedelta(days=7)
        with provider(app) as calls:
            calls.invoice_is("partial")
            sweep(gateway(app), payment.expires_at)
            sweep(gateway(app), week - timedelta(minutes=1))
            assert payment.next_check_at == week
            sweep(gateway(app), week)
            asked = len(calls.calls)
            sweep(gateway(app), week + timedelta(days=1))

            assert payment.next_check_at is None
            assert len(calls.calls) == asked


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
    def dies(*_: object) -> None:
        raise SystemExit

    with app.app_context():
        order, payment = make_open_order(app)
        with provider(app) as calls:
            calls.invoice_is("created")
            sweep(gateway(app), utcnow() + timedelta(hours=25))  # its time is over, it is watched
            with monkeypatch.context() as patch:
                patch.setattr("shop.payments.sweep.refresh_all", dies)
                with pytest.raises(SystemExit):
                    sweep(gateway(app), utcnow() + timedelta(hours=49))
            end_read()
            calls.invoice_is("paid")
            sweep(gateway(app), utcnow() + timedelta(hours=51))

        assert payment.state is PaymentState.PAID
        assert order.status is OrderStatus.FULFILLED


Told = dict[str, InvoiceInfo]


def while_asked(
    app: Flask, monkeypatch: pytest.MonkeyPatch, meanwhile: Callable[[list[str]], Told]
) -> None:
    """When the provider is asked about these invoices, this happens before its answer is here."""
    monkeypatch.setattr(gateway(app), "invoice_infos", lambda ids, seconds: meanwhile(ids))


def test_a_notice_that_comes_during_the_last_look_has_the_invoice_looked_at_again(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    with app.app_context():
        _, payment = make_open_order(app)
        invoice, reference = str(payment.invoice_id), payment.reference

        def meanwhile(_: list[str]) -> Told:
            receive_postback(notice(invoice, reference))
            return {invoice: InvoiceInfo(InvoiceStatus.CANCELED)}

        while_asked(app, monkeypatch, meanwhile)
        check_due_payments(Calls(gateway(app)), utcnow() + timedelta(hours=49))

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
        check_due_payments(Calls(gateway(app)), utcnow() + timedelta(seconds=16))

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
            check_due_payments(Calls(gateway(app)), now)

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
                check_due_payments(Calls(gateway(app)), now)
            return {id_: InvoiceInfo(InvoiceStatus.CREATED) for id_ in ids}

        while_asked(app, monkeypatch, other_sweep)
        check_due_payments(Calls(gateway(app)), now)

        assert len(asked) == len(set(asked)) == 2


def test_the_last_look_at_one_invoice_does_not_end_the_watch_over_a_silent_one(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    with app.app_context():
        (_, silent), (_, told) = make_open_order(app), make_open_order(app)
        now = utcnow() + timedelta(hours=49)

        def tells(ids: list[str]) -> Told:
            if silent.invoice_id in ids:
                raise Unclear("no answer in time")
            return {id_: InvoiceInfo(InvoiceStatus.CREATED) for id_ in ids}

        while_asked(app, monkeypatch, tells)
        check_due_payments(Calls(gateway(app)), now)

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


def test_a_notice_that_was_stored_and_not_acted_upon_is_acted_upon(app: Flask) -> None:
    with app.app_context():
        order, payment = make_open_order(app)
        assert payment.invoice_id
        receive_postback(notice(payment.invoice_id, payment.reference))

        with provider(app) as calls:
            calls.invoice_is("paid")
            sweep(gateway(app), utcnow() + timedelta(seconds=1))

        assert order.status is OrderStatus.FULFILLED
        stored = db.session.query(Postback).one()
        assert (stored.verdict, stored.hits) == ("paid", 1)
        assert stored.done_at is not None


def test_a_notice_that_is_faster_than_the_create_reply_is_not_forgotten(app: Flask) -> None:
    with app.app_context():
        order, payment = make_order(app)
        receive_postback(notice("FAST0001", payment.reference))

        with provider(app) as calls:
            calls.invoice_is_made("FAST0001")
            calls.invoice_is("paid")
            open_invoice(payment, gateway(app))
            sweep(gateway(app), utcnow())

        assert order.status is OrderStatus.FULFILLED


def test_a_notice_about_an_unknown_invoice_reaches_a_person_after_five_minutes(app: Flask) -> None:
    with app.app_context(), provider(app) as calls:
        calls.invoice_is("paid")
        assert receive_postback(notice("WHOSE123")) is None

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
        receive_postback(notice("WHOSE123"))

        sweep(gateway(app), utcnow() + timedelta(minutes=6))  # nobody answers there
        assert open_attention() == []
        with provider(app) as calls:
            no = {"status": "error", "error": "Invoice is not found"}
            calls.add(responses.GET, calls.info_url, status=400, json=no)
            sweep(gateway(app), utcnow() + timedelta(minutes=7))

        assert [item.kind for item in open_attention()] == ["unmatched_invoice"]


def test_a_notice_about_an_unknown_invoice_of_a_provider_that_stays_silent_reaches_a_person_too(
    app: Flask,
) -> None:
    with app.app_context():
        receive_postback(notice("WHOSE123"))

        sweep(gateway(app), utcnow() + timedelta(hours=25))

        assert [item.kind for item in open_attention()] == ["not_confirmed"]


def test_a_round_without_time_to_ask_tells_nobody_that_an_invoice_belongs_to_no_order(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shop.payments.sweep.SECONDS_FOR_CALLS", -1)
    with app.app_context():
        receive_postback(notice("WHOSE123"))

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
        calls = Calls(gateway(app))
        for _ in range(3):
            for _ in range(ERRORS_IN_A_ROW - 1):
                calls.make(fails, "one")
            calls.make(answers, "another")

        for _ in range(ERRORS_IN_A_ROW):
            assert not calls.over
            calls.make(fails, "one")
        assert calls.over


def test_a_notice_that_the_provider_does_not_confirm_reaches_a_person_after_a_day(
    app: Flask,
) -> None:
    with app.app_context():
        order, payment = make_open_order(app)
        assert payment.invoice_id
        receive_postback(notice(payment.invoice_id, payment.reference))

        with provider(app) as calls:
            calls.invoice_is("created")
            sweep(gateway(app), utcnow() + timedelta(minutes=1))
            assert open_attention() == []
            sweep(gateway(app), utcnow() + timedelta(hours=25))

        assert [item.kind for item in open_attention()] == ["not_confirmed"]
        assert db.session.query(Postback).one().verdict == "not confirmed"
        assert order.status is not OrderStatus.PAID


def test_a_repeated_notice_is_counted_and_not_stored_again(app: Flask) -> None:
    with app.app_context():
        _, payment = make_open_order(app)
        assert payment.invoice_id

        for _ in range(3):
            receive_postback(notice(payment.invoice_id, payment.reference))

        assert [stored.hits for stored in db.session.query(Postback)] == [3]


def test_an_unpaid_order_is_closed_after_a_day_and_its_invoice_watched_for_another(
    app: Flask,
) -> None:
    with app.app_context():
        order, payment = make_open_order(app)

        with provider(app) as calls:
            calls.invoice_is("created")
            sweep(gateway(app), utcnow() + timedelta(hours=24, minutes=1))
            assert (order.status, payment.state) == (OrderStatus.EXPIRED, PaymentState.CANCELED)
            calls.invoice_is("paid")
            sweep(gateway(app), utcnow() + timedelta(hours=26))

        assert db.session.get_one(Payment, payment.id).state is PaymentState.PAID
        assert order.status is OrderStatus.FULFILLED
