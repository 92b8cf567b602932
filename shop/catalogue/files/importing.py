"""What a catalogue file says, category by category and product by product; the format is in docs/catalogue.md."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from ...config import LONGEST_LATE_HOURS
from ...money import CURRENCIES, LARGEST_PRICE, Money, MoneyError
from ..images import BadImage, PreparedImage, prepare
from ..markdown import html_pieces
from ..models import SLUG, DeliveryKind
from ..queries import MAX_QUANTITY
from .reading import TAG, CatalogueFileError, Problem, Reader, clipped, compose, is_null, line_of

REQUIRED = ("slug", "title", "summary", "prices", "delivery")
OPTIONAL = ("category", "description", "images")
"""What may be said to be nothing. Not what puts goods on sale: a stock of nothing is no unlimited one."""
KEYS = (*REQUIRED, *OPTIONAL, "stock", "most_per_order", "active", "honour_late_hours")
TERMS = {
    "markdown": DeliveryKind.TEXT,
    "downloads": DeliveryKind.FILE,
    "days": DeliveryKind.FILE,
    "low_stock": DeliveryKind.KEY,
}
"""What may be said of a delivery of this kind alone."""
LONGEST_TEXT = 20_000
LONGEST_TITLE = 120
LONGEST_SUMMARY = 240
LONGEST_CATEGORY = 80
MISSING_GOODS = "[[The goods are missing: put a file, keys or a text here]]"
"""What stands in place of goods that another shop's file does not hold; no buyer is ever handed this."""
LARGEST_STOCK = 1_000_000_000
MOST_DOWNLOADS = 1000
LONGEST_DOWNLOAD_DAYS = 3650
MOST_FILES = 50
"""Of one product; each is a link in the mail."""


@dataclass(frozen=True, slots=True)
class CategoryEntry:
    """One category of a catalogue file."""

    line: int
    slug: str
    title: str
    summary: str


@dataclass(frozen=True, slots=True)
class ImageEntry:
    """A picture and what it shows."""

    image: PreparedImage
    alt: str


@dataclass(frozen=True, slots=True)
class DeliveryEntry:
    """What the buyer gets, and on what terms."""

    kind: DeliveryKind = DeliveryKind.TEXT
    text: str = ""
    markdown: bool = True
    files: tuple[Path, ...] = ()
    max_downloads: int | None = None
    download_days: int | None = None
    low_stock: int | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """One product of a catalogue file, checked as far as that goes without the database."""

    line: int
    slug: str
    category: str
    """The category's slug; empty for none."""
    category_line: int
    title: str
    summary: str
    description: str
    active: bool
    prices: dict[str, int]
    stock: int | None
    """Units put on sale in all; None is unlimited, or counted by licence keys."""
    stock_line: int
    most_per_order: int | None
    delivery: DeliveryEntry
    delivery_line: int
    images: list[ImageEntry]
    honour_late_hours: int | None
    """How late money still buys it; None is what the shop's setting says."""


@dataclass(frozen=True, slots=True)
class CatalogueFile:
    """All that a catalogue file says."""

    categories: list[CategoryEntry]
    products: list[Entry]


def read_catalogue(path: Path, base_currency: str) -> CatalogueFile:
    """Everything in the file at `path`; raises CatalogueFileError naming every problem in it."""
    reader = CatalogueReader(path.resolve().parent, base_currency)
    document = compose(path.read_bytes())
    if document is None or is_null(document):
        raise CatalogueFileError([Problem(1, "the file is empty; it starts with `products:`")])
    top = reader.mapping(document, "the file", ["categories", "products"], required=["products"])
    category_nodes = reader.sequence(top.get("categories"), "categories")
    nodes = reader.sequence(top.get("products"), "products")
    file = CatalogueFile(
        [reader.category(node) for node in category_nodes], [reader.entry(node) for node in nodes]
    )
    reader.refuse_repeated_slugs(file.categories)
    reader.refuse_repeated_slugs(file.products)
    if reader.problems:
        raise CatalogueFileError(reader.problems)
    return file


