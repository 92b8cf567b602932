"""What other use cases do to an order inside their own transaction."""

from __future__ import annotations

from collections.abc import Collection
from typing import cast

import structlog
from sqlalchemy import Table, bindparam, update
from sqlalchemy.orm import Session

from ..catalogue.service import return_stock, take_stock
from ..db import rows_changed
from .models import HoldState, Order, StockHold

log = structlog.get_logger()


_holds = cast("Table", StockHold.__table__)
_CHANGE = (  # built once: composing a statement costs more than running it
    update(_holds)
    .where(
        _holds.c.order_id == bindparam("of_order"), _holds.c.product_id == bindparam("of_product")
    )
    .where(_holds.c.state == bindparam("old"))
    .values(state=bindparam("new"))
)


class SoldOut(Exception):
    """There are not enough units left; `product_id` says of what."""

    def __init__(self, product_id: int) -> None:
        self.product_id = product_id
        super().__init__(f"product {product_id} is sold out")


def lock_order(session: Session, order_id: int) -> Order:
    """The order, locked until the commit and read anew. Always locked before its payments and products."""
    return session.get_one(Order, order_id, with_for_update=True, populate_existing=True)


def take_holds(session: Session, order: Order) -> None:
    """Set the order's units aside, in ascending product order so that two orders cannot deadlock.

    Raises SoldOut; the caller's transaction must then not be committed.
    """
    for hold in sorted(order.holds, key=lambda hold: hold.product_id):
        if not take_stock(session, hold.product_id, hold.quantity):
            raise SoldOut(hold.product_id)
        hold.state = HoldState.HELD


def release_holds(
    session: Session,
    order: Order,
    *,
    of: HoldState = HoldState.HELD,
    but: Collection[int | None] = (),
) -> None:
    """Put the order's units in state `of` back on sale, except those of the products in `but`."""
    for hold in sorted(order.holds, key=lambda hold: hold.product_id):
        if hold.product_id not in but and _change_hold(session, hold, of, HoldState.RELEASED):
            return_stock(session, hold.product_id, hold.quantity)


def commit_holds(session: Session, order: Order) -> None:
    """Mark the order's held units as sold."""
    for hold in order.holds:
        _change_hold(session, hold, HoldState.HELD, HoldState.COMMITTED)


def _change_hold(session: Session, hold: StockHold, old: HoldState, new: HoldState) -> bool:
    """Move one hold from `old` to `new`; False when it was not in `old` (checked by the database)."""
    values = {"of_order": hold.order_id, "of_product": hold.product_id, "old": old, "new": new}
    return bool(rows_changed(session, _CHANGE, values))
