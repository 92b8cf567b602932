"""`flask orders confirm|cancel|refund`: what a person decides about an order's money."""

from __future__ import annotations

import json
from urllib.parse import urlsplit

import pytest
import responses
from flask import Flask
from flask.testing import FlaskCliRunner
from sqlalchemy import delete

from shop.catalogue.models import DeliveryKind
from shop.db import transaction
from shop.fulfilment.models import DeliveryState, LicenceKey
from shop.fulfilment.queries import deliveries_of
from shop.payments.models import PaymentState
from shop.payments.queries import payments_of
from tests.factories import make_open_order, make_order, make_product, provider
from tests.support.deciding import (
    BY,
    PROOF,
    add_units,
    does,
    history,
    items,
    left,
    letters,
    make_sold_out,
    product_named,
    provider_told,
    reading,
    state,
)


@pytest.fixture
def slug(app: Flask) -> str:
    """A product of which there are three."""
    with app.app_context():
        return make_product(stock=3).slug


@pytest.fixture
def number(app: Flask, slug: str) -> str:
    """An order of two of them, whose invoice is open."""
    with app.app_context():
        return make_open_order(app, product_named(slug), quantity=2)[0].number


@pytest.fixture
def sold_out(app: Flask) -> tuple[str, str]:
    """An order in review, because its goods were gone when its money came; and what it was for."""
    with app.app_context():
        slug = make_product(stock=1).slug
    return make_sold_out(app, slug), slug


def test_a_confirmed_order_is_sold_and_its_history_says_who_why_and_by_what_proof(
    app: Flask, runner: FlaskCliRunner, slug: str, number: str
) -> None:
    result = does(runner, "orders", "confirm", number, *PROOF, *BY)

    assert result.stdout == f"{number} is fulfilled.\n"
    (invoice,) = json.loads(does(runner, "orders", "show", number, "--json").stdout)["payments"]
    named = f"invoice {invoice['invoice_id']}"
    assert history(app, number) == [
        ("confirmed", f"{named}, transaction 0xfeed: The buyer wrote to us", "Ann"),
        ("paid", f"{named} was confirmed", "Ann"),
    ]
    with reading(app, number) as order:
        (payment,) = payments_of(order.id)
        assert (payment.state, payment.confirmed_by) == (PaymentState.PAID, "Ann")
        assert payment.transaction_id == "0xfeed"
    assert left(app, slug) == 1
    assert letters(app) == ["order-placed", "order-delivered"]


def test_confirming_twice_is_refused_and_delivers_once(
    app: Flask, runner: FlaskCliRunner, number: str
) -> None:
    does(runner, "orders", "confirm", number, *PROOF, *BY)
    before = history(app, number)

    result = does(runner, "orders", "confirm", number, "--transaction", "0xother", *BY)

    assert result.exit_code == 1
    assert f"Order {number} is fulfilled already." in result.stderr
    assert history(app, number) == before
    with reading(app, number) as order:
        assert len(deliveries_of(order.id)) == 1


def test_confirming_a_part_payment_sells_the_goods_and_closes_what_waited(
    app: Flask, runner: FlaskCliRunner, number: str
) -> None:
    provider_told(app, number, "partial")
    provider_told(app, number, "canceled")
    assert items(app) == [("paid_partial", "")]

    result = does(runner, "orders", "confirm", number, *PROOF, *BY)

    assert result.stdout == f"{number} is fulfilled.\n"
    assert items(app) == [("paid_partial", "Ann")]


def test_an_order_that_was_sold_out_can_be_confirmed_once_there_is_more(
    app: Flask, runner: FlaskCliRunner, sold_out: tuple[str, str]
) -> None:
    number, slug = sold_out
    too_early = does(runner, "orders", "confirm", number, *PROOF, *BY)
    assert (too_early.exit_code, too_early.stdout) == (1, f"{number} is review, no_stock.\n")
    assert "nothing was handed over: it is sold out" in too_early.stderr
    assert items(app) == [("no_stock", "")]
    add_units(app, slug, 2)

    result = does(runner, "orders", "confirm", number, *PROOF, *BY)

    assert result.stdout == f"{number} is fulfilled.\n"
    assert items(app) == [("no_stock", "Ann")]
    assert left(app, slug) == 1


def test_a_cancelled_order_gives_its_stock_back_and_says_who_and_why(
    app: Flask, runner: FlaskCliRunner, slug: str, number: str
) -> None:
    assert left(app, slug) == 1
    with provider(app) as calls:
        calls.invoice_is("created")
        result = does(runner, "orders", "cancel", number, *BY)

    assert result.stdout == f"{number} is cancelled.\n"
    assert history(app, number) == [("cancelled", "The buyer wrote to us", "Ann")]
    assert left(app, slug) == 3


