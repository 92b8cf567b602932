"""What the programming interfaces of other shops give out (JSON): values of any type where one type is meant."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Any

from .found import Findings, Left, Part, Where
from .table import name_of_record

Thing = Mapping[str, Any]


def things(value: object) -> list[Thing]:
    """The objects in a list; whatever else stands there is none."""
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def said(thing: Thing, name: str) -> str:
    """A text, also where a number stands for one; empty for nothing."""
    value = thing.get(name)
    is_text = isinstance(value, str | int | Decimal) and not isinstance(value, bool)
    return str(value).strip() if is_text else ""


def number(thing: Thing, name: str) -> int | None:
    """A whole number; None for whatever else stands there."""
    value = thing.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def uncarried(all_of_them: Iterable[Thing], used: Iterable[str]) -> Iterator[tuple[str, int]]:
    """The names that nothing is made of, and in how many objects something stands there."""
    objects = list(all_of_them)
    names = dict.fromkeys(name for each in objects for name in each)
    for name in names.keys() - set(used):
        if count := sum(bool(each.get(name)) for each in objects):
            yield name, count


class Places:
    """Numbers the records of a document as a reader would: each product, and below it each of its options."""

    def __init__(self, findings: Findings) -> None:
        self.findings = findings

    def next(self, id: str, title: str) -> Where:
        """The next record."""
        self.findings.records += 1
        return Where(self.findings.records, id, name_of_record(title))

    def leave(self, where: Where, reason: str) -> None:
        """This record is not carried."""
        self.findings.left.append(Left(where, reason))

    def part(self, where: Where, of: Iterable[Where]) -> None:
        """This record is no product, and belongs to those."""
        self.findings.parts.append(Part(where, [each.row for each in of]))
