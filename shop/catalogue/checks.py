"""The doctor's check of the exchange rates: they mean something in one base currency only."""

from __future__ import annotations

from ..config import Settings
from ..ops.doctor import Check, Finding
from . import queries


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

CATALOGUE_CHECKS: list[Check] = [rates]
