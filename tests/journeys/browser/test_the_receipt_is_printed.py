"""A delivered order of three lines is a receipt on one A4 page, black on white, without buttons."""

from __future__ import annotations

import re

import pytest
from flask import Flask
from playwright.sync_api import Page, expect

from tests.journeys.browser.kinds import World, order_delivered
from tests.journeys.till import Till

pytestmark = pytest.mark.browser


def test_the_receipt_fits_one_page(
    app: Flask, stocked: str, till: Till, page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    page.goto(order_delivered(World(app, stocked, till, page, monkeypatch)))
    expect(page.get_by_role("heading", level=1)).to_have_text("Paid, thank you")

    paper = page.pdf(format="A4")

    assert len(re.findall(rb"/Type\s*/Page\b(?!s)", paper)) == 1
    page.emulate_media(media="print", color_scheme="dark")
    for words in ("Total", "Order number", "Seller", "Placed", "USD", "UTC"):
        assert words in page.locator("main").inner_text()
    for hidden in ("Send the mail again", "Find your order", "Cart"):
        assert not page.get_by_text(hidden, exact=True).first.is_visible()
    ink, paper_colour = page.evaluate(
        "[getComputedStyle(document.body).color, getComputedStyle(document.documentElement).backgroundColor]"
    )
    assert (ink, paper_colour) == ("rgb(0, 0, 0)", "rgb(255, 255, 255)")


def test_the_count_of_pages_counts(page: Page) -> None:
    """The control."""
    page.set_content("<p style='break-after: page'>one</p><p>two</p>")

    assert len(re.findall(rb"/Type\s*/Page\b(?!s)", page.pdf(format="A4"))) == 2
