"""`flask keys`, `jobs` and `attention`, and what every command has in common."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskCliRunner
from sqlalchemy import delete

from shop import create_app
from shop.attention.service import raise_attention
from shop.catalogue.models import DeliveryKind, Product
from shop.db import db, transaction
from shop.fulfilment.models import LicenceKey
from shop.jobs import JOBS
from shop.ops.models import JobRun
from shop.orders.models import OrderStatus
from shop.orders.queries import find_order
from shop.payments.checking import refresh
from tests.conftest import make_settings
from tests.factories import gateway, make_open_order, make_product, provider
from tests.support.deciding import product_named
from tests.support.sold import unsold_keys


@pytest.fixture
def slug(app: Flask) -> str:
    """A product that is delivered by licence key, with none in stock."""
    with app.app_context():
        return make_product(kind=DeliveryKind.KEY).slug


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "keys.txt"


def stock(app: Flask, slug: str) -> tuple[int, int | None]:
    with app.app_context():
        product = db.session.query(Product).filter_by(slug=slug).one()
        return unsold_keys(product.id), product.available


def test_keys_are_put_into_stock(app: Flask, runner: FlaskCliRunner, slug: str, file: Path) -> None:
    file.write_text("AAA-1\n\n  BBB-2  \nCCC-3")

    result = runner.invoke(args=["keys", "add", slug, str(file)])

    assert result.exit_code == 0
    assert result.stdout == "3 keys added, 0 were there already.\n"
    assert stock(app, slug) == (3, 3)


def test_a_known_key_is_not_sold_twice(
    app: Flask, runner: FlaskCliRunner, slug: str, file: Path
) -> None:
    file.write_text("AAA-1\nAAA-1\nBBB-2\n")
    runner.invoke(args=["keys", "add", slug, str(file)])
    file.write_text("BBB-2\nCCC-3\n")

    result = runner.invoke(args=["keys", "add", slug, str(file)])

    assert result.stdout == "1 keys added, 1 were there already.\n"
    assert stock(app, slug) == (3, 3)


def test_keys_go_to_the_orders_that_wait_for_them(
    app: Flask, runner: FlaskCliRunner, file: Path
) -> None:
    with app.app_context():
        product = make_product(kind=DeliveryKind.KEY, keys=1)
        order, payment = make_open_order(app, product)
        with transaction() as session:  # the key is withdrawn while the buyer pays
            session.execute(delete(LicenceKey))
        with provider(app) as calls:
            calls.invoice_is("paid")
            refresh(payment, gateway(app))
        slug, number = product.slug, order.number
    file.write_text("NEW-1\n")

    runner.invoke(args=["keys", "add", slug, str(file)])

    with app.app_context():
        found = find_order(number)
        assert found
        assert found.status is OrderStatus.FULFILLED


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"AAA-1\n" + b"x" * 501, "Line 2 has 501 characters; 500 is the most."),
        (b"\xff\xfeA", "is not a text in UTF-8"),
        (b"A\xff", "is not a text in UTF-8"),
        (b"AAA-1\nB\x00B", "Line 2 holds a character that cannot be printed."),
        (b'AAA-1\n"BBB', "Line 2 has a quotation mark at one end only."),
        (b'AAA-1\n""', "Line 2 holds nothing but quotation marks."),
        (b"License key\n\n", "holds no keys"),
    ],
)
def test_a_bad_file_changes_nothing(
    app: Flask, runner: FlaskCliRunner, slug: str, file: Path, content: bytes, words: str
) -> None:
    file.write_bytes(content)

    result = runner.invoke(args=["keys", "add", slug, str(file)])

    assert result.exit_code == 1
    assert words in result.stderr
    assert stock(app, slug) == (0, 0)


def test_keys_of_another_product_are_refused_by_line_and_never_printed(
    app: Flask, runner: FlaskCliRunner, slug: str, file: Path
) -> None:
    file.write_text("AAA-1\nBBB-2\n")
    runner.invoke(args=["keys", "add", slug, str(file)])
    with app.app_context():
        other = make_product(kind=DeliveryKind.KEY)
        other_slug, title = other.slug, product_named(slug).title
    file.write_text("CCC-3\n\nbbb 2\n")

    result = runner.invoke(args=["keys", "add", other_slug, str(file)])

    assert result.exit_code == 1
    assert result.stderr == f"Error: Line 3 is a key of {title} ({slug}).\nNothing was changed.\n"
    assert stock(app, other_slug) == (0, 0)


def test_keys_that_differ_by_their_capitals_are_put_into_stock_where_the_merchant_says_so(
    app: Flask, runner: FlaskCliRunner, slug: str, file: Path
) -> None:
    file.write_text("aBc\nAbC\n")
    assert (
        "Line 2 is the key of line 1" in runner.invoke(args=["keys", "add", slug, str(file)]).stderr
    )

    result = runner.invoke(args=["keys", "add", "--case-sensitive", slug, str(file)])

    assert result.stdout == "2 keys added, 0 were there already.\n"
    assert stock(app, slug) == (2, 2)


def test_keys_are_for_products_that_are_delivered_by_key(
    app: Flask, runner: FlaskCliRunner, file: Path
) -> None:
    file.write_text("AAA-1\n")
    with app.app_context():
        other = make_product().slug

    for name in (other, "no-such-product"):
        result = runner.invoke(args=["keys", "add", name, str(file)])
        assert result.exit_code == 1
        assert f"There is no product {name} that is delivered by licence key." in result.stderr


def test_a_missing_file_is_named(runner: FlaskCliRunner, slug: str) -> None:
    result = runner.invoke(args=["keys", "add", slug, "/no/such/file"])

    assert result.exit_code == 2
    assert "/no/such/file" in result.stderr


def test_keys_are_not_printed(runner: FlaskCliRunner, slug: str, file: Path) -> None:
    file.write_text("AAA-1\n")

    assert "AAA-1" not in runner.invoke(args=["keys", "add", slug, str(file)]).output


@pytest.mark.parametrize("name", sorted(JOBS))
def test_a_job_runs_and_its_run_is_noted(app: Flask, runner: FlaskCliRunner, name: str) -> None:
    for _ in range(2):
        result = runner.invoke(args=["jobs", "run", name])
        assert result.exit_code == 0
        assert result.stdout == f"{name} is done.\n"

    with app.app_context():
        assert db.session.get(JobRun, name)


def test_an_unknown_job_is_named_and_the_known_ones_too(runner: FlaskCliRunner) -> None:
    result = runner.invoke(args=["jobs", "run", "dishes"])

    assert result.exit_code == 2
    for name in JOBS:
        assert name in result.stderr


def test_what_waits_for_a_person_is_listed(app: Flask, runner: FlaskCliRunner) -> None:
    with app.app_context(), transaction() as session:
        raise_attention(session, "paid_twice", "x", "Order X was paid twice.")
        raise_attention(session, "paid_twice", "x", "Order X was paid twice.")
        raise_attention(session, "no_stock", "y", "Order Y is sold out.")

    lines = runner.invoke(args=["attention", "list"]).stdout.splitlines()
    found = json.loads(runner.invoke(args=["attention", "list", "--json"]).stdout)

    assert [line.partition("  ")[2].split("  ")[1] for line in lines[::2]] == [
        "paid_twice: Order X was paid twice.",
        "no_stock: Order Y is sold out.",
    ]
    assert all(line.startswith("    to do: ") for line in lines[1::2])
    assert [(item["kind"], item["reference"]) for item in found] == [
        ("paid_twice", "x"),
        ("no_stock", "y"),
    ]


def test_nothing_that_waits_is_said_as_well(runner: FlaskCliRunner) -> None:
    assert runner.invoke(args=["attention", "list"]).stdout == "Nothing waits for you.\n"
    assert json.loads(runner.invoke(args=["attention", "list", "--json"]).stdout) == []


COMMANDS = [
    ["invoices", "create", "--amount", "10", "--currency", "EUR", "--email", "a@example.com"],
    ["orders", "list"],
    ["orders", "show", "AAAA-BBBB"],
    ["attention", "list"],
    ["jobs", "run", "sweep"],
]


@pytest.mark.parametrize("words", COMMANDS)
def test_a_database_that_is_away_is_named_without_a_trace(tmp_path: Path, words: list[str]) -> None:
    app = create_app(make_settings(tmp_path, "postgresql://u:tell-nobody@127.0.0.1:1/nothing"))

    result = app.test_cli_runner().invoke(args=words)

    assert result.exit_code == 1
    assert "tell-nobody" not in result.output + str(result.exception)
    assert "database" in result.stderr
    assert isinstance(result.exception, SystemExit)


@pytest.mark.parametrize("engine", ["sqlite"])
@pytest.mark.parametrize("group", ["invoices", "orders", "keys", "jobs", "attention", "products"])
def test_every_group_explains_itself(runner: FlaskCliRunner, group: str) -> None:
    result = runner.invoke(args=[group, "--help"])

    assert result.exit_code == 0
    assert "Commands:" in result.stdout


def test_a_database_that_is_older_than_the_program_is_said_to_be_so(
    app: Flask, runner: FlaskCliRunner, tmp_path: Path
) -> None:
    with app.app_context(), db.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE products DROP COLUMN low_stock")

    result = runner.invoke(args=["products", "export", str(tmp_path / "catalogue.yaml")])

    assert result.exit_code == 1
    assert "it is older than the program (" in result.output
    assert "Run `flask --app wsgi db upgrade`." in result.output
