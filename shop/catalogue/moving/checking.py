"""Each product meets our own rules before it is promised: what those refuse must not stop all others."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ..fields import Given, Value
from ..product_draft import ProductDraft
from ..product_rules import ProductRules


class Unfit(Exception):
    """A product cannot be carried, for the reason that the text gives."""


def draft_of(values: Mapping[str, Value], folder: Path, base_currency: str) -> ProductDraft:
    """The product as an import of a catalogue file in `folder` would take it; raises Unfit."""
    rules = ProductRules(folder.resolve(), base_currency)
    draft = rules.product(Given(values, ()))
    if rules.problems:
        raise Unfit(f"is refused by the catalogue: {rules.problems[0].text}")
    return draft
