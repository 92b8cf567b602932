"""What fits on the first screen of a phone, and what becomes of pages whose text is twice as large there."""

from __future__ import annotations

import re

import pytest
from flask import Flask
from playwright.sync_api import Page

from tests.buyer import Buyer
from tests.factories import make_product
from tests.journeys.browser.test_every_page import RESTYLE, TWICE_AS_LARGE
from tests.journeys.browser.watch import Watch
from tests.journeys.till import Till

pytestmark = pytest.mark.browser

PHONE = {"width": 390, "height": 844}
BROKEN_WORDS = """() => {
  const broken = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node; (node = walker.nextNode());) {
    const parent = node.parentElement;
    if (!parent.checkVisibility() || parent.closest(".visually-hidden, .skip-link, code")) continue;
    for (const word of node.data.matchAll(/(?<![^ \\n])\\p{L}{2,12}(?=[.,:;!?)]*(?!\\S))/gu)) {
      const range = document.createRange();
      range.setStart(node, word.index);
      range.setEnd(node, word.index + word[0].length);
      const lines = new Set([...range.getClientRects()].filter((r) => r.width).map((r) => Math.round(r.top)));
      if (lines.size > 1) broken.push(word[0]);
    }
  }
  return broken;
}"""
"""Words of up to 12 letters that stand on two lines; longer ones, and long amounts, have to break somewhere."""


@pytest.fixture
def phone(page: Page, watch: Watch, stocked: str) -> Page:
    page.set_viewport_size(PHONE)  # type: ignore[arg-type]
    return page


def bottom(page: Page, selector: str) -> float:
    """Where on the unscrolled page the first of these ends."""
    box = page.locator(selector).first.bounding_box()
    assert box
    return box["y"] + box["height"]


@pytest.mark.parametrize("prefix", ["", "/ru", "/uk"])
def test_the_first_product_and_its_price_are_on_the_first_screen(
    phone: Page, stocked: str, prefix: str
) -> None:
    phone.goto(f"{stocked}{prefix or '/'}")

    assert bottom(phone, ".product-card__title") <= PHONE["height"]
    assert bottom(phone, ".product-card__price") <= PHONE["height"]


@pytest.mark.parametrize("prefix", ["", "/ru", "/uk"])
@pytest.mark.parametrize("slug", ["rain", "few"])
def test_add_to_cart_is_on_the_first_screen(
    phone: Page, stocked: str, prefix: str, slug: str
) -> None:
    phone.goto(f"{stocked}{prefix}/products/{slug}")

    assert bottom(phone, ".buy-box__form .button") <= PHONE["height"]


@pytest.mark.parametrize("prefix", ["", "/ru", "/uk"])
def test_no_word_breaks_and_nothing_scrolls_sideways_with_text_twice_as_large(
    phone: Page, stocked: str, prefix: str, buyer: Buyer
) -> None:
    phone.goto(f"{stocked}{prefix}/products/keyed")
    phone.locator(".buy-box__form button").click()
    buyer.buys("keyed")
    buyer.looks_at_order()
    order = buyer.page.request.path
    found = {}
    public = (prefix or "/", f"{prefix}/products/rain", f"{prefix}/terms")
    for path in (*public, "/cart", "/checkout", order):
        phone.goto(f"{stocked}{path}")
        phone.evaluate(RESTYLE, TWICE_AS_LARGE)
        found[path] = (
            phone.evaluate("document.documentElement.scrollWidth"),
            phone.evaluate(BROKEN_WORDS),
        )

    assert found == dict.fromkeys(found, (PHONE["width"], []))


def test_every_picture_of_a_product_leads_to_its_widest_copy(phone: Page, stocked: str) -> None:
    phone.goto(f"{stocked}/products/rain")
    phone.get_by_role("link", name="Enlarge the picture: The same once more").press("Enter")

    phone.wait_for_url("**/media/*-400.webp")
    assert phone.evaluate("document.images[0].naturalWidth") == 400


