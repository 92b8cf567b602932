"""Measure the shop next to a bare Flask app, in one run on one machine, and print the ratios.

Both are served by gunicorn with the production configuration. They are asked in turn, round after
round, and a ratio is the median of the rounds' own ratios, because the machine's speed changes from
one minute to the next; under 15 % is noise. The load generator shares the machine with them.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import platform
import re
import statistics
import sys
from dataclasses import dataclass
from urllib.request import urlopen

from benchmarks import checkouts
from benchmarks.load import BadAnswer, requests_per_second
from benchmarks.pages import latencies, percentile
from benchmarks.processes import memory_of_workers, processor_seconds
from benchmarks.sweeps import settled_by_one_sweep
from demo.child import StackError
from demo.stack import BIN, Stack, Stopped, data_folder, stop_on_signals
from demo.surroundings import free_ports

CONNECTIONS = 16
WAITING = 64
PROVIDER_SECONDS = 2.0
SWEPT_PROVIDER_SECONDS = 1.0
PAGES_PER_SECOND = 25
LOADED_ROUNDS = 3


@dataclass(frozen=True)
class Size:
    """How long to measure."""

    rounds: int
    seconds: float
    checkouts: int
    loaded_seconds: float


EXTRA = {"WEB_MAX_REQUESTS": "0", "SHOP_UNPAID_ORDERS": "1000000"}
"""Nothing that would interrupt the measuring: no worker is replaced, and one buyer may order and order."""

FULL = Size(rounds=5, seconds=3.0, checkouts=60, loaded_seconds=8.0)
QUICK = Size(rounds=3, seconds=1.0, checkouts=20, loaded_seconds=4.0)


def main() -> int:
    """Start everything, measure, print."""
    parser = argparse.ArgumentParser(prog="dev.py bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a shorter run, for a first look")
    size = QUICK if parser.parse_args().quick else FULL
    stop_on_signals()
    try:
        with data_folder(fresh=True) as data, Stack(data, extra=EXTRA) as stack:
            bare_url = start_bare(stack)
            measure(stack, bare_url, size)
    except Stopped:
        return 130
    except (StackError, BadAnswer, RuntimeError, LookupError, OSError) as error:
        print(f"\nThe measurement failed: {error}", file=sys.stderr)
        return 1
    return 0


def start_bare(stack: Stack) -> str:
    """Serve the yardstick beside the shop, with the same server and configuration."""
    (port,) = free_ports(0)
    command = (str(BIN / "gunicorn"), "-c", "gunicorn.conf.py", "benchmarks.bare:app")
    stack.spawn("bare", *command, BIND=f"127.0.0.1:{port}")
    url = f"http://127.0.0.1:{port}/"
    stack.wait_until_answering(url)
    return url


def measure(stack: Stack, bare_url: str, size: Size) -> None:
    """Measure one thing after the other and print as it goes."""
    product = first_unlimited(stack)
    print(f"Python {platform.python_version()}, {os.cpu_count()} processors")
    print(f"product page: /products/{product}\n")
    product_url = f"{stack.shop_url}/products/{product}"
    bare, shop = master(stack, "bare"), master(stack, "shop")
    yardstick = throughput(
        [
            Target("bare Flask, 8 KB", bare_url, bare),
            Target("index", f"{stack.shop_url}/", shop),
            Target("product", product_url, shop, goal=0.15),
        ],
        size,
    )
    added_time(stack, product, size, yardstick)
    while_waiting(stack, product, product_url, size)
    memory({"bare": bare, "shop": shop})
    settling(stack)


@dataclass(frozen=True)
class Target:
    """A page, and the server process whose children answer it."""

    name: str
    url: str
    master: int
    goal: float | None = None


def master(stack: Stack, name: str) -> int:
    """The process that watches over a server's workers."""
    return next(child.process.pid for child in stack.children if child.name == name)


def throughput(targets: list[Target], size: Size) -> float:
    """Requests for each page and second, by turns; returns the first's, the yardstick."""
    for target in targets:
        requests_per_second(target.url, 0.5, CONNECTIONS)
    rounds = [[asked(target, size.seconds) for target in targets] for _ in range(size.rounds)]
    row("page", "requests/s", "of bare", "CPU ms each", goal="goal")
    for index, target in enumerate(targets):
        rate = statistics.median(each[index][0] for each in rounds)
        ratio = statistics.median(each[index][0] / each[0][0] for each in rounds)
        processor = statistics.median(each[index][1] for each in rounds)
        goal = verdict(ratio >= target.goal, f">= {target.goal}") if target.goal else ""
        row(target.name, f"{rate:,.0f}", f"{ratio:.2f}", f"{processor:.2f}", goal=goal)
    print()
    return statistics.median(each[0][0] for each in rounds)


def asked(target: Target, seconds: float) -> tuple[float, float]:
    """Requests per second, and milliseconds of processor time for each."""
    before = processor_seconds(target.master)
    rate = requests_per_second(target.url, seconds, CONNECTIONS)
    used = processor_seconds(target.master) - before
    return rate, used * 1000 / (rate * seconds)