def test_late_money_for_a_cancelled_order_still_counts(
    app: Flask, runner: FlaskCliRunner, slug: str, number: str
) -> None:
    with provider(app) as calls:
        calls.invoice_is("created")
        does(runner, "orders", "cancel", number, *BY)

    provider_told(app, number, "paid")

    assert state(app, number) == ("fulfilled", "paid_late")
    assert left(app, slug) == 1


def test_an_order_that_was_paid_meanwhile_is_not_cancelled_but_sold(
    app: Flask, runner: FlaskCliRunner, slug: str, number: str
) -> None:
    with provider(app) as calls:
        calls.invoice_is("paid")
        result = does(runner, "orders", "cancel", number, *BY)

    assert result.exit_code == 1
    assert f"Order {number} is fulfilled: only unpaid ones are cancelled." in result.stderr
    assert state(app, number) == ("fulfilled", "none")
    assert history(app, number) == []
    assert left(app, slug) == 1


@pytest.mark.parametrize("told", [["partial"], ["partial", "canceled"]])
def test_an_order_for_which_a_part_came_is_not_cancelled(
    app: Flask, runner: FlaskCliRunner, slug: str, number: str, told: list[str]
) -> None:
    for status in told[:-1]:
        provider_told(app, number, status)
    with provider(app) as calls:
        calls.invoice_is(told[-1])
        result = does(runner, "orders", "cancel", number, *BY)

    assert result.exit_code == 1
    assert f"Money has come for order {number}: use `orders confirm`" in result.stderr
    assert left(app, slug) == 1


def test_a_provider_that_is_down_does_not_keep_an_order_open(
    app: Flask, runner: FlaskCliRunner, number: str
) -> None:
    with provider(app) as calls:
        calls.add(responses.GET, calls.info_url, status=500)
        result = does(runner, "orders", "cancel", number, *BY)

    assert result.stdout == f"{number} is cancelled.\n"
    provider_told(app, number, "paid")
    assert state(app, number) == ("fulfilled", "paid_late")


def test_a_refund_is_first_due_and_then_done(
    app: Flask, runner: FlaskCliRunner, slug: str, number: str
) -> None:
    provider_told(app, number, "paid")

    due = does(runner, "orders", "refund", number, *BY)
    waiting = items(app)
    again = does(runner, "orders", "refund", number, *BY)
    done = does(runner, "orders", "refund", number, *PROOF, *BY)
    too_often = does(runner, "orders", "refund", number, *PROOF, *BY)

    assert (due.stdout, done.stdout) == (f"{number} is refund_due.\n", f"{number} is refunded.\n")
    assert f"A refund of order {number} is due already" in again.stderr
    assert f"Order {number} is refunded: there is nothing to refund." in too_often.stderr
    assert history(app, number) == [
        ("refund_due", "The buyer wrote to us", "Ann"),
        ("refunded", "transaction 0xfeed: The buyer wrote to us", "Ann"),
    ]
    assert (waiting, items(app)) == ([("refund_due", "")], [("refund_due", "Ann")])
    assert letters(app) == ["order-placed", "order-delivered", "refund-due"]
    assert left(app, slug) == 1, "what was handed over is not sold to somebody else"


def test_a_refund_that_was_made_already_is_noted_at_once(
    app: Flask, runner: FlaskCliRunner, sold_out: tuple[str, str]
) -> None:
    number, slug = sold_out

    result = does(runner, "orders", "refund", number, *PROOF, *BY)

    assert result.stdout == f"{number} is refunded, no_stock.\n"
    assert items(app) == [("no_stock", "Ann")]
    assert "refund-due" not in letters(app)
    assert left(app, slug) == 0


def test_what_was_not_handed_over_goes_back_on_sale(
    app: Flask, runner: FlaskCliRunner, slug: str
) -> None:
    with app.app_context():
        key = make_product(kind=DeliveryKind.KEY, keys=1)
        key_slug = key.slug
        number = make_open_order(app, product_named(slug), key)[0].number
        with transaction() as session:  # the key is withdrawn while the buyer pays
            session.execute(delete(LicenceKey))
    provider_told(app, number, "paid")
    assert state(app, number) == ("paid", "none")

    does(runner, "orders", "refund", number, *BY)

    with reading(app, number) as order:
        states = [delivery.state for delivery in deliveries_of(order.id)]
    assert states == [DeliveryState.DELIVERED, DeliveryState.WAITING]
    assert items(app) == [("keys_short", "Ann"), ("refund_due", "")]
    assert (left(app, slug), left(app, key_slug)) == (2, 1)
    found = json.loads(does(runner, "orders", "show", number, "--json").stdout)
    page = app.test_client().get(urlsplit(found["url"]).path).text
    assert "The goods of product" not in page, "who gets the money back gives them up"
    assert "Being prepared" not in page


