"""What the catalogue's templates are given, with every address made without a call per item."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from flask import request, url_for
from flask_babel import gettext
from markupsafe import Markup

from ..config import current_settings
from ..i18n import currency_name, readable_size
from ..money import Money
from .goods import goods, size_of
from .images import WIDTHS, widths
from .markdown import render
from .models import DeliveryKind
from .queries import Offer, StoredImage


@dataclass(frozen=True, slots=True)
class Picture:
    """An image as an `img` element wants it."""

    alt: str
    width: int
    height: int
    src: str
    srcset: str


@dataclass(frozen=True, slots=True)
class Card:
    """A product on the index page."""

    slug: str
    title: str
    summary: str
    price: Money | None
    image: Picture | None
    sold_out: bool
    left: int | None
    url: str


@dataclass(frozen=True, slots=True)
class ProductPage:
    """A product on its own page."""

    slug: str
    title: str
    summary: str
    description: Markup
    price: Money | None
    images: list[Picture]
    delivery_note: str
    left: int | None
    sold_out: bool
    max_quantity: int


@dataclass(frozen=True, slots=True)
class CurrencyLink:
    """The same page in another currency."""

    code: str
    name: str
    url: str
    current: bool


def cards(offers: Iterable[Offer], currency: str) -> list[Card]:
    """The offers as cards."""
    # One call and a prefix: url_for for every card would cost half the page.
    prefix = url_for("catalogue.product", slug="-")[:-1]
    query = _query(currency)
    folder = media_prefix()
    return [
        Card(
            slug=offer.slug,
            title=offer.title,
            summary=offer.summary,
            price=offer.price,
            image=picture(offer.image, folder) if offer.image else None,
            sold_out=offer.sold_out,
            left=offer.left,
            url=f"{prefix}{offer.slug}{query}",
        )
        for offer in offers
    ]


def delivery_note(offer: Offer) -> str:
    """How and how soon the buyer gets it, for the product page."""
    if offer.kind is DeliveryKind.KEY:
        return gettext(
            "Licence key, shown on the order page and sent by email as soon as the payment is confirmed"
        )
    if offer.kind is DeliveryKind.TEXT:
        return gettext(
            "A text with all you need, shown on the order page and sent by email "
            "as soon as the payment is confirmed"
        )
    path = goods(current_settings().shop_data_dir) / offer.delivery_file
    size = size_of(path)
    facts = [path.suffix[1:].upper(), readable_size(size) if size is not None else ""]
    return gettext(
        "File (%(facts)s), to download from the order page or from a link sent by email "
        "as soon as the payment is confirmed",
        facts=", ".join(filter(None, facts)) or path.name,
    )


def product_page(offer: Offer, images: list[StoredImage]) -> ProductPage:
    """What the product page shows of an offer."""
    folder = media_prefix()
    return ProductPage(
        slug=offer.slug,
        title=offer.title,
        summary=offer.summary,
        description=render(offer.description),
        price=offer.price,
        images=[picture(image, folder) for image in images],
        delivery_note=delivery_note(offer),
        left=offer.left,
        sold_out=offer.sold_out,
        max_quantity=offer.max_quantity,
    )


def chosen_currency() -> str:
    """The currency asked for, or the base currency where the shop has no such one."""
    settings = current_settings()
    wanted = request.args.get("currency", "")
    return wanted if wanted in settings.shop_currencies else settings.shop_base_currency


def _query(currency: str) -> str:
    """The base currency has the bare address, so that a page has one address in it."""
    return "" if currency == current_settings().shop_base_currency else f"?currency={currency}"


def currency_links(path: str, current: str) -> list[CurrencyLink]:
    """The page at `path` in each of the shop's currencies."""
    return [
        CurrencyLink(code, currency_name(code), path + _query(code), code == current)
        for code in current_settings().shop_currencies
    ]


def media_prefix() -> str:
    """What the addresses of all images start with: the same in every language."""
    return url_for("catalogue.media", name="-")[:-1].removeprefix(request.script_root)


def picture(image: StoredImage, prefix: str) -> Picture:
    """The image with the addresses of its widths."""
    stored = widths(image.width)
    middle = max(w for w in stored if w <= WIDTHS[1] or w == stored[0])
    return Picture(
        alt=image.alt,
        width=image.width,
        height=image.height,
        src=f"{prefix}{image.name}-{middle}.webp",
        srcset=", ".join(f"{prefix}{image.name}-{w}.webp {w}w" for w in stored),
    )
