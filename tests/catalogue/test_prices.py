"""What a unit and a cart cost, in the currencies of the shop."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask

from shop.catalogue.models import ExchangeRate
from shop.catalogue.pricing import PriceList, is_fresh, unit_price
from shop.catalogue.queries import price_list
from shop.catalogue.service import set_rates
from shop.db import transaction, utcnow
from shop.money import CURRENCIES, Money

from .conftest import ImportText, ProductText

BASE = Money(1000, "USD")


def quotes(lines: dict[str, int]) -> dict[str, Money]:
    """The totals that a buyer of these quantities is shown."""
    return price_list(lines).totals(lines, CURRENCIES)


def e8(rate: str) -> int:
    whole, _, fraction = rate.partition(".")
    return int(whole + fraction.ljust(8, "0"))


def test_an_own_price_wins_over_the_exchange_rate() -> None:
    assert unit_price(1150, BASE, e8("0.5"), "EUR") == Money(1150, "EUR")


@pytest.mark.parametrize(
    ("minor", "rate", "expected"),
    [
        (1000, "0.92", 920),
        (1, "0.5", 0),
        (25, "0.5", 12),  # 12.5 to the even 12
        (35, "0.5", 18),  # 17.5 to the even 18
        (25, "0.50000001", 13),
        (1000, "81.5", 81500),
    ],
)
def test_a_converted_price_is_rounded_once_half_to_even(
    minor: int, rate: str, expected: int
) -> None:
    price = unit_price(None, Money(minor, "USD"), e8(rate), "EUR")

    assert price == (Money(expected, "EUR") if expected else None)


def test_without_a_rate_or_a_base_price_there_is_no_price() -> None:
    assert unit_price(None, BASE, None, "EUR") is None
    assert unit_price(None, None, e8("0.9"), "EUR") is None


def test_an_amount_beyond_all_measure_is_no_price() -> None:
    assert unit_price(None, Money(10**15, "USD"), e8("81.5"), "RUB") is None


def test_what_is_free_is_so_in_every_currency_and_without_a_rate() -> None:
    listed = PriceList("USD", {"gift": {"USD": 0}, "pin": {"USD": 1000}}, {"EUR": e8("0.5")})

    assert listed.price("gift", "RUB") == Money(0, "RUB")
    assert listed.totals({"gift": 1, "pin": 2}, ["USD", "EUR", "RUB"]) == {
        "USD": Money(2000, "USD"),
        "EUR": Money(1000, "EUR"),
    }


def test_the_unit_is_rounded_and_then_multiplied() -> None:
    listed = PriceList("USD", {"pin": {"USD": 33}}, {"EUR": e8("0.5")})

    assert listed.total({"pin": 3}, "EUR") == Money(48, "EUR")  # 16.5 is 16, three times


def test_a_currency_in_which_one_line_has_no_price_has_no_total() -> None:
    listed = PriceList("USD", {"a": {"USD": 100, "EUR": 90}, "b": {"USD": 100}}, {})

    assert listed.total({"a": 1, "b": 1}, "EUR") is None
    assert listed.total({"a": 1, "b": 2}, "USD") == Money(300, "USD")


def test_a_rate_is_fresh_to_the_last_second_of_its_age() -> None:
    set_at = datetime(2026, 11, 1, tzinfo=UTC)

    assert is_fresh(set_at, 30, set_at + timedelta(days=30))
    assert not is_fresh(set_at, 30, set_at + timedelta(days=30, seconds=1))


def test_a_cart_is_quoted_in_each_currency_that_prices_all_of_it(
    app: Flask, import_text: ImportText, product: ProductText
) -> None:
    with app.app_context():
        import_text(product("rain", prices="{USD: 12.00, GBP: 9.99}") + product("wind"))
        set_rates({"EUR": "0.92", "RUB": "81.5"})

        assert quotes({"rain": 2, "wind": 1}) == {
            "USD": Money(3600, "USD"),
            "EUR": Money(3312, "EUR"),
            "RUB": Money(293400, "RUB"),
        }
        assert quotes({"rain": 2})["GBP"] == Money(1998, "GBP")


def test_a_withdrawn_or_unknown_product_is_quoted_in_no_currency(
    app: Flask, import_text: ImportText, product: ProductText
) -> None:
    with app.app_context():
        import_text(product("rain") + product("wind", active="no"))

        assert quotes({"rain": 1, "wind": 1}) == {}
        assert quotes({"rain": 1, "fog": 1}) == {}


def test_a_rate_that_is_too_old_prices_nothing(
    app: Flask, import_text: ImportText, product: ProductText
) -> None:
    with app.app_context():
        import_text(product())
        set_rates({"EUR": "0.92"})
        assert price_list(["rain"]).price("rain", "EUR") == Money(1104, "EUR")

        with transaction() as session:
            session.get_one(ExchangeRate, "EUR").set_at = utcnow() - timedelta(days=31)

        assert price_list(["rain"]).price("rain", "EUR") is None
        assert price_list(["rain"]).price("rain", "USD") == Money(1200, "USD")
