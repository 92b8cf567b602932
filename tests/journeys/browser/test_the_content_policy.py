"""The way to the pay page leads through the policy that guards every page of the shop."""

from __future__ import annotations

import pytest
from flask import Flask
from playwright.sync_api import Page, expect

from tests.journeys.browser.test_purchases import put_into_cart
from tests.journeys.browser.watch import Watch
from tests.journeys.till import Till

pytestmark = pytest.mark.browser

POLICY = "Content-Security-Policy"


@pytest.fixture
def checkout(page: Page, stocked: str, watch: Watch) -> Page:
    """The checkout form, filled in."""
    put_into_cart(page, stocked, "rain")
    page.goto(f"{stocked}/checkout")
    page.get_by_label("Email address").fill("buyer@example.com")
    return page


def test_the_browser_follows_the_checkout_to_the_pay_host(
    checkout: Page, watch: Watch, till: Till
) -> None:
    with checkout.expect_response(lambda answer: answer.request.method == "POST") as posted:
        checkout.get_by_role("button", name="Continue to payment").click()

    expect(checkout.get_by_role("heading", level=1)).to_contain_text("Pay USD")
    assert posted.value.status == 303
    assert (
        f"form-action 'self' {' '.join(till.pay_origins)};" in posted.value.headers[POLICY.lower()]
    )
    assert checkout.url == till.invoices()[0]["pay_url"]
    assert watch.troubles == []


def test_a_policy_without_the_pay_host_would_keep_the_buyer_in_the_shop(
    app: Flask, checkout: Page, watch: Watch, till: Till, stocked: str
) -> None:
    """The control: were this not so, the test above would prove nothing."""
    headers = app.extensions["security_headers"]
    headers[POLICY] = headers[POLICY].replace(f" {' '.join(till.pay_origins)}", "")
    checkout.reload()
    checkout.get_by_label("Email address").fill("buyer@example.com")

    with checkout.expect_console_message(lambda message: "form-action" in message.text):
        checkout.get_by_role("button", name="Continue to payment").click()

    assert checkout.url == f"{stocked}/checkout"
    assert any("form-action" in trouble for trouble in watch.troubles)


@pytest.mark.parametrize("brand", ["trybit", "cryptocloud"])
def test_a_pay_link_that_leads_on_to_the_other_listed_host_is_followed(
    checkout: Page, watch: Watch, till: Till, brand: str
) -> None:
    """Whichever of its two names the provider's link has, and whichever its pay page has."""
    till.is_switched("up", brand=brand, link="redirect")

    checkout.get_by_role("button", name="Continue to payment").click()

    expect(checkout.get_by_role("heading", level=1)).to_contain_text("Pay USD")
    assert checkout.url.startswith(till.pay_origins)
    assert watch.troubles == []


def test_a_pay_link_that_leads_on_to_a_strange_host_is_refused_in_words(
    checkout: Page, till: Till, stocked: str
) -> None:
    """The browser itself says nothing to its reader, and would leave the button busy for ever."""
    till.is_switched("up", link="redirect_away")
    expect(checkout.get_by_role("alert")).to_be_hidden()

    checkout.get_by_role("button", name="Continue to payment").click()

    words = checkout.get_by_role("alert")
    expect(words).to_contain_text("Your browser stopped on the way to the payment page")
    expect(words).to_contain_text("Nothing was charged")
    assert checkout.url == f"{stocked}/checkout"
    expect(words.get_by_role("link", name="help@shop.example")).to_be_visible()
    expect(checkout.get_by_role("button", name="Continue to payment")).to_be_enabled()
    words.get_by_role("link", name="Find your order and its number in the cart.").click()
    expect(checkout.get_by_role("link", name="Go back to order")).to_be_visible()


def test_a_second_attempt_that_leads_to_a_strange_host_is_refused_in_words_as_well(
    checkout: Page, till: Till
) -> None:
    """On the order page, which knows the number to write with; it may be tried again when all is well."""
    till.is_switched("down")
    checkout.get_by_role("button", name="Continue to payment").click()
    again = checkout.get_by_role("button", name="Try again")
    till.is_switched("up", link="redirect_away")

    again.click()

    words = checkout.get_by_role("alert")
    expect(words).to_contain_text("Your browser stopped on the way to the payment page")
    number = checkout.locator(".order-status__number").inner_text().removeprefix("Order ")
    expect(words).to_contain_text(f"Write to help@shop.example with the order number {number}")
    till.is_switched("up", link="whole")
    again.click()
    expect(checkout.get_by_role("heading", level=1)).to_contain_text("Pay USD")


def test_a_script_or_style_written_into_a_page_does_nothing(
    page: Page, stocked: str, watch: Watch
) -> None:
    page.goto(stocked)
    page.evaluate(
        """() => {
          const script = document.createElement("script");
          script.textContent = "document.title = 'defaced'";
          document.body.append(script);
          const style = document.createElement("style");
          style.textContent = "body { display: none }";
          document.body.append(style);
        }"""
    )

    assert "defaced" not in page.title()
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    assert any("script-src" in trouble for trouble in watch.troubles)
    assert any("style-src" in trouble for trouble in watch.troubles)
