"""The journal keeps every line whole, is bounded, holds nothing secret, and stops no sale when it cannot be written."""

from __future__ import annotations

import os
from datetime import timedelta
from multiprocessing import get_context
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import select

from shop.attention.queries import open_attention
from shop.because import Because
from shop.books.service import compare
from shop.books.with_journal import SETTLED_AFTER, _move_mark
from shop.catalogue.models import DeliveryKind
from shop.db import db, end_read, utcnow
from shop.fulfilment.reissue import renew_link
from shop.ops import journal
from shop.ops.journal import Line, Unreadable
from shop.ops.models import JournalMark
from shop.orders.models import OrderStatus
from shop.outbox.on_request import correct_address
from tests.factories import add_keys, gateway, make_open_order, make_product, provider
from tests.support.sold import sell

LATER = SETTLED_AFTER + timedelta(seconds=2)


def lines() -> list[Line | Unreadable]:
    return [line for name in journal.files() for line in journal.read(name)]


def newest() -> Path:
    return max(journal.folder().iterdir())


def told(app: Flask) -> list[str]:
    """What a sweep puts before a person when the youngest lines are settled."""
    end_read()
    with provider(app) as calls:
        calls.invoice_is("created")
        compare(gateway(app), utcnow() + LATER)
    end_read()
    return [item.kind for item in open_attention()]


@pytest.fixture
def engine() -> str:
    """No test here is about rows but those that name both."""
    return "sqlite"


def test_it_has_a_line_for_each_thing_that_must_not_be_forgotten(app: Flask) -> None:
    with app.app_context():
        product = make_product(kind=DeliveryKind.KEY, available=0)
        add_keys(product, ["AAAA-1111-SECRET"])
        order = sell(app, product)
        renew_link(order, Because("lost", "ann"))
        other, _ = make_open_order(app)
        correct_address(other.id, "right@example.com")

        noted = [line.kind for line in lines() if isinstance(line, Line)]

        assert noted == ["invoice", "paid", "key", "key", "link", "invoice", "link"]
        text = newest().read_text()
        assert "SECRET" not in text
        assert "@" not in text
        assert newest().stat().st_mode & 0o77 == 0


def test_a_line_that_a_full_disk_has_cut_off_spoils_no_other(app: Flask) -> None:
    with app.app_context():
        journal.note("link", ("AAAA-BBBB", 2))
        with newest().open("ab") as file:
            file.write(b"\n0123456789abcdef 20261129T1")
        assert len(lines()) == 1, "it may still be being written"
        journal.note("link", ("CCCC-DDDD", 2))

        first, torn, last = lines()

        assert isinstance(first, Line)
        assert isinstance(torn, Unreadable)
        assert isinstance(last, Line)
        assert last.about == ("CCCC-DDDD", "2")
        assert told(app) == ["journal_damaged"]
        assert told(app) == ["journal_damaged"], "told once"
        assert open_attention()[0].note.startswith("1 of the lines of the journal ")


def test_a_line_that_somebody_else_wrote_is_not_believed(app: Flask) -> None:
    with app.app_context():
        journal.note("link", ("AAAA-BBBB", 2), ("CCCC-DDDD", 2))
        text = newest().read_text()
        newest().write_text(text.replace("AAAA-BBBB 2", "AAAA-BBBB 3"))

        assert [type(line) for line in lines()] == [Unreadable, Line]


def test_it_goes_on_in_another_file_and_the_oldest_are_removed(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal, "LARGEST_FILE", 200)
    monkeypatch.setattr(journal, "FILES_KEPT", 3)
    with app.app_context():
        for version in range(1, 41):
            journal.note("link", ("AAAA-BBBB", version))

        versions = [int(line.about[1]) for line in lines() if isinstance(line, Line)]

        assert versions[-1] == 40
        assert versions == list(range(versions[0], 41)), "none between is missing"
        assert len(list(journal.folder().iterdir())) == 3


