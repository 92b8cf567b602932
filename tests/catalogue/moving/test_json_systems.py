"""Gumroad, Lemon Squeezy and SellAuth give out JSON: products, options and prices come along, secrets do not."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskCliRunner

from shop.catalogue.moving.found import Answers, Findings, FoundProduct, MovingError, fates
from shop.catalogue.moving.systems import read
from shop.catalogue.queries import base_prices
from tests.catalogue.moving.conftest import SAMPLES, Bring

SYSTEMS = {"gumroad": "Gumroad", "lemonsqueezy": "Lemon Squeezy", "sellauth": "SellAuth"}


def found(name: str, **answers: Any) -> Findings:
    return read_json(json.loads((SAMPLES / f"{name}.json").read_text()), **answers)


def read_json(document: object, **answers: Any) -> Findings:
    given = {"base_currency": "USD", "currency": "USD"} | answers
    findings = read(json.dumps(document).encode(), Answers(**given))
    assert findings is not None
    fates(findings)
    return findings


def by_title(findings: Findings) -> dict[str, FoundProduct]:
    return {product.title: product for product in findings.products}


def left(findings: Findings) -> dict[str, str]:
    return {each.where.title: each.reason for each in findings.left}


def notes(product: FoundProduct) -> list[str]:
    return [str(note) for note in product.notes]


@pytest.mark.parametrize("name", SYSTEMS)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_each_system_is_known_by_what_is_in_the_file(name: str, encoding: str) -> None:
    text = (SAMPLES / f"{name}.json").read_text()

    findings = read(text.encode(encoding), Answers(base_currency="USD"))

    assert findings is not None
    assert findings.system == SYSTEMS[name]
    assert findings.products


def test_a_gumroad_product_arrives_with_all_that_is_said_of_it() -> None:
    rain = by_title(found("gumroad"))["Harbour Rain & Wind"]

    assert (rain.price, rain.currency, rain.slug) == (Decimal("12.50"), "USD", "harbour-rain")
    assert rain.summary == "Forty minutes of rain."
    assert rain.description == (
        "Recorded **before dawn**.\n\n- Rain on tin\n- Rain on water\n\nThe pier"
    )
    assert rain.text == "Use headphones.\\\nEnjoy."
    assert [each.name for each in rain.goods] == ["harbour rain.zip"]
    assert [each.address.rpartition("/")[2] for each in rain.pictures] == ["rain.jpg"]
    assert [each.path for each in rain.addresses] == ["/l/harbour-rain"]
    assert (rain.stock, rain.by_keys, rain.off) == (None, False, "")
    assert notes(rain) == [
        "a picture in its text is not carried",
        "was sold for what buyers wished to pay; the least is its price here",
        "a film or a sound that presents it is not carried",
    ]


def test_gumroads_options_multiply_and_add_to_the_price() -> None:
    products = by_title(found("gumroad"))

    assert {title: product.price for title, product in products.items() if "Ink" in title} == {
        "Ink Brushes: Personal, Procreate": Decimal("19.00"),
        "Ink Brushes: Personal, Photoshop": Decimal("20.50"),
        "Ink Brushes: Studio, Procreate": Decimal("49.00"),
        "Ink Brushes: Studio, Photoshop": Decimal("50.50"),
    }
    first, second, *_ = [product for title, product in products.items() if "Ink" in title]
    assert [each.path for each in first.addresses] == ["/l/qzxcv"]
    assert second.addresses == []
    assert first.by_keys
    assert first.slug == "", "letters by chance are no name"


def test_what_gumroad_sells_and_this_shop_cannot_is_left_with_the_reason() -> None:
    findings = found("gumroad")

    assert left(findings) == {
        "Club": "is a subscription",
        "Everything": "sells other products together",
        "Old": "is deleted",
        "Print": "has to be sent",
    }
    assert "Print" in by_title(found("gumroad", digital=True))
    assert by_title(findings)["Draft"].off == "is not published"
    assert findings.not_carried == {"tags": 1}


@pytest.mark.parametrize(
    ("values", "price"),
    [
        ({"currency": "jpy", "price": 1200}, Decimal(1200)),
        ({"currency": "vnd", "price": 1200}, Decimal(1200)),
        ({"currency": "krw", "price": 1200}, Decimal(12)),
        ({"currency": "eur", "price": 5}, Decimal("0.05")),
        ({"price": None}, None),
        ({"price": "12.50"}, None),
    ],
)
def test_gumroads_prices_are_hundredths_but_for_two_currencies(
    values: dict[str, object], price: Decimal | None
) -> None:
    (product,) = read_json([gumroad(**values)]).products

    assert product.price == price


def gumroad(**values: object) -> dict[str, object]:
    return {
        "id": "A",
        "name": "Rain",
        "short_url": "https://ann.gumroad.com/l/rain",
        "price": 1250,
        "currency": "usd",
        "published": True,
    } | values


def test_gumroads_limit_of_sales_is_a_stock_less_what_was_sold() -> None:
    (some,) = read_json([gumroad(max_purchase_count=50, sales_count=8)]).products
    (none,) = read_json([gumroad(max_purchase_count=5, sales_count=8)]).products
    (silent,) = read_json([gumroad(max_purchase_count=50)]).products

    assert (some.stock, none.stock, silent.stock) == (42, 0, 50)
    assert notes(silent) == ["has in stock what was sold, too: the file does not say how many: 50"]


def test_options_that_share_one_stock_have_none_each() -> None:
    options = [{"name": "A", "price_difference": 0}, {"name": "B", "price_difference": 100}]
    variants = [{"title": "Kind", "options": options}]

    products = read_json(
        [gumroad(max_purchase_count=50, sales_count=8, variants=variants)]
    ).products

    assert [product.stock for product in products] == [0, 0]
    assert notes(products[0]) == ["shares a stock with its other options: 0 here: 42"]


def test_options_without_number_are_left_and_not_multiplied_out() -> None:
    kind = {"options": [{"name": str(n), "price_difference": 0} for n in range(99)]}

    findings = read_json([gumroad(variants=[kind] * 9)])

    assert left(findings) == {"Rain": "has more than 100 choices"}


def test_a_lemon_squeezy_variant_that_is_the_only_one_is_the_product_itself() -> None:
    lemonade = by_title(found("lemonsqueezy"))["Lemonade"]

    assert (lemonade.price, lemonade.currency, lemonade.slug) == (Decimal("9.99"), "", "lemonade")
    assert lemonade.description == "Cold & *sour*."
    assert [each.name for each in lemonade.goods] == ["lemonade.pdf"]
    assert [each.path for each in lemonade.addresses] == ["/checkout/buy/0a84"]


def test_several_lemon_squeezy_variants_are_editions_without_the_one_that_is_not_sold() -> None:
    products = by_title(found("lemonsqueezy"))

    personal, studio = products["Font: Personal"], products["Font: Studio"]
    assert (personal.price, studio.price) == (Decimal(10), Decimal(90))
    assert (personal.off, studio.off) == ("", "is a draft")
    assert personal.by_keys
    assert products["Letter"].currency == "EUR", "the sign in its written price says so"
    assert products["Letter"].off == "is a draft"


def test_what_lemon_squeezy_sells_and_this_shop_cannot_is_left_with_the_reason() -> None:
    findings = found("lemonsqueezy")

    assert left(findings) == {"Trial": "is a test", "Club": "is a subscription"}
    assert findings.read_as == ["page 1 of 2: import the others, too"]


def test_lemon_squeezy_without_its_variants_sells_nothing_for_a_price_that_is_one_of_many() -> None:
    document = json.loads((SAMPLES / "lemonsqueezy.json").read_text())
    del document["included"]

    assert left(read_json(document))["Font"].startswith("has options that are not in the file")


def test_sellauth_keys_stay_where_they_are_and_stock_is_never_unlimited_by_accident() -> None:
    products = by_title(found("sellauth"))

    vpn = products["VPN, one year"]
    assert (vpn.price, vpn.currency, vpn.by_keys) == (Decimal("12.50"), "USD", True)
    assert vpn.category == ("Networks",)
    assert vpn.text == "Enter it\\\nat the start."
    assert products["Course: Basic"].stock is None
    assert products["Course: With help"].stock == 3
    assert products["Hidden"].stock == 0
    assert [(each.path, each.sure) for each in products["Course: Basic"].addresses] == [
        ("/product/course", False)
    ]
    assert products["Course: With help"].addresses == []


def test_a_state_that_is_not_known_is_no_public_one() -> None:
    """In Business Central, unlisted products silently became active."""
    products = by_title(found("sellauth"))

    assert products["Hidden"].off == "is unlisted"
    assert products["Odd"].off == "is on hold"
    document = json.loads((SAMPLES / "sellauth.json").read_text())
    document["data"][0]["visibility"] = "members"
    assert read_json(document).products[0].off == "is in a state that is not known here"
    assert left(found("sellauth")) == {"Gone": "is deleted"}


@pytest.mark.parametrize("name", SYSTEMS)
def test_neither_plan_nor_report_nor_catalogue_holds_a_secret_of_the_old_shop(
    app: Flask, bring: Bring, sample: Callable[[str], Path], name: str
) -> None:
    file = sample(f"{name}.json")
    before = {*file.parent.iterdir()}

    shown = bring(file, "--plan", str(file.parent / "plan.txt"))

    assert shown.exit_code == 0, shown.output
    written = {*file.parent.iterdir()} - before
    assert len(written) == 3
    texts = [shown.output, *(path.read_text("utf-8-sig") for path in written)]
    for text in texts:
        assert "SECRET" not in text
        assert "Signature=" not in text


@pytest.mark.parametrize("name", SYSTEMS)
def test_what_the_plan_shows_is_what_is_there_and_the_same_file_again_changes_nothing(
    app: Flask, bring: Bring, sample: Callable[[str], Path], name: str
) -> None:
    file = sample(f"{name}.json")

    assert bring(file).exit_code == 0
    with app.app_context():
        first = base_prices()
    again = bring(file)

    assert first
    assert "Nothing is new, and nothing was changed." in again.output
    with app.app_context():
        assert base_prices() == first


def test_old_links_lead_to_what_came_from_gumroad(
    app: Flask, bring: Bring, sample: Callable[[str], Path]
) -> None:
    bring(sample("gumroad.json"))

    answer = app.test_client().get("/l/qzxcv?wanted=true")

    assert answer.headers["Location"] == "/products/ink-brushes-personal-procreate"


@pytest.mark.parametrize(
    ("document", "says"),
    [
        ({"success": True, "sales": [{"email": "a@example.com"}]}, "sales of Gumroad"),
        ({"jsonapi": {}, "data": [{"type": "orders"}]}, "buyers of Lemon Squeezy"),
        ({"jsonapi": {}, "data": {"type": "license-keys"}}, "buyers of Lemon Squeezy"),
        ({"jsonapi": {}, "data": [{"type": "stores"}]}, "not Lemon Squeezy's products"),
        ({"jsonapi": {}, "data": []}, "not Lemon Squeezy's products"),
    ],
)
def test_a_document_about_buyers_is_refused_by_name(document: object, says: str) -> None:
    with pytest.raises(MovingError, match=says):
        read_json(document)


NONSENSE = [None, True, -1, "<p>x", [1], {"a": [None]}]


@pytest.mark.parametrize("name", SYSTEMS)
def test_whatever_stands_in_a_field_the_document_is_read_and_the_sum_is_right(name: str) -> None:
    document = json.loads((SAMPLES / f"{name}.json").read_text())
    records = document["products" if name == "gumroad" else "data"]
    del records[2:]
    things = records + [
        each["attributes"]
        for each in [*records, *document.get("included", [])]
        if "attributes" in each
    ]
    for thing in things:
        for field, value in list(thing.items()):
            for odd in NONSENSE:
                thing[field] = odd
                with suppress(MovingError):
                    if findings := read(
                        json.dumps(document).encode(), Answers(base_currency="USD")
                    ):
                        fates(findings)
            thing[field] = value


@pytest.mark.parametrize("document", [[], {}, [1], {"products": 1}, {"data": [{"name": "x"}]}])
def test_other_json_is_left_to_the_catalogues_own_reader(document: object) -> None:
    assert read(json.dumps(document).encode(), Answers(base_currency="USD")) is None


def test_a_document_that_was_cut_off_is_refused_in_a_sentence(
    runner: FlaskCliRunner, sample: Callable[[str], Path]
) -> None:
    file = sample("gumroad.json")
    file.write_bytes(file.read_bytes()[:2000])

    result = runner.invoke(args=["products", "import", str(file)])

    assert result.exit_code == 1
    assert "is not YAML" in result.output
    assert "Traceback" not in result.output
