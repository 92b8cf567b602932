"""Categories, products, their prices and images, and the exchange rates that fill in missing prices."""

from __future__ import annotations

import enum
import re
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Index,
    String,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column, relationship, validates

from ..columns import UtcDateTime, enum_column
from ..db import Base, utcnow
from ..money import Money
from .alphabet import name_key


class DeliveryKind(enum.StrEnum):
    """What a buyer gets: a text or link, a file to download, or a licence key out of the stock."""

    TEXT = "text"
    FILE = "file"
    KEY = "key"


SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
"""What a product or category is called in addresses."""

SORTED_BY_SIGN = Text().with_variant(Text(collation="C"), "postgresql")
"""A text that is sorted as Python sorts it, whatever language the database was made for."""

RATE_PLACES = 8
"""How many decimal places an exchange rate may have."""


class Category(Base):
    """A shelf of the shop. It is seen while something in it is for sale, and never deleted."""

    __tablename__ = "categories"

    id: Mapped[int] = mapped_column(primary_key=True)
    slug: Mapped[str] = mapped_column(String(80), unique=True)
    position: Mapped[int] = mapped_column(default=0)
    title: Mapped[str] = mapped_column(String(80))
    summary: Mapped[str] = mapped_column(String(240), default="")


def _for_lists(name: str, *columns: Any) -> Index:
    """An index in the order of a list: a page of it is found without a look at the products of others."""
    return Index(
        f"ix_products_{name}",
        *columns,
        sqlite_where=text("active = 1"),
        postgresql_where=text("active"),
    )


