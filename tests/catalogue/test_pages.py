"""The shop window: the same for everybody, quick, and safe to keep."""

from __future__ import annotations

import html5lib
import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import update

from shop.catalogue.models import Product
from shop.catalogue.service import set_rates
from shop.db import transaction

from .conftest import ImportText, ProductText, counted

IMAGES = "[{file: images/rain.jpg, alt: Rain on a roof}, {file: images/small.png, alt: A drop}]"


@pytest.fixture
def shop(app: Flask, import_text: ImportText, product: ProductText) -> None:
    with app.app_context():
        import_text(
            product("rain", prices="{USD: 12.00, EUR: 11.50}", images=IMAGES, stock="3")
            + product("wind", description="|\n    ## How\n\n    It blows.")
            + product("fog", stock="0")
            + product("old", active="no")
        )


def test_the_index_shows_what_is_for_sale_in_the_shops_order(
    client: FlaskClient, shop: None
) -> None:
    page = client.get("/").text

    assert page.index("/products/rain") < page.index("/products/wind") < page.index("/products/fog")
    assert "/products/old" not in page
    assert "USD\N{NO-BREAK SPACE}12.00" in page


def test_a_currency_is_chosen_in_the_address(client: FlaskClient, shop: None) -> None:
    assert "EUR\N{NO-BREAK SPACE}11.50" in client.get("/?currency=EUR").text
    assert "EUR\N{NO-BREAK SPACE}11.50" in client.get("/products/rain?currency=EUR").text


@pytest.mark.parametrize("currency", ["XXX", "eur", "", "<script>"])
def test_an_unknown_currency_is_the_base_currency(
    client: FlaskClient, shop: None, currency: str
) -> None:
    response = client.get("/", query_string={"currency": currency})

    assert response.status_code == 200
    assert "USD\N{NO-BREAK SPACE}12.00" in response.text


def test_a_converted_price_follows_the_rate(app: Flask, client: FlaskClient, shop: None) -> None:
    assert "Not available in EUR" in client.get("/products/wind?currency=EUR").text

    with app.app_context():
        set_rates({"EUR": "0.92"})

    assert "EUR\N{NO-BREAK SPACE}11.04" in client.get("/products/wind?currency=EUR").text


def test_links_keep_the_currency(client: FlaskClient, shop: None) -> None:
    page = client.get("/?currency=EUR").text

    assert 'href="/products/rain?currency=EUR"' in page
    assert 'href="/?currency=EUR"' in page
    assert 'href="/cart?currency=EUR"' in page
    assert "currency=USD" not in client.get("/").text, "the base currency has the bare address"
    assert "/cart?" not in client.get("/?currency=USD").text
    assert "/cart?" not in client.get("/?currency=XXX").text


def test_the_cart_is_in_the_currency_of_the_page_that_led_to_it(
    client: FlaskClient, shop: None
) -> None:
    client.post("/cart", data={"product": "rain", "quantity": "1", "currency": "USD"})
    assert "EUR\N{NO-BREAK SPACE}11.50" not in client.get("/cart").text

    assert "EUR\N{NO-BREAK SPACE}11.50" in client.get("/cart?currency=EUR").text
    assert "EUR\N{NO-BREAK SPACE}11.50" in client.get("/cart?currency=XXX").text
    assert "EUR\N{NO-BREAK SPACE}11.50" in client.get("/checkout").text


@pytest.mark.parametrize("slug", ["old", "nothing", "RAIN", "%00", "..%2f"])
def test_an_unknown_or_withdrawn_product_is_not_found(
    client: FlaskClient, shop: None, slug: str
) -> None:
    assert client.get(f"/products/{slug}").status_code == 404


def test_a_description_is_rendered_harmless(app: Flask, client: FlaskClient, shop: None) -> None:
    """One from before HTML was refused, too."""
    with app.app_context(), transaction() as session:
        wind = update(Product).where(Product.slug == "wind")
        session.execute(wind.values(description="## How\n\nIt <script>blows</script>."))

    page = client.get("/products/wind").text

    assert "<h3>How</h3>" in page
    assert "<script>blows" not in page


