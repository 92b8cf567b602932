"""A category stands in the catalogue file, is a page of its own, and is seen while it has something to sell."""

from __future__ import annotations

import pytest
from flask import Flask
from flask.testing import FlaskClient

from shop.catalogue.files.exporting import export_text, export_to
from shop.catalogue.files.reading import CatalogueFileError
from shop.catalogue.merging import ImportReport
from shop.catalogue.service import import_catalogue

from .conftest import ImportText, ProductText, Write

SOUND = "- {slug: sound, title: Sound, summary: For dark months.}\n"
GAMES = "- {slug: games, title: Games}\n"


@pytest.fixture
def import_all(app: Flask, write: Write) -> ImportText:
    """Write a whole catalogue file and import it."""

    def import_all(text: str) -> ImportReport:
        path = write("")
        path.write_text(text, "utf-8")
        return import_catalogue(path)

    return import_all


@pytest.fixture
def shop(app: Flask, import_all: ImportText, product: ProductText) -> None:
    with app.app_context():
        import_all(
            f"categories:\n{SOUND}{GAMES}- {{slug: empty, title: Empty}}\nproducts:"
            + product("rain", category="sound")
            + product("chess", category="games")
            + product("fog", category="sound")
            + product("old", category="empty", active="no")
            + product("stray")
        )


def test_a_category_page_shows_its_products_only(client: FlaskClient, shop: None) -> None:
    page = client.get("/categories/sound").text

    assert "<h1>Sound</h1>" in page
    assert '<meta name="description" content="For dark months.">' in page
    assert page.index("/products/rain") < page.index("/products/fog")
    for other in ("chess", "stray", "old"):
        assert f"/products/{other}" not in page


def test_categories_are_named_in_the_files_order_while_something_in_them_is_for_sale(
    client: FlaskClient, shop: None
) -> None:
    page = client.get("/?currency=EUR").text

    sound, games = "/categories/sound?currency=EUR", "/categories/games?currency=EUR"
    assert 0 < page.index(sound) < page.index(games)
    assert "/categories/empty" not in page


@pytest.mark.parametrize("slug", ["empty", "none", "SOUND", "%00", "..%2fx", "a" * 3000, "%F0%9F"])
def test_there_is_no_page_without_a_product(client: FlaskClient, shop: None, slug: str) -> None:
    assert client.get(f"/categories/{slug}").status_code == 404


def test_a_product_page_leads_to_its_category(client: FlaskClient, shop: None) -> None:
    assert 'href="/categories/games"' in client.get("/products/chess").text
    assert "/categories/" not in client.get("/products/stray").text


def test_importing_an_export_changes_nothing(app: Flask, shop: None) -> None:
    with app.app_context():
        file = app.config["SETTINGS"].shop_data_dir / "export" / "shop.yaml"
        export_to(file)

        report = import_catalogue(file)

        assert (report.added, report.changed, report.categories) == ([], [], [])
        assert export_text() == file.read_text("utf-8")
        assert file.read_text("utf-8").startswith(
            "categories:\n"
            "- slug: sound\n"
            "  title: Sound\n"
            "  summary: For dark months.\n"
            "- slug: games\n"
            "  title: Games\n"
        )


def test_the_file_decides_about_its_categories_and_leaves_the_others(
    app: Flask, import_all: ImportText, product: ProductText, shop: None
) -> None:
    with app.app_context():
        report = import_all(
            "categories:\n- {slug: games, title: Board games}\n"
            "- {slug: new, title: New}\n- {slug: sound, title: Sound, summary: For dark months.}\n"
            "products:" + product("fog") + product("rain", category="new")
        )

        assert report.categories == ["games", "new"]
        assert report.changed == ["fog", "rain"]
    page = app.test_client().get("/").text
    assert page.index("/categories/games") < page.index("/categories/new")
    assert "/categories/sound" not in page, "nothing is left in it"
    assert "Board games" in page


def test_a_product_may_name_a_category_that_is_in_the_shop_already(
    app: Flask, import_text: ImportText, product: ProductText, shop: None
) -> None:
    with app.app_context():
        import_text(product("wind", category="sound"))

    assert "/products/wind" in app.test_client().get("/categories/sound").text


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            "products:\n- slug: a\n  title: A\n  summary: A\n  category: nowhere\n"
            "  prices: {USD: 1}\n  delivery: {text: A}\n",
            "line 5: category 'nowhere' is neither in the file's categories nor in the shop",
        ),
        (
            "categories:\n- {slug: a, title: A}\n- {slug: a, title: B}\nproducts: []\n",
            "line 3: slug 'a' is used in line 2 already",
        ),
        ("categories:\n- {slug: a}\nproducts: []\n", "line 2: the category has no title"),
        (
            "categories:\n- {slug: A b, title: A}\nproducts: []\n",
            "line 2: slug 'A b' may hold only a-z, 0-9 and single hyphens between them",
        ),
        (
            "categories:\n- {slug: a, title: A, colour: red}\nproducts: []\n",
            "line 2: unknown key 'colour' in the category; known: slug, title, summary",
        ),
    ],
)
def test_a_mistake_is_named_and_changes_nothing(
    app: Flask, import_all: ImportText, text: str, problem: str
) -> None:
    with app.app_context():
        with pytest.raises(CatalogueFileError) as caught:
            import_all(text)

        assert [str(each) for each in caught.value.problems] == [problem]
        assert export_text() == "products: []\n"
