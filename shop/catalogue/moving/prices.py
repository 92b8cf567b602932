"""The prices of a table: its decimal sign is one for the whole file, and its sales have dates."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from .checking import Unfit
from .found import Answers, MovingError, Sale
from .numbers import BadValue, amount, day_first, moment, settle


@dataclass(frozen=True, slots=True)
class Prices:
    """How the prices and dates of a file are written."""

    decimals: str
    days_first: bool
    answers: Answers

    def price(self, cell: str) -> Decimal | None:
        """A price; None for an empty cell. Raises Unfit."""
        try:
            return amount(cell, self.decimals, self.answers.currency)
        except BadValue as error:
            raise Unfit(f"has a price that cannot be read: {error}") from None

    def sale(self, price: str, starts: str, ends: str) -> Sale | None:
        """A sale, if there is one. Raises Unfit."""
        figure = self.price(price)
        return None if figure is None else Sale(figure, self._moment(starts), self._moment(ends))

    def _moment(self, cell: str) -> datetime | None:
        try:
            return moment(cell, self.answers.zone, days_first=self.days_first)
        except BadValue as error:
            raise Unfit(f"has a sale whose date cannot be read: {error}") from None


def prices_of(cells: Iterable[str], dates: Iterable[str], answers: Answers) -> tuple[Prices, str]:
    """How a file's prices are written, and that in words; MovingError asks where it could be two ways."""
    found = settle(cells)
    decimals = answers.decimal or found.sign
    if not decimals:
        raise MovingError(
            f"In which way are its prices written? {found.why.capitalize()}. Say --decimal . if 12.50 has a point, "
            "or --decimal , if 12,50 has a comma."
        )
    days_first = day_first(dates) if not answers.dates else answers.dates == "day"
    if days_first is None:
        raise MovingError(
            "Its dates could be read in two ways. Say --dates day if 3/4/2026 is in April, or --dates month if it "
            "is in March."
        )
    name = "a comma" if decimals == "," else "a point"
    said = f"{name} stands before the cents; dates are in {answers.zone}"
    return Prices(decimals, days_first, answers), said
