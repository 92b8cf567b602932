"""Catalogue files as plain values: every scalar a text, and every value with its line.

CatalogueFileError     the file as a whole is refused; `problems` names each bad line
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from sys import intern
from typing import Any

import yaml

from ..fields import Field, FieldProblem, Value, clipped

MAX_BYTES = 32 * 1024 * 1024
"""Four times what five thousand products need; reading it takes no more memory than a small server has."""
MOST_VALUES = 1_000_000
"""Enough for fifty thousand products; a file of that size that is nothing but dashes holds many more."""
IN_PARTS = "import it in parts, each of which begins with `products:`; what a part leaves out stays as it is"
NULLS = ("", "~", "null", "Null", "NULL")
"""What YAML reads as nothing at all where it is written without quotes."""
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
MAX_DEPTH = 8
"""Deeper than any right file, and shallow enough for a reader that calls itself."""
LOADER: Any = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
"""The same values from both; that of libyaml takes a tenth of the time."""


@dataclass(frozen=True, order=True, slots=True)
class Problem:
    """What is wrong in one line, and what to write instead."""

    line: int
    text: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.text}"


class CatalogueFileError(Exception):
    """The file was refused and nothing was changed."""

    def __init__(self, problems: Collection[Problem]) -> None:
        self.problems = sorted(set(problems))
        super().__init__("\n".join(str(problem) for problem in self.problems))


def is_catalogue(content: bytes, name: str) -> bool:
    """Whether a file is called or begins as a catalogue file does; else it may be of another shop."""
    if name.casefold().endswith((".yaml", ".yml")):
        return True
    lines = [line.strip() for line in content.removeprefix(BYTE_ORDER_MARK).splitlines()[:200]]
    first = next(
        (line for line in lines if line and not line.startswith((b"#", b"%", b"---"))), b""
    )
    return not first or re.match(rb"(categories|products)\s*:", first) is not None


def read_limited(path: Path) -> bytes:
    """What is in the file, unless it is larger than any catalogue. Raises CatalogueFileError."""
    with path.open("rb") as file:
        content = file.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        text = f"the file is larger than {MAX_BYTES // 1024**2} MB; {IN_PARTS}"
        raise CatalogueFileError([Problem(1, text)])
    return content


class Lines:
    """In which line of a file each field starts, counted from 1.

    They are looked for when the first is asked for: most files have no problem, and to keep the lines of
    all values meanwhile takes more memory than the values do.
    """

    def __init__(self, find: Callable[[], tuple[Mapping[Field, int], Mapping[Field, int]]]) -> None:
        self.find = find

    @cached_property
    def _found(self) -> tuple[Mapping[Field, int], Mapping[Field, int]]:
        values, names = self.find()
        return {(): 1, **values}, names

    def of(self, field: Field) -> int:
        """The line of a value; of what it is left out of, where there is none."""
        values, _ = self._found
        while field not in values:
            field = field[:-1]
        return values[field]

    def located(self, problem: FieldProblem) -> Problem:
        """A field's problem as one of its line."""
        line = self._found[1].get(problem.field) if problem.of_name else None
        return Problem(line or self.of(problem.field), problem.text)


@dataclass(slots=True)
class Document:
    """A file's plain values, where they stand, and what is wrong with them as YAML."""

    value: Value
    lines: Lines
    problems: list[Problem]


def read_document(content: bytes) -> Document:
    """The file's one document, its scalars all texts; nothing at all if it is empty. Raises CatalogueFileError."""
    content = content.removeprefix(BYTE_ORDER_MARK)
    _require_utf8(content)
    value, reader = _read(content, None)

    def find() -> tuple[Mapping[Field, int], Mapping[Field, int]]:
        _, again = _read(content, ())
        return again.values, again.names

    return Document(value, Lines(find), reader.problems)


def _require_utf8(content: bytes) -> None:
    try:
        content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise CatalogueFileError([Problem(line, "is not UTF-8; save the file as UTF-8")]) from None


