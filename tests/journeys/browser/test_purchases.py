"""Whole purchases in a real browser: by keyboard alone, and without JavaScript."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.journeys.books import Books
from tests.journeys.browser.watch import Watch
from tests.journeys.till import Till

pytestmark = pytest.mark.browser

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


def test_a_purchase_by_keyboard_alone(
    page: Page, stocked: str, watch: Watch, books: Books, tmp_path: Path
) -> None:
    page.goto(stocked)
    tab_to(page, "Harbour Rain")
    enter(page)
    tab_to(page, "Add to cart")
    enter(page)
    tab_to(page, "Go to checkout")
    enter(page)
    tab_to(page, "Email address")
    page.keyboard.type("keys.only@example.com")
    tab_to(page, "US Dollar")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    tab_to(page, "Continue to payment")
    enter(page)
    expect(page).to_have_title(re.compile("Pay EUR"))
    tab_to(page, "Pay exactly")
    enter(page)
    expect(page.get_by_role("heading", level=1)).to_have_text("Paid, thank you")
    page.get_by_role("link", name="Download").wait_for()  # paid a moment before it is delivered
    tab_to(page, "Download")

    with page.expect_download() as download:
        page.keyboard.press("Enter")

    assert download.value.suggested_filename == "rain.zip"
    assert Path(download.value.path()).read_bytes() == b"PK rain"
    order = books.order()
    assert (order.email, str(order.total)) == ("keys.only@example.com", "11.00 EUR")
    # The browser calls a navigation that turned into a download "failed".
    assert [trouble for trouble in watch.troubles if "/downloads/" not in trouble] == []


def test_a_wrong_address_puts_the_focus_on_the_problem_and_leads_to_the_field(
    page: Page, stocked: str, watch: Watch
) -> None:
    put_into_cart(page, stocked, "rain")
    page.goto(f"{stocked}/checkout")
    page.get_by_label("Email address").fill("buyer@")
    page.get_by_role("button", name="Continue to payment").click()

    expect(page.get_by_role("alert")).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")

    expect(page.get_by_label("Email address")).to_be_focused()
    expect(page.get_by_label("Email address")).to_have_value("buyer@")
    assert watch.troubles == []


class TestWithoutJavaScript:
    @pytest.fixture(params=["sqlite", "postgresql"])
    def engine(self, request: pytest.FixtureRequest) -> str:
        return str(request.param)

    @pytest.fixture
    def plain(self, browser: Browser) -> Iterator[Page]:
        context = browser.new_context(java_script_enabled=False)
        context.set_default_timeout(10_000)
        yield context.new_page()
        context.close()

    def test_a_purchase(self, plain: Page, stocked: str, till: Till, books: Books) -> None:
        put_into_cart(plain, stocked, "keyed")
        plain.get_by_label("Quantity: Tidewrack").fill("2")
        plain.get_by_role("button", name="Update quantities").click()
        plain.get_by_role("link", name="Go to checkout").click()
        plain.get_by_label("Email address").fill("plain@example.com")
        plain.get_by_role("button", name="Continue to payment").click()
        pay_url = plain.url
        plain.goto(f"{stocked}/cart")
        plain.get_by_role("link", name="Go back to order").click()
        expect(plain.get_by_role("heading", level=1)).to_have_text("Waiting for your payment")

        till.does("pay", pay_url, postback="lose")
        plain.get_by_role("button", name="Check payment again").click()

        expect(plain.get_by_role("heading", level=1)).to_have_text("Paid, thank you")
        assert plain.locator("code").count() == 2
        assert books.state() == ("fulfilled", "none")


def put_into_cart(page: Page, shop: str, slug: str) -> None:
    page.goto(f"{shop}/products/{slug}")
    page.get_by_role("button", name="Add to cart").click()
    page.get_by_role("heading", name="Your cart").wait_for()
