"""Shopify's product table, with the headings until 2025 and those since."""

from __future__ import annotations

import csv
import io
from decimal import Decimal
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import select

from shop.catalogue.models import Product
from shop.catalogue.moving.found import Sale
from shop.db import db
from tests.catalogue.moving.conftest import SAMPLES, Bring, Sample, WriteTable, found

NAMES = ("shopify.csv", "shopify-since-2025.csv")


def row(handle: str = "rain", **values: str) -> dict[str, str]:
    """A row of a product with one variant."""
    return {
        "Handle": handle,
        "Title": handle.title(),
        "Published": "true",
        "Option1 Name": "Title",
        "Option1 Value": "Default Title",
        "Variant SKU": "",
        "Variant Inventory Tracker": "",
        "Variant Inventory Qty": "",
        "Variant Inventory Policy": "deny",
        "Variant Price": "12.00",
        "Variant Compare At Price": "",
        "Variant Requires Shipping": "false",
        "Image Src": "",
        "Image Position": "",
        "Image Alt Text": "",
        "Gift Card": "false",
        "Status": "active",
    } | {name if " " in name else name.replace("_", " "): value for name, value in values.items()}


@pytest.mark.parametrize("name", NAMES)
def test_a_product_arrives_from_either_kind_of_headings(name: str) -> None:
    findings = found(SAMPLES / name)

    rain = findings.products[0]
    assert findings.system == "Shopify"
    assert (rain.title, rain.slug, rain.category) == ("Harbour Rain", "harbour-rain", ("Sound",))
    assert rain.summary == "Forty minutes of rain."
    assert rain.description.startswith("Recorded **before dawn**.\n\n- Rain on tin\n")
    assert (rain.price, rain.sale) == (Decimal("12.5"), Sale(Decimal("9.9")))
    assert (rain.stock, rain.off, rain.goods) == (None, "", [])
    assert [each.path for each in rain.addresses] == ["/products/harbour-rain"]


@pytest.mark.parametrize("name", NAMES)
def test_both_kinds_of_headings_say_the_same(name: str) -> None:
    findings, other = found(SAMPLES / name), found(SAMPLES / NAMES[0])

    assert findings.products == other.products
    assert (findings.left, findings.parts) == (other.left, other.parts)


def test_pictures_and_variants_belong_to_their_handle_wherever_their_rows_stand() -> None:
    """In Solidus, rows of pictures were read as variants, and variants as products."""
    findings = found(SAMPLES / "shopify.csv")

    assert [picture.alt for picture in findings.products[0].pictures] == [
        "Rain on a roof",
        "A pier",
    ]
    assert [(part.where.row, set(part.of)) for part in findings.parts] == [(4, {2})]


def test_each_variant_is_an_edition_with_its_own_price_and_picture() -> None:
    personal, studio = found(SAMPLES / "shopify.csv").products[1:3]

    assert (personal.title, studio.title) == (
        "Ink Brushes: Personal, ABR",
        "Ink Brushes: Studio, ABR",
    )
    assert (personal.price, personal.sale, studio.price) == (Decimal(19), None, Decimal(1299))
    assert (personal.stock, studio.stock) == (-2, 40)
    assert [picture.address.rpartition("/")[2] for picture in studio.pictures] == ["studio.png?v=2"]
    assert personal.description == studio.description == "Sixty brushes."
    assert [len(each.addresses) for each in (personal, studio)] == [1, 0]


def test_an_option_of_a_product_with_one_variant_makes_no_edition(write_table: WriteTable) -> None:
    (product,) = found(write_table(row(**{"Option1 Name": "Size", "Option1 Value": "L"}))).products

    assert (product.title, product.key) == ("Rain", "rain")


@pytest.mark.parametrize(
    ("values", "off"),
    [
        ({"Status": "active"}, ""),
        ({"Status": "ACTIVE"}, ""),
        ({"Status": "draft"}, "is a draft"),
        ({"Status": "Archived"}, "is archived"),
        ({"Status": "unlisted"}, "is unlisted"),
        ({"Status": "new"}, "is in the state “new”, which is not known here"),
        ({"Status": ""}, "is in the state “”, which is not known here"),
        ({"Published": "FALSE"}, "is not published"),
        ({"Published": ""}, ""),
        ({"Published": "maybe"}, "is not published"),
    ],
)
def test_only_what_is_known_to_be_public_is_for_sale(
    write_table: WriteTable, values: dict[str, str], off: str
) -> None:
    """In Business Central, unlisted products silently became active ones."""
    (product,) = found(write_table(row(**values))).products

    assert product.off == off