def _read(content: bytes, field: Field | None) -> tuple[Value, _Reader]:
    """The file's values, and who read them and noted the lines from `field` on; None notes none.

    What libyaml cannot read is read again: it may name a line after the one that is wrong, and it refuses
    the mark of a byte order within a file.
    """
    try:
        reader = _Reader(content, LOADER)
        return reader.document(field), reader
    except yaml.YAMLError:
        reader = _Reader(content, yaml.BaseLoader)
    try:
        return reader.document(field), reader
    except yaml.reader.ReaderError as error:
        line = content.decode().count("\n", 0, error.position) + 1
        raise CatalogueFileError([Problem(line, "holds a control character")]) from None
    except yaml.MarkedYAMLError as error:
        raise CatalogueFileError([_syntax(error)]) from None


class _Reader:
    """Makes plain values of a file's events, as the parser comes upon them."""

    def __init__(self, content: bytes, loader: Any) -> None:
        self.events: Iterator[yaml.Event] = yaml.parse(content, Loader=loader)
        self.problems: list[Problem] = []
        self.refused: list[Problem] = []
        """YAML that this format does without: it would only make a file say less than it seems to."""
        self.values: dict[Field, int] = {}
        self.names: dict[Field, int] = {}
        self.count = 0

    def document(self, field: Field | None) -> Value:
        """All that the file says. Raises CatalogueFileError for what the format does without."""
        value = self._document(field)
        if self.refused:
            raise CatalogueFileError(self.refused)
        return value

    def _document(self, field: Field | None) -> Value:
        value: Value = None
        documents = 0
        with suppress(_Enough):
            for event in self.events:
                if isinstance(event, yaml.DocumentStartEvent):
                    documents += 1
                    if documents > 1:
                        self._refuse(event, "a second document starts here; a file holds one")
                elif isinstance(event, yaml.NodeEvent):
                    value = self._value(event, field, 0)
        return value

    def _value(self, event: yaml.Event, field: Field | None, depth: int) -> Value:
        """The value that begins with this event."""
        if field is not None:
            self.values[field] = _line_of(event)
        self._look_at(event)
        if isinstance(event, yaml.ScalarEvent):
            text: str = event.value
            return None if text in NULLS and not event.style else text
        if isinstance(event, yaml.AliasEvent):
            return None
        if depth == MAX_DEPTH:
            self._refuse(event, "is nested too deeply")
            raise _Enough
        if isinstance(event, yaml.SequenceStartEvent):
            return self._list(field, depth + 1)
        return self._named(field, depth + 1)

    def _look_at(self, event: yaml.Event) -> None:
        self.count += 1
        if self.count > MOST_VALUES:
            self._refuse(event, f"more than {MOST_VALUES} values stand above; {IN_PARTS}")
            raise _Enough
        if getattr(event, "anchor", None):
            self._refuse(event, "anchors and aliases (&name, *name) are not used; write it out")
        if tag := getattr(event, "tag", None):
            self._refuse(event, f"tags such as {clipped(tag)} are not used")

    def _list(self, field: Field | None, depth: int) -> Value:
        items: list[Value] = []
        for event in self.events:
            if isinstance(event, yaml.SequenceEndEvent):
                break
            at = None if field is None else (*field, len(items))
            items.append(self._value(event, at, depth))
        return items

    def _named(self, field: Field | None, depth: int) -> Value:
        values: dict[str, Value] = {}
        for key in self.events:
            if isinstance(key, yaml.MappingEndEvent):
                break
            self._value(key, None, depth)
            name = intern(key.value) if isinstance(key, yaml.ScalarEvent) else ""
            if name in values:
                text = f"{clipped(name)} is given twice; leave only one of them"
                self.problems.append(Problem(_line_of(key), text))
                self._value(next(self.events), None, depth)
                continue
            at = None if field is None else (*field, name)
            if at is not None:
                self.names[at] = _line_of(key)
            values[name] = self._value(next(self.events), at, depth)
        return values

    def _refuse(self, event: yaml.Event, text: str) -> None:
        self.refused.append(Problem(_line_of(event), text))


class _Enough(Exception):
    """No more of the file needs to be read."""


def _syntax(error: yaml.MarkedYAMLError) -> Problem:
    mark = error.problem_mark or error.context_mark
    hint = "; a text with ': ' or ' #' in it needs quotes" if "mapping values" in str(error) else ""
    return Problem(mark.line + 1 if mark else 1, f"is not YAML: {error.problem}{hint}")


def _line_of(event: yaml.Event) -> int:
    return int(event.start_mark.line) + 1 if event.start_mark else 1
