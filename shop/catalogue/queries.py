"""Reads of the catalogue, by SQLAlchemy Core: a page needs rows, not objects that are watched."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from sqlalchemy import (
    FromClause,
    Row,
    Select,
    Table,
    and_,
    bindparam,
    exists,
    literal,
    literal_column,
    select,
    union_all,
)

from ..config import current_settings
from ..db import db, utcnow
from ..money import Money
from ..reading import reading
from .models import (
    SLUG,
    Category,
    DeliveryKind,
    ExchangeRate,
    Price,
    Product,
    ProductFile,
    ProductImage,
)
from .pricing import PriceList, is_fresh, listed, unit_price, why_unused

MAX_QUANTITY = 99
"""How many units of one product a cart line may have."""

OFFERS = 500
"""How many are kept, at about 3 KB each."""

categories: Table = Category.__table__  # type: ignore[assignment]
products: Table = Product.__table__  # type: ignore[assignment]
prices: Table = Price.__table__  # type: ignore[assignment]
rates: Table = ExchangeRate.__table__  # type: ignore[assignment]
images: Table = ProductImage.__table__  # type: ignore[assignment]
files: Table = ProductFile.__table__  # type: ignore[assignment]
_own = prices.alias("own")
_base = prices.alias("base")
own_price = _own.c.minor
base_price = _base.c.minor
IN_SHOP_ORDER = (products.c.position, products.c.id)


@dataclass(frozen=True, slots=True)
class StoredImage:
    """A picture as the database knows it."""

    name: str
    alt: str
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class StoredCategory:
    """A category as the database knows it."""

    slug: str
    title: str
    summary: str


@dataclass(frozen=True, slots=True)
class Offer:
    """A product that is for sale, priced in one currency."""

    id: int
    slug: str
    title: str
    summary: str
    description: str
    """Of a single product; empty for those of a list or a cart."""
    kind: DeliveryKind
    delivery_file: str
    delivery_size: int | None
    max_downloads: int | None
    download_days: int | None
    left: int | None
    most_per_order: int | None
    """How many units one order may have; one of what is free. None is what everybody may order at most."""
    price: Money | None
    base_price: Money | None
    """In the shop's base currency. Without one it cannot be bought in any."""
    image: StoredImage | None
    """The first picture."""
    category: str
    """The category's slug; empty for none."""
    category_title: str

    def __hash__(self) -> int:
        return (
            self.id
        )  # what is made of an offer is kept by it: to hash its texts would take longer

    @property
    def sold_out(self) -> bool:
        """Whether no unit is left."""
        return self.left == 0

    @property
    def left_to_show(self) -> int | None:
        """How many units are left, while that can be told from many: pages are kept until it changes."""
        return self.left if self.left is not None and self.left <= MAX_QUANTITY else None

    @property
    def is_free(self) -> bool:
        """Whether it costs nothing, in whatever currency."""
        return self.base_price is not None and not self.base_price.minor

    @property
    def max_quantity(self) -> int:
        """How many units one cart may hold."""
        bounds = (MAX_QUANTITY, self.left, self.most_per_order)
        return min(bound for bound in bounds if bound is not None)


def priced(statement: Select[Any]) -> Select[Any]:
    """The statement with what prices each of its products in `:currency`."""
    return (
        statement.outerjoin(_own, _priced_in(_own, "currency"))
        .outerjoin(_base, _priced_in(_base, "base_currency"))
        .outerjoin(rates, _rate_to("currency"))
    )


