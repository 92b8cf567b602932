"""docs/promises.md, "When a file breaks": each cell of the table is made to happen to real processes."""

from __future__ import annotations

import re
import shutil
import socket
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

import pytest

from shop.config import ROOT
from tests.support.broken_files import FAULTS, FILES, WEB, World, backup, full, remove, world_in
from tests.support.ledger import tally
from tests.support.processes import PATIENCE, until
from tests.support.promises import Promise

pytestmark = [pytest.mark.promise(10), pytest.mark.long]

WHENS = ("runs", "starts")
BY_HAND = "does not start, and says why"


@dataclass(frozen=True)
class Cell:
    file: str
    fault: str
    when: str
    says: frozenset[str]

    def __str__(self) -> str:
        return re.sub(r"[`/]", "", f"{self.file} {self.fault} {self.when}").replace(" ", "-")


def table() -> list[Cell]:
    """The document's table is the test's; where a cell is empty, nothing of the kind can happen."""
    text = (ROOT / "docs" / "promises.md").read_text("utf-8")
    section = text.partition("\n## When a file breaks\n")[2].partition("\n## ")[0]
    rows = [line.strip("| ").split(" | ") for line in section.splitlines() if line[:1] == "|"]
    return [
        Cell(file, fault, when, frozenset(says.split("; ")))
        for files, faults, *cells in rows[2:]
        for file in files.split(", ")
        for fault in faults.split(", ")
        for when, says in zip(WHENS, cells, strict=True)
        if says.strip() != "-"
    ]


CELLS = table()


@pytest.fixture
def folder() -> Iterator[Path]:
    """Short, for a socket's name; pytest's own lies deeper."""
    with tempfile.TemporaryDirectory(prefix="shop-") as name:
        yield Path(name)


def is_put_back(cell: Cell) -> bool:
    """All but what the shop makes anew, and the database, which has its own way back."""
    if cell.file == "`shop.db-wal`":
        return (cell.fault, cell.when) == ("deleted", "starts")
    return cell.file not in ("`shop.db`", "`shop.db-shm`", "`queue.db`")


@contextmanager
def broken(world: World, cell: Cell) -> Iterator[None]:
    """The fault, and its mending: rights and things are put back, and nothing else."""
    if cell.fault == "full":
        with full(world):
            yield
        return
    path = FILES[cell.file](world)
    until(path.exists, f"the making of {path}")
    kept, mode = world.folder / "kept", path.stat().st_mode if path.exists() else 0o644
    if path.is_dir():
        shutil.copytree(path, kept)
    elif path.exists():
        shutil.copyfile(path, kept)
    FAULTS[cell.fault](path)
    yield
    if cell.fault in ("read-only", "no permission"):
        with suppress(FileNotFoundError):  # it was put aside
            path.chmod(mode)
    elif is_put_back(cell):
        if path.exists():
            remove(path)
        if kept.is_dir():
            shutil.copytree(kept, path)
        elif kept.exists():
            path.parent.mkdir(exist_ok=True)
            shutil.copyfile(kept, path)
    if kept.is_dir():
        shutil.rmtree(kept)


def put_the_database_back(world: World, copy: Path) -> None:
    """What the sentence, or else docs/operating.md, says: the rescued file if there is one, else the backup."""
    rescued = sorted(world.data.glob("shop.db.rescued-*"))
    for part in ("", "-wal", "-shm"):
        if (path := world.data / f"shop.db{part}").exists():
            remove(path)
    shutil.move(rescued[0] if rescued else copy, world.data / "shop.db")


def is_spoilt(cell: Cell) -> bool:
    """Whether the database is not what it was."""
    if cell.file == "`shop.db`":
        return cell.fault not in ("read-only", "no permission")
    return (cell.file, cell.fault, cell.when) == ("`shop.db-wal`", "garbage", "runs")


@contextmanager
def filled(world: World) -> Iterator[None]:
    """No file may grow, for what starts meanwhile."""
    world.more = {"HASTY_FILE_SIZE": "1"}
    yield
    world.more = {}


