"""Texts of other shops in the lengths that ours has: cut at a word, and never without saying so."""

from __future__ import annotations

import re
import unicodedata

from ..fields import UNPRINTABLE
from ..markdown import plain

SENTENCE = re.compile(r".+?[.!?…](?=\s|$)", re.DOTALL)


def tidy(text: str, *, lines: bool = False) -> str:
    """The text without what cannot be printed, and on one line if it is to be."""
    kept = re.sub(r"\r\n?", "\n", unicodedata.normalize("NFC", text))
    kept = UNPRINTABLE.sub("", kept)
    return kept.strip() if lines else " ".join(kept.split())


def cut(text: str, limit: int) -> str:
    """At most so many characters, the last of them a sign that there were more."""
    if len(text) <= limit:
        return text
    short = text[:limit]
    at = max(short.rfind(" "), short.rfind("\n"))
    return text[: at if at > limit // 2 else limit - 1].rstrip(" ,;:-\n")[: limit - 1] + "…"


def first_sentence(markdown: str) -> str:
    """What a description begins with, as plain words on one line."""
    first = tidy(plain(markdown[:4000]).partition("\n\n")[0])
    sentence = SENTENCE.match(first)
    return sentence[0] if sentence else first
