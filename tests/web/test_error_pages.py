"""Every error is a page of the shop: what happened, what to do, a way back, and no trace of the code."""

from __future__ import annotations

import re
from typing import NoReturn

import pytest
from flask import Flask, abort
from flask.testing import FlaskClient
from sqlalchemy import event

from shop.db import db
from shop.web.errors import WORDS

CODES = [400, 403, 404, 405, 410, 413, 422, 429, 500, 503]
SECRET = "tell-nobody-4711"


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    """With routes that fail in every way a view can."""

    @app.get("/fails/<int:code>")
    def fails(code: int) -> NoReturn:
        abort(code, description=SECRET)

    @app.get("/crashes")
    def crashes() -> NoReturn:
        raise RuntimeError(SECRET)

    return app.test_client()


@pytest.mark.parametrize("code", CODES)
def test_an_error_is_a_page_in_the_shops_layout(client: FlaskClient, code: int) -> None:
    response = client.get(f"/fails/{code}")

    assert response.status_code == code
    assert response.mimetype == "text/html"
    assert f"Error {code}" in response.text
    assert '<header class="site-header">' in response.text
    assert '<meta name="robots" content="noindex">' in response.text
    assert '<a class="button" href="/">' in response.text


@pytest.mark.parametrize("code", CODES)
def test_an_error_page_says_what_to_do(client: FlaskClient, code: int) -> None:
    page = client.get(f"/fails/{code}").text

    advice = r"(Go|Open|Check|Shorten|Wait|Please try)\b.*</p>"
    assert re.search(rf'<p class="lead">[A-Z][^<]+\.</p>\s*<p>{advice}', page)


def test_no_two_errors_say_the_same() -> None:
    assert len({title for title, _, _ in WORDS.values()}) == len(WORDS)


@pytest.mark.parametrize("address", [*(f"/fails/{code}" for code in CODES), "/crashes"])
def test_an_error_page_shows_nothing_of_the_code(client: FlaskClient, address: str) -> None:
    response = client.get(address)

    for word in (SECRET, "Traceback", "RuntimeError", "werkzeug", ".py"):
        assert word not in response.text
        assert word not in str(response.headers)


@pytest.mark.parametrize("address", ["/fails/404", "/crashes"])
def test_the_reference_on_the_page_is_the_one_in_the_log(client: FlaskClient, address: str) -> None:
    response = client.get(address)

    assert response.headers["X-Request-ID"]
    assert f"reference {response.headers['X-Request-ID']}" in response.text


@pytest.mark.parametrize("code", [429, 503])
def test_busy_pages_say_when_to_come_back(client: FlaskClient, code: int) -> None:
    assert 1 <= int(client.get(f"/fails/{code}").headers["Retry-After"]) <= 120


@pytest.mark.parametrize("code", [400, 404, 500])
def test_other_pages_do_not(client: FlaskClient, code: int) -> None:
    assert "Retry-After" not in client.get(f"/fails/{code}").headers


def test_a_crash_is_a_page_that_touches_neither_database_nor_session(
    app: Flask, client: FlaskClient
) -> None:
    with app.app_context():
        event.listen(db.engine, "checkout", lambda *_: pytest.fail("the database was used"))

    response = client.get("/crashes")

    assert response.status_code == 500
    assert "on our side" in response.text
    assert "Set-Cookie" not in response.headers


def test_a_crash_is_logged_with_its_trace(
    client: FlaskClient, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    client.get("/crashes")

    (record,) = [record for record in caplog.records if record.levelname == "ERROR"]
    assert record.exc_info
    assert record.exc_info[0] is RuntimeError


def test_an_unknown_address_is_not_found(client: FlaskClient) -> None:
    response = client.get("/no/such/page")

    assert response.status_code == 404
    assert "This page does not exist" in response.text


def test_the_wrong_method_is_told_the_right_ones(client: FlaskClient) -> None:
    response = client.get("/cart/lines")

    assert response.status_code == 405
    assert set(response.headers["Allow"].split(", ")) == {"POST", "OPTIONS"}


def test_a_fault_that_has_no_page_of_its_own_keeps_its_status(client: FlaskClient) -> None:
    response = client.get("/fails/415")

    assert response.status_code == 415
    assert '<header class="site-header">' in response.text


def test_an_error_page_is_never_kept_by_a_cache(client: FlaskClient) -> None:
    assert client.get("/products/none").headers["Cache-Control"] == "no-store"
