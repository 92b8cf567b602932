from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from shop import create_app
from shop.config import Settings
from tests.conftest import make_settings


@pytest.fixture
def engine() -> str:
    """What these tests show does not depend on the database; those for which it does say so."""
    return "sqlite"


def production(folder: Path, **values: object) -> Settings:
    """Settings of a shop on the internet, behind https, that pays at the real provider."""
    own = {
        "shop_development": False,
        "shop_public_url": "https://shop.example",
        "secret_key": "k" * 40,
        "cryptocloud_api_key": "a" * 40,
        "cryptocloud_shop_id": "SHOPSHOPSHOP0001",
        "cryptocloud_secret_key": "s" * 40,
    }
    return make_settings(folder, **(own | values))


class AtItsOwnAddress(FlaskClient):
    """A browser that opens https://shop.example where nothing else is said."""

    def open(self, *args: Any, **arguments: Any) -> TestResponse:
        return super().open(*args, **{"base_url": "https://shop.example"} | arguments)


@pytest.fixture
def secure_app(settings: Settings) -> Flask:
    """The shop as it runs in production, on this test's database."""
    return create_app(production(settings.shop_data_dir, database_url=settings.database_url))


@pytest.fixture
def secure_client(secure_app: Flask) -> FlaskClient:
    secure_app.test_client_class = AtItsOwnAddress
    return secure_app.test_client()
