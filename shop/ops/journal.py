"""The journal: a second, append-only record beside the database of what must never be forgotten.

If an older copy of the database is put back, the journal still knows which invoices were opened
and paid, which licence keys were handed out, which links were called in and which addresses were
erased since.
It holds ids, order numbers and keyed hashes: no address and no key. `shop/books/with_journal.py` compares it with
the database.

A line is written, and on the disk, before the transaction that it is about is committed: so what the
database knows, the journal knows. A line whose transaction failed is harmless: see
`shop/books/with_journal.py`.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import secrets
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import structlog

from ..config import current_settings
from ..db import utcnow
from ..failpoints import failpoint
from ..web.network import keyed_hashes

log = structlog.get_logger()

LARGEST_FILE = 4 * 1024 * 1024
"""Bytes, some 40,000 lines; then the next file is begun."""
FILES_KEPT = 16
NAME = re.compile(r"([0-9a-f]{8})-([0-9]{6})\.log")
"""The journal's id, which is another one whenever a journal is begun anew, and the file's number."""
LINE = re.compile(r"([0-9a-f]{16}) ([0-9]{8}T[0-9]{6}) ([a-z]+)((?: [^ ]+)*)")
MOMENT = "%Y%m%dT%H%M%S"


class Position(NamedTuple):
    """A place in a journal: the file's number, and the byte where the next line begins."""

    file: int
    byte: int


START = Position(0, 0)


@dataclass(frozen=True)
class Line:
    """One thing that was noted, and where the journal goes on behind it."""

    at: datetime
    kind: str
    """`invoice`, `paid`, `key`, `link` or `erased`."""
    about: tuple[str, ...]
    end: Position


@dataclass(frozen=True)
class Unreadable:
    """A line that is damaged, or was written under a SECRET_KEY that is not known any more."""

    end: Position


def note(kind: str, *entries: tuple[object, ...]) -> bool:
    """Append a line for each entry; they are on the disk when this returns. False when that failed.

    The sale goes on then: the database has it all the same, and the sweep tells a person.
    """
    now = f"{utcnow():{MOMENT}}"
    lines = (_signed(" ".join([now, kind, *map(str, entry)])) for entry in entries)
    try:
        _append("".join(f"\n{line}" for line in lines).encode("ascii"))
    except OSError as error:
        log.error("journal_not_written", kind=kind, error=type(error).__name__)
        return False
    failpoint(f"after_{kind}_noted")
    return True


def folder() -> Path:
    """Where the journal is kept."""
    return current_settings().shop_data_dir / "journal"


def is_writable() -> bool:
    """Whether a line could be appended now, as far as can be seen without making or writing anything."""
    try:
        newest = _newest()
        if newest is None:  # the first line will make the folder and the file
            return os.access(folder() if folder().exists() else folder().parent, os.W_OK)
        os.close(_open(newest))
    except OSError:
        return False
    return True


def files() -> dict[str, list[int]]:
    """The journals in the folder, each with the numbers of its files; more than one only by mistake."""
    found: dict[str, list[int]] = {}
    with contextlib.suppress(FileNotFoundError):  # nothing was ever noted
        for name in sorted(os.listdir(folder())):
            if parts := NAME.fullmatch(name):
                found.setdefault(parts[1], []).append(int(parts[2]))
    return found


def has_lines() -> bool:
    """Whether anything was ever noted; True also when the folder cannot be read."""
    try:
        return bool(files())
    except OSError:
        return True


def read(journal: str, since: Position = START) -> Iterator[Line | Unreadable]:
    """Every whole line from a position on, the oldest first; OSError when a file cannot be read."""
    for raw, end in _raw_lines(journal, since):
        line = _parsed(raw, end)
        if isinstance(line, Unreadable) and not raw.endswith(b"\n"):
            return  # it is being written, or torn: the next line will begin with a line end
        yield line


def lines_with(texts: Collection[str], journal: str, since: Position = START) -> list[Line]:
    """The lines from a position on that hold one of the words; only these few are read closely."""
    wanted = [text.encode() for text in texts]
    found = (
        _parsed(raw, end)
        for raw, end in _raw_lines(journal, since)
        if any(text in raw for text in wanted)
    )
    return [line for line in found if isinstance(line, Line)]


def _raw_lines(journal: str, since: Position) -> Iterator[tuple[bytes, Position]]:
    for number in files().get(journal, []):
        if number < since.file:
            continue
        flags = os.O_RDONLY | os.O_NONBLOCK  # a pipe would be waited for
        with os.fdopen(os.open(_path(journal, number), flags), "rb") as file:
            byte = file.seek(since.byte if number == since.file else 0)
            for raw in file:
                byte += len(raw)
                if raw != b"\n":
                    yield raw, Position(number, byte)


def _parsed(raw: bytes, end: Position) -> Line | Unreadable:
    text = raw.decode("ascii", "replace").rstrip("\n")
    found = LINE.fullmatch(text)
    if found is None or found[1] not in _sums(text.partition(" ")[2]):
        return Unreadable(end)
    at = datetime.strptime(found[2], MOMENT).replace(tzinfo=UTC)
    return Line(at, found[3], tuple(found[4].split()), end)


def _signed(text: str) -> str:
    """The line with a sum in front that only this shop can make: by the sum, a torn line is known."""
    return f"{_sums(text)[0]} {text}"


def _sums(text: str) -> list[str]:
    """The sum under each accepted SECRET_KEY, the current one first."""
    return [of[:16] for of in keyed_hashes("journal", text)]


def _append(data: bytes) -> None:
    descriptor = _open_newest()
    try:
        # In one call, so that two processes' lines do not mix. Each begins with a line end, so that
        # what a full disk has cut off spoils no other line.
        if os.write(descriptor, data) != len(data):
            raise OSError("the disk is full")
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _open_newest() -> int:
    """The file to append to, made if need be."""
    folder().mkdir(mode=0o700, exist_ok=True)
    newest = _newest()
    if newest is None or newest.stat().st_size >= LARGEST_FILE:
        return _begin_file()
    return _open(newest)


def _open(path: Path, create: int = 0) -> int:
    """Open a file to append to; an unread pipe in its place is an error and keeps nobody waiting."""
    return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_NONBLOCK | create, 0o600)


def _newest() -> Path | None:
    newest = [_path(journal, numbers[-1]) for journal, numbers in files().items()]
    return max(newest, key=lambda path: path.stat().st_mtime, default=None)


def _begin_file() -> int:
    """Begin the journal, or its next file, and remove what is older than those that are kept."""
    directory = os.open(folder(), os.O_RDONLY)
    try:
        fcntl.flock(directory, fcntl.LOCK_EX)  # two processes must not begin two journals
        newest = _newest()
        path = _path(secrets.token_hex(4), 1)
        if newest is not None:
            journal, number = newest.stem.split("-")
            path = newest
            if newest.stat().st_size >= LARGEST_FILE:
                path = _path(journal, int(number) + 1)
                for old in files()[journal][: 1 - FILES_KEPT]:
                    _path(journal, old).unlink()
        made = _open(path, os.O_CREAT)
        os.fsync(directory)  # else a power cut could take the file's name
        return made
    finally:
        os.close(directory)


def _path(journal: str, number: int) -> Path:
    return folder() / f"{journal}-{number:06}.log"
