"""The laws of money: whole minor units, one currency at a time, rounded once."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from decimal import ROUND_HALF_EVEN, Decimal, localcontext
from fractions import Fraction
from urllib.parse import urlencode

import jwt
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from shop.money import CURRENCIES, LARGEST_MINOR, Money, MoneyError, exponent, format_money
from shop.payments.cryptocloud import CryptoCloud
from shop.payments.models import Payment
from tests.support.promises import Promise

PLACES = {"USD": 2, "RUB": 2, "EUR": 2, "GBP": 2, "UAH": 2, "JPY": 0, "KWD": 3}
NBSP = "\N{NO-BREAK SPACE}"
SECRET = "the-postback-secret-of-the-tests-0123456789"
CLIENT = CryptoCloud(api_key="key", shop_id="shop", secret_key=SECRET)

codes = st.sampled_from(sorted(PLACES))
minors = st.integers(-LARGEST_MINOR, LARGEST_MINOR)
small = st.integers(-(10**12), 10**12)
rates = st.decimals("0.00000001", "99999999", places=8)


def law(**values: st.SearchStrategy[object]) -> Callable[..., Callable[..., None]]:
    """A claim that holds for all values of these kinds: a hundred of them always, more for the promises."""

    def decorate(claim: Callable[..., None]) -> Callable[..., None]:
        @pytest.mark.promise(24)
        @pytest.mark.parametrize("examples", [100, pytest.param(20_000, marks=pytest.mark.long)])
        def test(examples: int, promise: Promise) -> None:
            settings(max_examples=examples, deadline=None)(given(**values)(claim))()

            promise.cases += examples

        test.__name__ = claim.__name__
        return test

    return decorate


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
        ("0" * 23 + "7", "USD", 700),
    ],
)
def test_an_amount_is_read_exactly(text: str, currency: str, minor: int) -> None:
    assert Money.parse(text, currency) == Money(minor, currency)


@pytest.mark.parametrize(
    "text",
    ["", " ", "ten", "10,50", "1,000", "1 000", "1_000", " 10", "10 ", "10\n", "+10", "-10", "10.", ".50",
     ".", "1.2.3", "1e2", "1E400", "0x10", "NaN", "Infinity", "$10", "10 USD", "１０", "٣", "²", "10.505",
     "10.5０", "10000000000000.01", "9" * 24, "0" * 24 + "7", "9" * 10_000],
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


@law(minor=st.integers(0, LARGEST_MINOR), code=codes)
def test_what_is_written_is_read_as_the_same(minor: int, code: str) -> None:
    figure, written = str(Money(minor, code)).split(" ")

    assert Money.parse(figure, written) == Money(minor, code)


@law(minor=minors, code=codes)
def test_the_decimal_is_exact(minor: int, code: str) -> None:
    assert Fraction(Money(minor, code).decimal) == Fraction(minor, 10 ** PLACES[code])


@law(minor=minors, code=codes)
def test_what_people_read_is_the_exact_amount(minor: int, code: str) -> None:
    written, figure = format_money(Money(minor, code)).split(NBSP)

    assert written == code
    assert Decimal(figure.replace(",", "")) == Money(minor, code).decimal


@law(units=st.lists(small, min_size=1, max_size=20), code=codes)
def test_a_sum_of_lines_is_the_sum_of_their_minor_units(units: list[int], code: str) -> None:
    total = Money(0, code)
    for minor in units:
        total += Money(minor, code)

    assert total == Money(sum(units), code)


@law(minor=small, code=codes, quantity=st.integers(0, 99))
def test_a_quantity_is_so_many_times_the_unit(minor: int, code: str, quantity: int) -> None:
    total = Money(0, code)
    for _ in range(quantity):
        total += Money(minor, code)

    assert Money(minor, code) * quantity == total


@law(a=small, b=small, code=codes)
def test_adding_and_taking_away_undo_each_other(a: int, b: int, code: str) -> None:
    assert Money(a, code) + Money(b, code) - Money(b, code) == Money(a, code)


@law(a=minors, b=minors, code=codes)
def test_amounts_are_ordered_as_their_minor_units_are(a: int, b: int, code: str) -> None:
    one, other = Money(a, code), Money(b, code)

    assert (one < other, one <= other, one > other, one >= other, one == other) == (
        a < b, a <= b, a > b, a >= b, a == b,
    )  # fmt: skip


PLAIN = re.compile(r"([0-9]+)(?:\.([0-9]+))?", re.ASCII)
scribbles = st.one_of(
    st.text("0123456789.,-+eE_ ", max_size=26),
    st.text(max_size=26),
    st.floats().map(repr),
    st.decimals(allow_nan=True, allow_infinity=True).map(str),
    st.integers(0, 10**20).map("{:,}".format),
)


@law(text=scribbles, code=codes)
@example(text="1e400", code="USD")
@example(text="NaN", code="USD")
@example(text="1,000.00", code="USD")
@example(text="10,50", code="EUR")
def test_a_text_is_an_amount_exactly_when_it_is_plain_digits_with_one_point(
    text: str, code: str
) -> None:
    plain = PLAIN.fullmatch(text)
    figure = Fraction(text) if plain else Fraction(-1)
    fits = plain and len(text) <= 24 and len(plain[2] or "") <= PLACES[code]

    if fits and figure * 10 ** PLACES[code] <= LARGEST_MINOR:
        assert Fraction(Money.parse(text, code).decimal) == figure
    else:
        with pytest.raises(MoneyError):
            Money.parse(text, code)


@law(whole=st.integers(0, 10**9), fraction=st.text("0123456789", max_size=5), code=codes)
def test_no_currency_has_more_places_than_its_own_and_none_is_rounded_away(
    whole: int, fraction: str, code: str
) -> None:
    text = f"{whole}.{fraction}" if fraction else str(whole)

    if len(fraction) > PLACES[code]:
        with pytest.raises(MoneyError, match="decimal places"):
            Money.parse(text, code)
    else:
        assert Money.parse(text, code).minor == Fraction(text) * 10 ** PLACES[code]


@law(units=st.lists(st.integers(0, 1000), max_size=8), code=codes, rate=rates)
def test_what_is_not_negative_stays_so(units: list[int], code: str, rate: Decimal) -> None:
    total = Money(0, code)
    for minor in units:
        total += Money(minor, code) * 3

    assert total >= Money(0, code)
    assert total.convert(rate, "USD") >= Money(0, "USD")


@law(a=small, b=small, one=codes, other=codes)
def test_two_currencies_are_never_mixed(a: int, b: int, one: str, other: str) -> None:
    for mix in (Money.__add__, Money.__sub__, Money.__lt__, Money.__le__):
        if one == other:
            mix(Money(a, one), Money(b, other))
        else:
            with pytest.raises(MoneyError, match="cannot mix"):
                mix(Money(a, one), Money(b, other))


coins = st.decimals(0, 10**9, places=18).map("{:f}".format)


@law(due=coins, received=coins)
def test_what_came_and_what_is_missing_is_told_to_the_twelfth_place(
    due: str, received: str
) -> None:
    """Behind the first digit: further on stands only what floats make of an amount, and counts as nothing."""
    told = Payment(due=due, received=received, coin="USDT_TRC").figures or ""

    want, got = Fraction(due), Fraction(received)
    noise = max(want, got) / 10**12
    short, over = [got, want, want - got], [got, got - want]
    true = [] if abs(got - want) <= want / 10**12 else short if got < want else over
    figures = [Fraction(figure) for figure in re.findall(r"[0-9]+\.[0-9]+", str(told))]
    assert len(figures) == len(true)
    assert all(abs(figure - exact) <= noise for figure, exact in zip(figures, true, strict=True))


@law(amount=coins, form=st.booleans())
def test_a_postback_of_coins_keeps_every_digit(amount: str, form: bool) -> None:
    token = jwt.encode({"id": "ABCD1234", "exp": 1_000_000_300}, SECRET, "HS256")
    fields = {"invoice_id": "ABCD1234", "token": token}
    body = json.dumps(fields)[:-1] + f', "amount_crypto": {amount}}}'
    if form:
        body = urlencode(fields | {"amount_crypto": amount})

    postback = CLIENT.read_postback(
        "application/x-www-form-urlencoded" if form else "application/json",
        body.encode(),
        now=1_000_000_000,
    )

    assert postback.amount_crypto == amount


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


@law(minor=st.integers(0, 10**12), rate=rates, source=codes, target=codes)
def test_a_conversion_is_rounded_once_from_the_exact_product(
    minor: int, rate: Decimal, source: str, target: str
) -> None:
    exact = Fraction(minor, 10 ** PLACES[source]) * Fraction(rate) * 10 ** PLACES[target]
    if round(exact) > LARGEST_MINOR:
        with pytest.raises(MoneyError, match="too large"):
            Money(minor, source).convert(rate, target)
        return

    assert Money(minor, source).convert(rate, target).minor == round(exact)


@pytest.mark.parametrize("rate", ["0.92345678", "0.000000001"])
def test_a_narrow_decimal_context_of_the_caller_does_no_harm(rate: str) -> None:
    with localcontext(prec=3, rounding="ROUND_UP"):
        converted = Money(123_456_789, "USD").convert(Decimal(rate), "EUR")

    exact = Decimal("123456789") * Decimal(rate)
    assert converted.minor == int(exact.to_integral_value(ROUND_HALF_EVEN))


@pytest.mark.parametrize(
    "rate", ["0", "-1", "NaN", "sNaN", "Infinity", "-Infinity", "1e15", "1e400", "1e999999"]
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
