"""Products on their way from another shop: as they were found, and as they will be here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ..files.exporting import Written
from ..product_draft import ProductDraft
from .found import Findings, FoundProduct


@dataclass(frozen=True, slots=True)
class Here:
    """What the shop has already."""

    slugs: frozenset[str] = frozenset()
    """Of all products."""
    bound: Mapping[str, str] = field(default_factory=dict)
    """The slugs of products that came from this system, by their key there."""
    categories: Mapping[str, str] = field(default_factory=dict)
    """Titles by slug."""


@dataclass(slots=True)
class Carried:
    """A product as the catalogue file will have it."""

    found: FoundProduct
    values: dict[str, Written]
    draft: ProductDraft
    missing: str = ""
    """The goods that the merchant must still put in."""

    @property
    def slug(self) -> str:
        """Its name in addresses."""
        return self.draft.slug


@dataclass(slots=True)
class Settled:
    """All that will be carried. What cannot be is among the findings' left ones."""

    findings: Findings
    carried: list[Carried]
    categories: dict[str, str]
    """Titles of new categories by slug."""
    paths: dict[tuple[str, ...], str]
    """The slugs of all categories by their paths in the old shop."""
