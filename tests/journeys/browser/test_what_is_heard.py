"""The pages as a screen reader tells them, and as they look when the reader chooses the colours."""

from __future__ import annotations

import pytest
from flask import Flask
from playwright.sync_api import Page, expect

from tests.journeys.browser.kinds import KINDS, World
from tests.journeys.browser.test_every_page import RESTYLE
from tests.journeys.browser.watch import Watch
from tests.journeys.till import Till

pytestmark = pytest.mark.browser

CHECKOUT = """
- list "Steps of your purchase":
  - listitem: Cart
  - listitem: Your details
  - listitem: Payment
- heading "Checkout" [level=1]
- text: Email address
- textbox "Email address"
- group "Bill me in"
- 'button /Continue to payment: USD .*/'
- region "Your order":
  - heading "Your order" [level=2]
"""

ORDER = """
- heading "Waiting for your payment" [level=1]
- link /Pay USD .* now/
- button "Check payment again"
- list "What happens next":
  - listitem: Choose a coin and a network on the payment page.
- region "What has happened so far":
  - list:
    - listitem:
      - text: Order placed
    - listitem:
      - text: Payment page ready
- status
- region /Order .*/:
  - table "What you ordered"
"""


@pytest.fixture
def world(
    app: Flask, stocked: str, till: Till, page: Page, watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> World:
    return World(app, stocked, till, page, monkeypatch)


@pytest.mark.parametrize(("name", "group", "said"), [
    ("checkout", "buying", CHECKOUT),
    ("order_waiting", "open order", ORDER),
])  # fmt: skip
def test_a_screen_reader_is_told_what_each_thing_is(
    world: World, name: str, group: str, said: str
) -> None:
    world.page.goto(KINDS[group][name](world))

    expect(world.page.locator("main")).to_match_aria_snapshot(said)


def test_a_field_is_read_out_with_its_hint_and_its_mistake(world: World) -> None:
    page = world.page
    page.goto(KINDS["buying"]["checkout"](world))
    field = page.get_by_label("Email address")
    expect(field).to_have_accessible_description(
        "Your receipt and your goods go here. Trybit, our payment provider, gets the address too."
    )

    field.fill("buyer@")
    page.get_by_role("button", name="Continue to payment").click()

    field = page.get_by_label("Email address")
    expect(field).to_have_accessible_description(
        "Your receipt and your goods go here. Trybit, our payment provider, gets the address too. "
        "Error: Enter an email address in the correct format, like name@example.com"
    )
    expect(field).to_have_attribute("aria-invalid", "true")


BORDERLESS = """() => [...document.querySelectorAll(".button:not(.button--plain), input:not([type=hidden])")]
  .filter((each) => each.checkVisibility() && each.type !== "radio")
  .filter((each) => parseFloat(getComputedStyle(each).borderTopWidth) < 1)
  .map((each) => each.outerHTML)"""
PLAIN_STATES = """() => [...document.querySelectorAll("[aria-current]")]
  .filter((each) => each.checkVisibility())
  .filter((each) => {
    const [style, other] = [each, each.parentElement.querySelector(":scope > :not([aria-current])")]
      .map((element) => element && getComputedStyle(element));
    return other && ["color", "backgroundColor", "fontWeight", "textDecorationLine"]
      .every((name) => style[name] === other[name]);
  })
  .map((each) => each.outerHTML)"""


@pytest.mark.parametrize(("group", "name"), [
    ("public", "index"), ("public", "product_with_pictures"), ("buying", "cart"),
    ("buying", "checkout"), ("open order", "order_waiting"), ("closed order", "order_delivered"),
])  # fmt: skip
def test_buttons_fields_and_choices_are_seen_in_the_readers_own_colours(
    world: World, group: str, name: str
) -> None:
    world.page.emulate_media(forced_colors="active")
    world.page.goto(KINDS[group][name](world))

    assert world.page.evaluate("matchMedia('(forced-colors: active)').matches")
    assert world.page.evaluate(BORDERLESS) == []
    assert world.page.evaluate(PLAIN_STATES) == []


def test_the_checks_above_find_what_cannot_be_seen(world: World) -> None:
    """The control: buttons without a border, and a choice that looks like the others."""
    world.page.emulate_media(forced_colors="active")
    world.page.goto(KINDS["public"]["product_with_pictures"](world))
    assert (world.page.evaluate(BORDERLESS), world.page.evaluate(PLAIN_STATES)) == ([], [])

    world.page.evaluate(RESTYLE, ".button { border: 0 !important } nav a { all: unset !important }")

    assert world.page.evaluate(BORDERLESS) != []
    assert world.page.evaluate(PLAIN_STATES) != []
