"""The provider may send its postbacks again, in any order and all at once; each order is fulfilled once."""

from __future__ import annotations

import random
import threading

import pytest
from flask import Flask

from shop.catalogue.models import DeliveryKind
from shop.config import Settings
from shop.payments.opening import open_invoice
from shop.payments.sweep import sweep
from tests.factories import gateway, make_order, make_product, make_token, provider
from tests.support.crowd import at_once
from tests.support.forgeries import ADDRESS
from tests.support.ledger import tally, violations
from tests.support.promises import Promise
from tests.support.standin import StandIn, believe_old_news, not_once, stand_in

Postbacks = list[dict[str, str]]


def place(app: Flask, provider: StandIn, count: int) -> Postbacks:
    """So many open orders for one key each, of exactly as many keys; a postback about each invoice."""
    postbacks = []
    with app.app_context():
        product = make_product(kind=DeliveryKind.KEY, keys=count)
        for _ in range(count):
            _, payment = make_order(app, product)
            open_invoice(payment, provider)  # type: ignore[arg-type]
            assert payment.invoice_id
            postbacks.append({"invoice_id": payment.invoice_id, "order_id": payment.reference})
    return postbacks


def send(app: Flask, settings: Settings, postbacks: Postbacks) -> list[int]:
    """Post these one after the other, each with a token made now."""
    client = app.test_client()
    return [
        client.post(
            ADDRESS, data=postback | {"token": make_token(settings, postback["invoice_id"])}
        ).status_code
        for postback in postbacks
    ]


@pytest.mark.promise(2)
@pytest.mark.parametrize(
    ("invoices", "copies", "threads"),
    [(20, 5, 8), pytest.param(1000, 10, 64, marks=pytest.mark.long)],
)
def test_shuffled_duplicates_from_many_threads_fulfil_each_order_once(
    app: Flask, settings: Settings, invoices: int, copies: int, threads: int, promise: Promise
) -> None:
    postbacks = place(app, StandIn(gateway(app)), invoices)
    crowd = postbacks * copies
    random.shuffle(crowd)

    with provider(app) as calls:
        calls.invoice_is("paid")
        answers = at_once(threads, lambda n: send(app, settings, crowd[n::threads]))
        with app.app_context():
            sweep(gateway(app))  # whoever found too many calls waiting left it to the sweep

    promise.cases += len(crowd)
    truth = {postback["invoice_id"]: "paid" for postback in postbacks}
    assert {status for some in answers for status in some} == {200}
    assert sum(len(some) for some in answers) == invoices * copies
    found = violations(app, truth, settled=True, orders=invoices)
    assert tally(promise, found + not_once(app)) == []


@pytest.mark.promise(2)
@pytest.mark.parametrize("guarded", [True, False])
def test_duplicates_that_have_all_asked_before_the_first_settles_fulfil_once(
    app: Flask,
    settings: Settings,
    guarded: bool,
    promise: Promise,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With the control: if settling did not look again under its lock, the order would be paid four times."""
    own = stand_in(app)
    postbacks = place(app, own, 1)
    own.truth = {postbacks[0]["invoice_id"]: "paid"}
    own.before_answer = threading.Barrier(4, timeout=60).wait
    if not guarded:
        believe_old_news(app, monkeypatch)

    answers = at_once(4, lambda n: send(app, settings, postbacks))

    assert answers == [[200]] * 4
    assert len(own.asked) == 4
    if not guarded:
        assert any("4 times paid" in sentence for sentence in not_once(app))
        return
    promise.cases += 4
    found = violations(app, own.truth, settled=True, orders=1)
    assert tally(promise, found + not_once(app)) == []
