"""Postbacks arrive at the shop as the provider would send them, or as an attacker would."""

import json
import time
from threading import Event
from typing import Any

import jwt
import pytest
import requests

from tests.support.live_sandbox import running_sandbox

from .conftest import Driver, Listener, names

IN_A_POSTBACK = names(
    "uuid created address currency date_finished expiry_date side_commission type_payments amount"
    " amount_usd amount_in_fiat amount_in_crypto amount_to_pay amount_to_pay_usd amount_paid"
    " amount_paid_usd fee fee_usd service_fee service_fee_usd received received_usd to_surcharge"
    " to_surcharge_usd total_rub step status invoice_status is_email_required project tx_list"
    " test_mode type aml_enabled aml_side aml_checks links_invoice"
)


def test_a_paid_invoice_is_announced_as_a_form_signed_with_the_project_secret(
    sandbox: Driver, shop: Listener
) -> None:
    number = sandbox.new()

    sandbox.act(number, "pay", coin="USDT_TRC20")

    heard = shop.next()
    assert heard.path == "/postback"
    assert heard.content_type == "application/x-www-form-urlencoded"
    token = heard.fields.pop("token")
    assert json.loads(heard.fields.pop("invoice_info"))["uuid"] == f"INV-{number}"
    assert heard.fields == {
        "status": "success",
        "invoice_id": number,
        "amount_crypto": "10.00",
        "currency": "USDT_TRC20",
        "order_id": "A-1",
    }
    assert jwt.get_unverified_header(token)["alg"] == "HS256"


def test_the_token_claims_the_bare_id_and_lives_five_minutes(
    sandbox: Driver, shop: Listener
) -> None:
    number = sandbox.new()

    sandbox.act(number, "pay")

    claims = shop.next().claims(sandbox.sandbox.settings.secret_key)
    assert set(claims) == {"id", "exp"}
    assert claims["id"] == number
    assert type(claims["exp"]) is int
    assert 290 <= claims["exp"] - time.time() <= 300


@pytest.mark.parametrize(
    ("token_id", "claims"),
    [
        ("invoice", {"id": "{}"}),
        ("prefixed", {"id": "INV-{}"}),
        ("number", {"id": 13}),
        ("uuid", {"uuid": "{}"}),
    ],
)
def test_the_token_can_name_the_invoice_otherwise_or_not_at_all(
    sandbox: Driver, shop: Listener, token_id: str, claims: dict[str, Any]
) -> None:
    sandbox.switch(token_id=token_id)
    number = sandbox.new()

    sandbox.act(number, "pay")

    told = shop.next().claims(sandbox.sandbox.settings.secret_key)
    del told["exp"]
    assert told == {
        name: each.format(number) if isinstance(each, str) else each
        for name, each in claims.items()
    }


def test_postbacks_can_be_json_with_the_amount_as_a_number(sandbox: Driver, shop: Listener) -> None:
    sandbox.switch(postback_format="json")

    sandbox.act(sandbox.new(), "pay", coin="LTC")

    heard = shop.next()
    assert heard.content_type == "application/json"
    assert heard.fields["amount_crypto"] == 0.125


def test_an_invoice_without_order_id_is_announced_without_one(
    sandbox: Driver, shop: Listener
) -> None:
    wishes = sandbox.wishes
    del wishes["order_id"]
    number = sandbox.create(json=wishes).json()["invoice_id"]

    sandbox.act(number, "pay")

    assert "order_id" not in shop.next().fields


def test_an_order_id_that_was_not_sent_can_be_called_none(sandbox: Driver, shop: Listener) -> None:
    sandbox.switch(nulls=True)
    number = sandbox.new_v2(order_id="")["uuid"]

    sandbox.act(number, "pay")

    assert shop.next().fields["order_id"] == "None"


@pytest.mark.parametrize("version", ["v1", "v2"])
@pytest.mark.parametrize("encoding", ["json", "form"])
def test_a_postback_about_an_invoice_of_either_version_tells_all_about_it(
    sandbox: Driver, shop: Listener, version: str, encoding: str
) -> None:
    sandbox.switch(postback_format=encoding)
    number = sandbox.new() if version == "v1" else sandbox.new_v2()["uuid"].removeprefix("INV-")

    sandbox.act(number, "pay")

    fields = shop.next().fields
    told = fields["invoice_info"]
    facts = told if encoding == "json" else json.loads(told)
    assert fields["invoice_id"] == number
    assert facts["uuid"] == f"INV-{number}"
    assert (facts["status"], facts["invoice_status"]) == ("paid", "success")
    assert set(facts) == IN_A_POSTBACK


