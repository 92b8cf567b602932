"""The same shop and sandbox, visited by a real browser. One engine will do: pages do not know theirs."""

from __future__ import annotations

from pathlib import Path

import pytest
from flask import Flask
from PIL import Image
from playwright.sync_api import Page, expect

from shop.catalogue.service import import_catalogue
from tests.journeys.browser.watch import Watch
from tests.support.browsing import PATIENCE

LONG = "Donaudampfschifffahrtsgesellschaftskapitänsmütze"
CATALOGUE = f"""\
categories:
- {{slug: sound, title: Sound and music, summary: For the dark months.}}
- {{slug: long, title: {LONG}}}
products:
- slug: rain
  category: sound
  title: "Harbour Rain: field recordings"
  summary: Forty minutes of rain on tin.
  description: "Rain.\\n\\n## Contents\\n\\n1. Tin\\n2. Water\\n\\n> Nothing added.\\n\\n`{LONG * 2}`\\n\\n\
```\\n{LONG * 2} {LONG}\\n```"
  prices: {{USD: 12.00, EUR: 11.00}}
  images: [{{file: rain.png, alt: Rain over a harbour}}, {{file: rain.png, alt: The same once more}}]
  delivery: {{file: rain.zip, downloads: 5, days: 30, text: "Thank you for listening to [the rain](https://rain.example)."}}
- slug: keyed
  title: Tidewrack
  summary: {LONG} in a small, slow game.
  prices: {{USD: 14.99}}
  images: [{{file: rain.png, alt: A lighthouse}}]
  delivery: {{keys: true, text: Start it and paste the key.}}
- slug: few
  category: long
  title: {LONG}
  summary: Only a few are left.
  prices: {{USD: 1234567.89}}
  stock: 3
  delivery: {{text: Wear it well.}}
- slug: gone
  title: Winter, first light
  summary: A linocut that is sold out.
  prices: {{USD: 60.00}}
  stock: 0
  delivery: {{text: Hang it.}}
"""

expect.set_options(timeout=PATIENCE)


@pytest.fixture
def engine() -> str:
    return "sqlite"


@pytest.fixture
def stocked(app: Flask, shop: str, tmp_path: Path) -> str:
    """The shop with something of each kind in it; its address."""
    folder = tmp_path / "catalogue"
    (folder / "images").mkdir(parents=True)
    Image.linear_gradient("L").resize((400, 300)).convert("RGB").save(folder / "rain.png")
    (folder / "rain.zip").write_bytes(b"PK rain")
    (folder / "catalogue.yaml").write_text(CATALOGUE, "utf-8")
    (folder / "keys.txt").write_text("".join(f"TIDE-{'X' * 20}-{n:03}\n" for n in range(9)))
    with app.app_context():
        import_catalogue(folder / "catalogue.yaml")
    for command in (
        ("rates", "set", "EUR=0.92", "GBP=0.79", "RUB=96.50", "UAH=41.30"),
        ("keys", "add", "keyed", str(folder / "keys.txt")),
    ):
        assert app.test_cli_runner().invoke(args=command).exit_code == 0
    return shop


@pytest.fixture
def watch(page: Page, shop: str) -> Watch:
    """Whatever goes wrong in the browser from now on."""
    page.set_default_timeout(PATIENCE)
    return Watch(page)
