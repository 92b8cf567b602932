"""The whole shop on this machine: web server, worker and sandbox as child processes.

`python -m demo.stack` is what `dev.py run` becomes. The children share one data folder and write a
log file each; when one of them ends, or this process is told to, all of them are stopped.

The shop's port is opened here and handed to gunicorn, as systemd does it (deploy/systemd): while
gunicorn starts anew, who comes waits in the socket's queue instead of being refused.
"""

from __future__ import annotations

import argparse
import fcntl
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from types import FrameType
from typing import NoReturn

from demo.child import Child, StackError
from demo.surroundings import ROOT, bound_socket, environment, free_ports, pay_urls
from shop.config import SANDBOX

BIN = Path(sys.executable).parent
STARTS_WITHIN = 60
STOPS_WITHIN = 6
RESTARTS_WITHIN = 35  # longer than gunicorn's graceful_timeout
BACKLOG = 2048


class Stopped(BaseException):
    """The terminal, or whoever started this, asked for the end."""


class Stack:
    """A running shop; used as a context manager, so that no child outlives the block."""

    checkout = ROOT

    def __init__(
        self, data: Path, ports: tuple[int, int] = (0, 0), extra: dict[str, str] | None = None
    ) -> None:
        self.listener = bound_socket(ports[0])
        web = self.listener.getsockname()[1]
        (sandbox,) = free_ports(ports[1])
        self.data = data
        self.shop_url = f"http://127.0.0.1:{web}"
        self.sandbox_url = f"http://127.0.0.1:{sandbox}"
        self.environment = environment(data, self.shop_url, self.sandbox_url) | (extra or {})
        self.pay_urls = pay_urls(self.sandbox_url)
        self.children: list[Child] = []

    def __enter__(self) -> Stack:
        try:
            self.seed()
            self.start()
            self.wait_until_answering(f"{self.sandbox_url}/healthz", f"{self.shop_url}/readyz")
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def seed(self) -> None:
        """Bring the data folder up to date; quick when it already is."""
        done = self.run(sys.executable, "-m", "demo.seed")
        if done.returncode:
            raise StackError(f"The data folder could not be prepared:\n{done.stdout}{done.stderr}")

    def start(self) -> None:
        """Start the three processes."""
        flask = str(BIN / "flask")
        port = self.sandbox_url.rpartition(":")[2]
        self.spawn("sandbox", flask, "--app", "shop.sandbox", "run", "--port", port)
        self.listener.listen(BACKLOG)
        door = self.listener.fileno()
        gunicorn = (str(BIN / "gunicorn"), "-c", "gunicorn.conf.py", "wsgi:app")
        self.spawn("shop", *gunicorn, inherits=(door,), BIND=f"fd://{door}")
        self.spawn("worker", flask, "--app", "wsgi", "worker")

    def spawn(
        self, name: str, *command: str, inherits: tuple[int, ...] = (), **extra: str
    ) -> Child:
        """Start one more child, over the same data."""
        child = Child(
            name, command, self.environment | extra, self.data / "logs", inherits, self.checkout
        )
        self.children.append(child)
        return child

    def restart(self, name: str) -> None:
        """Let a child finish what it is doing and start it anew; the shop's port stays open."""
        child = next(child for child in self.children if child.name == name)
        child.ask_to_end()
        child.end(RESTARTS_WITHIN)
        child.start()

    def wait_until_answering(self, *urls: str) -> None:
        """Return once all answer; raise StackError when a child ends or it takes too long."""
        deadline = time.monotonic() + STARTS_WITHIN
        for url in urls:
            while not answers(url):
                self.check_alive()
                if time.monotonic() > deadline:
                    logs = "\n".join(child.tail() for child in self.children)
                    raise StackError(f"{url} did not answer in {STARTS_WITHIN} s.\n{logs}")
                time.sleep(0.1)

    def check_alive(self) -> None:
        """Raise StackError, with its last lines, when a child has ended."""
        for child in self.children:
            if (code := child.process.poll()) is not None:
                raise StackError(f"The {child.name} ended with code {code}.\n{child.tail()}")

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a program with the shop's settings until it ends."""
        return subprocess.run(
            command,
            cwd=self.checkout,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )

    def flask(self, *arguments: str) -> str:
        """Run one of the shop's own commands and return what it printed."""
        done = self.run(str(BIN / "flask"), "--app", "wsgi", *arguments)
        if done.returncode:
            raise StackError(f"flask {' '.join(arguments)} failed:\n{done.stdout}{done.stderr}")
        return done.stdout

    def command(self, words: str) -> str:
        """How a person runs one of the shop's commands on this very shop."""
        flask = BIN / "flask"
        if flask.is_relative_to(ROOT):
            flask = flask.relative_to(ROOT)
        usual = {name.upper(): value for name, value in SANDBOX.items()}
        where = {
            "SHOP_DATA_DIR": str(self.data),
            "SHOP_PUBLIC_URL": self.shop_url,
            "CRYPTOCLOUD_API_URL": self.sandbox_url,
            "CRYPTOCLOUD_PAY_HOSTS": ",".join(self.pay_urls.values()),
        }
        settings = " ".join(f"{k}={v}" for k, v in where.items() if usual.get(k) != v)
        return f"SHOP_DEVELOPMENT=1 {settings} {flask} --app wsgi {words}"

    def stock(self, product: str) -> int | None:
        """How many units may still be sold (None: any number), straight from the database."""
        with closing(
            sqlite3.connect(f"file:{self.data / 'shop.db'}?mode=ro", uri=True)
        ) as database:
            found = database.execute("SELECT available FROM products WHERE slug = ?", [product])
            available: int | None = found.fetchone()[0]
            return available

    def stop(self) -> None:
        """Ask every child to end, and make those that do not; asking again does not hurry it."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        self.listener.close()
        for child in self.children:
            child.ask_to_end()
        deadline = time.monotonic() + STOPS_WITHIN
        for child in self.children:
            child.end(max(0.0, deadline - time.monotonic()))


def answers(url: str) -> bool:
    """Whether the address answers 200."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=5) as response:
            return bool(response.status == 200)
    except (urllib.error.URLError, OSError):
        return False


