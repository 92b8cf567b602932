"""Which table is whose, by the set of its headings: never by the file's name, nor by the order of columns."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from .found import Answers, Findings, Left, MovingError, Where
from .table import Record, Table, name_of_record, one_line, unguarded

NOTHING = ("", "0", "FALSE", "false")
"""What stands in a column of flags for most products, and is not worth a word."""
Spellings = Mapping[str, tuple[str, ...]]
"""The headings of each of our fields, in one language; `#` stands for a number."""


@dataclass(frozen=True, slots=True)
class System:
    """A system that gives out tables."""

    name: str
    languages: Mapping[str, Spellings]
    needed: tuple[str, ...]
    """Fields without which a table is not one of its product tables."""
    read: Callable[[Sheet, Answers], Findings]
    foreign: Callable[[Table], bool] = lambda table: False
    """Whether it is one of this system all the same, in a language that is not known here."""


@dataclass(slots=True)
class Row:
    """A record by our names of fields; a numbered field has its number behind it: `attribute name 1`."""

    row: int
    cells: dict[str, str]

    def __getitem__(self, name: str) -> str:
        """What stands there; empty if there is no such column."""
        return self.cells.get(name, "")

    def where(self, id: str, title: str) -> Where:
        """Where it is, for people."""
        return Where(self.row, id, name_of_record(title))


@dataclass(slots=True)
class Sheet:
    """A table whose columns are known by our names."""

    fields: dict[str, str]
    """The heading of each field."""
    columns: dict[int, str]
    """The field in each column."""
    unknown: dict[int, str]
    """Headings that no field has, by the number of the column."""
    table: Table
    broken: list[Left] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)
    """The records, once it is known whose table it is."""

    def numbered(self, name: str) -> list[str]:
        """The numbers of the columns of a field that comes more than once, in order."""
        pattern = re.compile(rf"{re.escape(name)} (\d+)")
        found = [match[1] for each in self.fields if (match := pattern.fullmatch(each))]
        return sorted(found, key=int)

    def column(self, *names: str) -> Iterator[str]:
        """All cells of these fields."""
        return (row[name] for row in self.rows for name in names)

    def uncarried(self, names: Iterable[str]) -> Iterator[tuple[str, int]]:
        """The headings of these fields and of unknown ones, with in how many records something stands."""
        for name in names:
            if count := sum(row[name] not in NOTHING for row in self.rows):
                yield self.fields[name], count
        for column, heading in self.unknown.items():
            cells = (record.cells[column].strip() for record in self.table.records)
            if count := sum(cell not in NOTHING for cell in cells):
                yield heading or f"column {column + 1}", count


def score(systems: Sequence[System], heading: Sequence[str]) -> int:
    """How many of the names the system that knows most of them knows."""
    names = [_plain(name)[0] for name in heading]
    return max(sum(name in known for name in names) for known in map(_known, systems))


def recognised(systems: Sequence[System], table: Table, answers: Answers) -> tuple[System, Sheet]:
    """Whose table it is, and what is in it; MovingError says which system is nearest, and what is missing."""
    candidates = [system for system in systems if answers.system in ("", system.name)]
    if not candidates:
        raise MovingError(f"--from knows {', '.join(system.name for system in systems)}.")
    sheets = [(system, _sheet(system, table, answers)) for system in candidates]
    fitting = [each for each in sheets if not _missing(*each)]
    if fitting:
        system, sheet = max(fitting, key=lambda each: len(each[1].fields))
        sheet.rows = [Row(each.row, _cells(each, sheet.columns)) for each in table.records]
        return system, sheet
    for system in candidates:
        if system.foreign(table):
            raise MovingError(
                f"This is a file of {system.name} whose headings are in a language that is not known here. Set "
                "your own user's language to English in the old shop's admin and export again, or name the columns, "
                f'each with --columns "its heading=our name". Ours: {", ".join(sorted(_names(system)))}.'
            )
    system, sheet = max(sheets, key=lambda each: len(each[1].fields))
    lacking = ", ".join(f"“{_english(system, name)}”" for name in _missing(system, sheet))
    raise MovingError(
        f"This is no product table that is known here ({', '.join(s.name for s in systems)}). The nearest is "
        f'{system.name}, but {lacking} is missing; name it with --columns "its heading=our name", if it is there.'
    )


def _sheet(system: System, table: Table, answers: Answers) -> Sheet:
    known = _known(system)
    own = {_plain(name)[0]: to for name, to in answers.columns.items()}
    fields, unknown, columns = dict[str, str](), dict[int, str](), dict[int, str]()
    for column, heading in enumerate(table.heading):
        name, number = _plain(heading)
        ours = own.get(name) or known.get(name)
        full = f"{ours} {number}" if ours and number else ours
        if full and full not in fields:
            fields[full], columns[column] = heading, full
        else:
            unknown[column] = heading
    return Sheet(fields, columns, unknown, table, list(table.broken))


def _cells(record: Record, columns: Mapping[int, str]) -> dict[str, str]:
    """What stands in the columns, without blanks and the guard of spreadsheets."""
    cells = ((name, unguarded(record.cells[column]).strip()) for column, name in columns.items())
    return {name: cell for name, cell in cells if cell}


def _plain(heading: str) -> tuple[str, str]:
    """A heading as it is compared, its number taken out."""
    name = one_line(heading).casefold()
    number = "".join(re.findall(r"\d+", name)[:1])
    return re.sub(r"\d+", "#", name), number


def _known(system: System) -> dict[str, str]:
    return {
        _plain(spelling)[0]: name
        for language in system.languages.values()
        for name, spellings in language.items()
        for spelling in spellings
    }


def _missing(system: System, sheet: Sheet) -> list[str]:
    return [name for name in system.needed if name not in sheet.fields]


def _names(system: System) -> set[str]:
    return {name for language in system.languages.values() for name in language}


def _english(system: System, name: str) -> str:
    return next(iter(system.languages.values()))[name][0]
