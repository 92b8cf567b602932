"""Gumroad's products, as its programming interface gives them out (`GET /v2/products`): JSON.

The addresses of files in it are signed: whoever has one has the goods. They are read by nothing here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from itertools import islice, product
from typing import Any

from .checking import Unfit
from .documents import Places, Thing, number, said, things, uncarried
from .editions import Editions, edition
from .found import (
    TO_BE_SENT,
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

WHOLE_UNITS = ("JPY", "VND")
"""Their prices are whole units; those of all others are hundredths, also where a currency has none."""
MOST_OPTIONS = 100
USED = {
    *("id", "name", "description", "custom_summary", "custom_permalink", "short_url", "price"),
    *(
        "currency",
        "customizable_price",
        "variants",
        "is_tiered_membership",
        "subscription_duration",
    ),
    *("recurrences", "bundle_products", "is_preorder", "is_in_preorder_state", "require_shipping"),
    *("published", "deleted", "max_purchase_count", "sales_count", "covers", "thumbnail_url"),
    *("preview_url", "files", "custom_receipt", "rich_content"),
    # Made of the others, or of no use anywhere else.
    *("landing_url", "formatted_price", "file_info", "main_cover_id", "sales_usd_cents"),
    *("has_same_rich_content_for_all_variants", "custom_delivery_url", "url", "release_at"),
}
REMARKS = [
    "Gumroad gives out no licence keys but sold ones: those are not for sale again.",
    "Old addresses (/l/…) lead here if the shop had a domain of its own at Gumroad.",
]


def read(document: Any, answers: Answers) -> Findings | None:
    """All that the document says; None if it is not Gumroad's. Raises MovingError."""
    if isinstance(document, dict) and "sales" in document and "success" in document:
        raise MovingError(
            "These are sales of Gumroad, with your buyers' names and addresses, and no products. Ask for the "
            "products (GET /v2/products), and delete this file if you do not need it."
        )
    whole = (
        document.get("products", document.get("product"))
        if isinstance(document, dict)
        else document
    )
    products = things(whole if isinstance(whole, list) else [whole])
    if not products or not all("short_url" in each and "name" in each for each in products):
        return None
    findings = Findings("Gumroad", remarks=list(REMARKS))
    if isinstance(document, dict) and (
        document.get("next_page_key") or document.get("next_page_url")
    ):
        findings.remarks.append("This is one page of several: import the others, too.")
    shop = OldShop(findings, answers)
    for done, each in enumerate(products, start=1):
        shop.take(each)
        answers.progress(done, len(products))
    findings.not_carried.update(dict(uncarried(products, USED)))
    return findings


class OldShop:
    """Makes of each product one of ours, or one for each choice of its options."""

    def __init__(self, findings: Findings, answers: Answers) -> None:
        self.findings, self.answers = findings, answers
        self.places, self.editions = Places(findings), Editions()

    def take(self, thing: Thing) -> None:
        """A product, with its options below it."""
        name, id = words_of(said(thing, "name")), said(thing, "id")
        where = self.places.next(id, name)
        choices = list(_choices(thing))
        if reason := self._not_for_us(thing, choices):
            self.places.leave(where, reason)
        elif not choices:
            self._try(thing, where, where, ())
        else:
            below = [self.places.next(id, edition(name, _names(choice))) for choice in choices]
            self.places.part(where, below)
            for place, choice in zip(below, choices, strict=True):
                self._try(thing, place, below[0], choice)

    def _not_for_us(self, thing: Thing, choices: Sequence[object]) -> str:
        if thing.get("deleted"):
            return "is deleted"
        if thing.get("is_tiered_membership") or thing.get("subscription_duration"):
            return "is a subscription"
        if thing.get("bundle_products"):
            return "sells other products together"
        if thing.get("is_preorder") and thing.get("is_in_preorder_state", True):
            return "is sold before it is there"
        if thing.get("require_shipping") and not self.answers.digital:
            return TO_BE_SENT
        return f"has more than {MOST_OPTIONS} choices" if len(choices) > MOST_OPTIONS else ""

    def _try(self, thing: Thing, where: Where, first: Where, choice: Sequence[Thing]) -> None:
        try:
            self.editions.meet(said(thing, "id"), _names(choice), where)
            found = _found(thing, where, choice)
        except Unfit as reason:
            self.places.leave(where, str(reason))
            return
        if where == first:
            found.addresses += _addresses(thing)
        self.findings.products.append(found)


