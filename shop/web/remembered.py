"""What the session cookie remembers of a browser: its cart and currency, its orders, its mailboxes.

The buyer can read the cookie. So it has an order's number, because its id would count sales, and a mailbox's hash.
"""

from __future__ import annotations

import time

from flask import session

from ..config import current_settings

ORDERS_REMEMBERED = 5
MAILBOXES_REMEMBERED = 3
REMEMBERED_SECONDS = 7 * 24 * 3600
"""How long the cookie remembers a mailbox."""


def quantities() -> dict[str, int]:
    """The units in the cart by their product's slug, whether or not they can still be sold."""
    stored = session.get("cart")
    return dict(stored) if isinstance(stored, dict) else {}


def chosen_currency() -> str:
    """The currency that this browser's buyer has chosen, or the base currency."""
    settings, kept = current_settings(), session.get("currency")
    return kept if kept in settings.shop_currencies else settings.shop_base_currency


def for_private_pages() -> dict[str, object]:
    """Template values for the header of private pages: the currency of its links, and the units in the cart.

    Pages that are the same for everybody never get them.
    """
    kept = chosen_currency()
    return {
        "currency_asked": lambda: None if kept == current_settings().shop_base_currency else kept,
        "cart_units": sum(quantities().values()),
    }


def remember_order(number: str) -> None:
    """Let this browser find its order again, when it comes back from the pay page."""
    others = [known for known in remembered_orders() if known != number]
    session["orders"] = [number, *others][:ORDERS_REMEMBERED]


def remembered_orders() -> list[str]:
    """The numbers of the last orders that this browser has placed, the newest first."""
    stored = session.get("orders")
    return [n for n in stored if isinstance(n, str)] if isinstance(stored, list) else []


def remember_mailbox(key: str) -> None:
    """Note that this browser's user reads the mailbox of this keyed hash."""
    kept = {known: at for known, at in remembered_mailboxes().items() if known != key}
    newest = sorted(kept.items(), key=lambda each: -each[1])[: MAILBOXES_REMEMBERED - 1]
    session["mailboxes"] = {key: int(time.time()), **dict(newest)}


def remembered_mailboxes() -> dict[str, int]:
    """The keyed hashes of the mailboxes that were shown to be this browser's, and when each was."""
    stored = session.get("mailboxes")
    since = time.time() - REMEMBERED_SECONDS
    return {
        key: at
        for key, at in (stored.items() if isinstance(stored, dict) else ())
        if isinstance(at, int) and at > since
    }
