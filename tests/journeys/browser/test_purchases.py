"""A wrong address is led to, and without JavaScript a purchase survives a lost postback."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.journeys.books import Books
from tests.journeys.browser.watch import Watch
from tests.journeys.till import Till
from tests.support.browsing import PATIENCE

pytestmark = pytest.mark.browser


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
        context.set_default_timeout(PATIENCE)
        yield context.new_page()
        context.close()

    def test_a_purchase(self, plain: Page, stocked: str, till: Till, books: Books) -> None:
        put_into_cart(plain, stocked, "keyed")
        plain.get_by_label("Quantity: Tidewrack").fill("2")
        plain.get_by_role("button", name="Update quantities").click()
        plain.get_by_role("button", name="Go to checkout").click()
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

    def test_button_and_summary_follow_the_currency_that_is_chosen(
        self, plain: Page, stocked: str
    ) -> None:
        put_into_cart(plain, stocked, "rain")
        plain.goto(f"{stocked}/checkout")
        summary = plain.get_by_role("region", name="Your order")

        for code in ("EUR", "USD"):
            plain.get_by_role("radio", name=re.compile(code)).check()

            button = plain.get_by_role("button", name=re.compile("Continue to payment"))
            expect(button).to_have_accessible_name(
                re.compile(rf"^Continue to payment ?: {code}.[\d.]+$")
            )
            assert set(re.findall("[A-Z]{3}", summary.inner_text())) == {code}


def put_into_cart(page: Page, shop: str, slug: str) -> None:
    page.goto(f"{shop}/products/{slug}")
    page.get_by_role("button", name="Add to cart").click()
    page.get_by_role("heading", name="Your cart").wait_for()
