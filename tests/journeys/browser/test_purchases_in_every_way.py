"""Whole purchases however a shopper reads: small, enlarged, dark, in colours or a language of their own.

Everything is found by its role and name, as a screen reader finds it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import product
from pathlib import Path
from typing import Literal

import pytest
from babel.support import Translations
from playwright.sync_api import Browser, Page, expect

import shop
from tests.journeys.books import Books
from tests.journeys.browser.test_every_page import PHONE, problems_on
from tests.journeys.browser.watch import Watch
from tests.support.browsing import PATIENCE

pytestmark = pytest.mark.browser

SMALL = {"viewport": {"width": PHONE, "height": 640}}
WAYS: dict[str, dict[str, object]] = {
    "on a small phone": SMALL,
    "enlarged to 200 %": {"viewport": {"width": 640, "height": 400}, "device_scale_factor": 2},
    "dark": {"color_scheme": "dark"},
    "in colours of one's own": {"forced_colors": "active"},
    "without JavaScript": {"java_script_enabled": False},
    "small, dark and without JavaScript": {
        **SMALL,
        "color_scheme": "dark",
        "java_script_enabled": False,
    },
}
LANGUAGES = ["en", "ru", "uk"]
QUICK = [
    ("on a small phone", "ru"),
    ("in colours of one's own", "en"),
    ("small, dark and without JavaScript", "en"),
]
"""Russian where its long words have the least room. That pages are right enlarged or dark, the quick
run sees on every kind of page."""
PURCHASES = [
    pytest.param(*pair, marks=[] if pair in QUICK else [pytest.mark.long])
    for pair in product(WAYS, LANGUAGES)
]

FOCUSED = """() => {
  const element = document.activeElement;
  const drawn = (style) => style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2;
  const outlined = (e) => e && (drawn(getComputedStyle(e)) || drawn(getComputedStyle(e, "::after")));
  const label = element.labels?.[0];
  return {
    name: [label?.innerText, element.innerText, element.value].filter(Boolean).join(" "),
    visible: outlined(element) || outlined(label),
  };
}"""


def tab_to(page: Page, name: str) -> None:
    """Press Tab until the focus, which must be seen, is on what has this name."""
    seen = []
    for _ in range(40):
        page.keyboard.press("Tab")
        focused = page.evaluate(FOCUSED)
        seen.append(focused["name"])
        if name in focused["name"]:
            assert focused["visible"], f"one cannot see that the focus is on {name}"
            return
    raise AssertionError(f"{name} was not reached; the focus was on {seen}")


def enter(page: Page) -> None:
    """Press Enter on what leads to another page."""
    with page.expect_navigation():
        page.keyboard.press("Enter")


HAS_SCRIPTS = "matchMedia('(scripting: enabled)').matches"
"""Axe, which waits, would wait for ever where there are none."""


@contextmanager
def reader(browser: Browser, **options: object) -> Iterator[tuple[Page, Watch]]:
    """A browser that is set up like this, and whatever goes wrong in it."""
    context = browser.new_context(reduced_motion="reduce", **options)  # type: ignore[arg-type]  # one dictionary for all of its many options
    context.set_default_timeout(PATIENCE)
    page = context.new_page()
    yield page, Watch(page)
    context.close()


def words(language: str) -> Callable[[str], str]:
    """What the shop says in this language where the code says it in English."""
    folder = Path(shop.__file__).parent / "translations"
    return Translations.load(folder, [language]).gettext


def front_page(address: str, language: str) -> str:
    return address if language == "en" else f"{address}/{language}/"


def looks_right(page: Page, language: str) -> None:
    """Nothing is cut off, and nothing is out of a reader's reach."""
    size = page.viewport_size
    assert size
    assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]
    assert page.evaluate("document.documentElement.lang") == language
    if page.evaluate(HAS_SCRIPTS):
        assert problems_on(page) == []


def press(page: Page, role: Literal["link", "button"], name: str) -> None:
    """Press what leads to another page, and wait until that is there."""
    with page.expect_navigation():
        page.get_by_role(role, name=name).click()


@pytest.mark.parametrize(("way", "language"), PURCHASES)
def test_a_purchase(browser: Browser, stocked: str, books: Books, way: str, language: str) -> None:
    say = words(language)
    with reader(browser, **WAYS[way]) as (page, watch):
        page.goto(front_page(stocked, language))
        looks_right(page, language)
        press(page, "link", "Harbour Rain")
        looks_right(page, language)
        press(page, "button", say("Add to cart"))
        looks_right(page, language)
        press(page, "button", say("Go to checkout"))
        looks_right(page, language)
        page.get_by_role("textbox", name=say("Email address")).fill("reader@example.com")
        press(page, "button", say("Continue to payment"))
        press(page, "button", "Pay exactly")

        title = page.get_by_role("heading", level=1)
        expect(title).to_have_text(say("Paid, thank you"))
        refresh = page.get_by_role("link", name=say("Refresh this page"))
        while not page.evaluate(HAS_SCRIPTS) and refresh.is_visible():
            press(page, "link", say("Refresh this page"))  # paid a moment before it is delivered
        looks_right(page, language)
        with page.expect_download() as download:
            page.get_by_role("button", name=say("Download")).click()
        assert Path(download.value.path()).read_bytes() == b"PK rain"

    assert books.state() == ("fulfilled", "none")
    assert books.order().language == language
    assert [trouble for trouble in watch.troubles if "/downloads/" not in trouble] == []


@pytest.mark.parametrize(
    "language", ["en", *(pytest.param(other, marks=pytest.mark.long) for other in LANGUAGES[1:])]
)
def test_a_purchase_by_keyboard_alone(
    browser: Browser, stocked: str, books: Books, language: str
) -> None:
    say = words(language)
    with reader(browser) as (page, watch):
        page.goto(front_page(stocked, language))
        for name in ("Harbour Rain", say("Add to cart"), say("Go to checkout")):
            tab_to(page, name)
            enter(page)
        tab_to(page, say("Email address"))
        page.keyboard.type("keys.only@example.com")
        tab_to(page, "USD")
        page.keyboard.press("ArrowDown")
        page.keyboard.press("ArrowDown")
        for name in (say("Continue to payment"), "Pay exactly"):
            tab_to(page, name)
            enter(page)
        expect(page.get_by_role("heading", level=1)).to_have_text(say("Paid, thank you"))
        page.get_by_role("button", name=say("Download")).wait_for()  # delivered a moment after
        tab_to(page, say("Download"))
        with page.expect_download() as download:
            page.keyboard.press("Enter")
        assert Path(download.value.path()).read_bytes() == b"PK rain"

    assert str(books.order().total) == "11.00 EUR"
    # The browser calls a navigation that turned into a download "failed".
    assert [trouble for trouble in watch.troubles if "/downloads/" not in trouble] == []
