"""An export can be read by people, and importing it changes nothing."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from flask import Flask
from flask.testing import FlaskCliRunner

from shop.catalogue.files.exporting import export_text, export_to
from shop.catalogue.service import import_catalogue
from tests.factories import make_product

from .conftest import ImportText, ProductText, Write

AMBIGUOUS = (
    *(
        "0123",
        "007",
        "12:30",
        "190:20:30",
        "2026-11-30",
        "1e3",
        "0x1f",
        "0o17",
        "0b11",
        "1_000",
        "12",
    ),
    *("12.50", "-1", "+1", ".5", ".inf", "-.INF", ".nan", "1,000", "~", "=", "<<", "null", "NULL"),
    *("true", "False", "yes", "No", "on", "OFF", "y", "N", "?", "-", "- a", "# a", "a: b", "a #b"),
    *(
        "*a",
        "&a",
        "!a",
        "%a",
        "@a",
        "`a",
        "[a]",
        "{a}",
        "'a'",
        '"a"',
        "a\N{LINE SEPARATOR}b\n=",
        "1\n2",
    ),
)
"""Texts that YAML 1.1, YAML 1.2 or some program's idea of either reads as something else when they are bare."""

CORE = {  # https://yaml.org/spec/1.2.2/#1032-tag-resolution
    "null": r"null|Null|NULL|~|",
    "bool": r"true|True|TRUE|false|False|FALSE",
    "int": r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+",
    "float": r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
}

DESCRIPTION = "|\n    # Rain\n\n    It *rains*:\n\n    - hard\n    - 'softly'   \n\n      indented"


@pytest.fixture
def full(import_text: ImportText, product: ProductText) -> None:
    """A shop with one of everything."""
    image = "[{file: images/rain.jpg, alt: 'Rain: on a roof #1'}]"
    import_text(
        product(
            "rain", title='"Rain: a \\"study\\""', description=DESCRIPTION, images=image, stock="25"
        )
        + product(
            "wind",
            delivery="{file: files/rain.zip, text: Unpack it., downloads: 5, days: 30}",
            active="no",
            honour_late_hours="0",
            most_per_order="1",
        )
        + product(
            "key",
            delivery="{keys: yes, text: '- Start it', low_stock: 3}",
            prices="{USD: 3.1, UAH: 120}",
        )
        + product("odd", title="'yes'", summary="'12.50'", description="'  text '")
        + product("gift", prices="{USD: 0, EUR: 0.00}")
    )


def test_importing_an_export_changes_nothing(
    app: Flask, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    with app.app_context():
        request.getfixturevalue("full")
        file = tmp_path / "export" / "shop.yaml"

        count = export_to(file)
        report = import_catalogue(file)

        assert count == 5
        assert report.unchanged == ["rain", "wind", "key", "odd", "gift"]
        assert report.free == ["gift"]
        assert export_text() == file.read_text("utf-8")


def texts_as_read(file: str, loader: Any) -> list[str]:
    """The texts of an export, each only if the reader took it for one."""
    first = yaml.load(file, loader)["products"][0]
    texts = [first["slug"], first["title"], first["summary"], first["delivery"]["text"]]
    return [text for text in [*texts, first["category"]] if isinstance(text, str)]


class YamlOfToday(yaml.BaseLoader):
    """A reader of YAML 1.2, by its core schema."""

    yaml_constructors = yaml.SafeLoader.yaml_constructors


for tag, words in CORE.items():
    YamlOfToday.add_implicit_resolver(  # type: ignore[no-untyped-call]
        f"tag:yaml.org,2002:{tag}", re.compile(f"({words})$"), None
    )


@pytest.mark.parametrize("loader", [yaml.SafeLoader, YamlOfToday])
@pytest.mark.parametrize("slug", ["0123", "1e3", "2026-11-30", "on", "y", "null", "12"])
def test_a_text_is_a_text_for_every_reader_of_yaml(
    app: Flask, write: Write, loader: Any, slug: str
) -> None:
    said = {"slug": slug, "title": "007", "summary": "12:30", "prices": {"USD": "12.00"}}
    product = said | {"category": slug, "delivery": {"text": "yes"}}
    with app.app_context():
        file = write("")
        file.write_text(
            yaml.safe_dump(
                {"categories": [{"slug": slug, "title": "on"}], "products": [product]},
            )
        )
        import_catalogue(file)

        assert texts_as_read(export_text(), loader) == [slug, "007", "12:30", "yes", slug]


@pytest.mark.parametrize("dump", [yaml.safe_dump, json.dumps])
def test_an_export_that_another_program_read_and_wrote_changes_nothing(
    app: Flask, request: pytest.FixtureRequest, write: Write, dump: Any
) -> None:
    with app.app_context():
        request.getfixturevalue("full")
        for number, text in enumerate(AMBIGUOUS):
            line = " ".join(text.split())
            make_product(slug=f"x{number}", title=line, summary=line, description=text)
        file = write("")
        export_to(file)
        before = export_text()

        file.write_text(dump(yaml.safe_load(file.read_text("utf-8"))), "utf-8")
        report = import_catalogue(file)

        assert (report.added, report.changed) == ([], [])
        assert export_text() == before


def test_an_export_reads_like_a_file_somebody_wrote(
    app: Flask, import_text: ImportText, product: ProductText
) -> None:
    with app.app_context():
        import_text(
            product("rain", prices="{EUR: 11.5, USD: 12}", description="|\n    One\n\n    Two")
        )

        assert export_text() == (
            "products:\n"
            "- slug: rain\n"
            "  title: Rain\n"
            "  summary: All about rain.\n"
            "  description: |-\n"
            "    One\n"
            "\n"
            "    Two\n"
            "  prices:\n"
            "    USD: 12.00\n"
            "    EUR: 11.50\n"
            "  stock: unlimited\n"
            "  delivery:\n"
            "    text: Thanks\n"
            "  active: yes\n"
        )


def test_an_empty_shop_has_an_empty_file_that_can_be_imported(app: Flask, tmp_path: Path) -> None:
    with app.app_context():
        export_to(tmp_path / "empty.yaml")

        report = import_catalogue(tmp_path / "empty.yaml")

    assert (report.added, report.changed, report.unchanged) == ([], [], [])


def test_the_command_writes_over_a_file_only_when_told_to(
    runner: FlaskCliRunner, tmp_path: Path
) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("precious")

    refused = runner.invoke(args=["products", "export", str(file)])
    assert (refused.exit_code, file.read_text()) == (1, "precious")

    forced = runner.invoke(args=["products", "export", str(file), "--force"])
    assert (forced.exit_code, file.read_text()) == (0, "products: []\n")

    printed = runner.invoke(args=["products", "export"])
    assert (printed.exit_code, printed.output) == (0, "products: []\n")
