"""Search finds products by the beginnings of their words, alike on both databases, whatever is typed."""

from __future__ import annotations

import re
import sqlite3
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlencode

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, text, update

from shop.catalogue.models import Category, Product
from shop.catalogue.service import take_stock
from shop.catalogue.storefront.listing import Choice, Sort, list_page
from shop.catalogue.storefront.search import MAX_LENGTH, terms, tidy
from shop.db import db, transaction
from shop.schema import migrations
from tests.factories import make_product
from tests.web.test_hostile_input import NASTY

from .conftest import ImportText, ProductText


def found(client: FlaskClient, typed: str, **more: str) -> list[str]:
    """The titles on the page of what is found, in their order."""
    response = client.get(f"/search?{urlencode({'q': typed} | more)}")
    assert response.status_code == 200, typed
    return re.findall(r'class="product-card__link" href="[^"]*">([^<]*)<', response.text)


def stock(*products: Sequence[str]) -> None:
    for title, summary, description in products:
        make_product(title=title, summary=summary, description=description)


@pytest.fixture
def shop(app: Flask) -> None:
    with app.app_context():
        stock(
            ("Дождь в гавани", "Сорок минут дождя.", "Записано на рассвете."),
            ("Ёлка", "Зимова казка про їжака.", "М'ята та щавель."),
            ("Harbour Rain: field-recordings", "Tin and water.", "See rain.example/notes_v2."),
            ("Café au lait", "A cookbook.", "Ünder the tree; crème brûlée. 4.5 stars, C++"),
            ("Nothing", "At all.", ""),
        )


@pytest.mark.parametrize(
    ("typed", "title"),
    [
        ("дожд", "Дождь в гавани"),
        ("ДОЖД", "Дождь в гавани"),
        ("рассв", "Дождь в гавани"),
        ("сорок гав", "Дождь в гавани"),
        ("елка", "Ёлка"),
        ("ёл", "Ёлка"),
        ("ЇЖАК", "Ёлка"),
        ("м'ят", "Ёлка"),
        ("м’ята", "Ёлка"),
        ("щав", "Ёлка"),
        ("rain harb", "Harbour Rain: field-recordings"),
        ("RECORD", "Harbour Rain: field-recordings"),
        ("field-recordings", "Harbour Rain: field-recordings"),
        ("example", "Harbour Rain: field-recordings"),
        ("notes_v2", "Harbour Rain: field-recordings"),
        ("cafe", "Café au lait"),
        ("CAFÉ", "Café au lait"),
        ("cafe\u0301", "Café au lait"),
        ("brulee", "Café au lait"),
        ("ünd", "Café au lait"),
        ("4.5", "Café au lait"),
        ("c++", "Café au lait"),
    ],
)
def test_every_word_is_the_beginning_of_one_in_the_product(
    client: FlaskClient, shop: None, typed: str, title: str
) -> None:
    assert title in found(client, typed)


APOSTROPHES = "'’ʼ‘ʻʽʹ′´`ˈ＇ꞌ"


def test_whichever_apostrophe_is_written_finds_whichever_is_typed(
    app: Flask, client: FlaskClient
) -> None:
    titles = [f"Комп{each}ютерна {number}" for number, each in enumerate(APOSTROPHES)]
    with app.app_context():
        stock(*((title, "Гра.", "") for title in titles))

    for typed in APOSTROPHES:
        assert len(found(client, f"КОМП{typed}ЮТ")) == len(titles), typed
    assert found(client, "ютерна комп 12") == [titles[12].replace("'", "&#39;")]


