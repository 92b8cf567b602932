"""The API v2 as the provider documents it, over real HTTP."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shop.sandbox.coins import FIAT_IN_USD

from .conftest import Driver, Listener, names

CREATED = names(
    "uuid created address expiry_date side_commission side_commission_service type_payments amount"
    " amount_usd amount_in_fiat fee fee_usd service_fee service_fee_usd fiat_currency status"
    " is_email_required link invoice_id currency project test_mode"
)
KNOWN = CREATED - {"side_commission_service", "fiat_currency"} | names(
    "side_commission_cc order_id invoice_status received received_usd to_surcharge to_surcharge_usd"
    " amount_to_pay amount_to_pay_usd amount_paid amount_paid_usd amount_in_crypto date_finished"
    " tx_list type user_email pay_url phone"
)
COIN = names(
    "id code fullcode network name is_email_required stablecoin icon_base icon_network icon_qr"
    " order"
)


def hours_to_pay(facts: dict[str, Any]) -> float:
    created, end = (datetime.fromisoformat(facts[name]) for name in ("created", "expiry_date"))
    return (end - created) / timedelta(hours=1)


def test_a_created_invoice_is_described_under_result(sandbox: Driver) -> None:
    facts = sandbox.new_v2(amount="12.50", currency="EUR")

    number = facts["uuid"].removeprefix("INV-")
    assert set(facts) == CREATED
    assert set(facts["currency"]) == COIN
    assert set(facts["currency"]["network"]) == {"code", "id", "icon", "fullname"}
    assert set(facts["project"]) == {"id", "name", "fail", "success", "logo"}
    assert facts["link"] == f"{sandbox.trybit}/{number}"
    assert (facts["amount_in_fiat"], facts["fiat_currency"]) == (12.5, "EUR")
    assert (facts["status"], facts["test_mode"]) == ("created", False)
    assert facts["invoice_id"] is None
    assert sandbox.show(number)["order_id"] == "A-1"


def test_the_amount_is_in_tether_until_a_coin_is_chosen(sandbox: Driver) -> None:
    facts = sandbox.new_v2(amount="12.50", currency="EUR")

    assert (facts["amount_usd"], facts["amount"]) == (13.5, 13.5)
    assert facts["currency"]["fullcode"] == "USDT_TRC20"
    assert facts["address"] == ""


def test_a_coin_chosen_at_once_brings_its_address_and_the_exact_amount(sandbox: Driver) -> None:
    facts = sandbox.new_v2(add_fields={"cryptocurrency": "LTC"})

    assert facts["amount"] == 0.125
    assert facts["currency"]["fullcode"] == "LTC"
    assert facts["address"].startswith("SANDBOX-LTC-")
    assert sandbox.told(facts["uuid"])["address"] == facts["address"]


def test_the_documents_name_twenty_five_currencies(sandbox: Driver) -> None:
    told = {code: sandbox.new_v2(amount=5000, currency=code) for code in FIAT_IN_USD}

    assert len(told) == 25
    assert {code: facts["fiat_currency"] for code, facts in told.items()} == {
        code: code for code in told
    }


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
    told = hours_to_pay(sandbox.new_v2(add_fields=add_fields))

    assert hours - 1 / 3600 < told < hours  # some milliseconds less


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
        ({"amount": "0.09"}, "amount"),
        ({"add_fields": {"cryptocurrency": "DOGE"}}, "cryptocurrency"),
        ({"add_fields": {"available_currencies": ["BTC", "DOGE"]}}, "available_currencies"),
        ({"add_fields": {"available_currencies": "BTC"}}, "available_currencies"),
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


@pytest.mark.parametrize(
    "path", ["create", "merchant/info", "merchant/list", "merchant/canceled", "static/create"]
)
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
        ("pay", "paid", 10, 0, "success"),
        ("short", "partial", 9, 1, "created"),
        ("over", "paid", 11, 0, "success"),
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
    assert set(facts) == KNOWN
    assert facts["amount_in_fiat"] == 10.0
    assert (facts["amount_to_pay"], facts["amount_paid"]) == (10.0, paid)
    assert facts["to_surcharge"] == facts["to_surcharge_usd"] == rest
    assert facts["order_id"] == "A-1"
    assert (facts["date_finished"] is not None) == (progress == "success")


@pytest.mark.parametrize(
    ("fiat", "told"),
    [
        ("amount", {"amount_in_fiat": 10.0}),
        ("both", {"amount_in_fiat": 10.0, "fiat_currency": "USD"}),
        ("none", {}),
        ("zero", {"amount_in_fiat": 0.0}),
    ],
)
def test_info_tells_as_much_of_ordinary_money_as_is_switched(
    sandbox: Driver, fiat: str, told: dict[str, object]
) -> None:
    sandbox.switch(fiat=fiat)
    made = sandbox.new_v2()
    assert (made["amount_in_fiat"], made["fiat_currency"]) == (10.0, "USD")

    facts = sandbox.told(made["uuid"])

    names = ("amount_in_fiat", "fiat_currency")
    assert {name: facts[name] for name in names if name in facts} == told


def test_figures_can_have_float_noise_far_below_a_cent(sandbox: Driver, shop: Listener) -> None:
    sandbox.switch(noise=True)
    number = sandbox.new_v2()["uuid"]
    sandbox.act(number, "pay")

    facts = sandbox.told(number)

    assert facts["amount_in_fiat"] == facts["amount_paid"] == 9.999999999999998
    assert facts["to_surcharge"] == 0


def test_what_may_be_missing_can_be_null(sandbox: Driver) -> None:
    sandbox.switch(nulls=True)
    made = sandbox.new_v2(order_id="")

    facts = sandbox.told(made["uuid"])

    for told in (made, facts):
        assert (told["test_mode"], told["currency"], told["project"]["logo"]) == (None, None, None)
    assert facts["order_id"] == "None"
    assert facts["date_finished"] is facts["amount_in_crypto"] is facts["phone"] is None


def test_info_hides_most_of_the_buyers_address(sandbox: Driver) -> None:
    number = sandbox.new_v2(email="buyer@example.com")["uuid"]

    assert sandbox.told(number)["user_email"] == "b***@example.com"


def test_what_is_credited_is_less_than_what_was_paid(sandbox: Driver, shop: Listener) -> None:
    number = sandbox.new_v2(amount="100.00")["uuid"]
    sandbox.act(number, "pay")

    facts = sandbox.told(number)

    assert (facts["fee"], facts["service_fee"]) == (1.4, 1.9)
    assert (facts["amount_paid"], facts["received"]) == (100.0, 96.7)


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


def listed(sandbox: Driver, **page: int) -> dict[str, Any]:
    today = f"{datetime.now(UTC):%d.%m.%Y}"
    return dict(sandbox.v2("merchant/list", json={"start": today, "end": today} | page).json())


def test_the_list_tells_ten_unless_asked_how_many_there_are_and_no_fractions_of_seconds(
    sandbox: Driver,
) -> None:
    for _ in range(12):
        sandbox.new()

    reply = listed(sandbox)

    assert (len(reply["result"]), reply["all_count"]) == (10, 12)
    assert len(reply["result"][0]["created"]) == len("2026-01-31 12:00:00")


@pytest.mark.parametrize(
    ("meaning", "page", "places"),
    [
        ("count", {"offset": 1, "limit": 3}, [1, 2, 3]),
        ("last", {"offset": 1, "limit": 3}, [1, 2]),
        ("last", {"offset": 0, "limit": 100}, [0, 1, 2, 3, 4]),
        ("last", {"offset": 2}, [2, 3, 4]),
        ("last", {"offset": 4, "limit": 4}, []),
        ("last", {"offset": 100, "limit": 100}, []),
    ],
)
def test_limit_can_mean_how_many_records_or_the_number_of_the_last(
    sandbox: Driver, meaning: str, page: dict[str, int], places: list[int]
) -> None:
    made = [f"INV-{sandbox.new()}" for _ in range(5)][::-1]
    sandbox.switch(limit=meaning)

    reply = listed(sandbox, **page)

    assert [facts["uuid"] for facts in reply["result"]] == [made[place] for place in places]
    assert reply["all_count"] == 5


@pytest.mark.parametrize(
    "wrong",
    [
        {"start": "01.02.2026"},
        {"start": "2026-01-31"},
        {"start": ""},
        {"end": "31.02.2026"},
        {"limit": 101},
        {"offset": -1},
    ],
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
    assert (facts["status"], facts["amount_paid"]) == ("paid", 9.0)
    assert shop.next().fields["amount_crypto"] == "9.00"


def test_statistics_count_invoices_and_dollars_by_status(sandbox: Driver, shop: Listener) -> None:
    for action, amount in (
        ("nothing", "1.00"),
        ("pay", "2.00"),
        ("pay", "4.00"),
        ("short", "8.00"),
    ):
        sandbox.act(sandbox.new_v2(amount=amount)["uuid"], action)
    today = f"{datetime.now(UTC):%d.%m.%Y}"

    reply = sandbox.v2("merchant/statistics", json={"start": today, "end": today}).json()

    none = {"overpaid": 0, "canceled": 0}
    assert reply == {
        "status": "success",
        "result": {
            "count": {"all": 4, "created": 1, "paid": 2, "partial": 1} | none,
            "amount": {"all": 15.0, "created": 1.0, "paid": 6.0, "partial": 8.0} | none,
        },
    }


def test_the_balance_holds_what_was_credited_in_each_coin(sandbox: Driver, shop: Listener) -> None:
    sandbox.act(sandbox.new_v2(amount="100.00")["uuid"], "pay")
    sandbox.act(sandbox.new_v2(amount="8.00")["uuid"], "pay", coin="LTC")
    sandbox.act(sandbox.new_v2()["uuid"], "short")

    reply = sandbox.balance()

    assert reply.json()["status"] == "success"
    rows = {each["currency"]["code"]: each for each in reply.json()["result"]}
    assert {code for code, row in rows.items() if row["balance_crypto"]} == {"USDT_TRC20", "LTC"}
    tether = rows["USDT_TRC20"]
    assert tether["balance_crypto"] == tether["available_balance"] == 96.7
    assert tether["balance_usd"] == tether["available_balance_usd"] == 96.7
    assert tether["currency"]["short_code"] == "USDT"
    assert tether["currency"]["obj_network"]["code"] == "TRC20"
    assert rows["LTC"]["balance_crypto"] == 0.0981


def test_what_tests_seem_to_earn_is_in_no_balance(sandbox: Driver, shop: Listener) -> None:
    sandbox.switch(test_mode=True)
    sandbox.act(sandbox.new_v2()["uuid"], "pay")

    assert not any(each["balance_crypto"] for each in sandbox.balance().json()["result"])


@pytest.mark.parametrize("path", ["merchant/wallet/balance/all", "invoice/merchant/statistics"])
def test_balance_and_statistics_refuse_a_wrong_key_in_words_of_their_own(
    sandbox: Driver, path: str
) -> None:
    reply = sandbox.v2(f"../{path}", json={}, headers={"Authorization": "Token wrong"})

    assert reply.status_code == 403
    assert reply.json() == {"detail": "Signature verification failed"}


def test_a_customer_has_one_permanent_address_for_each_coin(sandbox: Driver) -> None:
    shop_id = sandbox.sandbox.settings.shop_id

    def address(currency: str, identify: str) -> str:
        wishes = {"shop_id": shop_id, "currency": currency, "identify": identify}
        result = sandbox.v2("static/create", json=wishes).json()["result"]
        assert result["currency"]["code"] == currency
        assert len(result["uuid"]) == 32
        return str(result["address"])

    first = address("USDT_TON", "ann")
    assert address("USDT_TON", "ann") == first
    assert len({first, address("USDT_TON", "bob"), address("TON", "ann")}) == 3


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"currency": "DOGE"}, "currency"),
        ({"identify": ""}, "identify"),
        ({"shop_id": "X"}, "shop_id"),
    ],
)
def test_an_address_for_nobody_or_in_no_coin_is_refused(
    sandbox: Driver, wrong: dict[str, str], field: str
) -> None:
    wishes = {"shop_id": sandbox.sandbox.settings.shop_id, "currency": "BTC", "identify": "ann"}

    reply = sandbox.v2("static/create", json=wishes | wrong)

    assert reply.status_code == 400
    assert set(reply.json()["result"]) == {field}
