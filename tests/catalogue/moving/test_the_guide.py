"""What docs/moving.md tells an operator to type does what it says, on the files of each system."""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path

import pytest
from flask.testing import FlaskCliRunner

from shop.catalogue.moving.systems import TABLE_SYSTEMS
from shop.config import ROOT
from tests.catalogue.moving.conftest import SAMPLES

GUIDE = (ROOT / "docs/moving.md").read_text("utf-8")
COMMANDS = re.findall(r"flask --app wsgi (products import .+?)(?:`|$)", GUIDE, re.MULTILINE)
SAMPLE = {
    "products.csv": "woocommerce.csv",
    "wc-product-export.csv": "woocommerce.csv",
    "products_export.csv": "shopify.csv",
    "edd-export-downloads.csv": "edd.csv",
    "gumroad.json": "gumroad.json",
    "lemonsqueezy.json": "lemonsqueezy.json",
    "sellauth.json": "sellauth.json",
}


@pytest.fixture
def engine() -> str:
    return "sqlite"


def test_the_guide_has_a_part_for_each_system_that_is_read() -> None:
    names = [*(system.name for system in TABLE_SYSTEMS), "Gumroad", "Lemon Squeezy", "SellAuth"]

    for name in names:
        assert f"\n## {name}\n" in GUIDE


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_of_the_guide_shows_a_plan(
    runner: FlaskCliRunner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "uploads").mkdir()
    words = shlex.split(command.replace("--currency EUR", "--currency USD"))
    shutil.copyfile(SAMPLES / SAMPLE[words[2]], words[2])

    result = runner.invoke(args=[*words, "--dry-run"])

    assert result.exit_code == 0, result.output
    assert re.search(r"\d+ records = [1-9]\d* carried", result.output)


def test_goods_that_follow_later_are_filled_in_as_the_guide_shows(
    runner: FlaskCliRunner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "uploads").mkdir()
    shutil.copyfile(SAMPLES / "shopify.csv", "products.csv")
    command = ["products", "import", "products.csv", "--currency", "USD", "--files", "uploads"]
    assert runner.invoke(args=[*command, "--yes"]).exit_code == 0
    before = runner.invoke(args=["products", "list"]).output

    (tmp_path / "uploads/brushes.zip").write_bytes(b"PK brushes")
    shown = re.findall(
        r"^ {9}(file|active): (\S+) +# in place of `(.+?): (.+?)`$", GUIDE, re.MULTILINE
    )
    shown += re.findall(r"^ {7}(active): (\S+) +# in place of `(.+?): (.+?)`$", GUIDE, re.MULTILINE)
    text = Path("products.moved.yaml").read_text("utf-8")
    head, slug, rest = text.partition("- slug: harbour-rain\n")
    for name, value, old_name, old in shown:
        pattern = re.escape(f"{old_name}: {old}").replace("…", ".*")
        rest, number = re.subn(pattern, f"{name}: {value}", rest, count=1)
        assert number == 1
    Path("products.moved.yaml").write_text(head + slug + rest, "utf-8")
    result = runner.invoke(args=["products", "import", "products.moved.yaml"])

    assert [name for name, *_ in shown] == ["file", "active"]
    assert "harbour-rain  9.90 USD  off sale, its goods are missing\n" in before
    assert "0 added, 1 changed, 8 unchanged." in result.output
    assert "harbour-rain  9.90 USD\n" in runner.invoke(args=["products", "list"]).output
