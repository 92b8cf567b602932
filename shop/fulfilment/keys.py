"""When two licence keys are the same one, however they are typed."""

from __future__ import annotations

import hashlib
import unicodedata

DASHES = "\u02d7\u2043\u2212"
"""Characters that look like dashes, and that Unicode counts among letters, bullets and signs."""


def normal_key(value: str, *, case_sensitive: bool = False) -> str:
    """The key without what people type differently: spaces, dashes, compatible characters, capitals.

    `case_sensitive` keeps the capitals, for keys that may differ by them alone.
    """
    letters = unicodedata.normalize("NFKC", value)
    if not case_sensitive:
        letters = unicodedata.normalize("NFKC", letters.casefold())
    # Once more, because letters meet where a space was between them.
    return unicodedata.normalize("NFKC", "".join(filter(_counts, letters)) or letters)


def key_hash(value: str, *, case_sensitive: bool = False) -> str:
    """A hash that no other licence key has: it is short, however long the key is."""
    normal = normal_key(value, case_sensitive=case_sensitive)
    return hashlib.sha256(normal.encode("utf-8", "surrogatepass")).hexdigest()


def _counts(letter: str) -> bool:
    no_dash = unicodedata.category(letter) not in ("Pd", "Cf") and letter not in DASHES
    return no_dash and not letter.isspace()
