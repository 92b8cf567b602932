"""What other use cases do to an order inside their own transaction."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import cast

import structlog
from sqlalchemy import Table, bindparam, func, update
from sqlalchemy.orm import Session

from ..because import SHOP
from ..catalogue.service import return_stock, take_stock
from ..columns import UtcDateTime
from ..db import execute, insert_row, insert_rows, rows_changed
from .models import HoldState, Order, OrderEvent, StockHold

log = structlog.get_logger()


# Built once: composing a statement costs more than running it.
_orders, _holds = cast("Table", Order.__table__), cast("Table", StockHold.__table__)
_EXTEND = (
    update(_orders)
    .where(_orders.c.id == bindparam("of_order"))
    .values(
        version=_orders.c.version + 1,
        expires_at=func.coalesce(bindparam("until", type_=UtcDateTime), _orders.c.expires_at),
    )
    .returning(_orders.c.version)
)
_CHANGE = (
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


def extend_history(
    session: Session, order_id: int, kind: str, note: str, expires_at: datetime | None = None
) -> None:
    """Append an entry to the history of a locked order, as `Order.record` does, without loading it.

    If `expires_at` is given, the order ends then.
    """
    values = {"of_order": order_id, "until": expires_at}
    sequence = execute(session, _EXTEND, values).scalar_one()
    insert_row(
        session,
        OrderEvent,
        order_id=order_id,
        sequence=sequence,
        kind=kind,
        note=note,
        who=SHOP,
    )


def take_holds(session: Session, order: Order) -> None:
    """Set the order's units aside, in ascending product order so that two orders cannot deadlock.

    Raises SoldOut; the caller's transaction must then not be committed.
    """
    _take(session, {hold.product_id: hold.quantity for hold in order.holds})
    for hold in order.holds:
        hold.state = HoldState.HELD


def hold_units(session: Session, order_id: int, wanted: Mapping[int, int]) -> None:
    """Set units aside for a new order, by their products' ids; raises SoldOut, as `take_holds` does."""
    holds = [
        {"order_id": order_id, "product_id": product_id, "quantity": quantity}
        for product_id, quantity in wanted.items()
    ]
    insert_rows(session, StockHold, holds)
    _take(session, wanted)


def _take(session: Session, wanted: Mapping[int, int]) -> None:
    for product_id, quantity in sorted(wanted.items()):
        if not take_stock(session, product_id, quantity):
            raise SoldOut(product_id)


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
