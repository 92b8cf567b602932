"""Search: what a visitor typed as words, and how each database finds the products that hold them.

The index is the database's own, kept by triggers on SQLite and by a generated column on PostgreSQL
(migrations categories_and_search and one_spelling_for_search). Both know whole words without case and
without accents on Latin letters, with е for ё and no apostrophes, and `terms` makes the same of what
was typed. Every word has to be the start of one in the product.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from sqlalchemy import Float, Integer, Subquery, column, text

MAX_LENGTH = 100
"""How many characters of a query count; a longer one is cut, because nobody means it."""
MAX_WORDS = 8

ACCENTED = re.compile("([a-zе])[\u0300-\u036f]+")
WORD = re.compile(r"[^\W_ʹʻʼʽˈꞌ]+")
"""Not with an apostrophe in it, also not with one that Unicode counts among letters: м'ята, м’ята, мʼята."""

# A title outranks a summary, and that a description, however often the word is in it.
FOUND: dict[str, Subquery] = {
    engine: text(statement).columns(column("id", Integer), column("rank", Float)).subquery("found")
    for engine, statement in {
        "sqlite": "SELECT rowid AS id, bm25(product_search, 10000, 100, 1) AS rank "
        "FROM product_search WHERE product_search MATCH :terms",
        "postgresql": "SELECT id, -ts_rank('{0, 0.001, 0.03, 1}', product_search, query) AS rank "
        "FROM products, to_tsquery('simple', :terms) AS query WHERE product_search @@ query",
    }.items()
}
"""Ids of products that match `:terms`, the best with the smallest rank, by the engine's name."""


def tidy(typed: str) -> str:
    """What was typed, as it may be shown: one short line without invisible characters."""
    visible = "".join(c if c.isprintable() else " " for c in typed[: 10 * MAX_LENGTH])
    return " ".join(visible.split())[:MAX_LENGTH].strip()


def terms(typed: str) -> list[str]:
    """The words to look for: letters and digits only, so nothing typed is a database's operator."""
    plain = ACCENTED.sub(r"\1", unicodedata.normalize("NFD", typed.lower()))
    return WORD.findall(unicodedata.normalize("NFC", plain))[:MAX_WORDS]


def expression(wanted: Sequence[str], engine: str) -> str:
    """The words in the engine's own query language: each of them, as the start of a word."""
    if engine == "sqlite":
        return " AND ".join(f'"{word}"*' for word in wanted)
    return " & ".join(f"'{word}':*" for word in wanted)