def offer_columns(source: FromClause = products, *, described: bool = False) -> Select[Any]:
    """Active products with what prices them in `:currency` and their first image: one statement.

    The products may be joined to something else in `source`. Their descriptions are read only where they are
    shown: each may be longer than all that a list shows.
    """
    description = products.c.description if described else literal_column("''").label("description")
    return (
        priced(select(
            products.c.id, products.c.slug, products.c.title, products.c.summary,
            description, products.c.delivery_kind, products.c.delivery_file,
            products.c.available, products.c.delivery_size, products.c.max_downloads, products.c.download_days,
            products.c.most_per_order,
            _own.c.minor.label("own"), _base.c.minor.label("base"),
            rates.c.rate_e8, rates.c.set_at,
            images.c.name.label("image"), images.c.alt, images.c.width, images.c.height,
            categories.c.slug.label("category"), categories.c.title.label("category_title"),
        ).select_from(source))
        .outerjoin(images, and_(images.c.product_id == products.c.id, images.c.position == 0))
        .outerjoin(categories, categories.c.id == products.c.category_id)
        .where(products.c.active)
    )  # fmt: skip


def _priced_in(table: Any, parameter: str) -> Any:
    return and_(table.c.product_id == products.c.id, table.c.currency == bindparam(parameter))


def _rate_to(parameter: str) -> Any:
    """The rate from the base currency of today; one of another base would be off by what lies between."""
    of_base = rates.c.base_currency == bindparam("base_currency")
    return and_(rates.c.currency == bindparam(parameter), of_base)


# Built once: composing a statement costs more than running it.
_ONE = offer_columns(described=True).where(products.c.slug == bindparam("slug"))
_SOME = offer_columns().where(products.c.slug.in_(bindparam("slugs", expanding=True)))
_CATEGORIES = (
    select(categories.c.slug, categories.c.title, categories.c.summary)
    .where(exists().where(products.c.category_id == categories.c.id, products.c.active))
    .order_by(categories.c.position, categories.c.id)
)
_LAST_CHANGES = (
    select(products.c.slug, categories.c.slug.label("category"), products.c.updated_at)
    .outerjoin(categories, categories.c.id == products.c.category_id)
    .where(products.c.active)
    .order_by(*IN_SHOP_ORDER)
)
_BASE_PRICES = (
    select(
        products.c.slug,
        products.c.active,
        products.c.available,
        products.c.delivery_text,
        _base.c.minor,
    )
    .outerjoin(_base, _priced_in(_base, "base_currency"))
    .order_by(*IN_SHOP_ORDER)
)
_PICTURES_AND_FILES = union_all(
    select(literal(0).label("part"), images.c.position, images.c.name,
           images.c.alt, images.c.width, images.c.height, literal(None, files.c.size.type).label("size"))
    .where(images.c.product_id == bindparam("product_id")),
    select(literal(1), files.c.position, files.c.name, literal(""), literal(0), literal(0), files.c.size)
    .where(files.c.product_id == bindparam("product_id")),
).order_by("part", "position")  # fmt: skip
_OWN_PRICES = (
    select(products.c.slug, prices.c.currency, prices.c.minor)
    .join(prices, prices.c.product_id == products.c.id)
    .where(products.c.active, products.c.slug.in_(bindparam("slugs", expanding=True)))
)
_RATES = select(rates).order_by(rates.c.currency)


def categories_for_sale() -> list[StoredCategory]:
    """The categories in which something is for sale, in the shop's order."""
    return [StoredCategory(*row) for row in reading().execute(_CATEGORIES)]


def last_changes() -> Sequence[Row[Any, Any, Any]]:
    """Of everything for sale, in the shop's order: its slug, its category's, and when it was changed."""
    return reading().execute(_LAST_CHANGES).all()


def base_prices() -> list[tuple[Row[Any, Any, Any, Any, Any], Money | None]]:
    """Every product (slug, active, available, delivery_text), with the price without which nobody can buy it."""
    base = current_settings().shop_base_currency
    rows = reading().execute(_BASE_PRICES, {"base_currency": base})
    return [(row, listed(row.minor, base)) for row in rows.all()]


