"""The pay page and the control panel, as a person without JavaScript meets them."""

import re

import pytest
import requests

from .conftest import Driver, Listener

PAGES = ["created", "partial", "paid", "expired", "panel", "missing"]


def page(sandbox: Driver, name: str) -> requests.Response:
    number = sandbox.new()
    actions = {"partial": "short", "paid": "pay", "expired": "expire"}
    if name in actions:
        sandbox.act(number, actions[name])
    path = {"panel": "", "missing": "NOSUCH00"}.get(name, number)
    return requests.get(f"{sandbox.url}/{path}", timeout=60)


def test_the_page_says_what_to_pay_for_which_order_and_until_when(sandbox: Driver) -> None:
    text = page(sandbox, "created").text

    assert "Sandbox: no real money" in text
    assert "USD&nbsp;10.00" in text
    assert "10.00 <abbr" in text
    assert "A-1" in text
    assert "about 24 hours left" in text


def test_another_coin_has_another_amount(sandbox: Driver) -> None:
    text = requests.get(f"{sandbox.url}/{sandbox.new()}?coin=LTC", timeout=60).text

    assert "0.12500000" in text
    assert 'name="coin" value="LTC"' in text


def test_each_host_shows_the_same_invoice_under_its_own_brand(sandbox: Driver) -> None:
    number = sandbox.new()

    new, old = (
        requests.get(f"{origin}/{number}", timeout=60).text
        for origin in (sandbox.trybit, sandbox.url)
    )

    assert "– Trybit (formerly CryptoCloud) sandbox</title>" in new
    assert "– CryptoCloud sandbox</title>" in old
    assert "Trybit" not in old
    assert f"INV-{number}" in new
    assert f"INV-{number}" in old


@pytest.mark.parametrize("language", ["en", "de", "xx", ""])
def test_a_language_may_be_asked_for(sandbox: Driver, language: str) -> None:
    reply = sandbox.opens(sandbox.new(), params={"lang": language})

    assert reply.status_code == 200
    assert "Pay exactly" in reply.text


def test_the_page_offers_the_coins_that_the_merchant_allows(sandbox: Driver) -> None:
    wishes = {"available_currencies": ["TRX", "SOL"]}
    number = sandbox.new_v2(add_fields=wishes)["uuid"].removeprefix("INV-")

    text = sandbox.opens(number).text

    assert re.findall(r'href="\?coin=(\w+)"', text) == ["TRX", "SOL"]
    assert "40.00 <abbr" in text


def test_a_payment_can_wait_for_the_chain_and_be_confirmed(sandbox: Driver, shop: Listener) -> None:
    number = sandbox.new()

    sandbox.press(number, "seen")
    text = sandbox.opens(number).text
    assert "Paid in full, not confirmed yet" in text
    assert "Unconfirmed" in text
    assert "Pay the rest" not in text
    assert shop.hears_nothing()

    sandbox.press(number, "confirm")
    assert "Paid, thank you" in sandbox.opens(number).text
    assert shop.next().fields["invoice_id"] == number


def test_while_payments_are_held_who_pays_is_not_sent_back(sandbox: Driver) -> None:
    number = sandbox.new()
    sandbox.switch(hold=True)

    reply = sandbox.press(number, "pay")

    assert reply.headers["Location"] == f"/{number}"
    assert "Paid in full, not confirmed yet" in sandbox.opens(number).text


def test_who_pays_exactly_is_sent_back_to_the_shop_at_once(sandbox: Driver, shop: Listener) -> None:
    number = sandbox.new()

    reply = sandbox.press(number, "pay")

    assert reply.status_code == 303
    success = f"{shop.url}/payment/success?order_id=A-1&invoice_uuid=INV-{number}"
    assert reply.headers["Location"] == success
    assert shop.next().fields["currency"] == "LTC"


@pytest.mark.parametrize(
    ("action", "postback"),
    [("short", "normal"), ("over", "normal"), ("late", "normal"), ("pay", "lose")],
)
def test_every_other_ending_shows_the_result_first(
    sandbox: Driver, action: str, postback: str
) -> None:
    number = sandbox.new()

    reply = sandbox.press(number, action, postback)

    assert reply.status_code == 303
    assert reply.headers["Location"] == f"/{number}"


def test_a_paid_page_leads_back_to_success(sandbox: Driver, shop: Listener) -> None:
    text = page(sandbox, "paid").text

    assert "Paid, thank you" in text
    assert f'href="{shop.url}/payment/success?order_id=A-1&amp;invoice_uuid=INV-' in text
    assert "Back to the shop" in text


def test_an_expired_page_leads_back_to_failure(sandbox: Driver, shop: Listener) -> None:
    text = page(sandbox, "expired").text

    assert "Payment time is over" in text
    assert f'href="{shop.url}/payment/fail?order_id=A-1&amp;invoice_uuid=INV-' in text


def test_a_partial_page_offers_to_pay_the_rest(sandbox: Driver) -> None:
    number = sandbox.new()
    sandbox.press(number, "short")
    text = requests.get(f"{sandbox.url}/{number}", timeout=60).text

    assert "Still missing" in text
    assert "Pay the rest" in text

    sandbox.press(number, "rest")
    assert sandbox.status(number) == "paid"


def test_a_button_pressed_too_late_says_why_nothing_happened(sandbox: Driver) -> None:
    number = sandbox.new()
    sandbox.act(number, "pay")

    reply = sandbox.press(number, "expire")

    assert reply.status_code == 409
    assert "Nothing was done." in reply.text


def test_a_button_that_does_not_exist_is_a_bad_request(sandbox: Driver) -> None:
    assert sandbox.press(sandbox.new(), "steal").status_code == 400


@pytest.mark.parametrize("name", PAGES)
def test_pages_allow_only_the_shop_as_target_and_no_foreign_content(
    sandbox: Driver, shop: Listener, name: str
) -> None:
    policy = page(sandbox, name).headers["Content-Security-Policy"]

    assert "default-src 'none'" in policy
    assert f"form-action 'self' {shop.url};" in policy
    assert "unsafe" not in policy


@pytest.mark.parametrize("name", PAGES)
def test_pages_hold_no_inline_style_or_script(sandbox: Driver, name: str) -> None:
    text = page(sandbox, name).text

    assert not re.search(r"<script|<style|\sstyle=|\son\w+=", text)


def test_what_the_merchant_sends_is_shown_as_text(sandbox: Driver) -> None:
    sandbox.create(json=sandbox.wishes | {"order_id": "<script>", "email": "<b>"})

    text = requests.get(sandbox.url, timeout=60).text

    assert "&lt;script&gt;" in text
    assert "<b>" not in text


def test_the_panel_lists_invoices_and_the_answers_to_postbacks(
    sandbox: Driver, shop: Listener
) -> None:
    shop.answer = 418
    number = sandbox.new()
    sandbox.act(number, "pay")

    text = requests.get(sandbox.url, timeout=60).text

    assert text.count(f'href="/{number}"') == 2
    assert "418" in text


def test_a_switch_the_panel_cannot_turn_is_explained(sandbox: Driver) -> None:
    form = {"api": "up", "seconds": "soon", "postback_format": "form"}

    reply = requests.post(f"{sandbox.url}/panel/switch", data=form, timeout=60)

    assert reply.status_code == 400
    assert "seconds must be a number" in reply.text


def test_the_panel_forgets_everything(sandbox: Driver) -> None:
    sandbox.new()

    requests.post(f"{sandbox.url}/panel/reset", timeout=60)

    assert sandbox.sandbox.invoices() == []
