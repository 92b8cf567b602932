"""What a catalogue file says, category by category and product by product; the format is in docs/catalogue.md."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ..fields import Field, FieldProblem, Given
from ..following import Follow, unseen
from ..product_draft import CategoryDraft, ProductDraft
from ..product_rules import ProductRules
from .reading import CatalogueFileError, Lines, Problem, read_document, read_limited

MOST_PROBLEMS = 1000
"""Nobody mends more at a time; a file that is something else may have one in each of a million lines."""


@dataclass(frozen=True, slots=True)
class CatalogueFile:
    """All that a catalogue file says, and in which lines."""

    categories: list[CategoryDraft]
    products: list[ProductDraft]
    lines: Lines

    def problem(self, product: int, problem: FieldProblem) -> Problem:
        """A problem with one of the products, as one of its line in the file."""
        field = ("products", product, *problem.field)
        return self.lines.located(FieldProblem(field, problem.text))


def read_catalogue(path: Path, base_currency: str, follow: Follow = unseen) -> CatalogueFile:
    """Everything in the file at `path`; raises CatalogueFileError naming every problem in it."""
    document = read_document(read_limited(path))
    if document.value is None:
        raise CatalogueFileError([Problem(1, "the file is empty; it starts with `products:`")])
    rules = ProductRules(path.resolve().parent, base_currency)
    known = ("categories", "products")
    top = rules.mapping(Given(document.value, ()), "the file", known, required=["products"])
    categories = [
        rules.category(each) for each in rules.sequence(top.get("categories"), "categories")
    ]
    given = rules.sequence(top.get("products"), "products")[::-1]
    document.value = None
    top.clear()
    products = []
    for _ in follow(range(len(given)), "Reading products"):
        # What a product is made of is let go at once, or all would be there twice.
        products.append(rules.product(given.pop()))
        if len(rules.problems) >= MOST_PROBLEMS:
            break
    problems = [
        *document.problems,
        *map(document.lines.located, rules.problems),
        *_repeated("categories", [each.slug for each in categories], document.lines),
        *_repeated("products", [each.slug for each in products], document.lines),
    ]
    if given and problems:
        text = f"the products from here on were not looked at, after {MOST_PROBLEMS} mistakes above"
        problems.append(Problem(document.lines.of(("products", len(products))), text))
    if problems:
        raise CatalogueFileError(problems)
    return CatalogueFile(categories, products, document.lines)


def _repeated(what: str, slugs: list[str], lines: Lines) -> Iterator[Problem]:
    """A product or category stands in a file once."""
    first = dict[str, Field]()
    for place, slug in enumerate(slugs):
        field = (what, place)
        if slug and (earlier := first.setdefault(slug, field)) != field:
            text = f"slug {slug!r} is used in line {lines.of(earlier)} already"
            yield Problem(lines.of(field), text)
