"""A shop on a fresh, migrated database, on SQLite and on PostgreSQL; and a provider that is the sandbox."""

from __future__ import annotations

import os
import shutil
import zlib
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient, FlaskCliRunner

import shop.db
import shop.queue
import shop.turns
from shop import create_app
from shop.config import Settings
from shop.db import db
from shop.sandbox.state import Sandbox
from shop.schema import migrations
from tests.support.browsing import CHROMIUM, browser_arguments
from tests.support.live_sandbox import running_sandbox
from tests.support.postgres import NoPostgres, postgres_database, postgres_server

pytest_plugins = ["tests.support.once", "tests.support.promises"]


@pytest.fixture(scope="session", autouse=True)
def _no_settings_of_the_operator() -> None:
    """Whatever the person who runs the tests has set for a shop must not change what they say."""
    for name in list(os.environ):
        if name.startswith(("SHOP_", "CRYPTOCLOUD_", "SANDBOX_")):
            del os.environ[name]


@pytest.fixture(scope="session", autouse=True)
def _the_database_is_given_time() -> None:
    """On a busy machine a crowd waits longer than buyers should; a test of the wait sets its own."""
    shop.db.BUSY_SECONDS = 60
    shop.queue.ANSWERS_WITHIN = 60
    shop.turns.STANDS_STILL = 60
    for limit in shop.db.POSTGRES_LIMITS:
        shop.db.POSTGRES_LIMITS[limit] = 60_000


@pytest.fixture(autouse=True)
def _a_part_is_a_part_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody pays in full and waits for the blockchain, but in the tests that are about just that."""
    monkeypatch.setattr("shop.payments.partial.CONFIRMING_FOR", timedelta(0))


def make_settings(folder: Path, database_url: str = "", **values: object) -> Settings:
    """Settings of a development shop that owns `folder`."""
    own = {
        "shop_development": True,
        "shop_data_dir": folder,
        "database_url": database_url,
        "shop_public_url": "http://localhost",
        "shop_support_email": "help@shop.example",
        # Most tests have one buyer who orders and orders; the limits have tests of their own.
        "shop_unpaid_orders": 1_000_000,
        "shop_unpaid_share": 100,
    }
    return Settings.model_validate(own | values)


def settings_for(sandbox: Sandbox, folder: Path, database_url: str, **values: object) -> Settings:
    """The same, with this sandbox for a provider."""
    project = sandbox.settings
    provider = {
        "cryptocloud_api_url": project.public_url,
        "cryptocloud_pay_hosts": project.pay_origins(),
    }
    return make_settings(folder, database_url, **provider | values)


def migrate(settings: Settings) -> None:
    """Bring the database of these settings to the newest migration."""
    app = create_app(settings)
    with app.app_context():
        migrations().upgrade()
        db.engine.dispose()


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("template")
    migrate(make_settings(folder))
    return folder / "shop.db"


@pytest.fixture(scope="session")
def postgres_template(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """The server's address, and the name of a migrated database to copy."""
    try:
        with postgres_server() as server, postgres_database(server) as url:
            migrate(make_settings(tmp_path_factory.mktemp("template"), url))
            yield server, url.rpartition("/")[2].partition("?")[0]
    except NoPostgres as error:
        pytest.skip(f"no PostgreSQL: {error}")


@pytest.fixture(params=["sqlite", "postgresql"])
def engine(request: pytest.FixtureRequest) -> str:
    """Every test that writes runs once on each."""
    return str(request.param)


@pytest.fixture
def database_url(engine: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[str]:
    if engine == "sqlite":
        path = tmp_path / "shop.db"
        shutil.copyfile(request.getfixturevalue("sqlite_template"), path)
        yield f"sqlite:///{path}"
        return
    server, template = request.getfixturevalue("postgres_template")
    with postgres_database(server, template) as url:
        yield url


@pytest.fixture
def settings(tmp_path: Path, database_url: str) -> Settings:
    return make_settings(tmp_path / "data", database_url)


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """A provider of this test's own, on a port of its own."""
    with running_sandbox() as sandbox:
        yield sandbox


@pytest.fixture
def app(settings: Settings) -> Iterator[Flask]:
    app = create_app(settings)
    yield app
    with app.app_context():
        db.engine.dispose()


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


@pytest.fixture
def runner(app: Flask) -> FlaskCliRunner:
    return app.test_cli_runner()


ONE_IN_FIVE = tuple(
    f"tests/{part}"
    for part in (
        *("catalogue/", "cli/", "fulfilment/", "journeys/", "ops/", "privacy/", "web/"),
        *("payments/test_a_refusal_that_lasts", "payments/test_answers_that_are_not_clear"),
        *("payments/test_postback_endpoint", "faults/test_the_provider_misbehaves"),
        *("payments/test_the_sweep", "payments/test_a_silent_provider", "checkout/test_limits"),
        *("checkout/test_a_buyer_minds", "checkout/test_large_amounts", "checkout/test_typos"),
        *("payments/test_the_clock_is_compared",),
        *("books/test_journal", "test_watch"),
    )
)
"""Tests that reach the database through what the rest of `payments`, `checkout` and `faults` show on both
engines, or that write the same rows for many different answers. Of their PostgreSQL halves the quick tier
runs every fifth, always the same; the rest is `long`."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Sort tests into the tiers, and skip browser tests by name where there is no browser.

    CI sets REQUIRE_BROWSER, and then they fail instead.
    """
    on_postgres = [each for each in items if "postgresql" in each.nodeid]
    spared = [each for each in on_postgres if each.nodeid.startswith(ONE_IN_FIVE)]
    for item in spared:
        if zlib.crc32(item.nodeid.encode()) % 5:
            item.add_marker(pytest.mark.long)
    if CHROMIUM or os.environ.get("REQUIRE_BROWSER"):
        return
    reason = "no Chromium: install it (apt-get install chromium), or set CHROMIUM=/path/to/it"
    for item in items:
        if item.get_closest_marker("browser"):
            item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: dict[str, object]) -> dict[str, object]:
    return {**browser_type_launch_args, **browser_arguments()}
