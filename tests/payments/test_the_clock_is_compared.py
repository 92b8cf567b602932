"""A clock that is minutes off is before a person: the sweep reads the provider's off the answers that come anyway."""

from __future__ import annotations

from datetime import timedelta
from email.utils import formatdate
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import select

from shop.attention.models import AttentionItem
from shop.config import Settings
from shop.db import db, end_read, utcnow
from shop.payments.cryptocloud.answers import Answer
from shop.payments.cryptocloud.calls import CLOCK_READINGS
from shop.payments.opening import open_invoice
from shop.payments.sweep import sweep
from shop.sandbox.state import Sandbox
from tests.conftest import settings_for
from tests.factories import gateway, make_order

only_sqlite = pytest.mark.parametrize("engine", ["sqlite"])


@pytest.fixture(params=["1", "2"])
def version(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def settings(tmp_path: Path, database_url: str, sandbox: Sandbox, version: str) -> Settings:
    return settings_for(sandbox, tmp_path / "data", database_url, cryptocloud_api_version=version)


def is_ahead(sandbox: Sandbox, by: timedelta) -> None:
    """The provider's clock is; what is wrong is ours."""
    sandbox.clock = lambda: utcnow() + by


def asks(app: Flask, invoice_id: str, times: int) -> list[AttentionItem]:
    """What is on the attention list after so many answers, each with its sweep."""
    for _ in range(times):
        gateway(app).invoice_infos([invoice_id])
        end_read()
        sweep(gateway(app))
    end_read()
    return list(db.session.scalars(select(AttentionItem)))


def buy(app: Flask) -> str:
    """An open invoice's id; its making was the first answer."""
    _, payment = make_order(app)
    open_invoice(payment, gateway(app))
    assert payment.invoice_id
    return payment.invoice_id


@pytest.mark.parametrize(
    ("minutes", "said"), [(3.5, "3 minutes behind"), (-200, "3 hours ahead of"), (-2.1, "2 minutes ahead of")]
)  # fmt: skip
def test_a_clock_that_is_minutes_off_is_told_until_it_is_right(
    app: Flask, sandbox: Sandbox, minutes: float, said: str
) -> None:
    with app.app_context():
        invoice_id = buy(app)
        is_ahead(sandbox, timedelta(minutes=minutes))
        (item,) = asks(app, invoice_id, CLOCK_READINGS)

        assert (item.kind, item.resolved_at) == ("clock_wrong", None)
        assert f"is {said} CryptoCloud's" in item.note

        is_ahead(sandbox, timedelta(0))
        (item,) = asks(app, invoice_id, 1)

        assert item.resolved_by == "shop"


@only_sqlite
def test_an_answer_with_a_wrong_date_among_right_ones_is_no_alarm(
    app: Flask, sandbox: Sandbox
) -> None:
    with app.app_context():
        invoice_id = buy(app)
        for _ in range(3):
            is_ahead(sandbox, timedelta(hours=1))
            assert asks(app, invoice_id, CLOCK_READINGS - 1) == []
            is_ahead(sandbox, timedelta(0))
            assert asks(app, invoice_id, 1) == []


@only_sqlite
def test_seconds_are_no_alarm(app: Flask, sandbox: Sandbox) -> None:
    with app.app_context():
        invoice_id = buy(app)
        is_ahead(sandbox, timedelta(seconds=110))

        assert asks(app, invoice_id, CLOCK_READINGS + 1) == []


NOW = 1_800_000_000.0


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.time", lambda: NOW)


@pytest.mark.usefixtures("now")
@pytest.mark.parametrize(
    ("dated", "took", "ahead"),
    [
        (0, 0.0, 0), (300, 0.2, 300), (-300, 0.2, -299.8), (-130, 140.0, 0), (-7, 8.0, 0), (5, 8.0, 5),
    ],
)  # fmt: skip
def test_the_length_of_a_call_is_not_held_against_the_clock(
    dated: int, took: float, ahead: float
) -> None:
    """The answer was dated when the provider began it, and may have dripped in since."""
    answer = Answer.of(200, {"Date": formatdate(NOW + dated)}, b"{}", took=took)

    assert answer.clock_ahead == pytest.approx(ahead)


@pytest.mark.usefixtures("now")
@pytest.mark.parametrize(("age", "told"), [("0", -600.0), ("600", None), ("odd", None)])
def test_an_answer_out_of_a_cache_tells_no_time(age: str, told: float | None) -> None:
    answer = Answer.of(200, {"Date": formatdate(NOW - 600), "Age": age}, b"{}")

    assert answer.clock_ahead == told
