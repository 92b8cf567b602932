"""Amounts of money: whole minor units and a currency, never a float."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal, localcontext
from functools import lru_cache
from typing import Self

from babel.numbers import format_decimal, get_currency_precision, list_currencies
from markupsafe import Markup

CURRENCIES = {
    "USD": "US dollar",
    "RUB": "Russian rouble",
    "EUR": "Euro",
    "GBP": "Pound sterling",
    "UAH": "Ukrainian hryvnia",
}
"""The currencies CryptoCloud's API v1 makes invoices in, with their English names."""

LARGEST_MINOR = 10**15
"""A bound that keeps every sum of a cart inside a signed 64-bit column."""

LARGEST_PRICE = 10**11
"""The most that one unit may cost: a cart full of such (99 units in each of 30 lines) is below LARGEST_MINOR."""


class MoneyError(ValueError):
    """A text or figure is not an amount of money, or two currencies were mixed."""


@lru_cache
def exponent(currency: str) -> int:
    """How many decimal places the currency's minor unit has (ISO 4217, from CLDR)."""
    if currency not in list_currencies():
        raise MoneyError(f"{currency!r} is not an ISO 4217 currency code")
    return get_currency_precision(currency)


@dataclass(frozen=True, slots=True)
class Money:
    """`minor` whole units of the currency's smallest coin: Money(1050, "USD") is 10.50 dollars."""

    minor: int
    currency: str

    def __post_init__(self) -> None:
        if type(self.minor) is not int:
            raise MoneyError(f"minor units are a whole number, not {self.minor!r}")
        if abs(self.minor) > LARGEST_MINOR:
            raise MoneyError("the amount is too large")
        exponent(self.currency)

    @classmethod
    def parse(cls, text: str, currency: str) -> Self:
        """Read an amount such as "10", "10.5" or "10.50"; more places than the currency has is an error."""
        places = exponent(currency)
        if not isinstance(text, str) or not text.isascii() or len(text) > 24:
            raise MoneyError(f"{text!r} is not an amount; write it like 10.50")
        whole, _, fraction = text.partition(".")
        if not whole.isdigit() or (("." in text) and not fraction.isdigit()):
            raise MoneyError(f"{text!r} is not an amount; write it like 10.50")
        if len(fraction) > places:
            raise MoneyError(f"{text!r} has more than {places} decimal places for {currency}")
        return cls(int(whole) * 10**places + int(fraction.ljust(places, "0") or 0), currency)

    @property
    def decimal(self) -> Decimal:
        """The exact amount in whole currency units."""
        return Decimal(self.minor).scaleb(-exponent(self.currency))

    def convert(self, rate: Decimal, currency: str) -> Money:
        """This amount in another currency at `rate` (its units per one of ours), rounded once, half-even."""
        if not rate.is_finite() or not 0 < rate < LARGEST_MINOR:
            raise MoneyError(f"{rate!r} is not an exchange rate")
        with localcontext(prec=100):  # the product is exact, so that it is rounded only once
            units = self.decimal * rate
            minor = units.scaleb(exponent(currency)).to_integral_value(ROUND_HALF_EVEN)
        return Money(int(minor), currency)

    def __add__(self, other: Money) -> Money:
        return Money(self.minor + self._same(other), self.currency)

    def __sub__(self, other: Money) -> Money:
        return Money(self.minor - self._same(other), self.currency)

    def __mul__(self, quantity: int) -> Money:
        if type(quantity) is not int:
            raise MoneyError(f"a quantity is a whole number, not {quantity!r}")
        return Money(self.minor * quantity, self.currency)

    def __lt__(self, other: Money) -> bool:
        return self.minor < self._same(other)

    def __le__(self, other: Money) -> bool:
        return self.minor <= self._same(other)

    def __str__(self) -> str:
        return f"{self.decimal:f} {self.currency}"

    def _same(self, other: Money) -> int:
        if not isinstance(other, Money) or other.currency != self.currency:
            raise MoneyError(f"cannot mix {self} and {other}")
        return other.minor


@lru_cache(maxsize=4096)
def format_money(amount: Money, language: str = "en") -> Markup:
    """The amount for people, never broken: USD 1,234.50 in English, 1 234,50 USD elsewhere.

    It has the currency's code, because "$" names many dollars.
    """
    places = "0" * exponent(amount.currency)
    figure = format_decimal(
        amount.decimal, format=f"#,##0.{places}" if places else "#,##0", locale=language
    )
    parts = (amount.currency, figure) if language == "en" else (figure, amount.currency)
    return Markup("\N{NO-BREAK SPACE}".join(parts))  # noqa: S704 - a code and digits