def test_a_table_from_before_there_was_a_status_goes_by_what_is_published(
    write_table: WriteTable,
) -> None:
    """In WooCommerce, all products of a Shopify file came as private ones."""
    first, second = row("a"), row("b", Published="false")
    del first["Status"], second["Status"]

    assert [each.off for each in found(write_table(first, second)).products] == [
        "",
        "is not published",
    ]


@pytest.mark.parametrize(
    ("tracker", "quantity", "stock"),
    [("", "", None), ("", "5", None), ("shopify", "5", 5), ("shopify", "", 0), ("shopify", "x", 0)],
)
def test_what_is_counted_is_never_unlimited(
    write_table: WriteTable, tracker: str, quantity: str, stock: int | None
) -> None:
    table = write_table(
        row(**{"Variant Inventory Tracker": tracker, "Variant Inventory Qty": quantity})
    )

    assert found(table).products[0].stock == stock


def test_a_handle_with_two_titles_is_two_merged_files_and_is_left() -> None:
    """In Shopify's own transporter, one product got the variants of another."""
    reasons = {each.where.row: each.reason for each in found(SAMPLES / "shopify.csv").left}

    assert reasons[14] == reasons[15]
    assert reasons[14] == "has a handle that is used twice, for “One thing” and “Another thing”"


def test_what_has_to_be_sent_is_left_and_one_answer_carries_all() -> None:
    left = {each.where.id: each.reason for each in found(SAMPLES / "shopify.csv").left}

    assert (left["mug"], left["card"]) == ("has to be sent", "is a gift card")
    assert "mug" in [each.key for each in found(SAMPLES / "shopify.csv", digital=True).products]


def test_a_row_without_a_handle_goes_by_its_title_and_without_both_is_left(
    write_table: WriteTable,
) -> None:
    findings = found(write_table(row("", Title="Rain"), row("", Title="")))

    assert [each.title for each in findings.products] == ["Rain"]
    assert [each.reason for each in findings.left] == ["has neither a handle nor a title"]


def test_prices_of_markets_are_counted_and_taken_for_no_currency() -> None:
    assert found(SAMPLES / "shopify.csv").not_carried["Price / Ukraine"] == 1


def test_a_table_that_excel_saved_again_is_read(write_table: WriteTable) -> None:
    table = write_table(row(**{"Variant Price": "12,50"}), sign=";")

    assert found(table).products[0].price == Decimal("12.5")


@pytest.mark.parametrize("name", NAMES)
def test_a_shop_moves_by_its_plan_and_the_same_file_again_changes_nothing(
    app: Flask, sample: Sample, bring: Bring, name: str
) -> None:
    file = sample(name)

    first, again = bring(file), bring(file)

    with app.app_context():
        assert "15 records = 9 carried + 1 part of these + 5 left" in first.output
        assert (
            "Left, because they have to be sent, their file says: 1. Else say --digital"
            in first.output
        )
        assert "9 added" in first.output
        assert "Nothing is new" in again.output
        found = db.session.execute(select(Product.slug, Product.active).order_by(Product.position))
        assert [slug for slug, _ in found][:4] == [
            "harbour-rain",
            "ink-brushes-personal-abr",
            "ink-brushes-studio-abr",
            "a-draft",
        ]
        assert not db.session.scalar(select(Product.id).where(Product.active))


def test_sorting_the_table_changes_nothing(app: Flask, sample: Sample, bring: Bring) -> None:
    file = sample("shopify.csv")
    bring(file)
    heading, *rows = csv.reader(io.StringIO(file.read_text("utf-8"), newline=""))
    other = file.with_name("sorted.csv")
    with other.open("w", encoding="utf-8", newline="") as opened:
        csv.writer(opened).writerows([heading, *sorted(rows, key=lambda cells: cells[20])])

    again = bring(other)

    assert "Nothing is new" in again.output
    assert Path(other).exists()
