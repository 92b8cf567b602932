"""Which category a product of another shop goes into."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from zlib import crc32

from ..fields import html_in
from ..product_draft import LONGEST_CATEGORY
from .carried import Carried, Here
from .slugs import slug_of
from .texts import cut, tidy

NO_CATEGORY = {
    *("uncategorized", "uncategorised", "unkategorisiert", "без категории", "без рубрики"),
    *("без категорії", "home"),
}
"""What systems put products under that are in no category."""


def settle_categories(
    carried: Iterable[Carried], here: Here
) -> tuple[dict[str, str], dict[tuple[str, ...], str]]:
    """Put each product into the category at the end of its path; the new ones by slug, and all by path."""
    paths = list(
        dict.fromkeys(each.found.category for each in carried if _is_named(each.found.category))
    )
    leaves = Counter(path[-1].casefold() for path in paths)
    known = {title.casefold(): slug for slug, title in here.categories.items()}
    new: dict[str, str] = {}
    found: dict[tuple[str, ...], str] = {}
    for each in carried:
        path = each.found.category
        if not _is_named(path):
            continue
        parents = path[-2:-1] if leaves[path[-1].casefold()] > 1 else ()
        title = cut(tidy(": ".join((*parents, path[-1]))), LONGEST_CATEGORY)
        slug = (
            known.get(title.casefold()) or slug_of(title) or f"category-{crc32(title.encode()):08x}"
        )
        if slug not in here.categories:
            new.setdefault(slug, title)
        found[path] = slug
        rest = dict(list(each.values.items())[3:])
        each.values = dict(list(each.values.items())[:3]) | {"category": slug} | rest
        each.draft = replace(each.draft, category=slug)
    return new, found


def _is_named(path: tuple[str, ...]) -> bool:
    leaf = path[-1].casefold().strip() if path else ""
    return bool(leaf) and leaf not in NO_CATEGORY and not html_in(" ".join(path))
