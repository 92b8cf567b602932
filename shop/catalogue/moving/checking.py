"""Each product is read by our own import before it is promised: what that refuses must not stop all others."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import yaml

from ..files.exporting import Value, as_node
from ..files.importing import CatalogueReader, Entry


class Unfit(Exception):
    """A product cannot be carried, for the reason that the text gives."""


class Checker:
    """Reads what a catalogue file in `folder` would say, without writing it first."""

    def __init__(self, folder: Path, base_currency: str) -> None:
        self.reader = CatalogueReader(folder.resolve(), base_currency)

    def entry(self, values: Mapping[str, Value], row: int) -> Entry:
        """The product as our own import takes it; its line is the row that it comes from."""
        self.reader.problems.clear()
        entry = self.reader.entry(as_node(values, yaml.Mark("", 0, row - 1, 0, None, 0)))
        if self.reader.problems:
            raise Unfit(f"is refused by the catalogue: {self.reader.problems[0].text}")
        return entry
