"""The doctor's checks of prices and exchange rates: both mean something in one base currency only."""

from __future__ import annotations

import structlog
from sqlalchemy.exc import SQLAlchemyError

from ..catalogue import queries
from ..config import Settings, current_settings
from ..db import end_read
from .findings import Finding

log = structlog.get_logger()


def missing_prices() -> tuple[list[str], int]:
    """The slugs of active products without a usable price in the base currency; how many are active."""
    active = [(row.slug, price) for row, price in queries.base_prices() if row.active]
    return [slug for slug, price in active if price is None], len(active)


def warn_of_missing_prices() -> None:
    """Say in the log when nothing can be sold for want of prices in the base currency."""
    try:
        missing, active = missing_prices()
    except SQLAlchemyError:
        return  # the shop starts without its database, and says so elsewhere
    finally:
        end_read()  # nothing else ends it in the worker's main thread, and SQLite's log would grow
    if active and len(missing) == active:
        base = current_settings().shop_base_currency
        log.warning("no_prices_in_base_currency", base_currency=base, products=active)


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