LINES = """(button) => {
  const lines = {};
  const walker = document.createTreeWalker(button, NodeFilter.SHOW_TEXT);
  for (let node; (node = walker.nextNode());) {
    for (let at = 0; at < node.length; at++) {
      const range = document.createRange();
      range.setStart(node, at);
      range.setEnd(node, at + 1);
      const box = range.getClientRects()[0];
      if (box && box.width) lines[Math.round(box.top)] = (lines[Math.round(box.top)] ?? "") + node.data[at];
    }
  }
  return Object.keys(lines).sort((a, b) => a - b).map((top) => lines[top]);
}"""


@pytest.mark.parametrize("width", [390, 320])
@pytest.mark.parametrize("prefix", ["", "/ru", "/uk"])
def test_no_sign_stands_by_itself_in_the_button_that_names_the_amount(
    phone: Page, stocked: str, prefix: str, width: int
) -> None:
    phone.set_viewport_size({"width": width, "height": 844})
    phone.goto(f"{stocked}{prefix}/products/rain")
    phone.locator(".buy-box__form button").click()
    phone.goto(f"{stocked}{prefix}/checkout")
    button = phone.locator(".button--wide").last
    button.scroll_into_view_if_needed()

    lines = button.evaluate(LINES)

    assert re.search(r"\w+: ?(\n|$| .*\d)", "\n".join(lines)), lines
    assert not [line for line in lines if re.search(r"(^|\s)[^\w\s]+(\s|$)", line)], lines


def test_a_summary_of_full_length_takes_four_lines_of_a_card_and_all_of_them_on_its_page(
    phone: Page, app: Flask, shop: str
) -> None:
    with app.app_context():
        product = make_product(summary="Forty minutes of rain on tin. " * 8)
    line = "(p) => p.clientHeight / parseFloat(getComputedStyle(p).lineHeight)"

    phone.goto(shop)
    card = phone.locator(".product-card", has_text=product.title)
    assert round(card.locator(".product-card__summary").evaluate(line)) == 4
    phone.goto(f"{shop}/products/{product.slug}")
    assert round(phone.locator(".lead").evaluate(line)) > 4
    assert phone.locator(".lead").evaluate("(p) => p.scrollHeight <= p.clientHeight + 1")


def test_every_heading_of_a_description_is_nearer_to_what_it_is_about(
    phone: Page, app: Flask, shop: str
) -> None:
    text = "Rain.\n\n# One\n\nOne.\n\n## Two\n\nTwo.\n\n### Three\n\nThree.\n\n#### Four\n\nFour."
    with app.app_context():
        product = make_product(description=text)
    phone.goto(f"{shop}/products/{product.slug}")

    found = phone.locator(".prose :is(h3, h4, h5, h6)").evaluate_all(GAPS)

    assert len(found) == 4
    assert [each for each in found if each["above"] < 2 * each["below"]] == []
    assert {each["size"] >= each["text"] for each in found} == {True}


GAPS = """(headings) => headings.map((h) => ({
  above: h.getBoundingClientRect().top - h.previousElementSibling.getBoundingClientRect().bottom,
  below: h.nextElementSibling.getBoundingClientRect().top - h.getBoundingClientRect().bottom,
  size: parseFloat(getComputedStyle(h).fontSize),
  text: parseFloat(getComputedStyle(h.nextElementSibling).fontSize),
}))"""


def test_a_licence_key_stands_on_one_line_where_the_phone_has_room_for_it(
    phone: Page, stocked: str, buyer: Buyer, till: Till
) -> None:
    till.does("pay", buyer.buys("keyed"))
    buyer.looks_at_order()
    phone.goto(f"{stocked}{buyer.page.request.path}")
    phone.get_by_role("button", name="Copy").wait_for()

    lines = phone.locator(".goods__code").evaluate(LINES)

    # Broken behind a hyphen, it would be read as a word that is.
    assert lines == [f"TIDE-{'X' * 20}-000"]
