"""A provider that answers nothing is put before a person after five minutes, and taken back when it answers."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
import requests
import responses
from flask import Flask

from shop.attention.queries import open_attention
from shop.db import utcnow
from shop.payments.asking import Round
from shop.payments.models import Payment
from shop.payments.opening import open_invoice
from shop.payments.sweep import forget_lost_calls, sweep
from tests.factories import Provider, gateway, make_open_order, make_order, provider

MINUTE = timedelta(minutes=1)


def kinds() -> list[str]:
    return [item.kind for item in open_attention()]


def sweep_for(app: Flask, minutes: int, start: datetime) -> datetime:
    """Sweep each minute; when that was over."""
    for minute in range(minutes + 1):
        sweep(gateway(app), start + minute * MINUTE)
    return start + minutes * MINUTE


def is_away(calls: Provider, status: int = 0) -> None:
    """Nobody answers; or something does, and not with what was asked for."""
    calls.remove(responses.GET, calls.info_url)
    if status:
        calls.get(calls.info_url, status=status, body="<html>")
    else:
        calls.get(calls.info_url, body=requests.ConnectionError())


def gets_no_invoice(app: Flask) -> Payment:
    """A buyer whose checkout the provider did not answer."""
    _, payment = make_order(app)
    with provider(app) as calls:
        calls.post(calls.create_url, body=requests.ConnectionError())
        open_invoice(payment, gateway(app))
    return payment


@pytest.mark.parametrize("status", [0, 502, 401])
def test_it_is_told_after_five_minutes_and_taken_back_by_itself(app: Flask, status: int) -> None:
    with app.app_context(), provider(app) as calls:
        make_open_order(app)
        is_away(calls, status)
        now = sweep_for(app, 4, utcnow() + MINUTE)
        assert "provider_silent" not in kinds()
        now = sweep_for(app, 1, now)
        assert kinds().count("provider_silent") == 1

        calls.invoice_is("created")
        sweep(gateway(app), now + MINUTE)

        assert "provider_silent" not in kinds()


def test_nothing_was_asked_so_nothing_is_missed(app: Flask) -> None:
    with app.app_context(), provider(app) as calls:
        is_away(calls)

        sweep_for(app, 6, utcnow())
        sweep(gateway(app), utcnow() + timedelta(days=1))

        assert kinds() == []
        assert len(calls.calls) == 0


def test_a_no_about_one_invoice_is_an_answer(app: Flask) -> None:
    with app.app_context(), provider(app) as calls:
        make_open_order(app)
        calls.get(calls.info_url, status=400, json={"status": "error", "detail": "no such invoice"})

        sweep_for(app, 8, utcnow() + MINUTE)

        assert "provider_silent" not in kinds()


def test_a_buyer_who_got_no_invoice_has_the_provider_asked_for_a_sign_of_life(app: Flask) -> None:
    """There is no invoice to ask about, and nobody can pay."""
    with app.app_context():
        gets_no_invoice(app)
        with provider(app) as calls:
            is_away(calls)

            now = sweep_for(app, 5, utcnow())

            assert kinds() == ["provider_silent"]
            assert len(calls.calls) == 6, "once in a sweep"
            sweep(gateway(app), now + timedelta(hours=2))
            assert len(calls.calls) > 6, "until it answers"
            calls.invoice_is("created")
            sweep(gateway(app), now + timedelta(hours=2, minutes=1))
            assert kinds() == []


def test_one_buyer_without_an_invoice_is_no_silence_when_the_provider_answers(app: Flask) -> None:
    with app.app_context():
        gets_no_invoice(app)
        with provider(app) as calls:
            calls.get(calls.info_url, status=400, json={"status": "error", "detail": "no such"})

            sweep_for(app, 6, utcnow())

            assert kinds() == []


def test_looking_for_a_lost_invoice_where_there_is_no_list_is_no_sign_of_life(app: Flask) -> None:
    """Nor does it take one back: API v1 is not called at all."""
    with app.app_context():
        make_order(app)
        calls = Round(gateway(app))
        calls.heard = False

        forget_lost_calls(calls, utcnow() + MINUTE)

        assert calls.heard is False


def test_a_clock_that_is_set_back_delays_the_news_by_five_minutes_at_most(app: Flask) -> None:
    with app.app_context():
        gets_no_invoice(app)
        with provider(app) as calls:
            is_away(calls)
            sweep(gateway(app), utcnow() + timedelta(minutes=50))

            sweep_for(app, 5, utcnow())

            assert kinds() == ["provider_silent"]
