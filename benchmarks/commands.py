"""Commands, each a whole process: what a start costs, and the import of a large catalogue."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks import catalogues
from benchmarks.figures import Figure, at_most
from benchmarks.running import Run
from demo.surroundings import environment
from tests.support.postgres import postgres_database

COST_OF = Path(__file__).with_name("cost_of.py")
FLASK = ("-m", "flask", "--app", "wsgi")
INVOICE = ("--amount", "10", "--currency", "EUR", "--email", "bench@example.com")
STARTS = {
    "import wsgi": ("-c", "import wsgi"),
    "flask --help": (*FLASK, "--help"),
    "invoices create, refused": (*FLASK, "invoices", "create", *INVOICE),
}
START = 0.45
IMPORT_CPU, IMPORT_MEMORY = 0.35, 0.6


@dataclass(frozen=True)
class Place:
    """A data folder with tables, in which a checkout's commands are run."""

    checkout: Path
    surroundings: dict[str, str]

    def cost(self, *arguments: str, may_fail: bool = False) -> tuple[float, float]:
        """Processor seconds and most megabytes of one command of Python's."""
        done = subprocess.run(
            [sys.executable, "-S", str(COST_OF), sys.executable, *arguments],
            cwd=self.checkout,
            env=self.surroundings,
            capture_output=True,
            text=True,
            check=True,
        )
        found = json.loads(done.stdout)
        if found["code"] and not may_fail:
            raise RuntimeError(f"{' '.join(arguments)} failed:\n{found['said']}")
        return found["cpu"], found["megabytes"]


@contextmanager
def places(run: Run) -> Iterator[list[Place]]:
    """One of each checkout; nobody listens where its provider should be."""
    with contextlib.ExitStack() as stack:
        found = []
        for checkout in run.checkouts.values():
            data = stack.enter_context(tempfile.TemporaryDirectory(prefix="commands-"))
            own = environment(Path(data), "http://localhost:8000", "http://127.0.0.1:9")
            database = f"sqlite:///{data}/shop.db"
            if run.server:
                database = stack.enter_context(postgres_database(run.server))
            own |= {"DATABASE_URL": database, "PYTHONPATH": str(checkout)}
            place = Place(checkout, own)
            place.cost(*FLASK, "db", "upgrade")
            found.append(place)
        yield found


def starts(run: Run) -> Iterator[Figure]:
    """What it costs to begin, by turns."""
    with places(run) as all_places:
        for name, arguments in STARTS.items():
            rounds = [
                [1000 * place.cost(*arguments, may_fail=True)[0] for place in all_places]
                for _ in range(run.size.starts)
            ]
            yield _compared(run, name, "ms CPU", rounds, START)


def importing(run: Run) -> Iterator[Figure]:
    """A catalogue of the largest size, into an empty shop; then the shop's own export, read back."""
    count = max(run.size.products)
    with places(run) as all_places, tempfile.TemporaryDirectory(prefix="catalogue-") as folder:
        file = catalogues.write(Path(folder) / "catalogue.yaml", count)
        costs = [place.cost(*FLASK, "products", "import", str(file)) for place in all_places]
        name = f"import of {count:,} products"
        yield _compared(run, name, "s CPU", [[cpu for cpu, _ in costs]], IMPORT_CPU)
        yield _compared(run, f"{name}, memory", "MB", [[size for _, size in costs]], IMPORT_MEMORY)
        exported = str(Path(folder) / "exported.yaml")
        here = all_places[0]
        cost, _ = here.cost(*FLASK, "products", "export", exported)
        yield run.figure(f"export of {count:,}", "s CPU", [cost])
        cost, _ = here.cost(*FLASK, "products", "import", exported)
        yield run.figure("its import, which changes nothing", "s CPU", [cost])


def _compared(
    run: Run, name: str, unit: str, rounds: Sequence[Sequence[float]], limit: float
) -> Figure:
    return run.figure(
        name,
        unit,
        [each[0] for each in rounds],
        beside=run.against,
        others=[each[1] for each in rounds] if run.against else (),
        goal=at_most(limit) if run.against else None,
    )
