"""Sixty-four writers on one SQLite file: each gets its turn, and nobody sees "database is locked"."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import Connection, select, update
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

import shop.db
from shop import create_app
from shop.catalogue.models import Product
from shop.config import Settings, load
from shop.db import DatabaseBusy, db, end_read, transaction
from tests.factories import make_product
from tests.support.crowd import at_once
from tests.support.processes import ROOT, environment
from tests.support.promises import Promise

pytestmark = [pytest.mark.promise(8), pytest.mark.parametrize("engine", ["sqlite"])]

WRITERS = 64
TIMES = [2, pytest.param(16, marks=pytest.mark.long)]


def write(product_id: int) -> str:
    """A small use case, which reads before it writes; what went wrong, or nothing."""
    try:
        with transaction() as session:
            read_and_write(session, product_id)
    except (OperationalError, DatabaseBusy) as error:
        return str(getattr(error, "orig", error)) or type(error).__name__
    return ""


def read_and_write(session: Session, product_id: int) -> None:
    left = (seen(session, product_id) or 0) - 1
    session.execute(update(Product).where(Product.id == product_id).values(available=left))


def seen(session: Session, product_id: int) -> int | None:
    return session.scalar(select(Product.available).where(Product.id == product_id))


def write_at_once(app: Flask, product_id: int, writers: int, times: int) -> list[str]:
    """So many threads at once, each so many times; what became of every single one."""

    def work(number: int) -> list[str]:
        with app.app_context():
            return [write(product_id) for _ in range(times)]

    return [outcome for outcomes in at_once(writers, work) for outcome in outcomes]


def stocked(app: Flask, units: int) -> int:
    with app.app_context():
        product_id = make_product(stock=units).id
        end_read()
        return product_id


def left(app: Flask, product_id: int) -> int | None:
    with app.app_context():
        return db.session.get_one(Product, product_id, populate_existing=True).available


def locked_out(outcomes: list[str]) -> list[str]:
    return [outcome for outcome in outcomes if outcome]


@pytest.mark.parametrize("times", TIMES)
def test_sixty_four_threads_of_a_process_get_their_turns(
    app: Flask, promise: Promise, times: int
) -> None:
    product_id = stocked(app, WRITERS * times)

    outcomes = write_at_once(app, product_id, WRITERS, times)

    promise.cases += len(outcomes)
    promise.lost += left(app, product_id) or 0
    assert locked_out(outcomes) == []
    assert left(app, product_id) == 0, "what one read and wrote, no other had written meanwhile"


@pytest.mark.parametrize("times", TIMES[1:])
def test_the_threads_of_four_processes_get_their_turns(
    app: Flask, settings: Settings, promise: Promise, times: int
) -> None:
    """As many as the web's processes and the worker are, and none knows of the others' queue."""
    product_id = stocked(app, WRITERS * times)
    arguments = [str(product_id), str(WRITERS // 4), str(times)]

    def run(number: int) -> list[str]:
        done = subprocess.run(
            [sys.executable, "-m", "tests.faults.test_writers", *arguments],
            cwd=ROOT,
            env=environment(settings, SHOP_LOG_LEVEL="ERROR"),
            capture_output=True,
            check=True,
            timeout=300,
        )
        found: list[str] = json.loads(done.stdout.splitlines()[-1])
        return found

    with ThreadPoolExecutor(4) as pool:
        outcomes = [outcome for outcomes in pool.map(run, range(4)) for outcome in outcomes]

    promise.cases += len(outcomes)
    promise.lost += left(app, product_id) or 0
    assert locked_out(outcomes) == []
    assert left(app, product_id) == 0


class NoLock:
    """A turn that everybody has."""

    def acquire(self, timeout: float, *, insists: bool) -> bool:
        return True

    def release(self) -> None:
        """Nothing to give back."""


def test_with_a_deferred_begin_most_writers_are_locked_out(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control: two that have read cannot both write, however long they would wait.

    They come in pairs who wait for each other after reading: on a fast machine one might be done
    before the other begins.
    """
    read, pairs = seen, threading.Barrier(2)

    def in_step(session: Session, product_id: int) -> int | None:
        found = read(session, product_id)
        pairs.wait(120)
        return found

    def deferred(connection: Connection, until: float) -> None:
        connection.exec_driver_sql("BEGIN")

    monkeypatch.setattr(shop.db, "_begin_writing", deferred)
    monkeypatch.setattr(shop.db, "_write_lock", NoLock())
    monkeypatch.setattr(f"{__name__}.seen", in_step)
    product_id = stocked(app, 16)

    outcomes = write_at_once(app, product_id, 16, 1)

    assert "database is locked" in locked_out(outcomes)


def main(product_id: str, writers: str, times: str) -> Any:
    """One of the processes."""
    app = create_app(load())
    return write_at_once(app, int(product_id), int(writers), int(times))


if __name__ == "__main__":
    print(json.dumps(main(*sys.argv[1:])))  # noqa: T201
