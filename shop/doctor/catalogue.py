"""The doctor's checks of prices and exchange rates: both mean something in one base currency only."""

from __future__ import annotations

from ..catalogue import queries
from ..catalogue.unpriced import missing_prices
from ..config import Settings
from .findings import Finding


def prices(settings: Settings) -> Finding:
    """Everything for sale has a price in the base currency; without one nobody can buy it."""
    base = settings.shop_base_currency
    missing, active = missing_prices()
    if not active:
        mend = "Import some: `flask --app wsgi products import FILE`."
        return Finding("warn", "prices", "there is no product for sale", mend)
    if not missing:
        return Finding("ok", "prices", f"each of {active} products has one in {base}")
    mend = (
        f"Give them prices in {base} and import them, or set SHOP_BASE_CURRENCY to the currency "
        "that they have."
    )
    if len(missing) == active:
        text = f"no product has a usable one in {base}, the base currency: nothing can be sold"
        return Finding("fail", "prices", text, mend)
    few = ", ".join(missing[:3]) + (", …" if missing[3:] else "")
    text = f"{len(missing)} of {active} products have no usable one in {base}: {few}"
    return Finding("warn", "prices", f"{text}; they cannot be bought", mend)


def rates(settings: Settings) -> list[Finding]:
    """The exchange rates that were set are used."""
    found = queries.rates_with_faults()
    if not found:
        return []
    unused = [f"{rate.currency} ({why})" for rate, why in found if why]
    if not unused:
        codes = ", ".join(rate.currency for rate, _ in found)
        return [Finding("ok", "rates", f"for 1 {settings.shop_base_currency}: {codes}")]
    mend = f"Set them anew, for 1 {settings.shop_base_currency}: `flask --app wsgi rates set CODE=RATE …`."
    return [Finding("warn", "rates", f"not used: {'; '.join(unused)}", mend)]
