"""Each request leaves one line in the log, whose id finds it again."""

from __future__ import annotations

import json
import logging

import pytest
from flask import Flask

from shop.config import Settings
from shop.payments.cryptocloud import CryptoCloud


@pytest.fixture
def engine() -> str:
    return "sqlite"


def test_the_line_says_what_was_asked_and_answered(
    app: Flask, caplog: pytest.LogCaptureFixture
) -> None:
    response = app.test_client().get("/products/x%0aforged?a=%0aforged")

    (record,) = caplog.records
    (handler,) = [h for h in logging.getLogger().handlers if type(h) is logging.StreamHandler]
    written = handler.format(record)
    assert "\n" not in written
    line = json.loads(written)
    assert line["event"] == "request"
    assert (line["method"], line["route"], line["status"]) == ("GET", "/products/<slug>", 404)
    assert line["request_id"] == response.headers["X-Request-ID"]
    assert line["ms"] >= 0


def test_no_two_requests_share_an_id(app: Flask) -> None:
    client = app.test_client()

    ids = {client.get("/healthz").headers["X-Request-ID"] for _ in range(50)}

    assert len(ids) == 50


def test_a_visitor_does_not_choose_the_id(app: Flask) -> None:
    response = app.test_client().get("/healthz", headers={"X-Request-ID": "chosen"})

    assert response.headers["X-Request-ID"] != "chosen"


def test_neither_the_settings_nor_the_client_show_their_keys(
    app: Flask, settings: Settings
) -> None:
    gateway: CryptoCloud = app.extensions["cryptocloud"]

    for shown in (repr(gateway), str(gateway), repr(settings), str(settings)):
        for name in ("secret_key", "cryptocloud_api_key", "cryptocloud_secret_key"):
            assert getattr(settings, name).get_secret_value() not in shown
