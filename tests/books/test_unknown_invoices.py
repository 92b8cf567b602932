"""Invoices that only the journal knows are asked about sparingly, and one that nobody can tell about stops no other."""

from __future__ import annotations

from datetime import timedelta

import pytest
import responses
from flask import Flask

from shop.attention.queries import open_attention
from shop.books.service import compare
from shop.books.with_provider import MOST_QUESTIONS
from shop.db import end_read, utcnow
from shop.ops import journal
from tests.factories import gateway, provider


@pytest.fixture(autouse=True)
def judged_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that the clock need not be set ahead for each line."""
    monkeypatch.setattr("shop.books.with_journal.SETTLED_AFTER", timedelta(0))


def note(*numbers: int) -> None:
    journal.note("invoice", *((f"LOST{number:04}", "AAAA-BBBB-1-00") for number in numbers))


def asked(app: Flask, *, hours: int = 0, status: int = 200) -> int:
    """How many questions one sweep asks."""
    end_read()
    with provider(app) as calls:
        said = {"status": "success", "status_invoice": "created"}
        no = {"status": "error", "error": "Invoice is not found"}
        told = said if status == 200 else no
        calls.add(responses.GET, calls.info_url, status=status, json=told)
        compare(gateway(app), utcnow() + timedelta(hours=hours))
        return len(calls.calls)


def test_a_new_one_is_asked_about_at_once_and_all_of_them_hourly(app: Flask) -> None:
    with app.app_context():
        assert asked(app) == 0
        note(1)
        assert (asked(app), asked(app)) == (1, 0)
        note(2)
        assert (asked(app), asked(app)) == (2, 0)
        assert asked(app, hours=2) == 2


def test_no_more_than_a_few_are_asked_about_in_one_sweep(app: Flask) -> None:
    with app.app_context():
        note(*range(MOST_QUESTIONS + 5))

        assert asked(app) == MOST_QUESTIONS


@pytest.mark.parametrize(("status", "questions"), [(400, 3), (502, 1)])
def test_one_that_the_provider_does_not_know_stops_no_other_and_silence_stops_all(
    app: Flask, status: int, questions: int
) -> None:
    with app.app_context():
        note(1, 2, 3)

        assert asked(app, status=status) == questions
        assert asked(app) == 0, "until the hour is over"


def test_the_item_says_what_the_invoice_was_made_for(app: Flask) -> None:
    with app.app_context():
        note(1)
        journal.note("paid", ("LOST0002",))
        asked(app)

        made, told = sorted(item.note for item in open_attention())

        assert made.startswith("Invoice LOST0001 was made for AAAA-BBBB-1-00 on ")
        assert told.startswith("Invoice LOST0002 was told of by CryptoCloud on ")
