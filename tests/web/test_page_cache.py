"""Public pages that are kept: answered without Flask, as Flask answers them, and never to the wrong request."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask, request, template_rendered
from flask.testing import FlaskClient
from sqlalchemy import update
from werkzeug.test import TestResponse

import shop.web.page_cache
from shop.catalogue.models import Category, Product
from shop.catalogue.version import VersionReader
from shop.db import db, transaction
from tests.factories import make_open_order, make_product

GZIP = {"Accept-Encoding": "gzip, br"}


@pytest.fixture
def slug(app: Flask) -> str:
    with app.app_context():
        with transaction() as session:
            session.add(Category(id=1, slug="loops", title="Loops"))
        return make_product(category_id=1, stock=3).slug


@pytest.fixture
def made(app: Flask) -> Iterator[list[str]]:
    """The templates of the pages that were made, in order."""
    names: list[str] = []

    def note(sender: Flask, template: object, **_: object) -> None:
        names.append(template.name)  # type: ignore[attr-defined]

    with template_rendered.connected_to(note, app):
        yield names


def pages(slug: str) -> list[str]:
    own = [f"/products/{slug}", "/", "/categories/loops", "/search?q=product"]
    own += ["/terms", "/privacy", "/refunds", "/contact", "/sitemap.xml", "/robots.txt"]
    return [*own, *(f"/ru{path}" for path in own), f"/products/{slug}?currency=EUR"]


def answer(response: TestResponse) -> tuple[str, dict[str, str], bytes]:
    """Without what each answer has of its own."""
    headers = dict(response.headers)
    assert len(headers) == len(response.headers)
    del headers["X-Request-ID"]
    return response.status, headers, response.data


def test_the_second_answer_is_the_first_one_without_making_the_page_again(
    app: Flask, client: FlaskClient, slug: str, made: list[str]
) -> None:
    for path in pages(slug):
        for headers in ({}, GZIP):
            first = client.get(path, headers=headers)
            count = len(made)
            second = client.get(path, headers=headers)

            assert answer(second) == answer(first)
            assert second.headers["X-Request-ID"] != first.headers["X-Request-ID"]
            assert len(made) == count, path


@pytest.mark.parametrize("headers", [{}, GZIP])
def test_head_and_not_modified_are_answered_from_memory_as_flask_answers_them(
    app: Flask, client: FlaskClient, slug: str, headers: dict[str, str]
) -> None:
    for path in pages(slug):
        etag = client.get(path, headers=headers).headers["ETag"]
        ways = [
            ("HEAD", headers),
            ("GET", headers | {"If-None-Match": etag}),
            ("GET", headers | {"If-None-Match": f'"x", W/{etag}'}),
            ("HEAD", headers | {"If-None-Match": "*"}),
            ("GET", headers | {"If-None-Match": '"another"'}),
            ("GET", headers | {"If-Match": '"another"'}),
            ("GET", headers | {"Range": "bytes=0-9"}),
        ]
        for method, asked in ways:
            kept = client.open(path, method=method, headers=asked)
            fresh = without_memory(app).open(path, method=method, headers=asked)

            assert answer(kept) == answer(fresh), (path, method, asked)


def without_memory(app: Flask) -> FlaskClient:
    """A visitor of the same shop, right after it started."""
    client = app.test_client()
    cache = memory(app)
    cache._pages.clear()
    cache._size = 0
    return client


def memory(app: Flask) -> shop.web.page_cache.PageCache:
    layer: object = app.wsgi_app
    while not isinstance(layer, shop.web.page_cache.PageCache):
        layer = getattr(layer, "application", None) or layer.app  # type: ignore[attr-defined]
    return layer


@pytest.mark.parametrize(("method", "headers"), [("GET", {"If-None-Match": "*"}), ("HEAD", {})])
def test_a_page_is_kept_also_when_its_first_visitor_gets_no_body(
    client: FlaskClient, slug: str, made: list[str], method: str, headers: dict[str, str]
) -> None:
    """A cache in front of the shop asks in no other way."""
    client.open(f"/products/{slug}", method=method, headers=headers)

    page = client.get(f"/products/{slug}")

    assert page.status_code == 200
    assert "Product" in page.text
    assert len(made) == 1


def test_a_visitor_of_every_campaign_gets_the_kept_page(
    client: FlaskClient, slug: str, made: list[str]
) -> None:
    first = client.get(f"/products/{slug}")

    for query in ("utm_source=x&fbclid=Iw1", "fbclid=Iw2", "ref", "a=b;c=d", "%00=1"):
        assert answer(client.get(f"/products/{slug}?{query}")) == answer(first)

    assert len(made) == 1


@pytest.mark.parametrize("name", ["q", "currency", "sort", "page"])
def test_what_the_shop_reads_of_an_address_tells_pages_apart(
    client: FlaskClient, slug: str, made: list[str], name: str
) -> None:
    client.get("/search?q=product")
    encoded = f"%{ord(name[0]):02x}{name[1:]}"

    for query in (f"{name}=1", f"{encoded}=2", f"{name}=3&{name}=4", f"a&{name}=5", f"{name}="):
        before = len(made)
        client.get(f"/search?{query}")
        assert len(made) > before, query


@pytest.mark.parametrize(
    "queries", [("q=%FF", "q=%FE"), ("q=\xff", "q=\xfe"), ("q=a%00", "q=a%01")]
)
def test_bytes_that_are_no_text_tell_pages_apart_too(
    app: Flask, client: FlaskClient, slug: str, queries: tuple[str, str]
) -> None:
    """As they came: a client may leave them unencoded."""
    for query in queries:
        asked = {"QUERY_STRING": query}
        page = client.get("/search", environ_overrides=asked)

        assert page.status_code == 200
        assert answer(client.get("/search", environ_overrides=asked)) == answer(page)
    kept = client.get("/search", environ_overrides=asked)
    assert answer(kept) == answer(without_memory(app).get("/search", environ_overrides=asked))


def test_what_stands_behind_the_first_value_of_a_name_takes_no_memory(
    app: Flask, client: FlaskClient, slug: str, made: list[str]
) -> None:
    first = client.get("/search?q=product&currency=EUR")
    size = memory(app)._size

    for query in ("q=product&currency=EUR" + "&q=x" * 900, "currency=EUR&q=product&currency=USD"):
        assert answer(client.get(f"/search?{query}")) == answer(first)

    assert len(made) == 1
    assert memory(app)._size == size


def test_no_other_name_in_an_address_changes_a_public_page(
    app: Flask, client: FlaskClient, slug: str
) -> None:
    """Else the kept page would be the wrong one: each name that a view looks at has to be among those it reads."""
    looked_at = set[str]()

    with app.test_request_context():
        args = type(request.args)

    class Watched(args):  # type: ignore[misc,valid-type]
        def __getitem__(self, name: str) -> str:
            looked_at.add(name)
            return super().__getitem__(name)  # type: ignore[no-any-return]

        def __contains__(self, name: object) -> bool:
            looked_at.add(str(name))
            return super().__contains__(name)  # type: ignore[no-any-return]

        def get(self, name: str, *rest: object, **more: object) -> object:
            looked_at.add(name)
            return super().get(name, *rest, **more)

    app.request_class.parameter_storage_class = Watched
    for path in pages(slug):
        client.get(path)

    cache = memory(app)
    assert looked_at
    assert looked_at <= cache.reads | cache.never_with


def test_an_old_address_by_the_query_is_looked_up_each_time(
    client: FlaskClient, slug: str, made: list[str]
) -> None:
    for _ in range(2):
        assert client.get("/?p=12").status_code == 200

    assert len(made) == 2


def test_another_host_does_not_get_the_kept_page(client: FlaskClient, slug: str) -> None:
    assert client.get(f"/products/{slug}").status_code == 200

    for host in ("evil.example", "localhost:99@evil.example", ""):
        response = client.get(f"/products/{slug}", headers={"Host": host})
        assert response.status_code == 400


def test_a_shopper_with_a_cart_gets_the_kept_page_and_no_one_gets_theirs(
    app: Flask, client: FlaskClient, slug: str, made: list[str]
) -> None:
    client.post("/cart", data={"product": slug})
    page = client.get(f"/products/{slug}")
    kept = len(memory(app)._pages)
    with app.app_context():
        make_open_order(app)

    for path in ("/cart", "/checkout", "/orders/find", "/payment/success?order_id=x", "/nothing"):
        client.get(path)

    assert len(memory(app)._pages) == kept == 1
    assert answer(app.test_client().get(f"/products/{slug}")) == answer(page)


def test_a_page_is_not_kept_if_the_operators_template_makes_it_personal(
    app: Flask, client: FlaskClient, slug: str
) -> None:
    folder = app.config["SETTINGS"].shop_data_dir / "templates" / "catalogue"
    folder.mkdir(parents=True)
    (folder / "_buy_box.html").write_text("You have {{ session.get('cart', {})|length }} in it")

    client.post("/cart", data={"product": slug})
    assert "You have 1" in client.get(f"/products/{slug}").text

    assert "You have 0" in app.test_client().get(f"/products/{slug}").text


def test_a_form_that_is_sent_to_a_public_page_reaches_the_shop(
    client: FlaskClient, slug: str
) -> None:
    client.get(f"/products/{slug}")

    assert client.post(f"/products/{slug}").status_code == 405


def test_each_answer_from_memory_leaves_its_line(
    app: Flask, client: FlaskClient, slug: str, caplog: pytest.LogCaptureFixture
) -> None:
    client.get(f"/ru/products/{slug}?email=a@b.example")
    caplog.clear()

    response = client.head(f"/ru/products/{slug}?email=a@b.example")

    (record,) = caplog.records
    (handler,) = [h for h in logging.getLogger().handlers if type(h) is logging.StreamHandler]
    line = json.loads(handler.format(record))
    assert (line["method"], line["route"], line["status"]) == ("HEAD", "/products/<slug>", 200)
    assert line["request_id"] == response.headers["X-Request-ID"]
    assert line.keys() == {"method", "route", "status", "ms", "event", "request_id", "level", "timestamp"}  # fmt: skip


def test_the_memory_for_pages_is_bounded(
    app: Flask, client: FlaskClient, slug: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shop.web.page_cache, "KEPT_BYTES", 100_000)
    cache = memory(app)

    for number in range(60):
        client.get(f"/search?q=product-{number}")
        assert cache._size <= 100_000
        assert cache._size == sum(kept.size for kept in cache._pages.values())

    before = len(cache._pages)
    assert 1 < before < 60
    client.get("/search?q=product-59")
    assert len(cache._pages) == before


def test_a_page_too_large_to_keep_is_made_each_time(
    app: Flask, client: FlaskClient, slug: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shop.web.page_cache, "LARGEST", 1000)

    client.get(f"/products/{slug}")

    assert not memory(app)._pages


def test_a_page_made_while_the_catalogue_changed_is_not_kept(
    app: Flask, client: FlaskClient, slug: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    versions = iter(range(100))
    monkeypatch.setattr(VersionReader, "current", lambda self: next(versions))

    client.get(f"/products/{slug}")

    assert not memory(app)._pages


def rename(app: Flask, title: str) -> None:
    with app.app_context(), transaction() as session:
        session.execute(update(Product).values(title=title))


def test_a_change_shows_at_once(app: Flask, client: FlaskClient, slug: str) -> None:
    for title in ("One", "Two", "Three"):
        rename(app, title)
        for path in (f"/products/{slug}", "/", "/categories/loops", f"/search?q={title}"):
            for _ in range(2):
                assert f">{title}<" in client.get(path).text


def test_control_without_the_version_a_change_does_not_show(
    app: Flask, client: FlaskClient, slug: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(VersionReader, "current", lambda self: "always the same")
    rename(app, "Before")
    client.get(f"/products/{slug}")

    rename(app, "After")

    assert ">Before<" in client.get(f"/products/{slug}").text


def test_a_legal_text_that_is_edited_shows_at_once(
    app: Flask, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shop.site.texts.CHANGES_SHOW_AFTER", -1.0)
    folder = app.config["SETTINGS"].shop_data_dir / "pages"
    shipped = client.get("/terms").text
    folder.mkdir()
    own = folder / "terms.en.md"

    for text in ("# Ours\n\nOne.", "# Ours\n\nOther words."):
        own.write_text(text)
        for _ in range(2):
            assert text.rpartition("\n")[2] in client.get("/terms").text
    own.unlink()
    assert client.get("/terms").text == shipped


def test_a_text_that_was_just_edited_may_be_edited_again_in_the_same_moment(
    app: Flask, client: FlaskClient
) -> None:
    folder = app.config["SETTINGS"].shop_data_dir / "pages"
    folder.mkdir()

    for number in range(20):
        (folder / "terms.en.md").write_text(f"# Ours\n\nEdition {number:02}.")
        assert f"Edition {number:02}" in client.get("/terms").text


def test_no_page_is_kept_while_templates_may_change_at_any_time(
    app: Flask, client: FlaskClient, slug: str
) -> None:
    app.jinja_env.auto_reload = True

    client.get(f"/products/{slug}")

    assert not memory(app)._pages


def test_kept_pages_are_not_shown_of_a_database_file_that_was_replaced(
    app: Flask, client: FlaskClient, slug: str, engine: str
) -> None:
    if engine != "sqlite":
        pytest.skip("a file of SQLite")
    assert client.get(f"/products/{slug}").status_code == 200
    with app.app_context():
        path = db.engine.url.database or ""

    Path(path).rename(f"{path}.away")

    assert client.get(f"/products/{slug}").status_code == 503
