"""What a product may be: each rule once, over plain values, whether they come from a file or from a form.

The format of a catalogue file is in docs/catalogue.md.
"""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Mapping
from pathlib import Path

from ..config import LONGEST_LATE_HOURS
from ..money import CURRENCIES, LARGEST_PRICE, Money, MoneyError
from .fields import TAG, FieldRules, Given, clipped, is_whole
from .images import BadImage, prepare
from .markdown import html_pieces
from .models import SLUG, DeliveryKind
from .product_draft import (
    LARGEST_STOCK,
    LONGEST_ALT,
    LONGEST_CATEGORY,
    LONGEST_DOWNLOAD_DAYS,
    LONGEST_SLUG,
    LONGEST_SUMMARY,
    LONGEST_TEXT,
    LONGEST_TITLE,
    MISSING_GOODS,
    MOST_DOWNLOADS,
    MOST_FILES,
    CategoryDraft,
    DeliveryDraft,
    ImageDraft,
    ProductDraft,
)
from .queries import MAX_QUANTITY

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


class ProductRules(FieldRules):
    """Makes drafts of plain values; `folder` is where the files of products may be."""

    def __init__(self, folder: Path, base_currency: str) -> None:
        super().__init__()
        self.folder = folder
        self.base_currency = base_currency

    def category(self, given: Given) -> CategoryDraft:
        """One category."""
        needed, optional = ("slug", "title"), ("summary",)
        values = self.mapping(given, "the category", (*needed, *optional), needed, optional)
        return CategoryDraft(
            slug=self.slug(values.get("slug")),
            title=self.text(values.get("title"), "title", LONGEST_CATEGORY),
            summary=self.text(values.get("summary"), "summary", LONGEST_SUMMARY, empty=True),
        )

    def product(self, given: Given) -> ProductDraft:
        """One product."""
        values = self.mapping(given, "the product", KEYS, REQUIRED, OPTIONAL)
        delivery = self.delivery(values.get("delivery"))
        active = self.flag(values.get("active"), "active", default=True)
        if active and MISSING_GOODS in delivery.text:
            self.wrong(
                values["delivery"],
                f"the goods are missing: put them in place of {MISSING_GOODS}, or say `active: no`",
            )
        return ProductDraft(
            slug=self.slug(values.get("slug")),
            category=self.slug(values.get("category"), "category"),
            title=self.text(values.get("title"), "title", LONGEST_TITLE),
            summary=self.text(values.get("summary"), "summary", LONGEST_SUMMARY),
            description=self.description(values.get("description")),
            active=active,
            prices=self.prices(values.get("prices")),
            stock=self.stock(values.get("stock"), delivery.kind),
            most_per_order=self.number(values, "most_per_order", 1, MAX_QUANTITY),
            delivery=delivery,
            images=self.images(values.get("images")),
            honour_late_hours=self.number(values, "honour_late_hours", 0, LONGEST_LATE_HOURS),
        )

    def description(self, given: Given | None) -> str:
        """What is said of a product, in Markdown."""
        text = self.text(given, "description", LONGEST_TEXT, lines=True, empty=True)
        self.refuse_html(given, "description", text)
        return text

    def refuse_html(self, given: Given | None, what: str, text: str) -> None:
        """Markdown does without HTML: buyers would read the marks, and not what they stand for."""
        pieces = html_pieces(text[:LONGEST_TEXT])
        tag = next(filter(None, map(TAG.search, pieces)), None)
        if tag and given:
            self.wrong(
                given,
                f"{what} is Markdown, and buyers would read {clipped(tag[0])}; write it in Markdown, "
                "or between `backticks` if they are to read it",
            )

    def slug(self, given: Given | None, what: str = "slug") -> str:
        """The name of a product or category in addresses."""
        text = self.text(given, what, LONGEST_SLUG)
        if text and given and not SLUG.fullmatch(text):
            self.wrong(
                given,
                f"{what} {clipped(text)} may hold only a-z, 0-9 and single hyphens between them",
            )
        return text

    def prices(self, given: Given | None) -> dict[str, int]:
        """Minor units by currency."""
        if given is None:
            return {}
        items = self.mapping(given, "prices", tuple(CURRENCIES))
        if isinstance(given.value, Mapping) and self.base_currency not in items:
            self.wrong(given, f"prices have no {self.base_currency}, the base currency")
        found = {code: self.price(value, code) for code, value in items.items()}
        prices = {code: minor for code, minor in found.items() if minor is not None}
        if any(prices.values()) and not all(prices.values()):
            free = next(code for code, minor in prices.items() if not minor)
            self.wrong(
                items[free],
                f"a price of 0 makes a product free, and then in every currency; {free} is 0, others are not",
            )
        return prices

    def price(self, given: Given, currency: str) -> int | None:
        """One price in minor units, 0 if it is free; None if it is none."""
        text = self.scalar(given, "a price")
        try:
            minor = Money.parse(text, currency).minor
        except MoneyError as error:
            reason = str(error).removeprefix(repr(text)).removeprefix("the amount").strip()
            self.wrong(given, f"price {clipped(text)} of {currency} {reason}")
            return None
        if minor > LARGEST_PRICE:
            most = f"{Money(LARGEST_PRICE, currency).decimal:f} is the most"
            self.wrong(given, f"price {clipped(text)} of {currency} is too large; {most}")
        return minor

    def stock(self, given: Given | None, kind: DeliveryKind) -> int | None:
        """The number of units, None for no limit."""
        if given is None:
            return None
        text = self.scalar(given, "stock")
        if kind is DeliveryKind.KEY:
            self.wrong(
                given,
                "stock of licence keys is the number of unsold keys; leave it out",
            )
        elif text != "unlimited" and not is_whole(text, LARGEST_STOCK):
            self.wrong(given, f"stock {clipped(text)} is not a whole number or `unlimited`")
        elif text != "unlimited":
            return int(text)
        return None

    def images(self, given: Given | None) -> list[ImageDraft]:
        """The pictures, each read in full."""
        drafts = []
        for item in self.sequence(given, "images"):
            values = self.mapping(item, "the image", ("file", "alt"), ("file", "alt"))
            alt = self.text(values.get("alt"), "alt", LONGEST_ALT)
            if (path := self.file(values.get("file"), "image")) is None:
                continue
            try:
                drafts.append(ImageDraft(prepare(path), alt))
            except BadImage as error:
                self.wrong(values["file"], f"image {clipped(path.name)} {error}")
        return drafts

    def delivery(self, given: Given | None) -> DeliveryDraft:
        """What the buyer gets."""
        if given is None:
            return DeliveryDraft()
        known = ("text", "file", "files", "keys", *TERMS)
        values = self.mapping(given, "delivery", known, optional=["text"])
        kind = self.kind(given, values)
        for name, of in TERMS.items():
            if name in values and kind is not of:
                self.wrong(values[name], f"{name} is for a delivery by {of}; leave it out")
        written, what = values.get("text"), "the delivery's text"
        text = self.text(written, what, LONGEST_TEXT, lines=True, exact=True)
        # Where a text is the goods, `*` and `_` may be letters of a code that is worth money.
        is_markdown = kind is not DeliveryKind.TEXT
        markdown = self.flag(values.get("markdown"), "markdown", default=is_markdown)
        if markdown:
            self.refuse_html(written, what, text)
        return DeliveryDraft(
            kind=kind,
            text=text,
            markdown=markdown,
            files=self.goods_files(values),
            max_downloads=self.number(values, "downloads", 1, MOST_DOWNLOADS),
            download_days=self.number(values, "days", 1, LONGEST_DOWNLOAD_DAYS),
            low_stock=self.number(values, "low_stock", 1, LARGEST_STOCK),
        )

    def kind(self, given: Given, values: dict[str, Given]) -> DeliveryKind:
        """What kind of delivery these values describe."""
        by_file = "file" in values or "files" in values
        if by_file and "keys" in values:
            self.wrong(given, "delivery has both a file and keys; choose one")
        if by_file:
            return DeliveryKind.FILE
        if "keys" in values:
            if self.flag(values["keys"], "keys", default=True):
                return DeliveryKind.KEY
            self.wrong(values["keys"], "keys can only be yes; else leave it out")
        elif "text" not in values and isinstance(given.value, Mapping):
            self.wrong(given, "delivery needs a text, a file or keys")
        return DeliveryKind.TEXT

    def goods_files(self, values: dict[str, Given]) -> tuple[Path, ...]:
        """The files of a delivery: one as `file`, or a list of `files`."""
        if (listed := values.get("files")) is None:
            file = self.file(values.get("file"), "goods file")
            return (file,) if file else ()
        if "file" in values:
            self.wrong(listed, "delivery has both file and files; put all into files")
        items = self.sequence(listed, "files")
        if not 0 < len(items) <= MOST_FILES:
            self.wrong(listed, f"files has {len(items)} files; it takes from 1 to {MOST_FILES}")
        files: dict[str, Path] = {}
        for given in items[:MOST_FILES]:
            if file := self.file(given, "goods file"):
                if file.name in files:
                    text = "is there twice by this name; buyers could not tell them apart"
                    self.wrong(given, f"goods file {clipped(file.name)} {text}")
                files[file.name] = file
        return tuple(files.values())

    def file(self, given: Given | None, what: str) -> Path | None:
        """A file beside the catalogue file or below its folder."""
        if given is None or not (name := self.text(given, what, 500, exact=True)):
            return None
        name = self._as_on_disk(name)
        problem = self._problem_with_path(name)
        if problem:
            self.wrong(given, f"{what} {clipped(name)} {problem}")
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
