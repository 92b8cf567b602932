"""Memory of a web worker, right after its start and after many requests for all kinds of pages."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.request import urlopen

from benchmarks.figures import Figure, at_most
from benchmarks.load import Asked, ask_often
from benchmarks.processes import Memory, memory_of_workers
from benchmarks.running import CONNECTIONS, Run
from benchmarks.shops import Shop, shops

KINDS = ("resident", "proportional", "private")
RESIDENT = 0.75
PATHS = ("/", "/search?q=rain", "/terms", "/ru/", "/uk/", "/sitemap.xml", "/cart", "/orders/find")


def memory(run: Run) -> Iterator[Figure]:
    """The largest worker of each shop."""
    with shops(run.checkouts, run.server) as running:
        yield from _figures(run, "at start", [_largest(shop) for shop in running])
        for shop in running:
            _visit(shop, run.size.requests)
        after = f"after {run.size.requests:,}"
        yield from _figures(run, after, [_largest(shop) for shop in running])


def _figures(run: Run, when: str, found: list[Memory]) -> Iterator[Figure]:
    for kind in KINDS:
        yield run.figure(
            f"a worker {when}, {kind}",
            "MB",
            [getattr(found[0], kind)],
            beside=run.against,
            others=[getattr(each, kind) for each in found[1:]],
            goal=at_most(RESIDENT) if kind == "resident" and run.against else None,
        )


def _largest(shop: Shop) -> Memory:
    if not (found := memory_of_workers(shop.master)):
        raise LookupError("memory is not known here: this system has no /proc")
    return max(found, key=lambda each: each.resident)


def _visit(shop: Shop, requests: int) -> None:
    with urlopen(f"{shop.shop_url}/", timeout=30) as answer:
        page = answer.read().decode()
    linked = set(re.findall(r'href="(/(?:products|categories)/[^"?#]+)"', page))
    paths = [*PATHS, *sorted(linked)]
    for path in paths:
        ask_often(Asked(f"{shop.shop_url}{path}"), requests // len(paths), CONNECTIONS)
