"""API v2 tells about a hundred invoices in one call; each keeps a turn of its own."""

from __future__ import annotations

from datetime import timedelta

import pytest
from flask import Flask

from shop.attention.queries import open_attention
from shop.books.service import check, compare
from shop.config import Settings
from shop.db import utcnow
from shop.ops import journal
from shop.payments.asking import Round
from shop.payments.sweep import check_due_payments, sweep
from tests.factories import ProviderV2, gateway, make_open_order, provider, say

HOUR = timedelta(hours=1)


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"cryptocloud_api_version": "2"})


def test_the_last_look_at_one_invoice_is_not_the_last_at_those_asked_about_with_it(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All are asked about hourly by then, so that their next turns are the same."""
    with app.app_context():
        _, old = make_open_order(app)
        _, part = make_open_order(app)
        later = utcnow() + timedelta(hours=96)
        with monkeypatch.context() as patch:
            patch.setattr("shop.payments.opening.utcnow", lambda: later)
            _, young = make_open_order(app)
        now = utcnow() + timedelta(hours=121)
        with provider(app) as calls:
            assert isinstance(calls, ProviderV2)
            calls.made[str(part.invoice_id)]["status"] = "partial"
            told = [calls.made[str(payment.invoice_id)] for payment in (old, part, young)]
            calls.add_callback("POST", calls.info_url, lambda request: say(told))
            check_due_payments(Round(gateway(app)), now)
            assert len(calls.calls) == 1

        assert old.next_check_at is None
        assert part.ends_at is not None
        assert part.next_check_at == now + (now - part.ends_at) / 8
        assert young.next_check_at == now + HOUR


def test_invoices_that_only_the_journal_knows_are_asked_about_in_one_call(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shop.books.with_journal.SETTLED_AFTER", timedelta(0))
    with app.app_context(), provider(app) as calls:
        journal.note("invoice", *((f"LOST{n:04}", "AAAA-BBBB-1-00") for n in range(3)))
        calls.post(calls.info_url, json={"status": "success", "result": []})

        compare(gateway(app))

        assert [call.request.url for call in calls.calls].count(calls.info_url) == 1


def test_an_invoice_that_the_answer_leaves_out_is_asked_about_until_a_person_knows(
    app: Flask,
) -> None:
    """Else one that the provider tells about in words we do not know would be forgotten, money and all."""
    with app.app_context(), provider(app) as calls:
        assert isinstance(calls, ProviderV2)
        _, clear = make_open_order(app)
        _, strange = make_open_order(app)
        told = [
            calls.made[str(clear.invoice_id)],
            calls.made[str(strange.invoice_id)] | {"status": "melted"},
        ]
        calls.add_callback("POST", calls.info_url, lambda request: say(told))
        now = utcnow() + timedelta(hours=121)

        check_due_payments(Round(gateway(app)), now)

        assert (clear.next_check_at, strange.next_check_at) == (None, now + HOUR)
        sweep(gateway(app), now + timedelta(days=1))
        check(now + timedelta(days=1))
        assert [(item.kind, item.reference) for item in open_attention()] == [
            ("answer_unclear", strange.reference),
            ("not_answered", strange.reference),
        ]