@contextmanager
def data_folder(fresh: bool) -> Iterator[Path]:
    """The folder that is kept between runs, or one that is gone afterwards."""
    if fresh:
        with tempfile.TemporaryDirectory(prefix="storefront-") as folder:
            yield Path(folder).resolve()
    else:
        data = ROOT / "instance"
        data.mkdir(exist_ok=True)
        with (data / ".running").open("w") as taken:
            try:
                fcntl.flock(taken, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                # Two workers on one database would ask two sandboxes about the same invoices.
                raise StackError(
                    f"A shop is running on {data} already: stop it first, or add --fresh."
                ) from None
            yield data


def stop_on_signals() -> None:
    """Turn Ctrl-C, a terminal that closes and `kill` into Stopped, so that everything unwinds."""

    def stopped(number: int, frame: FrameType | None) -> NoReturn:
        raise Stopped

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, stopped)


def serve(stack: Stack, *, logs: bool) -> NoReturn:
    """Keep the children running until one of them ends; with `logs`, show what they write."""
    print(f"\n  The shop            {stack.shop_url}/")
    print(f"  The pay provider    {stack.sandbox_url}/   (a stand-in: no real money)")
    print(f"  Mails and logs      {stack.data}/outbox, {stack.data}/logs")
    print("\n  Ctrl-C stops everything. The shop's own commands work from another terminal:")
    print(f"  {stack.command('orders list')}\n", flush=True)
    while True:
        for child in stack.children if logs else ():
            for line in child.new_lines():
                print(f"{child.name:<8}| {line}", flush=True)
        stack.check_alive()
        time.sleep(0.2)


def main() -> int:
    """Run the shop until it is told to stop."""
    parser = argparse.ArgumentParser(prog="dev.py run", description="Run the whole shop here.")
    parser.add_argument("--port", type=int, default=8000, help="the shop's port (8000)")
    parser.add_argument("--sandbox-port", type=int, default=5001, help="the stand-in's port (5001)")
    parser.add_argument("--api", choices=["1", "2"], default="1", help="the provider's API (1)")
    parser.add_argument(
        "--brand", choices=["trybit", "cryptocloud"], default="trybit", help="whose links (trybit)"
    )
    parser.add_argument("--fresh", action="store_true", help="with an empty data folder, not kept")
    parser.add_argument("--logs", action="store_true", help="show the logs here as well")
    options = parser.parse_args()
    wanted = (options.port, options.sandbox_port)
    extra = {"CRYPTOCLOUD_API_VERSION": options.api, "SANDBOX_BRAND": options.brand}
    stop_on_signals()
    try:
        with data_folder(options.fresh) as data, Stack(data, wanted, extra) as stack:
            serve(stack, logs=options.logs)
    except Stopped:
        print("\nStopped.", flush=True)
        return 0
    except StackError as error:
        print(f"\n{error}\nEverything is stopped.", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
