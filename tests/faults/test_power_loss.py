"""The power goes: whatever has been acknowledged is there afterwards, and what is there adds up.

What stands in for the power cut: SQLite has its log written to the disk before it acknowledges a
commit, so after a cut the log is whole up to there and may end anywhere beyond. Here it is cut at
any length, its tail gone, zeroed or garbled; all that was acknowledged up to the cut must be there.
That the log does reach the disk is `synchronous=FULL`, which every connection is asked for.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import event

from shop import create_app
from shop.catalogue.models import DeliveryKind
from shop.db import db, end_read, journal_mode, sqlite_driver
from shop.payments.checking import refresh
from shop.payments.models import Payment
from shop.payments.opening import open_invoice
from tests.conftest import make_settings
from tests.factories import gateway, make_order, make_product, provider
from tests.support.ledger import tally, violations
from tests.support.promises import Promise

pytestmark = [
    pytest.mark.promise(12),
    pytest.mark.parametrize("engine", ["sqlite"]),
    pytest.mark.skipif(journal_mode() != "WAL", reason="this SQLite's WAL has a bug; not used"),
]

FULL = pytest.param(20, 41, marks=pytest.mark.long)
PLACED = "SELECT 1 FROM orders WHERE number ="
RULES = {
    "an order without lines": "SELECT count(*) FROM orders WHERE id NOT IN (SELECT order_id FROM order_lines)",
    "an order without a payment": "SELECT count(*) FROM orders WHERE id NOT IN (SELECT order_id FROM payments)",
    "a history with a gap": "SELECT count(*) FROM orders WHERE version <> "
    "(SELECT count(*) FROM order_events WHERE order_id = orders.id)",
    "a paid order whose payment is not": "SELECT count(*) FROM orders WHERE paid_at IS NOT NULL "
    "AND id NOT IN (SELECT order_id FROM payments WHERE state = 'paid')",
    "a paid payment whose order is not": "SELECT count(*) FROM payments WHERE state = 'paid' "
    "AND order_id IN (SELECT id FROM orders WHERE paid_at IS NULL)",
    "a paid order without its deliveries": "SELECT count(*) FROM order_lines WHERE order_id IN "
    "(SELECT id FROM orders WHERE paid_at IS NOT NULL) "
    "AND id NOT IN (SELECT order_line_id FROM deliveries)",
    "a paid order without its mail": "SELECT count(*) FROM orders WHERE paid_at IS NOT NULL "
    "AND id NOT IN (SELECT order_id FROM outbox_mails WHERE kind = 'order-delivered')",
    "a fulfilled order with nothing handed out": "SELECT count(*) FROM deliveries WHERE state <> 'delivered' "
    "AND order_id IN (SELECT id FROM orders WHERE status = 'fulfilled')",
    "stock that does not add up": "SELECT count(*) FROM products WHERE stock_total <> available + COALESCE("
    "(SELECT sum(quantity) FROM stock_holds WHERE product_id = products.id AND state <> 'released'), 0)",
    "a key that is neither free nor owned": "SELECT count(*) FROM licence_keys "
    "WHERE (delivery_id IS NULL) <> (unit IS NULL)",
}


@dataclass(frozen=True)
class Moment:
    """The files as they are, and what has been acknowledged: (generation and length of the log, SQL)."""

    database: bytes
    log: bytes
    generation: int
    truth: dict[str, str]
    acknowledged: tuple[tuple[int, int, str], ...]

    def due(self, length: int) -> list[str]:
        """What must be found when the log is cut at this length."""
        return [
            fact
            for generation, needed, fact in self.acknowledged
            if generation < self.generation or needed <= length
        ]


@dataclass
class History:
    """A shop that sells; after each step the files are put aside, as they would be without power."""

    app: Flask
    path: Path
    generation: int = 0
    truth: dict[str, str] = field(default_factory=dict)
    acknowledged: list[tuple[int, int, str]] = field(default_factory=list)
    moments: list[Moment] = field(default_factory=list)

    @property
    def log(self) -> Path:
        return self.path.with_name(f"{self.path.name}-wal")

    @property
    def written(self) -> int:
        """How much of the log is in use, by its index: after a checkpoint it begins anew in the old file."""
        index = self.path.with_name(f"{self.path.name}-shm").read_bytes()
        frames = int.from_bytes(index[16:20], sys.byteorder)
        return 32 + frames * (4096 + 24)

    def note(self, fact: str) -> None:
        """The shop has said that this is so."""
        end_read()
        self.acknowledged.append((self.generation, self.written, fact))
        files = self.path.read_bytes(), self.log.read_bytes()
        self.moments.append(
            Moment(*files, self.generation, dict(self.truth), tuple(self.acknowledged))
        )

    def checkpoint(self) -> None:
        """Move the log into the database; the next commit begins a new one."""
        end_read()
        with db.engine.connect() as connection:
            raw: Any = connection.connection.driver_connection
            assert raw.execute("PRAGMA wal_checkpoint(RESTART)").fetchone()[0] == 0
        self.generation += 1

    def sell(self, products: list[Any]) -> Iterator[None]:
        """One order after another, a step at a time: placed, its invoice open, paid and delivered."""
        while True:
            order, payment = make_order(self.app, *products)
            number, payment_id = order.number, payment.id
            self.note(f"{PLACED} '{number}'")
            yield
            with provider(self.app) as calls:
                invoice = calls.invoice_is_made()
                self.truth[invoice] = "created"
                open_invoice(db.session.get_one(Payment, payment_id), gateway(self.app))
                self.note(f"SELECT 1 FROM payments WHERE invoice_id = '{invoice}'")
                yield
                calls.invoice_is("paid")
                self.truth[invoice] = "paid"
                refresh(db.session.get_one(Payment, payment_id), gateway(self.app))
                self.note(
                    f"SELECT 1 FROM orders WHERE status = 'fulfilled' AND number = '{number}'"
                )
            yield


def history_of(app: Flask, steps: int) -> list[Moment]:
    """So many moments of a shop's life; a third of the way the log is moved into the database."""
    path = Path(db.engine.url.database or "")

    def no_checkpoints(connection: Any, record: Any) -> None:
        connection.execute("PRAGMA wal_autocheckpoint=0")  # only where the test wants one

    event.listen(db.engine, "connect", no_checkpoints)
    db.engine.dispose()
    products = [make_product(stock=500), make_product(kind=DeliveryKind.KEY, keys=100)]
    history = History(app, path)
    sales = history.sell(products)
    for step in range(steps):
        next(sales)
        if step == steps // 3:
            history.checkpoint()
    sales.close()
    end_read()
    return history.moments


