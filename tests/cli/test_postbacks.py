"""`flask postbacks`: the inbox, and acting upon a postback once more."""

from __future__ import annotations

import json
from datetime import datetime, timedelta

import pytest
import responses
from flask import Flask
from flask.testing import FlaskClient, FlaskCliRunner
from sqlalchemy import update

from shop.config import Settings
from shop.db import db, transaction, utcnow
from shop.payments.checking import refresh
from shop.payments.inbox import reopen_postback
from shop.payments.models import Payment, Postback
from shop.payments.queries import find_payment_by_invoice
from shop.payments.sweep import sweep
from tests.factories import (
    as_json,
    gateway,
    make_open_order,
    make_postback,
    make_token,
    provider,
)
from tests.support.deciding import does, items, letters, state

URL = "/payments/cryptocloud/postback"


@pytest.fixture
def told(app: Flask, client: FlaskClient, settings: Settings) -> tuple[str, str]:
    """An order, and its invoice, about which a postback came when the provider's API was down."""
    with app.app_context(), provider(app) as calls:
        order, payment = make_open_order(app)
        calls.add(responses.GET, calls.info_url, status=500)
        answer = client.post(URL, **as_json(make_postback(settings, payment)))  # type: ignore[arg-type]
        assert answer.status_code == 200
        return order.number, str(payment.invoice_id)


def find_payment(invoice: str) -> Payment:
    payment = find_payment_by_invoice(invoice)
    assert payment is not None
    return payment


def listed(runner: FlaskCliRunner, *words: str) -> list[dict[str, object]]:
    found: list[dict[str, object]] = json.loads(
        does(runner, "postbacks", "list", "--json", *words).stdout
    )
    return found


def test_a_postback_is_listed_with_what_it_claimed_and_without_its_token(
    runner: FlaskCliRunner, told: tuple[str, str]
) -> None:
    (postback,) = listed(runner)

    assert (postback["invoice_id"], postback["hits"]) == (told[1], 1)
    assert (postback["claimed_status"], postback["claimed_amount"]) == ("success", "10.01")
    assert (postback["verdict"], postback["done_at"]) == ("", None)
    assert "token" not in postback
    assert f"{told[1]}  " in does(runner, "postbacks", "list").stdout
    assert "1×  waiting" in does(runner, "postbacks", "list").stdout


def test_refused_postbacks_of_our_invoices_are_listed_with_the_reason(
    app: Flask,
    client: FlaskClient,
    settings: Settings,
    runner: FlaskCliRunner,
    told: tuple[str, str],
) -> None:
    with app.app_context():
        _, other = make_open_order(app)
        invoice = str(other.invoice_id)
        odd = make_postback(settings, other, token=make_token(settings, invoice, exp=1))
        odd["amount_crypto"] = 0.00005
    nobodys = odd | {"invoice_id": "ZZZZ9999"}
    for fields in (odd, nobodys):
        assert client.post(URL, **as_json(fields)).status_code == 403  # type: ignore[arg-type]

    refused, proven = listed(runner)
    assert (refused["invoice_id"], refused["proven"], refused["hits"]) == (invoice, False, 1)
    assert (refused["refused_because"], refused["verdict"]) == ("expired", "refused")
    assert datetime.fromisoformat(str(refused["last_at"])) > utcnow() - timedelta(minutes=1)
    assert refused["claimed_amount"] is None, "nothing that it says is kept"
    assert (proven["invoice_id"], proven["proven"]) == (told[1], True)
    assert proven["refused_because"] is None
    assert set(refused) == set(proven)
    assert (
        "1×  refused: signed with our key, but too old" in does(runner, "postbacks", "list").stdout
    )
    assert [row["proven"] for row in listed(runner, "--limit", "1")] == [False]
    assert [row["proven"] for row in listed(runner, "--open")] == [True]


@pytest.mark.parametrize("sent", [0.00005, "0.00005", "5e-05"])
def test_a_small_amount_is_listed_as_it_was_paid(
    client: FlaskClient, settings: Settings, runner: FlaskCliRunner, sent: object
) -> None:
    made_by_hand = Payment(invoice_id="ZZZZ9999", reference="by hand")
    postback = make_postback(settings, made_by_hand, amount_crypto=sent)
    client.post(URL, **as_json(postback))  # type: ignore[arg-type]

    assert listed(runner)[0]["claimed_amount"] == "0.00005"


def test_replaying_a_postback_asks_what_is_true_and_acts_upon_it_once(
    app: Flask, runner: FlaskCliRunner, told: tuple[str, str]
) -> None:
    number, invoice = told
    with provider(app) as calls:
        calls.invoice_is("paid")
        results = [does(runner, "postbacks", "replay", invoice) for _ in range(2)]

    assert [result.stdout for result in results] == [f"{number} is fulfilled.\n"] * 2
    assert letters(app) == ["order-placed", "order-delivered"]


