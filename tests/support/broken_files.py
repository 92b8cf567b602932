"""A whole shop as real processes, whose files break; and what a person then sees, hears and can still buy."""

from __future__ import annotations

import contextlib
import json
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import requests
from flask import Flask
from PIL import Image
from sqlalchemy import select

from shop import create_app
from shop.attention.queries import open_attention
from shop.attention.service import resolve_attention_item
from shop.because import Because
from shop.books.with_journal import compare_with_journal
from shop.catalogue.models import ProductImage
from shop.config import ROOT
from shop.db import db, end_read, sqlite_driver, utcnow
from shop.ops.models import JournalMark
from shop.orders.models import Order
from shop.payments.sweep import sweep
from shop.sandbox.invoices import Action
from shop.sandbox.postbacks import happen
from shop.sandbox.state import Sandbox
from tests.buyer import Form
from tests.conftest import settings_for
from tests.factories import gateway, make_product
from tests.ops.test_doctor_mail import Post, listening
from tests.support.ledger import truth_of, violations
from tests.support.live_sandbox import running_sandbox
from tests.support.processes import PATIENCE, environment, free_port, until
from tests.support.sold import download_link, make_file

HASTY = (sys.executable, str(ROOT / "tests" / "support" / "hasty.py"))
UPGRADE = ("flask", "--app", "wsgi", "db", "upgrade")
WEB = ("gunicorn", "-c", "gunicorn.conf.py", "wsgi:app")
WORKER = ("flask", "--app", "wsgi", "worker")
OPERATOR = "help@shop.example"
PICTURE = "0" * 32
GARBAGE = b"\xff\xfe {% garbage \x00" * 500
NO_LIMIT = resource.RLIM_INFINITY


