"""What the tests of carts sell."""

from __future__ import annotations

import pytest
from flask import Flask

from shop.catalogue.models import Price, Product
from tests.factories import make_product


@pytest.fixture
def rain(app: Flask) -> Product:
    with app.app_context():
        prices = [Price(currency="USD", minor=1000), Price(currency="EUR", minor=900)]
        return make_product(title="Rain", stock=9, prices=prices)


@pytest.fixture
def snow(app: Flask) -> Product:
    with app.app_context():
        prices = [Price(currency="USD", minor=500), Price(currency="EUR", minor=450)]
        return make_product(title="Snow", prices=prices)
