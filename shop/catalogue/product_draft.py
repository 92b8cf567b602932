"""A product as it is to become, and how much of everything it may have; `product_rules` makes one of plain values."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from .images import PreparedImage
from .models import DeliveryKind

LONGEST_TEXT = 20_000
LONGEST_TITLE = 120
LONGEST_SUMMARY = 240
LONGEST_CATEGORY = 80
LONGEST_SLUG = 80
LONGEST_ALT = 240
MISSING_GOODS = "[[The goods are missing: put a file, keys or a text here]]"
"""What stands in place of goods that another shop's file does not hold; no buyer is ever handed this."""
LARGEST_STOCK = 1_000_000_000
MOST_DOWNLOADS = 1000
LONGEST_DOWNLOAD_DAYS = 3650
MOST_FILES = 50
"""Of one product; each is a link in the mail."""


@dataclass(frozen=True, slots=True)
class CategoryDraft:
    """A category as it is to become."""

    slug: str
    title: str
    summary: str


@dataclass(frozen=True, slots=True)
class ImageDraft:
    """A picture and what it shows."""

    image: PreparedImage
    alt: str


@dataclass(frozen=True, slots=True)
class DeliveryDraft:
    """What the buyer gets, and on what terms."""

    kind: DeliveryKind = DeliveryKind.TEXT
    text: str = ""
    markdown: bool = True
    files: tuple[Path, ...] = ()
    max_downloads: int | None = None
    download_days: int | None = None
    low_stock: int | None = None


@dataclass(frozen=True, slots=True)
class ProductDraft:
    """A product, checked as far as that goes without the database."""

    slug: str
    category: str
    """The category's slug; empty for none."""
    title: str
    summary: str
    description: str
    active: bool
    prices: dict[str, int]
    """Minor units by currency."""
    stock: int | None
    """Units put on sale in all; None is unlimited, or counted by licence keys."""
    most_per_order: int | None
    delivery: DeliveryDraft
    images: list[ImageDraft]
    honour_late_hours: int | None
    """How late money still buys it; None is what the shop's setting says."""