class Program:
    """One of the shop's processes, and what it has logged."""

    def __init__(self, command: tuple[str, ...], env: dict[str, str]) -> None:
        self.lines: list[str] = []
        # Through a pipe: a file could not grow where the disk is full.
        self.process = subprocess.Popen(
            [*HASTY, *command],
            cwd=ROOT,
            env=env,
            start_new_session=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout
        with self.process.stdout as output:
            self.lines.extend(output)

    @property
    def runs(self) -> bool:
        return self.process.poll() is None

    @property
    def text(self) -> str:
        return "".join(self.lines)

    def pids(self) -> list[int]:
        """Its own, and those of its children."""
        pid = self.process.pid
        with suppress(OSError):
            children = Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii")
            return [pid, *map(int, children.split())]
        return []

    def comes_to_its_end(self) -> int:
        code = self.process.wait(PATIENCE)
        self._reader.join(PATIENCE)
        return code

    def stop(self) -> None:
        """As systemd does it."""
        if self.runs:
            self.process.terminate()
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(30)
        self.kill()

    def kill(self) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.comes_to_its_end()


class World:
    """The shop, its provider, its mail server, and the folder with its files."""

    def __init__(
        self, folder: Path, template: Path, sandbox: Sandbox, post: Post, smtp: str
    ) -> None:
        self.folder, self.sandbox, self.post = folder, sandbox, post
        self.data = folder / "data"
        self.data.mkdir()
        shutil.copyfile(template, self.data / "shop.db")
        self.settings = settings_for(sandbox, self.data, "", smtp_url=smtp)
        self.more: dict[str, str] = {}
        self.programs: list[Program] = []
        self.door = f"127.0.0.1:{free_port()}"
        self.url = f"http://{self.door}"
        sandbox.configure(notification_url=f"{self.url}/payments/cryptocloud/postback")
        self.placed: int | None = 0
        """How many orders the shop must have; None when that is not known."""
        self._furnish()

    def _furnish(self) -> None:
        """Something to sell, and one of each file that an operator may keep."""
        with self.app():
            picture = ProductImage(position=0, name=PICTURE, alt="x", width=400, height=300)
            self.slug = make_product(stock=1000, images=[picture]).slug
            self.file_slug = make_file(self.settings, "abc/rain.zip", delivery_size=9).slug
        for path, content in {
            "pages/terms.en.md": "# Our terms\n\nAll is said.\n",
            "theme.css": "body { color: teal }\n",
            "logo.svg": "<svg xmlns='http://www.w3.org/2000/svg'/>",
            "templates/catalogue/index.html": (ROOT / "templates/catalogue/index.html").read_text(
                "utf-8"
            ),
        }.items():
            (self.data / path).parent.mkdir(parents=True, exist_ok=True)
            (self.data / path).write_text(content, "utf-8")
        (self.data / "media").mkdir()
        Image.new("RGB", (400, 300), "teal").save(self.data / f"media/{PICTURE}-400.webp", "WEBP")
        self.settings = self.settings.model_copy(update={"shop_logo": "logo.svg"})

    @contextmanager
    def app(self) -> Iterator[Flask]:
        """The shop within the test, for as long as the block runs: its own look into the database."""
        app = create_app(self.settings)
        with app.app_context():
            try:
                yield app
            finally:
                end_read()
                db.engine.dispose()

    def run(self, *command: str) -> Program:
        env = environment(
            self.settings,
            BIND=self.door,
            WEB_WORKERS="1",
            SHOP_SUPPORT_EMAIL=OPERATOR,
            SHOP_LOGO=self.settings.shop_logo,
            **self.more,
        )
        env["DATABASE_URL"] = ""
        self.programs.append(Program(command, env))
        return self.programs[-1]

    def start(self) -> None:
        """As the units do it: the tables, then both services; none where the first step fails."""
        if self.run(*UPGRADE).comes_to_its_end() == 0:
            self.web, self.worker = self.run(*WEB), self.run(*WORKER)
            until(lambda: not self.web.runs or self.status("/healthz"), "the start")

    def stop(self) -> None:
        for program in reversed(self.programs):
            program.stop()

    def kill(self) -> None:
        for program in self.programs:
            program.kill()

    def ask(
        self, method: str, path: str, browser: requests.Session | None = None, **more: Any
    ) -> Any:
        with browser or requests.Session() as session:
            session.trust_env = False
            return session.request(
                method, f"{self.url}{path}", timeout=60, allow_redirects=False, **more
            )

    def status(self, path: str) -> int:
        """What it answers; 0 when it does not."""
        try:
            return int(self.ask("GET", path).status_code)
        except requests.ConnectionError:
            return 0

    def order(self, slug: str = "") -> str | None:
        """Place an order; its invoice, or None when the buyer was not led to the pay page."""
        browser = requests.Session()
        with suppress(requests.ConnectionError):
            self.ask("POST", "/cart", browser, data={"product": slug or self.slug, "quantity": "1"})
            page = self.ask("GET", "/checkout", browser)
            form = Form(page.text, "/checkout").fields | {"email": "buyer@example.com"}
            where = self.ask("POST", "/checkout", browser, data=form).headers.get("Location", "")
            if where.startswith(self.sandbox.settings.pay_origins()):
                if self.placed is not None:
                    self.placed += 1
                return str(where.rpartition("/")[2])
        return None

    def pay(self, invoice: str) -> int | None:
        """Pay it; what the shop answers to the postback."""
        return happen(self.sandbox, invoice, Action.PAY, wait=True).postbacks[-1].answer

    def sells(self) -> bool:
        """Whether an order can be placed and paid; and if not, no invoice may be made."""
        before = len(self.sandbox.invoices())
        invoice = self.order()
        if invoice is None:
            assert len(self.sandbox.invoices()) == before, (
                "an invoice for an order that was not stored"
            )
            return False
        return self.pay(invoice) == 200

    def settle(self) -> list[str]:
        """Let the sweeps run; what the ledger finds then."""
        with self.app() as app:
            for minutes in (1, 5, 10):
                compare_with_journal(utcnow() + timedelta(minutes=minutes))
                sweep(gateway(app), utcnow() + timedelta(minutes=minutes))
                end_read()
            return violations(app, truth_of(self.sandbox), settled=True, orders=self.placed)

    def has_compared(self) -> bool:
        """Whether the worker has compared the journal with the database."""
        with self.app():
            return db.session.scalar(select(JournalMark).limit(1)) is not None

    # What a person gets.

    def logged(self) -> set[str]:
        found = set()
        lines = [line for program in self.programs for line in list(program.lines)]
        for line in lines:
            with suppress(ValueError, KeyError, TypeError):
                entry = json.loads(line)
                of = [each for each in lines if entry.get("request_id", "-") in each]
                assert entry.get("status") != 500, f"a bare 500: {''.join(of)}"
                if entry["level"] in ("warning", "error"):
                    found.add(entry["event"])
        return found

    def forget(self) -> None:
        """What was said until now."""
        self.post.taken.clear()
        self.programs = [program for program in self.programs if program.runs]
        for program in self.programs:
            program.lines.clear()

    def person_sees_to_it(self) -> None:
        """So that the next fault is news."""
        with self.app():
            for item in open_attention():
                resolve_attention_item(item.id, Because("seen", "Ann"))

    def got(self) -> set[str]:
        """In the table's words."""
        found = set[str]()
        # First, because the look into the database starts a shop, which writes lost sheets anew.
        if self.door.startswith("127") and self.programs[-1].runs:
            found |= {
                f"{status} for {what}" for what, status in self.parts().items() if status != 200
            }
        found |= {f"the log's `{event}`" for event in self.logged()}
        if any(mail.rcpt_tos == [OPERATOR] for mail in self.post.taken):
            found.add("a mail")
        with suppress(requests.ConnectionError):
            ready = self.ask("GET", "/readyz")
            if ready.status_code == 503:
                found.add("503 from `/readyz`")
            words = ready.json()
            found |= {f"`{name}` in `/readyz`" for name in words if words[name] != "ok"}
        with suppress(Exception), self.app():
            found |= {f"the item `{item.kind}`" for item in open_attention()}
        return found

    def doctor(self) -> list[str]:
        """The checks that are not well."""
        program = self.run("flask", "--app", "wsgi", "doctor", "--json")
        program.comes_to_its_end()
        self.programs.pop()
        printed = next((line for line in program.lines if line.startswith("[{")), "[]")
        return [found["name"] for found in json.loads(printed) if found["level"] != "ok"]

    def parts(self) -> dict[str, int]:
        """What pages are made of, and what was bought."""
        sheet = logo = None
        with suppress(requests.ConnectionError):
            page = self.ask("GET", "/privacy").text
            sheet = re.search(r'rel="stylesheet" href="([^"]+)"', page)
            logo = re.search(r'"(/static/logo[^"]+)"', page)
        return {
            "that page": self.status("/terms"),
            "the picture": self.status(f"/media/{PICTURE}-400.webp"),
            "the style sheet": self.status(sheet[1]) if sheet else 0,
            "the logo": self.status(logo[1]) if logo else 0,
            "the download": self.status(self.link) if self.link else 200,
        }

    link = ""
    """Of a file that was bought."""

    def buys_the_file(self) -> None:
        invoice = self.order(self.file_slug)
        assert invoice
        assert self.pay(invoice) == 200
        with self.app():
            self.link = download_link(
                db.session.scalars(select(Order).order_by(Order.id.desc())).first()
            )


@contextmanager
def world_in(folder: Path, template: Path, mails: bool = True) -> Iterator[World]:
    post = Post()
    with running_sandbox(postback_patience=PATIENCE) as sandbox, listening(post) as port:
        world = World(folder, template, sandbox, post, f"smtp://127.0.0.1:{port}" if mails else "")
        try:
            yield world
        finally:
            world.kill()


def remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()


def garbage(path: Path) -> None:
    path.write_bytes(GARBAGE)


def a_pipe(path: Path) -> None:
    remove(path)
    os.mkfifo(path)


def a_folder(path: Path) -> None:
    remove(path)
    path.mkdir()


def a_file(path: Path) -> None:
    remove(path)
    path.write_bytes(b"x")


def read_only(path: Path) -> None:
    path.chmod(0o555 if path.is_dir() else 0o444)


def no_permission(path: Path) -> None:
    path.chmod(0)


FAULTS: dict[str, Callable[[Path], None]] = {
    "deleted": remove,
    "garbage": garbage,
    "a pipe": a_pipe,
    "a folder": a_folder,
    "a file": a_file,
    "read-only": read_only,
    "no permission": no_permission,
}


def newest(world: World, pattern: str) -> Path:
    return max(world.data.glob(pattern), key=lambda path: path.stat().st_mtime_ns)


FILES: dict[str, Callable[[World], Path]] = {
    "`shop.db`": lambda world: world.data / "shop.db",
    "`shop.db-wal`": lambda world: world.data / "shop.db-wal",
    "`shop.db-shm`": lambda world: world.data / "shop.db-shm",
    "`queue.db`": lambda world: world.data / "queue.db",
    "`journal/`": lambda world: world.data / "journal",
    "its file": lambda world: newest(world, "journal/*.log"),
    "`goods/`": lambda world: world.data / "goods",
    "a file in it": lambda world: world.data / "goods/abc/rain.zip",
    "`media/`": lambda world: world.data / "media",
    "a picture in it": lambda world: world.data / f"media/{PICTURE}-400.webp",
    "`outbox/`": lambda world: world.data / "outbox",
    "`pages/`": lambda world: world.data / "pages",
    "a text in it": lambda world: world.data / "pages/terms.en.md",
    "`theme.css`": lambda world: world.data / "theme.css",
    "`SHOP_LOGO`": lambda world: world.data / "logo.svg",
    "`static/`": lambda world: world.data / "static",
    "a sheet in it": lambda world: newest(world, "static/main.*.css.gz"),
    "a template in `templates/`": lambda world: world.data / "templates/catalogue/index.html",
    "the data folder": lambda world: world.data,
    "the disk": lambda world: world.data,
}


@contextmanager
def full(world: World) -> Iterator[None]:
    """No file may grow, for the processes that run."""
    limit(world, 1)
    yield
    limit(world, NO_LIMIT)


def limit(world: World, size: int) -> None:
    for pid in world.web.pids() + world.worker.pids():
        with suppress(ProcessLookupError):
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, NO_LIMIT))


def backup(world: World) -> Path:
    """Made as docs/operating.md says it."""
    copy = world.folder / "backup.db"
    with (
        contextlib.closing(sqlite_driver.connect(str(world.data / "shop.db"))) as source,
        contextlib.closing(sqlite_driver.connect(str(copy))) as target,
    ):
        source.backup(target)
    return copy
