"""Checkouts: what the shop adds to the provider's time, and how many are done by eight buyers at once."""

from __future__ import annotations

import statistics
from collections.abc import Iterator

from benchmarks import checkouts
from benchmarks.figures import Figure, at_least, at_most, percentile
from benchmarks.processes import processor_seconds
from benchmarks.running import Run
from benchmarks.shops import PRODUCT, Shop
from benchmarks.sweeps import settled_by_one_sweep

ADDED = {"sqlite": 5.0, "postgresql": 8.0}
BUYERS = 8
ORDERS_MORE = 3.0
IN_TURN = 10
"""Checkouts of each shop before it is the other's turn."""

SWEPT_PROVIDER_SECONDS = 1.0
SETTLED = 400
"""Five sweeps are to settle 2,000 open invoices within five minutes."""


def checkout(run: Run) -> Iterator[Figure]:
    """One after the other, then eight at once."""
    added: list[list[float]] = [[] for _ in run.shops]
    for shop in run.shops:  # the first ones load what the rest find ready
        checkouts.added_milliseconds(shop, PRODUCT, 5)
    for _ in range(max(1, run.size.checkouts // IN_TURN)):
        for times, shop in zip(added, run.shops, strict=True):
            times += checkouts.added_milliseconds(shop, PRODUCT, IN_TURN)
    for name, kind in {"median": statistics.median, "p95": _p95}.items():
        found = [kind(times) for times in added]
        yield run.figure(
            f"added to provider's time, {name}",
            "ms",
            found[:1],
            beside=run.against,
            others=found[1:],
            goal=at_most(ADDED[run.engine], "value"),
        )
    yield _many_at_once(run)
    share = checkouts.journal_milliseconds(run.here, run.size.checkouts)
    yield run.figure("one line of the journal", "ms", [share])


def _p95(times: list[float]) -> float:
    return percentile(times, 0.95)


def _many_at_once(run: Run) -> Figure:
    rates: list[list[float]] = [[] for _ in run.shops]
    costs: list[list[float]] = [[] for _ in run.shops]
    for _ in range(run.size.rounds):
        for number, shop in enumerate(run.shops):
            rate, cost = _rate(shop, max(24, run.size.checkouts))
            rates[number].append(rate)
            costs[number].append(cost)
    return run.figure(
        f"orders, {BUYERS} buyers at once",
        "/s",
        rates[0],
        cpu=costs[0],
        beside=run.against,
        others=rates[1] if run.there else (),
        other_cpu=costs[1] if run.there else (),
        goal=at_least(ORDERS_MORE) if run.there else None,
    )


def _rate(shop: Shop, count: int) -> tuple[float, float]:
    ready = checkouts.prepare(shop, PRODUCT, count)
    before = processor_seconds(shop.master)
    rate = checkouts.per_second(ready, BUYERS)
    return rate, (processor_seconds(shop.master) - before) * 1000 / count


def settling(run: Run) -> Iterator[Figure]:
    """The sweep when no postback arrives; the last of the sections that share a shop, because it ends its worker."""
    checkouts.per_second(checkouts.prepare(run.here, PRODUCT, SETTLED + 50), BUYERS)
    settled = settled_by_one_sweep(run.here, SWEPT_PROVIDER_SECONDS)
    yield run.figure(
        f"one sweep at {SWEPT_PROVIDER_SECONDS:g} s an answer",
        "settled",
        [settled],
        goal=at_least(SETTLED, "value"),
    )