@pytest.mark.parametrize("path", ["/", "/products/rain"])
def test_pages_set_no_cookie_and_may_be_kept(client: FlaskClient, shop: None, path: str) -> None:
    response = client.get(path)

    assert "Set-Cookie" not in response.headers
    assert response.headers["Cache-Control"] == "public, max-age=0, must-revalidate"
    assert "csrf" not in response.text

    again = client.get(path, headers={"If-None-Match": response.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")


@pytest.mark.parametrize(("path", "most"), [("/", 3), ("/products/rain", 2)])
@pytest.mark.parametrize("currency", ["USD", "EUR"])
def test_the_number_of_statements_is_small_however_many_products(
    app: Flask,
    client: FlaskClient,
    import_text: ImportText,
    product: ProductText,
    shop: None,
    path: str,
    most: int,
    currency: str,
) -> None:
    with app.app_context():
        import_text("".join(product(f"p{n}", images=IMAGES) for n in range(30)))

    client.get("/search?q=rain")  # the catalogue's new version is found
    with counted(app) as statements:
        client.get(f"{path}?currency={currency}")

    assert 0 < len(statements) <= most


def images(page: str, alt: str) -> list[dict[str, str]]:
    tree = html5lib.parse(page, treebuilder="etree", namespaceHTMLElements=False)
    return [image.attrib for image in tree.iter("img") if image.attrib.get("alt") == alt]


def test_an_image_is_served_in_three_widths_and_may_be_kept_for_ever(
    client: FlaskClient, shop: None
) -> None:
    (image,) = images(client.get("/products/rain").text, "Rain on a roof")

    assert image["src"].endswith("-800.webp")
    assert (image["width"], image["height"]) == ("1200", "900")
    assert [part.split()[1] for part in image["srcset"].split(", ")] == ["400w", "800w", "1200w"]
    response = client.get(image["src"])
    assert response.status_code == 200
    assert response.mimetype == "image/webp"
    assert "Set-Cookie" not in response.headers
    for word in ("public", "immutable", "max-age=31536000"):
        assert word in response.headers["Cache-Control"]
    response.close()


def test_a_small_image_has_the_widths_that_it_has(client: FlaskClient, shop: None) -> None:
    (image,) = images(client.get("/products/rain").text, "A drop")

    assert image["src"].endswith("-500.webp")
    assert [part.split()[1] for part in image["srcset"].split(", ")] == ["400w", "500w"]


@pytest.mark.parametrize(
    "name", ["x", "shop.db", "..%2fshop.db", "%2e%2e%2fshop.db", ".new-abc", "a" * 32 + "-400.webp"]
)
def test_nothing_but_images_is_served_from_the_data_folder(
    client: FlaskClient, shop: None, name: str
) -> None:
    assert client.get(f"/media/{name}").status_code == 404


def test_an_empty_shop_says_so(client: FlaskClient) -> None:
    response = client.get("/")

    assert response.status_code == 200
    assert "Nothing is for sale" in response.text


def test_the_page_says_how_the_goods_come(
    app: Flask, client: FlaskClient, import_text: ImportText, product: ProductText
) -> None:
    with app.app_context():
        import_text(
            product("zip", delivery="{file: files/rain.zip}")
            + product("key", delivery="{keys: yes}")
            + product("text")
        )

    assert "File (ZIP, 7 bytes), to download" in client.get("/products/zip").text
    assert "Licence key, shown on the order page" in client.get("/products/key").text
    assert "A text, shown on the order page" in client.get("/products/text").text


def test_nothing_is_said_twice_of_a_product_with_few_words(
    app: Flask, client: FlaskClient, import_text: ImportText, product: ProductText
) -> None:
    with app.app_context():
        import_text(
            product("bare", summary="Bare")
            + product("brief", description="Sharp \\& *short*.", summary="Sharp & short.")
            + product(
                "linked", description="<https://wind.example>", summary="https://wind.example"
            )
        )

    index = html5lib.parse(client.get("/").data, namespaceHTMLElements=False)
    cards = ["".join(card.itertext()).split() for card in index.iter("li")]
    assert [card.count("Bare") for card in cards if "Bare" in card] == [1]
    bare = client.get("/products/bare").text
    assert bare.count("Bare</") == 2  # the title of the page, and its heading
    assert "About this product" not in bare
    brief = client.get("/products/brief").text
    assert brief.count("Sharp &amp; short.</p>") == 1
    assert "About this product" not in brief
    assert "About this product" in client.get("/products/linked").text


def test_how_the_goods_come_is_told_in_whole_sentences(
    app: Flask, client: FlaskClient, import_text: ImportText, product: ProductText
) -> None:
    files = "{file: files/rain.zip"
    with app.app_context():
        import_text(
            product("zip", delivery=files + "}")
            + product("days", delivery=files + ", days: 30}")
            + product("times", delivery=files + ", downloads: 2}")
            + product("key", delivery="{keys: yes}")
            + product("gift", prices="{USD: 0}")
        )

    for slug in ("zip", "days", "times", "key", "gift"):
        page = html5lib.parse(client.get(f"/products/{slug}").data, namespaceHTMLElements=False)
        facts = [
            "".join(item.itertext()).strip()
            for item in page.iter("li")
            if "facts__item" in item.get("class", "")
        ]
        assert facts
        assert [fact for fact in facts if not fact.endswith((".", "Ask us first"))] == []
        assert ".." not in "".join(facts)
