"""Values that people give, field by field, whether in a file or in a form: every problem is collected.

A value is plain: a text, a list, named values, or nothing at all. Who shows the problems knows where each
field stands: in a line of a file, in an input of a form.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from html.entities import html5

Value = str | Sequence["Value"] | Mapping[str, "Value"] | None

Field = tuple[str | int, ...]
"""The way to a value from outside in, such as ("products", 2, "prices", "USD"); lists count from 0."""

TAG = re.compile(
    r"<!--|</?(p|br|hr|b|strong|i|em|u|s|a|ul|ol|li|h[1-6]|div|span|font|small|su[bp]|img|table|tr|td|th|code"
    r"|pre|blockquote|script|style|iframe)(\s[^<>]*)?/?>",
    re.IGNORECASE,
)
"""What only HTML has between angle brackets; `a < b` and `List<String>` are texts."""
ENTITY = re.compile(r"&(#\d+|#[xX][\da-fA-F]+|[A-Za-z][A-Za-z\d]*);")
UNPRINTABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
"""Control characters and halves of characters; line ends and tabs are none."""


@dataclass(frozen=True, slots=True)
class FieldProblem:
    """What is wrong in one field, and what to write instead."""

    field: Field
    text: str
    of_name: bool = False
    """Whether the field's name is wrong, and not its value."""


@dataclass(frozen=True, slots=True)
class Given:
    """A value, and the field that it is in."""

    value: Value
    field: Field


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


def is_whole(text: str, largest: int) -> bool:
    """Whether a text is a whole number from 0 to `largest`, in plain digits."""
    return text.isascii() and text.isdigit() and len(text) <= 10 and int(text) <= largest


class FieldRules:
    """Takes values as what they are to be; what is wrong is noted in `problems`, and reading goes on."""

    def __init__(self) -> None:
        self.problems: list[FieldProblem] = []

    def wrong(self, given: Given, text: str) -> None:
        """Note a problem."""
        self.problems.append(FieldProblem(given.field, text))

    def mapping(
        self,
        given: Given,
        what: str,
        known: Collection[str],
        required: Collection[str] = (),
        optional: Collection[str] = (),
    ) -> dict[str, Given]:
        """The named values, without those that are unknown.

        Nothing at all as the value of an `optional` name is as if it were left out.
        """
        if not isinstance(given.value, Mapping):
            self.wrong(given, f"{what} must be written as `key: value` lines")
            return {}
        values: dict[str, Given] = {}
        for name, value in given.value.items():
            field = (*given.field, name)
            if name not in known:
                text = f"unknown key {clipped(name)} in {what}; known: {', '.join(known)}"
                self.problems.append(FieldProblem(field, text, of_name=True))
            elif value is not None or name not in optional:
                values[name] = Given(value, field)
        for name in required:
            if name not in given.value:
                self.wrong(given, f"{what} has no {name}")
        return values

    def sequence(self, given: Given | None, what: str) -> list[Given]:
        """The items of a list; nothing at all is an empty one."""
        if given is None or given.value is None:
            return []
        if isinstance(given.value, (str, Mapping)):
            self.wrong(given, f"{what} must be a list, each item after a `- `")
            return []
        return [Given(item, (*given.field, place)) for place, item in enumerate(given.value)]

    def scalar(self, given: Given, what: str) -> str:
        """A value in one piece."""
        if isinstance(given.value, str):
            return given.value
        if given.value is not None:
            self.wrong(given, f"{what} must be a single value")
        return ""

    def text(
        self,
        given: Given | None,
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
        if given is None:
            return ""
        text = self.scalar(given, what).strip("\n" if exact and lines else None)
        if not exact:
            text = unicodedata.normalize("NFC", text)
        if not text.strip() and not empty and isinstance(given.value, str | None):
            self.wrong(given, f"{what} is empty")
        if len(text) > limit:
            self.wrong(given, f"{what} has {len(text)} characters; {limit} is the most")
        if not lines and len(text.splitlines()) > 1:
            self.wrong(given, f"{what} must be on one line")
        if not lines and not exact and (found := html_in(text)):
            self.wrong(
                given,
                f"{what} is a plain text, and buyers would read {clipped(found)}; write the character itself",
            )
        if UNPRINTABLE.search(text):
            self.wrong(given, f"{what} holds a control character")
        return text

    def flag(self, given: Given | None, what: str, default: bool) -> bool:
        """A yes or a no."""
        if given is None:
            return default
        text = self.scalar(given, what)
        if text not in ("yes", "no", "true", "false"):
            self.wrong(given, f"{what} is {clipped(text)}; write yes or no")
        return text in ("yes", "true")

    def number(
        self, values: Mapping[str, Given], name: str, least: int, largest: int
    ) -> int | None:
        """A whole number that may be left out."""
        if (given := values.get(name)) is None:
            return None
        text = self.scalar(given, name)
        if is_whole(text, largest) and int(text) >= least:
            return int(text)
        self.wrong(given, f"{name} {clipped(text)} is not a whole number from {least} to {largest}")
        return None
