"""A product with options becomes one product for each: what that one is called, and that it comes once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from .checking import Unfit
from .found import Where


def edition(parent: str, values: Sequence[str]) -> str:
    """The title of one edition; for a slug, the same of the parent's slug."""
    named = [value.strip() for value in values if value.strip()]
    return f"{parent}: {', '.join(named)}" if named else parent


@dataclass(slots=True)
class Editions:
    """Which options of which parents were met."""

    met: dict[tuple[object, ...], Where] = field(default_factory=dict)

    def meet(self, parent: object, values: Sequence[str], where: Where) -> None:
        """Note the options; raises Unfit where the same ones were there before."""
        key = (parent, *(value.strip().casefold() for value in values))
        if first := self.met.get(key):
            raise Unfit(f"has the same options as {first}")
        self.met[key] = where
