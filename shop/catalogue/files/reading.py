"""Catalogue files as YAML nodes: every value a text with its line, every problem collected.

CatalogueFileError     the file as a whole is refused; `problems` names each bad line
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from html.entities import html5

import yaml

MAX_BYTES = 5 * 1024 * 1024
NULLS = ("", "~", "null", "Null", "NULL")
"""What YAML reads as nothing at all where it is written without quotes."""
TAG = re.compile(
    r"<!--|</?(p|br|hr|b|strong|i|em|u|s|a|ul|ol|li|h[1-6]|div|span|font|small|su[bp]|img|table|tr|td|th|code"
    r"|pre|blockquote|script|style|iframe)(\s[^<>]*)?/?>",
    re.IGNORECASE,
)
"""What only HTML has between angle brackets; `a < b` and `List<String>` are texts."""
ENTITY = re.compile(r"&(#\d+|#[xX][\da-fA-F]+|[A-Za-z][A-Za-z\d]*);")
UNPRINTABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
"""Control characters and halves of characters; line ends and tabs are none."""
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


def compose(content: bytes) -> yaml.Node | None:
    """The file's one document, its scalars all texts; None if it is empty."""
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


def line_of(node: yaml.Node) -> int:
    """The line a value starts in, counted from 1."""
    return int(node.start_mark.line) + 1


def is_null(node: yaml.Node) -> bool:
    """Whether a value is YAML's nothing, and not a text that says so."""
    return isinstance(node, yaml.ScalarNode) and node.style is None and node.value in NULLS


def clipped(text: str, limit: int = 40) -> str:
    """A text short enough to be quoted in a message."""
    return repr(text if len(text) <= limit else f"{text[:limit]}…")


def html_in(text: str) -> str:
    """The first piece of HTML in a plain text, where it would be shown as it is written; empty for none."""
    if tag := TAG.search(text):
        return tag[0]
    for entity in ENTITY.finditer(text):
        if entity[1].startswith("#") or f"{entity[1]};" in html5:
            return entity[0]
    return ""


class Reader:
    """Takes values out of nodes; what is wrong is noted in `problems`, and reading goes on."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []

    def wrong(self, line: int, text: str) -> None:
        """Note a problem."""
        self.problems.append(Problem(line, text))

    def mapping(
        self,
        node: yaml.Node,
        what: str,
        known: Collection[str],
        required: Collection[str] = (),
        optional: Collection[str] = (),
    ) -> dict[str, yaml.Node]:
        """The values of a mapping by key, without those that are unknown or come twice.

        Nothing at all as the value of an `optional` key is as if the line were left out.
        """
        if not isinstance(node, yaml.MappingNode):
            self.wrong(line_of(node), f"{what} must be written as `key: value` lines")
            return {}
        values: dict[str, yaml.Node] = {}
        for key, value in node.value:
            name = key.value if isinstance(key, yaml.ScalarNode) else ""
            if name not in known:
                text = f"unknown key {clipped(name)} in {what}; known: {', '.join(known)}"
                self.wrong(line_of(key), text)
            elif name in values:
                self.wrong(line_of(key), f"{name} is given twice in {what}")
            else:
                values[name] = value
        for name in required:
            if name not in values:
                self.wrong(line_of(node), f"{what} has no {name}")
        return {
            name: value
            for name, value in values.items()
            if name not in optional or not is_null(value)
        }

    def sequence(self, node: yaml.Node | None, what: str) -> list[yaml.Node]:
        """The items of a list; nothing at all is an empty one."""
        if node is None or is_null(node):
            return []
        if not isinstance(node, yaml.SequenceNode):
            self.wrong(line_of(node), f"{what} must be a list, each item after a `- `")
            return []
        return list(node.value)

    def scalar(self, node: yaml.Node, what: str) -> str:
        """A value in one piece."""
        if isinstance(node, yaml.ScalarNode):
            return "" if is_null(node) else str(node.value)
        self.wrong(line_of(node), f"{what} must be a single value")
        return ""

    def text(
        self,
        node: yaml.Node | None,
        what: str,
        limit: int,
        *,
        lines: bool = False,
        empty: bool = False,
        exact: bool = False,
    ) -> str:
        """A text for people: not too long, printable, on one line unless `lines`.

        In Unicode's composed form, as search has it, unless it is `exact`: goods, or a file's name. Of goods,
        only the empty lines around them are the file's own; their blanks stay.
        """
        if node is None:
            return ""
        text = self.scalar(node, what).strip("\n" if exact and lines else None)
        if not exact:
            text = unicodedata.normalize("NFC", text)
        if not text.strip() and not empty and isinstance(node, yaml.ScalarNode):
            self.wrong(line_of(node), f"{what} is empty")
        if len(text) > limit:
            self.wrong(line_of(node), f"{what} has {len(text)} characters; {limit} is the most")
        if not lines and len(text.splitlines()) > 1:
            self.wrong(line_of(node), f"{what} must be on one line")
        if not lines and not exact and (found := html_in(text)):
            self.wrong(
                line_of(node),
                f"{what} is a plain text, and buyers would read {clipped(found)}; write the character itself",
            )
        if UNPRINTABLE.search(text):
            self.wrong(line_of(node), f"{what} holds a control character")
        return text

    def flag(self, node: yaml.Node | None, what: str, default: bool) -> bool:
        """A yes or a no."""
        if node is None:
            return default
        text = self.scalar(node, what)
        if text not in ("yes", "no", "true", "false"):
            self.wrong(line_of(node), f"{what} is {clipped(text)}; write yes or no")
        return text in ("yes", "true")