def find_offers(slugs: Collection[str], currency: str) -> dict[str, Offer]:
    """The products among `slugs` that are for sale, by slug; no others are in the answer."""
    if not (asked := _real(slugs)):
        return {}
    rows = read_offers(_SOME, currency, slugs=asked)
    return {offer.slug: offer for offer in offers_from(rows, currency)}


def find_offer(slug: str, currency: str) -> Offer | None:
    """The product if it is for sale."""
    if not _real([slug]):
        return None
    return next(iter(offers_from(read_offers(_ONE, currency, slug=slug), currency)), None)


def find_product(slug: str) -> Product | None:
    """The product, for sale or not, as an object that can be changed."""
    return db.session.scalar(select(Product).where(Product.slug == slug))


def pictures_and_files(offer: Offer) -> tuple[list[StoredImage], list[tuple[str, int | None]]]:
    """The product's pictures in order; and name and size of each file that the buyer gets, where it is files."""
    rows = reading().execute(_PICTURES_AND_FILES, {"product_id": offer.id}).all()
    pictures = [StoredImage(*row[2:6]) for row in rows if not row.part]
    if not offer.delivery_file:
        return pictures, []
    more = [(row.name, row.size) for row in rows if row.part]
    return pictures, [(offer.delivery_file, offer.delivery_size), *more]


def price_list(slugs: Iterable[str]) -> PriceList:
    """The prices of products that are for sale, in all currencies, for carts and orders."""
    own: dict[str, dict[str, int]] = defaultdict(dict)
    rows = reading().execute(_OWN_PRICES, {"slugs": _real(slugs)})
    for slug, currency, minor in rows:
        own[slug][currency] = minor
    settings = current_settings()
    usable = {rate.currency: rate.rate_e8 for rate, unused in rates_with_faults() if not unused}
    return PriceList(settings.shop_base_currency, own, usable)


RateRow = Row[Any]
"""An exchange rate: currency, base_currency, rate_e8, set_at."""


def rates_with_faults() -> list[tuple[RateRow, str]]:
    """Every exchange rate, and why it is not used; empty for one that is."""
    rows = reading().execute(_RATES)
    return [(row, why_unused(row.base_currency, row.set_at)) for row in rows]


def _real(slugs: Iterable[str]) -> list[str]:
    """The texts that could be slugs at all: a database may choke on what a visitor can type."""
    return [slug for slug in slugs if SLUG.fullmatch(slug)]


def read_offers(statement: Select[Any], currency: str, **values: Any) -> Sequence[Row[Any]]:
    """The rows of a statement that was made of `offer_columns`."""
    values |= {"currency": currency, "base_currency": current_settings().shop_base_currency}
    return reading().execute(statement, values).all()


def offers_from(rows: Iterable[Row[Any]], currency: str) -> list[Offer]:
    """The rows as offers."""
    settings = current_settings()
    base, max_age, now = settings.shop_base_currency, settings.shop_rate_max_age_days, utcnow()
    return [
        _offer(row, currency, base, row.rate_e8 is not None and is_fresh(row.set_at, max_age, now))
        for row in rows
    ]


@lru_cache(maxsize=OFFERS)
def _offer(row: Row[Any], currency: str, base: str, usable: bool) -> Offer:
    """The row as an offer; the same one, as long as nothing in the row has changed."""
    base_price = listed(row.base, base)
    return Offer(
        id=row.id,
        slug=row.slug,
        title=row.title,
        summary=row.summary,
        description=row.description,
        kind=row.delivery_kind,
        delivery_file=row.delivery_file,
        delivery_size=row.delivery_size,
        max_downloads=row.max_downloads,
        download_days=row.download_days,
        left=row.available,
        most_per_order=1 if row.base == 0 else row.most_per_order,
        price=unit_price(row.own, base_price, row.rate_e8 if usable else None, currency),
        base_price=base_price,
        image=row.image and StoredImage(row.image, row.alt, row.width, row.height),
        category=row.category or "",
        category_title=row.category_title or "",
    )
