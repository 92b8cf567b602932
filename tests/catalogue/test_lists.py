"""Lists are sorted as a person would sort what they see, and come in pages with addresses of their own."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient

from shop.catalogue.alphabet import name_key
from shop.catalogue.models import ExchangeRate, Price
from shop.catalogue.service import set_rates
from shop.catalogue.storefront.listing import PAGE_SIZE
from shop.db import end_read, transaction, utcnow
from shop.schema import migrations
from tests.factories import make_product
from tests.support.plans import plans

from .conftest import ImportText, ProductText, counted


def titles(client: FlaskClient, address: str) -> list[str]:
    response = client.get(address)
    assert response.status_code == 200
    return re.findall(r'class="product-card__link" href="[^"]*">([^<]*)<', response.text)


@pytest.fixture
def priced(app: Flask) -> None:
    """In EUR these cost: own 9.00, converted 4.60, converted 9.20, own 20.00; in roubles nothing yet."""
    with app.app_context():
        make_product(title="Own", price=5000, prices=prices(5000, EUR=900))
        make_product(title="Low", price=500)
        make_product(title="Middle", price=1000)
        make_product(title="High", price=100, prices=prices(100, EUR=2000))
        make_product(title="Never", price=1)
        set_rates({"EUR": "0.92", "RUB": "0.3"}, sure=True)


def prices(base: int, **others: int) -> list[Price]:
    return [Price(currency=code, minor=minor) for code, minor in {"USD": base, **others}.items()]


@pytest.mark.parametrize(
    ("currency", "ascending"),
    [
        ("USD", ["Never", "High", "Low", "Middle", "Own"]),
        ("EUR", ["Never", "Low", "Own", "Middle", "High"]),
    ],
)
def test_prices_are_sorted_in_the_currency_that_is_shown(
    client: FlaskClient, priced: None, currency: str, ascending: list[str]
) -> None:
    assert titles(client, f"/?currency={currency}&sort=price") == ascending
    assert titles(client, f"/?currency={currency}&sort=price-down") == ascending[::-1]


def test_a_list_and_a_cart_read_no_descriptions(app: Flask, client: FlaskClient) -> None:
    """Which may be twenty times as long as all that they show, and would be kept with it."""
    with app.app_context():
        slug = make_product(description="Rain, for hours.").slug
    client.post("/cart", data={"product": slug})

    with counted(app) as statements:
        for address in ("/", "/search?q=product", "/cart", "/checkout"):
            assert client.get(address).status_code == 200
        assert not any("products.description" in each for each in statements)
        assert "Rain, for hours." in client.get(f"/products/{slug}").text
    assert any("products.description" in each for each in statements)


def test_what_has_no_price_comes_last_both_ways(
    app: Flask, client: FlaskClient, priced: None
) -> None:
    """A cent at this rate rounds to nothing, and no rate at all prices nothing but what has its own."""
    assert titles(client, "/?currency=RUB&sort=price")[-1] == "Never"
    assert titles(client, "/?currency=RUB&sort=price-down")[-1] == "Never"

    assert titles(client, "/?currency=GBP&sort=price") == titles(client, "/?currency=GBP")


def test_what_is_free_is_the_cheapest_in_every_currency(
    app: Flask, client: FlaskClient, priced: None
) -> None:
    with app.app_context():
        make_product(title="Gift", price=0)

    for currency in ("USD", "EUR", "GBP"):
        assert titles(client, f"/?currency={currency}&sort=price")[0] == "Gift"
    assert titles(client, "/?currency=EUR&sort=price-down")[-1] == "Gift"


def test_a_rate_that_is_too_old_does_not_sort(
    app: Flask, client: FlaskClient, priced: None
) -> None:
    with app.app_context(), transaction() as session:
        session.get_one(ExchangeRate, "EUR").set_at = utcnow() - timedelta(days=1000)

    assert titles(client, "/?currency=EUR&sort=price")[:2] == ["Own", "High"]


def test_prices_on_the_page_never_go_the_other_way(app: Flask, client: FlaskClient) -> None:
    """Own and converted prices within a cent of each other, at a rate with a long fraction."""
    with app.app_context():
        set_rates({"EUR": "0.91666667"})
        for minor in range(1, 40):
            own = {"EUR": minor} if minor % 3 else {}
            make_product(price=minor, prices=prices(minor, **own))

    seen = []
    for page in (1, 2):
        text = client.get(f"/?currency=EUR&sort=price&page={page}").text
        seen += [float(amount) for amount in re.findall("EUR\N{NO-BREAK SPACE}([0-9.]+)<", text)]

    assert len(seen) == 39
    assert seen == sorted(seen)


def test_the_newest_come_first_and_those_of_one_import_in_its_order(
    app: Flask, client: FlaskClient, import_text: ImportText, product: ProductText
) -> None:
    with app.app_context():
        import_text(product("rain") + product("fog"))
        import_text(product("wind") + product("snow"))

    assert titles(client, "/?sort=newest") == ["Wind", "Snow", "Rain", "Fog"]


def test_names_are_sorted_by_the_alphabet_on_both_databases(
    app: Flask, client: FlaskClient
) -> None:
    names = ["apple", "Banana", "cherry", "«Ещё»", "Ёлка", "жук", "Зима", "ирис", "Їжак", "йод"]
    with app.app_context():
        for name in reversed(names):
            make_product(title=name)

    assert titles(client, "/?sort=name") == names


def test_letters_stand_where_their_alphabet_has_them() -> None:
    for alphabet in ("абвгдеёжзийклмнопрстуфхцчшщъыьэюя", "абвгґдеєжзиіїйклмнопрстуфхцчшщьюя"):
        assert sorted(alphabet, key=name_key) == list(alphabet)
        assert sorted(alphabet.upper(), key=name_key) == list(alphabet.upper())


@pytest.fixture
def many(app: Flask) -> None:
    """Two full pages and one product more."""
    with app.app_context():
        for n in range(2 * PAGE_SIZE + 1):
            make_product(title=f"Lamp {n:02}", position=n)


@pytest.mark.parametrize("sort", ["", "price", "newest", "name"])
@pytest.mark.parametrize("path", ["/?", "/search?q=lamp&"])
def test_every_product_is_on_one_page(
    client: FlaskClient, many: None, path: str, sort: str
) -> None:
    pages = [titles(client, f"{path}sort={sort}&page={n}") for n in (1, 2, 3)]

    assert [len(page) for page in pages] == [PAGE_SIZE, PAGE_SIZE, 1]
    assert len({title for page in pages for title in page}) == 2 * PAGE_SIZE + 1
    for after in ("4", "999999", "9" * 40):
        assert client.get(f"{path}sort={sort}&page={after}").status_code == 404


def test_pages_lead_to_their_neighbours_and_keep_what_was_chosen(
    client: FlaskClient, many: None
) -> None:
    def neighbours(number: int) -> list[str]:
        address = f"/search?q=lamp&currency=EUR&sort=name&page={number}"
        return re.findall(r'href="([^"]*)" rel="(?:prev|next)"', client.get(address).text)

    start = "/search?q=lamp&amp;currency=EUR&amp;sort=name"
    assert neighbours(1) == [f"{start}&amp;page=2"]
    assert neighbours(2) == [start, f"{start}&amp;page=3"]
    assert neighbours(3) == [f"{start}&amp;page=2"]


def test_the_languages_of_a_page_are_of_the_same_page(client: FlaskClient, many: None) -> None:
    page = client.get("/ru/search?q=lamp&sort=name&page=2").text

    assert 'href="/uk/search?q=lamp&amp;sort=name&amp;page=2"' in page
    assert 'href="/search?q=lamp&amp;sort=name&amp;page=2"' in page
    assert 'href="/ru/search?q=lamp&amp;sort=price"' in page


@pytest.mark.parametrize(
    "query", ["page=", "page=x", "page=-1", "page=1.5", "page=٢", "sort=x", "sort=PRICE", "page=2x"]
)
def test_what_makes_no_sense_is_the_first_page_in_the_shops_order(
    client: FlaskClient, many: None, query: str
) -> None:
    assert titles(client, f"/?{query}") == titles(client, "/")


def test_there_is_no_page_zero(client: FlaskClient, many: None) -> None:
    assert client.get("/?page=0").status_code == 404
    assert client.get("/?page=00").status_code == 404


def test_a_short_list_has_no_pages(app: Flask, client: FlaskClient) -> None:
    with app.app_context():
        make_product()

    assert 'class="pager"' not in client.get("/").text
    assert client.get("/?page=2").status_code == 404


@pytest.mark.parametrize(
    ("address", "index"),
    [
        ("/?page=2", "in_shop_order"),
        ("/?page=2&sort=name", "by_name"),
        ("/?page=2&sort=newest", "newest"),
        ("/categories/air?page=2", "of_category"),
    ],
)
def test_a_page_of_a_list_is_found_by_the_index_of_its_order(
    app: Flask,
    client: FlaskClient,
    import_text: ImportText,
    product: ProductText,
    address: str,
    index: str,
) -> None:
    with app.app_context():
        import_text(
            "".join(product(f"rain-{n}", category="air") for n in range(PAGE_SIZE + 1))
            + "\ncategories: [{slug: air, title: Air}]"
        )

    with plans(app) as found:
        assert len(titles(client, address)) == 1

    assert any(f"ix_products_{index}" in plan for plan in found)


def test_a_title_that_is_changed_is_sorted_anew(
    app: Flask, client: FlaskClient, import_text: ImportText, product: ProductText
) -> None:
    with app.app_context():
        import_text(product("a", title="Ash") + product("b", title="Birch"))
        import_text(product("a", title="«cedar»"))

    assert titles(client, "/?sort=name") == ["Birch", "«cedar»"]


def test_an_upgrade_sorts_the_titles_that_are_there(app: Flask, client: FlaskClient) -> None:
    with app.app_context():
        for title in ("«cedar»", "Birch", "Ёлка", "Жук", "Ель"):
            make_product(title=title)
        end_read()
        migrations().downgrade("1796010900")
        migrations().upgrade()

    assert titles(client, "/?sort=name") == ["Birch", "«cedar»", "Ель", "Ёлка", "Жук"]
