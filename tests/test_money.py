"""The laws of money: whole minor units, one currency at a time, rounded once."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal, localcontext
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shop.money import CURRENCIES, LARGEST_MINOR, Money, MoneyError, exponent, format_money

PLACES = {"USD": 2, "RUB": 2, "EUR": 2, "GBP": 2, "UAH": 2, "JPY": 0, "KWD": 3}
NBSP = "\N{NO-BREAK SPACE}"

codes = st.sampled_from(sorted(PLACES))
minors = st.integers(-LARGEST_MINOR, LARGEST_MINOR)
small = st.integers(-(10**12), 10**12)
rates = st.decimals("0.00000001", "99999999", places=8)
patient = settings(deadline=None)


def test_the_provider_makes_invoices_in_five_currencies_of_two_places() -> None:
    assert list(CURRENCIES) == ["USD", "RUB", "EUR", "GBP", "UAH"]
    assert {exponent(code) for code in CURRENCIES} == {2}


@pytest.mark.parametrize(("code", "places"), PLACES.items())
def test_a_currency_has_as_many_places_as_iso_4217_says(code: str, places: int) -> None:
    assert exponent(code) == places
    assert Money(1, code).decimal == Decimal(1).scaleb(-places)


@pytest.mark.parametrize(
    ("text", "currency", "minor"),
    [
        ("10", "USD", 1000),
        ("10.5", "USD", 1050),
        ("10.50", "USD", 1050),
        ("0.01", "EUR", 1),
        ("0", "EUR", 0),
        ("007.10", "GBP", 710),
        ("1000", "JPY", 1000),
        ("1.234", "KWD", 1234),
        ("10000000000000.00", "RUB", 10**15),
    ],
)
def test_an_amount_is_read_exactly(text: str, currency: str, minor: int) -> None:
    assert Money.parse(text, currency) == Money(minor, currency)


@pytest.mark.parametrize(
    "text",
    ["", " ", "ten", "10,50", "1,000", "1 000", "1_000", " 10", "10 ", "10\n", "+10", "-10", "10.", ".50",
     ".", "1.2.3", "1e2", "1E400", "0x10", "NaN", "Infinity", "$10", "10 USD", "１０", "٣", "²", "10.505",
     "10.5０", "10000000000000.01", "9" * 24, "9" * 10_000],
)  # fmt: skip
def test_what_is_not_plainly_an_amount_is_refused(text: str) -> None:
    with pytest.raises(MoneyError):
        Money.parse(text, "USD")


@pytest.mark.parametrize("value", [10.5, 10, Decimal("10.50"), None, b"10.50", ["10"]])
def test_only_text_is_read(value: object) -> None:
    with pytest.raises(MoneyError):
        Money.parse(value, "USD")  # type: ignore[arg-type]


def test_more_places_than_the_currency_has_are_refused_and_not_rounded() -> None:
    with pytest.raises(MoneyError, match="more than 2 decimal places for USD"):
        Money.parse("10.500", "USD")
    with pytest.raises(MoneyError, match="more than 0 decimal places for JPY"):
        Money.parse("10.0", "JPY")


@pytest.mark.parametrize("minor", [10.0, Decimal(10), "10", True, None])
def test_minor_units_are_a_whole_number_and_never_a_float(minor: object) -> None:
    with pytest.raises(MoneyError):
        Money(minor, "USD")  # type: ignore[arg-type]


@pytest.mark.parametrize("minor", [LARGEST_MINOR + 1, -LARGEST_MINOR - 1, 10**30])
def test_an_amount_that_no_column_could_keep_is_refused(minor: int) -> None:
    with pytest.raises(MoneyError, match="too large"):
        Money(minor, "USD")


@pytest.mark.parametrize("code", ["usd", "US", "USDT", "BTC", "", "XX1", "ÜSD", None, 840])
def test_an_unknown_currency_is_refused(code: object) -> None:
    with pytest.raises(MoneyError, match="not an ISO 4217 currency code"):
        Money(1, code)  # type: ignore[arg-type]


def test_an_amount_does_not_change() -> None:
    with pytest.raises(AttributeError):
        Money(1, "USD").minor = 2  # type: ignore[misc]


@patient
@given(minor=st.integers(0, LARGEST_MINOR), code=codes)
def test_what_is_written_is_read_as_the_same(minor: int, code: str) -> None:
    figure, written = str(Money(minor, code)).split(" ")

    assert Money.parse(figure, written) == Money(minor, code)


@patient
@given(minor=minors, code=codes)
def test_the_decimal_is_exact(minor: int, code: str) -> None:
    assert Fraction(Money(minor, code).decimal) == Fraction(minor, 10 ** PLACES[code])


@patient
@given(minor=minors, code=codes)
def test_what_people_read_is_the_exact_amount(minor: int, code: str) -> None:
    written, figure = format_money(Money(minor, code)).split(NBSP)

    assert written == code
    assert Decimal(figure.replace(",", "")) == Money(minor, code).decimal


@patient
@given(units=st.lists(small, min_size=1, max_size=20), code=codes)
def test_a_sum_of_lines_is_the_sum_of_their_minor_units(units: list[int], code: str) -> None:
    total = Money(0, code)
    for minor in units:
        total += Money(minor, code)

    assert total == Money(sum(units), code)


@patient
@given(minor=small, code=codes, quantity=st.integers(0, 99))
def test_a_quantity_is_so_many_times_the_unit(minor: int, code: str, quantity: int) -> None:
    total = Money(0, code)
    for _ in range(quantity):
        total += Money(minor, code)

    assert Money(minor, code) * quantity == total


@patient
@given(a=small, b=small, code=codes)
def test_adding_and_taking_away_undo_each_other(a: int, b: int, code: str) -> None:
    assert Money(a, code) + Money(b, code) - Money(b, code) == Money(a, code)


@patient
@given(a=minors, b=minors, code=codes)
def test_amounts_are_ordered_as_their_minor_units_are(a: int, b: int, code: str) -> None:
    one, other = Money(a, code), Money(b, code)

    assert (one < other, one <= other, one > other, one >= other, one == other) == (
        a < b, a <= b, a > b, a >= b, a == b,
    )  # fmt: skip


@pytest.mark.parametrize(
    "mix",
    [
        lambda usd, other: usd + other,
        lambda usd, other: usd - other,
        lambda usd, other: usd < other,
        lambda usd, other: usd <= other,
        lambda usd, other: usd > other,
        lambda usd, other: usd >= other,
    ],
)
@pytest.mark.parametrize("other", [Money(1, "EUR"), 1, 1.0, Decimal(1), None])
def test_nothing_but_the_same_currency_can_be_mixed_in(mix: object, other: object) -> None:
    with pytest.raises((MoneyError, TypeError)):
        mix(Money(1, "USD"), other)  # type: ignore[operator]


def test_equal_figures_of_two_currencies_are_not_equal() -> None:
    assert Money(1, "USD") != Money(1, "EUR")


@pytest.mark.parametrize("quantity", [1.0, 1.5, Decimal(2), "2", True, None])
def test_a_quantity_is_a_whole_number(quantity: object) -> None:
    with pytest.raises(MoneyError, match="whole number"):
        Money(1, "USD") * quantity  # type: ignore[operator]


@pytest.mark.parametrize(
    ("minor", "rate", "currency", "converted"),
    [
        (1000, "0.92", "EUR", 920),
        (1000, "81.5", "RUB", 81500),
        (5, "0.1", "EUR", 0),  # 0.5 of a cent: to the even neighbour
        (15, "0.1", "EUR", 2),
        (25, "0.1", "EUR", 2),
        (25, "0.10000001", "EUR", 3),
        (-25, "0.1", "EUR", -2),
        (1000, "150.255", "JPY", 1503),  # 1502.55: yen have no minor unit
        (1000, "0.3075", "KWD", 3075),
        (1, "0.00000001", "EUR", 0),
    ],
)
def test_a_conversion_rounds_half_to_even(
    minor: int, rate: str, currency: str, converted: int
) -> None:
    assert Money(minor, "USD").convert(Decimal(rate), currency) == Money(converted, currency)


@patient
@given(minor=st.integers(0, 10**12), rate=rates, source=codes, target=codes)
def test_a_conversion_is_rounded_once_from_the_exact_product(
    minor: int, rate: Decimal, source: str, target: str
) -> None:
    exact = Fraction(minor, 10 ** PLACES[source]) * Fraction(rate) * 10 ** PLACES[target]
    if round(exact) > LARGEST_MINOR:
        with pytest.raises(MoneyError, match="too large"):
            Money(minor, source).convert(rate, target)
        return

    assert Money(minor, source).convert(rate, target).minor == round(exact)


def test_a_narrow_decimal_context_of_the_caller_does_no_harm() -> None:
    with localcontext(prec=3, rounding="ROUND_UP"):
        converted = Money(123_456_789, "USD").convert(Decimal("0.92345678"), "EUR")

    exact = Decimal("123456789") * Decimal("0.92345678")
    assert converted.minor == int(exact.to_integral_value(ROUND_HALF_EVEN))


@pytest.mark.parametrize(
    "rate", ["0", "-1", "NaN", "sNaN", "Infinity", "-Infinity", "1e400", "1e999999"]
)
def test_what_is_no_rate_is_refused(rate: str) -> None:
    with pytest.raises(MoneyError, match="not an exchange rate"):
        Money(1000, "USD").convert(Decimal(rate), "EUR")


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        (Money(1000, "USD"), "USD 10.00"),
        (Money(5, "EUR"), "EUR 0.05"),
        (Money(0, "GBP"), "GBP 0.00"),
        (Money(123_450, "USD"), "USD 1,234.50"),
        (Money(123_456_789_00, "RUB"), "RUB 123,456,789.00"),
        (Money(1500, "JPY"), "JPY 1,500"),
        (Money(1_234_567, "KWD"), "KWD 1,234.567"),
        (Money(-1050, "UAH"), "UAH -10.50"),
        (Money(10**15, "RUB"), "RUB 10,000,000,000,000.00"),
    ],
)
def test_people_read_the_code_first_and_the_amount_never_breaks(amount: Money, text: str) -> None:
    assert format_money(amount) == text.replace(" ", NBSP)


def test_the_text_for_programs_has_neither_thousands_nor_exponents() -> None:
    assert str(Money(123_456_789_00, "RUB")) == "123456789.00 RUB"
    assert str(Money(0, "KWD")) == "0.000 KWD"
    assert str(Money(-5, "USD")) == "-0.05 USD"