@pytest.mark.parametrize("action", ["short", "expire"])
@pytest.mark.parametrize("postback", ["normal", "lose", "twice", "delay"])
def test_short_money_and_expiry_are_not_announced(
    sandbox: Driver, shop: Listener, action: str, postback: str
) -> None:
    shown = sandbox.act(sandbox.new(), action, postback=postback).json()

    assert shown["postbacks"] == []
    assert shown["postbacks_due"] == 0
    assert shop.hears_nothing()


def test_a_lost_postback_is_paid_and_never_sent(sandbox: Driver, shop: Listener) -> None:
    number = sandbox.new()

    shown = sandbox.act(number, "pay", postback="lose").json()

    assert sandbox.status(number) == "paid"
    assert [sent["problem"] for sent in shown["postbacks"]] == ["lost on purpose"]
    assert shop.hears_nothing()


def test_a_postback_sent_twice_has_two_good_tokens(sandbox: Driver, shop: Listener) -> None:
    sandbox.act(sandbox.new(), "pay", postback="twice")

    first, second = shop.next(), shop.next()
    key = sandbox.sandbox.settings.secret_key
    assert first.claims(key)["id"] == second.claims(key)["id"]
    assert shop.hears_nothing()


def test_a_delayed_postback_comes_later_while_the_invoice_is_paid_at_once(
    sandbox: Driver, shop: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    delays: list[float] = []
    over = Event()  # and no number of seconds: a busy machine might look too late

    def pause(seconds: float) -> bool:
        delays.append(seconds)
        return over.wait(60)

    monkeypatch.setattr(sandbox.sandbox, "pause", pause)
    number = sandbox.new()

    shown = sandbox.act(number, "pay", postback="delay", wait=False).json()

    assert (shown["status"], shown["postbacks_due"]) == ("paid", 1)
    assert shop.hears_nothing(0.2)
    over.set()
    assert shop.next().fields["invoice_id"] == number
    assert delays == [sandbox.sandbox.settings.postback_delay]


def test_a_reset_drops_a_delayed_postback(
    sandbox: Driver, shop: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The delay is an hour, so that only the reset can end it; what comes of it would come at once."""
    sandbox.sandbox.configure(postback_delay=3600)
    begun, ended, pause = Event(), Event(), sandbox.sandbox.pause

    def noted(seconds: float) -> bool:
        begun.set()
        passed = pause(seconds)
        ended.set()
        return passed

    monkeypatch.setattr(sandbox.sandbox, "pause", noted)
    sandbox.act(sandbox.new(), "pay", postback="delay", wait=False)
    assert begun.wait(30)

    sandbox.sandbox.reset()

    assert ended.wait(30)
    assert shop.hears_nothing()


@pytest.mark.parametrize(("action", "status"), [("pay", "paid"), ("nothing", "created")])
def test_a_forged_postback_is_signed_with_a_wrong_key(
    sandbox: Driver, shop: Listener, action: str, status: str
) -> None:
    number = sandbox.new()

    sandbox.act(number, action, postback="forge")

    heard = shop.next()
    assert heard.fields["status"] == "success"
    assert sandbox.status(number) == status
    with pytest.raises(jwt.InvalidSignatureError):
        heard.claims(sandbox.sandbox.settings.secret_key)


def test_a_genuine_postback_can_come_although_nothing_was_paid(
    sandbox: Driver, shop: Listener
) -> None:
    number = sandbox.new()

    sandbox.act(number, "nothing")

    assert shop.next().claims(sandbox.sandbox.settings.secret_key)["id"] == number
    assert sandbox.status(number) == "created"


def test_the_answer_of_the_shop_is_written_down_without_the_token(
    sandbox: Driver, shop: Listener
) -> None:
    shop.answer = 503

    shown = sandbox.act(sandbox.new(), "pay").json()

    assert len(shown["postbacks"]) == 1
    sent = shown["postbacks"][0]
    assert (sent["answer"], sent["body"]) == (503, '{"message":"Postback received"}')
    assert "token" not in sent["fields"]
    assert shown["postbacks_due"] == 0


def test_a_shop_that_is_not_there_is_written_down_too() -> None:
    with running_sandbox(notification_url="http://127.0.0.1:9/postback") as running:
        driver = Driver(running)

        shown = driver.act(driver.new(), "pay").json()

    assert shown["postbacks"][0]["answer"] is None
    assert shown["postbacks"][0]["problem"] == "ConnectionError"


def test_without_waiting_the_postback_goes_out_in_the_background(
    sandbox: Driver, shop: Listener
) -> None:
    number = sandbox.new()

    url = f"{sandbox.url}/_sandbox/invoices/{number}/pay"
    assert requests.post(url, timeout=60).status_code == 200

    assert shop.next().fields["invoice_id"] == number


def test_two_sandboxes_know_nothing_of_each_other(sandbox: Driver) -> None:
    number = sandbox.new()

    with running_sandbox() as other:
        assert Driver(other).info(number).status_code == 400
