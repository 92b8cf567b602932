"""What the catalogue's templates are given, with every address made without a call per item."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from flask import request
from flask_babel import gettext
from markupsafe import Markup

from ...config import current_settings
from ...i18n import currency_name, language
from ...money import Money
from ..images import WIDTHS, widths
from ..markdown import plain, render
from ..queries import OFFERS, Offer, StoredCategory, StoredImage
from .addresses import ListAddress, currency_query, start_of
from .delivery_notes import Files, delivery_note
from .listing import ListPage, Sort


@dataclass(frozen=True, slots=True)
class Picture:
    """An image as an `img` element wants it."""

    alt: str
    width: int
    height: int
    src: str
    srcset: str
    largest: str = ""
    """Where the widest copy is."""


@dataclass(frozen=True, slots=True)
class Card:
    """A product on the index page."""

    slug: str
    title: str
    summary: str
    price: Money | None
    image: Picture | None
    unpriced: bool
    """Whether it cannot be bought at all, because it has no price in the base currency."""
    sold_out: bool
    left: int | None
    url: str

    def __hash__(self) -> int:
        return hash(self.url)  # enough to find its part of the page by


@dataclass(frozen=True, slots=True)
class ChoiceLink:
    """The same page, chosen otherwise: another category, another sort."""

    name: str
    url: str
    current: bool


@dataclass(frozen=True, slots=True)
class ProductPage:
    """A product on its own page."""

    slug: str
    title: str
    summary: str
    description: Markup
    price: Money | None
    unpriced: bool
    """As on a card."""
    images: tuple[Picture, ...]
    delivery_note: str
    left: int | None
    sold_out: bool
    is_free: bool
    max_quantity: int
    most_per_order: int | None
    category: ChoiceLink | None
    """The way to more of its kind."""

    def __hash__(self) -> int:
        return hash(self.slug)


@dataclass(frozen=True, slots=True)
class ListView:
    """A page of a list of products, with the ways from it to others."""

    cards: list[Card]
    total: int
    number: int
    last: int
    previous: str
    """Address of the page before; empty on the first."""
    next: str
    nothing_to_buy: bool
    """Whether every product on the page is without a price in the base currency."""
    categories: list[ChoiceLink]
    sorts: list[ChoiceLink]
    address: str
    """Of this page without the language's prefix, as it was asked for."""
    canonical: str
    """The same as far as it matters to those who have no currency and no wish."""


@dataclass(frozen=True, slots=True)
class CurrencyLink:
    """The same page in another currency."""

    code: str
    name: str
    url: str
    current: bool


def cards(offers: Iterable[Offer], currency: str) -> list[Card]:
    """The offers as cards."""
    prefix = start_of("catalogue.product", "slug")
    query = currency_query(currency)
    folder = media_prefix()
    return [_card(offer, f"{prefix}{offer.slug}{query}", folder) for offer in offers]


@lru_cache(maxsize=OFFERS)
def _card(offer: Offer, url: str, folder: str) -> Card:
    return Card(
        slug=offer.slug,
        title=offer.title,
        summary=offer.summary,
        price=offer.price,
        image=picture(offer.image, folder) if offer.image else None,
        unpriced=offer.base_price is None,
        sold_out=offer.sold_out,
        left=offer.left_to_show,
        url=url,
    )


def _description(offer: Offer) -> Markup:
    """The description, unless it says the summary and no more."""
    text = offer.description
    # Of a longer one, or one with a bare link, the words cannot be all there is to it.
    short = len(text) <= 2 * len(offer.summary) and "<" not in text
    return Markup() if short and plain(text) == offer.summary else render(text)


def product_page(
    offer: Offer, images: list[StoredImage], files: Files, currency: str
) -> ProductPage:
    """What the product page shows of an offer."""
    category = _category_link(offer, currency) if offer.category else None
    note = delivery_note(offer, files)
    return _product_page(offer, tuple(images), media_prefix(), note, category)


@lru_cache(maxsize=OFFERS)
def _product_page(
    offer: Offer,
    images: tuple[StoredImage, ...],
    folder: str,
    note: str,
    category: ChoiceLink | None,
) -> ProductPage:
    return ProductPage(
        slug=offer.slug,
        title=offer.title,
        summary=offer.summary,
        description=_description(offer),
        price=offer.price,
        unpriced=offer.base_price is None,
        images=tuple(picture(image, folder) for image in images),
        delivery_note=note,
        left=offer.left_to_show,
        sold_out=offer.sold_out,
        is_free=offer.is_free,
        max_quantity=offer.max_quantity,
        most_per_order=offer.most_per_order,
        category=category,
    )


def _category_link(offer: Offer, currency: str) -> ChoiceLink:
    url = start_of("catalogue.category", "slug") + offer.category + currency_query(currency)
    return ChoiceLink(offer.category_title, url, current=False)


def list_view(address: ListAddress, found: ListPage, categories: list[StoredCategory]) -> ListView:
    """What the pages of lists show."""
    before, after = address.page - 1, address.page + 1
    return ListView(
        cards=cards(found.offers, address.currency),
        total=found.total,
        number=address.page,
        last=found.last,
        previous=address.url(page=before) if before else "",
        next=address.url(page=after) if after <= found.last else "",
        nothing_to_buy=all(offer.base_price is None for offer in found.offers),
        categories=_category_links(address, categories),
        sorts=[
            ChoiceLink(name, address.url(sort=sort), sort is address.sort)
            for sort, name in _sort_names(language(), bool(address.typed)).items()
        ],
        address=address.url(request.path, page=address.page),
        canonical=address.canonical,
    )


def _category_links(address: ListAddress, categories: list[StoredCategory]) -> list[ChoiceLink]:
    paths = {start_of("catalogue.index"): gettext("All products")}
    prefix = start_of("catalogue.category", "slug")
    paths |= {f"{prefix}{each.slug}": each.title for each in categories}
    return [
        ChoiceLink(name, address.url(path, typed="", sort=Sort.SHOP), path == address.path)
        for path, name in paths.items()
    ]


@lru_cache(maxsize=20)
def _sort_names(spoken: str, searching: bool) -> dict[Sort, str]:
    """The names of all sorts in the language that is spoken now."""
    return {
        Sort.SHOP: gettext("Best match") if searching else gettext("Our order"),
        Sort.PRICE_UP: gettext("Lowest price"),
        Sort.PRICE_DOWN: gettext("Highest price"),
        Sort.NEWEST: gettext("Newest"),
        Sort.NAME: gettext("Name"),
    }


def currency_links(address: ListAddress) -> list[CurrencyLink]:
    """The page at this address in each of the shop's currencies."""
    settings = current_settings()
    return _currency_links(
        language(), address, settings.shop_currencies, settings.shop_base_currency
    )


@lru_cache(maxsize=OFFERS)
def _currency_links(
    spoken: str, address: ListAddress, currencies: tuple[str, ...], base: str
) -> list[CurrencyLink]:
    return [
        CurrencyLink(
            code, currency_name(code), address.url(currency=code), code == address.currency
        )
        for code in currencies
    ]


def media_prefix() -> str:
    """What the addresses of all images start with: the same in every language."""
    return start_of("catalogue.media", "name").removeprefix(request.script_root)


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
        largest=f"{prefix}{image.name}-{stored[-1]}.webp",
    )
