"""What the provider says and nobody understands changes nothing, and a person hears of it in minutes."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
import responses
from flask import Flask
from sqlalchemy import select

from shop.attention.queries import open_attention
from shop.config import Settings
from shop.db import db, utcnow
from shop.orders.models import OrderFlag, OrderStatus
from shop.outbox.models import OutboxMail
from shop.payments.cryptocloud import SIGNED, InvoiceStatus, Refusal
from shop.payments.cryptocloud.invoices import status_of
from shop.payments.inbox import nudge, receive_postback
from shop.payments.models import Payment, PaymentState
from shop.payments.opening import open_invoice
from shop.payments.sweep import sweep
from tests.factories import (
    ProviderV2,
    gateway,
    make_open_order,
    make_order,
    make_postback,
    make_token,
    provider,
)


class Clock:
    """The time, as far as payments are concerned."""

    def __init__(self) -> None:
        self.now = utcnow()

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[Clock]:
    clock = Clock()
    for module in ("settling", "opening", "checking", "inbox"):
        monkeypatch.setattr(f"shop.payments.{module}.utcnow", clock)
    return clock


def minutes(app: Flask, clock: Clock, number: int, status: str, **facts: Any) -> None:
    """Sweep for some minutes while the provider gives this status."""
    for _ in range(number):
        clock.now += timedelta(minutes=1)
        with provider(app) as calls:
            if isinstance(calls, ProviderV2):
                calls.invoice_is(status, **facts)
            else:
                calls.invoice_is(status)
            sweep(gateway(app), clock.now)


def kinds() -> list[str]:
    return [item.kind for item in open_attention()]


def test_an_unknown_status_is_before_a_person_within_minutes_and_once(
    app: Flask, clock: Clock
) -> None:
    with app.app_context():
        order, payment = make_open_order(app)

        minutes(app, clock, 5, "processing")

        (item,) = open_attention()
        assert item.kind == "answer_unclear"
        assert '"processing"' in item.note
        assert order.number in item.note
        minutes(app, clock, 20, "processing")
        assert len(open_attention()) == 1
        assert (order.status, payment.state) == (OrderStatus.PENDING, PaymentState.OPEN)


def test_one_unclear_answer_between_clear_ones_bothers_nobody(app: Flask, clock: Clock) -> None:
    with app.app_context():
        _order, payment = make_open_order(app)

        for status in ("created", "processing", "created", "processing", "created"):
            minutes(app, clock, 2, status)

        assert open_attention() == []
        assert payment.unclear_since is None


def test_an_order_whose_status_nobody_knows_keeps_its_stock_for_a_day(
    app: Flask, clock: Clock
) -> None:
    with app.app_context():
        order, _ = make_open_order(app)
        clock.now = order.expires_at + timedelta(hours=23)
        minutes(app, clock, 1, "processing")
        assert order.status is OrderStatus.PENDING

        clock.now += timedelta(hours=2)
        minutes(app, clock, 1, "processing")
        assert order.status is OrderStatus.EXPIRED


@pytest.mark.parametrize(
    ("told", "words"),
    [
        ("processing", 'it has the status "processing"'),
        (["paid"], "it has a status that is a list"),
        ({}, "it has a status that is a dict"),
        (None, "it has no status"),
        ("", "it has no status"),
    ],
)
def test_what_stands_for_a_status_is_told_by_what_it_is(told: object, words: str) -> None:
    assert status_of(told) == (InvoiceStatus.UNKNOWN, f"{words}, which this shop does not know")


@pytest.mark.parametrize("word", ["cancelled", "expired", "canceled"])
def test_every_spelling_of_the_end_gives_the_stock_back(
    app: Flask, clock: Clock, word: str
) -> None:
    with app.app_context():
        order, payment = make_open_order(app)

        minutes(app, clock, 1, word)

        assert (order.status, payment.state) == (OrderStatus.EXPIRED, PaymentState.CANCELLED)


def receive(app: Flask, settings: Settings, payment: Payment) -> None:
    """A postback about this payment comes, and is proven."""
    form = make_postback(settings, payment)
    body = "&".join(f"{name}={value}" for name, value in form.items()).encode()
    receive_postback(gateway(app).read_postback("application/x-www-form-urlencoded", body))


NOT_FOUND = '{"status":"error","error":"Invoice is not found"}'


@pytest.mark.parametrize("says", ["<html>", '{"status":"success"}', NOT_FOUND])
@pytest.mark.parametrize("refused", [None, *SIGNED])
def test_a_postback_of_money_that_the_api_says_nothing_usable_about_is_before_a_person_in_minutes(
    app: Flask, settings: Settings, clock: Clock, says: str, refused: Refusal | None
) -> None:
    """Also one that was refused for another reason than its signature: only CryptoCloud has our key."""
    with app.app_context():
        _order, payment = make_open_order(app)
        if refused:
            nudge(payment.invoice_id, refused, clock.now)
        else:
            receive(app, settings, payment)

        for _ in range(6):
            clock.now += timedelta(minutes=1)
            with provider(app) as calls:
                calls.get(calls.info_url, body=says)
                sweep(gateway(app), clock.now)

        silent = ["provider_silent"] if says == "<html>" else []  # no answer of the API at all
        assert kinds() == ["answer_unclear", *silent]
        assert str(payment.invoice_id) in open_attention()[0].note


@pytest.mark.parametrize("refused", [None, Refusal.UNSIGNED, Refusal.SIGNATURE])
def test_without_a_postback_that_our_key_signed_an_api_that_says_nothing_usable_bothers_nobody(
    app: Flask, clock: Clock, refused: Refusal | None
) -> None:
    with app.app_context():
        _order, payment = make_open_order(app)
        if refused:
            nudge(payment.invoice_id, refused, clock.now)

        for _ in range(6):
            clock.now += timedelta(minutes=1)
            with provider(app) as calls:
                calls.get(calls.info_url, body=NOT_FOUND)
                sweep(gateway(app), clock.now)

        assert kinds() == []


def test_an_invoice_that_is_not_ours_is_told_as_the_api_says(
    app: Flask, settings: Settings, clock: Clock
) -> None:
    with app.app_context():
        _, payment = make_open_order(app)
        form = make_postback(settings, payment) | {"order_id": "None"}
        postback = {"invoice_id": "STRANGE1", "token": make_token(settings, "STRANGE1")}
        body = "&".join(f"{n}={v}" for n, v in (form | postback).items()).encode()
        receive_postback(gateway(app).read_postback("application/x-www-form-urlencoded", body))

        minutes(app, clock, 7, "created")

        (item,) = open_attention()
        assert item.kind == "unmatched_invoice"
        assert "does not say that it was paid: its status is created" in item.note


class TestApiVersion2:
    """What the info call of 2026 leaves out."""

    @pytest.fixture
    def settings(self, settings: Settings) -> Settings:
        return settings.model_copy(update={"cryptocloud_api_version": "2"})

    @pytest.mark.parametrize("proven", [True, False])
    def test_one_that_is_left_out_where_others_are_told_is_not_known_to_the_provider(
        self, app: Flask, settings: Settings, clock: Clock, proven: bool
    ) -> None:
        with app.app_context():
            _, payment = make_open_order(app)
            _, other = make_open_order(app)
            if proven:
                receive(app, settings, payment)

            for _ in range(6):
                clock.now += timedelta(minutes=1)
                with provider(app) as calls:
                    told = [{"uuid": f"INV-{other.invoice_id}", "status": "created"}]
                    calls.post(calls.info_url, json={"status": "success", "result": told})
                    sweep(gateway(app), clock.now)

            assert kinds() == (["answer_unclear"] if proven else [])

    @pytest.mark.parametrize(
        "less",
        [
            {"fiat_currency": None},
            {"fiat_currency": None, "amount_in_fiat": None},
            {"amount_in_fiat": 0.0},
            {"test_mode": None},
            {"order_id": "None"},
            {"order_id": None},
            {"amount_in_fiat": 9.999999999999998},
            {"amount_in_fiat": 10.00004},
        ],
    )
    def test_a_paid_order_is_sold_where_less_is_told(
        self, app: Flask, clock: Clock, less: dict[str, object]
    ) -> None:
        with app.app_context():
            order, _payment = make_open_order(app)

            minutes(app, clock, 1, "paid", **less)

            assert (order.status, order.flag) == (OrderStatus.FULFILLED, OrderFlag.NONE)
            assert open_attention() == []

    @pytest.mark.parametrize(
        "wrong",
        [
            {"amount_in_fiat": 9.99, "fiat_currency": None},
            {"amount_in_fiat": None, "fiat_currency": "RUB"},
            {"amount_in_fiat": None, "order_id": "somebody-elses"},
        ],
    )
    def test_what_is_told_still_has_to_fit(
        self, app: Flask, clock: Clock, wrong: dict[str, object]
    ) -> None:
        with app.app_context():
            order, _payment = make_open_order(app)

            minutes(app, clock, 1, "paid", **wrong)

            assert order.status is OrderStatus.REVIEW
            assert kinds() == ["amount_mismatch"]

    @pytest.mark.parametrize("is_test", [True, False])
    def test_no_buyer_is_sent_to_a_test_invoice_in_production(
        self, app: Flask, monkeypatch: pytest.MonkeyPatch, is_test: bool
    ) -> None:
        """With development switched on it is what one wants to try."""
        monkeypatch.setattr("shop.payments.opening.current_settings", lambda: production(app))
        with app.app_context():
            _order, payment = make_order(app)
            with provider(app) as calls:
                assert isinstance(calls, ProviderV2)
                number = calls.invoice_is_made()
                calls.made[number] = {}
                told = {
                    "uuid": f"INV-{number}",
                    "link": f"{calls.pay_origin}/{number}",
                    "test_mode": is_test,
                }
                calls.upsert(
                    responses.POST, calls.create_url, json={"status": "success", "result": told}
                )
                open_invoice(payment, gateway(app))

            if is_test:
                assert payment.state is PaymentState.ABANDONED
                assert payment.error_lasts
                assert not payment.pay_url
                (item,) = open_attention()
                assert "test mode" in item.note
                assert payment.invoice_id == number  # watched, in case somebody pays it
            else:
                assert payment.state is PaymentState.OPEN

    @pytest.mark.parametrize(
        ("link", "told"),
        [
            (None, {"test_mode": None}),
            (None, {"test_mode": False}),
            ("https://pay.elsewhere.example/X", {"test_mode": None}),
        ],
    )
    def test_what_was_made_as_a_test_invoice_buys_nothing_whatever_is_told_of_it_later(
        self, app: Flask, clock: Clock, link: str | None, told: dict[str, object]
    ) -> None:
        app.config["SETTINGS"] = production(app)
        with app.app_context():
            order, payment = make_order(app)
            with provider(app) as calls:
                assert isinstance(calls, ProviderV2)
                number = calls.invoice_is_made()
                calls.made[number] = {
                    "uuid": f"INV-{number}",
                    "link": link or f"{calls.pay_origin}/{number}",
                    "test_mode": True,
                }
                made = {"status": "success", "result": calls.made[number]}
                calls.upsert(responses.POST, calls.create_url, json=made)
                open_invoice(payment, gateway(app))

            minutes(app, clock, 1, "paid", **told)

            assert (order.status, order.flag) == (OrderStatus.REVIEW, OrderFlag.AMOUNT_MISMATCH)
            assert kinds() == ["reply_refused", "amount_mismatch"]
            assert "test invoice" in open_attention()[1].note


def production(app: Flask) -> Settings:
    settings: Settings = app.config["SETTINGS"]
    return settings.model_copy(update={"shop_development": False})


class TestAWholePaymentThatIsNotConfirmedYet:
    """The provider may call it partial for as long as the blockchain takes."""

    @pytest.fixture(autouse=True)
    def _it_takes_minutes(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("shop.payments.partial.CONFIRMING_FOR", timedelta(minutes=5))

    @pytest.fixture
    def settings(self, settings: Settings) -> Settings:
        return settings.model_copy(update={"cryptocloud_api_version": "2"})

    @pytest.mark.parametrize("came", [10.01, 10.009999999999998, 10.010000000000002])
    def test_nobody_is_asked_for_the_rest_of_what_is_whole(
        self, app: Flask, clock: Clock, came: float
    ) -> None:
        with app.app_context():
            order, payment = make_open_order(app)
            whole = {"amount_to_pay": 10.01, "amount_paid": came}

            minutes(app, clock, 30, "partial", **whole)

            assert (payment.state, order.flag) == (PaymentState.OPEN, OrderFlag.NONE)
            assert payment.part_came
            assert mails() == []
            minutes(app, clock, 1, "paid", **whole)
            assert (order.status, order.flag) == (OrderStatus.FULFILLED, OrderFlag.NONE)

    def test_what_is_known_to_be_missing_is_asked_for_at_once(
        self, app: Flask, clock: Clock
    ) -> None:
        with app.app_context():
            _order, payment = make_open_order(app)

            minutes(app, clock, 1, "partial", amount_to_pay=10.01, amount_paid=9.01)

            assert payment.state is PaymentState.PARTIAL
            assert len(mails()) == 1

    def test_without_figures_it_is_a_part_when_it_has_stood_for_minutes(
        self, app: Flask, clock: Clock
    ) -> None:
        with app.app_context():
            _order, payment = make_open_order(app)

            minutes(app, clock, 4, "partial")
            assert payment.state is PaymentState.OPEN
            assert payment.next_check_at is not None
            assert clock() < payment.next_check_at <= clock() + timedelta(minutes=1)
            assert mails() == []

            minutes(app, clock, 4, "partial")
            assert payment.state is PaymentState.PARTIAL
            assert len(mails()) == 1

    def test_money_that_never_was_confirmed_does_not_expire_in_silence(
        self, app: Flask, clock: Clock
    ) -> None:
        with app.app_context():
            order, _payment = make_open_order(app)
            whole = {"amount_to_pay": 10.01, "amount_paid": 10.01}
            minutes(app, clock, 1, "partial", **whole)

            clock.now = order.expires_at
            minutes(app, clock, 1, "canceled", **whole)

            assert order.status is OrderStatus.REVIEW
            assert kinds() == ["paid_partial"]


def mails() -> list[str]:
    """The mails that ask for the rest of an order's money."""
    query = select(OutboxMail.dedupe_key).where(OutboxMail.kind == "payment-partial")
    return list(db.session.scalars(query))
