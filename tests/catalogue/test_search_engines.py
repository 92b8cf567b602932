"""What a page says to machines is what it says to people, and leads to addresses that work."""

from __future__ import annotations

import json
import re
from xml.etree import ElementTree

import html5lib
import pytest
from flask import Flask
from flask.testing import FlaskClient

from shop.catalogue.models import Category
from shop.catalogue.service import set_rates
from shop.site.crawlers import PRIVATE
from shop.site.texts import NAMES
from tests.factories import make_product
from tests.web.test_hostile_input import HOSTILE

from .conftest import ImportText, ProductText

SHOP = "http://localhost"
TEXTS = tuple(f"/{name}" for name in NAMES)


@pytest.fixture
def shop(app: Flask, import_text: ImportText, product: ProductText) -> None:
    with app.app_context():
        image = "[{file: images/rain.jpg, alt: Rain}]"
        import_text(
            product("rain", images=image, prices="{USD: 12.00, EUR: 1234.50}")
            + product("fog", stock="0")
            + product("old", active="no")
        )
        make_product(slug="wind", category=Category(slug="air", title="Air"))
        set_rates({"UAH": "41.30"})


def head(client: FlaskClient, address: str) -> list[tuple[str, dict[str, str]]]:
    """Tag and attributes of everything in the page's head."""
    response = client.get(address)
    assert response.status_code == 200
    tree = html5lib.parse(response.text, treebuilder="etree", namespaceHTMLElements=False)
    found = tree.find("head")
    assert found is not None
    return [(each.tag, dict(each.attrib) | {"text": each.text or ""}) for each in found]


def links(client: FlaskClient, address: str, rel: str) -> dict[str, str]:
    found = [attributes for tag, attributes in head(client, address) if tag == "link"]
    return {each.get("hreflang", ""): each["href"] for each in found if each["rel"] == rel}


def properties(client: FlaskClient, address: str) -> dict[str, str]:
    found = [attributes for tag, attributes in head(client, address) if tag == "meta"]
    return {each["property"]: each["content"] for each in found if "property" in each}


def linked_data(client: FlaskClient, address: str) -> dict[str, object]:
    (data,) = [
        attributes["text"]
        for tag, attributes in head(client, address)
        if tag == "script" and attributes.get("type") == "application/ld+json"
    ]
    found: dict[str, object] = json.loads(data)
    return found


@pytest.mark.parametrize(
    ("query", "price", "shown"),
    [
        ("", "12.00", "USD\N{NO-BREAK SPACE}12.00"),
        ("?currency=EUR", "1234.50", "EUR\N{NO-BREAK SPACE}1,234.50"),
        ("?currency=UAH", "495.60", "UAH\N{NO-BREAK SPACE}495.60"),
    ],
)
def test_the_price_for_machines_is_the_one_on_the_page(
    client: FlaskClient, shop: None, query: str, price: str, shown: str
) -> None:
    address = f"/products/rain{query}"

    data = linked_data(client, address)

    assert shown in client.get(address).text
    assert data["offers"] == {
        "@type": "Offer",
        "price": price,
        "priceCurrency": shown[:3],
        "availability": "https://schema.org/InStock",
        "url": SHOP + address,
        "seller": {"@type": "Organization", "name": "Storefront"},
    }
    assert (data["name"], data["sku"], data["description"]) == ("Rain", "rain", "All about rain.")
    assert properties(client, address)["product:price:amount"] == price
    assert properties(client, address)["product:price:currency"] == shown[:3]


def test_pictures_are_named_in_full_and_are_there(client: FlaskClient, shop: None) -> None:
    images = linked_data(client, "/ru/products/rain")["image"]

    assert isinstance(images, list)
    assert properties(client, "/ru/products/rain")["og:image"] == images[0]
    with client.get(images[0].removeprefix(SHOP)) as response:
        assert response.mimetype == "image/webp"
    with client.get(properties(client, "/")["og:image"].removeprefix(SHOP)) as response:
        assert response.mimetype == "image/png"


def test_what_cannot_be_bought_is_not_offered(client: FlaskClient, shop: None) -> None:
    sold_out = linked_data(client, "/products/fog")["offers"]

    assert isinstance(sold_out, dict)
    assert sold_out["availability"] == "https://schema.org/SoldOut"
    assert "offers" not in linked_data(client, "/products/rain?currency=GBP")
    assert "product:price:amount" not in properties(client, "/products/rain?currency=GBP")


def test_no_text_breaks_out_of_the_data(app: Flask, client: FlaskClient) -> None:
    title = "</script><script>alert(1)</script><!-- " + HOSTILE[:60]
    with app.app_context():
        slug = make_product(title=title, summary="]]> & \u2028 </SCRIPT >").slug

    page = client.get(f"/products/{slug}").text

    assert linked_data(client, f"/products/{slug}")["name"] == title
    assert "<script>alert" not in page
    assert len(re.findall(r"</script", page, re.I)) == 1
    assert properties(client, f"/products/{slug}")["og:title"] == title


