"""Parts of pages that are made once and kept: the same bytes, never another visitor's, and bounded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import update

from shop import create_app
from shop.catalogue.models import Price, Product
from shop.config import Settings
from shop.db import transaction
from shop.web import kept_parts
from tests.factories import make_product


@pytest.fixture
def engine() -> str:
    return "sqlite"


def header(page: str) -> str:
    return page.partition('<div class="page site-header__row">')[2].partition("</header>")[0]


def footer(page: str) -> str:
    return page.partition("<footer")[2]


def test_a_part_is_made_once_for_each_value(app: Flask) -> None:
    made: list[str] = []

    def make(word: str) -> str:
        made.append(word)
        return word

    template = app.jinja_env.from_string("{% kept word %}{{ make(word) }}{% endkept %}")

    pages = [template.render(word=word, make=make) for word in ("a", "b", "a", "<", "<")]

    assert pages == ["a", "b", "a", "&lt;", "&lt;"]
    assert made == ["a", "b", "<"]


def test_no_part_is_kept_where_the_operator_has_a_template(app: Flask, settings: Settings) -> None:
    own = settings.shop_data_dir / "templates"
    own.mkdir()
    (own / "own.html").write_text("{{ visitor }}")
    template = app.jinja_env.from_string("{% kept 1 %}{% include 'own.html' %}{% endkept %}")

    assert [template.render(visitor=visitor) for visitor in ("Ann", "Bob")] == ["Ann", "Bob"]


def test_no_more_is_kept_than_there_is_room_for(
    settings: Settings, app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept_parts, "ROOM", 5)
    part: Any = create_app(settings).jinja_env.extensions["shop.web.kept_parts.KeptPart"]

    for number in (*range(8, 13), *range(8, 13)):
        assert part._part("here", number, lambda number=number: str(number)) == str(number)
        assert sum(map(len, part._parts.values())) <= 5


def test_a_part_that_could_not_be_made_is_made_anew(app: Flask) -> None:
    template = app.jinja_env.from_string("{% kept 1 %}{{ make() }}{% endkept %}")

    with pytest.raises(ZeroDivisionError):
        template.render(make=lambda: 1 // 0)

    assert template.render(make=lambda: "well") == "well"


def test_header_and_footer_stay_in_the_pages_language_and_currency(client: FlaskClient) -> None:
    addresses = ("/", "/ru/", "/?currency=EUR", "/uk/?currency=EUR", "/cart", "/terms")
    first = {address: client.get(address).text for address in addresses}

    for address, page in first.items():
        again = client.get(address).text
        assert header(again) == header(page)
        assert footer(again) == footer(page)
    assert 'href="/terms"' in footer(first["/"])
    assert 'href="/ru/terms"' in footer(first["/ru/"])
    assert 'href="/terms?currency=EUR"' in footer(first["/?currency=EUR"])
    assert 'href="/uk/terms?currency=EUR"' in footer(first["/uk/?currency=EUR"])
    assert header(first["/"]).count("aria-current") == 1
    assert header(first["/terms"]).count("aria-current") == 0
    assert header(first["/cart"]) != header(first["/"])


def test_the_header_counts_what_is_in_the_visitors_own_cart(app: Flask) -> None:
    with app.app_context():
        added = {"product": make_product().slug, "currency": "USD", "quantity": "2"}
    one, other = app.test_client(), app.test_client()

    assert one.post("/cart", data=added).status_code == 303

    assert "(2)" in header(one.get("/cart").text)
    assert "(2)" not in header(other.get("/cart").text)
    assert "(2)" in header(one.get("/cart").text)
    assert "(2)" not in header(one.get("/").text)  # which is the same for everybody


def test_a_card_says_what_is_true_now(app: Flask, client: FlaskClient) -> None:
    with app.app_context():
        make_product()
    before = client.get("/").text
    assert "USD\N{NO-BREAK SPACE}10.00" in before

    with app.app_context(), transaction() as session:
        session.execute(update(Price).values(minor=1234))
        session.execute(update(Product).values(available=3))

    page = client.get("/").text
    assert "USD\N{NO-BREAK SPACE}12.34" in page
    assert "Only 3 left" in page
    assert "Осталось" in client.get("/ru/").text


def test_a_products_page_says_what_is_true_now(app: Flask, client: FlaskClient) -> None:
    with app.app_context():
        address = f"/products/{make_product(title='Rain').slug}"
    before, abroad = client.get(address).text, client.get(f"/ru{address}?currency=EUR").text
    assert "USD\N{NO-BREAK SPACE}10.00" in before
    assert client.get(address).text == before
    assert client.get(f"/ru{address}?currency=EUR").text == abroad != before

    for change, seen in (
        ({"title": "Wind"}, "<h1>Wind</h1>"),
        ({"available": 3}, "Only 3 left"),
        ({"available": 0}, "Sold out. It cannot be bought at the moment."),
        ({"available": None, "most_per_order": 1}, 'name="quantity" value="1"'),
        ({"description": "It *blows*."}, "<em>blows</em>"),
    ):
        assert seen not in client.get(address).text
        with app.app_context(), transaction() as session:
            session.execute(update(Product).values(**change))
        assert seen in client.get(address).text


def test_no_visitor_waits_for_a_template_to_be_compiled(
    app: Flask, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    with app.app_context():
        address = f"/products/{make_product().slug}"
    shop = create_app(settings)
    compiled: list[str] = []
    compile_one = shop.jinja_env.compile

    def note(source: Any, name: str, *about: Any, **more: Any) -> Any:
        compiled.append(name)
        return compile_one(source, name, *about, **more)

    monkeypatch.setattr(shop.jinja_env, "compile", note)
    monkeypatch.setattr(shop.jinja_env, "bytecode_cache", None)

    kept_parts.compile_pages(shop)
    assert "base.html" in compiled
    assert not [name for name in compiled if name.startswith("email/")]
    compiled.clear()

    for page in ("/", address, "/ru/search?q=a", "/cart", "/terms", "/orders/find", "/nothing"):
        shop.test_client().get(page)
    assert compiled == []


def test_two_shops_in_one_process_do_not_share_their_parts(
    settings: Settings, tmp_path: Path
) -> None:
    other = {
        "shop_name": "Other",
        "shop_languages": ("ru",),
        "shop_support_email": "o@other.example",
    }
    one, two = create_app(settings), create_app(settings.model_copy(update=other))

    pages = [app.test_client().get("/terms").text for app in (one, two, one)]

    assert footer(pages[0]) == footer(pages[2])
    assert "o@other.example" in footer(pages[1])
    assert "o@other.example" not in footer(pages[0])
