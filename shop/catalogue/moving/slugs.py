"""Names in addresses for what comes from other shops: the same name for the same words, on every run."""

from __future__ import annotations

import re
import unicodedata
from urllib.parse import unquote

LONGEST = 80
LETTERS = str.maketrans(
    {
        **dict(zip("абвгґдезиійклмнопрстуфыэ", "abvggdeziiyklmnoprstufye", strict=True)),
        **{"ё": "e", "ж": "zh", "є": "ye", "ї": "yi", "х": "kh", "ц": "ts", "ч": "ch", "ш": "sh"},
        **{"щ": "shch", "ъ": "", "ь": "", "ю": "yu", "я": "ya", "'": "", "’": "", "ʼ": ""},
        **{"ß": "ss", "æ": "ae", "œ": "oe", "ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th"},
        **{"ı": "i", "ў": "u", "ä": "ae", "ö": "oe", "ü": "ue"},
    }
)


def slug_of(text: str) -> str:
    """The text in a-z, 0-9 and hyphens, from an address or a title; empty if nothing of it can be written so."""
    composed = unicodedata.normalize("NFC", unquote(text)).lower().translate(LETTERS)
    letters = unicodedata.normalize("NFKD", composed).encode("ascii", "ignore").decode()
    slug = re.sub(r"[^a-z0-9]+", "-", letters).strip("-")
    if len(slug) <= LONGEST:
        return slug
    return slug[: LONGEST + 1].rpartition("-")[0] or slug[:LONGEST]


class Slugs:
    """Gives out each name once; a second one for the same words gets `-2`."""

    def __init__(self, taken: set[str]) -> None:
        self.taken = taken

    def take(self, wanted: str) -> str:
        """The name itself if it is free, else the first free one with a number behind it."""
        slug, number = wanted, 1
        while slug in self.taken:
            number += 1
            end = f"-{number}"
            slug = wanted[: LONGEST - len(end)].rstrip("-") + end
        self.taken.add(slug)
        return slug
