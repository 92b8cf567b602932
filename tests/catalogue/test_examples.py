"""The demonstration shop's catalogue and the documentation's example can be imported."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import selectinload

from shop.catalogue.models import DeliveryKind, Product
from shop.catalogue.service import import_catalogue
from shop.db import db

ROOT = Path(__file__).parents[2]
DEMO = ROOT / "demo"


@pytest.fixture
def demo(app: Flask) -> None:
    with app.app_context():
        import_catalogue(DEMO / "catalogue.yaml")


def test_the_demo_shows_each_kind_of_product_and_every_page_opens(
    app: Flask, client: FlaskClient, demo: None
) -> None:
    with app.app_context():
        statement = select(Product).options(
            selectinload(Product.images),
            selectinload(Product.prices),
            selectinload(Product.more_files),
        )
        products = list(db.session.scalars(statement))

    assert len(products) >= 8
    assert {product.delivery_kind for product in products} == set(DeliveryKind)
    assert {0, 25, None} <= {product.available for product in products}
    assert all(product.images for product in products)
    assert any(len(product.prices) > 2 for product in products)
    assert any(price.minor == 0 for product in products for price in product.prices)
    assert any(len(product.files) > 1 and product.max_downloads for product in products)
    for product in products:
        if product.delivery_kind is DeliveryKind.KEY:
            keys = (DEMO / f"keys/{product.slug}.txt").read_text().split()
            assert len(keys) == len(set(keys)) >= 50
    assert client.get("/").status_code == 200
    for product in products:
        assert client.get(f"/products/{product.slug}").status_code == 200


def test_the_demo_is_small_and_holds_nothing_unused() -> None:
    text = (DEMO / "catalogue.yaml").read_text("utf-8")
    files = [*(DEMO / "images").iterdir(), *(DEMO / "files").iterdir()]

    assert {f"{file.parent.name}/{file.name}" for file in files} == set(
        re.findall(r"(?:file:|-) ((?:images|files)/\S+)", text)
    )
    assert sum(file.stat().st_size for file in files) < 1_500_000


def test_the_documented_example_can_be_imported(app: Flask, folder: Path) -> None:
    document = (ROOT / "docs/catalogue.md").read_text("utf-8")
    (example,) = re.findall(r"```yaml\n(.*?)```", document, re.DOTALL)
    path = folder / "catalogue.yaml"
    path.write_text(example, "utf-8")

    with app.app_context():
        first, second = import_catalogue(path), import_catalogue(path)

    assert first.added == second.unchanged == ["harbour-rain", "tidewrack", "one-hour"]
