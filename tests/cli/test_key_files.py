"""A file of licence keys is looked at before anything in it is sold."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskCliRunner
from sqlalchemy import select

from shop.attention.models import AttentionItem
from shop.books.checks import discrepancies
from shop.catalogue.models import DeliveryKind, Product
from shop.db import db, end_read
from shop.fulfilment.keyfiles import masked, read_keys
from shop.fulfilment.models import LicenceKey
from tests.factories import make_open_order, make_product
from tests.support.deciding import product_named
from tests.support.sold import sell


@pytest.fixture
def slug(app: Flask) -> str:
    with app.app_context():
        return make_product(kind=DeliveryKind.KEY).slug


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "keys.txt"


def values(app: Flask) -> list[str]:
    """The keys in stock, in their order."""
    with app.app_context():
        return list(db.session.scalars(select(LicenceKey.value).order_by(LicenceKey.id)))


@pytest.mark.parametrize(
    ("content", "keys"),
    [
        (b"\xef\xbb\xbfAAA-1\r\nBBB-2\r\n", ["AAA-1", "BBB-2"]),
        ("AAA-1\nBBB-2\n".encode("utf-16"), ["AAA-1", "BBB-2"]),
        (b"License Key\nAAA-1\n", ["AAA-1"]),
        (b'"Serial number"\n"AAA-1"\n"B""2"\n', ["AAA-1", 'B"2']),
        ("Ключ активации\nAAA-1".encode(), ["AAA-1"]),
        (b"KEY-1\nKEY\n", ["KEY-1", "KEY"]),
        (b"AAA-1\nAAA-1\nBBB-2\nAAA-1\n", ["AAA-1", "BBB-2"]),
    ],
)
def test_what_a_spreadsheet_puts_around_keys_is_not_sold(
    app: Flask, runner: FlaskCliRunner, slug: str, file: Path, content: bytes, keys: list[str]
) -> None:
    file.write_bytes(content)

    result = runner.invoke(args=["keys", "add", slug, str(file)])

    assert (result.exit_code, values(app)) == (0, keys), result.output


BLOCK = "-----BEGIN LICENCE-----\nname=Ada\n\n  sig=AAA{}\n-----END LICENCE-----"


def test_a_key_of_several_lines_is_one_key(
    app: Flask, runner: FlaskCliRunner, slug: str, file: Path
) -> None:
    file.write_text(f"{BLOCK.format(1)}\n---\n{BLOCK.format(2)}\n---\n")
    command = ["keys", "add", slug, str(file)]

    refused = runner.invoke(args=command)
    assert (refused.exit_code, values(app)) == (1, [])
    assert "Some lines are rules" in refused.stderr

    assert runner.invoke(args=[*command, "--separator", "---"]).exit_code == 0
    assert values(app) == [BLOCK.format(1), BLOCK.format(2)]
    again = runner.invoke(args=[*command, "--separator", "---"])
    assert again.stdout == "0 keys added, 2 were there already.\n"


def test_blocks_between_empty_lines_are_keys_where_the_merchant_says_so(
    app: Flask, runner: FlaskCliRunner, slug: str, file: Path
) -> None:
    file.write_text("A1\nA2\n\n\nB1\nB2\n")
    command = ["keys", "add", slug, str(file)]

    refused = runner.invoke(args=command)
    assert "2 blocks of 2 lines" in refused.stderr
    assert (refused.exit_code, values(app)) == (1, [])

    assert runner.invoke(args=[*command, "--separator", ""]).exit_code == 0
    assert values(app) == ["A1\nA2", "B1\nB2"]


def test_a_table_is_not_sold_line_by_line_unless_the_merchant_is_sure(
    app: Flask, runner: FlaskCliRunner, slug: str, file: Path
) -> None:
    file.write_text("1;AAA-1\n2;BBB-2\n")

    refused = runner.invoke(args=["keys", "add", slug, str(file)])
    assert "Each line has semicolons in it" in refused.stderr
    assert (refused.exit_code, values(app)) == (1, [])

    assert runner.invoke(args=["keys", "add", "--yes", slug, str(file)]).exit_code == 0
    assert values(app) == ["1;AAA-1", "2;BBB-2"]


def test_a_dry_run_says_what_would_be_done_and_changes_nothing(
    app: Flask, runner: FlaskCliRunner, slug: str, file: Path
) -> None:
    file.write_text("FIRST-KEY-0001\n")
    runner.invoke(args=["keys", "add", slug, str(file)])
    file.write_text("Keys\nFIRST-KEY-0001\nNEXT-KEY-0002\nNEXT-KEY-0002\nLAST-KEY-0003\n")

    result = runner.invoke(args=["keys", "add", "--dry-run", slug, str(file)])

    assert (result.exit_code, values(app)) == (0, ["FIRST-KEY-0001"])
    assert result.stderr.splitlines() == [
        f"{slug}: 2 new keys, 1 that it has already, 1 again in the file",
        "  first: line 2, FIR…001 (14 characters)",
        "  last:  line 5, LAS…003 (13 characters)",
        "  Line 1 is a heading, and is left out.",
        "  Line 4 is line 3 again.",
    ]
    with app.app_context():
        other = make_product(kind=DeliveryKind.KEY).slug
        title = product_named(slug).title
    refused = runner.invoke(args=["keys", "add", "--dry-run", other, str(file)])
    assert f"Line 2 is a key of {title} ({slug})." in refused.stderr


@pytest.mark.parametrize(("answer", "stored"), [("y\n", ["AAA-1"]), ("n\n", []), ("", [])])
def test_on_a_terminal_nothing_is_stored_before_a_yes(
    app: Flask,
    runner: FlaskCliRunner,
    slug: str,
    file: Path,
    monkeypatch: pytest.MonkeyPatch,
    answer: str,
    stored: list[str],
) -> None:
    monkeypatch.setattr("shop.cli.keys._at_a_terminal", lambda: True)
    file.write_text("AAA-1\nAAA-1\n")

    result = runner.invoke(args=["keys", "add", slug, str(file)], input=answer)

    assert "1 new keys, 0 that it has already, 1 again in the file" in result.stderr
    assert values(app) == stored
    assert (result.exit_code == 0) == bool(stored)


def test_a_mask_never_shows_most_of_a_key() -> None:
    for length in range(1, 60):
        value = "".join(chr(65 + n % 26) for n in range(length))
        said = masked(value).partition(" (")[0]
        assert len(said.replace("…", "")) <= length // 2, value


def test_a_file_of_ten_thousand_is_read_at_once() -> None:
    content = "".join(f"KEY-{n:05}\r\n" for n in range(10_000)).encode()

    found = read_keys(content)

    assert (len(found.keys), found.doubts) == (10_000, [])


def shelf(product: Product) -> tuple[int | None, list[str]]:
    end_read()
    on_sale = db.session.get_one(Product, product.id, populate_existing=True).available
    free = select(LicenceKey.value).where(
        LicenceKey.withdrawn_at.is_(None), LicenceKey.delivery_id.is_(None)
    )
    return on_sale, list(db.session.scalars(free.order_by(LicenceKey.id)))


def test_unsold_keys_are_listed_masked_and_withdrawn_by_number(
    app: Flask, runner: FlaskCliRunner
) -> None:
    with app.app_context():
        product = make_product(kind=DeliveryKind.KEY, keys=4)
        sell(app, product)
        slug = product.slug
        _, free = shelf(product)
    result = runner.invoke(args=["keys", "list", slug, "--json"])
    assert result.exit_code == 0, (result.output, result.exception)
    listed = json.loads(result.stdout)
    assert [row["key"] for row in listed] == [masked(value) for value in free]
    assert not any(value in runner.invoke(args=["keys", "list", slug]).output for value in free)
    by = ["--reason", "the maker called it back", "--who", "Ann"]

    done = runner.invoke(args=["keys", "withdraw", slug, str(listed[0]["number"]), *by])

    assert done.stdout == f"1 keys of {slug} are off sale.\n"
    (counts,) = json.loads(runner.invoke(args=["keys", "list", "--json"]).stdout)
    assert counts == {"slug": slug, "on_sale": 2, "unsold": 2, "sold": 1, "withdrawn": 1}
    assert f"{slug}  2 on sale  2 unsold  1 sold" in runner.invoke(args=["keys", "list"]).stdout
    with app.app_context():
        assert shelf(product) == (2, free[1:])
        item = db.session.scalars(select(AttentionItem).filter_by(kind="keys_withdrawn")).one()
        assert (item.resolved_by, item.resolution) == ("Ann", "the maker called it back")
        assert free[0] not in item.note
        assert list(discrepancies()) == [], "the books add up"
    again = runner.invoke(args=["keys", "withdraw", slug, str(listed[0]["number"]), *by])
    assert "has no unsold key with the number" in again.stderr


def test_a_key_that_an_order_holds_is_not_withdrawn(app: Flask, runner: FlaskCliRunner) -> None:
    with app.app_context():
        product = make_product(kind=DeliveryKind.KEY, keys=2)
        make_open_order(app, product)
        before, slug = shelf(product), product.slug
    by = ["--reason", "bad", "--who", "Ann"]

    refused = runner.invoke(args=["keys", "withdraw", slug, "--all", *by])

    assert refused.exit_code == 1
    assert "held by orders" in refused.stderr
    assert runner.invoke(args=["keys", "withdraw", slug, *by]).exit_code == 2
    with app.app_context():
        assert shelf(product) == before
