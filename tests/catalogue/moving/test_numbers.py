"""Figures, dates and flags mean what they meant where they were written, or are asked about."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from shop.catalogue.moving.numbers import (
    BadValue,
    amount,
    day_first,
    flag,
    moment,
    settle,
    whole,
)


@pytest.mark.parametrize(
    ("cells", "sign"),
    [
        (["12.50", "3"], "."),
        (["12,50", "3"], ","),
        (["1.299,00", "1.299"], ","),
        (["1,299.00", "1,299"], "."),
        (["1.299.000", "1.299"], ","),
        (["2,4", "1.299"], ","),
        (["0.299"], "."),
        (["12", "7"], "."),
        ([], "."),
        (["1\u202f299,5 €", "12,00 EUR"], ","),
        (["15.-", "12,50"], ","),
    ],
)
def test_the_decimal_sign_is_settled_for_a_whole_file(cells: list[str], sign: str) -> None:
    assert settle(cells).sign == sign


@pytest.mark.parametrize(
    ("cells", "why"),
    [
        (["1.299"], "1.299 could be two figures"),
        (["12", "1,299"], "1,299 could be two figures"),
        (["12,50", "12.50"], "both 12,50 and 12.50 stand in it"),
    ],
)
def test_prices_that_could_be_two_figures_are_asked_about(cells: list[str], why: str) -> None:
    """In WooCommerce, with a decimal comma 2,4 became 24."""
    assert (settle(cells).sign, settle(cells).why) == ("", why)


@pytest.mark.parametrize(
    ("cell", "sign", "meant"),
    [
        ("12", ".", "12"),
        ("2,4", ",", "2.4"),
        ("1.299,00", ",", "1299"),
        ("1,299.5", ".", "1299.5"),
        ("1.299", ",", "1299"),
        ("1 299,00 €", ",", "1299"),
        ("1\u00a0299,00", ",", "1299"),
        ("1\u202f299,00", ",", "1299"),
        ("1'299.00", ".", "1299"),
        ("EUR 12.50", ".", "12.5"),
        ("0", ".", "0"),
    ],
)
def test_a_price_is_read_exactly(cell: str, sign: str, meant: str) -> None:
    assert amount(cell, sign, "EUR") == Decimal(meant)


@pytest.mark.parametrize(
    ("cell", "sign", "problem"),
    [
        ("1.299", ".", "has more than 2 decimal places"),
        ("12.505", ".", "has more than 2 decimal places"),
        ("12.50", ",", "is no price"),
        ("1e3", ".", "is no price"),
        ("-5", ".", "is no price"),
        ("15.-", ".", "is no price"),
        ("10-20", ".", "is no price"),
        ("12 50", ".", "is no price"),
        ("abc", ".", "is no price"),
        ("NaN", ".", "is no price"),
        ("$12", ".", "is not in EUR"),
        ("12 EUR / 14 USD", ".", "is not in EUR"),
        ("٣", ".", "is no price"),
    ],
)
def test_what_is_no_price_is_refused_and_never_rounded(cell: str, sign: str, problem: str) -> None:
    with pytest.raises(BadValue, match=problem):
        amount(cell, sign, "EUR")


def test_an_empty_price_is_not_nothing_to_pay() -> None:
    assert amount(" ", ".", "EUR") is None


@pytest.mark.parametrize(
    ("cell", "meant"), [("12", 12), ("-3", -3), ("7.0", 7), (" 5 ", 5), ("", None)]
)
def test_whole_numbers_are_read(cell: str, meant: int | None) -> None:
    assert whole(cell) == meant


@pytest.mark.parametrize("cell", ["1.5", "many", "1e3", "12345678901", "1.000", "1,000"])
def test_what_is_no_whole_number_is_refused(cell: str) -> None:
    with pytest.raises(BadValue, match="no whole number"):
        whole(cell)


@pytest.mark.parametrize(
    ("cell", "meant"),
    [
        *((word, True) for word in ("1", "TRUE", "yes", "WAHR", "ИСТИНА")),
        *((word, False) for word in ("0", "false", "No", "FALSCH", "ЛОЖЬ", "")),
        *((word, None) for word in ("2", "-1", "maybe")),
    ],
)
def test_flags_are_known_in_the_languages_of_spreadsheets(cell: str, meant: bool | None) -> None:
    assert flag(cell) is meant


@pytest.mark.parametrize(
    ("cell", "meant"),
    [
        ("2026-12-01 8:05:00", datetime(2026, 12, 1, 7, 5, tzinfo=UTC)),
        ("01.12.2026 08:05", datetime(2026, 12, 1, 7, 5, tzinfo=UTC)),
        ("2026-12-01", datetime(2026, 11, 30, 23, 0, tzinfo=UTC)),
        ("2026-12-01T08:05:00Z", datetime(2026, 12, 1, 8, 5, tzinfo=UTC)),
        ("2026-12-01T08:05:00+03:00", datetime(2026, 12, 1, 5, 5, tzinfo=UTC)),
        ("3/4/2026", datetime(2026, 4, 2, 22, 0, tzinfo=UTC)),
        ("", None),
    ],
)
def test_a_date_without_a_zone_is_one_of_the_old_shops(cell: str, meant: datetime | None) -> None:
    assert moment(cell, ZoneInfo("Europe/Berlin")) == meant


def test_dates_that_begin_with_the_month_are_read_so() -> None:
    assert moment("3/4/2026", UTC, days_first=False) == datetime(2026, 3, 4, tzinfo=UTC)


@pytest.mark.parametrize("cell", ["soon", "2026-02-30", "31/31/2026", "2026-12-01 25:00"])
def test_what_is_no_date_is_refused(cell: str) -> None:
    with pytest.raises(BadValue, match="is no date"):
        moment(cell, UTC)


@pytest.mark.parametrize(
    ("cells", "first"),
    [
        (["3/4/2026", "13/4/2026"], True),
        (["3/4/2026", "4/13/2026"], False),
        (["3/4/2026"], None),
        (["13/4/2026", "4/13/2026"], None),
        (["2026-03-04"], True),
    ],
)
def test_day_or_month_first_is_settled_for_a_whole_file(
    cells: list[str], first: bool | None
) -> None:
    assert day_first(cells) is first