def test_a_replay_believes_the_provider_and_not_the_postback(
    app: Flask, runner: FlaskCliRunner, told: tuple[str, str]
) -> None:
    number, invoice = told
    with provider(app) as calls:
        calls.invoice_is("created")
        result = does(runner, "postbacks", "replay", f"inv-{invoice.lower()}")

    assert result.stdout == f"{number} is pending.\n"
    assert state(app, number) == ("pending", "none")


def test_a_replayed_postback_that_was_judged_is_judged_again(
    app: Flask, runner: FlaskCliRunner, told: tuple[str, str]
) -> None:
    number, invoice = told
    with provider(app) as calls:
        calls.invoice_is("paid")
        does(runner, "postbacks", "replay", invoice)
        assert listed(runner, "--open") == []

        does(runner, "postbacks", "replay", invoice)
        with app.app_context():
            sweep(gateway(app), utcnow() + timedelta(minutes=1))

    assert listed(runner, "--open") == []
    assert listed(runner)[0]["verdict"] == "paid"
    assert (state(app, number), items(app)) == (("fulfilled", "none"), [])


def test_a_replay_puts_back_its_own_postback_and_has_only_an_open_invoice_asked_about(
    app: Flask, told: tuple[str, str]
) -> None:
    with app.app_context():
        _, other = make_open_order(app)
        due = other.next_check_at
        with provider(app) as calls:
            calls.invoice_is("paid")
            refresh(find_payment(told[1]), gateway(app))

        assert reopen_postback(told[1])

        postback = db.session.get_one(Postback, told[1])
        assert (postback.done_at, postback.verdict) == (None, "")
        assert find_payment(told[1]).next_check_at is None
        assert find_payment(str(other.invoice_id)).next_check_at == due


def test_a_replay_has_an_open_invoice_asked_about_at_once(
    app: Flask, told: tuple[str, str]
) -> None:
    with app.app_context():
        with transaction() as session:  # long after the last look at it
            session.execute(update(Payment).values(next_check_at=None))

        reopen_postback(told[1])

        due = find_payment(told[1]).next_check_at
        assert due is not None
        assert due <= utcnow()


def test_a_provider_that_does_not_say_is_named_and_the_postback_waits(
    app: Flask, runner: FlaskCliRunner, told: tuple[str, str]
) -> None:
    with app.app_context(), transaction() as session:  # long after the last look at it
        session.execute(update(Payment).values(next_check_at=None))
    with provider(app) as calls:
        calls.add(responses.GET, calls.info_url, status=503)
        result = does(runner, "postbacks", "replay", told[1])

    assert result.exit_code == 1
    assert "The provider did not say" in result.stderr
    assert len(listed(runner, "--open")) == 1
    with app.app_context(), provider(app) as calls:  # "The sweep asks again."
        calls.invoice_is("paid")
        sweep(gateway(app), utcnow() + timedelta(minutes=1))
    assert state(app, told[0]) == ("fulfilled", "none")


def test_a_postback_about_nobodys_invoice_can_be_replayed(
    client: FlaskClient, settings: Settings, runner: FlaskCliRunner
) -> None:
    made_by_hand = Payment(invoice_id="ZZZZ9999", reference="by hand")
    client.post(URL, **as_json(make_postback(settings, made_by_hand)))  # type: ignore[arg-type]

    result = does(runner, "postbacks", "replay", "ZZZZ9999")

    assert result.exit_code == 0
    assert "No order has invoice ZZZZ9999; the next sweep looks for one again." in result.stdout


@pytest.mark.parametrize("engine", ["sqlite"])
def test_what_cannot_be_replayed_is_refused(runner: FlaskCliRunner) -> None:
    for invoice in ("", "x", "INV-", "../../v1", "ABCD 1234", "АБВГДЕЖЗ", "A" * 40):
        result = does(runner, "postbacks", "replay", invoice)
        assert result.exit_code == 1, invoice
        assert "An invoice id looks like INV-ABCD1234" in result.stderr

    absent = does(runner, "postbacks", "replay", "ABCD1234")
    assert absent.exit_code == 1
    assert "The inbox has no postback about ABCD1234" in absent.stderr


@pytest.mark.parametrize("engine", ["sqlite"])
def test_an_empty_inbox_says_so(runner: FlaskCliRunner) -> None:
    assert does(runner, "postbacks", "list").stdout == "No postbacks.\n"
    assert listed(runner) == []
