"""Order numbers: made at random, and read as people type them."""

from __future__ import annotations

import secrets
from unicodedata import category

NUMBER_ALPHABET = "23456789ABCDEFGHJKMNPQRSTVWXYZ"
"""No 0/O, 1/I/L or U: order numbers are read out on the telephone."""


def new_number() -> str:
    """A random order number such as 7K3M-Q9XD; random, so that nobody can count a shop's sales."""
    letters = "".join(secrets.choice(NUMBER_ALPHABET) for _ in range(8))
    return f"{letters[:4]}-{letters[4:]}"


def as_number(text: str) -> str:
    """The order number that was typed or pasted, with one dash, in capitals, without spaces and other signs."""
    signs = {char for char in text if category(char)[0] in "PSZ" or category(char) == "Cf"}
    letters = "".join("".join(char for char in text if char not in signs).split()).upper()
    return f"{letters[:4]}-{letters[4:]}"
