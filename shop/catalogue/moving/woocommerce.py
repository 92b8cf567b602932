"""WooCommerce's product table: one record for each product and for each of its variations."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from .ahead import converted_ahead
from .checking import Unfit
from .editions import Editions, edition
from .found import (
    TO_BE_SENT,
    Address,
    Answers,
    Findings,
    FoundProduct,
    Goods,
    Left,
    Note,
    Part,
    Picture,
    Question,
    Where,
)
from .goods import name_of
from .headings import Row, Sheet, System
from .html import Converted, markdown_of, opening_of, words_of
from .numbers import BadValue, whole
from .prices import Prices, prices_of
from .slugs import slug_of
from .table import Table
from .woo_headings import LANGUAGES, NOT_CARRIED, OFF, TYPES

USED = {
    *("id", "type", "sku", "name", "published", "visibility", "short description", "description"),
    *("sale starts", "sale ends", "in stock", "stock", "backorders", "purchase note", "sale price"),
    *("regular price", "categories", "images", "download limit", "download days", "parent"),
    *("attribute name", "attribute value", "attribute visible", "attribute global"),
    *("attribute default", "download id", "download name", "download url", "position"),
    *("yoast description", "rank math description", "licensed", "serial", "tax status"),
}
REMARKS = [
    "The file does not say which products have a password: those would be for sale here.",
    "The file does not hold addresses: those under /product/ are guessed from the titles.",
]


def read(sheet: Sheet, answers: Answers) -> Findings:
    """All that the table says."""
    prices, said = prices_of(
        sheet.column("regular price", "sale price"),
        sheet.column("sale starts", "sale ends"),
        answers,
    )
    findings = Findings("WooCommerce", len(sheet.rows) + len(sheet.broken), remarks=list(REMARKS))
    findings.read_as = [*sheet.table.read_as, said]
    findings.categories_at = "/product-category/"
    findings.left += sheet.broken
    if "stock" not in sheet.fields or "in stock" not in sheet.fields:
        findings.remarks.append(
            "The file lacks a column of the stock: what it does not tell has no limit here."
        )
    shop = OldShop(sheet, prices, answers)
    with converted_ahead((_breaks(row["description"]) for row in sheet.rows), lines=True):
        for number, row in enumerate(sheet.rows, start=1):
            try:
                if product := shop.product(row):
                    findings.products.append(product)
            except Unfit as reason:
                findings.left.append(Left(where(row), str(reason)))
            answers.progress(number, len(sheet.rows))
    _add_parents(shop, findings)
    _ask_about_stock(shop, findings)
    used = re.compile(rf"({'|'.join(map(re.escape, USED))})( \d+)?")
    unused = [name for name in sheet.fields if not used.fullmatch(name)]
    findings.not_carried.update(dict(sheet.uncarried(unused)))
    return findings


def is_foreign(table: Table) -> bool:
    """Whether a column holds nothing but WooCommerce's types, which it never translates."""
    for column in range(len(table.heading)):
        words = {word for record in table.records for word in _words(record.cells[column])}
        if words and words <= TYPES and words & {"simple", "variable", "variation"}:
            return True
    return False


SYSTEM = System("WooCommerce", LANGUAGES, ("type", "name"), read, is_foreign)


def where(row: Row) -> Where:
    """Where a record is."""
    return row.where(row["id"], words_of(row["name"]))


class OldShop:
    """The records, and which of them are others' parents; those may come before or after their variations."""

    def __init__(self, sheet: Sheet, prices: Prices, answers: Answers) -> None:
        self.prices, self.answers = prices, answers
        self.attributes = sheet.numbered("attribute value")
        self.downloads = sheet.numbered("download url")
        self.parents = {row.row: row for row in sheet.rows if "variable" in _words(row["type"])}
        self.by_name = {f"id:{row['id']}": row for row in self.parents.values()}
        self.by_name |= {row["sku"]: row for row in self.parents.values() if row["sku"]}
        self.children: dict[int, list[int]] = {row: [] for row in self.parents}
        self.shared: dict[int, list[Where]] = {}
        """Rows of variations that share the stock of their parent, by the parent's row."""
        self.editions = Editions()

    def product(self, row: Row) -> FoundProduct | None:
        """The product of a record; None for a parent, which is none. Raises Unfit."""
        kinds = _words(row["type"]) - {"downloadable", "virtual"}
        if reason := next((NOT_CARRIED[kind] for kind in kinds if kind in NOT_CARRIED), ""):
            raise Unfit(reason)
        if unknown := kinds - TYPES:
            raise Unfit(f"is of a type that is not known here: {', '.join(sorted(unknown))}")
        if "variable" in kinds:
            return None
        if "variation" in kinds:
            return self._variation(row)
        return self._found(row, row, words_of(row["name"]))

    def _variation(self, row: Row) -> FoundProduct:
        parent = self.by_name.get(row["parent"])
        if parent is None:
            raise Unfit("belongs to a product that is not in the file")
        self.children[parent.row].append(row.row)
        values = [words_of(row[f"attribute value {number}"]) for number in self.attributes]
        self.editions.meet(parent.row, values, where(row))
        return self._found(row, parent, edition(words_of(parent["name"]), values))

    def _found(self, row: Row, parent: Row, title: str) -> FoundProduct:
        kinds = _words(row["type"])
        has_files = any(row[f"download url {number}"] for number in self.downloads)
        if not (self.answers.digital or has_files or kinds & {"virtual", "downloadable"}):
            raise Unfit(TO_BE_SENT)
        texts = [_converted(each["description"]) for each in _once(parent, row)]
        opening = opening_of(_breaks(row["short description"] or parent["short description"]))
        product = FoundProduct(
            where=row.where(row["id"], title),
            key=row["id"] or row["sku"] or title,
            title=title,
            summary=_summary(row, parent),
            opening=opening.text,
            description="\n\n".join(filter(None, (text.text for text in texts))),
            price=self.prices.price(row["regular price"]),
            sale=self.prices.sale(row["sale price"], row["sale starts"], row["sale ends"]),
            off=_off(row, parent),
            pictures=[Picture(each) for each in _listed(row["images"] or parent["images"])],
            goods=list(self._goods(row)),
            by_keys=any(
                _is_yes(each[name]) for each in (row, parent) for name in ("licensed", "serial")
            ),
            text=_converted(row["purchase note"] or parent["purchase note"]).text,
            addresses=list(
                _addresses(row, parent, first=len(self.children.get(parent.row, ())) < 2)
            ),
        )
        product.notes += [Note(left) for text in (opening, *texts) for left in text.left]
        self._take_stock(product, row, parent)
        _take_categories(product, parent["categories"])
        product.downloads = _limit(product, "downloads", row["download limit"])
        product.days = _limit(product, "days", row["download days"])
        if parent["visibility"] in ("search", "catalog"):
            product.notes.append(Note(f"was seen in one place alone ({parent['visibility']})"))
        return product

    def _goods(self, row: Row) -> Iterator[Goods]:
        for number in self.downloads:
            if address := row[f"download url {number}"]:
                yield Goods(name_of(address)[:200], row[f"download name {number}"])

    def _take_stock(self, product: FoundProduct, row: Row, parent: Row) -> None:
        """Never unlimited by accident: what is out of stock, shared or odd is 0."""
        figure = row["stock"]
        if figure.casefold() == "parent":
            self.shared.setdefault(parent.row, []).append(product.where)
            product.stock = 0
            return
        try:
            product.stock = whole(figure)
        except BadValue as error:
            product.notes.append(Note("has 0 in stock here", figure=str(error)))
            product.stock = 0
        if row["in stock"].casefold() in ("0", "false", "no", "falsch", "ложь"):
            product.stock = 0
        elif row["backorders"] not in ("", "0") and product.stock is not None:
            product.notes.append(Note("was sold beyond its stock", figure=f"{product.stock}"))


