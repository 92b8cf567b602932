"""Products without a usable price in the base currency: nobody can buy them."""

from __future__ import annotations

import structlog
from sqlalchemy.exc import SQLAlchemyError

from ..config import current_settings
from ..db import end_read
from .queries import base_prices

log = structlog.get_logger()


def missing_prices() -> tuple[list[str], int]:
    """The slugs of active products without a usable price in the base currency; how many are active."""
    active = [(row.slug, price) for row, price in base_prices() if row.active]
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
