"""An export can be read by people, and importing it changes nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskCliRunner

from shop.catalogue.exporting import export_text, export_to
from shop.catalogue.service import import_catalogue

from .conftest import ImportText, ProductText

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
        )
        + product(
            "key",
            delivery="{keys: yes, text: '- Start it', low_stock: 3}",
            prices="{USD: 3.1, UAH: 120}",
        )
        + product("odd", title="'yes'", summary="'12.50'", description="'  text '")
    )


def test_importing_an_export_changes_nothing(
    app: Flask, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    with app.app_context():
        request.getfixturevalue("full")
        file = tmp_path / "export" / "shop.yaml"

        count = export_to(file)
        report = import_catalogue(file)

        assert count == 4
        assert report.unchanged == ["rain", "wind", "key", "odd"]
        assert export_text() == file.read_text("utf-8")


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
