"""What may happen to an invoice, as a table, and how the API reports it."""

from datetime import timedelta

import pytest
import requests

from tests.support.live_sandbox import running_sandbox

from .conftest import Driver, Listener


@pytest.mark.parametrize(
    ("actions", "status"),
    [
        (["pay"], "paid"),
        (["short"], "partial"),
        (["seen"], "partial"),
        (["seen", "confirm"], "paid"),
        (["seen", "expire", "late"], "paid"),
        (["short", "rest"], "paid"),
        (["short", "late"], "paid"),
        (["short", "expire"], "canceled"),
        (["over"], "paid"),
        (["late"], "paid"),
        (["expire"], "canceled"),
        (["expire", "late"], "paid"),
        (["nothing"], "created"),
        (["pay", "nothing"], "paid"),
    ],
)
def test_each_ending_leads_to_its_status(sandbox: Driver, actions: list[str], status: str) -> None:
    number = sandbox.new()

    answers = [sandbox.act(number, action).status_code for action in actions]

    assert set(answers) == {200}
    assert sandbox.status(number) == status


@pytest.mark.parametrize(
    ("before", "action"),
    [
        ("nothing", "rest"),
        ("seen", "rest"),
        ("seen", "seen"),
        ("short", "pay"),
        ("short", "over"),
        ("pay", "pay"),
        ("pay", "expire"),
        ("pay", "late"),
        ("expire", "pay"),
        ("expire", "rest"),
    ],
)
def test_what_makes_no_sense_is_refused_and_sends_nothing(
    sandbox: Driver, before: str, action: str
) -> None:
    number = sandbox.new()
    sandbox.act(number, before)
    shown = sandbox.show(number)

    reply = sandbox.act(number, action)

    assert reply.status_code == 409
    assert sandbox.show(number) == shown


def test_paying_late_goes_through_canceled(sandbox: Driver) -> None:
    number = sandbox.new()

    sandbox.act(number, "late")

    assert sandbox.show(number)["history"] == ["created", "canceled", "paid"]


def test_a_payment_that_is_held_is_partial_with_all_of_it_received(
    sandbox: Driver, shop: Listener
) -> None:
    number = sandbox.new_v2()["uuid"]
    sandbox.switch(hold=True)

    sandbox.act(number, "pay")

    facts = sandbox.told(number)
    assert facts["status"] == "partial"
    assert facts["amount_paid"] == facts["amount_to_pay"]
    assert facts["to_surcharge"] == 0
    assert shop.hears_nothing()
    sandbox.act(number, "confirm")
    assert sandbox.told(number)["status"] == "paid"
    assert shop.next().fields["invoice_info"]


@pytest.mark.parametrize(
    ("words", "before", "after"),
    [("british", "created", "cancelled"), ("unknown", "processing", "canceled")],
)
def test_info_of_both_versions_can_spell_a_status_otherwise(
    sandbox: Driver, words: str, before: str, after: str
) -> None:
    sandbox.switch(status_words=words)
    made = sandbox.new_v2()
    number = made["uuid"]
    assert made["status"] == "created"
    assert (sandbox.told(number)["status"], sandbox.status(number)) == (before, before)

    sandbox.act(number, "expire")

    assert (sandbox.told(number)["status"], sandbox.status(number)) == (after, after)


def test_paying_over_is_called_overpaid_when_the_switch_says_so(sandbox: Driver) -> None:
    number = sandbox.new()
    sandbox.switch(overpaid=True)

    sandbox.act(number, "over")

    assert sandbox.status(number) == "overpaid"


@pytest.mark.parametrize(
    ("action", "received"),
    [("pay", "10.00"), ("seen", "10.00"), ("short", "9.00"), ("over", "11.00")],
)
def test_the_money_that_arrives_is_what_was_sent(
    sandbox: Driver, action: str, received: str
) -> None:
    number = sandbox.new()

    shown = sandbox.act(number, action, coin="USDT_TRC20").json()

    assert shown["coin"] == "USDT_TRC20"
    assert shown["amount_crypto"] == "10.00"
    assert shown["received_crypto"] == received


def test_an_invoice_past_its_deadline_is_canceled_by_itself(shop: Listener) -> None:
    with running_sandbox(lifetime=timedelta(0), notification_url=shop.url) as running:
        driver = Driver(running)

        assert driver.status(driver.new()) == "canceled"


@pytest.mark.parametrize(
    ("path", "wishes", "answer"),
    [
        ("NOSUCH00/pay", {}, 404),
        ("{}/steal", {}, 400),
        ("{}/pay", {"postback": "eaten"}, 400),
        ("{}/pay", {"coin": "DOGE"}, 400),
        ("{}/pay", {"coin": []}, 400),
        ("{}/pay", {"coin": {}}, 400),
        ("{}/pay", {"postbakc": "lose"}, 400),
        ("{}/pay", [], 400),
    ],
)
def test_a_wrong_wish_is_refused_and_does_nothing(
    sandbox: Driver, path: str, wishes: object, answer: int
) -> None:
    number = sandbox.new()

    url = f"{sandbox.url}/_sandbox/invoices/{path.format(number)}"
    reply = requests.post(url, json=wishes, timeout=60)

    assert reply.status_code == answer
    assert reply.json()["error"]
    assert sandbox.status(number) == "created"


def test_an_invoice_shows_what_was_asked_for(sandbox: Driver) -> None:
    wishes = sandbox.wishes | {"email": "a@example.com", "currency": "EUR"}
    number = sandbox.create(json=wishes).json()["invoice_id"]

    listed = requests.get(f"{sandbox.url}/_sandbox/invoices", timeout=60).json()

    assert [each["id"] for each in listed] == [number]
    assert listed[0]["email"] == "a@example.com"
    assert listed[0]["currency"] == "EUR"
    assert listed[0]["postbacks"] == []
    assert listed[0]["created"].endswith("+00:00")
