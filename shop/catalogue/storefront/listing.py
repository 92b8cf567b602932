"""Lists of products: everything, a category or what a search finds; in a chosen order, page by page."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from typing import Any

from sqlalchemy import Float, Select, and_, bindparam, case, cast, func, select

from ...config import current_settings
from ...db import db, utcnow
from ...money import LARGEST_PRICE, exponent
from ..models import RATE_PLACES
from ..queries import (
    IN_SHOP_ORDER,
    Offer,
    base_price,
    categories,
    offer_columns,
    offers_from,
    own_price,
    products,
    rates,
    read_offers,
)
from . import search

PAGE_SIZE = 24


class Sort(enum.StrEnum):
    """In which order a list is; the value stands in addresses."""

    SHOP = ""
    """The shop's own, or of a search the best first."""
    PRICE_UP = "price"
    PRICE_DOWN = "price-down"
    NEWEST = "newest"
    NAME = "name"


@dataclass(frozen=True, slots=True)
class Choice:
    """Which products a list is of: all, unless a category or words are given."""

    category: str = ""
    terms: tuple[str, ...] | None = None
    """An empty tuple is a search for nothing that could be found."""


@dataclass(frozen=True, slots=True)
class ListPage:
    """One page of a list."""

    offers: Sequence[Offer]
    total: int
    """How many products are on all pages; 0 also for a page after the last."""

    @property
    def last(self) -> int:
        """The number of the last page."""
        return max(1, -(-self.total // PAGE_SIZE))


def list_page(choice: Choice, currency: str, sort: Sort, number: int) -> ListPage:
    """The page of this number."""
    if choice.terms == ():
        return ListPage([], 0)
    engine = db.engine.dialect.name
    values: dict[str, object] = {}
    if choice.category:
        values["category"] = choice.category
    if choice.terms:
        values["terms"] = search.expression(choice.terms, engine)
    skipped = (number - 1) * PAGE_SIZE
    if sort is Sort.NAME:
        return _page_by_name(choice, engine, currency, skipped, values)
    values |= {"size": PAGE_SIZE, "skipped": skipped}
    if sort in (Sort.PRICE_UP, Sort.PRICE_DOWN):
        values |= _price_values(currency)
    statement = _statement(engine, bool(choice.category), bool(choice.terms), sort)
    rows = read_offers(statement, currency, **values)
    return ListPage(offers_from(rows, currency), rows[0].total if rows else 0)


def _page_by_name(
    choice: Choice, engine: str, currency: str, skipped: int, values: dict[str, object]
) -> ListPage:
    """By titles sorted here: the two databases disagree about letters, and SQLite knows only a to z."""
    statement = _titles(engine, bool(choice.category), bool(choice.terms))
    rows = db.session.connection().execute(statement, values).all()
    ids = [row.id for row in sorted(rows, key=lambda row: (name_key(row.title), row.id))]
    ids = ids[skipped : skipped + PAGE_SIZE]
    offers = {
        offer.id: offer for offer in offers_from(read_offers(_BY_ID, currency, ids=ids), currency)
    }
    return ListPage([offers[id] for id in ids if id in offers], len(rows) if ids else 0)


AFTER = str.maketrans(
    {"ё": "е\uffff", "ґ": "г\uffff", "є": "е\ufffe", "і": "и\ufffe", "ї": "и\uffff"}
)
"""Letters that stand elsewhere in the alphabet than in Unicode."""


def name_key(title: str) -> str:
    """What titles are sorted by: case and leading quotation marks do not count."""
    return title.casefold().translate(AFTER).lstrip("\"'«„“‘( ")


def _price_values(currency: str) -> dict[str, object]:
    settings = current_settings()
    places = exponent(currency) - exponent(settings.shop_base_currency) - RATE_PLACES
    oldest = utcnow() - timedelta(days=settings.shop_rate_max_age_days)
    return {"scale": 10.0**places, "oldest": oldest}


def _sorting_price() -> Any:
    """The price in the chosen currency before it is rounded, as a float; NULL where it has none.

    Exact enough, because rounding keeps an order and a float errs by less than a minor unit below
    90 trillion: of two prices a buyer sees, the smaller is never put after the larger.
    """
    converted = cast(base_price, Float) * rates.c.rate_e8 * bindparam("scale", type_=Float)
    price = case(
        (own_price.is_not(None), cast(own_price, Float)),
        (base_price == 0, 0.0),  # free, in every currency and without a rate
        # Smaller ones round to nothing; see pricing.unit_price.
        (and_(rates.c.set_at >= bindparam("oldest"), converted > 0.5), converted),
    )
    return case((and_(base_price <= LARGEST_PRICE, price <= LARGEST_PRICE), price))


def _sorted_by(sort: Sort, found: Any) -> list[Any]:
    match sort:
        case Sort.PRICE_UP:
            return [_sorting_price().asc().nulls_last(), *IN_SHOP_ORDER]
        case Sort.PRICE_DOWN:
            return [_sorting_price().desc().nulls_last(), *IN_SHOP_ORDER]
        case Sort.NEWEST:
            return [products.c.created_at.desc(), *IN_SHOP_ORDER]
        case _:
            return [*IN_SHOP_ORDER] if found is None else [found.c.rank, *IN_SHOP_ORDER]


def _narrowed(statement: Select[Any], in_category: bool, found: Any) -> Select[Any]:
    if in_category:
        statement = statement.where(
            products.c.category_id
            == select(categories.c.id)
            .where(categories.c.slug == bindparam("category"))
            .scalar_subquery()
        )
    return statement if found is None else statement.join(found, found.c.id == products.c.id)


@lru_cache  # composing a statement costs more than running it
def _statement(engine: str, in_category: bool, searching: bool, sort: Sort) -> Select[Any]:
    found = search.FOUND[engine] if searching else None
    total = func.count().over().label("total")
    return (
        _narrowed(offer_columns().add_columns(total), in_category, found)
        .order_by(*_sorted_by(sort, found))
        .limit(bindparam("size"))
        .offset(bindparam("skipped"))
    )


@lru_cache
def _titles(engine: str, in_category: bool, searching: bool) -> Select[Any]:
    found = search.FOUND[engine] if searching else None
    statement = select(products.c.id, products.c.title).where(products.c.active)
    return _narrowed(statement, in_category, found)


_BY_ID = offer_columns().where(products.c.id.in_(bindparam("ids", expanding=True)))