def test_only_what_is_new_is_read_again(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    with app.app_context():
        make_open_order(app)
        told(app)
        (name,) = journal.files()
        read = []
        real = journal.read
        monkeypatch.setattr(
            journal,
            "read",
            lambda *args: (read.append(line) or line for line in real(*args)),
        )

        told(app)

        assert read == []
        assert len(list(real(name))) == 1


def test_a_line_is_not_judged_before_its_transaction_can_be_over(app: Flask) -> None:
    with app.app_context():
        journal.note("invoice", ("YOUNG001", "AAAA-BBBB-1-00"))
        with provider(app) as calls:
            compare(gateway(app), utcnow() + SETTLED_AFTER / 2)
            assert open_attention() == []
            calls.invoice_is("created")
            assert told(app) == ["unknown_invoice"]


@pytest.mark.parametrize("fault", ["a pipe", "a file", "a folder in its file's place"])
def test_a_sale_goes_on_without_it_and_a_person_is_told(app: Flask, fault: str) -> None:
    with app.app_context():
        place = journal.folder()
        if fault == "a file":
            place.write_text("")
        else:
            journal.note("link", ("AAAA-BBBB", 2))
            path = newest()
            path.unlink()
            os.mkfifo(path) if fault == "a pipe" else path.mkdir()
        assert not journal.is_writable()
        product = make_product(kind=DeliveryKind.KEY, available=0)
        add_keys(product, ["AAAA-1111"])

        order = sell(app, product)

        assert order.status is OrderStatus.FULFILLED
        assert "journal_failed" in told(app)


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        ("is_writable", "cannot be written: look at its permissions."),
        ("files", "cannot be read (PermissionError)."),
    ],
)
def test_what_the_journal_suffers_from_is_said_for_as_long_as_it_lasts(
    app: Flask, monkeypatch: pytest.MonkeyPatch, broken: str, words: str
) -> None:
    def fail() -> bool:
        if broken == "files":
            raise PermissionError
        return False

    with app.app_context():
        with monkeypatch.context() as patch:
            patch.setattr(journal, broken, fail)
            assert set(told(app)) == {"journal_failed"}
            assert open_attention()[-1].note == f"The journal in {journal.folder()} {words}"

        assert told(app) == []


def test_how_far_a_journal_was_compared_is_never_set_back(app: Flask) -> None:
    """Another sweep may be further."""
    with app.app_context():
        steps = [(1, 500), (2, 100), (2, 300), (1, 900), (2, 50)]
        for name in ("ours", "theirs"):
            _move_mark(name, journal.Position(1, 7))
        for file, byte in steps:
            _move_mark("ours", journal.Position(file, byte))

        marks = select(JournalMark.journal, JournalMark.file, JournalMark.byte)
        assert sorted(db.session.execute(marks)) == [("ours", 2, 300), ("theirs", 1, 7)]


def test_a_journal_that_is_gone_is_told_once_for_each(app: Flask) -> None:
    with app.app_context():
        make_open_order(app)
        assert told(app) == []
        newest().unlink()
        assert told(app) == ["journal_lost"]
        make_open_order(app)
        assert told(app) == ["journal_lost"], "the new one is no news"
        assert len(journal.files()) == 1


def _note_many(path: str, who: int) -> None:
    from shop import create_app
    from tests.conftest import make_settings

    with create_app(make_settings(Path(path))).app_context():
        for number in range(50):
            journal.note("link", (f"AAAA-{who:04}", number))


def test_several_processes_write_whole_lines_into_one_journal(tmp_path: Path) -> None:
    from shop import create_app
    from tests.conftest import make_settings

    context = get_context("fork")
    writers = [context.Process(target=_note_many, args=(str(tmp_path), who)) for who in range(4)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()

    with create_app(make_settings(tmp_path)).app_context():
        assert len(journal.files()) == 1
        found = [line.about for line in lines() if isinstance(line, Line)]
        assert sorted(found) == sorted(
            (f"AAAA-{w:04}", str(n)) for w in range(4) for n in range(50)
        )
