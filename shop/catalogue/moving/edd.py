"""Easy Digital Downloads' product table: one record for each download, its price options in one cell."""

from __future__ import annotations

import re
from collections.abc import Iterator

from .ahead import converted_ahead
from .checking import Unfit
from .editions import Editions, edition
from .found import (
    Address,
    Answers,
    Findings,
    FoundProduct,
    Goods,
    Left,
    Note,
    Picture,
    Question,
    Where,
)
from .goods import name_of
from .headings import Row, Sheet, System
from .html import markdown_of, opening_of, words_of
from .numbers import BadValue, whole
from .prices import Prices, prices_of
from .table import unguarded

ENGLISH = {
    "id": ("ID",),
    "slug": ("Slug",),
    "name": ("Name",),
    "created": ("Date Created",),
    "author": ("Author",),
    "description": ("Description",),
    "excerpt": ("Excerpt",),
    "status": ("Status",),
    "categories": ("Categories",),
    "tags": ("Tags",),
    "price": ("Price",),
    "files": ("Files",),
    "limit": ("File Download Limit",),
    "image": ("Featured Image",),
    "sku": ("SKU",),
    "notes": ("Notes",),
    "sales": ("Sales",),
    "earnings": ("Earnings",),
}
USED = {
    *("id", "slug", "name", "description", "excerpt", "status", "categories", "price", "files"),
    *("limit", "image", "notes", "created", "sales", "earnings", "author"),
}
"""Sales and earnings stay behind with the orders; the author is somebody's log-in name, and is not repeated."""
ALL = 0
"""A file is for all options."""
OFF = {
    "publish": "",
    "draft": "is a draft",
    "pending": "waits for review",
    "private": "is private",
    "future": "is planned for later",
}
BACKSLASHED = re.compile(r"\\([\\'\"0])")
OPTION = re.compile(r"(.*): *([^:]*)", re.DOTALL)
REMARKS = [
    "The exporter writes each quotation mark as an apostrophe: what was one cannot be told any more.",
    "The file does not say what is a bundle: one arrives as a product without files.",
]


def read(sheet: Sheet, answers: Answers) -> Findings:
    """All that the table says."""
    for row in sheet.rows:
        row.cells = {name: _unslashed(cell) for name, cell in row.cells.items()}
    figures = (figure for row in sheet.rows for _, figure in _options(row["price"]))
    prices, said = prices_of(figures, [], answers)
    findings = Findings(
        "Easy Digital Downloads",
        len(sheet.rows) + len(sheet.broken),
        categories_at="/downloads/category/",
        remarks=list(REMARKS),
    )
    findings.read_as = [*sheet.table.read_as, said]
    findings.left += sheet.broken
    shop = OldShop(prices, findings)
    with converted_ahead((row["description"] for row in sheet.rows), lines=True):
        for number, row in enumerate(sheet.rows, start=1):
            shop.take(row)
            answers.progress(number, len(sheet.rows))
    findings.not_carried.update(dict(sheet.uncarried(set(sheet.fields) - USED)))
    return findings


SYSTEM = System(
    "Easy Digital Downloads", {"English": ENGLISH}, ("slug", "name", "status", "price"), read
)


class OldShop:
    """How the table's downloads become our products."""

    def __init__(self, prices: Prices, findings: Findings) -> None:
        self.prices, self.findings = prices, findings

    def take(self, row: Row) -> None:
        """Each price option is a product; of a download with one price or one option, there is one."""
        options = _options(row["price"])
        named, editions = len(options) > 1, Editions()
        for number, (name, figure) in enumerate(options, start=1):
            values = [words_of(name)] if named else []
            try:
                editions.meet(row.row, values, _where(row, ""))
                self.findings.products.append(
                    self._found(row, values, figure, number if named else 0, len(options))
                )
            except Unfit as reason:
                self.findings.left.append(Left(_where(row, name if named else ""), str(reason)))

    def _found(
        self, row: Row, values: list[str], figure: str, option: int, options: int
    ) -> FoundProduct:
        title = edition(words_of(row["name"]), values)
        opening = opening_of(row["excerpt"])
        description, notes = (
            markdown_of(row[name], lines=True) for name in ("description", "notes")
        )
        product = FoundProduct(
            where=row.where(row["id"], title),
            key="/".join((row["id"] or row["slug"], *values)),
            title=title,
            slug=" ".join((row["slug"], *values)),
            summary=words_of(row["excerpt"]),
            opening=opening.text,
            description=description.text,
            price=self.prices.price(figure),
            off=OFF.get(row["status"].casefold(), "is in a state that is not known here"),
            pictures=[Picture(row["image"])] if row["image"] else [],
            text=notes.text,
            downloads=_limit(row["limit"]),
        )
        self._take_goods(product, row, option, options)
        product.notes += [
            Note(left) for text in (opening, description, notes) for left in text.left
        ]
        first, *others = [words_of(name) for name in row["categories"].split(" | ")]
        product.category = (first,) if first else ()
        product.notes += [Note("was also in another category", figure=name) for name in others]
        if option < 2:
            product.addresses = list(_addresses(row))
        return product

    def _take_goods(self, product: FoundProduct, row: Row, option: int, options: int) -> None:
        """The files of an option. Numbers of options have gaps that the file does not show: no guess is made."""
        files = list(_files(row["files"]))
        unclear = [name for name, of in files if of > options] if option else []
        for name, of in files:
            if not option or of == ALL or (of == option and not unclear):
                product.goods.append(Goods(name))
        if unclear:
            product.off = product.off or "has files of which it is not clear who gets them"
            self._ask(row, unclear[0])

    def _ask(self, row: Row, file: str) -> None:
        text = (
            f"{file} and more of {_where(row, '')} are for one price option each, and the file does not say for "
            "which: they go to none."
        )
        question = Question(text, "it in the catalogue file.", needed=False)
        if question not in self.findings.questions:
            self.findings.questions.append(question)


def _files(cell: str) -> Iterator[tuple[str, int]]:
    """The names of files, and the number of the option that each is for."""
    for entry in filter(None, map(str.strip, cell.split(" | "))):
        address, sign, of = entry.rpartition(";")
        if sign and (of == "all" or of.isdecimal()):
            yield name_of(address)[:200], ALL if of == "all" else int(of)
        else:
            yield name_of(entry)[:200], ALL


def _unslashed(cell: str) -> str:
    """Undo the exporter: one backslash before each backslash, apostrophe and quotation mark, also of a guard."""
    return unguarded(BACKSLASHED.sub(r"\1", cell)).strip()


def _options(cell: str) -> list[tuple[str, str]]:
    """Each price with the name of its option; the name may hold a colon, the price holds none."""
    found = []
    for entry in cell.split(" | "):
        option = OPTION.fullmatch(entry.strip())
        found.append((option[1].strip(), option[2]) if option else ("", entry.strip()))
    return found


def _limit(cell: str) -> int | None:
    try:
        return whole(cell) or None
    except BadValue:
        return None


def _where(row: Row, option: str) -> Where:
    return row.where(row["id"], edition(words_of(row["name"]), [words_of(option)]))


def _addresses(row: Row) -> Iterator[Address]:
    """Of a download with options, the first one takes over the address."""
    if slug := row["slug"]:
        yield Address(f"/downloads/{slug}/")
        yield Address(f"/?download={slug}")
    if number := row["id"]:
        yield Address(f"/?p={number}")