def _add_parents(shop: OldShop, findings: Findings) -> None:
    """A parent is no product, but a part of its variations."""
    for row, parent in shop.parents.items():
        if shop.children[row]:
            findings.parts.append(Part(where(parent), shop.children[row]))
        else:
            findings.left.append(Left(where(parent), "has variations that are not in the file"))


def _ask_about_stock(shop: OldShop, findings: Findings) -> None:
    for row, sharing in shop.shared.items():
        parent = shop.parents[row]
        name, stock = words_of(parent["name"]), parent["stock"] or "none"
        text = f"Editions of {name} share one stock ({stock}), and nothing here does: {len(sharing)} of them have 0."
        answer = "how many each has, as its `stock` in the catalogue file."
        findings.questions.append(Question(text, answer, needed=False))


def _words(cell: str) -> set[str]:
    return {word.strip().casefold() for word in cell.split(",") if word.strip()}


def _is_yes(cell: str) -> bool:
    return cell.casefold() in ("1", "yes", "true")


def _breaks(cell: str) -> str:
    """Undo the exporter's escapes: a line break is written `\\n`, and a backslash before an n is doubled."""
    return re.sub(r"\\\\n|\\n", lambda found: "\n" if len(found[0]) == 2 else r"\n", cell)


def _converted(cell: str) -> Converted:
    return markdown_of(_breaks(cell), lines=True)


def _once(*rows: Row) -> Sequence[Row]:
    return list({row.row: row for row in rows}.values())


def _summary(row: Row, parent: Row) -> str:
    """The short description, else what was written for search engines, without a plugin's variables."""
    for cell in (row["short description"], parent["short description"]):
        if words := words_of(_breaks(cell)):
            return words
    for name in ("yoast description", "rank math description"):
        if (cell := parent[name]) and "%" not in cell:
            return words_of(cell)
    return ""


def _off(row: Row, parent: Row) -> str:
    """Why it was not public. A state that is not known is no public one."""
    if (state := parent["published"]) != "1":
        return OFF.get(state, "is in a state that is not known here")
    if row["published"] != "1":
        return (
            "is switched off"
            if row["published"] == "0"
            else OFF.get(row["published"], "is not public")
        )
    return "is hidden" if parent["visibility"] == "hidden" else ""


def _listed(cell: str) -> list[str]:
    """The entries of a list; a comma that belongs to one has a backslash."""
    entries = re.split(r"(?<!\\),\s*", cell)
    return [entry.replace("\\,", ",").strip() for entry in entries if entry.strip()]


def _take_categories(product: FoundProduct, cell: str) -> None:
    paths = [tuple(words_of(name) for name in entry.split(" > ")) for entry in _listed(cell)]
    product.category = max(paths, key=len, default=())
    for path in paths:
        if path != product.category[: len(path)]:
            product.notes.append(Note("was also in another category", figure=" > ".join(path)))


def _limit(product: FoundProduct, what: str, cell: str) -> int | None:
    """A limit of downloads; `-1` and nothing are none."""
    try:
        figure = whole(cell)
    except BadValue as error:
        product.notes.append(Note(f"{what} without a limit: {error}"))
        return None
    return figure if figure and figure > 0 else None


def _addresses(row: Row, parent: Row, *, first: bool) -> Iterator[Address]:
    """Of a product with variations, the first one takes over the address."""
    if first:
        if number := parent["id"]:
            yield Address(f"/?p={number}")
            yield Address(f"/?post_type=product&p={number}")
        if slug := slug_of(words_of(parent["name"])):
            yield Address(f"/product/{slug}/", sure=False)
