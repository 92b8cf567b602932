"""What a unit costs in a currency: its own price there, else the base price times the rate.

A product without a price in the shop's base currency is not for sale in any.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from ..config import current_settings
from ..db import utcnow
from ..money import LARGEST_PRICE, Money, MoneyError
from .models import RATE_PLACES


def is_fresh(set_at: datetime, max_age_days: int, now: datetime) -> bool:
    """Whether a rate set at `set_at` is still young enough to price with."""
    return now - set_at <= timedelta(days=max_age_days)


def why_unused(base_currency: str, set_at: datetime) -> str:
    """Why a rate that was set then, for one unit of this currency, is not used; empty for one that is."""
    settings = current_settings()
    if not base_currency:
        return "its base currency is not known"
    if base_currency != settings.shop_base_currency:
        return (
            f"it is for 1 {base_currency}, and the base currency is {settings.shop_base_currency}"
        )
    fresh = is_fresh(set_at, settings.shop_rate_max_age_days, utcnow())
    return "" if fresh else "too old"


def listed(minor: int | None, currency: str) -> Money | None:
    """A price as it is stored; None without one, and for one so large that carts could not be added up.

    The import refuses such a price today, and has let it in once.
    """
    return None if minor is None or minor > LARGEST_PRICE else Money(minor, currency)


def unit_price(
    own: int | None, base: Money | None, rate_e8: int | None, currency: str
) -> Money | None:
    """The price in `currency`: `own` minor units if given, else the base price at the rate.

    None without a base price, and when there is no rate or the amount would round to nothing or be too large.
    What is free needs no rate: nothing is nothing in every currency.
    """
    if base is None:
        return None
    if own is not None:
        return listed(own, currency)
    if not base.minor:
        return Money(0, currency)
    if rate_e8 is None:
        return None
    try:
        price = base.convert(Decimal(rate_e8).scaleb(-RATE_PLACES), currency)
    except MoneyError:
        return None
    return price if 0 < price.minor <= LARGEST_PRICE else None


@dataclass(frozen=True, slots=True)
class PriceList:
    """Prices of some products in every currency, with the rates that may be used now."""

    base_currency: str
    own: Mapping[str, Mapping[str, int]]
    """Minor units by slug and currency."""
    rates_e8: Mapping[str, int]

    def price(self, slug: str, currency: str) -> Money | None:
        """What one unit costs, or None if it cannot be priced in that currency."""
        own = self.own.get(slug, {})
        return unit_price(
            own.get(currency),
            listed(own.get(self.base_currency), self.base_currency),
            self.rates_e8.get(currency),
            currency,
        )

    def total(self, lines: Mapping[str, int], currency: str) -> Money | None:
        """What quantities by slug cost together, or None if any line cannot be priced."""
        total = Money(0, currency)
        for slug, quantity in lines.items():
            price = self.price(slug, currency)
            if price is None:
                return None
            total += price * quantity
        return total

    def totals(self, lines: Mapping[str, int], currencies: Iterable[str]) -> dict[str, Money]:
        """What quantities by slug cost together, in each of the currencies that prices all of them."""
        found = {code: self.total(lines, code) for code in currencies}
        return {code: total for code, total in found.items() if total is not None}
