"""What a page costs that no cache has: processor time in the process, beside another checkout of the shop.

`python -m benchmarks.cold [--against FOLDER]` makes a shop of 24 products from this checkout and from the
other one, on SQLite and on PostgreSQL, and asks both by turns. A ratio is the median of the rounds' own ratios.
Waiting for a database server is not in it, and neither is the web server: see `benchmarks.__main__` for these.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.figures import Figure, at_most
from benchmarks.running import Run
from benchmarks.shops import server_of
from demo.surroundings import ROOT, environment
from tests.support.postgres import postgres_database

CHILD = Path(__file__).with_name("asked_in_process.py")
PAGES = ("/products/harbour-rain", "/", "/categories/sound", "/ru/products/harbour-rain", "/ru/")
TIMES = 40
OF_THE_OTHER = 0.45


@dataclass(frozen=True)
class Shop:
    """A shop that waits in a process of its own to be asked."""

    name: str
    process: subprocess.Popen[str]

    def ask(self, path: str, times: int, *, kept: bool = False) -> tuple[float, str]:
        """Milliseconds of processor time for each request, and the page's digest; `kept` as visitors get it."""
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(json.dumps({"path": path, "times": times, "kept": kept}) + "\n")
        self.process.stdin.flush()
        answer = json.loads(self.process.stdout.readline() or "{}")
        if not answer:
            raise RuntimeError(f"{self.name} has ended")
        return answer["ms"], answer["digest"]


@contextlib.contextmanager
def started(
    name: str, checkout: Path, database: str | None, *more: str, child: Path = CHILD
) -> Iterator[Shop]:
    """A shop of this checkout; on SQLite without a `database`. The child gets the arguments behind it."""
    with tempfile.TemporaryDirectory(prefix="cold-") as data:
        own = environment(Path(data), "http://localhost:8000", "http://localhost:8001")
        own |= {
            "SHOP_LANGUAGES": "en,ru,uk",
            "DATABASE_URL": database or f"sqlite:///{data}/shop.db",
        }
        own |= {"PYTHONPATH": str(checkout), "PYTHONHASHSEED": "0"}
        process = subprocess.Popen(
            [sys.executable, str(child), str(checkout), *more],
            env=own,
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=None if os.environ.get("COLD_LOG") else subprocess.DEVNULL,
        )
        try:
            assert process.stdout
            for line in process.stdout:
                if line == "ready\n":
                    break
            else:
                raise RuntimeError(f"{name} did not start: set COLD_LOG=1 to see why")
            yield Shop(name, process)
        finally:
            process.kill()
            process.wait()


@contextlib.contextmanager
def shops(checkouts: dict[str, Path], server: str | None) -> Iterator[list[Shop]]:
    """One shop of each checkout, each with a database of its own; on SQLite without a server."""
    with contextlib.ExitStack() as stack:
        found = []
        for name, checkout in checkouts.items():
            database = stack.enter_context(postgres_database(server)) if server else None
            found.append(stack.enter_context(started(name, checkout, database)))
        yield found


def cold(run: Run) -> Iterator[Figure]:
    """The two pages that are looked at most, beside the other commit."""
    with shops(run.checkouts, run.server) as both:
        for name, page in {"product": PAGES[0], "index": PAGES[1]}.items():
            taken, _ = by_turns(both, page, run.size.cold_rounds, TIMES)
            yield run.figure(
                f"{name}, not kept",
                "ms CPU",
                taken[0],
                beside=run.against,
                others=taken[1] if run.against else (),
                goal=at_most(OF_THE_OTHER) if run.against else None,
            )


def by_turns(
    both: Sequence[Shop], page: str, rounds: int, times: int
) -> tuple[list[list[float]], bool]:
    """Milliseconds of each shop, round by round; and whether the pages are the same to the byte."""
    digests = [shop.ask(page, 20)[1] for shop in both]
    taken = [[shop.ask(page, times)[0] for shop in both] for _ in range(rounds)]
    return [list(column) for column in zip(*taken, strict=True)], len(set(digests)) == 1


def compare(both: list[Shop], pages: list[str], rounds: int, times: int) -> None:
    """Ask by turns, and print a line for each page."""
    for page in pages:
        taken, same = by_turns(both, page, rounds, times)
        cells = [f"{statistics.median(column):8.3f}" for column in taken]
        ratios = sorted(here / there for here, there in zip(taken[0], taken[-1], strict=True))
        spread = f"{statistics.median(ratios):6.2f} [{ratios[0]:.2f}-{ratios[-1]:.2f}]"
        bytes_are = "same" if same else "different"
        print(f"{page:<32}{''.join(cells)}{spread:>22}  {bytes_are}", flush=True)


def main() -> None:
    """Measure what was asked for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cold", description=__doc__)
    parser.add_argument("--against", type=Path, default=ROOT, help="another checkout of the shop")
    parser.add_argument("--engine", choices=("sqlite", "postgresql"), action="append")
    parser.add_argument("--page", action="append")
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--times", type=int, default=60)
    asked = parser.parse_args()
    checkouts = {"here": ROOT, "there": asked.against.resolve()}
    for engine in asked.engine or ("sqlite", "postgresql"):
        print(f"{engine + ', CPU ms':<32}{'here':>8}{'there':>8}{'ratio':>22}  bytes")
        with server_of(engine) as server, shops(checkouts, server) as both:
            compare(both, asked.page or list(PAGES), asked.rounds, asked.times)


if __name__ == "__main__":
    main()