def test_a_text_in_pieces_is_put_together_at_import_and_found(
    app: Flask, client: FlaskClient, folder: Path, import_text: ImportText, product: ProductText
) -> None:
    apart = unicodedata.normalize("NFD", "Чайный йод")
    name = unicodedata.normalize("NFD", "чай.zip")
    (folder / "files" / name).write_bytes(b"tea")
    with app.app_context():
        whole = product("tea", title="Чайный йод", summary="Чайный йод", description="Чайный йод")
        text = product("tea", title=apart, summary=apart, description=apart)
        delivery = f"\n  delivery: {{file: files/чай.zip, text: {apart}}}"
        old = "\n  delivery: {text: Thanks}"

        import_text(text.replace(old, delivery))

        row = db.session.scalars(select(Product)).one()
        assert {row.title, row.summary, row.description} == {"Чайный йод"}
        assert row.delivery_text == apart, "goods are not touched"
        assert row.delivery_size == 3
        assert import_text(whole.replace(old, delivery)).unchanged == ["tea"]
    for typed in ("чай", "ЙОД", unicodedata.normalize("NFD", "чай")):
        assert found(client, typed) == ["Чайный йод"], typed


def test_an_upgrade_puts_together_what_was_in_pieces_before(
    app: Flask, client: FlaskClient
) -> None:
    apart = unicodedata.normalize("NFD", "Чайный")
    with app.app_context():
        make_product(title=apart, category=Category(slug="tea", title=apart, summary=apart))
        make_product(title="Мʼята")
        db.session.close()
        migrations().downgrade("1796000500")
        migrations().upgrade()
        assert db.session.scalars(select(Category.title)).one() == "Чайный"
    assert found(client, "чай") == ["Чайный"]
    assert found(client, "м'ята") == ["Мʼята"]


@pytest.mark.parametrize(
    "typed",
    ["ождь", "дождь harbour", "rain zebra", "їжачок", "OR", "rain NOT zebra", "rain OR zebra"],
)
def test_what_is_not_in_a_product_does_not_find_it(
    client: FlaskClient, shop: None, typed: str
) -> None:
    assert found(client, typed) == []


def test_a_title_outranks_a_summary_and_that_a_description(app: Flask, client: FlaskClient) -> None:
    with app.app_context():
        stock(
            ("Wood", "Smoke.", "lamp " * 40),
            ("Stone", "A lamp and a lamp and a lamp.", "None."),
            ("Lamp", "Light for a long evening at home, and for a short one.", "Words. " * 200),
            ("Bread", "No light.", "Nothing."),
        )

    assert found(client, "lamp") == ["Lamp", "Stone", "Wood"]


def test_what_is_found_can_be_sorted_otherwise(app: Flask, client: FlaskClient) -> None:
    with app.app_context():
        make_product(title="Lamp", price=900)
        make_product(title="Small lamp", price=300)
        make_product(title="Chair", price=100)

    assert found(client, "lamp", sort="price") == ["Small lamp", "Lamp"]
    assert found(client, "lamp", sort="price-down") == ["Lamp", "Small lamp"]
    assert found(client, "lamp", sort="newest") == ["Small lamp", "Lamp"]
    assert found(client, "lamp", sort="name") == ["Lamp", "Small lamp"]


def test_the_index_follows_every_change_of_a_product(app: Flask, client: FlaskClient) -> None:
    with app.app_context():
        id = make_product(title="Old lamp", summary="Brass.", stock=5).id
        make_product(title="Chair")
    assert found(client, "lamp") == ["Old lamp"]

    with app.app_context(), transaction() as session:
        session.execute(update(Product).where(Product.id == id).values(title="Lantern"))
    assert found(client, "lamp") == []
    assert found(client, "lantern brass") == ["Lantern"]

    with app.app_context(), transaction() as session:
        assert take_stock(session, id, 1)
    assert found(client, "lantern") == ["Lantern"]

    with app.app_context(), transaction() as session:
        session.execute(text("DELETE FROM prices WHERE product_id = :id"), {"id": id})
        session.execute(text("DELETE FROM products WHERE id = :id"), {"id": id})
    assert found(client, "lantern") == []
    assert found(client, "chair") == ["Chair"]


def test_a_withdrawn_product_is_not_found(app: Flask, client: FlaskClient) -> None:
    with app.app_context():
        make_product(title="Lamp", active=False)

    assert found(client, "lamp") == []


