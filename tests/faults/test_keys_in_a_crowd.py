"""However many buy licence keys at once: each key is shown to one buyer, and none is lost."""

from __future__ import annotations

import dataclasses
import re
from collections import Counter
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from flask import Flask
from sqlalchemy import select
from sqlalchemy.orm import Session

from shop.catalogue.models import DeliveryKind, Product
from shop.config import Settings
from shop.db import DatabaseBusy, db, end_read
from shop.fulfilment.models import Delivery, LicenceKey
from shop.orders.links import order_url
from shop.payments.checking import refresh
from shop.payments.queries import find_payment_by_invoice
from shop.sandbox.invoices import Action
from shop.sandbox.state import Sandbox
from tests.conftest import settings_for
from tests.factories import add_keys, gateway, make_product
from tests.support.crowd import FilledForm, at_once, fill_in, outcome
from tests.support.ledger import tally, truth_of, violations
from tests.support.promises import Promise
from tests.support.sold import unsold_keys

pytestmark = pytest.mark.promise(7)

BUYERS = 64
SIZES = [
    pytest.param(12, 20, 2, id="small"),
    pytest.param(BUYERS, 10_000, 25, id="full", marks=pytest.mark.long),
]
"""Buyers at a time, keys in stock, and how many of them each buyer wants."""


@pytest.fixture
def settings(
    tmp_path: Path, database_url: str, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> Settings:
    # All are let through to the provider at once: it is the keys that they shall fight for.
    monkeypatch.setattr("shop.payments.cryptocloud.calls.CALLS_AT_ONCE", BUYERS)
    return settings_for(sandbox, tmp_path / "data", database_url)


def stock_up(app: Flask, keys: int) -> str:
    """A product with so many keys; its slug."""
    with app.app_context():
        product = make_product(kind=DeliveryKind.KEY)
        assert add_keys(product, (f"KEY-{n:05}" for n in range(keys))) == (keys, 0)
        end_read()
        return product.slug


class Crowd:
    """Buyers who each check out, pay, and write down the keys on their order page."""

    def __init__(self, app: Flask, sandbox: Sandbox, form: FilledForm, buyers: int) -> None:
        self.app, self.sandbox, self.form, self.buyers = app, sandbox, form, buyers
        # On a busy machine some of the calls last longer than a shop would wait for.
        patient = dataclasses.replace(app.extensions["cryptocloud"], call_seconds=60)
        app.extensions["cryptocloud"] = patient
        self.seen: list[str] = []

    def comes(self) -> Counter[str]:
        """All buy at the same moment: how many of them got what."""
        return Counter(at_once(self.buyers, self._buy))

    def _buy(self, number: int) -> str:
        answer = self.form.insist(f"{len(self.seen)}-{number}")
        if outcome(answer) != "sold":
            return outcome(answer)
        invoice = answer.headers["Location"].rpartition("/")[2]
        self.sandbox.act(invoice, Action.PAY)
        while not (page := self._paid(invoice)):
            pass
        self.seen += sorted(set(re.findall(r"KEY-\d{5}", self.app.test_client().get(page).text)))
        return "sold"

    def _paid(self, invoice: str) -> str | None:
        """Where the order is, once the shop has seen its money; None while it is too busy to look."""
        with self.app.app_context():
            payment = find_payment_by_invoice(invoice)
            assert payment
            try:
                refresh(payment, gateway(self.app))
            except DatabaseBusy:
                return None
            return urlsplit(order_url(payment.order)).path


@pytest.mark.parametrize(("buyers", "keys", "each"), SIZES)
def test_no_key_is_handed_to_two_of_many_buyers(
    app: Flask, sandbox: Sandbox, promise: Promise, buyers: int, keys: int, each: int
) -> None:
    slug = stock_up(app, keys)
    crowd = Crowd(app, sandbox, fill_in(app, slug, quantity=each), buyers)
    got = Counter[str]()

    while got["sold out"] == 0:
        got += crowd.comes()

    promise.cases += got.total()
    assert set(got) == {"sold", "sold out"}
    assert got["sold"] == keys // each
    assert len(crowd.seen) == len(set(crowd.seen)) == keys, "every key was shown to one buyer"
    with app.app_context():
        product = db.session.scalars(select(Product)).one()
        assert (unsold_keys(product.id), product.available) == (0, 0)
    found = violations(app, truth_of(sandbox), settled=True, orders=got["sold"])
    assert tally(promise, found) == []


@pytest.mark.parametrize("engine", ["sqlite", pytest.param("postgresql", marks=pytest.mark.long)])
def test_keys_that_are_read_before_they_are_taken_go_to_many(
    app: Flask, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control: whoever hands out the keys that everybody has seen first hands them out again."""

    def naive(session: Session, delivery: Delivery, product: Product) -> bool:
        first = select(LicenceKey).where(LicenceKey.product_id == product.id)
        keys = session.scalars(first.order_by(LicenceKey.id).limit(delivery.line.quantity))
        for unit, key in enumerate(keys, start=1):
            key.delivery_id, key.unit = delivery.id, unit
        return True

    few = 8
    slug = stock_up(app, 2 * few)
    crowd = Crowd(app, sandbox, fill_in(app, slug, quantity=2), few)
    monkeypatch.setattr("shop.fulfilment.service._hand_out_keys", naive)

    assert crowd.comes() == {"sold": few}

    assert len(set(crowd.seen)) == 2, "all have got the same two keys"
    wrong = violations(app, truth_of(sandbox), settled=True, orders=few)
    assert any("wrong_keys" in sentence for sentence in wrong), "and so does the checker"
