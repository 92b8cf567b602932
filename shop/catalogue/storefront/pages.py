"""What the catalogue's templates are given, with every address made without a call per item."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from flask import request, url_for
from flask_babel import gettext, ngettext
from markupsafe import Markup

from ...config import current_settings
from ...i18n import currency_name, readable_size
from ...money import Money
from ..images import WIDTHS, widths
from ..markdown import plain, render
from ..models import DeliveryKind
from ..queries import Offer, StoredCategory, StoredImage
from ..storage import storage
from .addresses import ListAddress, currency_query
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
    images: list[Picture]
    delivery_note: str
    left: int | None
    sold_out: bool
    is_free: bool
    max_quantity: int
    most_per_order: int | None
    category: ChoiceLink | None
    """The way to more of its kind."""


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
    # One call and a prefix: url_for for every card would cost half the page.
    prefix = url_for("catalogue.product", slug="-")[:-1]
    query = currency_query(currency)
    folder = media_prefix()
    return [
        Card(
            slug=offer.slug,
            title=offer.title,
            summary=offer.summary,
            price=offer.price,
            image=picture(offer.image, folder) if offer.image else None,
            unpriced=offer.base_price is None,
            sold_out=offer.sold_out,
            left=offer.left,
            url=f"{prefix}{offer.slug}{query}",
        )
        for offer in offers
    ]


def _description(offer: Offer) -> Markup:
    """The description, unless it says the summary and no more."""
    text = offer.description
    # Of a longer one, or one with a bare link, the words cannot be all there is to it.
    short = len(text) <= 2 * len(offer.summary) and "<" not in text
    return Markup() if short and plain(text) == offer.summary else render(text)


Files = Sequence[tuple[str, int | None]]
"""Names in the storage, and sizes."""


def delivery_note(offer: Offer, files: Files) -> str:
    """How and how soon the buyer gets it, for the product page, in whole sentences."""
    return " ".join(note if note.endswith(".") else f"{note}." for note in _notes(offer, files))


def _notes(offer: Offer, files: Files) -> Iterator[str]:
    if offer.kind is DeliveryKind.KEY:
        yield _key_note(offer)
    elif offer.kind is DeliveryKind.TEXT:
        yield _text_note(offer)
    else:
        yield _file_note(offer, files)
        limits = ", ".join(_download_limits(offer))
        if limits and len(files) > 1:
            yield gettext("Each can be downloaded %(limits)s", limits=limits)
        elif limits:
            yield gettext("It can be downloaded %(limits)s", limits=limits)
        if offer.max_downloads is not None:
            yield gettext("A download that breaks off and is continued counts once.")


def _key_note(offer: Offer) -> str:
    if offer.is_free:
        return gettext("Licence key, shown on the order page and sent by email at once")
    return gettext(
        "Licence key, shown on the order page and sent by email as soon as the payment is confirmed"
    )


def _text_note(offer: Offer) -> str:
    if offer.is_free:
        return gettext("A text, shown on the order page and sent by email at once")
    return gettext(
        "A text, shown on the order page and sent by email as soon as the payment is confirmed"
    )


def _file_facts(files: Files) -> str:
    """Of which kinds the files are, and how large together."""
    sizes = [storage().known_size(name) if size is None else size for name, size in files]
    known = [size for size in sizes if size is not None]
    kinds = dict.fromkeys(PurePosixPath(name).suffix[1:].upper() for name, _ in files)
    facts = [*kinds, readable_size(sum(known)) if len(known) == len(files) else ""]
    return ", ".join(filter(None, facts)) or PurePosixPath(files[0][0]).name


def _file_note(offer: Offer, files: Files) -> str:
    said = _file_facts(files)
    if len(files) > 1 and offer.is_free:
        return ngettext(
            "%(num)s file (%(facts)s), to download from the order page or from links sent by email at once",
            "%(num)s files (%(facts)s), to download from the order page or from links sent by email at once",
            len(files),
            facts=said,
        )
    if len(files) > 1:
        return ngettext(
            "%(num)s file (%(facts)s), to download from the order page or from links sent by email "
            "as soon as the payment is confirmed",
            "%(num)s files (%(facts)s), to download from the order page or from links sent by email "
            "as soon as the payment is confirmed",
            len(files),
            facts=said,
        )
    if offer.is_free:
        return gettext(
            "File (%(facts)s), to download from the order page or from a link sent by email at once",
            facts=said,
        )
    return gettext(
        "File (%(facts)s), to download from the order page or from a link sent by email "
        "as soon as the payment is confirmed",
        facts=said,
    )


def _download_limits(offer: Offer) -> Iterator[str]:
    """How often and how long the file may be downloaded, where that is limited."""
    if offer.max_downloads is not None:
        yield ngettext("%(num)s time", "%(num)s times", offer.max_downloads)
    if offer.download_days is not None:
        yield ngettext("within %(num)s day", "within %(num)s days", offer.download_days)


def product_page(
    offer: Offer, images: list[StoredImage], files: Files, currency: str
) -> ProductPage:
    """What the product page shows of an offer."""
    folder = media_prefix()
    return ProductPage(
        slug=offer.slug,
        title=offer.title,
        summary=offer.summary,
        description=_description(offer),
        price=offer.price,
        unpriced=offer.base_price is None,
        images=[picture(image, folder) for image in images],
        delivery_note=delivery_note(offer, files),
        left=offer.left,
        sold_out=offer.sold_out,
        is_free=offer.is_free,
        max_quantity=offer.max_quantity,
        most_per_order=offer.most_per_order,
        category=_category_link(offer, currency) if offer.category else None,
    )


def _category_link(offer: Offer, currency: str) -> ChoiceLink:
    url = url_for("catalogue.category", slug=offer.category) + currency_query(currency)
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
            for sort, name in _sort_names(searching=bool(address.typed)).items()
        ],
        address=address.url(request.path, page=address.page),
        canonical=address.canonical,
    )


def _category_links(address: ListAddress, categories: list[StoredCategory]) -> list[ChoiceLink]:
    everything = url_for("catalogue.index")
    paths = {everything: gettext("All products")}
    prefix = url_for("catalogue.category", slug="-")[:-1]
    paths |= {f"{prefix}{each.slug}": each.title for each in categories}
    return [
        ChoiceLink(name, address.url(path, typed="", sort=Sort.SHOP), path == address.path)
        for path, name in paths.items()
    ]


def _sort_names(*, searching: bool) -> dict[Sort, str]:
    return {
        Sort.SHOP: gettext("Best match") if searching else gettext("Our order"),
        Sort.PRICE_UP: gettext("Lowest price"),
        Sort.PRICE_DOWN: gettext("Highest price"),
        Sort.NEWEST: gettext("Newest"),
        Sort.NAME: gettext("Name"),
    }


def currency_links(address: ListAddress) -> list[CurrencyLink]:
    """The page at this address in each of the shop's currencies."""
    return [
        CurrencyLink(
            code, currency_name(code), address.url(currency=code), code == address.currency
        )
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
        largest=f"{prefix}{image.name}-{stored[-1]}.webp",
    )
