from __future__ import annotations

import csv
import io
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import Result
from flask.testing import FlaskCliRunner

from shop.catalogue.moving.found import Answers, Findings
from shop.catalogue.moving.systems import read

SAMPLES = Path(__file__).parent / "samples"

NOW = datetime(2026, 11, 30, tzinfo=UTC)

Sample = Callable[[str], Path]
Bring = Callable[..., Result]
WriteTable = Callable[..., Path]


@pytest.fixture
def sample(tmp_path: Path) -> Callable[[str], Path]:
    """A copy of a sample file, in a folder of its own."""

    def sample(name: str) -> Path:
        folder = tmp_path / "moving"
        folder.mkdir(exist_ok=True)
        return Path(shutil.copyfile(SAMPLES / name, folder / name))

    return sample


@pytest.fixture
def bring(runner: FlaskCliRunner) -> Bring:
    """Run `products import` on a file, in dollars, and agree to the plan."""

    def bring(file: Path, *options: str, currency: str = "USD", yes: bool = True) -> Result:
        args = ["products", "import", str(file), *options]
        args += [f"--currency={currency}"] if currency else []
        args += ["--yes"] if yes else []
        return runner.invoke(args=args, catch_exceptions=False)

    return bring


@pytest.fixture
def write_table(tmp_path: Path) -> WriteTable:
    """Write a table of dictionaries, as WooCommerce does."""

    def write_table(*rows: dict[str, str], name: str = "export.csv", sign: str = ",") -> Path:
        folder = tmp_path / "moving"
        folder.mkdir(exist_ok=True)
        heading = list(dict.fromkeys(key for row in rows for key in row))
        text = io.StringIO()
        writer = csv.DictWriter(text, heading, delimiter=sign, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        path = folder / name
        path.write_text(text.getvalue(), "utf-8-sig", newline="")
        return path

    return write_table


def record(number: int = 41, **values: str) -> dict[str, str]:
    """A record of a product as WooCommerce writes it."""
    return {
        "ID": str(number),
        "Type": "simple, virtual",
        "SKU": f"SKU-{number}",
        "Name": f"Product {number}",
        "Published": "1",
        "Visibility in catalog": "visible",
        "Short description": f"All about {number}.",
        "Description": f"<p>Long about {number}.</p>",
        "In stock?": "1",
        "Stock": "",
        "Sale price": "",
        "Regular price": "12.50",
        "Categories": "",
        "Images": "",
        "Parent": "",
        "Download 1 name": "",
        "Download 1 URL": "",
    } | {name if " " in name else name.replace("_", " "): value for name, value in values.items()}


def found(path: Path, **answers: object) -> Findings:
    """What is found in a file whose prices are in dollars, unless the answers say otherwise."""
    given = {"base_currency": "USD", "currency": "USD", "now": NOW} | answers
    findings = read(path.read_bytes(), Answers(**given))  # type: ignore[arg-type]
    assert findings is not None
    return findings
