"""SellAuth's products, as its programming interface gives them out (`GET /v1/shops/{id}/products`).

A product may hold the licence keys that are for sale. They are counted, and shown and written down nowhere.
"""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Any

from .checking import Unfit
from .documents import Places, Thing, number, said, things, uncarried
from .editions import Editions, edition
from .found import Address, Answers, Findings, FoundProduct, Note, Picture, Where
from .html import markdown_of, words_of

OFF = {
    "public": "",
    "unlisted": "is unlisted",
    "private": "is private",
    "hidden": "is hidden",
}
USED = {
    *(
        "id",
        "name",
        "path",
        "description",
        "price",
        "currency",
        "deliverables",
        "deliverables_type",
    ),
    *(
        "stock",
        "stock_count",
        "image_url",
        "images",
        "variants",
        "type",
        "instructions",
        "visibility",
    ),
    *(
        "on_hold",
        "deleted_at",
        "group",
        "categories",
        "created_at",
        "updated_at",
        "salt",
        "shop_id",
    ),
    *("group_id", "cloudflare_image_id"),
}
REMARK = (
    "Keys that SellAuth had for sale are brought in one list for each product: keys add SLUG FILE."
)


def read(document: Any, answers: Answers) -> Findings | None:
    """All that the document says; None if it is not SellAuth's."""
    products = things(document.get("data") if isinstance(document, dict) else document)
    if not products or not all(_is_one(each) for each in products):
        return None
    findings = Findings("SellAuth", remarks=[REMARK])
    if isinstance(document, dict) and (last := number(document, "last_page")) and last > 1:
        page = said(document, "current_page")
        findings.read_as.append(f"page {page} of {last}: import the others, too")
    shop = OldShop(findings)
    for done, each in enumerate(products, start=1):
        shop.take(each)
        answers.progress(done, len(products))
    findings.not_carried.update(dict(uncarried(products, USED)))
    return findings


def _is_one(thing: Thing) -> bool:
    return (
        "name" in thing
        and "currency" in thing
        and ("deliverables_type" in thing or "shop_id" in thing)
    )


class OldShop:
    """Makes of each product one of ours, or one for each of its variants."""

    def __init__(self, findings: Findings) -> None:
        self.findings = findings
        self.places, self.editions = Places(findings), Editions()

    def take(self, thing: Thing) -> None:
        """A product. Beside variants, its own price and stock mean nothing."""
        name, id = words_of(said(thing, "name")), said(thing, "id")
        where = self.places.next(id, name)
        variants = things(thing.get("variants"))
        if thing.get("deleted_at"):
            self.places.leave(where, "is deleted")
            return
        if said(thing, "type") != "variant" or not variants:
            self._try(thing, where, variants[0] if len(variants) == 1 else thing, where)
            return
        names = [words_of(said(each, "name")) for each in variants]
        below = [self.places.next(id, edition(name, [each])) for each in names]
        self.places.part(where, below)
        for place, variant, option in zip(below, variants, names, strict=True):
            self._try(thing, place, variant, below[0], option)

    def _try(self, thing: Thing, where: Where, sold: Thing, first: Where, option: str = "") -> None:
        try:
            self.editions.meet(said(thing, "id"), [option], where)
            found = _found(thing, where, sold, option)
        except Unfit as reason:
            self.places.leave(where, str(reason))
            return
        if where == first and (path := said(thing, "path")):
            # Guessed, because the document names the end of the address alone.
            found.addresses.append(Address(f"/product/{path}", sure=False))
        self.findings.products.append(found)


def _found(thing: Thing, where: Where, sold: Thing, option: str) -> FoundProduct:
    description = markdown_of(said(thing, "description"))
    way = said(sold, "deliverables_type") or said(thing, "deliverables_type")
    instructions = markdown_of(said(thing, "instructions"), lines=True)
    groups = things([thing.get("group"), *things(thing.get("categories"))])
    found = FoundProduct(
        where=where,
        key="/".join(filter(None, (said(thing, "id"), said(sold, "id") if option else ""))),
        title=edition(words_of(said(thing, "name")), [option]),
        slug=" ".join(filter(None, (said(thing, "path"), option))),
        description=description.text,
        price=_price(sold) if "price" in sold else _price(thing),
        currency=said(thing, "currency").upper(),
        category=tuple(
            name for name in [words_of(said(each, "name")) for each in groups[:1]] if name
        ),
        off=_off(thing),
        pictures=_pictures(thing),
        by_keys=way == "serials",
        text=instructions.text,
        notes=[Note(left) for text in (description, instructions) for left in text.left],
    )
    if way == "dynamic":
        found.notes.append(Note("was delivered by a program of its own"))
    if not found.by_keys:
        stock = number(sold, "stock")
        found.stock = None if stock == -1 else stock or 0
    return found


def _price(thing: Thing) -> Decimal | None:
    try:
        price = Decimal(said(thing, "price"))
    except InvalidOperation:
        return None
    return price if price.is_finite() and price >= 0 else None


def _off(thing: Thing) -> str:
    """Why it was not public; a word that is not known means no public product."""
    if thing.get("on_hold"):
        return "is on hold"
    word = said(thing, "visibility").casefold()
    return OFF.get(word, "is in a state that is not known here")


def _pictures(thing: Thing) -> list[Picture]:
    addresses = [said(each, "url") for each in things(thing.get("images"))]
    return [Picture(each) for each in (addresses or [said(thing, "image_url")]) if each]
