"""Exchange rates: all that were given are set, or none."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient, FlaskCliRunner
from sqlalchemy import select

from shop.catalogue.models import ExchangeRate, Price
from shop.catalogue.service import set_rates
from shop.db import db, transaction, utcnow
from shop.doctor import catalogue as checks
from shop.schema import migrations
from tests.factories import make_product


def rates() -> dict[str, str]:
    return {
        rate.currency: f"{rate.rate.normalize():f}"
        for rate in db.session.scalars(select(ExchangeRate))
    }


def test_rates_are_set_and_set_anew(app: Flask, runner: FlaskCliRunner) -> None:
    first = runner.invoke(args=["rates", "set", "EUR=0.92", "RUB=81.50"])
    second = runner.invoke(args=["rates", "set", "EUR=0.93000001"])

    assert (first.exit_code, first.output) == (0, "2 set: 1 USD = 0.92 EUR, 81.50 RUB.\n")
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
    assert lines[1].endswith("not used: too old")
    assert lines[2:] == ["Pound sterling (GBP) has no rate", "Ukrainian hryvnia (UAH) has no rate"]
    assert [(r["currency"], r["rate"], r["usable"]) for r in data] == [
        ("EUR", "0.92", True),
        ("RUB", "81.5", False),
    ]


def change_base(app: Flask, code: str) -> None:
    """The operator changes SHOP_BASE_CURRENCY."""
    app.config["SETTINGS"] = app.config["SETTINGS"].model_copy(update={"shop_base_currency": code})


def prices_of(**minor: int) -> list[Price]:
    return [Price(currency=code, minor=units) for code, units in minor.items()]


def test_a_rate_for_another_base_currency_prices_nothing_until_it_is_set_anew(
    app: Flask, client: FlaskClient, runner: FlaskCliRunner
) -> None:
    """12.00 dollars were sold for 0.12 euros, by a rate that had been set for roubles."""
    change_base(app, "RUB")
    runner.invoke(args=["rates", "set", "EUR=0.0104"])
    change_base(app, "USD")
    with app.app_context():
        slug = make_product(price=1200).slug

    assert "Not available in EUR" in client.get(f"/products/{slug}?currency=EUR").text
    assert "EUR\N{NO-BREAK SPACE}" not in client.get("/?currency=EUR&sort=price").text
    client.post("/cart", data={"product": slug, "currency": "EUR"})
    assert "USD\N{NO-BREAK SPACE}12.00" in client.get("/cart").text
    assert "EUR\N{NO-BREAK SPACE}" not in client.get("/checkout?currency=EUR").text

    assert runner.invoke(args=["rates", "set", "EUR=0.92"]).exit_code == 0
    assert "EUR\N{NO-BREAK SPACE}11.04" in client.get(f"/products/{slug}?currency=EUR").text


def test_the_list_and_the_doctor_name_a_rate_for_another_base_currency(
    app: Flask, runner: FlaskCliRunner
) -> None:
    change_base(app, "RUB")
    runner.invoke(args=["rates", "set", "EUR=0.0104"])
    change_base(app, "USD")
    runner.invoke(args=["rates", "set", "UAH=41.30"])
    with app.app_context(), transaction() as session:
        session.get_one(ExchangeRate, "UAH").base_currency = ""

    lines = runner.invoke(args=["rates", "list"]).output.splitlines()
    with app.app_context():
        (finding,) = checks.rates(app.config["SETTINGS"])

    assert lines[0].startswith("1 RUB = 0.0104 EUR")
    assert lines[0].endswith("not used: it is for 1 RUB, and the base currency is USD")
    assert lines[1].startswith("1 ? = 41.3 UAH")
    assert lines[1].endswith("not used: its base currency is not known")
    assert finding.level == "warn"
    assert "EUR (it is for 1 RUB, and the base currency is USD); UAH (its base" in finding.text
    assert "for 1 USD: `flask --app wsgi rates set" in finding.mend


def test_the_doctor_is_content_with_rates_that_are_used(app: Flask, runner: FlaskCliRunner) -> None:
    with app.app_context():
        assert checks.rates(app.config["SETTINGS"]) == []

    runner.invoke(args=["rates", "set", "EUR=0.92"])

    with app.app_context():
        (finding,) = checks.rates(app.config["SETTINGS"])
        assert (finding.level, finding.text) == ("ok", "for 1 USD: EUR")


@pytest.mark.parametrize("pair", ["RUB=0.0104", "RUB=9650", "EUR=96.50", "UAH=0.024"])
def test_a_first_rate_that_is_the_wrong_way_round_is_asked_about(
    app: Flask, runner: FlaskCliRunner, pair: str
) -> None:
    result = runner.invoke(args=["rates", "set", "GBP=0.79", pair])

    assert result.exit_code == 1
    assert f"1 USD = {pair[4:]} {pair[:3]} is far from the expected 1 USD = " in result.output
    assert "add --yes" in result.output
    with app.app_context():
        assert rates() == {}


@pytest.mark.parametrize("base", ["USD", "RUB", "EUR", "GBP", "UAH"])
def test_rates_as_they_are_today_are_never_asked_about(
    app: Flask, runner: FlaskCliRunner, base: str
) -> None:
    today = {"USD": 1, "EUR": 0.86, "GBP": 0.75, "RUB": 78.5, "UAH": 42.1}
    change_base(app, base)
    pairs = [f"{code}={today[code] / today[base]:.6f}" for code in today if code != base]

    assert runner.invoke(args=["rates", "set", *pairs]).exit_code == 0


def test_a_rate_ten_times_off_the_last_one_needs_a_yes(app: Flask, runner: FlaskCliRunner) -> None:
    assert runner.invoke(args=["rates", "set", "RUB=850", "--yes"]).exit_code == 0

    assert runner.invoke(args=["rates", "set", "RUB=900"]).exit_code == 0, "near the last one"
    refused = runner.invoke(args=["rates", "set", "RUB=90"])
    with app.app_context():
        assert rates() == {"RUB": "900"}
    accepted = runner.invoke(args=["rates", "set", "RUB=90", "--yes"])

    assert "1 USD = 90 RUB is far from the expected 1 USD = 900.0 RUB" in refused.output
    assert (refused.exit_code, accepted.exit_code) == (1, 0)
    with app.app_context():
        assert rates() == {"RUB": "90"}


def sold_in_dollars() -> None:
    make_product()
    set_rates({"EUR": "0.92"})


def also_priced_in_a_rated_currency() -> None:
    make_product(prices=prices_of(USD=1000, EUR=900))
    set_rates({"EUR": "0.92", "RUB": "81.5"})
    make_product()


def priced_in_two_currencies() -> None:
    make_product(prices=prices_of(USD=1000, GBP=900))
    set_rates({"EUR": "0.92"})


def priced_anew_since() -> None:
    """As after a change from roubles to dollars: nothing shows what the rate was for."""
    set_rates({"EUR": "0.0104"}, sure=True)
    make_product()


def rated_in_roubles_and_priced_in_dollars_now() -> None:
    make_product(prices=prices_of(RUB=100_000), active=False)
    make_product(prices=prices_of(RUB=100_000))
    set_rates({"EUR": "0.0104"}, sure=True)
    make_product()


def no_longer_priced_in_the_base_that_one_rate_was_for() -> None:
    """EUR was rated for dollars; then euros were the base, and RUB was rated; now dollars are again."""
    set_rates({"EUR": "0.92"})
    make_product(prices=prices_of(USD=1000, EUR=900))
    set_rates({"RUB": "95"})
    make_product()


def nothing_for_sale() -> None:
    set_rates({"EUR": "0.92"})


@pytest.mark.parametrize(
    ("shop", "bases"),
    [
        (sold_in_dollars, {"EUR": "USD"}),
        (also_priced_in_a_rated_currency, {"EUR": "USD", "RUB": "USD"}),
        (priced_in_two_currencies, {"EUR": ""}),
        (priced_anew_since, {"EUR": ""}),
        (rated_in_roubles_and_priced_in_dollars_now, {"EUR": ""}),
        (no_longer_priced_in_the_base_that_one_rate_was_for, {"EUR": "", "RUB": ""}),
        (nothing_for_sale, {"EUR": ""}),
    ],
)
def test_an_upgrade_takes_an_old_rate_for_what_the_products_prove_and_no_other(
    app: Flask, shop: Callable[[], None], bases: dict[str, str]
) -> None:
    with app.app_context():
        shop()
        db.session.close()
        steps = migrations().script_directory.walk_revisions()
        (step,) = (step for step in steps if step.path.endswith("rates_name_their_base.py"))

        migrations().downgrade(step.down_revision)
        migrations().upgrade()

        found = db.session.scalars(select(ExchangeRate)).all()
        assert {rate.currency: rate.base_currency for rate in found} == bases