def _choices(thing: Thing) -> Iterator[tuple[Thing, ...]]:
    """Each choice of one option of each kind; one more than is taken at most, for they multiply."""
    kinds = [
        options
        for kind in things(thing.get("variants"))
        if (options := things(kind.get("options")))
    ]
    return islice(product(*kinds), MOST_OPTIONS + 1) if kinds else iter(())


def _names(choice: Sequence[Thing]) -> list[str]:
    return [words_of(said(option, "name")) for option in choice]


def _found(thing: Thing, where: Where, choice: Sequence[Thing]) -> FoundProduct:
    description, receipt = markdown_of(said(thing, "description")), said(thing, "custom_receipt")
    names, permalink = _names(choice), said(thing, "custom_permalink")
    found = FoundProduct(
        where=where,
        key="/".join((said(thing, "id") or said(thing, "short_url"), *names)),
        title=edition(words_of(said(thing, "name")), names),
        # Letters by chance, which Gumroad takes where nobody has chosen some, say less than the title.
        slug=" ".join((permalink, *names)) if permalink else "",
        summary=words_of(said(thing, "custom_summary")),
        description=description.text,
        currency=said(thing, "currency").upper(),
        off="" if thing.get("published") else "is not published",
        pictures=_pictures(thing),
        goods=_goods(thing),
        text=markdown_of(receipt, lines=True).text,
        notes=[Note(left) for left in description.left],
    )
    found.price = _price(thing, choice, found.currency)
    if thing.get("customizable_price") or any(each.get("is_pay_what_you_want") for each in choice):
        found.notes.append(
            Note("was sold for what buyers wished to pay; the least is its price here")
        )
    if any(cover.get("type") != "image" for cover in things(thing.get("covers"))):
        found.notes.append(Note("a film or a sound that presents it is not carried"))
    _take_contents(found, thing, choice)
    _take_stock(found, thing, choice)
    return found


def _price(thing: Thing, choice: Sequence[Thing], currency: str) -> Decimal | None:
    """The product's price, with what each option adds to it."""
    parts = [number(thing, "price"), *(number(option, "price_difference") for option in choice)]
    if None in parts:
        return None
    figure = sum(part or 0 for part in parts)
    return Decimal(figure) if currency in WHOLE_UNITS else Decimal(figure).scaleb(-2)


def _pictures(thing: Thing) -> list[Picture]:
    covers = [each for each in things(thing.get("covers")) if each.get("type") == "image"]
    addresses = [said(each, "original_url") or said(each, "url") for each in covers]
    addresses = addresses or [said(thing, "preview_url"), said(thing, "thumbnail_url")]
    return [Picture(address) for address in dict.fromkeys(addresses) if address]


def _goods(thing: Thing) -> list[Goods]:
    goods = []
    for file in things(thing.get("files")):
        name, ending = said(file, "name"), said(file, "filetype").lower()
        full = name if name.lower().endswith(f".{ending}") or not ending else f"{name}.{ending}"
        goods += [Goods(full[:200], name)] if full else []
    return goods


def _take_contents(found: FoundProduct, thing: Thing, choice: Sequence[Thing]) -> None:
    """Pages of Gumroad's own may be all that buyers got, or hold the place where a licence key is shown."""
    contents = [each for each in (thing, *choice) if each.get("rich_content")]
    has_keys = any("licenseKey" in str(each["rich_content"]) for each in contents)
    found.by_keys = has_keys and not found.goods
    if has_keys and found.goods:
        found.notes.append(Note("also gave each buyer a licence key, which it does not here"))
    if contents:
        found.notes.append(
            Note("has pages at Gumroad for its buyers, which may be the goods; not carried")
        )


def _take_stock(found: FoundProduct, thing: Thing, choice: Sequence[Thing]) -> None:
    most = number(thing, "max_purchase_count")
    if most is None or found.by_keys:
        return
    found.stock = max(0, most - (number(thing, "sales_count") or 0))
    if choice:
        found.notes.append(
            Note("shares a stock with its other options: 0 here", figure=f"{found.stock}")
        )
        found.stock = 0
    elif number(thing, "sales_count") is None:
        found.notes.append(
            Note(
                "has in stock what was sold, too: the file does not say how many", figure=f"{most}"
            )
        )


def _addresses(thing: Thing) -> Iterator[Address]:
    names = (
        said(thing, "custom_permalink"),
        said(thing, "short_url").rstrip("/").rpartition("/")[2],
    )
    for name in dict.fromkeys(filter(None, names)):
        yield Address(f"/l/{name}")
