"""Easy Digital Downloads' product table, whose exporter writes quotation marks and backslashes in its own way."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import select

from shop.catalogue.models import Product
from shop.db import db, transaction
from tests.catalogue.moving.conftest import SAMPLES, Bring, Sample, WriteTable, found


def download(**values: str) -> dict[str, str]:
    """A record of one download."""
    return {
        "ID": "12",
        "Slug": "rain",
        "Name": "Rain",
        "Description": "",
        "Status": "publish",
        "Categories": "",
        "Price": "12.50",
        "Files": "",
        "File Download Limit": "",
    } | {name.replace("_", " "): value for name, value in values.items()}


def test_a_download_arrives_with_all_that_the_file_says_of_it() -> None:
    findings = found(SAMPLES / "edd.csv")

    rain = findings.products[0]
    assert (findings.system, findings.records) == ("Easy Digital Downloads", 9)
    assert (rain.title, rain.slug, rain.summary) == (
        "Harbour Rain",
        "harbour-rain",
        "Forty minutes of rain.",
    )
    assert (rain.price, rain.off, rain.downloads) == (Decimal("12.5"), "", 5)
    assert (rain.category, rain.text) == (("Sound",), "Use *headphones*.")
    assert [each.name for each in rain.goods] == ["harbour-rain.zip"]
    assert [(each.path, each.sure) for each in rain.addresses] == [
        ("/downloads/harbour-rain/", True),
        ("/?download=harbour-rain", True),
        ("/?p=12", True),
    ]


def test_backslashes_and_apostrophes_of_the_exporter_are_undone() -> None:
    """In WooCommerce, backslashes stayed in descriptions."""
    rain = found(SAMPLES / "edd.csv").products[0]

    assert rain.description.startswith("Recorded **before dawn**, it's quiet.\n\n- Rain on tin\n")
    assert "in C:\\\\rain" in rain.description
    assert any("purchase_link" in note.text for note in rain.notes)


@pytest.mark.parametrize(
    ("cell", "meant"),
    [(r"it\'s", "it's"), (r"C:\\rain", r"C:\rain"), (r"\\\'", r"\'"), ("plain", "plain")],
)
def test_one_backslash_is_taken_off_and_no_more(
    write_table: WriteTable, cell: str, meant: str
) -> None:
    (product,) = found(write_table(download(Name=cell))).products

    assert product.title == meant


def test_price_options_are_editions_with_their_own_files() -> None:
    """In Easy Digital Downloads, price options lost their files, and buyers paid and got none."""
    table = SAMPLES / "edd.csv"
    personal, studio = found(table).products[1:3]

    assert (personal.title, studio.title) == (
        "Ink Brushes: Personal",
        "Ink Brushes: Studio: five seats",
    )
    assert (personal.price, studio.price) == (Decimal(19), Decimal(99))
    assert (personal.slug, len(personal.addresses), len(studio.addresses)) == (
        "ink-brushes Personal",
        3,
        0,
    )


def test_files_of_each_option_go_to_that_option_and_files_of_all_to_all(
    write_table: WriteTable,
) -> None:
    table = write_table(
        download(
            Price="A: 1 | B: 2", Files="https://x.example/all.zip;all | a.pdf;1 | /srv/b.pdf;2"
        )
    )

    one, two = found(table).products

    assert [each.name for each in one.goods] == ["all.zip", "a.pdf"]
    assert [each.name for each in two.goods] == ["all.zip", "b.pdf"]


def test_an_option_that_is_not_there_makes_all_numbers_doubtful_and_is_asked_about() -> None:
    """In Easy Digital Downloads, numbers of options have gaps, and files went to the wrong ones."""
    findings = found(SAMPLES / "edd.csv")

    (question,) = findings.questions
    assert question.text.startswith("lost.pdf and more of row 3 13 (Ink Brushes)")
    assert [[each.name for each in p.goods] for p in findings.products[1:3]] == [
        ["brushes.zip"],
        ["brushes.zip"],
    ]
    assert {p.off for p in findings.products[1:3]} == {
        "has files of which it is not clear who gets them"
    }


def test_a_single_option_is_no_edition() -> None:
    only = next(p for p in found(SAMPLES / "edd.csv").products if p.key == "15")

    assert (only.title, only.price, [each.name for each in only.goods]) == (
        "One option",
        Decimal(4),
        ["one.zip"],
    )


@pytest.mark.parametrize(
    ("status", "off"),
    [
        ("publish", ""),
        ("draft", "is a draft"),
        ("pending", "waits for review"),
        ("private", "is private"),
        ("future", "is planned for later"),
        ("expired", "is in a state that is not known here"),
        ("", "is in a state that is not known here"),
    ],
)
def test_only_what_is_published_is_for_sale(write_table: WriteTable, status: str, off: str) -> None:
    (product,) = found(write_table(download(Status=status))).products

    assert product.off == off


def test_a_log_in_name_is_repeated_nowhere(
    app: Flask, write_table: WriteTable, bring: Bring
) -> None:
    file = write_table(download(Author="root-of-the-shop"))

    result = bring(file)

    written = "".join(path.read_text("utf-8") for path in file.parent.glob("*.moved*"))
    assert "root-of-the-shop" not in result.output + written


def test_an_option_that_cannot_be_carried_is_told_beside_those_that_are(
    app: Flask, write_table: WriteTable, bring: Bring
) -> None:
    result = bring(write_table(download(Price="Gold: 999999999999.00 | Whole: 8.00")))

    assert "Options of carried records that are left: 1" in result.output
    assert "(Rain: Gold)" in result.output


def test_a_shop_moves_by_its_plan_and_the_same_file_again_changes_nothing(
    app: Flask, sample: Sample, bring: Bring
) -> None:
    file = sample("edd.csv")

    first, again = bring(file), bring(file)

    with app.app_context():
        slugs = list(db.session.scalars(select(Product.slug).order_by(Product.position)))
        assert "10 added" in first.output
        assert "Nothing is new" in again.output
        assert slugs[:4] == [
            "harbour-rain",
            "ink-brushes-personal",
            "ink-brushes-studio-five-seats",
            "dozhd",
        ]


def test_an_old_address_in_any_encoding_leads_to_the_product(
    app: Flask, sample: Sample, bring: Bring
) -> None:
    bring(sample("edd.csv"))
    with app.app_context(), transaction() as session:
        product = session.scalars(select(Product).where(Product.slug == "dozhd")).one()
        product.active, product.delivery_text = True, "The goods."
    client = app.test_client()

    for old in ("/downloads/дождь/", "/downloads/%D0%B4%D0%BE%D0%B6%D0%B4%D1%8C", "/?p=14"):
        assert client.get(old).location == "/products/dozhd"


def test_one_file_of_two_is_not_all_of_the_goods(
    app: Flask, write_table: WriteTable, bring: Bring
) -> None:
    file = write_table(download(Files="https://x.example/a.zip | https://x.example/b.zip"))
    folder: Path = file.parent / "files"
    folder.mkdir()
    (folder / "a.zip").write_bytes(b"PK")

    result = bring(file, "--files", str(folder))

    with app.app_context():
        product = db.session.scalars(select(Product)).one()
        assert "rain: b.zip" in result.output
        assert (product.delivery_file, product.active) == ("", False)
