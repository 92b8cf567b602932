"""Addresses that products and categories had elsewhere: in the shop that they moved from, or under another name.

They are asked about only where this shop has no page, so they cost its pages nothing and take no page's place.
They lead only to a page that is there, so there is no loop.

BadAddress      an old address that cannot be stored, and why
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import combinations
from typing import NamedTuple
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

import structlog
from flask import Request, current_app
from sqlalchemy import Table, insert, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session
from werkzeug.exceptions import HTTPException, NotFound
from werkzeug.routing import MapAdapter

from ..config import LANGUAGES, current_settings
from ..db import db, end_read
from ..i18n import prefix_of
from ..web.former import PASTED
from .models import Category, FormerAddress, Product
from .queries import categories_for_sale

log = structlog.get_logger()

LONGEST_PATH, LONGEST_QUERY = 400, 200
AT_HOME = {"p", "product", "download", "product_cat", "download_category"}
"""By what the front page of other systems names one product or category: `/?p=12`."""
OF_LANGUAGE = ("lang", "locale")
MOST_NAMES = 5
"""So many parts of a query are looked at, each with and without the others; no system has more that matter."""

CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
"""Control characters and halves of characters."""
FIT_ANY_NAME = ("/products/<slug>", "/categories/<slug>", "/downloads/<token>")
"""Routes to which only some names are a page."""

former: Table = FormerAddress.__table__  # type: ignore[assignment]
products: Table = Product.__table__  # type: ignore[assignment]
categories: Table = Category.__table__  # type: ignore[assignment]


class BadAddress(ValueError):
    """An old address that cannot be stored."""


class Old(NamedTuple):
    """An old address in the one spelling that it is stored in."""

    path: str
    query: str

    def __str__(self) -> str:
        path = re.sub(r"[%?#]", lambda sign: f"%{ord(sign[0]):02X}", self.path)
        return f"{path}?{self.query}" if self.query else path


@dataclass(slots=True)
class AddressPlan:
    """What becomes of old addresses that are to lead here."""

    new: dict[Old, str] = field(default_factory=dict)
    """Where they will lead."""
    changed: dict[Old, str] = field(default_factory=dict)
    """Those that lead elsewhere today."""
    known: dict[Old, str] = field(default_factory=dict)
    refused: list[tuple[str, str]] = field(default_factory=list)
    """As they were written, and why not."""


def old_address(text: str) -> Old:
    """An address or a path of the old shop, however it is encoded and whatever language it is in.

    Raises BadAddress.
    """
    try:
        parts = urlsplit(text.strip())
    except ValueError:
        raise BadAddress("is no address") from None
    if not parts.path.startswith("/") and not (parts.netloc and not parts.path):
        raise BadAddress("is no address; write it from its first / on")
    path = _spelled(unquote(parts.path))
    query = _query(parse_qsl(parts.query))
    if len(path) > LONGEST_PATH or len(query) > LONGEST_QUERY:
        raise BadAddress("is too long")
    if not _can_be_stored(path):
        raise BadAddress("holds a control character")
    return Old(path, query)


def _spelled(path: str) -> str:
    """One spelling of a decoded path: composed letters, no language in front, neither slash nor full stop behind."""
    path = unicodedata.normalize("NFC", path).rstrip(f"{PASTED}/")
    first, slash, rest = path.lstrip("/").partition("/")
    return f"/{rest}" if first in LANGUAGES else f"/{first}{slash}{rest}"


def _query(pairs: Iterable[tuple[str, str]]) -> str:
    return urlencode(sorted(pair for pair in pairs if pair[0] not in OF_LANGUAGE))


def _can_be_stored(path: str) -> bool:
    return not CONTROL.search(path)


def page_of(request: Request) -> str | None:
    """Where the page is today that had the address which is asked for; None if nothing is known of it."""
    path = _spelled(request.path)
    pairs = [(name, value) for name, value in request.args.items() if name not in OF_LANGUAGE]
    if len(path) > LONGEST_PATH or not _can_be_stored(path):
        return None
    try:
        new = _page_today(path, _parts_of(pairs))
    except SQLAlchemyError as error:
        # Without its database the shop says of pages that are nowhere that they are nowhere.
        end_read()
        log.warning("former_addresses_unreadable", error=type(error).__name__)
        return None
    return new and f"{_language_of(request)}{new}"


def _parts_of(pairs: list[tuple[str, str]]) -> list[str]:
    """The query without what does not matter, such as a campaign; nobody knows what does, so each choice."""
    some = pairs[:MOST_NAMES]
    chosen = (each for size in range(len(some) + 1) for each in combinations(some, size))
    return [query for each in chosen if len(query := _query(each)) <= LONGEST_QUERY]


def _page_today(path: str, queries: list[str]) -> str | None:
    """The page of the address that says most; a withdrawn product's is its category, while that is there."""
    statement = (
        select(
            former.c.query, products.c.slug, products.c.active, categories.c.slug.label("category")
        )
        .outerjoin(products, products.c.id == former.c.product_id)
        .outerjoin(
            categories,
            categories.c.id.in_((former.c.category_id, products.c.category_id)),
        )
        .where(former.c.path == path, former.c.query.in_(queries))
    )
    for row in sorted(db.session.execute(statement), key=lambda row: -len(row.query)):
        if row.active:
            return f"/products/{row.slug}"
        if row.category and row.category in {each.slug for each in categories_for_sale()}:
            return f"/categories/{row.category}"
    return None


