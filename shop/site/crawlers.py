"""What search engines are told: which pages are not for them, and which there are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from ..catalogue.queries import last_changes
from ..config import current_settings
from ..i18n import prefix_of
from ..web.canonical import in_full
from .texts import NAMES

PRIVATE = ("/cart", "/checkout", "/orders", "/payment", "/mailbox", "/downloads", "/admin")
"""How the addresses of one buyer's or the operator's pages start; `/payment` covers `/payments` as well."""


@dataclass(frozen=True, slots=True)
class SitemapEntry:
    """A public page and when what it shows was last changed, if that is known."""

    url: str
    changed_at: datetime | None


def robots_txt() -> str:
    """What crawlers may not ask for, in any language."""
    prefixes = [prefix_of(code) for code in current_settings().shop_languages]
    lines = ["User-agent: *"]
    lines += [f"Disallow: {prefix}{path}" for prefix in prefixes for path in PRIVATE]
    return "\n".join([*lines, "", f"Sitemap: {in_full('/sitemap.xml')}", ""])


def sitemap_entries() -> list[SitemapEntry]:
    """The index, the categories, the products and the texts, each in every language."""
    rows = last_changes()
    changed: dict[str, datetime | None] = {"/": _latest([row.updated_at for row in rows])}
    for slug in dict.fromkeys(row.category for row in rows if row.category):
        dates = [row.updated_at for row in rows if row.category == slug]
        changed[f"/categories/{slug}"] = _latest(dates)
    changed |= {f"/products/{row.slug}": row.updated_at for row in rows}
    changed |= {f"/{name}": None for name in NAMES}  # nobody notes when their files change
    return [
        SitemapEntry(in_full(prefix_of(code) + path), at)
        for path, at in changed.items()
        for code in current_settings().shop_languages
    ]


def _latest(dates: Sequence[datetime]) -> datetime | None:
    return max(dates, default=None)
