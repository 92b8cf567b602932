"""However many look at an order, its invoice is asked about once in a while; one of them takes the turn."""

from __future__ import annotations

from datetime import timedelta

import pytest
from flask import Flask

from shop.db import db, end_read, utcnow
from shop.payments.models import Payment
from shop.payments.service import claim_check
from tests.factories import make_open_order

OFTEN = timedelta(seconds=10)


def test_the_turn_to_ask_comes_again_after_the_pause_and_not_before(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    start, turns = utcnow(), []
    with app.app_context():
        payment = make_open_order(app)[1]
        other = make_open_order(app)[1]
        for seconds in (0, 1, 9.9, 10, 10.1, 19.9, 20):
            now = start + timedelta(seconds=seconds)
            monkeypatch.setattr("shop.payments.service.utcnow", lambda now=now: now)
            turns.append(claim_check(payment, OFTEN))
            end_read()

        assert turns == [True, False, False, True, False, False, True]
        assert db.session.get_one(Payment, payment.id).checked_at == start + 2 * OFTEN
        assert db.session.get_one(Payment, other.id).checked_at is None
