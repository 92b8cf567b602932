"""Row 41: what was committed is on the next page that anybody asks for, whichever process has kept an older one."""

from __future__ import annotations

import contextlib
import http.client
import itertools
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from flask import Flask
from sqlalchemy import update

from shop.catalogue.models import Category, ExchangeRate, Price, Product, ProductImage
from shop.config import Settings
from shop.db import db, end_read, sqlite_driver, transaction, utcnow
from tests.factories import make_product
from tests.support.copies import Copy
from tests.support.processes import GUNICORN, WebProcess
from tests.support.promises import Promise

pytestmark = pytest.mark.promise(41)

SLUG = "rain"
PAGE, LIST = f"/products/{SLUG}", "/categories/loops"
NEVER_FRESH = (*GUNICORN[:-1], "tests.support.never_fresh:app")

Change = Callable[[int], tuple[str, str]]
"""Commits the change of this number; returns an address, and what its page has to say from now on."""


@pytest.fixture
def product(app: Flask) -> int:
    with app.app_context():
        with transaction() as session:
            session.add(Category(id=1, slug="loops", title="Loops"))
            session.add(
                ExchangeRate(currency="EUR", base_currency="USD", rate_e8=10**8, set_at=utcnow())
            )
        id = make_product(stock=50, slug=SLUG, title="Rain", category_id=1).id
        with transaction() as session:
            session.add(
                ProductImage(product_id=id, position=0, name="a" * 32, alt="A", width=1, height=1)
            )
    return id


class Editor:
    """Changes the shop from another process than those that show it."""

    def __init__(self, product: int, folder: Path) -> None:
        self.product, self.backup = product, folder / "backup.db"
        self.on_sqlite = db.engine.dialect.name == "sqlite"
        if self.on_sqlite:
            self._copy(db.engine.url.database or "", str(self.backup))
        else:
            self.copy = Copy()

    def changes(self) -> list[Change]:
        """One of each kind, in an order in which each can be seen."""
        first = [self.price, self.stock, self.rate, self.title, self.picture, self.category]
        return [*first, self.withdrawn, self.back, self.restored]

    def price(self, number: int) -> tuple[str, str]:
        self._do(update(Price).values(minor=number * 100 + 99))
        return PAGE, f"USD\N{NO-BREAK SPACE}{number:,}.99"

    def stock(self, number: int) -> tuple[str, str]:
        left = 2 + number % 4
        self._do(update(Product).values(available=left, updated_at=Product.updated_at))
        return LIST, f"Only {left} left"

    def rate(self, number: int) -> tuple[str, str]:
        self._do(update(Price).values(minor=100))
        self._do(update(ExchangeRate).values(rate_e8=(number + 1) * 10**8))
        return f"{PAGE}?currency=EUR", f"EUR\N{NO-BREAK SPACE}{number + 1:,}.00"

    def title(self, number: int) -> tuple[str, str]:
        self._do(update(Product).values(title=f"Title {number}"))
        return f"/search?q={number}", f">Title {number}<"

    def picture(self, number: int) -> tuple[str, str]:
        self._do(update(ProductImage).values(alt=f"Picture {number}"))
        return PAGE, f"Picture {number}"

    def category(self, number: int) -> tuple[str, str]:
        self._do(update(Category).values(title=f"Category {number}"))
        return PAGE, f"Category {number}"

    def withdrawn(self, number: int) -> tuple[str, str]:
        self._do(update(Product).values(active=False))
        return PAGE, "This page does not exist"

    def back(self, number: int) -> tuple[str, str]:
        self._do(update(Product).values(active=True, summary=f"Back {number}"))
        return "/", f"Back {number}"

    def restored(self, number: int) -> tuple[str, str]:
        if self.on_sqlite:
            self._copy(str(self.backup), db.engine.url.database or "")
        else:
            self.copy.put_back()
        return PAGE, ">Rain<"

    def _do(self, statement: object) -> None:
        with transaction() as session:
            session.execute(statement, execution_options={"synchronize_session": False})  # type: ignore[call-overload]

    def _copy(self, source: str, target: str) -> None:
        """As an operator restores who does not stop the shop: by SQLite's own backup."""
        end_read()
        with (
            contextlib.closing(sqlite_driver.connect(source)) as from_,
            contextlib.closing(sqlite_driver.connect(target, timeout=60)) as to,
        ):
            from_.backup(to)


@contextlib.contextmanager
def reader(url: str) -> Iterator[Callable[[str], str]]:
    """Asks over one connection, which one of the shop's processes holds."""
    with contextlib.closing(http.client.HTTPConnection(urlsplit(url).netloc, timeout=60)) as asked:

        def read(path: str) -> str:
            try:
                asked.request("GET", path)
                return asked.getresponse().read().decode()
            except (http.client.HTTPException, ConnectionError):  # it was kept open for long enough
                asked.close()
            asked.request("GET", path)
            return asked.getresponse().read().decode()

        yield read


@contextlib.contextmanager
def crowd(url: str) -> Iterator[None]:
    """Visitors who ask for the same pages all the time, so that pages are made while they change."""
    over = threading.Event()

    def ask() -> None:
        with reader(url) as read:
            for path in itertools.cycle((PAGE, LIST, f"{PAGE}?currency=EUR", "/")):
                read(path)
                if over.is_set():
                    return

    visitors = [threading.Thread(target=ask) for _ in range(2)]
    for visitor in visitors:
        visitor.start()
    try:
        yield
    finally:
        over.set()
        for visitor in visitors:
            visitor.join()


def stale_pages(url: str, editor: Editor, times: int) -> list[str]:
    """Change something, then ask, over an old connection and a new one; returns what was not to be seen."""
    stale = []
    turns = itertools.cycle(editor.changes())
    with crowd(url), reader(url) as regular:
        for number in range(1, times + 1):
            path, due = next(turns)(number)
            with reader(url) as newcomer:
                pages = [regular(path), newcomer(path)]
            stale += [f"{number}: {due}" for page in pages if due not in page]
    return stale


@pytest.mark.parametrize(
    "times", [pytest.param(90), pytest.param(10_000, marks=pytest.mark.long)], ids=["few", "many"]
)
def test_no_page_is_older_than_the_last_commit(
    app: Flask, settings: Settings, product: int, tmp_path: Path, promise: Promise, times: int
) -> None:
    shop = WebProcess(settings, workers=2, WEB_MAX_REQUESTS="0")
    try:
        with app.app_context():
            stale = stale_pages(shop.url, Editor(product, tmp_path), times)
    finally:
        shop.close()

    promise.cases, promise.lost = times, len(stale)
    assert stale == []


def test_control_pages_that_are_believed_go_stale(
    app: Flask, settings: Settings, product: int, tmp_path: Path
) -> None:
    shop = WebProcess(settings, workers=2, command=NEVER_FRESH)
    try:
        with app.app_context():
            stale = stale_pages(shop.url, Editor(product, tmp_path), 18)
    finally:
        shop.close()

    assert stale
