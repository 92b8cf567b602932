"""A table as other programs write it (CSV): which bytes are which letters, which cells are which record.

Nothing is guessed from the middle of the file. The heading decides: what makes the most of its names
known is the right encoding and the right separator.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from .found import Left, MovingError, Where

MAX_BYTES = 64 * 1024**2
MAX_CELL = 4 * 1024**2
SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs"}
MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
OLD_ENCODINGS = ("cp1252", "cp1251", "cp1250", "gb18030")
"""What Excel saves in, in the west, in Russia and Ukraine, in Poland and in China."""
GUARDED = re.compile(r"'(?=[=+\-@\t\r])")
"""WooCommerce puts this before a cell that a spreadsheet would take for a formula."""
FIRST_LINE = re.compile(r'"?sep=(.)"?\r?\n')
WORD = re.compile(r"[^\W\d_]{3,}")

Score = Callable[[Sequence[str]], int]
"""How many names of a heading some system has."""


@dataclass(frozen=True, slots=True)
class Record:
    """One record: its cells by the number of the column, as many as the heading has."""

    row: int
    cells: list[str]


@dataclass(slots=True)
class Table:
    """A heading, its records, and how the file was taken."""

    heading: list[str]
    """As it is written, each on one line."""
    records: list[Record]
    broken: list[Left] = field(default_factory=list)
    """Records of more or fewer cells than the heading has."""
    read_as: list[str] = field(default_factory=list)


def read_table(content: bytes, score: Score, encoding: str = "") -> Table:
    """The file as a table; raises MovingError where it can be none."""
    if len(content) > MAX_BYTES:
        raise MovingError(f"The file is larger than {MAX_BYTES // 1024**2} MB.")
    text, said = _decoded(content, score, encoding)
    if "\0" in text:
        raise MovingError("The file holds zero bytes, so it is no table: export it again.")
    text = unicodedata.normalize("NFC", text)
    sign, text, heading = _separated(text, score)
    table = Table([one_line(name) for name in heading], [])
    _fill(table, text, sign)
    names = SEPARATORS.get(sign, repr(sign))
    table.read_as = [said, f"cells are parted by {names}; row numbers are those of a spreadsheet"]
    return table


def name_of_record(title: str) -> str:
    """A title short enough for a list, with its end, where options of one product differ."""
    line = one_line(title)
    return line if len(line) <= 60 else f"{line[:36].rstrip()}…{line[-23:].lstrip()}"


def one_line(text: str) -> str:
    """Without line breaks, no-break spaces and a byte order mark, which headings are found with."""
    return " ".join(text.replace("\ufeff", "").split())


def unguarded(text: str) -> str:
    """A cell without the sign that keeps spreadsheets from taking it for a formula."""
    return GUARDED.sub("", text, count=1) if text.startswith("'") else text


def _decoded(content: bytes, score: Score, encoding: str) -> tuple[str, str]:
    """The text, and how it was taken; never with a letter that the file does not have."""
    if encoding:
        return _decoded_as(content, encoding), f"its letters are read as {encoding}, as you say"
    for mark, name in MARKS:
        if content.startswith(mark):
            return _decoded_as(content, name), f"its letters are {name[:6].upper().rstrip('-')}"
    try:
        return content.decode(), "its letters are UTF-8"
    except UnicodeDecodeError:
        return _guessed(content, score)


def _decoded_as(content: bytes, encoding: str) -> str:
    try:
        return str(content, encoding)
    except UnicodeDecodeError as error:
        place = f"byte {error.start + 1}"
        raise MovingError(f"The file is not {encoding}: {place} stands for no letter.") from None
    except LookupError:
        raise MovingError(f"There is no encoding {encoding}; one is called cp1251.") from None


def _guessed(content: bytes, score: Score) -> tuple[str, str]:
    """The old encoding that makes the most names of the heading known, and then the likeliest letters."""
    texts = {}
    for name in OLD_ENCODINGS:
        try:
            texts[name] = content.decode(name)
        except UnicodeDecodeError:
            continue
    if not texts:
        raise MovingError("The file is in no encoding that is known here; say which: --encoding.")
    best = max(texts, key=lambda name: (_best_score(texts[name], score), _likely(content, name)))
    words = (word for word in WORD.findall(texts[best]) if not word.isascii())
    samples = ", ".join(dict.fromkeys(word for word, _ in zip(words, range(3), strict=False)))
    return (
        texts[best],
        f"its letters are most likely {best}: {samples}. If that is wrong, say --encoding",
    )


def _best_score(text: str, score: Score) -> int:
    return max(score(_first_record(_after_first_line(text)[1], sign)) for sign in SEPARATORS)


def _likely(content: bytes, encoding: str) -> float:
    """In Russian most foreign letters stand beside one; in German and French they stand alone."""
    high = [byte >= 0xC0 for byte in content[: 2**16]]
    pairs = sum(one and other for one, other in pairwise(high))
    together = pairs * 2 > sum(high)
    order = ("cp1251", "cp1252") if together else ("cp1252", "cp1251")
    return -order.index(encoding) if encoding in order else -len(order)


def _after_first_line(text: str) -> tuple[str, str]:
    """What a first line `sep=;` says, and the rest."""
    text = text.removeprefix("\ufeff")
    first = FIRST_LINE.match(text)
    return (first[1], text[first.end() :]) if first else ("", text)


def _separated(text: str, score: Score) -> tuple[str, str, list[str]]:
    """The separator, the text from the heading on, and the heading."""
    sign, text = _after_first_line(text)
    signs = [sign] if sign else list(SEPARATORS)
    headings = {each: _first_record(text, each) for each in signs}
    best = max(headings, key=lambda each: (score(headings[each]), len(headings[each])))
    return best, text, headings[best]


def _first_record(text: str, sign: str) -> list[str]:
    csv.field_size_limit(MAX_CELL)
    try:
        return next(csv.reader(io.StringIO(text, newline=""), delimiter=sign), [])
    except csv.Error:
        return []


def _fill(table: Table, text: str, sign: str) -> None:
    """Strictly, because an unclosed quotation mark would swallow the rest of the file in silence."""
    csv.field_size_limit(MAX_CELL)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=sign, strict=True)
    row, title = 0, ""
    try:
        for row, cells in enumerate(reader, start=1):
            if row > 1 and any(map(str.strip, cells)):
                _take(table, row, cells)
                title = max(cells[:6], key=len)[:40]
    except csv.Error as error:
        place = f"row {row + 1}" + (f", the one after “{one_line(title)}”" if title else "")
        why = "a quotation mark is missing or one too many"
        if "limit" in str(error):
            why = f"a cell is larger than {MAX_CELL // 1024**2} MB"
        raise MovingError(f"The file cannot be read from {place} on: {why} ({error}).") from None


def _take(table: Table, row: int, cells: list[str]) -> None:
    width = len(table.heading)
    while len(cells) > width and not cells[-1].strip():
        cells.pop()
    if len(cells) == width:
        table.records.append(Record(row, cells))
        return
    first = one_line(cells[0])[:60]
    reason = f"has {len(cells)} cells where the heading has {width}: is a quote or a comma missing?"
    table.broken.append(Left(Where(row, first, ""), reason))


def texts_of(table: Table, column: int) -> Iterator[str]:
    """All cells of a column."""
    return (record.cells[column] for record in table.records)