def added_time(stack: Stack, product: str, size: Size, yardstick: float) -> None:
    """What a checkout costs, and what of it is the shop's own doing."""
    checkouts.added_milliseconds(stack, product, 5)  # the first ones load what the rest find ready
    whole, part = checkouts.added_milliseconds(stack, product, size.checkouts)
    rate = checkouts.per_second(stack, product, size.checkouts * 2, buyers=8)
    added = whole - part
    row("checkout", "", "", "", goal="goal")
    row("POST /checkout, median", f"{whole:.1f} ms")
    row("the provider's own part", f"{part:.1f} ms")
    row("added by the shop", f"{added:.1f} ms", "", "", goal=verdict(added <= 25, "<= 25 ms"))
    line = checkouts.journal_milliseconds(stack, size.checkouts)
    share = verdict(line <= 0.05 * whole, "<= 0.05")
    row("one line of the journal", f"{line:.2f} ms", f"{line / whole:.3f}", "", goal=share)
    row("8 buyers at once", f"{rate:.1f} /s", f"{rate / yardstick:.3f}")
    print()


@dataclass(frozen=True)
class Round:
    """The page's latencies with nothing else to do, and with checkouts waiting."""

    idle: list[float]
    loaded: list[float]
    tally: checkouts.Tally


def while_waiting(stack: Stack, product: str, url: str, size: Size) -> None:
    """The product page while many checkouts wait for a provider that takes its time."""
    rounds = [loaded_round(stack, product, url, size) for _ in range(LOADED_ROUNDS)]

    def median(kind: str, share: float) -> str:
        return f"{statistics.median(percentile(getattr(r, kind), share) for r in rounds):.1f} ms"

    times = statistics.median(percentile(r.loaded, 0.95) / percentile(r.idle, 0.95) for r in rounds)
    goal = verdict(times < 5, "p95 < 5 times")
    waiting = f"{WAITING} checkouts waiting {PROVIDER_SECONDS:.0f} s"
    row(f"product page, {PAGES_PER_SECOND}/s", "p50", "p95", "", goal="goal")
    row("nothing else to do", median("idle", 0.5), median("idle", 0.95))
    row(waiting, median("loaded", 0.5), median("loaded", 0.95), f"{times:.1f} times", goal=goal)
    to_pay = sum(r.tally.sent_to_pay for r in rounds)
    put_off = sum(r.tally.put_off for r in rounds)
    print(f"  ({to_pay} checkouts reached the pay page, {put_off} were asked to try again)\n")


def loaded_round(stack: Stack, product: str, url: str, size: Size) -> Round:
    """One measurement without and one with the checkouts."""
    arrivals = WAITING / PROVIDER_SECONDS
    ready = checkouts.prepare(stack, product, int(arrivals * (size.loaded_seconds + 4)))
    idle = latencies(url, size.loaded_seconds, PAGES_PER_SECOND)
    checkouts.slow_provider(stack, PROVIDER_SECONDS)
    with checkouts.kept_waiting(ready, WAITING, PROVIDER_SECONDS) as tally:
        loaded = latencies(url, size.loaded_seconds, PAGES_PER_SECOND)
    checkouts.slow_provider(stack, None)
    return Round(idle, loaded, tally)


def memory(masters: dict[str, int]) -> None:
    """Memory of each web worker, after all that."""
    row("memory of a web worker", "RSS", "PSS", "", goal="goal")
    for name, process in masters.items():
        if not (found := memory_of_workers(process)):
            print("  (not known: this system has no /proc)")
            return
        most = max(found, key=lambda each: each.resident)
        goal = verdict(most.resident < 110, "< 110 MB") if name == "shop" else ""
        row(name, f"{most.resident:.0f} MB", f"{most.proportional:.0f} MB", "", goal=goal)
    if importlib.util.find_spec("pytest"):
        print("  (the development tools are installed too; some are loaded, and add about 15 MB)")


def settling(stack: Stack) -> None:
    """The sweep when no postback arrives: 2,000 open invoices are to settle within five minutes."""
    settled = settled_by_one_sweep(stack, SWEPT_PROVIDER_SECONDS)
    name = f"a sweep at {SWEPT_PROVIDER_SECONDS:.0f} s an answer"
    goal = verdict(settled >= 400, ">= 400, five sweeps 2,000")
    print()
    row(name, f"{settled} paid", "", "", goal=goal)


def first_unlimited(stack: Stack) -> str:
    """A product of the demo that does not sell out, because a few hundred are bought."""
    with urlopen(f"{stack.shop_url}/", timeout=30) as answer:
        slugs: list[str] = re.findall(r'href="/products/([\w-]+)', answer.read().decode())
    for slug in dict.fromkeys(slugs):
        if stack.stock(slug) is None:
            return slug
    raise StackError("the demo has no product with unlimited stock")


def verdict(met: bool, goal: str) -> str:
    """The goal, and whether it is met."""
    return f"{'met' if met else 'MISSED':<6} {goal}"


def row(name: str, *cells: str, goal: str = "") -> None:
    """One line of the table."""
    line = f"{name:<28}" + "".join(f"{cell:>12}" for cell in cells)
    print(f"{line:<64}    {goal}".rstrip(), flush=True)


if __name__ == "__main__":
    sys.exit(main())
