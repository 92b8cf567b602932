"""Every kind of page: no complaint, no stranger asked, fits a small phone, accessible in both schemes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from axe_playwright_python.sync_playwright import Axe
from flask import Flask
from playwright.sync_api import Page
from sqlalchemy import update

from shop.catalogue.models import Price
from shop.db import transaction, utcnow
from shop.limits.service import TooManyOrders
from tests.journeys.browser.kinds import KINDS, World
from tests.journeys.browser.watch import Watch, origin
from tests.journeys.till import Till

pytestmark = pytest.mark.browser

PHONE = 320
ALL_IT_TELLS = {"resultTypes": ["violations"], "preload": False}
"""That is used here: what axe tells of passed rules, and loads for other ones, takes a third of its time."""
RULES: dict[str, object] = {
    "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
} | ALL_IT_TELLS


@pytest.fixture
def world(
    app: Flask, stocked: str, till: Till, page: Page, monkeypatch: pytest.MonkeyPatch
) -> World:
    return World(app, stocked, till, page, monkeypatch)


CONTRAST: dict[str, object] = {"runOnly": ["color-contrast"]} | ALL_IT_TELLS
"""The one rule of these whose outcome depends on the colour scheme."""


def problems_on(page: Page, rules: dict[str, object] = RULES) -> list[str]:
    """What axe finds, in the colour scheme that is on."""
    found = Axe().run(page, options=rules).response["violations"]
    return [f"{each['id']}: {node['html'][:120]}" for each in found for node in each["nodes"]]


RESTYLE = "(css) => { const s = new CSSStyleSheet(); s.replaceSync(css); document.adoptedStyleSheets = [s]; }"
LOOSE = """
* { line-height: 1.5 !important; letter-spacing: 0.12em !important; word-spacing: 0.16em !important }
p { margin-block-end: 2em !important }
"""
"""Text spaced as WCAG 1.4.12 says a reader may space it."""
TWICE_AS_LARGE = ":root { font-size: 200% }"
DESKTOP = 1280
PUSHED_DOWN = """() => [...document.querySelectorAll(".stack")].flatMap((stack) => {
  const first = [...stack.children].find((each) => each.checkVisibility() && !each.matches(".visually-hidden"));
  if (!first) return [];
  const { borderTopWidth, paddingTop } = getComputedStyle(stack);
  const top = stack.getBoundingClientRect().top + parseFloat(borderTopWidth) + parseFloat(paddingTop);
  return first.getBoundingClientRect().top > top + 1 ? [first.outerHTML.slice(0, 120)] : [];
})"""
"""What stands below the top of its box although nothing is shown above it, such as below a hidden field."""


@pytest.mark.parametrize(
    "group",
    # The provider's are the sandbox's own, and no buyer sees them.
    [*(g for g in KINDS if g != "provider"), pytest.param("provider", marks=pytest.mark.long)],
)
def test_every_page(world: World, watch: Watch, group: str, subtests: pytest.Subtests) -> None:
    page = world.page
    for name, way in KINDS[group].items():
        with subtests.test(name):
            page.set_viewport_size({"width": PHONE, "height": 640})
            address = way(world)
            watch.troubles.clear()
            watch.origins.clear()
            # Without motion, because a colour on its way from light to dark is neither.
            page.emulate_media(color_scheme="light", reduced_motion="reduce")
            page.goto(address)
            world.monkeypatch.undo()

            assert page.evaluate("document.documentElement.scrollWidth") <= PHONE
            assert page.evaluate(PUSHED_DOWN) == []
            assert problems_on(page) == []
            page.emulate_media(color_scheme="dark")
            assert problems_on(page, CONTRAST) == []
            assert watch.troubles == []
            assert watch.origins == {origin(address)}
            page.evaluate(RESTYLE, LOOSE)
            assert page.evaluate("document.documentElement.scrollWidth") <= PHONE
            page.set_viewport_size({"width": DESKTOP, "height": 800})
            page.evaluate(RESTYLE, TWICE_AS_LARGE)
            assert page.evaluate("document.documentElement.scrollWidth") <= DESKTOP


def mistyped(world: World) -> None:
    world.page.get_by_label("Email address").fill("buyer@" + "x" * 60)


def cart_has_changed(world: World) -> None:
    world.page.get_by_label("Email address").fill("buyer@example.com")
    with world.app.app_context(), transaction() as session:
        session.execute(update(Price).values(minor=999))


def ordered_too_often(world: World) -> None:
    def refuse(*_: object) -> None:
        raise TooManyOrders("buyer", utcnow() + timedelta(hours=1))

    world.page.get_by_label("Email address").fill("buyer@example.com")
    world.monkeypatch.setattr("shop.checkout.views.place_order", refuse)


@pytest.mark.parametrize(("happens", "status"), [
    (mistyped, 422), (cart_has_changed, 409), (ordered_too_often, 429),
])  # fmt: skip
def test_the_form_when_it_was_not_taken(
    world: World, watch: Watch, happens: Callable[[World], None], status: int
) -> None:
    page = world.page
    page.set_viewport_size({"width": PHONE, "height": 640})
    page.emulate_media(color_scheme="light", reduced_motion="reduce")
    page.goto(KINDS["buying"]["checkout"](world))
    happens(world)
    with page.expect_response("**/checkout") as answer:
        page.get_by_role("button", name="Continue to payment").click()
    page.get_by_role("alert").wait_for()

    assert answer.value.status == status
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE
    assert page.evaluate(PUSHED_DOWN) == []
    assert problems_on(page) == []
    page.emulate_media(color_scheme="dark")
    assert problems_on(page, CONTRAST) == []
    assert watch.troubles == []


@pytest.mark.parametrize(
    "code", ["en", "ru", pytest.param("uk", marks=pytest.mark.long)]
)  # Russian has the longest words
def test_the_form_whose_way_to_the_pay_page_was_stopped(world: World, code: str) -> None:
    """Here and no kind of page: what is shown is gone when its address is opened again."""
    page = world.page
    page.set_viewport_size({"width": PHONE, "height": 640})
    page.emulate_media(color_scheme="light", reduced_motion="reduce")
    address = KINDS["buying"]["checkout"](world)
    page.goto(address if code == "en" else address.replace(world.shop, f"{world.shop}/{code}"))
    page.locator("input[type=email]").fill("buyer@example.com")
    world.till.is_switched("up", link="redirect_away")
    page.locator("main form .button--wide").click()
    page.get_by_role("alert").wait_for()

    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE
    assert problems_on(page) == []
    page.emulate_media(color_scheme="dark")
    assert problems_on(page, CONTRAST) == []
    page.evaluate(RESTYLE, LOOSE)
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE


def test_the_checks_above_find_what_they_look_for(world: World, watch: Watch) -> None:
    """The control: a page spoilt on purpose."""
    page = world.page
    page.set_viewport_size({"width": PHONE, "height": 640})
    page.goto(world.shop)

    page.evaluate(
        """() => {
          const main = document.querySelector("main");
          main.style.inlineSize = "400px";
          main.insertAdjacentHTML("beforeend",
            "<p style='color: #aaa; background: #fff'>pale</p><img src='//example.invalid/x.png'>");
        }"""
    )

    assert page.evaluate("document.documentElement.scrollWidth") > PHONE
    found = " ".join(problems_on(page))
    assert "image-alt" in found
    assert any("img-src" in trouble for trouble in watch.troubles)
