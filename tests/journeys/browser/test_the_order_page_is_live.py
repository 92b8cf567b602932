"""The order page shows a payment as soon as the shop knows of it, without being touched."""

from __future__ import annotations

import dataclasses
import threading
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from flask import Flask
from playwright.sync_api import Browser, Page, expect

from shop.db import db
from shop.payments.models import Payment
from shop.sandbox.state import Sandbox
from tests.buyer import Buyer
from tests.factories import send_due_mails
from tests.journeys.browser.watch import Watch
from tests.journeys.till import Till

pytestmark = pytest.mark.browser

LONGER_THAN_A_PAUSE = 4_500


@pytest.fixture
def pay_url(stocked: str, buyer: Buyer) -> str:
    return buyer.buys("keyed")


@pytest.fixture
def waiting(page: Page, watch: Watch, stocked: str, buyer: Buyer, pay_url: str) -> Page:
    """The order page of an open payment; its time passes when a test says so."""
    page.clock.install()
    buyer.looks_at_order()
    page.goto(f"{stocked}{buyer.page.request.path}")
    expect(page.get_by_role("heading", level=1)).to_have_text("Waiting for your payment")
    return page


def test_the_page_turns_into_the_goods_when_the_postback_arrives(
    waiting: Page, watch: Watch, till: Till, pay_url: str
) -> None:
    till.does("pay", pay_url)

    waiting.clock.fast_forward(LONGER_THAN_A_PAUSE)

    expect(waiting.get_by_role("heading", level=1)).to_have_text("Paid, thank you")
    expect(waiting.locator("code")).to_contain_text("TIDE-")
    expect(waiting.locator("[role=status][data-announce]")).to_have_text("Paid, thank you")
    assert waiting.title().startswith("Paid, thank you")
    expect(waiting.get_by_role("term").filter(has_text="Paid")).to_have_count(1)
    expect(waiting.get_by_role("link", name="Change it")).to_have_count(0)
    assert watch.troubles == []


def test_the_page_finds_out_by_itself_when_the_postback_is_lost(
    waiting: Page, till: Till, pay_url: str
) -> None:
    till.does("pay", pay_url, postback="lose")

    waiting.clock.fast_forward(LONGER_THAN_A_PAUSE)

    expect(waiting.get_by_role("heading", level=1)).to_have_text("Paid, thank you")


@pytest.fixture
def browser_context_args(browser_context_args: dict[str, Any]) -> dict[str, Any]:
    """A reader far from UTC, so that their own time is never the server's."""
    return browser_context_args | {"timezone_id": "Asia/Kolkata"}


def test_times_are_told_in_the_zone_of_whoever_reads(app: Flask, waiting: Page) -> None:
    with app.app_context():
        deadline = db.session.query(Payment).one().expires_at
        assert deadline is not None
        theirs = deadline.astimezone(ZoneInfo("Asia/Kolkata"))

    line = waiting.locator(".order-status__deadline")
    expect(line).to_contain_text(f"{theirs.day} {theirs:%B %Y} at {theirs:%H:%M} GMT+5:30")
    expect(line).to_contain_text("left)")
    expect(waiting.locator("#status")).not_to_contain_text("UTC")


def test_the_time_of_the_mail_is_told_in_the_zone_of_whoever_reads_and_the_receipts_in_utc(
    app: Flask, waiting: Page, till: Till, pay_url: str
) -> None:
    till.does("pay", pay_url)
    with app.app_context():
        send_due_mails()

    waiting.clock.fast_forward(LONGER_THAN_A_PAUSE)

    mail = waiting.get_by_role("region", name="Your mail")
    expect(mail).to_contain_text("GMT+5:30")
    waiting.reload()
    expect(mail).to_contain_text("GMT+5:30")
    expect(waiting.locator("[data-live=receipt] time")).to_contain_text([" UTC", " UTC"])


def test_times_are_told_in_utc_where_no_script_runs(browser: Browser, waiting: Page) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(waiting.url)

    expect(page.locator(".order-status__deadline")).to_contain_text(" UTC")
    expect(page.locator(".order-status__deadline")).to_contain_text("left)")
    context.close()


def test_the_page_is_left_alone_while_nothing_has_changed(waiting: Page) -> None:
    waiting.evaluate("document.querySelector('h1').dataset.mark = 'the same'")

    with waiting.expect_response("**/status*"):
        waiting.clock.fast_forward(LONGER_THAN_A_PAUSE)

    expect(waiting.get_by_role("heading", level=1)).to_have_attribute("data-mark", "the same")


def test_the_page_stops_asking_once_nothing_will_change(
    app: Flask, waiting: Page, till: Till, pay_url: str
) -> None:
    till.does("pay", pay_url)
    with app.app_context():
        send_due_mails()
    waiting.clock.fast_forward(LONGER_THAN_A_PAUSE)
    expect(waiting.get_by_role("heading", level=1)).to_have_text("Paid, thank you")
    asked: list[str] = []
    waiting.on("request", lambda request: asked.append(request.url))

    waiting.clock.fast_forward(20 * LONGER_THAN_A_PAUSE)
    waiting.evaluate("fetch('/healthz')")  # what was asked before this has been noticed by now

    assert [address for address in asked if "/status" in address] == []


def test_an_impatient_second_press_sends_nothing(
    waiting: Page, till: Till, sandbox: Sandbox, app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The first press waits until the second is over, and no number of seconds that a busy browser outlasts.
    is_over, gateway = threading.Event(), app.extensions["cryptocloud"]
    app.extensions["cryptocloud"] = dataclasses.replace(gateway, call_seconds=60)
    monkeypatch.setattr(sandbox, "pause", lambda _: is_over.wait(60))
    till.is_switched("slow")
    sent: list[str] = []
    waiting.on("request", lambda request: sent.append(request.method))

    # In the page, because Playwright itself would wait for the first press to lead somewhere.
    with waiting.expect_navigation():
        with waiting.expect_console_message() as said:
            waiting.evaluate(
                """() => {
              const button = document.querySelector("form[action$='/check'] button");
              button.form.requestSubmit(button);
              setTimeout(() => {
                const shown = [button.textContent.trim(), button.disabled];
                button.form.requestSubmit();
                console.info(...shown);
              }, 200);
            }"""
            )
        is_over.set()

    assert said.value.text == "Checking… true"
    assert sent.count("POST") == 1
