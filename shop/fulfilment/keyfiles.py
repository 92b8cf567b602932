"""Files of licence keys as operators have them: what is in one, before anything of it is stored."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby

LONGEST_KEY = 500
HEADING = re.compile(
    r"(licen[cs]e|serial|activation|product|cd|game|redeem)?[ _-]*(keys?|codes?|numbers?|serials?|licen[cs]es?)"
    r"|ключ[иі]?( активац[иії]+)?|коды?|код[иі]?( активац[иії]+)?",
    re.IGNORECASE,
)
"""The headings that columns of keys have; no key looks like one."""
COLUMNS = {",": "commas", ";": "semicolons", "\t": "tabs"}


@dataclass(slots=True)
class KeyFile:
    """What a file of licence keys holds, and what of it a person should look at."""

    keys: dict[str, int] = field(default_factory=dict)
    """Each key, and the line it begins in."""
    twice: list[tuple[int, int]] = field(default_factory=list)
    """Lines whose key stands in an earlier line, letter by letter, and that line."""
    bad: list[str] = field(default_factory=list)
    """Lines that hold no key, and why."""
    notes: list[str] = field(default_factory=list)
    """What was read otherwise than it is written, in sentences."""
    doubts: list[str] = field(default_factory=list)
    """Why this may be no file of keys, or one that is read otherwise, in sentences."""

    def take(self, value: str, number: int, place: str) -> None:
        """Note the key that begins in this line or row, or that it is no key, or one that came before."""
        if reason := fault(value):
            self.bad.append(f"{place} {number} {reason}.")
        elif value in self.keys:
            self.twice.append((number, self.keys[value]))
        else:
            self.keys[value] = number


def read_keys(content: bytes, separator: str | None = None) -> KeyFile:
    """The keys of a file: one to a line or, with a `separator`, the lines between two that equal it.

    UnicodeDecodeError when it is no text.
    """
    lines = decoded(content).splitlines()
    found = KeyFile()
    pieces = _lines(lines) if separator is None else _blocks(lines, separator.strip())
    unquoted = 0
    for place, (number, piece) in enumerate(pieces):
        value = piece
        if len(piece) > 1 and piece[0] == piece[-1] == '"':
            value, unquoted = piece[1:-1].replace('""', '"').strip(), unquoted + 1
        if place == 0 and HEADING.fullmatch(value):
            found.notes.append(f"Line {number} is a heading, and is left out.")
        else:
            found.take(value, number, "Line")
    if unquoted:
        found.notes.append(f"The quotation marks around {unquoted} keys are left out.")
    if separator is None:
        found.doubts += _doubts(lines, list(found.keys))
    return found


def masked(value: str) -> str:
    """Enough of a key to know it again, and not enough to use it."""
    shown = max(0, min(4, (len(value) - 4) // 3))
    ends = (value[:shown], value[-shown:]) if shown else ("", "")
    return "…".join(" ".join(end.split()) for end in ends) + f" ({len(value)} characters)"


def decoded(content: bytes) -> str:
    """UTF-8, or the UTF-16 with a mark in front that Windows programs call Unicode."""
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return content.decode("utf-16")
    return content.decode("utf-8-sig")


def _lines(lines: Sequence[str]) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(lines, start=1):
        if line.strip():
            yield number, line.strip()


def _blocks(lines: Sequence[str], separator: str) -> Iterator[tuple[int, str]]:
    numbered = enumerate(lines, start=1)
    for parts, group in groupby(numbered, key=lambda each: each[1].strip() == separator):
        block = list(group)
        text = "\n".join(line.rstrip() for _, line in block).strip()
        if text and not parts:
            yield next(number for number, line in block if line.strip()), text


def fault(value: str) -> str:
    """Why this is no key; empty when it is one."""
    if len(value) > LONGEST_KEY:
        return f"has {len(value)} characters; {LONGEST_KEY} is the most"
    if not value.replace("\n", "").replace("\t", "").isprintable():
        return "holds a character that cannot be printed"
    if not value.strip():
        return "holds nothing but quotation marks"
    if value.startswith('"') != value.endswith('"'):
        return "has a quotation mark at one end only"
    return ""


def _doubts(lines: Sequence[str], keys: Sequence[str]) -> Iterator[str]:
    """Why these may not be keys of one line each."""
    for sign, name in COLUMNS.items():
        counts = {key.count(sign) for key in keys}
        if len(counts) == 1 and counts != {0}:
            yield f"Each line has {name} in it, as a table has: the whole line would be the key."
    if any(key.startswith(("-----", "=====")) for key in keys):
        yield "Some lines are rules, as in keys of several lines: those need --separator."
    sizes = [
        len(list(g)) for full, g in groupby(lines, key=lambda line: bool(line.strip())) if full
    ]
    if len(sizes) > 1 and len(set(sizes)) == 1 and sizes[0] > 1:
        yield (
            f"Empty lines part the file into {len(sizes)} blocks of {sizes[0]} lines: "
            "if each block is one key, say --separator ''."
        )