@pytest.mark.parametrize("engine", ["sqlite"])
@pytest.mark.parametrize("when", WHENS)
@pytest.mark.parametrize("file", FILES)
def test_what_the_table_says_is_what_happens(
    file: str, when: str, engine: str, folder: Path, sqlite_template: Path, promise: Promise
) -> None:
    """One shop for each file, which breaks in one way after the other and recovers each time."""
    cells = [cell for cell in CELLS if (cell.file, cell.when) == (file, when)]
    with world_in(folder, sqlite_template, mails=file != "`outbox/`") as world:
        world.start()
        world.buys_the_file()
        until(
            world.has_compared, "a look into the journal"
        )  # before, nobody knows that there is one
        for cell in cells:
            run_through(world, cell)
            promise.cases += 1
        world.stop()
        assert tally(promise, world.settle()) == []


def run_through(world: World, cell: Cell) -> None:
    open_invoice, copy = world.order(), backup(world)
    assert open_invoice
    with ExitStack() as mended:
        if cell.when == "runs":
            mended.enter_context(broken(world, cell))
        else:
            world.stop()
            world.forget()
            mended.enter_context(filled(world) if cell.fault == "full" else broken(world, cell))
            world.start()
        if world.programs[-1].runs:
            compare(world, cell, open_invoice)
        else:
            assert cell.says == {BY_HAND}, cell
            assert "Traceback" not in world.programs[-1].text
            assert re.search(r"(?m)^(Error: |  - )", world.programs[-1].text), cell

    if "the item `unknown_invoice`" in cell.says:  # what the log held, the journal alone knows
        world.placed = None
    if cell.when == "starts" or cell.file.startswith("`shop.db"):
        world.stop()
        if is_spoilt(cell):
            put_the_database_back(world, copy)
        world.start()
    until(lambda: world.status("/readyz") == 200, f"recovery of {cell}")
    assert world.sells(), cell
    if cell.file != "`outbox/`":
        world.person_sees_to_it()
    world.forget()


def compare(world: World, cell: Cell, open_invoice: str) -> None:
    """What can be bought, and what is said, with what the table says."""
    sold = world.sells()
    assert ("sells" in cell.says, "sells nothing" in cell.says) == (sold, not sold), cell
    # Of a damaged file, what lies in a process's memory is written as if all were well.
    damaged = cell.file.startswith("`shop.db") and cell.fault == "garbage"
    assert world.pay(open_invoice) in ({200, 503} if damaged else {200 if sold else 503}), cell
    doctors = {words for words in cell.says if words.startswith("the doctor")}
    promised = cell.says - {"sells", "sells nothing"} - doctors
    got, deadline = world.got(), monotonic() + PATIENCE
    while not promised <= got and monotonic() < deadline:
        got = world.got()
    assert promised <= got, cell
    unasked = {"503 for the download"} if not sold else set()  # it needs the database, too
    assert {words for words in got if words[:1].isdigit()} <= promised | unasked, cell
    assert doctors <= {f"the doctor's `{name}`" for name in world.doctor()} if doctors else True, (
        cell
    )


def test_the_table_has_all_files_and_faults() -> None:
    assert {cell.file for cell in CELLS} == set(FILES)
    assert {cell.fault for cell in CELLS} == {*FAULTS, "full"}


def unix_status(path: Path) -> int:
    """What the shop answers on its socket; 0 when nobody does."""
    with closing(socket.socket(socket.AF_UNIX)) as client, suppress(OSError):
        client.settimeout(60)
        client.connect(str(path))
        client.sendall(b"GET /terms HTTP/1.0\r\nHost: localhost\r\n\r\n")
        return int(client.recv(99).split()[1])
    return 0


def test_a_socket_that_is_gone_lets_nobody_in_until_a_restart(
    folder: Path, sqlite_template: Path, promise: Promise
) -> None:
    """The worker tells of it, by the public address: docs/operating.md, "Who tells you what"."""
    door = folder / "shop.sock"
    with world_in(folder, sqlite_template) as world:
        world.door = f"unix:{door}"
        web = world.run(*WEB)
        until(lambda: unix_status(door) == 200, "the start")
        door.unlink()
        assert unix_status(door) == 0
        web.stop()

        door.write_text("something else")
        web = world.run(*WEB)
        assert web.comes_to_its_end() != 0
        assert f"{str(door)!r} is not a socket" in web.text

        door.unlink()
        web = world.run(*WEB)
        until(lambda: unix_status(door) == 200, "the start")
        promise.cases += 2
