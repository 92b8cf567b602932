"""What the limits count, as statements that are made once: composing one costs more than running it.

They are run with `buyer` and `client`, the keyed hashes of a placement, and `now`.
"""

from __future__ import annotations

import functools
from datetime import datetime
from typing import Literal

from sqlalchemy import BindParameter, ColumnElement, Select, and_, bindparam, func, or_, select

from ..catalogue.models import Product
from ..columns import UtcDateTime
from ..orders.models import HoldState, Order, OrderStatus, StockHold
from .models import Placement

Whose = Literal["buyer", "owner", "client"]
"""Whose orders are counted: those of an address, those that its owner placed, or those of a network."""
Counting = Select[int, datetime]
Moment = datetime | BindParameter[datetime]
_NOW = bindparam("now", type_=UtcDateTime)


def is_of(whose: Whose) -> ColumnElement[bool]:
    """Whether a placement is one of theirs."""
    if whose == "client":
        return Placement.client == bindparam("client")
    same = Placement.buyer == bindparam("buyer")
    return and_(same, Placement.proven) if whose == "owner" else same


@functools.cache
def orders_waiting_of(whose: Whose) -> Counting:
    """How many orders wait for money, and when the first of them ends."""
    return _count_of(whose, Order.status == OrderStatus.PENDING)


@functools.cache
def young_free_orders_of(whose: Whose) -> Counting:
    """The same for orders that cost nothing, and would still wait if they had a price."""
    return _count_of(whose, is_young_and_free(_NOW))


def _count_of(whose: Whose, which: ColumnElement[bool]) -> Counting:
    return (
        select(func.count(), func.min(Order.expires_at))
        .join(Placement, Placement.order_id == Order.id)
        .where(is_of(whose), which)
    )


@functools.cache
def units_available_and_held_by(whose: Whose, *, or_client: bool) -> Select[int | None, int]:
    """How many units of a product are for sale, and how many the unpaid orders hold."""
    same = or_(is_of(whose), is_of("client")) if or_client else is_of(whose)
    held = (
        select(func.sum(StockHold.quantity))
        .join(Placement, Placement.order_id == StockHold.order_id)
        .join(Order, Order.id == StockHold.order_id)
        .where(same, StockHold.product_id == bindparam("product_id"), is_unpaid(_NOW))
        .where(StockHold.state != HoldState.RELEASED)
    )
    units = func.coalesce(held.scalar_subquery(), 0)
    return select(Product.available, units).where(Product.id == bindparam("product_id"))


def is_young_and_free(now: Moment) -> ColumnElement[bool]:
    """Whether an order costs nothing, and is so young that it would still wait for money if it had a price."""
    return and_(Order.total_minor == 0, Order.expires_at > now)


def is_unpaid(now: Moment) -> ColumnElement[bool]:
    """Whether an order waits for money, or is free and young: its units then count as unpaid."""
    return or_(Order.status == OrderStatus.PENDING, is_young_and_free(now))
