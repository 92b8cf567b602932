"""Lemon Squeezy's products, as its programming interface gives them out (`GET /v1/products?include=variants`)."""

from __future__ import annotations

from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

from .checking import Unfit
from .documents import Places, Thing, number, said, things, uncarried
from .editions import Editions, edition
from .found import (
    Address,
    Answers,
    Findings,
    FoundProduct,
    Goods,
    MovingError,
    Note,
    Picture,
    Where,
)
from .html import markdown_of, words_of
from .numbers import SIGNS

OF_BUYERS = ("orders", "order-items", "customers", "subscriptions", "license-keys")
OFF = {"published": "", "draft": "is a draft"}
CLEAR = {sign: code for sign, code in SIGNS.items() if sign not in ("$", "¥")}
USED = {
    *("store_id", "name", "slug", "description", "status", "thumb_url", "large_thumb_url", "price"),
    *("price_formatted", "pay_what_you_want", "buy_now_url", "test_mode", "from_price", "to_price"),
    *("status_formatted", "from_price_formatted", "to_price_formatted", "created_at", "updated_at"),
}
REMARK = "Lemon Squeezy makes licence keys at each sale, so there are none to bring along."


def read(document: Any, answers: Answers) -> Findings | None:
    """All that the document says; None if it is not Lemon Squeezy's. Raises MovingError."""
    if not isinstance(document, dict) or "data" not in document or "jsonapi" not in document:
        return None
    data = document["data"]
    records = things(data if isinstance(data, list) else [data])
    kinds = {said(each, "type") for each in records}
    if kinds & set(OF_BUYERS):
        raise MovingError(
            "This is about buyers of Lemon Squeezy, and holds their data and no products. Ask for the products "
            "(GET /v1/products?include=variants), and delete this file if you do not need it."
        )
    if kinds != {"products"}:
        raise MovingError(
            "This is JSON:API, but not Lemon Squeezy's products: those are GET /v1/products?include=variants."
        )
    findings = Findings("Lemon Squeezy", read_as=_pages(document), remarks=[REMARK])
    shop = OldShop(findings, things(document.get("included")))
    for done, each in enumerate(records, start=1):
        shop.take(said(each, "id"), _attributes(each))
        answers.progress(done, len(records))
    findings.not_carried.update(dict(uncarried(map(_attributes, records), USED)))
    return findings


def _pages(document: Thing) -> list[str]:
    meta = document.get("meta")
    page = meta.get("page") if isinstance(meta, dict) else None
    if not isinstance(page, dict) or (number(page, "lastPage") or 1) < 2:
        return []
    return [f"page {said(page, 'currentPage')} of {said(page, 'lastPage')}: import the others, too"]


def _attributes(thing: Thing) -> Thing:
    attributes = thing.get("attributes")
    return attributes if isinstance(attributes, dict) else {}


class OldShop:
    """The products, and the variants and files that are included with them."""

    def __init__(self, findings: Findings, included: list[Thing]) -> None:
        self.findings = findings
        self.places, self.editions = Places(findings), Editions()
        self.variants: dict[str, list[Thing]] = {}
        self.files: dict[str, list[Thing]] = {}
        for each in included:
            attributes = {"id": said(each, "id"), **_attributes(each)}
            if said(each, "type") == "variants":
                self.variants.setdefault(said(attributes, "product_id"), []).append(attributes)
            elif said(each, "type") == "files":
                self.files.setdefault(said(attributes, "variant_id"), []).append(attributes)

    def take(self, id: str, thing: Thing) -> None:
        """A product; the only variant is the product itself, of several each is one."""
        name = words_of(said(thing, "name"))
        where = self.places.next(id, name)
        variants = self.variants.get(id, [])
        sold = [each for each in variants if said(each, "status") != "pending"]
        if not sold or len(variants) == 1:
            self._try(id, thing, where, variants[0] if variants else {}, "")
            return
        names = [words_of(said(each, "name")) for each in sold]
        below = [self.places.next(id, edition(name, [each])) for each in names]
        self.places.part(where, below)
        for place, variant, option in zip(below, sold, names, strict=True):
            self._try(id, thing, place, variant, option)

    def _try(self, id: str, thing: Thing, where: Where, variant: Thing, option: str) -> None:
        try:
            self.editions.meet(id, [option], where)
            self.findings.products.append(self._found(id, thing, where, variant, option))
        except Unfit as reason:
            self.places.leave(where, str(reason))

    def _found(
        self, id: str, thing: Thing, where: Where, variant: Thing, option: str
    ) -> FoundProduct:
        if thing.get("test_mode"):
            raise Unfit("is a test")
        if variant.get("is_subscription"):
            raise Unfit("is a subscription")
        if not variant and thing.get("to_price") and thing["to_price"] != thing.get("from_price"):
            raise Unfit(
                "has options that are not in the file: ask for /v1/products?include=variants"
            )
        texts = [markdown_of(said(each, "description")) for each in (thing, variant)]
        price = number(variant, "price") if option else number(thing, "price")
        files = self.files.get(said(variant, "id"), [])
        address = urlsplit(said(thing, "buy_now_url")).path
        found = FoundProduct(
            where=where,
            key="/".join(filter(None, (id, option))),
            title=edition(words_of(said(thing, "name")), [option]),
            slug=" ".join(filter(None, (said(thing, "slug"), option))),
            description="\n\n".join(dict.fromkeys(text.text for text in texts if text.text)),
            price=None if price is None else Decimal(price).scaleb(-2),
            currency=_currency(thing),
            off=_off(thing, variant if option else thing),
            pictures=_pictures(thing),
            goods=[Goods(said(each, "name")[:200]) for each in files if said(each, "name")],
            by_keys=bool(variant.get("has_license_keys")) and not files,
            addresses=[Address(address)] if len(address) > 1 and not option else [],
            notes=[Note(left) for text in texts for left in text.left],
        )
        if variant.get("has_license_keys") and files:
            found.notes.append(Note("also gave each buyer a licence key, which it does not here"))
        if thing.get("pay_what_you_want") or variant.get("pay_what_you_want"):
            found.notes.append(
                Note("was sold for what buyers wished to pay; here it has one price")
            )
        return found


def _off(*both: Thing) -> str:
    """Why it was not public; a state that is not known is no public one."""
    words = (OFF.get(said(each, "status"), "is in a state that is not known here") for each in both)
    return next(filter(None, words), "")


def _currency(thing: Thing) -> str:
    """By the sign in the written price, where that stands for one currency; a dollar may be of many countries."""
    written = said(thing, "price_formatted")
    return next((code for sign, code in CLEAR.items() if sign in written), "")


def _pictures(thing: Thing) -> list[Picture]:
    address = said(thing, "large_thumb_url") or said(thing, "thumb_url")
    return [Picture(address)] if address else []
