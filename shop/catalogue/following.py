"""What goes through thousands of things lets whoever waits for it follow how far it is."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Protocol, TypeVar

T = TypeVar("T")


class Follow(Protocol):
    """Hands out the items one after the other, and may show which of them is in hand; `what` says what is done."""

    def __call__(self, items: Collection[T], what: str, /) -> Iterable[T]:
        """The items."""


def unseen(items: Collection[T], what: str, /) -> Iterable[T]:
    """Nobody looks."""
    return items
