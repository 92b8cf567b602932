from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from PIL import Image
from sqlalchemy import event

from shop.catalogue.merging import ImportReport
from shop.catalogue.service import import_catalogue
from shop.db import db

Write = Callable[[str], Path]
ImportText = Callable[[str], ImportReport]
ProductText = Callable[..., str]


@contextmanager
def counted(app: Flask) -> Iterator[list[str]]:
    """The statements that the database is asked meanwhile."""
    statements: list[str] = []

    def note(connection: Any, cursor: Any, statement: str, *rest: Any) -> None:
        if not statement.startswith(("BEGIN", "PRAGMA")):
            statements.append(statement)

    with app.app_context():
        engine = db.engine
    event.listen(engine, "before_cursor_execute", note)
    yield statements
    event.remove(engine, "before_cursor_execute", note)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a picture and a file for sale, as an operator would have it."""
    folder = tmp_path / "catalogue"
    (folder / "images").mkdir(parents=True)
    (folder / "files").mkdir()
    Image.linear_gradient("L").resize((1600, 1200)).convert("RGB").save(folder / "images/rain.jpg")
    Image.new("RGB", (500, 300), "teal").save(folder / "images/small.png")
    (folder / "files/rain.zip").write_bytes(b"PK rain")
    return folder


@pytest.fixture
def write(folder: Path) -> Write:
    """Write a catalogue file; the text is everything below `products:`."""

    def write(text: str) -> Path:
        path = folder / "catalogue.yaml"
        path.write_text(f"products:\n{text}", "utf-8")
        return path

    return write


@pytest.fixture
def import_text(app: Flask, write: Write) -> ImportText:
    """Write a catalogue file and import it."""
    return lambda text: import_catalogue(write(text))


@pytest.fixture
def product() -> ProductText:
    """The text of a product, with some of its lines replaced or added."""

    def product(slug: str = "rain", **values: str) -> str:
        lines = {
            "slug": slug,
            "title": slug.title(),
            "summary": f"All about {slug}.",
            "prices": "{USD: 12.00}",
            "delivery": "{text: Thanks}",
        } | values
        return "\n- " + "\n  ".join(f"{key}: {value}" for key, value in lines.items() if value)

    return product
