"""Static files: names that hold their content's hash, kept for ever, and one sheet out of many."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from shop import create_app
from shop.config import ROOT
from shop.web import static
from tests.conftest import make_settings
from tests.web.conftest import production

STATIC = ROOT / "static"


def asset(app: Flask, name: str) -> str:
    return str(app.jinja_env.globals["asset"](name))  # type: ignore[operator]


def text_of(app: Flask, name: str) -> str:
    with app.test_client().get(asset(app, name)) as response:
        return response.text


def files() -> list[str]:
    found = (path for path in STATIC.rglob("*") if path.is_file())
    return [path.relative_to(STATIC).as_posix() for path in found]


@pytest.mark.parametrize("name", ["css/main.css", "js/order.js", "img/favicon.svg"])
def test_a_file_is_kept_for_ever(app: Flask, client: FlaskClient, name: str) -> None:
    url = asset(app, name)

    response = client.get(url)

    assert re.fullmatch(r"/static/[a-z/-]+\.[0-9a-f]{12}\.[a-z]+", url)
    assert response.status_code == 200
    cache = response.headers["Cache-Control"]
    assert "public" in cache
    assert "immutable" in cache
    assert int(re.findall(r"max-age=(\d+)", cache)[0]) >= 31_536_000
    response.close()


@pytest.mark.parametrize("name", ["css/main.css", "js/order.js"])
def test_a_sheet_or_script_goes_out_compressed_to_who_takes_it(
    app: Flask, client: FlaskClient, name: str
) -> None:
    url = asset(app, name)
    with client.get(url) as plain, client.get(url, headers={"Accept-Encoding": "gzip"}) as packed:
        assert packed.headers["Content-Encoding"] == "gzip"
        assert gzip.decompress(packed.data) == plain.data
        assert len(packed.data) < len(plain.data) / 2
        assert "Accept-Encoding" in plain.headers["Vary"]


def test_a_file_can_only_be_what_it_says_and_only_for_this_shop(
    app: Flask, client: FlaskClient
) -> None:
    for name in ("css/main.css", "js/forms.js", "img/touch-icon.png"):
        response = client.get(asset(app, name))
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert response.headers["Cross-Origin-Resource-Policy"] == "same-origin"
        assert "Access-Control-Allow-Origin" not in response.headers
        assert "Set-Cookie" not in response.headers
        response.close()


def test_a_new_content_has_a_new_name(tmp_path: Path) -> None:
    names = []
    for text in ("a { color: red }", "a { color: blue }"):
        folder = tmp_path / "site"
        (folder / "css").mkdir(parents=True, exist_ok=True)
        (folder / "css" / "main.css").write_text(text)
        app = Flask("x", static_folder=None)
        app.extensions["security_headers"] = {
            "X-Content-Type-Options": "nosniff", "Cross-Origin-Resource-Policy": "same-origin",
        }  # fmt: skip
        static.init_app(app, folder, make_settings(tmp_path))
        names.append(asset(app, "css/main.css"))
    assert names[0] != names[1]


def test_the_bundle_contains_every_sheet(app: Flask) -> None:
    bundle = text_of(app, "css/main.css")

    sheets = [name for name in files() if name.endswith(".css")]
    assert len(sheets) > 20
    for name in sheets:
        if name not in ("css/main.css", "css/sandbox.css"):
            assert said(STATIC / name) in bundle, name
    assert "@import" not in bundle


def said(sheet: Path) -> str:
    """What a sheet says to browsers."""
    text = re.sub(r"/\*.*?\*/", "", sheet.read_text("utf-8"), flags=re.DOTALL)
    return "\n".join(filter(None, map(str.strip, text.splitlines())))


@pytest.mark.parametrize("name", ["css/main.css", "css/sandbox.css"])
def test_no_words_for_people_travel_to_browsers(app: Flask, name: str) -> None:
    bundle = text_of(app, name)

    assert "/*" not in bundle
    assert not re.search(r"^\s|\s$|\n\n", bundle, re.MULTILINE)


@pytest.mark.parametrize("name", ["css/main.css", "css/sandbox.css"])
def test_what_a_sheet_imports_exists(name: str) -> None:
    sheet = STATIC / name

    for part in re.findall(r'@import "([^"]+)"', sheet.read_text("utf-8")):
        assert (sheet.parent / part).is_file(), part


def test_no_sheet_fetches_anything_from_elsewhere(app: Flask) -> None:
    bundle = text_of(app, "css/main.css")

    assert not re.search(r"url\((?!['\"]?(?:data:|#|\.))", bundle)
    assert "//" not in re.sub(r"/\*.*?\*/", "", bundle, flags=re.S)


@pytest.mark.parametrize(
    "path",
    [
        "/static/",
        "/static/css/main.css",
        "/static/css/../css/main.css",
        "/static/../wsgi.py",
        "/static/..%2fwsgi.py",
        "/static/%2e%2e/%2e%2e/etc/passwd",
        "/static//etc/passwd",
        "/static/css/main.000000000000.css",
        "/static/shop.db",
    ],
)
def test_nothing_else_is_served(client: FlaskClient, path: str) -> None:
    assert client.get(path).status_code in (308, 404)


def test_every_file_is_served_and_nothing_lies_there_for_nobody(app: Flask) -> None:
    client = app.test_client()

    in_the_bundle = set(re.findall(r'@import "([^"]+)"', (STATIC / "css/main.css").read_text()))
    for name in files():
        if name.removeprefix("css/") not in in_the_bundle:
            with client.get(asset(app, name)) as response:
                assert response.status_code == 200, name


def test_the_files_are_the_same_in_production(tmp_path: Path, app: Flask) -> None:
    assert asset(create_app(production(tmp_path / "p")), "css/main.css") == asset(
        app, "css/main.css"
    )


def test_the_sheet_and_scripts_stay_small(app: Flask) -> None:
    """7 KB of CSS and 5 KB of scripts, as they travel; pages have 14 KB with their words."""
    sheet = text_of(app, "css/main.css").encode()
    scripts = b"".join((STATIC / f"js/{name}.js").read_bytes() for name in ("order", "forms"))

    assert len(gzip.compress(sheet)) < 7_000
    assert len(gzip.compress(scripts)) < 5_000
