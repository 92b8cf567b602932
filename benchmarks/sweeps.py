"""What one sweep settles when the postbacks were lost and the provider takes its time."""

from __future__ import annotations

import json
import logging
from datetime import timedelta
from urllib.request import Request, urlopen

from sqlalchemy import func, select

from benchmarks.checkouts import slow_provider
from demo.stack import Stack
from shop import create_app
from shop.config import load
from shop.db import db, end_read, utcnow
from shop.orders.models import Order, OrderStatus
from shop.payments.sweep import sweep

SOON = timedelta(minutes=10)
"""By then it is the turn of every invoice of the last half hour."""


def settled_by_one_sweep(stack: Stack, seconds: float) -> int:
    """How many orders, when all open invoices are paid and each answer takes `seconds`."""
    worker = next(child for child in stack.children if child.name == "worker")
    worker.ask_to_end()
    worker.end(60)  # or its own sweep would take some of them
    _pay_all_in_silence(stack)
    app = create_app(load(stack.environment))
    logging.disable(logging.WARNING)  # a line for each order would hide the figures
    with app.app_context():
        before = _fulfilled()
        slow_provider(stack, seconds)
        sweep(app.extensions["cryptocloud"], utcnow() + SOON)
        slow_provider(stack, None)
        return _fulfilled() - before


def _pay_all_in_silence(stack: Stack) -> None:
    with urlopen(f"{stack.sandbox_url}/_sandbox/invoices", timeout=60) as answer:
        invoices = json.load(answer)
    data, headers = json.dumps({"postback": "lose"}).encode(), {"Content-Type": "application/json"}
    for invoice in invoices:
        if invoice["status"] == "created":
            url = f"{stack.sandbox_url}/_sandbox/invoices/{invoice['id']}/pay"
            urlopen(Request(url, data, headers), timeout=10).close()


def _fulfilled() -> int:
    done = select(func.count()).where(Order.status == OrderStatus.FULFILLED)
    count = db.session.scalar(done) or 0
    end_read()
    return count
