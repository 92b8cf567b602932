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
    priced,
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
    values: dict[str, object] = {"size": PAGE_SIZE, "skipped": (number - 1) * PAGE_SIZE}
    if choice.category:
        values["category"] = choice.category
    if choice.terms:
        values["terms"] = search.expression(choice.terms, engine)
    if sort in (Sort.PRICE_UP, Sort.PRICE_DOWN):
        values |= _price_values(currency)
    statement = _statement(engine, bool(choice.category), bool(choice.terms), sort)
    rows = read_offers(statement, currency, **values)
    return ListPage(offers_from(rows, currency), rows[0].total if rows else 0)


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


def _first_key(sort: Sort, found: Any) -> Any:
    """What a list is sorted by before anything else."""
    match sort:
        case Sort.PRICE_UP | Sort.PRICE_DOWN:
            return _sorting_price()
        case Sort.NEWEST:
            return products.c.created_at
        case Sort.NAME:
            return products.c.name_key
        case _:
            return products.c.position if found is None else found.c.rank


def _in_order(sort: Sort, first_key: Any) -> list[Any]:
    match sort:
        case Sort.PRICE_UP:
            return [first_key.asc().nulls_last(), *IN_SHOP_ORDER]
        case Sort.PRICE_DOWN:
            return [first_key.desc().nulls_last(), *IN_SHOP_ORDER]
        case Sort.NEWEST:
            return [first_key.desc(), *IN_SHOP_ORDER]
        case Sort.NAME:
            return [first_key, products.c.id]
        case _:
            return [first_key, *IN_SHOP_ORDER]


def _narrowed(statement: Select[Any], in_category: bool, found: Any) -> Select[Any]:
    statement = statement.where(products.c.active)
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
    """The products of a page are chosen first, by the index of their order, and only they are looked up whole."""
    found = search.FOUND[engine] if searching else None
    first_key = _first_key(sort, found)
    chosen = select(products.c.id, first_key.label("first_key"))
    total: Any
    if searching:  # all that is found has to be looked at to find the best
        chosen = chosen.add_columns(func.count().over().label("total"))
    if sort in (Sort.PRICE_UP, Sort.PRICE_DOWN):
        chosen = priced(chosen.select_from(products))
    page = (
        _narrowed(chosen, in_category, found)
        .order_by(*_in_order(sort, first_key))
        .limit(bindparam("size"))
        .offset(bindparam("skipped"))
        .subquery("page")
    )
    if searching:
        total = page.c.total
    else:
        count = select(func.count()).select_from(products)
        total = _narrowed(count, in_category, None).scalar_subquery().label("total")
    return (
        offer_columns(page.join(products, products.c.id == page.c.id))
        .add_columns(total)
        .order_by(*_in_order(sort, page.c.first_key))
    )