def test_a_search_without_hits_says_for_what_and_leads_to_all_products(
    client: FlaskClient, shop: None
) -> None:
    page = client.get("/search?q=<zebra>&currency=EUR").text

    assert "Nothing was found for “&lt;zebra&gt;”" in page
    assert 'value="&lt;zebra&gt;"' in page
    assert '<a class="button" href="/?currency=EUR">See all products</a>' in page
    assert '<meta name="robots" content="noindex">' in page


@pytest.mark.parametrize("typed", ["", "  ", "\x00"])
def test_a_search_for_nothing_shows_everything(client: FlaskClient, shop: None, typed: str) -> None:
    assert len(found(client, typed)) == 5


OPERATORS = [
    *('"', '""', '"rain', "rain*", "*", "^rain", "title:rain", "rain NEAR tin", "NEAR(a b, 2)", "-rain"),
    *("(", ")", "rain AND", "AND", "NOT", "{title} : rain", "rain + tin", "'", "''", "rain'", "\\", "a\\'b"),
    *("rain:*", ":*", "rain & tin", "rain | tin", "!rain", "rain <-> tin", "<2>", "%", "_", ";--", "$1"),
    *("rain:ABCD", ":terms", "%(words)s", "?", "a " * 400, "ё" * 5000, "'" * 5000, "𞤀", "\ufeff", "ﷺ"),
]  # fmt: skip


@pytest.mark.parametrize("sort", ["", "name", "price"])
def test_nothing_that_can_be_typed_is_an_error(client: FlaskClient, shop: None, sort: str) -> None:
    for typed in [*NASTY, *OPERATORS]:
        response = client.get("/search", query_string={"q": typed, "sort": sort})
        assert response.status_code == 200, typed
        assert "<script>alert" not in response.text
    for query in ("q=%00", "q=%ff%fe", "q[]=1", "q=a&q=b", "q=%ED%A0%80", "q=%F0%9F%98%80"):
        assert client.get(f"/search?{query}").status_code == 200, query


def test_words_are_letters_and_digits_and_never_more_than_a_few() -> None:
    assert terms('Ёлка—Café, O\'Neil_2 "x" 4.5') == [
        "елка",
        "cafe",
        "o",
        "neil",
        "2",
        "x",
        "4",
        "5",
    ]
    assert len(terms("a " * 500)) == 8


def test_what_was_typed_is_shown_short_and_without_what_cannot_be_seen() -> None:
    assert tidy("  a\x00b\u202e c\n\td  ") == "a b c d"
    assert len(tidy("x" * 5000)) == MAX_LENGTH


def test_the_migration_finds_what_was_there_before(app: Flask, client: FlaskClient) -> None:
    """A shop that has been selling for a while is updated, and taken back, and updated again."""
    with app.app_context():
        make_product(title="Дождь в гавани")
        db.session.close()
        steps = migrations().script_directory.walk_revisions()
        (step,) = (step for step in steps if step.path.endswith("categories_and_search.py"))

        migrations().downgrade(step.down_revision)
        migrations().upgrade()

    assert found(client, "дожд") == ["Дождь в гавани"]


def test_the_systems_own_sqlite_has_full_text_search_too() -> None:
    """Where there is no wheel of pysqlite3, db.py takes Python's own module."""
    options = {row[0] for row in sqlite3.connect(":memory:").execute("PRAGMA compile_options")}

    assert "ENABLE_FTS5" in options


def test_a_page_of_hits_holds_only_so_many(app: Flask) -> None:
    with app.app_context():
        for _ in range(30):
            make_product(title="Lamp")

        first = list_page(Choice(terms=("lam",)), "USD", Sort.SHOP, 1)
        second = list_page(Choice(terms=("lam",)), "USD", Sort.SHOP, 2)

    assert (len(first.offers), len(second.offers), first.total, first.last) == (24, 6, 30, 2)
    assert not {offer.id for offer in first.offers} & {offer.id for offer in second.offers}