@pytest.mark.parametrize("command", ["confirm", "cancel"])
def test_nothing_is_decided_while_the_invoice_is_being_made(
    app: Flask, runner: FlaskCliRunner, command: str
) -> None:
    with app.app_context():
        number = make_order(app)[0].number

    result = does(runner, "orders", command, number, *(PROOF if command == "confirm" else ()), *BY)

    assert result.exit_code == 1
    assert "is being made; try again" in result.stderr
    assert (state(app, number), history(app, number)) == (("pending", "none"), [])


def test_what_makes_no_sense_in_a_state_is_refused_and_changes_nothing(
    app: Flask, runner: FlaskCliRunner, number: str
) -> None:
    assert "there is nothing to refund" in does(runner, "orders", "refund", number, *BY).stderr
    with provider(app) as calls:
        calls.invoice_is("created")
        does(runner, "orders", "cancel", number, *BY)
        again = does(runner, "orders", "cancel", number, *BY)
    refund = does(runner, "orders", "refund", number, *PROOF, *BY)

    assert f"Order {number} is cancelled already; its stock is back on sale." in again.stderr
    assert "there is nothing to refund" in refund.stderr
    assert [kind for kind, _, _ in history(app, number)] == ["cancelled"]


BAD = ["", "  ", "a\nb", "\x1b[2J", "A\x00n", "\u202e"]
WORDS = [
    *((["--reason", text, "--who", "Ann"], "--reason") for text in [*BAD, "x" * 501]),
    *((["--reason", "why", "--who", text], "--who") for text in [*BAD, "x" * 81]),
    (["--reason", "why"], "--who"),
    (["--who", "Ann"], "--reason"),
]


@pytest.mark.parametrize("engine", ["sqlite"])
@pytest.mark.parametrize("command", ["confirm", "cancel", "refund"])
def test_words_that_cannot_stand_in_the_history_are_refused(
    app: Flask, runner: FlaskCliRunner, number: str, command: str
) -> None:
    for words, blamed in WORDS:
        result = does(
            runner, "orders", command, number, *PROOF[: 2 * (command == "confirm")], *words
        )

        assert result.exit_code == 2, words
        assert f"'{blamed}'" in result.stderr
    assert (state(app, number), history(app, number)) == (("pending", "none"), [])


@pytest.mark.parametrize("engine", ["sqlite"])
def test_a_confirmation_needs_its_proof(app: Flask, runner: FlaskCliRunner, number: str) -> None:
    for proof in [(), *(("--transaction", text) for text in [*BAD, "x" * 81])]:
        result = does(runner, "orders", "confirm", number, *proof, *BY)

        assert result.exit_code == 2, proof
        assert "'--transaction'" in result.stderr
    assert state(app, number) == ("pending", "none")


@pytest.mark.parametrize(
    ("told", "decisions"),
    [
        ((), ["confirm", "cancel"]),
        (("partial",), ["confirm"]),
        (("partial", "canceled"), ["confirm", "refund"]),
        (("paid",), ["refund"]),
    ],
)
def test_an_order_says_what_can_be_decided_about_it(
    app: Flask, runner: FlaskCliRunner, number: str, told: tuple[str, ...], decisions: list[str]
) -> None:
    for word in told:
        provider_told(app, number, word)

    shown = json.loads(does(runner, "orders", "show", number, "--json").stdout)

    assert shown["decisions"] == decisions
    for decision in {"cancel", "refund"} - set(decisions):
        assert does(runner, "orders", decision, number, *BY).exit_code == 1


def test_of_a_refund_that_is_due_only_its_end_is_left(
    runner: FlaskCliRunner, sold_out: tuple[str, str]
) -> None:
    number, _ = sold_out
    left = []
    for more in ([], PROOF):
        does(runner, "orders", "refund", number, *more, *BY)
        left.append(json.loads(does(runner, "orders", "show", number, "--json").stdout))

    assert [(each["status"], each["decisions"]) for each in left] == [
        ("refund_due", ["refund"]),
        ("refunded", []),
    ]
