"""What fits on the first screen of a phone."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page

from tests.journeys.browser.watch import Watch

pytestmark = pytest.mark.browser

PHONE = {"width": 390, "height": 844}


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


def test_every_picture_of_a_product_leads_to_its_widest_copy(phone: Page, stocked: str) -> None:
    phone.goto(f"{stocked}/products/rain")
    phone.get_by_role("link", name="Enlarge the picture: The same once more").press("Enter")

    phone.wait_for_url("**/media/*-400.webp")
    assert phone.evaluate("document.images[0].naturalWidth") == 400
