"""A provider that tests hold in their hands, and what an order looks like that was fulfilled twice."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select, text
from sqlalchemy.orm import Session
from sqlalchemy.orm.attributes import set_committed_value

from shop.db import db, transaction
from shop.money import Money
from shop.orders.models import Order, OrderEvent, OrderStatus
from shop.outbox.models import OutboxMail
from shop.payments import settling
from shop.payments.cryptocloud import CryptoCloud, Invoice, InvoiceInfo, InvoiceStatus, Unclear
from shop.payments.models import Payment, PaymentState

ONCE = ("paid", "delivered", "fulfilled", "order-delivered")
"""What an order with one line has exactly one of, once it is fulfilled: events, and the mail.

The first mail is rationed: of many orders to one address not each has one.
"""


class StandIn:
    """In place of the client, without a network between. `truth` is what it says about invoices."""

    batch = 1
    clock_ahead = None
    lists_invoices = False

    def __init__(self, real: CryptoCloud, truth: dict[str, str] | None = None) -> None:
        self.read_postback = real.read_postback
        self.truth = {} if truth is None else truth
        self.asked: list[str] = []
        self.down = False
        self.unclear = set[str]()
        """About these it never says anything of use."""
        self.before_answer: Callable[[], Any] = lambda: None

    def create_invoice(self, amount: Money, *, reference: str, email: str | None = None) -> Invoice:
        with _numbering:
            invoice_id = f"S{len(self.truth):07}"
            self.truth[invoice_id] = "created"
        return Invoice(invoice_id, f"http://127.0.0.1:5001/{invoice_id}")

    def check_key(self) -> None:
        if self.down:
            raise Unclear("no answer in time")

    def invoice_infos(
        self, ids: Sequence[str], *, seconds: float | None = None
    ) -> dict[str, InvoiceInfo]:
        self.asked += ids
        self.before_answer()
        if self.down or self.unclear.intersection(ids):
            raise Unclear("no answer in time")
        return {id_: InvoiceInfo(InvoiceStatus(self.truth[id_])) for id_ in ids}

    def find_invoice(self, reference: str, amount: Money, since: datetime) -> Invoice | None:
        return None

    def cancel_invoice(self, invoice_id: str) -> None:
        """As v1: nothing."""


_numbering = threading.Lock()


def stand_in(app: Flask) -> StandIn:
    """Put one in the client's place."""
    made = StandIn(app.extensions["cryptocloud"])
    app.extensions["cryptocloud"] = made
    return made


def history(app: Flask) -> dict[str, Counter[str]]:
    """By order number: how often each thing happened that must happen once."""
    with app.app_context():
        found = {number: Counter[str]() for number in db.session.scalars(select(Order.number))}
        events = select(Order.number, OrderEvent.kind).join(OrderEvent.order)
        mails = select(Order.number, OutboxMail.kind).join(OutboxMail.order)
        for query in (events, mails):
            for number, kind in db.session.execute(query):
                found[number][kind] += 1
    return found


def not_once(app: Flask) -> list[str]:
    """What is wrong with orders that should all be fulfilled, exactly once; the ledger's words."""
    return [
        f"{'doubled' if counts[kind] else 'lost'}: order {number} is {counts[kind]} times {kind}"
        for number, counts in history(app).items()
        for kind in ONCE
        if counts[kind] != 1
    ]


def believe_old_news(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    """The protection off: settling decides by what was so before the call, and no trigger objects."""
    lock = settling.lock_payment

    def blind(session: Session, order_id: int, payment_id: int) -> tuple[Order, Payment]:
        order, payment = lock(session, order_id, payment_id)
        set_committed_value(order, "status", OrderStatus.PENDING)
        set_committed_value(payment, "state", PaymentState.OPEN)
        set_committed_value(payment, "provider_status", "")
        return order, payment

    monkeypatch.setattr("shop.payments.settling.lock_payment", blind)
    with app.app_context(), transaction() as session:
        on_sqlite = db.engine.dialect.name == "sqlite"
        for table, column in (("orders", "status"), ("payments", "state")):
            of = "" if on_sqlite else f" ON {table}"
            session.execute(text(f"DROP TRIGGER tr_{table}_{column}{of}"))
