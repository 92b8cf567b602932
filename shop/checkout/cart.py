"""The cart: slugs and quantities in the buyer's session, priced anew whenever it is looked at."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from flask import session, url_for
from flask_babel import gettext

from ..catalogue.queries import MAX_QUANTITY, Offer, find_offers, price_list
from ..catalogue.storefront.addresses import currency_query
from ..catalogue.storefront.pages import Picture, media_prefix, picture
from ..config import current_settings
from ..money import Money
from ..web.remembered import chosen_currency, quantities

MAX_LINES = 30
"""Keeps the session cookie well under the 4 KB that browsers accept."""
CONTENTS = 16
"""`Cart.seen` begins with so many letters about products and quantities; the rest are about prices."""


@dataclass(frozen=True)
class CartLine:
    """One product in the cart, priced in the cart's currency."""

    offer: Offer
    quantity: int
    unit: Money
    image: Picture | None
    url: str
    totals: Mapping[str, Money]
    """Price times quantity, in each currency in which the cart can be priced."""

    @property
    def slug(self) -> str:
        """The product's slug."""
        return self.offer.slug

    @property
    def title(self) -> str:
        """The product's title."""
        return self.offer.title

    @property
    def max_quantity(self) -> int:
        """How many may be bought at once."""
        return self.offer.max_quantity

    @property
    def total(self) -> Money:
        """Price times quantity."""
        return self.unit * self.quantity


@dataclass(frozen=True)
class Cart:
    """What the buyer is about to order."""

    lines: list[CartLine]
    currency: str
    totals: Mapping[str, Money]
    """The total in each currency in which every line can be priced."""
    seen: str
    """A fingerprint of products, quantities and prices: what the buyer has before their eyes."""
    notices: list[str] = field(default_factory=list)
    """What had to be changed since the buyer last looked, in words."""
    carried: bool = False
    """Whether the form itself carries the products, because the browser keeps no cookie."""

    @property
    def is_free(self) -> bool:
        """Whether the cart holds something and costs nothing."""
        return not self.empty and not self.total.minor

    @property
    def empty(self) -> bool:
        """Whether there is nothing to buy."""
        return not self.lines

    @property
    def total(self) -> Money:
        """The total in the cart's currency."""
        return self.totals[self.currency]


def load_cart(currency: str | None = None, carried: Mapping[str, int] | None = None) -> Cart:
    """The session's cart at today's prices. Units that cannot be sold are taken out, and `notices` says so.

    If `carried` is given, its products are priced instead, and the session stays as it is.
    """
    stored = quantities() if carried is None else dict(carried)
    base = current_settings().shop_base_currency
    listed = price_list(stored)
    offers = find_offers(stored, base)
    sellable = {slug: offer for slug, offer in offers.items() if listed.price(slug, base)}
    kept, notices = _available(stored, sellable)
    if kept != stored and carried is None:
        session["cart"] = kept
    totals = listed.totals(kept, current_settings().shop_currencies)
    wanted = currency or chosen_currency()
    chosen = wanted if wanted in totals else base
    prefix, folder = url_for("catalogue.product", slug="-")[:-1], media_prefix()
    query = currency_query(chosen_currency())
    lines = []
    for slug, quantity in kept.items():
        offer, unit = offers[slug], listed.price(slug, chosen)
        if unit is not None:
            image = picture(offer.image, folder) if offer.image else None
            each = listed.totals({slug: quantity}, totals)
            lines.append(CartLine(offer, quantity, unit, image, f"{prefix}{slug}{query}", each))
    prices = {slug: [str(listed.price(slug, code)) for code in totals] for slug in kept}
    seen = _contents(kept) + _fingerprint(prices)
    return Cart(lines, chosen, totals, seen, notices, carried is not None)


def choose_currency(code: str | None, *, by_adding: bool = False) -> None:
    """Remember the currency that the buyer has chosen, if the shop has it.

    With `by_adding`, the currency is that of the page whose product goes into the cart. It counts only while the cart
    is empty; the base currency, in which pages are by default, does not replace one that is remembered.
    """
    settings = current_settings()
    chosen_before = quantities() or (code == settings.shop_base_currency and "currency" in session)
    if code in settings.shop_currencies and not (by_adding and chosen_before):
        session["currency"] = code


def changed_since(seen: str) -> bool:
    """Whether products or quantities have changed since the page with this `seen`; prices do not count."""
    return bool(seen) and seen[:CONTENTS] != _contents(quantities())


def add(slug: str, quantity: int) -> bool:
    """Put units of a product into the cart; False when it is full."""
    stored = quantities()
    if slug not in stored and len(stored) >= MAX_LINES:
        return False
    stored[slug] = min(stored.get(slug, 0) + quantity, MAX_QUANTITY)
    session["cart"] = stored
    return True


def refill(lines: Mapping[str, int]) -> None:
    """Put an order's products back into the cart; those that are in it already keep their quantity."""
    stored = quantities()
    room = MAX_LINES - len(stored)
    back = {slug: quantity for slug, quantity in lines.items() if slug not in stored}
    session["cart"] = dict(list(back.items())[:room]) | stored


def change(wanted: Mapping[str, int]) -> None:
    """Set the quantities of products that are in the cart; a quantity below 1 takes the product out."""
    stored = quantities()
    for slug, quantity in wanted.items():
        if slug in stored:
            stored[slug] = min(quantity, MAX_QUANTITY)
    session["cart"] = {slug: quantity for slug, quantity in stored.items() if quantity > 0}


def empty() -> None:
    """Take everything out."""
    session.pop("cart", None)


def _available(
    stored: Mapping[str, int], offers: Mapping[str, Offer]
) -> tuple[dict[str, int], list[str]]:
    kept: dict[str, int] = {}
    notices = []
    for slug, quantity in stored.items():
        offer = offers.get(slug)
        if offer is None:
            notices.append(
                gettext("A product in your cart is no longer for sale and was taken out.")
            )
        elif offer.sold_out:
            notices.append(
                gettext(
                    "%(product)s has sold out and was taken out of your cart.", product=offer.title
                )
            )
        elif quantity > offer.max_quantity == offer.most_per_order:
            kept[slug] = offer.max_quantity
            notices.append(_too_many(offer.title, offer.max_quantity))
        elif quantity > offer.max_quantity:
            kept[slug] = offer.max_quantity
            notices.append(
                gettext(
                    "%(product)s: only %(number)s can be bought now.",
                    product=offer.title,
                    number=offer.max_quantity,
                )
            )
        else:
            kept[slug] = quantity
    return kept, notices


def _too_many(title: str, most: int) -> str:
    if most == 1:
        words = gettext("%(product)s: only one can be bought in one order.", product=title)
    else:
        words = gettext(
            "%(product)s: at most %(number)s can be bought in one order.",
            product=title,
            number=most,
        )
    return str(words)


def _contents(stored: Mapping[str, int]) -> str:
    return _fingerprint(sorted(stored.items()))[:CONTENTS]


def _fingerprint(value: object) -> str:
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()[:32]