def _language_of(request: Request) -> str:
    """The prefix of the language that the old address was in: its own, or by its query."""
    said = next((request.args[name] for name in OF_LANGUAGE if name in request.args), "")
    code = said[:2].lower()
    return prefix_of(code) if code in current_settings().shop_languages else request.script_root


def plan_addresses(
    session: Session, wanted: Iterable[tuple[str, str]], coming: Collection[str] = ()
) -> AddressPlan:
    """What would become of old addresses, each with the new path that it is to lead to; nothing is changed.

    New paths that an import is about to make are `coming`.
    """
    plan, ids, leading = AddressPlan(), _ids(session), dict(_stored(session))
    taken = {path for path, target in ids.items() if target.has_page}.union(coming)
    pages = current_app.url_map.bind("")
    seen: dict[Old, str] = {}
    for text, new in wanted:
        try:
            old = old_address(text)
            if new not in ids and new not in coming:
                raise BadAddress(f"would lead to {new}, which is no product or category here")
            if seen.setdefault(old, new) != new:
                raise BadAddress(f"is to lead to {seen[old]} and to {new}")
            if _is_page(old, taken, pages):
                raise BadAddress("is the address of a page here")
        except BadAddress as error:
            plan.refused.append((text, str(error)))
            continue
        now = leading.get(old)
        if now is None:
            plan.new[old] = new
        elif now != new:
            plan.changed[old] = new
        else:
            plan.known[old] = new
    return plan


def _is_page(old: Old, taken: Collection[str], pages: MapAdapter) -> bool:
    if old.path == "/":
        return not AT_HOME & {name for name, _ in parse_qsl(old.query)}
    try:
        rule, _ = pages.match(old.path, return_rule=True)
    except NotFound:
        return False
    except HTTPException:  # it redirects, or is there for forms only
        return True
    return rule.rule not in FIT_ANY_NAME or old.path in taken


def remember(session: Session, leading: Mapping[Old, str]) -> None:
    """Have old addresses lead to these new paths, as `plan_addresses` found them."""
    ids, there = _ids(session), dict(_stored(session))
    fresh = []
    for old, new in leading.items():
        ids_of = dict.fromkeys(("product_id", "category_id")) | {ids[new].column: ids[new].id}
        values = {"path": old.path, "query": old.query, **ids_of}
        if old in there:
            session.merge(FormerAddress(**values))
        else:
            fresh.append(values)
    if fresh:
        session.execute(insert(FormerAddress), fresh)


def forget(session: Session, old: Old) -> bool:
    """Have an old address lead nowhere; False if it did not lead anywhere."""
    found = session.get(FormerAddress, (old.path, old.query))
    if found:
        session.delete(found)
    return found is not None


class _Target(NamedTuple):
    column: str
    id: int
    has_page: bool
    """A withdrawn product has none; a category has one, or will when something of it is for sale."""


def _ids(session: Session) -> dict[str, _Target]:
    """Every product and category by its path."""
    of_products = session.execute(select(products.c.slug, products.c.id, products.c.active))
    of_categories = session.execute(select(categories.c.slug, categories.c.id))
    found = {f"/products/{slug}": _Target("product_id", id_, on) for slug, id_, on in of_products}
    return found | {
        f"/categories/{slug}": _Target("category_id", id_, True) for slug, id_ in of_categories
    }


def former_addresses() -> list[tuple[Old, str]]:
    """Every old address and where it leads, sorted."""
    return sorted(_stored(db.session))


def _stored(session: Session) -> Iterator[tuple[Old, str]]:
    statement = (
        select(former.c.path, former.c.query, products.c.slug, categories.c.slug.label("category"))
        .outerjoin(products, products.c.id == former.c.product_id)
        .outerjoin(categories, categories.c.id == former.c.category_id)
    )
    for row in session.execute(statement):
        new = f"/products/{row.slug}" if row.slug else f"/categories/{row.category}"
        yield Old(row.path, row.query), new
