"""Rations are counted exactly, however many ask at once, and come back on the next day."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask
from sqlalchemy import func, select

import shop.ops.rations as rations
from shop.db import db, end_read, transaction, utcnow
from shop.ops.models import Ration
from shop.ops.rations import UsedUp, forget_past, ration_subject, use_ration
from tests.support.crowd import at_once


def takes(app: Flask) -> bool:
    with app.app_context():
        try:
            with transaction() as session:
                use_ration(session, "a test", 3)
        except UsedUp:
            return False
        return True


def stored() -> int:
    end_read()
    return db.session.scalar(select(func.count()).select_from(Ration)) or 0


def test_twenty_at_once_get_three(app: Flask) -> None:
    assert sum(at_once(20, lambda _: takes(app))) == 3

    with app.app_context():
        assert stored() == 3


@pytest.mark.parametrize("engine", ["postgresql"])
def test_control_without_the_unique_number_they_get_more(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On SQLite there is no control: one writer at a time counts and writes."""
    barrier = threading.Barrier(8)

    def careless(*arguments: object, **values: object) -> bool:
        barrier.wait(60)
        return True

    monkeypatch.setattr(rations, "insert_if_new", careless)

    assert sum(at_once(8, lambda _: takes(app))) == 8


def test_one_that_is_refused_says_until_when(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    now = datetime(2026, 12, 31, 22, 30, tzinfo=UTC)
    monkeypatch.setattr(rations, "utcnow", lambda: now)
    with app.app_context():
        for _ in range(3):
            assert takes(app)

        with pytest.raises(UsedUp) as used, transaction() as session:
            use_ration(session, "a test", 3)

        assert used.value.until == datetime(2027, 1, 1, tzinfo=UTC)
        now += timedelta(hours=2)
        assert takes(app)


def test_what_was_counted_on_earlier_days_is_dropped(app: Flask) -> None:
    with app.app_context():
        takes(app)

        forget_past()
        assert stored() == 1
        forget_past(utcnow() + timedelta(days=1))
        assert stored() == 0


def test_the_table_does_not_tell_whose_they_are(app: Flask) -> None:
    with app.app_context():
        found = ration_subject("mail", "Buyer@Example.com ")

        assert found == ration_subject("mail", "buyer@example.com")
        assert found != ration_subject("search", "buyer@example.com")
        assert "buyer" not in found
        assert len(found) <= 60
