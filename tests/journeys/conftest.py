"""The shop and the sandbox, talking to each other over real HTTP."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from werkzeug.serving import make_server

from shop.config import Settings
from shop.sandbox.state import Sandbox
from tests.buyer import Buyer
from tests.conftest import settings_for
from tests.journeys.books import Books
from tests.journeys.till import Till


@pytest.fixture
def door() -> Iterator[socket.socket]:
    """The shop's port, open before the shop is made, so that its settings can name it."""
    with socket.create_server(("127.0.0.1", 0)) as door:
        yield door


@pytest.fixture
def settings(tmp_path: Path, database_url: str, sandbox: Sandbox, door: socket.socket) -> Settings:
    address = f"http://127.0.0.1:{door.getsockname()[1]}"
    return settings_for(sandbox, tmp_path / "data", database_url, shop_public_url=address)


@pytest.fixture
def shop(app: Flask, settings: Settings, sandbox: Sandbox, door: socket.socket) -> Iterator[str]:
    """The shop served over HTTP, known to the sandbox; its address."""
    address = settings.shop_public_url
    host, port = door.getsockname()
    server = make_server(host, port, app, threaded=True, fd=door.fileno())
    sandbox.configure(
        notification_url=f"{address}/payments/cryptocloud/postback",
        success_url=f"{address}/payment/success",
        fail_url=f"{address}/payment/fail",
    )
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield address
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def buyer(app: Flask, shop: str) -> Buyer:
    return Buyer(app)


@pytest.fixture
def till(sandbox: Sandbox) -> Till:
    return Till(sandbox.settings.public_url, sandbox.settings.pay_origins())


@pytest.fixture
def books(app: Flask) -> Books:
    return Books(app)
