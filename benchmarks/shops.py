"""The shops that are measured: this checkout and another commit, on either engine, and the yardstick.

Each runs with this checkout's installed packages, its own folder first on Python's path, and a database,
a sandbox and a data folder of its own.
"""

from __future__ import annotations

import contextlib
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from demo.stack import BIN, Stack, data_folder, stop_on_signals
from demo.surroundings import ROOT, free_ports
from tests.support.postgres import postgres_database, postgres_server

ENGINES = ("sqlite", "postgresql")
PRODUCT = "harbour-rain"
"""A product of the demo that does not sell out, because a few thousand are bought."""

EXTRA = {"WEB_MAX_REQUESTS": "0", "SHOP_UNPAID_ORDERS": "1000000"}
"""Nothing that would interrupt the measuring: no worker is replaced, and one buyer may order and order."""


class Shop(Stack):
    """A running shop of some checkout."""

    def __init__(self, name: str, checkout: Path, data: Path, database: str | None) -> None:
        self.name, self.checkout = name, checkout
        extra = EXTRA | {"PYTHONPATH": str(checkout)}
        if database:
            extra["DATABASE_URL"] = database
        super().__init__(data, extra=extra)

    @property
    def master(self) -> int:
        """The process that watches over the web workers."""
        return next(child.process.pid for child in self.children if child.name == "shop")

    @property
    def product_url(self) -> str:
        """The page that is looked at most."""
        return f"{self.shop_url}/products/{PRODUCT}"


@dataclass(frozen=True)
class Bare:
    """The yardstick, served by gunicorn with the shop's own configuration."""

    url: str
    master: int


@contextmanager
def shops(checkouts: dict[str, Path], server: str | None) -> Iterator[list[Shop]]:
    """A running shop of each checkout; on SQLite without a server."""
    with contextlib.ExitStack() as stack:
        found = []
        for name, checkout in checkouts.items():
            database = stack.enter_context(postgres_database(server)) if server else None
            data = stack.enter_context(data_folder(fresh=True))
            found.append(stack.enter_context(Shop(name, checkout, data, database)))
        yield found
    stop_on_signals()  # a stack that stops no longer listens to them


@contextmanager
def bare() -> Iterator[Bare]:
    """Serve the yardstick."""
    (port,) = free_ports(0)
    with data_folder(fresh=True) as data:
        shop = Stack(data, extra={"BIND": f"127.0.0.1:{port}", "WEB_MAX_REQUESTS": "0"})
        command = (str(BIN / "gunicorn"), "-c", "gunicorn.conf.py", "benchmarks.bare:app")
        child = shop.spawn("bare", *command)
        try:
            shop.wait_until_answering(f"http://127.0.0.1:{port}/")
            yield Bare(f"http://127.0.0.1:{port}/", child.process.pid)
        finally:
            shop.listener.close()
            child.ask_to_end()
            child.end(6)


@contextmanager
def server_of(engine: str) -> Iterator[str | None]:
    """A PostgreSQL server, where that is the engine."""
    if engine == "sqlite":
        yield None
        return
    with postgres_server() as server:
        yield server


@contextmanager
def worktree(commit: str) -> Iterator[Path]:
    """Another commit of this repository, checked out beside it and gone afterwards."""
    git = ("git", "-C", str(ROOT), "worktree")
    with tempfile.TemporaryDirectory(prefix="commit-") as folder:
        path = Path(folder) / "checkout"
        add = (*git, "add", "--detach", "--quiet", str(path), commit)
        done = subprocess.run(add, capture_output=True, text=True, check=False)
        if done.returncode:
            raise LookupError(f"{commit} cannot be checked out: {done.stderr.strip()}")
        try:
            yield path
        finally:
            subprocess.run((*git, "remove", "--force", str(path)), check=False)


def commit_here() -> str:
    """The commit that is measured, with a sign of changes that are in none."""
    describe = ("git", "-C", str(ROOT), "describe", "--always", "--dirty=+")
    done = subprocess.run(describe, capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"
