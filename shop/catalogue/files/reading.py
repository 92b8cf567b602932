"""Catalogue files as plain values: every scalar a text, and every value with its line.

CatalogueFileError     the file as a whole is refused; `problems` names each bad line
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

import yaml

from ..fields import Field, FieldProblem, Value, clipped

MAX_BYTES = 5 * 1024 * 1024
NULLS = ("", "~", "null", "Null", "NULL")
"""What YAML reads as nothing at all where it is written without quotes."""
MAX_DEPTH = 8
"""Deeper than any right file, and shallow enough for a composer that calls itself."""


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
    lines = [line.strip() for line in content.removeprefix(b"\xef\xbb\xbf").splitlines()[:200]]
    first = next(
        (line for line in lines if line and not line.startswith((b"#", b"%", b"---"))), b""
    )
    return not first or re.match(rb"(categories|products)\s*:", first) is not None


def _composed(content: bytes) -> yaml.Node | None:
    if len(content) > MAX_BYTES:
        raise CatalogueFileError([Problem(1, f"the file is larger than {MAX_BYTES // 1024**2} MB")])
    text = _decode(content)
    try:
        if problems := list(_refused(text)):
            raise CatalogueFileError(problems)
        node: yaml.Node | None = yaml.compose(text, Loader=yaml.BaseLoader)
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise CatalogueFileError([Problem(line, "holds a control character")]) from None
    except yaml.MarkedYAMLError as error:
        raise CatalogueFileError([_syntax(error)]) from None
    return node


def _decode(content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise CatalogueFileError([Problem(line, "is not UTF-8; save the file as UTF-8")]) from None


def _refused(text: str) -> Iterator[Problem]:
    """YAML that this format does without: it would only make a file say less than it seems to."""
    depth = documents = 0
    for event in yaml.parse(text, Loader=yaml.BaseLoader):
        line = event.start_mark.line + 1 if event.start_mark else 1
        if isinstance(event, yaml.DocumentStartEvent):
            documents += 1
            if documents > 1:
                yield Problem(line, "a second document starts here; a file holds one")
        if getattr(event, "anchor", None):
            yield Problem(line, "anchors and aliases (&name, *name) are not used; write it out")
        if tag := getattr(event, "tag", None):
            yield Problem(line, f"tags such as {clipped(tag)} are not used")
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > MAX_DEPTH:
            yield Problem(line, "is nested too deeply")
            return


def _syntax(error: yaml.MarkedYAMLError) -> Problem:
    mark = error.problem_mark or error.context_mark
    hint = "; a text with ': ' or ' #' in it needs quotes" if "mapping values" in str(error) else ""
    return Problem(mark.line + 1 if mark else 1, f"is not YAML: {error.problem}{hint}")


class Lines:
    """In which line of a file each field starts, counted from 1."""

    def __init__(self, values: Mapping[Field, int]) -> None:
        self.values = {(): 1, **values}
        self.names = dict[Field, int]()

    def of(self, field: Field) -> int:
        """The line of a value; of what it is left out of, where there is none."""
        while field not in self.values:
            field = field[:-1]
        return self.values[field]

    def located(self, problem: FieldProblem) -> Problem:
        """A field's problem as one of its line."""
        line = self.names.get(problem.field) if problem.of_name else None
        return Problem(line or self.of(problem.field), problem.text)


@dataclass(slots=True)
class Document:
    """A file's plain values, where they stand, and what is wrong with them as YAML."""

    value: Value
    lines: Lines
    problems: list[Problem]


def read_document(content: bytes) -> Document:
    """The file's one document, its scalars all texts; nothing at all if it is empty. Raises CatalogueFileError."""
    document = Document(None, Lines({}), [])
    if node := _composed(content):
        document.value = _plain(node, (), document)
    return document


def _plain(node: yaml.Node, field: Field, document: Document) -> Value:
    document.lines.values[field] = _line_of(node)
    if isinstance(node, yaml.SequenceNode):
        return [_plain(item, (*field, at), document) for at, item in enumerate(node.value)]
    if isinstance(node, yaml.ScalarNode):
        return None if node.style is None and node.value in NULLS else str(node.value)
    values: dict[str, Value] = {}
    for key, value in node.value:
        name = key.value if isinstance(key, yaml.ScalarNode) else ""
        if name in values:
            text = f"{clipped(name)} is given twice; leave only one of them"
            document.problems.append(Problem(_line_of(key), text))
            continue
        document.lines.names[*field, name] = _line_of(key)
        values[name] = _plain(value, (*field, name), document)
    return values


def _line_of(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1
