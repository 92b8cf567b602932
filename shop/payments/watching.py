"""How long an invoice is looked at, and how often."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_, case, func, literal, or_, select, union_all

from ..catalogue.models import Product
from ..columns import UtcDateTime
from ..config import WATCH_MARGIN, current_settings
from ..db import db
from ..orders.models import Order, OrderLine
from .models import Payment
from .times import A_DAY, CHECK_AFTER, HOUR, PART_OF_AGE, WATCH_PARTIAL


def late_time(order: Order) -> timedelta:
    """How long after an order's end its money still counts: as long as the strictest of its products allows."""
    default = current_settings().shop_late_payment_hours
    own = [line.product.honour_late_hours for line in order.lines if line.product]
    return timedelta(hours=min((default if one is None else one for one in own), default=default))


def is_watched(now: datetime) -> ColumnElement[bool]:
    """Whether a payment's money may still come and count, so that its invoice must be asked about.

    It may for `late_time` and WATCH_MARGIN after the end of the invoice or of its order. The order's end
    moves when the order is paid anew, and then counts for the older invoices as well.
    """
    default = current_settings().shop_late_payment_hours
    strictest = (
        select(func.min(func.coalesce(Product.honour_late_hours, default)))
        .join(OrderLine, OrderLine.product_id == Product.id)
        .where(OrderLine.order_id == Payment.order_id)
        .scalar_subquery()
    )
    # A case for each figure in use, because the two engines add hours in different ways.
    begun = {
        hours: literal(now - WATCH_MARGIN - timedelta(hours=hours), UtcDateTime)
        for hours in _hours_in_use()
    }
    counts = _ended_after(case(begun, value=func.coalesce(strictest, default)))
    with_part = _ended_after(literal(now - WATCH_PARTIAL, UtcDateTime))
    return or_(counts, and_(Payment.part_came, with_part))


def is_recent(now: datetime) -> ColumnElement[bool]:
    """Whether a payment's invoice or its order has ended so lately that `is_watched` may hold; others need no look.

    Each side is found by an index of its own.
    """
    longest = max(WATCH_MARGIN + timedelta(hours=max(_hours_in_use())), WATCH_PARTIAL)
    since = literal(now - longest, UtcDateTime)
    left = select(Payment.id).where(
        Payment.next_check_at.is_(None), Payment.invoice_id.is_not(None)
    )
    by_end = left.where(Payment.expires_at > since)
    by_beginning = left.where(Payment.expires_at.is_(None), Payment.ends_at > since)
    by_order = select(Payment.id).join(Payment.order).where(Order.expires_at > since)
    return Payment.id.in_(union_all(by_end, by_beginning, by_order))


def _hours_in_use() -> set[int]:
    known = select(Product.honour_late_hours).where(Product.honour_late_hours.is_not(None))
    return {current_settings().shop_late_payment_hours, *db.session.scalars(known.distinct())}


def _ended_after(moment: ColumnElement[datetime]) -> ColumnElement[bool]:
    order_ends = select(Order.expires_at).where(Order.id == Payment.order_id).scalar_subquery()
    return or_(Payment.ends_at > moment, order_ends > moment)


def next_check(opened_at: datetime, ends_at: datetime, now: datetime) -> datetime:
    """When to ask about an invoice again: ever less often while it grows older.

    Hourly until a day after its end, and then at pauses that grow with the time since.
    """
    due = min(opened_at, now)  # a clock that was set back must not make anything wait for it
    for pause in CHECK_AFTER:
        due += pause
        if due > now:
            return due
    return now + pause_after(now - ends_at)


def pause_after(age: timedelta) -> timedelta:
    """The pause between questions about an invoice that ended so long ago, or has not ended yet."""
    return age / PART_OF_AGE if age > A_DAY else HOUR
