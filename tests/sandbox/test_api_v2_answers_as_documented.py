"""The API v2 as the provider documents it, over real HTTP."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from .conftest import Driver, Listener


def hours_to_pay(facts: dict[str, Any]) -> float:
    created, end = (datetime.fromisoformat(facts[name]) for name in ("created", "expiry_date"))
    return (end - created) / timedelta(hours=1)


def test_a_created_invoice_is_described_under_result(sandbox: Driver) -> None:
    facts = sandbox.new_v2(amount="12.50", currency="EUR")

    number = facts["uuid"].removeprefix("INV-")
    assert facts["link"] == f"{sandbox.url}/{number}"
    assert (facts["amount_in_fiat"], facts["fiat_currency"]) == (12.5, "EUR")
    assert (facts["amount_usd"], facts["amount"]) == (13.5, 0.000225)
    assert (facts["status"], facts["test_mode"]) == ("created", False)
    assert facts["invoice_id"] is None
    assert facts["currency"]["fullcode"] == "BTC"
    assert sandbox.show(number)["order_id"] == "A-1"


@pytest.mark.parametrize(
    ("add_fields", "hours"),
    [
        ({"time_to_pay": {"hours": 2, "minutes": 30}}, 2.5),
        ({"time_to_pay": {"hours": 1}}, 1),
        ({"time_to_pay": {"hours": "48", "minutes": "0"}}, 48),
        ({"timeToPay": {"hours": 2, "minutes": 30}}, 24),
        ({}, 24),
        (None, 24),
    ],
)
def test_the_time_to_pay_can_be_chosen_under_its_exact_name(
    sandbox: Driver, add_fields: object, hours: float
) -> None:
    assert hours_to_pay(sandbox.new_v2(add_fields=add_fields)) == hours


def test_the_deadline_is_the_one_that_was_chosen(sandbox: Driver) -> None:
    now = datetime.now(UTC)
    number = sandbox.new_v2(add_fields={"time_to_pay": {"hours": 2, "minutes": 0}})["uuid"]
    assert sandbox.told(number)["status"] == "created"

    sandbox.sandbox.clock = lambda: now + timedelta(hours=2, minutes=1)

    assert sandbox.told(number)["status"] == "canceled"


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"amount": ""}, "amount"),
        ({"amount": "ten"}, "amount"),
        ({"currency": "XXX"}, "currency"),
        ({"shop_id": "SOMEBODYELSE0001"}, "shop_id"),
        ({"add_fields": {"time_to_pay": 24}}, "time_to_pay"),
        ({"add_fields": {"time_to_pay": {"hours": 0, "minutes": 0}}}, "time_to_pay"),
        ({"add_fields": {"time_to_pay": {"hours": -1}}}, "hours"),
        ({"add_fields": {"time_to_pay": {"minutes": 60}}}, "minutes"),
    ],
)
def test_what_is_wrong_is_said_under_the_name_of_the_field(
    sandbox: Driver, wrong: dict[str, object], field: str
) -> None:
    reply = sandbox.v2("create", json=sandbox.wishes | wrong)

    assert reply.status_code == 400
    assert reply.json()["status"] == "error"
    assert set(reply.json()["result"]) == {field}


@pytest.mark.parametrize("path", ["create", "merchant/info", "merchant/list", "merchant/canceled"])
def test_every_call_needs_the_key(sandbox: Driver, path: str) -> None:
    reply = sandbox.v2(path, json={}, headers={"Authorization": "Token wrong"})

    assert reply.status_code == 401
    assert reply.json() == {
        "status": "error",
        "result": {"authorization": "Unauthorized request."},
    }


@pytest.mark.parametrize(
    ("action", "status", "paid", "rest", "progress"),
    [
        (None, "created", 0, 0, "created"),
        ("pay", "paid", 0.00016667, 0, "success"),
        ("short", "partial", 0.00015, 0.00001667, "created"),
        ("over", "paid", 0.00018334, 0, "success"),
        ("expire", "canceled", 0, 0, "canceled"),
    ],
)
def test_info_tells_what_was_asked_for_and_what_arrived(
    sandbox: Driver,
    shop: Listener,
    action: str | None,
    status: str,
    paid: float,
    rest: float,
    progress: str,
) -> None:
    number = sandbox.new_v2()["uuid"]
    if action:
        sandbox.act(number, action)

    facts = sandbox.told(number)

    assert (facts["status"], facts["invoice_status"]) == (status, progress)
    assert (facts["amount_in_fiat"], facts["fiat_currency"]) == (10.0, "USD")
    assert (facts["amount_to_pay"], facts["amount_paid"]) == (0.00016667, paid)
    assert facts["to_surcharge"] == pytest.approx(rest, abs=2e-8)
    assert facts["order_id"] == "A-1"
    assert (facts["date_finished"] is not None) == (progress == "success")


def test_info_takes_up_to_a_hundred_with_or_without_prefix_and_leaves_out_the_unknown(
    sandbox: Driver,
) -> None:
    first, second = sandbox.new_v2()["uuid"], sandbox.new()
    many = [first, second] + ["INV-NOSUCH00"] * 98

    reply = sandbox.v2("merchant/info", json={"uuids": many})
    too_many = sandbox.v2("merchant/info", json={"uuids": [*many, "INV-NOSUCH00"]})

    assert [facts["uuid"] for facts in reply.json()["result"]] == [first, f"INV-{second}"]
    assert too_many.status_code == 400


@pytest.mark.parametrize("body", [{}, {"uuids": []}, {"uuids": "INV-A"}, {"uuids": [1]}])
def test_info_about_nothing_is_an_error(sandbox: Driver, body: dict[str, object]) -> None:
    assert sandbox.v2("merchant/info", json=body).status_code == 400


def test_the_list_goes_by_day_and_page_the_newest_first(sandbox: Driver) -> None:
    made = [sandbox.new_v2()["uuid"] for _ in range(3)]
    today = f"{datetime.now(UTC):%d.%m.%Y}"

    def listed(start: str, end: str, **page: int) -> list[str]:
        reply = sandbox.v2("merchant/list", json={"start": start, "end": end} | page)
        return [facts["uuid"] for facts in reply.json()["result"]]

    assert listed(today, today) == made[::-1]
    assert listed(today, today, offset=1, limit=1) == [made[1]]
    assert listed(today, today, offset=3, limit=100) == []
    assert listed("01.01.2020", "02.01.2020") == []


@pytest.mark.parametrize(
    "wrong",
    [{"start": "2026-01-31"}, {"start": ""}, {"end": "31.02.2026"}, {"limit": 101}, {"offset": -1}],
)
def test_a_list_that_cannot_be_is_refused(sandbox: Driver, wrong: dict[str, object]) -> None:
    days = {"start": "01.01.2026", "end": "31.01.2026"}

    assert sandbox.v2("merchant/list", json=days | wrong).status_code == 400


def test_an_invoice_can_be_cancelled_while_nothing_was_paid(sandbox: Driver) -> None:
    number = sandbox.new_v2()["uuid"]

    reply = sandbox.v2("merchant/canceled", json={"uuid": number})

    assert reply.json() == {"status": "success", "result": ["ok"]}
    assert sandbox.told(number)["status"] == "canceled"


@pytest.mark.parametrize("action", ["pay", "short", "expire"])
def test_an_invoice_that_has_moved_on_cannot_be_cancelled(
    sandbox: Driver, shop: Listener, action: str
) -> None:
    number = sandbox.new_v2()["uuid"]
    sandbox.act(number, action)
    before = sandbox.told(number)["status"]

    reply = sandbox.v2("merchant/canceled", json={"uuid": number})

    assert (reply.status_code, reply.json()["status"]) == (400, "error")
    assert "Invoice is not created" in reply.text
    assert sandbox.told(number)["status"] == before


def test_an_invoice_made_in_test_mode_says_so_and_can_be_confirmed_without_money(
    sandbox: Driver, shop: Listener
) -> None:
    real = sandbox.new_v2()["uuid"]
    sandbox.switch(test_mode=True)
    test = sandbox.new_v2()
    assert test["test_mode"] is True

    refused = sandbox.act(real, "confirm")
    sandbox.act(test["uuid"], "confirm")

    assert refused.status_code == 409
    assert sandbox.told(real)["test_mode"] is False
    facts = sandbox.told(test["uuid"])
    assert (facts["status"], facts["test_mode"], facts["amount_paid"]) == ("paid", True, 0)
    assert shop.next().fields["invoice_id"] == test["uuid"].removeprefix("INV-")


def test_the_merchant_can_confirm_a_part_of_the_money(sandbox: Driver, shop: Listener) -> None:
    number = sandbox.new_v2()["uuid"]
    sandbox.act(number, "short")

    sandbox.act(number, "confirm")

    facts = sandbox.told(number)
    assert (facts["status"], facts["amount_paid"]) == ("paid", 0.00015)
    assert shop.next().fields["amount_crypto"] == "0.00015000"


@pytest.mark.parametrize("encoding", ["json", "form"])
def test_a_postback_about_an_invoice_of_v2_tells_all_about_it(
    sandbox: Driver, shop: Listener, encoding: str
) -> None:
    sandbox.switch(postback_format=encoding)
    number = sandbox.new_v2()["uuid"]

    sandbox.act(number, "pay")

    fields = shop.next().fields
    info = fields["invoice_info"]
    facts = info if encoding == "json" else json.loads(info)
    assert fields["invoice_id"] == number.removeprefix("INV-")
    assert (facts["uuid"], facts["status"], facts["invoice_status"]) == (number, "paid", "success")
    assert facts["order_id"] == fields["order_id"] == "A-1"


def test_a_postback_about_an_invoice_of_v1_tells_no_more_than_before(
    sandbox: Driver, shop: Listener
) -> None:
    sandbox.act(sandbox.new(), "pay")

    assert "invoice_info" not in shop.next().fields
