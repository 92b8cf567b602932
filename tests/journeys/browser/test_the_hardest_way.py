"""A phone with text twice as large, no cookies, no JavaScript, and a buyer who goes back three times."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from flask import Flask
from playwright.sync_api import Browser, Page, Route, expect

from shop.orders.links import order_path
from tests.journeys.books import Books
from tests.journeys.browser.test_every_page import RESTYLE, TWICE_AS_LARGE
from tests.journeys.browser.test_on_a_phone import BROKEN_WORDS, PHONE
from tests.support.browsing import PATIENCE

pytestmark = pytest.mark.browser


def without_cookies(route: Route) -> None:
    """Pass everything on but cookies, as the browser inside a messenger does."""
    route.request.frame.page.context.clear_cookies()
    answer = route.fetch(max_redirects=0)
    route.request.frame.page.context.clear_cookies()
    headers = {name: value for name, value in answer.headers.items() if name != "set-cookie"}
    route.fulfill(response=answer, headers=headers)


@pytest.fixture
def phone(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport=PHONE, java_script_enabled=False)  # type: ignore[arg-type]
    context.set_default_timeout(PATIENCE)
    context.route("**/*", without_cookies)
    yield context.new_page()
    context.close()


def fits(page: Page) -> None:
    """Nothing is off the screen, and no word is broken."""
    page.wait_for_load_state()
    page.evaluate(RESTYLE, TWICE_AS_LARGE)
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"], page.url
    assert page.evaluate(BROKEN_WORDS) == [], page.url


def test_a_buyer_who_has_it_hard_buys_once_and_in_the_chosen_currency(
    app: Flask, phone: Page, stocked: str, books: Books
) -> None:
    phone.goto(f"{stocked}/products/rain")
    phone.get_by_role("link", name="RUB").click()
    fits(phone)
    phone.get_by_role("button", name="Add to cart").click()
    fits(phone)
    phone.get_by_role("button", name="Go to checkout").click()
    for _ in range(3):
        fits(phone)
        phone.get_by_label("Email address").fill("hard@example.com")
        phone.get_by_role("button", name="Continue to payment").click()
        expect(phone.get_by_role("button", name="Pay exactly")).to_be_visible()
        phone.go_back()
    phone.go_forward()
    phone.get_by_role("button", name="Pay exactly").click()

    title = phone.get_by_role("heading", level=1)
    expect(title).to_have_text("You are back from the payment page")
    fits(phone)
    (paid,) = [order for order in books.orders() if order.paid_at]
    with app.app_context():
        link = order_path(paid)  # which was mailed
    phone.goto(f"{stocked}{link}")
    expect(title).to_have_text("Paid, thank you")
    fits(phone)
    # Without a cookie each form is a new one: what was not paid for just expires.
    orders = books.orders()
    assert {(order.currency, order.email) for order in orders} == {("RUB", "hard@example.com")}
    assert sorted(order.status.value for order in orders) == ["fulfilled", "pending", "pending"]