def damaged(log: bytes, length: int, kind: str) -> bytes:
    """A log of which only so much has reached the disk; the rest is not there, or is not what it was."""
    tail = len(log) - length
    if kind == "zeroed":
        return log[:length] + bytes(tail)
    if kind == "garbled":
        return log[:length] + random.Random(length).randbytes(tail)
    return log[:length]


def wrong(folder: Path, database: bytes, log: bytes, due: list[str]) -> list[str]:
    """What is wrong with the database that these files are, opened as the shop would."""
    path = folder / "shop.db"
    for old in folder.glob("shop.db*"):
        old.unlink()
    path.write_bytes(database)
    path.with_name("shop.db-wal").write_bytes(log)
    with closing(sqlite_driver.connect(path)) as connection:

        def ask(query: str) -> Any:
            row = connection.execute(query).fetchone()
            return row and row[0]

        if (answer := ask("PRAGMA integrity_check")) != "ok":
            return [f"not intact: {answer}"]
        found = [name for name, query in RULES.items() if ask(query)]
        if ask("PRAGMA foreign_key_check"):
            found.append("a row refers to one that is not there")
        return found + [f"lost: {fact}" for fact in due if not ask(fact)]


@pytest.mark.parametrize(("moments", "lengths"), [(5, 9), FULL])
def test_after_a_power_cut_all_that_was_acknowledged_is_there_and_adds_up(
    app: Flask, promise: Promise, tmp_path: Path, moments: int, lengths: int
) -> None:
    folder = tmp_path / "image"
    folder.mkdir()
    with app.app_context():
        life = history_of(app, moments)
    chance = random.Random(12)

    for moment in life:
        written = moment.acknowledged[-1][1]
        cuts = {0, written, *(chance.randrange(written) for _ in range(lengths - 2))}
        for cut in sorted(cuts):
            kind = chance.choice(("gone", "zeroed", "garbled"))
            log = damaged(moment.log, cut, kind)
            found = wrong(folder, moment.database, log, moment.due(cut))
            promise.cases += 1
            promise.lost += sum(each.startswith("lost:") for each in found)
            assert found == [], f"cut at {cut} of {written}, the rest {kind}"
        # The last is whole: the shop itself on top of it, and the one checker.
        again = create_app(make_settings(folder / "data", f"sqlite:///{folder / 'shop.db'}"))
        orders = sum(fact.startswith(PLACED) for *_, fact in moment.acknowledged)
        assert tally(promise, violations(again, moment.truth, orders=orders)) == []
        with again.app_context():
            db.engine.dispose()


def test_a_log_that_ends_before_an_acknowledged_commit_has_lost_it(
    app: Flask, tmp_path: Path
) -> None:
    """The control: the check sees a loss, and a damaged file."""
    with app.app_context():
        moment = history_of(app, 4)[-1]
    (_, whole, last) = moment.acknowledged[-1]

    assert wrong(tmp_path, moment.database, moment.log[:whole], [last]) == []
    assert wrong(tmp_path, moment.database, moment.log[: whole - 1], [last]) == [f"lost: {last}"]
    torn = bytearray(moment.database)
    torn[8192:40960] = bytes(32768)
    assert "not intact" in wrong(tmp_path, bytes(torn), b"", [])[0]


def test_every_connection_waits_for_the_disk(app: Flask) -> None:
    def settings_of(connection: Any) -> list[Any]:
        raw = connection.connection.driver_connection
        names = ("synchronous", "journal_mode", "mmap_size", "foreign_keys")
        return [raw.execute(f"PRAGMA {name}").fetchone()[0] for name in names]

    with app.app_context():
        with db.engine.connect() as one, db.engine.connect() as two:
            assert settings_of(one) == settings_of(two) == [2, "wal", 0, 1]
        db.engine.dispose()
        with db.engine.connect() as anew:
            assert settings_of(anew) == [2, "wal", 0, 1]
