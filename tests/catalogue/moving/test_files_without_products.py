"""A file that holds no products is named, with the way to the right one: nothing else helps whoever brought it."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import pytest
from flask.testing import FlaskCliRunner

from shop.catalogue.moving.found import Answers, MovingError
from shop.catalogue.moving.strangers import refuse_strangers
from shop.catalogue.moving.systems import read
from tests.catalogue.moving.conftest import SAMPLES


def archive(**files: str) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as made:
        for name, text in files.items():
            made.writestr(name.replace("__", "/").replace("_", "."), text)
    return content.getvalue()


def workbook(*sheets: str) -> bytes:
    names = "".join(f'<sheet name="{name}" sheetId="1"/>' for name in sheets)
    return archive(xl__workbook_xml=f"<workbook><sheets>{names}</sheets></workbook>")


LOG_IN = b'\xef\xbb\xbf\n<!DOCTYPE html>\n<html lang="en"><head><title>Log In</title></head></html>'


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (LOG_IN, "most likely the old shop's log-in page"),
        (b"<!-- cached --><HTML><body>", "most likely the old shop's log-in page"),
        (b'<?xml version="1.0"?><rss xmlns:wp="http://wordpress.org/export/1.2/">', "WordPress"),
        (b'<?xml version="1.0"?><products/>', "This is XML"),
        (workbook("Sheet1"), "This is an Excel workbook"),
        (workbook("Products", "AdditionalImages", "ProductOptions", "Specials"), "OpenCart"),
        (archive(products_csv="a,b"), "In it are products.csv"),
        (archive(products_csv="a,b")[:60], "a broken one"),
        (b"PK\x03\x04 nothing else", "a broken one"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Excel workbook"),
        (b"\x1f\x8b\x08", "Unpack it"),
        (b"%PDF-1.7", "This is a PDF"),
        (b"Purchase ID,Item Name,Buyer Name,Purchase Email\n1,Rain,Ann,a@example.com", "Gumroad"),
        (b"Name,Email,Financial Status,Paid at\n#1001,a@example.com,paid", "Shopify's orders"),
        (b"First Name,Last Name,Email,Total Orders\nAnn,Lee,a@example.com,1", "customers"),
        (
            b'"Product ID";"Image";"Name";"Reference";"Category";"Price (tax excl.)";"Status";"Position"\n1',
            "PrestaShop",
        ),
        ("ID produit;Référence;Prix (HT);Prix (TTC);État\n1".encode(), "PrestaShop"),
        (b"product_id,name(en-gb),categories,sku,model,price\n1", "OpenCart"),
    ],
    ids=lambda each: each if isinstance(each, str) else "",  # an archive has the time in it
)
def test_a_file_that_holds_no_products_is_called_what_it_is(content: bytes, says: str) -> None:
    with pytest.raises(MovingError, match=says):
        read(content, Answers(base_currency="USD"))


@pytest.mark.parametrize(
    ("document", "says"),
    [
        (
            {"products": [{"handle": "rain", "title": "Rain", "body_html": "", "variants": []}]},
            "Shopify",
        ),
        ([{"id": 1, "permalink": "https://a.example", "regular_price": "1"}], "WooCommerce"),
        ({"status": 200, "data": {"products": [{"uniqid": "a", "title": "Rain"}]}}, "Sellix"),
        ({"data": [{"id": 1, "slug": "rain", "title": "Rain", "store_id": 1}]}, "sell.app"),
    ],
)
def test_json_of_other_systems_is_called_what_it_is(document: object, says: str) -> None:
    with pytest.raises(MovingError, match=says):
        read(json.dumps(document).encode(), Answers(base_currency="USD"))


def test_lists_of_buyers_are_to_be_deleted_and_say_what_to_export_instead() -> None:
    with pytest.raises(MovingError) as refused:
        refuse_strangers(b"Purchase ID,Item Name\n")

    assert "GET /v2/products" in str(refused.value)
    assert "Delete this file" in str(refused.value)


@pytest.mark.parametrize("name", sorted(path.name for path in SAMPLES.iterdir()))
def test_no_right_file_is_taken_for_a_stranger(name: str) -> None:
    refuse_strangers((SAMPLES / name).read_bytes())


@pytest.mark.parametrize("engine", ["sqlite"])
def test_the_command_says_it_and_shows_nothing_of_the_file(
    runner: FlaskCliRunner, tmp_path: Path
) -> None:
    file = tmp_path / "products.csv"
    file.write_bytes(b"Purchase ID,Item Name,Purchase Email\n1,Rain,ann@example.com")

    result = runner.invoke(args=["products", "import", str(file)])

    assert result.exit_code == 1
    assert "These are Gumroad's sales" in result.output
    assert "Nothing was changed." in result.output
    assert "ann@example.com" not in result.output
