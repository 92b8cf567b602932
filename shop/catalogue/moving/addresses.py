"""The addresses that the old shop had, so that mails, bookmarks and search engines still lead to the goods."""

from __future__ import annotations

from collections.abc import Iterator

from ...db import db, end_read
from ..former import AddressPlan, plan_addresses
from .carried import Settled
from .slugs import slug_of


def addresses_of(settled: Settled) -> AddressPlan:
    """Where the old addresses of what is carried will lead. Changes nothing."""
    wanted = list(_wanted(settled))
    plan = plan_addresses(db.session, wanted, {new for _, new in wanted})
    end_read()
    return plan


def _wanted(settled: Settled) -> Iterator[tuple[str, str]]:
    """Each old path with the new one; one that does not change needs no leading."""
    for each in settled.carried:
        new = f"/products/{each.slug}"
        for address in each.found.addresses:
            if address.path != new:
                yield address.path, new
    before = settled.findings.categories_at
    for path, slug in settled.paths.items():
        if before and all(map(slug_of, path)):
            yield f"{before}{'/'.join(map(slug_of, path))}/", f"/categories/{slug}"
