"""What came from another shop before: what has changed there since, and what was changed here.

Three tellings of a product are compared: what the file said last time, what it says now, and what the
shop has. What the file says as before is left as the shop has it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import cast

from sqlalchemy import Select, insert, select
from sqlalchemy.orm import Session, selectinload

from ...db import db, end_read
from ..files.exporting import Written, entry_of
from ..merging import Known
from ..models import Category, DeliveryKind, MovedProduct, Product
from ..product_draft import MISSING_GOODS, ProductDraft
from .carried import Carried, Here

Prices = Mapping[str, Written]
Said = dict[str, str]
"""A product in texts, by the name of what they are about."""


@dataclass(frozen=True, slots=True)
class Change:
    """Something that the file says otherwise than last time."""

    what: str
    here: str
    there: str
    kept: bool
    """It was changed here as well, or is a stock: the shop's own stays unless the merchant says so."""


@dataclass(slots=True)
class Comparison:
    """The carried products by what the shop has of them."""

    new: list[Carried] = field(default_factory=list)
    changed: list[tuple[Carried, list[Change]]] = field(default_factory=list)
    """With at least one change, be it one that is kept."""
    same: list[Carried] = field(default_factory=list)


def look(system: str) -> Here:
    """What the shop has, as far as rules depend on it."""
    moved = select(MovedProduct.key, Product.slug).join(MovedProduct.product)
    here = Here(
        slugs=frozenset(db.session.scalars(select(Product.slug))),
        bound=dict(db.session.execute(moved.where(MovedProduct.system == system)).all()),
        categories=dict(db.session.execute(select(Category.slug, Category.title)).all()),
    )
    end_read()
    return here


def compare(carried: Sequence[Carried], system: str, base_currency: str) -> Comparison:
    """Part the products into new, changed and unchanged ones."""
    found = {moved.key: moved for moved in db.session.scalars(_moved(system))}
    comparison = Comparison()
    for each in carried:
        moved = found.get(each.found.key)
        if moved is None:
            comparison.new.append(each)
            continue
        last = json.loads(moved.said)
        here = _said_here(moved.product, base_currency)
        changes = list(_changes(each, said(each.draft, base_currency), last, here))
        if changes:
            comparison.changed.append((each, changes))
        else:
            comparison.same.append(each)
    end_read()
    return comparison


def said(draft: ProductDraft, base_currency: str) -> Said:
    """What a draft says, to be compared with what it says next time."""
    delivery = draft.delivery
    return {
        "title": draft.title,
        "summary": draft.summary,
        "description": draft.description,
        "category": draft.category,
        "price": str(draft.prices.get(base_currency, "")),
        "stock": _stock(draft.stock),
        "for sale": "yes" if draft.active else "no",
        "pictures": str(len(draft.images)),
        "delivery": _delivery(
            delivery.kind,
            [file.name for file in delivery.files],
            delivery.text,
            delivery.max_downloads,
            delivery.download_days,
        ),
    }


def merged(
    product: Product, theirs: Mapping[str, Written], changes: Sequence[Change], *, overwrite: bool
) -> dict[str, Written]:
    """The shop's product with what has changed there, as a catalogue file says it."""
    values = entry_of(product)
    taken = {change.what for change in changes if overwrite or not change.kept}
    for what, name in (
        *((name, name) for name in ("title", "summary", "description", "category", "stock")),
        ("delivery", "delivery"),
        ("for sale", "active"),
        ("pictures", "images"),
    ):
        if what in taken:
            values.pop(name, None)
            values |= {name: theirs[name]} if name in theirs else {}
    if "price" in taken:
        values["prices"] = {**cast("Prices", values["prices"]), **cast("Prices", theirs["prices"])}
    return values


def remember(
    session: Session,
    system: str,
    carried: Sequence[Carried],
    products: Mapping[str, Known],
    base_currency: str,
) -> None:
    """Note what the file said of what is carried now; a part of the import's transaction."""
    statement = select(MovedProduct).where(MovedProduct.system == system)
    moved = {each.key: each for each in session.scalars(statement)}
    fresh = []
    for each in carried:
        text = json.dumps(said(each.draft, base_currency), ensure_ascii=False)
        if row := moved.get(each.found.key):
            row.said = text
        else:
            bound = {"key": each.found.key, "product_id": products[each.slug].id}
            fresh.append({"system": system, **bound, "said": text})
    if fresh:
        session.execute(insert(MovedProduct), fresh)


def _moved(system: str) -> Select[MovedProduct]:
    parts = selectinload(MovedProduct.product)
    return (
        select(MovedProduct)
        .where(MovedProduct.system == system)
        .options(
            parts.selectinload(Product.prices),
            parts.selectinload(Product.images),
            parts.selectinload(Product.category),
            parts.selectinload(Product.more_files),
        )
    )


def _said_here(product: Product, base_currency: str) -> Said:
    """The same of a product as it is here."""
    return {
        "title": product.title,
        "summary": product.summary,
        "description": product.description,
        "category": product.category.slug if product.category else "",
        "price": next((str(p.minor) for p in product.prices if p.currency == base_currency), ""),
        "stock": _stock(product.stock_total),
        "for sale": "yes" if product.active else "no",
        "pictures": str(len(product.images)),
        "delivery": _delivery(
            product.delivery_kind,
            [file.rpartition("/")[2] for file, _ in product.files],
            product.delivery_text,
            product.max_downloads,
            product.download_days,
        ),
    }


def _changes(each: Carried, now: Said, last: Said, here: Said) -> Iterator[Change]:
    """What the file says otherwise than last time, and the shop does not say yet."""
    silent = set()
    if (
        MISSING_GOODS in each.draft.delivery.text
    ):  # the file holds no goods, which is not to say that the product has none here
        silent = {"delivery"} if each.found.off else {"delivery", "for sale"}
    if not each.draft.images:
        silent.add("pictures")
    for what, there in now.items():
        if what in silent or there in (last.get(what), here[what]):
            continue
        # The number at hand there is none in all here, which sold units are a part of.
        kept = here[what] != last.get(what) or what == "stock"
        yield Change(what, here[what], there, kept)


def _delivery(
    kind: DeliveryKind, files: Sequence[str], text: str, downloads: int | None, days: int | None
) -> str:
    limits = [
        f"{name}: {figure}" for name, figure in (("downloads", downloads), ("days", days)) if figure
    ]
    return "\n".join(filter(None, (" ".join([kind, *files]), text, *limits)))


def _stock(figure: int | None) -> str:
    return "unlimited" if figure is None else str(figure)
