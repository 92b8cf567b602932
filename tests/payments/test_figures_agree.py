"""Figures of different parts of the shop of which one must outlast the other."""

from __future__ import annotations

from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import update

from shop import db as database
from shop.config import LONGEST_LATE_HOURS, WATCH_MARGIN, Settings
from shop.db import transaction, utcnow
from shop.limits.models import Placement
from shop.limits.service import forget_placements
from shop.orders.models import Order, OrderStatus
from shop.payments.asking import AT_ONCE, LEAST_SECONDS, SECONDS_FOR_CALLS
from shop.payments.cryptocloud.calls import CALL_SECONDS, CALLS_AT_ONCE
from shop.payments.cryptocloud.v2 import LIST_SECONDS
from shop.payments.opening import can_start_again
from shop.payments.sweep import PARTS
from shop.payments.times import (
    BELIEVE_WITHIN,
    CALL_LEASE,
    GIVE_UP_ASKING_AFTER,
    LONGEST_PAUSE_AFTER_END,
    TIME_FOR,
)
from shop.payments.watching import pause_after
from tests.factories import make_order

A_SWEEP = 60.0


def test_a_call_is_over_before_its_lease_is() -> None:
    assert timedelta(seconds=CALL_SECONDS + 10) < CALL_LEASE, "10 s is what a busy database takes"


def test_a_sweep_is_over_before_the_next_begins_however_slow_the_provider_is() -> None:
    assert AT_ONCE <= CALLS_AT_ONCE * 2 / 3
    end = 0.0
    for part, share in PARTS:
        calls = {"forget_lost_calls": LIST_SECONDS}.get(part.__name__, 0.0) + CALL_SECONDS
        asks = part.__name__ in (
            *("forget_lost_calls", "expire_orders", "check_due_payments", "judge_postbacks"),
        )
        last_begins = max(share * SECONDS_FOR_CALLS, end + LEAST_SECONDS)
        end = last_begins + calls if asks else end
    assert end <= A_SWEEP + 1, "and what is told is written down meanwhile"


def test_the_audit_waits_for_longer_than_the_sweep_does() -> None:
    assert TIME_FOR["creating"] > CALL_LEASE
    assert TIME_FOR["unknown"] > GIVE_UP_ASKING_AFTER
    assert TIME_FOR["judging"] > BELIEVE_WITHIN
    assert TIME_FOR["answering"] > WATCH_MARGIN
    longest_watch = timedelta(hours=LONGEST_LATE_HOURS) + WATCH_MARGIN
    assert TIME_FOR["answering at the longest"] > LONGEST_PAUSE_AFTER_END
    assert pause_after(longest_watch) < LONGEST_PAUSE_AFTER_END
    assert TIME_FOR["answering"] > pause_after(TIME_FOR["answering at long intervals"])


@pytest.mark.parametrize("hours", [24, 720])
def test_who_placed_an_order_is_known_for_as_long_as_it_can_be_paid_anew(
    app: Flask, settings: Settings, hours: int
) -> None:
    """And an order can be paid anew at all, however long its first invoice lived."""
    app.config["SETTINGS"] = settings.model_copy(update={"cryptocloud_invoice_hours": hours})
    with app.app_context():
        order, _ = make_order(app)
        with transaction() as session:
            session.execute(
                update(Order).values(status=OrderStatus.CANCELLED)
            )  # nobody waits for it
        later = utcnow() + timedelta(hours=hours)
        assert can_start_again(order, later + timedelta(days=5))
        assert not can_start_again(order, later + timedelta(days=7))

        forget_placements(later + timedelta(days=6))
        assert database.db.session.query(Placement).count() == 1
        forget_placements(later + timedelta(days=8))
        assert database.db.session.query(Placement).count() == 0
