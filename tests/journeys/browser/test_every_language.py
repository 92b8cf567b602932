"""Every kind of page in the other languages: whole, and fitting a small phone with their longer words."""

from __future__ import annotations

import re

import pytest
from flask import Flask
from playwright.sync_api import Page

from tests.journeys.browser.kinds import KINDS, World
from tests.journeys.browser.test_every_page import PHONE
from tests.journeys.browser.watch import Watch
from tests.journeys.till import Till

pytestmark = pytest.mark.browser

SAID = """() => {
  const ours = document.documentElement.lang;
  const strange = `[lang]:not([lang=${ours}]), code, script, noscript, .order-status__number`;
  const attributes = ["aria-label", "alt", "title", "placeholder", "data-busy", "data-copy"];
  const said = [document.title];
  for (const element of document.body.querySelectorAll("*")) {
    if (element.closest(strange)) continue;
    said.push(...attributes.map((name) => element.getAttribute(name) ?? ""));
    said.push(...[...element.childNodes].filter((n) => n.nodeType === Node.TEXT_NODE).map((n) => n.data));
  }
  return said.join(" ");
}"""
"""All that is said in the page's own language: what the merchant has written says its own."""
SAME_EVERYWHERE = re.compile(
    r"\S+@\S+|\S+\.(zip|example)|https?:\S+|(127|localhost)\S+|\b[0-9A-Z]{4}-[0-9A-Z]{4}\b|"
    r"\b(Trybit|CryptoCloud|Storefront|UTC|USDT|BTC|ETH|LTC|USD|EUR|RUB|GBP|UAH|TRC|ZIP|PDF|[0-9a-f]{12})\b"
)
GROUPS = [group for group in KINDS if group != "provider"]
WHERE_MONEY_IS = ("buying", "open order")
SOME_QUICKLY = [
    pytest.param(group, marks=[] if group in WHERE_MONEY_IS else [pytest.mark.long])
    for group in GROUPS
]
FOR_DEVELOPERS = {"components"}
NAMES = re.compile(
    r"Harbour Rain: field recordings|Tidewrack|Winter, first light|Donau\w+|\brain\b|\blamp\b|(zebra)+"
)
"""Products where a sentence names them, and what was searched for."""


@pytest.fixture
def world(
    app: Flask, stocked: str, till: Till, page: Page, watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> World:
    page.set_viewport_size({"width": PHONE, "height": 640})
    return World(app, stocked, till, page, monkeypatch)


def foreign_words(page: Page) -> list[str]:
    """Words in Latin letters that are no name."""
    said = NAMES.sub(" ", SAME_EVERYWHERE.sub(" ", page.evaluate(SAID)))
    return re.findall(r"[A-Za-z]{2,}(?: [A-Za-z]+)*", said)


@pytest.mark.parametrize("code", ["ru", pytest.param("uk", marks=pytest.mark.long)])
@pytest.mark.parametrize("group", SOME_QUICKLY)
def test_a_page_speaks_one_language_and_fits_a_phone(
    world: World, group: str, code: str, subtests: pytest.Subtests
) -> None:
    """In the quick run in Russian, which has the longest words; test_translations reads both."""
    page = world.page
    for name, way in KINDS[group].items():
        if name in FOR_DEVELOPERS:
            continue
        address = way(world)
        with subtests.test(name):
            page.goto(address.replace(world.shop, f"{world.shop}/{code}", 1))

            assert page.evaluate("document.documentElement.lang") == code
            assert foreign_words(page) == []
            assert page.evaluate("document.documentElement.scrollWidth") <= PHONE
        world.monkeypatch.undo()


def test_the_check_above_finds_foreign_words(world: World) -> None:
    """The control: the English page."""
    world.page.goto(KINDS["buying"]["checkout"](world))

    assert "Email address" in foreign_words(world.page)