class Product(Base):
    """One thing for sale. Products are never deleted, only withdrawn: old orders point at them.

    The database keeps a search index of the texts beside this table (migration categories_and_search), which
    no model knows of.
    """

    __tablename__ = "products"
    __table_args__ = (
        CheckConstraint("available >= 0", name="available"),
        _for_lists("in_shop_order", "position", "id"),
        _for_lists("of_category", "category_id", "position", "id"),
        _for_lists("by_name", "name_key", "id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    slug: Mapped[str] = mapped_column(String(80), unique=True, insert_sentinel=True)
    """Also tells new rows apart, without which SQLite is sent each of them alone."""
    position: Mapped[int] = mapped_column(default=0)
    category_id: Mapped[int | None] = mapped_column(ForeignKey("categories.id"), index=True)
    title: Mapped[str] = mapped_column(String(120))
    name_key: Mapped[str] = mapped_column(SORTED_BY_SIGN, default="")
    """What the title is sorted by; whoever writes a title without an object writes it too."""
    summary: Mapped[str] = mapped_column(String(240))
    description: Mapped[str] = mapped_column(Text, default="")
    """Markdown."""
    active: Mapped[bool] = mapped_column(default=True)
    available: Mapped[int | None]
    """Units that may still be sold; None is unlimited. For licence keys: keys without a buyer."""
    stock_total: Mapped[int | None]
    """Units put on sale in all, as the catalogue file says; None is unlimited, or licence keys."""
    taken: Mapped[int] = mapped_column(default=0)
    """Units held for orders or sold, also while the stock is unlimited."""
    most_per_order: Mapped[int | None]
    """How many units one order may have; None is as many as any order line."""
    delivery_kind: Mapped[DeliveryKind] = mapped_column(
        enum_column(DeliveryKind, "delivery_kind", length=10)
    )
    delivery_text: Mapped[str] = mapped_column(Text, default="")
    """What the buyer reads: the goods themselves for a text, instructions otherwise."""
    delivery_markdown: Mapped[bool] = mapped_column(default=True)
    """Whether that is Markdown, as instructions are; a text that is the goods only if its file says so."""
    delivery_file: Mapped[str] = mapped_column(String(255), default="")
    """The goods file's name in the storage; further ones are in `more_files`."""
    delivery_size: Mapped[int | None] = mapped_column(BigInteger)
    """The goods file's size in bytes, as it was imported."""
    max_downloads: Mapped[int | None]
    """How often a buyer may download the file; None is as often as they like."""
    download_days: Mapped[int | None]
    """For how many days after the hand-over the file may be downloaded; None is without end."""
    low_stock: Mapped[int | None]
    """A person is told when fewer licence keys than this are on sale; None is never."""
    honour_late_hours: Mapped[int | None]
    """Money so many hours after an order's end still buys this; None is SHOP_LATE_PAYMENT_HOURS."""
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow, onupdate=utcnow)

    category: Mapped[Category | None] = relationship()
    prices: Mapped[list[Price]] = relationship(cascade="all, delete-orphan")
    images: Mapped[list[ProductImage]] = relationship(
        cascade="all, delete-orphan", order_by="ProductImage.position"
    )
    more_files: Mapped[list[ProductFile]] = relationship(
        cascade="all, delete-orphan", order_by="ProductFile.position"
    )

    @validates("title")
    def _sort_by_title(self, _: str, title: str) -> str:
        self.name_key = name_key(title)
        return title

    @property
    def files(self) -> list[tuple[str, int | None]]:
        """Name and size of each goods file, in the order in which buyers are shown them."""
        more = [(file.name, file.size) for file in self.more_files]
        return [(self.delivery_file, self.delivery_size), *more] if self.delivery_file else []


_for_lists("newest", Product.created_at.desc(), Product.position, Product.id)


class Price(Base):
    """What one unit costs in one currency; 0 is free. Each product has one in the shop's base currency."""

    __tablename__ = "prices"
    __table_args__ = (CheckConstraint("minor >= 0", name="minor"),)

    product_id: Mapped[int] = mapped_column(ForeignKey("products.id"), primary_key=True)
    currency: Mapped[str] = mapped_column(String(3), primary_key=True)
    minor: Mapped[int] = mapped_column(BigInteger)

    @property
    def money(self) -> Money:
        """The price as money."""
        return Money(self.minor, self.currency)


class ExchangeRate(Base):
    """How many units of `currency` one unit of `base_currency` is worth, and since when."""

    __tablename__ = "exchange_rates"
    __table_args__ = (CheckConstraint("rate_e8 > 0", name="rate_e8"),)

    currency: Mapped[str] = mapped_column(String(3), primary_key=True)
    base_currency: Mapped[str] = mapped_column(String(3))
    """The shop's base currency when the rate was set: of another one it means nothing. Empty is not known."""
    rate_e8: Mapped[int] = mapped_column(BigInteger)
    """The rate times 10**8: a whole number, because SQLite would keep a decimal as a float."""
    set_at: Mapped[datetime] = mapped_column(UtcDateTime)

    @property
    def rate(self) -> Decimal:
        """The exact rate."""
        return Decimal(self.rate_e8).scaleb(-RATE_PLACES)


class CatalogueVersion(Base):
    """The name of the catalogue's present state, in one row; triggers change it (migration the_catalogues_version)."""

    __tablename__ = "catalogue_version"

    version: Mapped[str] = mapped_column(String(36), primary_key=True)


class FormerAddress(Base):
    """Where a product or a category was before: in the shop that it moved from, or under another name here."""

    __tablename__ = "former_addresses"
    __table_args__ = (
        CheckConstraint("(product_id IS NULL) <> (category_id IS NULL)", name="one_target"),
    )

    path: Mapped[str] = mapped_column(String(400), primary_key=True)
    """In one spelling: decoded, without the language and without a slash at its end."""
    query: Mapped[str] = mapped_column(String(200), primary_key=True)
    """What of the query names the page, in the order of the alphabet; empty where the path does."""
    product_id: Mapped[int | None] = mapped_column(ForeignKey("products.id"))
    category_id: Mapped[int | None] = mapped_column(ForeignKey("categories.id"))


class ProductFile(Base):
    """A goods file of a product that has several; the first stands in the product itself."""

    __tablename__ = "product_files"

    product_id: Mapped[int] = mapped_column(ForeignKey("products.id"), primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    """From 2 on."""
    name: Mapped[str] = mapped_column(String(255))
    """In the storage."""
    size: Mapped[int | None] = mapped_column(BigInteger)


class ProductImage(Base):
    """A picture of a product, stored in several widths below the data folder's `media/`."""

    __tablename__ = "product_images"
    __table_args__ = (UniqueConstraint("product_id", "position"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    product_id: Mapped[int] = mapped_column(ForeignKey("products.id"))
    position: Mapped[int]
    name: Mapped[str] = mapped_column(String(80))
    """The file name without width and ending: the content's hash, so it never goes stale."""
    alt: Mapped[str] = mapped_column(String(240))
    width: Mapped[int]
    height: Mapped[int]


class MovedProduct(Base):
    """Where a product came from, and what that shop's file said of it when it was taken over last.

    So the next file changes what has changed there, and leaves alone what was changed here.
    """

    __tablename__ = "moved_products"
    __table_args__ = (UniqueConstraint("system", "key"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    system: Mapped[str] = mapped_column(String(40))
    key: Mapped[str] = mapped_column(String(255))
    """What the product is called there for good."""
    product_id: Mapped[int] = mapped_column(ForeignKey("products.id"), unique=True)
    said: Mapped[str] = mapped_column(Text)
    """JSON: texts by the name of what they are about."""

    product: Mapped[Product] = relationship()
