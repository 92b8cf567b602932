"""What was found in another shop's file, whatever system wrote it; the rules for all come after this.

A reader of a system makes a `Findings`: it says what the file says, in our words, and decides nothing
that is the same for all systems (slugs, lengths, categories, goods, what is here already).

MovingError            the file as a whole cannot be taken; its text says what it is and how to get the right one
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from decimal import Decimal
from hashlib import sha256
from pathlib import Path

from ...db import utcnow

TO_BE_SENT = "has to be sent"
"""Why goods that are no files are left, unless the merchant says that they are."""

LONGEST_KEY = 255
"""So much room has a key in the database; of a longer one the end is told by its hash."""


class MovingError(Exception):
    """The file as a whole cannot be taken, for the reason that the text gives."""


@dataclass(frozen=True, slots=True)
class Where:
    """The record that something is about, in words that lead the merchant to it."""

    row: int
    """As a spreadsheet counts: the heading is row 1, line breaks inside of texts make no row. JSON: from 1."""
    id: str
    """What the old shop calls it."""
    title: str

    def __str__(self) -> str:
        name = f" {self.id}" if self.id else ""
        return f"row {self.row}{name}" + (f" ({self.title})" if self.title else "")


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture of a product; those that are only addresses are listed, and not fetched."""

    address: str
    alt: str = ""


@dataclass(frozen=True, slots=True)
class Goods:
    """A file that the old shop gives to buyers."""

    name: str
    """Its name with an ending, by which it is looked for under --files."""
    title: str = ""
    """What buyers read instead of the name, if that is known."""


@dataclass(frozen=True, slots=True)
class Sale:
    """A lower price for a time; without dates it runs now and for ever."""

    price: Decimal
    starts: datetime | None = None
    ends: datetime | None = None


@dataclass(frozen=True, slots=True)
class Address:
    """A path (with its query, if that names the product) under which the old shop had it."""

    path: str
    sure: bool = True
    """Not sure is what was guessed from the title, because the file does not say it."""


@dataclass(frozen=True, slots=True)
class Note:
    """What was taken otherwise than it is written, in words that are the same for all that it happens to."""

    text: str
    whole: str = ""
    """The text in full, for the report."""
    figure: str = ""
    """What is each record's own: a price, a name."""

    def __str__(self) -> str:
        return f"{self.text}: {self.figure}" if self.figure else self.text


@dataclass(slots=True, kw_only=True)
class FoundProduct:
    """One product to be, as the old shop describes it: texts of any length, nothing cut or made up."""

    where: Where
    key: str
    """What stays the same when the file is made anew: the old shop's id, with the option's if it is one of several."""
    title: str
    """Words only."""
    slug: str = ""
    """The old shop's own; empty if the file does not say it."""
    summary: str = ""
    """Words only."""
    opening: str = ""
    """The same in Markdown of ours, where the old shop's has room for more than a line."""
    description: str = ""
    """Markdown of ours."""
    price: Decimal | None = None
    """The regular price; None is not for sale."""
    sale: Sale | None = None
    currency: str = ""
    """ISO 4217, capitals; empty if the file is silent."""
    stock: int | None = None
    """Units at hand; None is no limit."""
    category: tuple[str, ...] = ()
    """The path from the top down to the leaf; empty for none."""
    off: str = ""
    """Why it was not public there ("is a draft"); empty is on sale."""
    pictures: list[Picture] = field(default_factory=list)
    goods: list[Goods] = field(default_factory=list)
    by_keys: bool = False
    """It is delivered by licence key."""
    text: str = ""
    """What buyers read after the purchase, in Markdown of ours: instructions, or the goods."""
    downloads: int | None = None
    days: int | None = None
    addresses: list[Address] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)

    def __post_init__(self) -> None:
        if len(self.key) > LONGEST_KEY:
            end = sha256(self.key.encode()).hexdigest()
            self.key = self.key[: LONGEST_KEY - len(end)] + end


@dataclass(frozen=True, slots=True)
class Part:
    """A record that belongs to others: a parent of variations, a row with one more picture."""

    where: Where
    of: Collection[int]
    """The rows that it belongs to."""


@dataclass(frozen=True, slots=True)
class Left:
    """A record that is not carried, and why: `reason` goes on from "because it ..."."""

    where: Where
    reason: str


@dataclass(frozen=True, slots=True)
class Question:
    """Something that only the merchant knows, and what to type for an answer."""

    text: str
    answer: str
    needed: bool = True
    """Nothing is imported without the answer; else the text says what is done."""


@dataclass(slots=True)
class Findings:
    """All that a file says. Each of its records is carried, part of a carried one, or left with a reason."""

    system: str
    """As people write it: WooCommerce."""
    records: int = 0
    read_as: list[str] = field(default_factory=list)
    """How the file was taken: its encoding, its separator, its decimal sign."""
    products: list[FoundProduct] = field(default_factory=list)
    parts: list[Part] = field(default_factory=list)
    left: list[Left] = field(default_factory=list)
    not_carried: Counter[str] = field(default_factory=Counter)
    """What is carried for no product, by the name of the column, and in how many records it stands."""
    categories_at: str = ""
    """Before the slugs of a category's path in its address, such as /product-category/; empty if not known."""
    remarks: list[str] = field(default_factory=list)
    """What a file of this system cannot tell, in a sentence each."""
    questions: list[Question] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Fates:
    """What becomes of the records; the three add up to all of them."""

    carried: frozenset[int]
    parts: frozenset[int]
    left: Mapping[int, Left]


def fates(findings: Findings) -> Fates:
    """What becomes of each record, by row.

    Of one that several products are made of, a single one is enough; what belongs only to left ones is left.
    """
    carried = frozenset(product.where.row for product in findings.products)
    left = {each.where.row: each for each in findings.left if each.where.row not in carried}
    parts = set()
    for part in findings.parts:
        row = part.where.row
        if carried.intersection(part.of):
            parts.add(row)
        elif row not in carried:
            left.setdefault(row, Left(part.where, "belongs to records that are left"))
    belonging = frozenset(parts) - carried - left.keys()
    if len(carried) + len(belonging) + len(left) != findings.records:
        raise MovingError(
            "Some of the file's records were lost while it was read: a fault of ours."
        )
    return Fates(carried, belonging, dict(sorted(left.items())))


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """What the merchant said on the command line, and what the settings say."""

    base_currency: str
    currency: str = ""
    """--currency: what prices are in, where the file is silent."""
    decimal: str = ""
    """--decimal: `.` or `,`."""
    zone: tzinfo = UTC
    """--timezone."""
    encoding: str = ""
    columns: Mapping[str, str] = field(default_factory=dict)
    """--columns: our field by their heading."""
    files: Path | None = None
    """--files: the folder with goods and pictures."""
    dates: str = ""
    """--dates: `day` or `month`, whichever is first in 3/4/2026."""
    system: str = ""
    """--from."""
    digital: bool = False
    """--digital: what has to be sent by its own words has not."""
    now: datetime = field(default_factory=utcnow)
    progress: Callable[[int, int], None] = lambda done, of: None
    """Is told how many of the records are read."""
