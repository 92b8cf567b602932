"""Pages while many checkouts wait for a provider that takes its time: do the others notice?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from benchmarks import checkouts
from benchmarks.figures import Figure, at_most, percentile
from benchmarks.pages import latencies
from benchmarks.running import Run
from benchmarks.shops import PRODUCT, Shop

WAITING = 64
PROVIDER_SECONDS = 2.0
PAGES_PER_SECOND = 40
TIMES = 3.0
MILLISECONDS = 50.0


@dataclass(frozen=True)
class Round:
    """The 99th percentile of the page's milliseconds, with nothing else to do and with checkouts waiting."""

    idle: float
    loaded: float

    @property
    def is_bad(self) -> bool:
        """Whether visitors notice that others wait."""
        return self.loaded > TIMES * self.idle or self.loaded >= MILLISECONDS


def waiting(run: Run) -> Iterator[Figure]:
    """The product page at a steady pace, without the checkouts and with them."""
    tally = checkouts.Tally()
    rounds = [
        _round(run.here, run.size.loaded_seconds, tally) for _ in range(run.size.loaded_rounds)
    ]
    each = ", ".join(f"{one.loaded:.0f}/{one.idle:.0f}" for one in rounds)
    yield run.figure(
        f"page p99, {WAITING} checkouts wait {PROVIDER_SECONDS:g} s",
        "ms",
        [one.loaded for one in rounds],
        beside="idle",
        others=[one.idle for one in rounds],
        goal=at_most(TIMES),
        note=f"each: {each}",
    )
    yield run.figure(
        f"rounds over {TIMES:g} times or {MILLISECONDS:g} ms",
        f"of {len(rounds)}",
        [sum(one.is_bad for one in rounds)],
        goal=at_most(0, "value"),
        note=f"{tally.sent_to_pay} buyers had a pay page, {tally.put_off} were asked to try again",
    )


def _round(shop: Shop, seconds: float, tally: checkouts.Tally) -> Round:
    arrivals = WAITING / PROVIDER_SECONDS
    ready = checkouts.prepare(shop, PRODUCT, int(arrivals * (seconds + PROVIDER_SECONDS + 1)))
    idle = latencies(shop.product_url, seconds, PAGES_PER_SECOND)
    checkouts.slow_provider(shop, PROVIDER_SECONDS)
    try:
        with checkouts.kept_waiting(ready, WAITING, PROVIDER_SECONDS) as counted:
            loaded = latencies(shop.product_url, seconds, PAGES_PER_SECOND)
    finally:
        checkouts.slow_provider(shop, None)
    tally.sent_to_pay += counted.sent_to_pay
    tally.put_off += counted.put_off
    return Round(percentile(idle, 0.99), percentile(loaded, 0.99))
