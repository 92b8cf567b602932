"""What pages cost in catalogues of several sizes: made anew, and as visitors get them."""

from __future__ import annotations

import contextlib
import statistics
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks import catalogues
from benchmarks.cold import Shop, started
from benchmarks.figures import Figure, at_most
from benchmarks.running import Run
from demo.surroundings import ROOT
from tests.support.postgres import postgres_database

ON_A_PAGE = 24
SHARE = 0.02
"""Seconds that one round of a page should take, so that small costs are not lost in the clock."""

SWEPT = Path(__file__).with_name("swept.py")
FEW_ORDERS = 200
SWEEP = 1.5

PAGES = {
    "index": ("/", 1.3),
    "last page": ("/?page={last}", 1.3),
    "product": ("/products/product-7", 1.3),
    "search, rare word": (f"/search?q={catalogues.RARE}", 1.5),
    "search, common word": (f"/search?q={catalogues.COMMON}", 1.5),
    "sitemap": ("/sitemap.xml", 3.0),
}


def growth(run: Run) -> Iterator[Figure]:
    """Each page in the largest catalogue beside the smallest; the sizes between them are for the plot."""
    sizes = sorted(run.size.products)
    with _shops(run, sizes) as found:
        for kept in (False, True):
            for name, (path, limit) in PAGES.items():
                rounds = [_round(found, path, kept=kept) for _ in range(run.size.rounds)]
                columns = [list(column) for column in zip(*rounds, strict=True)]
                yield run.figure(
                    f"{name}, {'kept' if kept else 'made anew'}, {sizes[-1]:,}",
                    "ms CPU",
                    columns[-1],
                    beside=f"at {sizes[0]:,}",
                    others=columns[0],
                    goal=at_most(limit),
                    extra={
                        str(size): statistics.median(column)
                        for size, column in zip(sizes, columns, strict=True)
                    },
                )


def _round(found: dict[int, Shop], path: str, *, kept: bool) -> list[float]:
    costs = []
    for size, shop in found.items():
        asked = path.format(last=-(-size // ON_A_PAGE))
        first, _ = shop.ask(asked, 3, kept=kept)
        times = max(3, min(200, int(SHARE * 1000 / first))) if first else 200
        costs.append(shop.ask(asked, times, kept=kept)[0])
    return costs


def sweeps(run: Run) -> Iterator[Figure]:
    """A sweep that finds nothing due, among many orders and among few."""
    many = run.size.orders
    with contextlib.ExitStack() as stack:
        found = []
        for count in (many, FEW_ORDERS):
            server = run.server
            database = stack.enter_context(postgres_database(server)) if server else None
            shop = started(f"{count} orders", ROOT, database, str(count), child=SWEPT)
            found.append(stack.enter_context(shop))
        rounds = [[shop.ask("", 5)[0] for shop in found] for _ in range(run.size.cold_rounds)]
    yield run.figure(
        f"a sweep with nothing due, {many:,} orders",
        "ms CPU",
        [each[0] for each in rounds],
        beside=f"at {FEW_ORDERS}",
        others=[each[1] for each in rounds],
        goal=at_most(SWEEP),
    )


@contextlib.contextmanager
def _shops(run: Run, sizes: list[int]) -> Iterator[dict[int, Shop]]:
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="catalogues-")))
        found = {}
        for size in sizes:
            server = run.server
            database = stack.enter_context(postgres_database(server)) if server else None
            file = catalogues.write(folder / f"{size}.yaml", size)
            shop = started(f"a shop of {size:,}", ROOT, database, str(file))
            found[size] = stack.enter_context(shop)
        yield found
