"""In which order titles stand: the two databases disagree about letters, and SQLite knows only a to z."""

from __future__ import annotations

AFTER = str.maketrans(
    {"ё": "е\uffff", "ґ": "г\uffff", "є": "е\ufffe", "і": "и\ufffe", "ї": "и\uffff"}
)
"""Letters that stand elsewhere in the alphabet than in Unicode."""


def name_key(title: str) -> str:
    """What titles are sorted by, sign by sign: case and leading quotation marks do not count.

    It is stored beside the title. Where this changes, a migration has to make the keys anew.
    """
    return title.casefold().translate(AFTER).lstrip("\"'«„“‘( ")
