"""The rules of a product hold for plain values, and name the field of each problem: a form needs no file."""

from __future__ import annotations

from pathlib import Path

import pytest

from shop.catalogue.fields import Field, Given, Value
from shop.catalogue.models import DeliveryKind
from shop.catalogue.product_rules import ProductRules

GOOD: dict[str, Value] = {
    "slug": "rain",
    "title": "Rain",
    "summary": "Forty minutes of rain.",
    "prices": {"USD": "12.00", "EUR": "11"},
    "stock": "25",
    "delivery": {"text": "Thank you"},
}


@pytest.fixture
def rules(tmp_path: Path) -> ProductRules:
    return ProductRules(tmp_path, "USD")


def test_a_good_product_becomes_a_draft(rules: ProductRules) -> None:
    draft = rules.product(Given(GOOD, ()))

    assert rules.problems == []
    assert (draft.prices, draft.stock, draft.active) == ({"USD": 1200, "EUR": 1100}, 25, True)
    assert (draft.delivery.kind, draft.delivery.text) == (DeliveryKind.TEXT, "Thank you")


@pytest.mark.parametrize(
    ("change", "field", "text"),
    [
        ({"title": ""}, ("title",), "title is empty"),
        ({"title": ["Rain"]}, ("title",), "title must be a single value"),
        ({"slug": "Rain!"}, ("slug",), "slug 'Rain!' may hold only a-z, 0-9"),
        ({"prices": {"USD": "1,50"}}, ("prices", "USD"), "price '1,50' of USD is not an amount"),
        ({"prices": {"EUR": "1.50"}}, ("prices",), "prices have no USD, the base currency"),
        ({"prices": "12"}, ("prices",), "prices must be written as `key: value` lines"),
        ({"stock": "few"}, ("stock",), "stock 'few' is not a whole number"),
        ({"stock": None}, ("stock",), "stock '' is not a whole number"),
        (
            {"images": [{"file": "no.png", "alt": "A"}]},
            ("images", 0, "file"),
            "image 'no.png' does",
        ),
        ({"images": [{"alt": "A"}]}, ("images", 0), "the image has no file"),
        ({"delivery": {}}, ("delivery",), "delivery needs a text, a file or keys"),
        ({"delivery": {"files": ["a", "b"]}}, ("delivery", "files", 0), "goods file 'a' does not"),
        (
            {"delivery": {"text": "A", "days": "1"}},
            ("delivery", "days"),
            "days is for a delivery by",
        ),
        ({"tilte": "Rain"}, ("tilte",), "unknown key 'tilte' in the product"),
    ],
)
def test_a_problem_is_one_of_its_field(
    rules: ProductRules, change: dict[str, Value], field: Field, text: str
) -> None:
    rules.product(Given({**GOOD, **change}, ()))

    problem = rules.problems[0]
    assert problem.field == field
    assert problem.text.startswith(text)


@pytest.mark.parametrize("name", ["slug", "title", "summary", "prices", "delivery"])
def test_what_every_product_has_is_missed(rules: ProductRules, name: str) -> None:
    rules.product(Given({key: value for key, value in GOOD.items() if key != name}, ()))

    assert [(each.field, each.text) for each in rules.problems] == [
        ((), f"the product has no {name}")
    ]


@pytest.mark.parametrize("name", ["category", "description", "images"])
def test_what_a_product_can_do_without_may_be_nothing_at_all(
    rules: ProductRules, name: str
) -> None:
    assert rules.product(Given({**GOOD, name: None}, ())) == rules.product(Given(GOOD, ()))
    assert rules.problems == []
