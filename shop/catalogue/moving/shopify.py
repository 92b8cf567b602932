"""Shopify's product table: a product is spread over the rows that have its handle, wherever they stand."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from .ahead import converted_ahead
from .checking import Unfit
from .editions import Editions, edition
from .found import (
    TO_BE_SENT,
    Address,
    Answers,
    Findings,
    FoundProduct,
    Left,
    Note,
    Part,
    Picture,
    Sale,
    Where,
)
from .headings import Row, Sheet, System
from .html import Converted, markdown_of, words_of
from .numbers import BadValue, flag, whole
from .prices import Prices, prices_of

UNTIL_2025 = {
    "handle": ("Handle",),
    "title": ("Title",),
    "description": ("Body (HTML)",),
    "vendor": ("Vendor",),
    "taxonomy": ("Product Category",),
    "type": ("Type",),
    "tags": ("Tags",),
    "published": ("Published",),
    "option name": ("Option# Name",),
    "option value": ("Option# Value",),
    "sku": ("Variant SKU",),
    "weight": ("Variant Grams",),
    "tracker": ("Variant Inventory Tracker",),
    "quantity": ("Variant Inventory Qty",),
    "policy": ("Variant Inventory Policy",),
    "price": ("Variant Price",),
    "compare at": ("Variant Compare At Price",),
    "shipping": ("Variant Requires Shipping",),
    "barcode": ("Variant Barcode",),
    "image": ("Image Src",),
    "image position": ("Image Position",),
    "image alt": ("Image Alt Text",),
    "gift card": ("Gift Card",),
    "seo title": ("SEO Title",),
    "seo description": ("SEO Description",),
    "variant image": ("Variant Image",),
    "status": ("Status",),
}
SINCE = {
    "handle": ("URL handle",),
    "description": ("Description",),
    "published": ("Published on online store",),
    "sku": ("SKU",),
    "weight": ("Weight value (grams)",),
    "tracker": ("Inventory tracker",),
    "quantity": ("Inventory quantity",),
    "policy": ("Continue selling when out of stock",),
    "price": ("Price",),
    "compare at": ("Compare-at price",),
    "shipping": ("Requires shipping",),
    "barcode": ("Barcode",),
    "image": ("Product image URL",),
    "variant image": ("Variant image URL",),
}
USED = {
    *(
        "handle",
        "title",
        "description",
        "type",
        "published",
        "option name",
        "option value",
        "tracker",
    ),
    *(
        "quantity",
        "policy",
        "price",
        "compare at",
        "shipping",
        "image",
        "image position",
        "image alt",
    ),
    *("gift card", "seo description", "variant image", "status", "sku"),
}
OFF = {"active": "", "draft": "is a draft", "archived": "is archived", "unlisted": "is unlisted"}
REMARK = "Shopify gives out no files, no licence keys and no collections: every product arrives without its goods."


@dataclass(slots=True)
class Spread:
    """A product with all of its rows."""

    handle: str
    rows: list[Row]

    @property
    def head(self) -> Row:
        """The row with what is said of the product once."""
        return next((row for row in self.rows if row["title"]), self.rows[0])

    @property
    def variants(self) -> list[Row]:
        """The rows that something is sold by."""
        sold = [row for row in self.rows if row["price"] or row["sku"] or row["option value 1"]]
        return sold or [self.head]

    @property
    def pictures(self) -> list[Picture]:
        """By their position, which sorting the table does not change."""
        rows = [row for row in self.rows if row["image"]]
        rows.sort(
            key=lambda row: int(row["image position"]) if row["image position"].isdecimal() else 999
        )
        found = {row["image"]: Picture(row["image"], words_of(row["image alt"])) for row in rows}
        return list(found.values())


def read(sheet: Sheet, answers: Answers) -> Findings:
    """All that the table says."""
    prices, said = prices_of(sheet.column("price", "compare at"), [], answers)
    findings = Findings("Shopify", len(sheet.rows) + len(sheet.broken), remarks=[REMARK])
    findings.read_as = [*sheet.table.read_as, said]
    findings.left += sheet.broken
    shop, done = OldShop(sheet, prices, answers), 0
    with converted_ahead(row["description"] for row in sheet.rows):
        for spread in _spread(sheet.rows, findings):
            shop.take(spread, findings)
            done += len(spread.rows)
            answers.progress(done, len(sheet.rows))
    unused = [name for name in sheet.fields if re.sub(r" \d+$", "", name) not in USED]
    findings.not_carried.update(dict(sheet.uncarried(unused)))
    return findings


SYSTEM = System(
    "Shopify", {"until 2025": UNTIL_2025, "since": SINCE}, ("handle", "title", "price"), read
)


def _spread(rows: Sequence[Row], findings: Findings) -> Iterator[Spread]:
    """The rows of each handle, in the order in which handles are met."""
    groups: dict[str, Spread] = {}
    for row in rows:
        handle = row["handle"] or words_of(row["title"])
        if handle:
            groups.setdefault(handle.casefold(), Spread(handle, [])).rows.append(row)
        else:
            findings.left.append(Left(row.where("", ""), "has neither a handle nor a title"))
    yield from groups.values()


class OldShop:
    """How the table's products become ours."""

    def __init__(self, sheet: Sheet, prices: Prices, answers: Answers) -> None:
        self.prices, self.answers = prices, answers
        self.options = sheet.numbered("option value")
        self.fields = sheet.fields
        self.editions = Editions()

    def take(self, spread: Spread, findings: Findings) -> None:
        """Each variant is a product; the other rows are a part of these."""
        titles = {
            words_of(row["title"]).casefold(): row["title"] for row in spread.rows if row["title"]
        }
        description = markdown_of(spread.head["description"])
        variants = spread.variants
        for row in variants:
            try:
                if len(titles) > 1:
                    both = " and ".join(
                        f"“{words_of(title)[:40]}”" for title in list(titles.values())[:2]
                    )
                    raise Unfit(f"has a handle that is used twice, for {both}")
                findings.products.append(self._found(row, spread, description))
            except Unfit as reason:
                findings.left.append(Left(self._where(row, spread), str(reason)))
        sold = {row.row for row in variants}
        findings.parts += [
            Part(self._where(row, spread), sold) for row in spread.rows if row.row not in sold
        ]

    def _where(self, row: Row, spread: Spread) -> Where:
        return row.where(spread.handle, words_of(spread.head["title"]))

    def _found(self, row: Row, spread: Spread, description: Converted) -> FoundProduct:
        head = spread.head
        if flag(head["gift card"]):
            raise Unfit("is a gift card")
        if flag(row["shipping"]) and not self.answers.digital:
            raise Unfit(TO_BE_SENT)
        values = self._values(row, spread)
        self.editions.meet(spread.handle, values, self._where(row, spread))
        title = edition(words_of(head["title"]) or spread.handle, values)
        price, compared = self.prices.price(row["price"]), self.prices.price(row["compare at"])
        product = FoundProduct(
            where=row.where(spread.handle, title),
            key="/".join((spread.handle, *values)),
            title=title,
            slug=" ".join((spread.handle, *values)),
            summary=words_of(head["seo description"]),
            description=description.text,
            price=price,
            off=self._off(head),
            pictures=[Picture(row["variant image"])]
            if row["variant image"] and values
            else spread.pictures,
            category=(words_of(head["type"]),) if head["type"] else (),
        )
        if price is not None and compared is not None and compared > price:
            product.price, product.sale = compared, Sale(price)
        if row.row == spread.variants[0].row:
            product.addresses.append(Address(f"/products/{spread.handle}"))
        product.notes += [Note(left) for left in description.left]
        self._take_stock(product, row)
        return product

    def _values(self, row: Row, spread: Spread) -> list[str]:
        """The options of a variant; the only variant of a product has none."""
        values = [words_of(row[f"option value {number}"]) for number in self.options]
        given = [value for value in values if value]
        return given if len(spread.variants) > 1 and given != ["Default Title"] else []

    def _off(self, head: Row) -> str:
        """Why it was not public. A word that is not known means no public product: unlisted was once one."""
        if "status" in self.fields and head["status"].casefold() != "active":
            status = head["status"].casefold()
            return OFF.get(status, f"is in the state “{status[:40]}”, which is not known here")
        published = head["published"]
        return "" if not published or flag(published) else "is not published"

    def _take_stock(self, product: FoundProduct, row: Row) -> None:
        """Never unlimited by accident: what is counted somewhere else is 0."""
        if not row["tracker"]:
            return
        try:
            product.stock = whole(row["quantity"])
        except BadValue as error:
            product.notes.append(Note("has 0 in stock here", figure=str(error)))
            product.stock = 0
        if product.stock is None:
            product.notes.append(
                Note("is counted, but the file does not say how many there are: 0 here")
            )
            product.stock = 0
        if row["policy"].casefold() in ("continue", "true"):
            product.notes.append(Note("was sold beyond its stock"))