@pytest.mark.parametrize("path", ["/", "/products/rain", "/categories/air"])
@pytest.mark.parametrize("query", ["", "?currency=EUR&sort=price&utm_source=x&page=1"])
@pytest.mark.parametrize("prefix", ["", "/ru", "/uk"])
def test_a_page_has_one_canonical_address_in_each_language(
    client: FlaskClient, shop: None, path: str, query: str, prefix: str
) -> None:
    address = f"{prefix}{path}{query}"

    assert links(client, address, "canonical") == {"": f"{SHOP}{prefix}{path}"}
    assert links(client, address, "alternate") == {
        "en": f"{SHOP}{path}",
        "ru": f"{SHOP}/ru{path}",
        "uk": f"{SHOP}/uk{path}",
        "x-default": f"{SHOP}{path}",
    }


def test_a_later_page_of_a_list_is_its_own_canonical_one(app: Flask, client: FlaskClient) -> None:
    with app.app_context():
        for _ in range(25):
            make_product()

    assert links(client, "/ru/?page=2&sort=name", "canonical") == {"": f"{SHOP}/ru/?page=2"}
    assert titles(client, "/?page=2") != titles(client, "/")


def titles(client: FlaskClient, address: str) -> list[str]:
    return [attributes["text"] for tag, attributes in head(client, address) if tag == "title"]


def test_every_page_has_a_title_and_description_of_its_own(client: FlaskClient, shop: None) -> None:
    addresses = ["/", "/products/rain", "/products/fog", "/categories/air", "/search?q=rain"]

    assert len({titles(client, address)[0] for address in addresses}) == len(addresses)
    descriptions = [
        attributes["content"]
        for address in addresses[:4]
        for tag, attributes in head(client, address)
        if attributes.get("name") == "description"
    ]
    assert len(set(descriptions)) == 4


def test_pages_that_are_one_buyers_name_no_address_of_theirs(
    client: FlaskClient, shop: None
) -> None:
    client.post("/cart", data={"product": "rain"})

    for address in ("/cart", "/checkout", "/search?q=rain"):
        assert links(client, address, "canonical") == {}
        assert properties(client, address) == {}
        assert '<meta name="robots" content="noindex' in client.get(address).text


def test_the_sitemap_names_every_public_page_in_every_language(
    client: FlaskClient, shop: None
) -> None:
    response = client.get("/sitemap.xml")
    tree = ElementTree.fromstring(response.text)
    space = "{http://www.sitemaps.org/schemas/sitemap/0.9}"
    found = {url.findtext(f"{space}loc", ""): url.findtext(f"{space}lastmod") for url in tree}

    assert response.mimetype == "application/xml"
    paths = ["/", "/categories/air", "/products/rain", "/products/fog", "/products/wind", *TEXTS]
    assert set(found) == {f"{SHOP}{code}{path}" for path in paths for code in ("", "/ru", "/uk")}
    for url, changed in found.items():
        assert client.get(url.removeprefix(SHOP)).status_code == 200
        dated = re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00", changed or "")
        assert bool(dated) is not url.endswith(TEXTS)


def test_an_empty_shop_has_a_sitemap_too(client: FlaskClient) -> None:
    assert client.get("/sitemap.xml").text.count("<loc>") == 3 * (1 + len(TEXTS))


def test_robots_are_kept_from_what_is_not_theirs(client: FlaskClient) -> None:
    response = client.get("/robots.txt")

    assert response.mimetype == "text/plain"
    lines = response.text.splitlines()
    assert lines[0] == "User-agent: *"
    assert lines[-1] == f"Sitemap: {SHOP}/sitemap.xml"
    for prefix in ("", "/ru", "/uk"):
        assert {f"Disallow: {prefix}{path}" for path in PRIVATE} <= set(lines)
    assert not any(line in ("Disallow: /", "Disallow: /products") for line in lines)


def test_every_route_that_is_not_public_is_kept_from_robots(app: Flask) -> None:
    public = (
        "catalogue.",
        "site.",
        "ops.",
        "payments.postback",
        "components.",
    )  # the last: in development
    for rule in app.url_map.iter_rules():
        if not rule.endpoint.startswith(public):
            assert rule.rule.startswith(PRIVATE), rule


@pytest.mark.parametrize(
    "path", ["/search?q=rain", "/categories/air", "/robots.txt", "/sitemap.xml"]
)
def test_these_pages_may_be_kept_and_set_no_cookie(
    client: FlaskClient, shop: None, path: str
) -> None:
    response = client.get(path)

    assert response.headers["Cache-Control"] == "public, max-age=0, must-revalidate"
    assert "Set-Cookie" not in response.headers
    assert "csrf" not in response.text
    again = client.get(path, headers={"If-None-Match": response.headers["ETag"]})
    assert again.status_code == 304
