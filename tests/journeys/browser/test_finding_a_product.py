"""Somebody looks for a product: by typing, by category, by price; without scripts as well as with them."""

from __future__ import annotations

import json

import pytest
from playwright.sync_api import Page, expect

from tests.journeys.browser.watch import Watch

pytestmark = pytest.mark.browser


def test_a_product_is_found_with_the_keyboard_alone(page: Page, stocked: str, watch: Watch) -> None:
    page.goto(f"{stocked}/?currency=EUR")
    page.get_by_role("searchbox", name="Search all products").focus()
    page.keyboard.type("HARB")
    page.keyboard.press("Enter")

    expect(page.get_by_role("heading", level=1)).to_have_text("Search: HARB")
    expect(page.get_by_role("listitem").get_by_role("link")).to_have_count(1)
    page.get_by_role("link", name="Harbour Rain").press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Harbour Rain: field recordings")
    assert page.url == f"{stocked}/products/rain?currency=EUR"
    assert watch.troubles == []


def test_a_list_is_sorted_and_narrowed_by_links(page: Page, stocked: str, watch: Watch) -> None:
    page.goto(stocked)
    menu = page.locator(".sort-menu")
    menu.locator("summary").press("Enter")
    menu.get_by_role("link", name="Highest price").press("Enter")

    expect(menu.locator("summary")).to_have_text("Sort: Highest price")
    expect(page.locator(".product-card__price").first).to_contain_text("1,234,567.89")
    page.get_by_role("link", name="Sound and music", exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Sound and music")
    expect(page.locator(".product-card")).to_have_count(1)
    assert watch.troubles == []


def test_a_browser_takes_the_facts_for_search_engines_for_data(
    page: Page, stocked: str, watch: Watch
) -> None:
    """The policy forbids inline scripts; a block of data is none, and nothing complains."""
    page.goto(f"{stocked}/products/rain")

    facts = json.loads(page.locator('script[type="application/ld+json"]').text_content() or "")
    assert facts["offers"]["price"] == "12.00"
    assert watch.troubles == []
