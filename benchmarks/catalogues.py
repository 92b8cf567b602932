"""Catalogue files of any size: the same products each time, the first ones the same in each size."""

from __future__ import annotations

import random
from pathlib import Path

COMMON, RARE = "harbour", "quokka"
"""Words for a search: nine of ten products have the first, and three in any catalogue the second."""

ENGLISH = "rain light water stone winter brush sound letter paper north coast morning engine signal garden cedar"
RUSSIAN = "дождь гавань свет вода зима звук письмо берег утро сад"
WORDS = [*ENGLISH.split(), *RUSSIAN.split()]
CATEGORIES = 12


def write(path: Path, count: int) -> Path:
    """A catalogue of so many products, about 600 bytes each."""
    chosen = random.Random(7)
    categories = "".join(f"- slug: cat-{n}\n  title: Category {n}\n" for n in range(CATEGORIES))
    products = "".join(_product(chosen, number) for number in range(count))
    path.write_text(f"categories:\n{categories}products:\n{products}", "utf-8")
    return path


def _product(chosen: random.Random, number: int) -> str:
    def words(count: int) -> str:
        return " ".join(chosen.choice(WORDS) for _ in range(count))

    special = RARE if number in (3, 13, 23) else words(1)
    title = f"{words(2)} {special if number % 10 == 3 else COMMON} {number}".capitalize()
    paragraphs = "\n\n".join(f"    {words(9)}" for _ in range(6))
    cents = chosen.randint(100, 99_999)
    return (
        f"- slug: product-{number}\n  title: {title}\n  summary: {words(8)}.\n"
        f"  category: cat-{number % CATEGORIES}\n  description: |\n{paragraphs}\n"
        f"  prices:\n    USD: {cents // 100}.{cents % 100:02}\n"
        f"  stock: {'unlimited' if number % 2 else 25}\n  delivery:\n    text: Thank you {number}\n"
    )