class CatalogueReader(Reader):
    """A reader that knows products, and the folder that their files may be in."""

    def __init__(self, folder: Path, base_currency: str) -> None:
        super().__init__()
        self.folder = folder
        self.base_currency = base_currency

    def category(self, node: yaml.Node) -> CategoryEntry:
        """One category."""
        needed, optional = ("slug", "title"), ("summary",)
        values = self.mapping(node, "the category", (*needed, *optional), needed, optional)
        return CategoryEntry(
            line=line_of(node),
            slug=self.slug(values.get("slug")),
            title=self.text(values.get("title"), "title", LONGEST_CATEGORY),
            summary=self.text(values.get("summary"), "summary", LONGEST_SUMMARY, empty=True),
        )

    def entry(self, node: yaml.Node) -> Entry:
        """One product."""
        values = self.mapping(node, "the product", KEYS, REQUIRED, OPTIONAL)
        line = line_of(node)
        category = values.get("category")
        delivery = self.delivery(values.get("delivery"))
        active = self.flag(values.get("active"), "active", default=True)
        if active and MISSING_GOODS in delivery.text:
            self.wrong(
                line_of(values["delivery"]),
                f"the goods are missing: put them in place of {MISSING_GOODS}, or say `active: no`",
            )
        return Entry(
            line=line,
            slug=self.slug(values.get("slug")),
            category=self.slug(category, "category"),
            category_line=line_of(category) if category else line,
            title=self.text(values.get("title"), "title", LONGEST_TITLE),
            summary=self.text(values.get("summary"), "summary", LONGEST_SUMMARY),
            description=self.description(values.get("description")),
            active=active,
            prices=self.prices(values.get("prices")),
            stock=self.stock(values.get("stock"), delivery.kind),
            stock_line=line_of(values["stock"]) if "stock" in values else line,
            most_per_order=self.number(values, "most_per_order", 1, MAX_QUANTITY),
            delivery=delivery,
            delivery_line=line_of(values["delivery"]) if "delivery" in values else line,
            images=self.images(values.get("images")),
            honour_late_hours=self.number(values, "honour_late_hours", 0, LONGEST_LATE_HOURS),
        )

    def description(self, node: yaml.Node | None) -> str:
        """What is said of a product, in Markdown."""
        text = self.text(node, "description", LONGEST_TEXT, lines=True, empty=True)
        self.refuse_html(node, "description", text)
        return text

    def refuse_html(self, node: yaml.Node | None, what: str, text: str) -> None:
        """Markdown does without HTML: buyers would read the marks, and not what they stand for."""
        pieces = html_pieces(text[:LONGEST_TEXT])
        tag = next(filter(None, map(TAG.search, pieces)), None)
        if tag and node:
            self.wrong(
                line_of(node),
                f"{what} is Markdown, and buyers would read {clipped(tag[0])}; write it in Markdown, "
                "or between `backticks` if they are to read it",
            )

    def slug(self, node: yaml.Node | None, what: str = "slug") -> str:
        """The name of a product or category in addresses."""
        text = self.text(node, what, 80)
        if text and node and not SLUG.fullmatch(text):
            self.wrong(
                line_of(node),
                f"{what} {clipped(text)} may hold only a-z, 0-9 and single hyphens between them",
            )
        return text

    def refuse_repeated_slugs(self, entries: Sequence[CategoryEntry | Entry]) -> None:
        """A product or category stands in a file once."""
        first: dict[str, int] = {}
        for entry in entries:
            if entry.slug in first:
                earlier = first[entry.slug]
                self.wrong(entry.line, f"slug {entry.slug!r} is used in line {earlier} already")
            elif entry.slug:
                first[entry.slug] = entry.line

    def prices(self, node: yaml.Node | None) -> dict[str, int]:
        """Minor units by currency."""
        if node is None:
            return {}
        nodes = self.mapping(node, "prices", tuple(CURRENCIES))
        if isinstance(node, yaml.MappingNode) and self.base_currency not in nodes:
            self.wrong(line_of(node), f"prices have no {self.base_currency}, the base currency")
        found = {code: self.price(value, code) for code, value in nodes.items()}
        prices = {code: minor for code, minor in found.items() if minor is not None}
        if any(prices.values()) and not all(prices.values()):
            free = next(code for code, minor in prices.items() if not minor)
            self.wrong(
                line_of(nodes[free]),
                f"a price of 0 makes a product free, and then in every currency; {free} is 0, others are not",
            )
        return prices

    def price(self, node: yaml.Node, currency: str) -> int | None:
        """One price in minor units, 0 if it is free; None if it is none."""
        text = self.scalar(node, "a price")
        try:
            minor = Money.parse(text, currency).minor
        except MoneyError as error:
            reason = str(error).removeprefix(repr(text)).removeprefix("the amount").strip()
            self.wrong(line_of(node), f"price {clipped(text)} of {currency} {reason}")
            return None
        if minor > LARGEST_PRICE:
            most = f"{Money(LARGEST_PRICE, currency).decimal:f} is the most"
            self.wrong(line_of(node), f"price {clipped(text)} of {currency} is too large; {most}")
        return minor

    def stock(self, node: yaml.Node | None, kind: DeliveryKind) -> int | None:
        """The number of units, None for no limit."""
        if node is None:
            return None
        text = self.scalar(node, "stock")
        if kind is DeliveryKind.KEY:
            self.wrong(
                line_of(node),
                "stock of licence keys is the number of unsold keys; leave it out",
            )
        elif text != "unlimited" and not _is_number(text, LARGEST_STOCK):
            self.wrong(line_of(node), f"stock {clipped(text)} is not a whole number or `unlimited`")
        elif text != "unlimited":
            return int(text)
        return None

    def number(
        self, values: dict[str, yaml.Node], name: str, least: int, largest: int
    ) -> int | None:
        """A whole number that may be left out."""
        if (node := values.get(name)) is None:
            return None
        text = self.scalar(node, name)
        if _is_number(text, largest) and int(text) >= least:
            return int(text)
        self.wrong(
            line_of(node),
            f"{name} {clipped(text)} is not a whole number from {least} to {largest}",
        )
        return None

    def images(self, node: yaml.Node | None) -> list[ImageEntry]:
        """The pictures, each read in full."""
        entries = []
        for item in self.sequence(node, "images"):
            values = self.mapping(item, "the image", ("file", "alt"), ("file", "alt"))
            alt = self.text(values.get("alt"), "alt", 240)
            if (path := self.file(values.get("file"), "image")) is None:
                continue
            try:
                entries.append(ImageEntry(prepare(path), alt))
            except BadImage as error:
                self.wrong(line_of(values["file"]), f"image {clipped(path.name)} {error}")
        return entries

    def delivery(self, node: yaml.Node | None) -> DeliveryEntry:
        """What the buyer gets."""
        if node is None:
            return DeliveryEntry()
        known = ("text", "file", "files", "keys", *TERMS)
        values = self.mapping(node, "delivery", known, optional=["text"])
        kind = self.kind(node, values)
        for name, of in TERMS.items():
            if name in values and kind is not of:
                self.wrong(line_of(values[name]), f"{name} is for a delivery by {of}; leave it out")
        written, what = values.get("text"), "the delivery's text"
        text = self.text(written, what, LONGEST_TEXT, lines=True, exact=True)
        # Where a text is the goods, `*` and `_` may be letters of a code that is worth money.
        is_markdown = kind is not DeliveryKind.TEXT
        markdown = self.flag(values.get("markdown"), "markdown", default=is_markdown)
        if markdown:
            self.refuse_html(written, what, text)
        return DeliveryEntry(
            kind=kind,
            text=text,
            markdown=markdown,
            files=self.goods_files(values),
            max_downloads=self.number(values, "downloads", 1, MOST_DOWNLOADS),
            download_days=self.number(values, "days", 1, LONGEST_DOWNLOAD_DAYS),
            low_stock=self.number(values, "low_stock", 1, LARGEST_STOCK),
        )

    def kind(self, node: yaml.Node, values: dict[str, yaml.Node]) -> DeliveryKind:
        """What kind of delivery these values describe."""
        by_file = "file" in values or "files" in values
        if by_file and "keys" in values:
            self.wrong(line_of(node), "delivery has both a file and keys; choose one")
        if by_file:
            return DeliveryKind.FILE
        if "keys" in values:
            if self.flag(values["keys"], "keys", default=True):
                return DeliveryKind.KEY
            self.wrong(line_of(values["keys"]), "keys can only be yes; else leave it out")
        elif "text" not in values and isinstance(node, yaml.MappingNode):
            self.wrong(line_of(node), "delivery needs a text, a file or keys")
        return DeliveryKind.TEXT

    def goods_files(self, values: dict[str, yaml.Node]) -> tuple[Path, ...]:
        """The files of a delivery: one as `file`, or a list of `files`."""
        if (listed := values.get("files")) is None:
            file = self.file(values.get("file"), "goods file")
            return (file,) if file else ()
        if "file" in values:
            self.wrong(line_of(listed), "delivery has both file and files; put all into files")
        nodes = self.sequence(listed, "files")
        if not 0 < len(nodes) <= MOST_FILES:
            self.wrong(
                line_of(listed), f"files has {len(nodes)} files; it takes from 1 to {MOST_FILES}"
            )
        files: dict[str, Path] = {}
        for node in nodes[:MOST_FILES]:
            if file := self.file(node, "goods file"):
                if file.name in files:
                    text = "is there twice by this name; buyers could not tell them apart"
                    self.wrong(line_of(node), f"goods file {clipped(file.name)} {text}")
                files[file.name] = file
        return tuple(files.values())

    def file(self, node: yaml.Node | None, what: str) -> Path | None:
        """A file beside the catalogue file or below its folder."""
        if node is None or not (name := self.text(node, what, 500, exact=True)):
            return None
        name = self._as_on_disk(name)
        problem = self._problem_with_path(name)
        if problem:
            self.wrong(line_of(node), f"{what} {clipped(name)} {problem}")
            return None
        return self.folder / name

    def _as_on_disk(self, name: str) -> str:
        """The name in the Unicode form that the file has: one packed on a Mac has its accents apart."""
        forms = (name, *(unicodedata.normalize(form, name) for form in ("NFC", "NFD")))
        return next((form for form in forms if os.path.lexists(self.folder / form)), name)

    def _problem_with_path(self, name: str) -> str:
        try:
            path = (self.folder / name).resolve()
            # Resolved first, so that neither `..` nor a link leads out to /etc or a home folder.
            if not path.is_relative_to(self.folder):
                return "is outside the catalogue file's folder"
            if not path.is_file():
                return "does not exist" if not path.exists() else "is not a file"
            with path.open("rb") as file:
                if not file.read(1):
                    return "is empty"
        except (OSError, ValueError, RuntimeError):
            return "cannot be read"
        return "has too long a name" if len(Path(name).name.encode()) > 200 else ""


def _is_number(text: str, largest: int) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 10 and int(text) <= largest
