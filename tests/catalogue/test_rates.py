"""Exchange rates: all that were given are set, or none."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from flask import Flask
from flask.testing import FlaskCliRunner
from sqlalchemy import select

from shop.catalogue.models import ExchangeRate
from shop.db import db, transaction, utcnow


def rates() -> dict[str, str]:
    return {
        rate.currency: f"{rate.rate.normalize():f}"
        for rate in db.session.scalars(select(ExchangeRate))
    }


def test_rates_are_set_and_set_anew(app: Flask, runner: FlaskCliRunner) -> None:
    first = runner.invoke(args=["rates", "set", "EUR=0.92", "RUB=81.50"])
    second = runner.invoke(args=["rates", "set", "EUR=0.93000001"])

    assert (first.exit_code, first.output) == (0, "2 set: EUR, RUB.\n")
    assert second.exit_code == 0
    with app.app_context():
        assert rates() == {"EUR": "0.93000001", "RUB": "81.5"}


@pytest.mark.parametrize(
    ("pair", "problem"),
    [
        ("USD=1", "USD is the base currency"),
        ("BTC=1", "BTC is not one of USD, RUB, EUR, GBP, UAH"),
        ("eur=1", "eur is not one of"),
        ("RUB=0", "the rate of RUB must be more than 0"),
        ("RUB=0.000000001", "is not a rate of RUB"),
        ("RUB=-5", "is not a rate of RUB"),
        ("RUB=81,5", "is not a rate of RUB"),
        ("RUB=1e3", "is not a rate of RUB"),
        ("RUB=NaN", "is not a rate of RUB"),
        ("RUB=٨١", "is not a rate of RUB"),
        ("RUB=" + "9" * 30, "is not a rate of RUB"),
        ("RUB", "write each currency once, like EUR=0.92"),
        ("EUR=0.5", "write each currency once, like EUR=0.92"),
    ],
)
def test_one_bad_rate_keeps_all_of_them_out(
    app: Flask, runner: FlaskCliRunner, pair: str, problem: str
) -> None:
    result = runner.invoke(args=["rates", "set", "EUR=0.92", pair])

    assert result.exit_code != 0
    assert problem in result.output
    with app.app_context():
        assert rates() == {}


def test_the_list_says_which_rates_are_too_old_and_which_are_missing(
    app: Flask, runner: FlaskCliRunner
) -> None:
    runner.invoke(args=["rates", "set", "EUR=0.92", "RUB=81.50"])
    with app.app_context(), transaction() as session:
        session.get_one(ExchangeRate, "RUB").set_at = utcnow() - timedelta(days=31)

    lines = runner.invoke(args=["rates", "list"]).output.splitlines()
    data = json.loads(runner.invoke(args=["rates", "list", "--json"]).output)

    assert lines[0].startswith("1 USD = 0.92 EUR  set 20")
    assert lines[1].startswith("1 USD = 81.5 RUB")
    assert lines[1].endswith("too old, not used")
    assert lines[2:] == ["Pound sterling (GBP) has no rate", "Ukrainian hryvnia (UAH) has no rate"]
    assert [(r["currency"], r["rate"], r["usable"]) for r in data] == [
        ("EUR", "0.92", True),
        ("RUB", "81.5", False),
    ]
