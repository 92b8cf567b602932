"""Pages that are kept: how many in each second, and what each costs, beside the bare callable."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.request import urlopen

from benchmarks.figures import Figure, at_least
from benchmarks.load import Asked
from benchmarks.running import Run, Target, by_turns, column
from benchmarks.shops import PRODUCT, Shop
from demo.browser import Browser

KEPT = {"sqlite": 0.85, "postgresql": 0.50}
WITH_A_CART = 0.25
PAGES = {
    "product": f"/products/{PRODUCT}",
    "index": "/",
    "category": "/categories/sound",
    "search": "/search?q=rain",
}


def warm(run: Run) -> Iterator[Figure]:
    """Measure all pages by turns with the yardstick, and the other commit's between them."""
    assert run.bare
    bare = Target("bare", Asked(run.bare.url), run.bare.master)
    goals = dict.fromkeys(PAGES, at_least(KEPT[run.engine]))
    goals["product, with a cart"] = at_least(WITH_A_CART)
    targets = [bare, *_pages(run.here), _with_cart(run.here), _unchanged(run.here)]
    if run.there:
        targets += [_named(target, run.there.name) for target in _pages(run.there)[:2]]
    rounds = by_turns(targets, run.size)
    yield run.figure("bare callable, 8 KB", "/s", column(rounds, 0, 0), cpu=column(rounds, 0, 1))
    for number, target in enumerate(targets[1:], 1):
        yield run.figure(
            target.name,
            "/s",
            column(rounds, number, 0),
            cpu=column(rounds, number, 1),
            beside="bare",
            others=column(rounds, 0, 0),
            other_cpu=column(rounds, 0, 1),
            goal=goals.get(target.name),
        )


def _pages(shop: Shop) -> list[Target]:
    return [
        Target(name, Asked(f"{shop.shop_url}{path}"), shop.master) for name, path in PAGES.items()
    ]


def _named(target: Target, commit: str) -> Target:
    return Target(f"{target.name} of {commit}", target.asked, target.master)


def _with_cart(shop: Shop) -> Target:
    browser = Browser()
    browser.submit(browser.get(shop.product_url).form("/cart"))
    cookies = "; ".join(f"{name}={value}" for name, value in browser.cookies.items())
    asked = Asked(shop.product_url, headers=f"Cookie: {cookies}\r\n")
    return Target("product, with a cart", asked, shop.master)


def _unchanged(shop: Shop) -> Target:
    with urlopen(shop.product_url, timeout=30) as answer:
        known = answer.headers["ETag"]
    asked = Asked(shop.product_url, headers=f"If-None-Match: {known}\r\n", status=304)
    return Target("product, unchanged (304)", asked, shop.master)
