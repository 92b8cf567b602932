"""What search engines are told: which pages are not for them, and which there are."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple

from ..catalogue.queries import last_changes
from ..config import current_settings
from ..i18n import prefix_of
from ..web.canonical import in_full
from .texts import NAMES

PRIVATE = ("/cart", "/checkout", "/orders", "/payment", "/mailbox", "/downloads", "/admin")
"""How the addresses of one buyer's or the operator's pages start; `/payment` covers `/payments` as well."""


class SitemapEntry(NamedTuple):
    """A public page and when what it shows was last changed, if that is known."""

    url: str
    changed_at: datetime | None
    lastmod: str
    """The same to the second, as the sitemap has it; empty if it is not known."""


def robots_txt() -> str:
    """What crawlers may not ask for, in any language."""
    prefixes = [prefix_of(code) for code in current_settings().shop_languages]
    lines = ["User-agent: *"]
    lines += [f"Disallow: {prefix}{path}" for prefix in prefixes for path in PRIVATE]
    return "\n".join([*lines, "", f"Sitemap: {in_full('/sitemap.xml')}", ""])


def sitemap_entries() -> Iterator[SitemapEntry]:
    """The index, the categories, the products and the texts, each in every language."""
    starts = [in_full(prefix_of(code)) for code in current_settings().shop_languages]
    for path, changed_at in _pages():
        lastmod = changed_at.isoformat(timespec="seconds") if changed_at else ""
        for start in starts:
            yield SitemapEntry(start + path, changed_at, lastmod)


def _pages() -> Iterator[tuple[str, datetime | None]]:
    rows = last_changes()
    changed: dict[str, datetime] = {}
    for _, category, at in rows:
        for place in ("", category):
            if place is not None and (place not in changed or changed[place] < at):
                changed[place] = at
    yield "/", changed.pop("", None)
    for category, at in changed.items():
        yield f"/categories/{category}", at
    for slug, _, at in rows:
        yield f"/products/{slug}", at
    for name in NAMES:
        yield f"/{name}", None  # nobody notes when their files change
