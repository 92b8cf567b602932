"""The API v1 as the provider documents it, over real HTTP."""

import re
from typing import Any

import pytest
import requests

from .conftest import Driver


def test_a_created_invoice_has_a_bare_id_that_ends_its_pay_url(sandbox: Driver) -> None:
    reply = sandbox.create()

    assert reply.status_code == 200
    number = reply.json()["invoice_id"]
    assert re.fullmatch(r"[A-Z0-9]{8}", number)
    assert reply.json() == {
        "status": "success",
        "pay_url": f"{sandbox.trybit}/{number}",
        "currency": "USDT_TRC20",
        "invoice_id": number,
    }


def test_the_reply_names_a_coin_and_not_the_currency_asked_for(sandbox: Driver) -> None:
    reply = sandbox.create(json=sandbox.wishes | {"currency": "EUR"})

    assert reply.json()["currency"] == "USDT_TRC20"


@pytest.mark.parametrize("encoding", ["json", "data", "files"])
def test_create_accepts_json_and_both_kinds_of_form(sandbox: Driver, encoding: str) -> None:
    body: Any = sandbox.wishes
    if encoding == "files":
        body = {name: (None, value) for name, value in body.items()}

    reply = sandbox.create(**{encoding: body})

    assert reply.status_code == 200
    shown = sandbox.show(reply.json()["invoice_id"])
    assert (shown["amount"], shown["currency"], shown["order_id"]) == ("10.00", "USD", "A-1")


@pytest.mark.parametrize("amount", ["10.1", 10.1, "10.10"])
def test_an_amount_may_be_a_number_or_text(sandbox: Driver, amount: object) -> None:
    reply = sandbox.create(json=sandbox.wishes | {"amount": amount})

    assert sandbox.show(reply.json()["invoice_id"])["amount"] == "10.10"


def test_an_amount_without_currency_is_in_us_dollars(sandbox: Driver) -> None:
    wishes = sandbox.wishes
    del wishes["currency"]

    reply = sandbox.create(json=wishes)

    assert sandbox.show(reply.json()["invoice_id"])["currency"] == "USD"


@pytest.mark.parametrize("currency", ["USD", "RUB", "EUR", "GBP", "UAH"])
def test_the_five_currencies_are_supported(sandbox: Driver, currency: str) -> None:
    assert sandbox.create(json=sandbox.wishes | {"currency": currency}).status_code == 200


def test_the_same_order_id_gives_another_invoice_each_time(sandbox: Driver) -> None:
    assert sandbox.new() != sandbox.new()


def test_the_extra_fields_of_older_replies_can_be_switched_on(sandbox: Driver) -> None:
    sandbox.switch(extras=True)

    reply = sandbox.create().json()

    assert reply["amount_usd"] == 10.0
    assert reply["amount"] == 10.0


@pytest.mark.parametrize("key", ["Token wrong", "Bearer x", "", "Token é"])
def test_a_wrong_key_is_unauthenticated(sandbox: Driver, key: str) -> None:
    headers = {"Authorization": key.encode()}

    reply = sandbox.create(json=sandbox.wishes, headers=headers)

    assert reply.status_code == 401
    assert reply.json() == {"message": "Unauthenticated."}


def test_the_key_is_asked_for_before_anything_is_told(sandbox: Driver) -> None:
    number = sandbox.new()

    reply = requests.get(f"{sandbox.url}/v1/invoice/info?uuid={number}", timeout=60)

    assert reply.status_code == 401


@pytest.mark.parametrize("field", ["shop_id", "amount"])
@pytest.mark.parametrize("gone", ["absent", "empty"])
def test_a_missing_field_is_named(sandbox: Driver, field: str, gone: str) -> None:
    wishes = sandbox.wishes | {field: ""}
    if gone == "absent":
        del wishes[field]

    reply = sandbox.create(json=wishes)

    assert reply.status_code == 400
    assert reply.json() == {"status": "error", "error": f"{field} is required"}


@pytest.mark.parametrize(
    "wrong",
    [
        {"currency": "CHF"},
        {"currency": "usd"},
        {"currency": "JPY"},
        {"shop_id": "SOMEBODYELSE0001"},
        {"amount": "ten"},
        {"amount": "0"},
        {"amount": "-1"},
        {"amount": "NaN"},
        {"amount": "1e400"},
        {"amount": "10,00"},
        {"amount": "10.001"},
        {"amount": True},
        {"order_id": ["A-1"]},
    ],
)
def test_what_cannot_be_invoiced_is_refused(sandbox: Driver, wrong: dict[str, object]) -> None:
    reply = sandbox.create(json=sandbox.wishes | wrong)

    assert reply.status_code == 400
    assert reply.json()["status"] == "error"
    assert reply.json()["error"]


@pytest.mark.parametrize(("amount", "currency"), [("0.09", "USD"), ("9.00", "RUB")])
def test_less_than_a_tenth_of_a_dollar_is_too_little(
    sandbox: Driver, amount: str, currency: str
) -> None:
    wishes = sandbox.wishes | {"amount": amount, "currency": currency}

    reply = sandbox.create(json=wishes)

    assert reply.status_code == 400
    assert reply.json() == {"status": "error", "error": "Minimum amount is 0.1 USD"}


@pytest.mark.parametrize("body", [b"{", b"[]", b'"text"', b"null", b"\xff"])
def test_a_body_that_is_no_json_object_is_refused(sandbox: Driver, body: bytes) -> None:
    headers = sandbox.headers | {"Content-Type": "application/json"}

    assert sandbox.create(data=body, headers=headers).status_code == 400


@pytest.mark.parametrize("prefix", ["INV-", "", "inv-"])
def test_info_tells_the_status_and_nothing_else(sandbox: Driver, prefix: str) -> None:
    number = sandbox.new()

    reply = sandbox.info(prefix + number)

    assert reply.status_code == 200
    assert reply.json() == {"status": "success", "status_invoice": "created"}


@pytest.mark.parametrize("number", ["", "INV-", "INV-NOSUCH00"])
def test_info_about_nothing_is_an_error(sandbox: Driver, number: str) -> None:
    reply = sandbox.info(number)

    assert reply.status_code == 400
    assert reply.json()["status"] == "error"
