"""A launch: a thousand buyers within a minute, ten thousand visitors, and a provider that takes two seconds.

`python -m benchmarks.launch [--engine ENGINE] [--buyers N] [--visitors N] [--seconds N]` runs it by itself. Buyers and
visitors come from processes of their own, so that their threads do not slow down each other's clocks; they share the
machine with the shop all the same.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from sqlalchemy import create_engine, text

from benchmarks import checkouts
from benchmarks.buyers import ADDRESS, Outcome
from benchmarks.figures import HEAD, Figure, at_most, line, percentile, row_of
from benchmarks.pages import latencies
from benchmarks.processes import processor_seconds
from benchmarks.running import FULL, Run
from benchmarks.shops import ENGINES, PRODUCT, Shop, server_of, shops
from demo.stack import stop_on_signals
from demo.surroundings import ROOT

PROVIDER_SECONDS = 2.0
PROCESSES = 2
PATIENCE = 10.0
PAGE_MILLISECONDS = 100.0
GOOD = ("pay", "kept")


@dataclass(frozen=True)
class Size:
    """How many come, and within which time."""

    buyers: int = 1_000
    visitors: int = 10_000
    seconds: float = 60.0


def launch(run: Run, size: Size = Size()) -> Iterator[Figure]:
    """One launch on a fresh shop."""
    with shops({"here": ROOT}, run.server) as (shop,):
        checkouts.added_milliseconds(
            shop, PRODUCT, 5
        )  # a shop that is not asked for the first time
        checkouts.slow_provider(shop, PROVIDER_SECONDS)
        before = processor_seconds(shop.master)
        outcomes, pages = _opened(shop, size)
        used = processor_seconds(shop.master) - before
        good = sum(each.end in GOOD for each in outcomes)
        lost = max(0, good - _orders(shop))
        failures = [each.end for each in outcomes if each.end not in GOOD]
        yield from _figures(run, outcomes, pages, lost, failures[:3])
        yield run.figure("processor time of the web workers", "s CPU", [used])


def _figures(
    run: Run, outcomes: list[Outcome], pages: list[float], lost: int, failures: list[str]
) -> Iterator[Figure]:
    ends = Counter(each.end for each in outcomes)
    seconds = [each.seconds for each in outcomes]
    failed = len(outcomes) - sum(ends[good] for good in GOOD)
    told = f"{ends['pay']} had a pay page, {ends['kept']} were told that the order is kept"
    name = f"{len(outcomes):,} buyers, slowest"
    yield run.figure(name, "s", [max(seconds)], goal=at_most(PATIENCE, "value"), note=told)
    yield run.figure("their median way", "s", [percentile(seconds, 0.5)])
    why = "; ".join(failures)
    yield run.figure("failed", "buyers", [failed], goal=at_most(0, "value"), note=why)
    yield run.figure("lost", "orders", [lost], goal=at_most(0, "value"))
    p99 = percentile(pages, 0.99)
    goal = at_most(PAGE_MILLISECONDS, "value")
    yield run.figure(f"{len(pages):,} visitors, page p99", "ms", [p99], goal=goal)
    yield run.figure("their median", "ms", [percentile(pages, 0.5)])


def _opened(shop: Shop, size: Size) -> tuple[list[Outcome], list[float]]:
    """Everybody comes; what became of the buyers, and how long each visitor's page took."""
    urls = [f"{shop.shop_url}/", shop.product_url]
    pace = size.visitors / size.seconds / len(urls)
    share = size.buyers // PROCESSES
    with ThreadPoolExecutor(PROCESSES + len(urls)) as pool:
        buyers = [
            pool.submit(_buyers, shop, share, size.seconds, number * share)
            for number in range(PROCESSES)
        ]
        visitors = [pool.submit(latencies, url, size.seconds, pace) for url in urls]
        outcomes = [outcome for each in buyers for outcome in each.result()]
        return outcomes, [page for each in visitors for page in each.result()]


def _buyers(shop: Shop, count: int, seconds: float, first: int) -> list[Outcome]:
    asked = (shop.shop_url, str(count), str(seconds), str(first))
    command = [sys.executable, "-m", "benchmarks.buyers", *asked]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr)
    return [Outcome(**each) for each in json.loads(done.stdout)]


def _orders(shop: Shop) -> int:
    """How many orders the buyers have, by the database itself."""
    url = shop.environment.get("DATABASE_URL") or f"sqlite:///{shop.data / 'shop.db'}"
    engine = create_engine(url)
    with engine.connect() as connection:
        count = "SELECT count(*) FROM orders WHERE email LIKE :address"
        found: int = connection.scalars(text(count), {"address": ADDRESS.format(number="%")}).one()
    engine.dispose()
    return found


def main() -> None:
    """The launch alone."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.launch", description=__doc__)
    parser.add_argument("--engine", choices=ENGINES, action="append")
    parser.add_argument("--buyers", type=int, default=Size.buyers)
    parser.add_argument("--visitors", type=int, default=Size.visitors)
    parser.add_argument("--seconds", type=float, default=Size.seconds)
    asked = parser.parse_args()
    stop_on_signals()
    size = Size(asked.buyers, asked.visitors, asked.seconds)
    for engine in asked.engine or ENGINES:
        print(f"\n== {engine} ==\n{line(HEAD)}", flush=True)
        with server_of(engine) as server:
            for figure in launch(Run(engine, server, FULL, {"here": ROOT}), size):
                print(line(row_of(figure)), flush=True)


if __name__ == "__main__":
    main()
