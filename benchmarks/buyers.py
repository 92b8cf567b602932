"""Buyers who go the whole way: front page, product, cart, form, the button, and the pay page.

`python -m benchmarks.buyers SHOP COUNT SECONDS FIRST` has them arrive at a steady pace, whether or not the earlier ones
were answered, in a process of its own, and prints what became of each.
"""

from __future__ import annotations

import http.client
import json
import re
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass

from benchmarks.shops import PRODUCT
from demo.browser import Browser, Form, Page

AT_ONCE = 250
CHOSEN = ("csrf_token", "checkout_key", "seen", "currency")
ADDRESS = "launch-{number}@example.com"


@dataclass(frozen=True)
class Outcome:
    """How long a buyer was on the way since arriving, and where it ended: `pay`, `kept` or what went wrong."""

    seconds: float
    end: str


def whole_way(shop: str, number: int, due: float) -> Outcome:
    """One buyer, from the moment at which the front page was wanted."""
    try:
        end = _buy(shop, number)
    except (OSError, http.client.HTTPException, LookupError) as error:
        end = f"{type(error).__name__}: {error}"
    return Outcome(time.perf_counter() - due, end)


def _buy(shop: str, number: int) -> str:
    browser = Browser()
    for path in ("/", f"/products/{PRODUCT}"):
        _seen(browser.get(f"{shop}{path}"))
    wanted = {"product": PRODUCT, "currency": "USD", "quantity": "1"}
    _seen(browser.submit(Form(f"{shop}/cart", wanted)), 303)
    page = _seen(browser.get(f"{shop}/checkout"))
    values = {name: _value(page.text, name) for name in CHOSEN}
    values |= {"email": ADDRESS.format(number=number), "comment": "", "asked_about": ""}
    placed = _seen(browser.submit(Form(f"{shop}/checkout", values)), 303)
    if not placed.location.startswith(shop):
        _seen(Browser().get(placed.location))
        return "pay"
    told = browser.get(placed.location)
    return "kept" if "order is kept" in told.text else f"{told.status} at {placed.location}"


def _seen(page: Page, status: int = 200) -> Page:
    if page.status != status:
        raise LookupError(f"{page.url} answered {page.status}")
    return page


def _value(text: str, name: str) -> str:
    """What a field holds; a whole parser for each page would slow down the clock of the others."""
    if not (found := re.search(rf'name="{name}"[^>]*?value="([^"]*)"', text)):
        raise LookupError(f"the form has no {name}")
    return found[1]


def arrive(shop: str, count: int, seconds: float, first: int) -> list[Outcome]:
    """So many buyers within these seconds, one after the other."""
    started = time.perf_counter()

    def buyer(number: int) -> Outcome:
        due = started + number * seconds / count
        time.sleep(max(0.0, due - time.perf_counter()))
        return whole_way(shop, first + number, due)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(buyer, range(count)))


if __name__ == "__main__":
    shop, count, seconds, first = sys.argv[1:]
    print(
        json.dumps([asdict(each) for each in arrive(shop, int(count), float(seconds), int(first))])
    )
