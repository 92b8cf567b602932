"""Tables of key shops give their keys that are for sale, and no other."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result
from flask import Flask
from flask.testing import FlaskCliRunner
from sqlalchemy import select

from shop.catalogue.models import DeliveryKind
from shop.db import db
from shop.fulfilment.models import LicenceKey
from tests.factories import make_product

Add = Callable[..., Result]

MANAGER = (
    "id,order_id,product_id,user_id,license_key,expires_at,valid_for,status,times_activated,"
    "times_activated_max,created_at,updated_at\n"
)
"""The heading of License Manager for WooCommerce."""
CARDS = "id,secret,status,product_id,sku_id,order_id,batch_id,created_at\n"
"""The heading of dujiao-next."""


def licence(
    key: str, status: str = "3", order: str = "", expires: str = "", product: str = "7"
) -> str:
    return f"1,{order},{product},,{key},{expires},,{status},,,2026-01-01,2026-01-01\n"


@pytest.fixture
def slug(app: Flask) -> str:
    with app.app_context():
        return make_product(kind=DeliveryKind.KEY).slug


@pytest.fixture
def add(runner: FlaskCliRunner, slug: str, tmp_path: Path) -> Add:
    """Put the keys of a table into stock."""

    def add(text: str | bytes, *options: str) -> Result:
        file = tmp_path / "keys.csv"
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
        return runner.invoke(
            args=["keys", "add", slug, str(file), *options], catch_exceptions=False
        )

    return add


def values(app: Flask) -> list[str]:
    with app.app_context():
        return list(db.session.scalars(select(LicenceKey.value).order_by(LicenceKey.id)))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("sign", [",", ";"])
def test_only_keys_that_are_for_sale_are_put_into_stock(
    app: Flask, add: Add, encoding: str, sign: str
) -> None:
    """In License Manager for WooCommerce, sold and expired keys were counted as stock."""
    text = MANAGER + "".join(
        [
            licence("NEW-1"),
            licence("SOLD-1", "1"),
            licence("SENT-1", "2"),
            licence("OFF-1", "4"),
            licence("ODD-1", "9"),
            licence("NONE-1", ""),
            licence("ORDER-1", "3", order="55"),
            licence("OLD-1", "3", expires="2020-01-01 00:00:00"),
            licence("LATER-1", "3", expires="2999-01-01 00:00:00"),
            licence("ENDLESS-1", "ACTIVE", order="0", expires="0000-00-00 00:00:00"),
        ]
    )

    result = add(text.replace(",", sign).encode(encoding))

    assert result.exit_code == 0, result.output
    assert values(app) == ["NEW-1", "LATER-1", "ENDLESS-1"]
    for left in (
        "2 of a status that is not known",
        "1 sold",
        "1 delivered",
        "1 inactive",
        "1 expired",
    ):
        assert left in result.output


def test_card_secrets_that_are_available_are_taken_letter_for_letter(app: Flask, add: Add) -> None:
    """In acg-faka, blank lines and sold cards were counted as stock."""
    text = CARDS + (
        '1,"ab@c.d----pä&amp;ss, 1",available,3,,,9,2026-01-01\n'
        "\n"
        "2,used-1,used,3,,8,9,2026-01-01\n"
        "3,kept-1,reserved,3,,,9,2026-01-01\n"
        "4,'=kept,available,3,,,9,2026-01-01\n"
    )

    result = add(text)

    assert result.exit_code == 0, result.output
    assert values(app) == ["ab@c.d----pä&amp;ss, 1", "'=kept"]


def test_keys_of_several_products_are_asked_about(app: Flask, add: Add) -> None:
    text = (
        MANAGER
        + licence("A-1", product="7")
        + licence("B-1", product="8")
        + licence("B-2", product="8")
    )

    asked, answered = add(text), add(text, "--of", "8")

    assert asked.exit_code == 1
    assert "several products: 7 (1 keys), 8 (2 keys). Say which are meant: --of." in asked.output
    assert answered.exit_code == 0
    assert values(app) == ["B-1", "B-2"]


def test_a_table_that_does_not_say_what_is_sold_is_not_believed_unasked(
    app: Flask, add: Add
) -> None:
    text = "id,license_key\n1,A-1\n"

    doubted, sure = add(text), add(text, "--yes")

    assert doubted.exit_code == 1
    assert "no column `status`" in doubted.output
    assert (sure.exit_code, values(app)) == (0, ["A-1"])


@pytest.mark.parametrize(
    ("rows", "problem"),
    [
        ("1,2\n", "Row 2 has 2 cells, and the heading 12."),
        ('1,,7,,"A-1,,,3,,,x,y\n', "The table cannot be read after row"),
        (licence(""), "Row 2 holds nothing"),
    ],
)
def test_a_broken_table_is_refused_whole_and_never_read_line_by_line(
    app: Flask, add: Add, rows: str, problem: str
) -> None:
    result = add(MANAGER + licence("GOOD-1") + rows, "--yes")

    assert result.exit_code == 1
    assert problem.replace("Row 2", "Row 3") in result.output
    assert values(app) == []


def test_a_table_in_which_all_is_sold_says_so(app: Flask, add: Add) -> None:
    result = add(MANAGER + licence("SOLD-1", "1"))

    assert result.exit_code == 1
    assert "holds no keys to sell. Not for sale, and left out: 1 sold." in result.output


def test_the_product_is_asked_for_only_where_a_table_names_one(app: Flask, add: Add) -> None:
    result = add("AAA-1\n", "--of", "7")

    assert (result.exit_code, values(app)) == (1, [])
    assert "leave out --of" in result.output
