"""How much one buyer may have without paying: the rows are counted in the order's own transaction.

Three things are counted: orders that wait for money, by email address and by network; the units that they
hold, by product; and how fast orders come, by network. Paid orders do not count. Anybody can type anybody's
address, so an owner who has shown that it is theirs (orderpage/owners.py) is counted apart.

An order that costs nothing waits for no money. Such orders are counted apart, for as long as they would wait, and
do not count against paid ones; each takes one of the few mails that an address gets in a day. An address gets each
free product once, for as long as the notes are kept.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection
from datetime import datetime, timedelta
from typing import NamedTuple

import structlog
from sqlalchemy import (
    ColumnElement,
    bindparam,
    delete,
    exists,
    func,
    or_,
    select,
)
from sqlalchemy.orm import Session

from ..config import current_settings
from ..db import db, execute, insert_row, rows_changed, transaction, utcnow
from ..orders.models import HAS_GOODS, Order, OrderLine, OrderStatus
from ..outbox.on_request import MailboxUsedUp, take_mail
from ..payments.models import FRUITLESS, Payment
from ..payments.times import A_DAY, price_stands_for
from ..web.network import mailbox_key
from .counting import (
    Counting,
    Whose,
    is_of,
    is_unpaid,
    orders_waiting_of,
    units_available_and_held_by,
    young_free_orders_of,
)
from .models import Placement

log = structlog.get_logger()

UNPAID_PER_CLIENT = 5
PLACED_PER_CLIENT = 10
"""Both are times SHOP_UNPAID_ORDERS, which is for one address: many people share a network or its exit."""
PACE = timedelta(hours=1)
ATTEMPTS_PER_CLIENT = 20
"""Attempts to pay, of all orders of one network, that may fail within ATTEMPTS_WITHIN."""
ATTEMPTS_WITHIN = timedelta(minutes=1)


_LOCK = select(func.pg_advisory_xact_lock(func.hashtextextended(bindparam("key"), 0)))


class OverLimit(Exception):
    """This buyer may not place this order, or not now; `whose` says what was counted, `title` of which product."""

    whose, title = "buyer", ""

    @property
    def is_of_address(self) -> bool:
        """Whether the limit is one of an email address: its owner can show that it is theirs, and go on."""
        return self.whose in ("buyer", "mails")


class TooManyOrders(OverLimit):
    """This buyer may place the next order at `until`; `whose` says what was counted."""

    def __init__(self, whose: str, until: datetime) -> None:
        self.whose, self.until = whose, until
        super().__init__(f"too many orders by {whose}")


class HoldsTooMuch(OverLimit):
    """One buyer may not hold so many units of `title` unpaid; `left` says how many more they may."""

    def __init__(self, title: str, left: int, *, free: bool = False) -> None:
        self.title, self.left, self.free = title, left, free
        super().__init__(f"holds too much: {left} left")


class HasItAlready(OverLimit):
    """The product `title` is free once for each email address, and this address has had it."""

    def __init__(self, title: str) -> None:
        self.title = title
        super().__init__("has it already")


class Wanted(NamedTuple):
    """So many units of a product that somebody wants to order."""

    product_id: int
    title: str
    quantity: int
    is_free: bool


def check_limits(
    session: Session, wanted: Collection[Wanted], *, email: str, client: str, proven: bool
) -> Placement:
    """Return a note of who orders this, for `note_placement`; OverLimit if they may not.

    `client` is the hash of the buyer's network; `proven` says whether the address was shown to be theirs.
    Call it first in the order's transaction: buyers who are counted together wait here for each other.
    """
    placement = Placement(buyer=mailbox_key(email), proven=proven, client=client)
    lock_buyer(session, placement)
    if all(line.is_free for line in wanted):
        _limit_free_orders(session, placement)
        _limit_mails(session, email, proven=proven)
    else:
        _limit_orders(session, placement)
    if placement.client:
        _limit_pace(session, placement)
    for line in wanted:
        if line.is_free:
            _limit_free(session, placement, line.product_id, line.title)
        _limit_units(
            session, placement, line.product_id, line.quantity, line.title, free=line.is_free
        )
    return placement


def note_placement(session: Session, placement: Placement, order_id: int) -> None:
    """Store who placed this order, in the commit that makes it, for the limits to count."""
    insert_row(
        session,
        Placement,
        order_id=order_id,
        buyer=placement.buyer,
        proven=placement.proven,
        client=placement.client,
    )


def check_limits_again(session: Session, order: Order, *, proven: bool = False) -> None:
    """Check the limits for an order that is to be paid anew: while it was expired, it did not count.

    Failed attempts to pay are limited too, by network: while the provider refuses, nobody can have it asked
    about many orders at once.
    """
    placement = session.scalar(select(Placement).where(Placement.order_id == order.id))
    if placement is None:  # forget_placements deleted it, once the order's price was over
        return
    placement.proven = placement.proven or proven
    lock_buyer(session, placement)
    if placement.client:
        _limit_attempts(session, placement)
    if order.status is not OrderStatus.EXPIRED:
        return
    _limit_orders(session, placement)
    for line in order.lines:
        if line.product_id:
            _limit_units(session, placement, line.product_id, line.quantity, line.title)


def lock_buyer(session: Session, placement: Placement) -> None:
    """Wait for other orders of the same address or network: two at once would not count each other.

    On SQLite the transaction itself is the queue. The order of the locks rules out a deadlock.
    """
    if session.get_bind().dialect.name == "sqlite":
        return
    for key in sorted(filter(None, (placement.buyer, placement.client))):
        execute(session, _LOCK, {"key": key})


def forget_placements(now: datetime | None = None) -> None:
    """Delete the notes that nothing counts any more."""
    now = now or utcnow()
    waits = exists().where(Order.id == Placement.order_id, Order.status == OrderStatus.PENDING)
    # An order that expired can be paid anew while its price stands, and then counts again.
    kept_for = price_stands_for() + A_DAY
    old = delete(Placement).where(Placement.placed_at < now - kept_for, ~waits)
    with transaction("forget") as session:
        rows_changed(session, old)


def counted_for(whose: ColumnElement[bool]) -> list[Placement]:
    """The notes that count: of unpaid orders, of those with something free, and of those of the last hour."""
    now = utcnow()
    counts = or_(is_unpaid(now), _has_free(), Placement.placed_at > now - PACE)
    query = select(Placement).join(Placement.order).where(whose, counts)
    return list(db.session.scalars(query.order_by(Placement.placed_at)))


def lift_limits(session: Session, order_ids: list[int]) -> None:
    """Delete the notes of these orders, so that no limit counts them: a person decided it."""
    rows_changed(session, delete(Placement).where(Placement.order_id.in_(order_ids)))


def _limit_orders(session: Session, placement: Placement) -> None:
    _limit_count(session, placement, orders_waiting_of, "buyer", "client")


def _limit_free_orders(session: Session, placement: Placement) -> None:
    """Allow as many free orders in a day as orders may wait for money."""
    _limit_count(session, placement, young_free_orders_of, "mails", "pace")


def _limit_count(
    session: Session,
    placement: Placement,
    orders_of: Callable[[Whose], Counting],
    buyer: str,
    client: str,
) -> None:
    allowed = current_settings().shop_unpaid_orders
    _limit_unpaid(session, placement, orders_of(_whose(placement)), buyer, allowed)
    if placement.client:
        most = allowed * UNPAID_PER_CLIENT
        _limit_unpaid(session, placement, orders_of("client"), client, most)


def _whose(placement: Placement) -> Whose:
    """Those of the same address. If its owner places this one, those that a stranger placed do not count."""
    return "owner" if placement.proven else "buyer"


def _facts(placement: Placement) -> dict[str, object]:
    """What the statements of counting.py are run with."""
    return {"buyer": placement.buyer, "client": placement.client, "now": utcnow()}


def _has_free(*of: ColumnElement[bool]) -> ColumnElement[bool]:
    """Whether a placement's order has delivered a free line for which the conditions in `of` hold."""
    given = exists().where(Order.id == OrderLine.order_id, Order.status.in_(HAS_GOODS))
    free = OrderLine.unit_minor == 0
    return exists().where(OrderLine.order_id == Placement.order_id, free, given, *of)


def _limit_free(session: Session, placement: Placement, product_id: int, title: str) -> None:
    """Refuse a free product to an address that has had it: otherwise one robot would take them all."""
    had = _has_free(OrderLine.product_id == product_id)
    query = select(Placement.order_id).where(is_of(_whose(placement)), had)
    if session.scalar(query.limit(1), _facts(placement)) is not None:
        raise HasItAlready(title)


def _limit_mails(session: Session, email: str, *, proven: bool) -> None:
    """Take one of the address's mails of today, so that free orders cannot fill a stranger's mailbox."""
    try:
        take_mail(session, email, owner=proven)
    except MailboxUsedUp as used:
        raise TooManyOrders("mails", used.until) from None


def _limit_unpaid(
    session: Session, placement: Placement, orders: Counting, whose: str, most: int
) -> None:
    count, first_end = session.connection().execute(orders, _facts(placement)).one()
    if count >= most:
        raise TooManyOrders(whose, first_end)


def _limit_pace(session: Session, placement: Placement) -> None:
    since = utcnow() - PACE
    query = select(func.count(), func.min(Placement.placed_at)).where(
        Placement.client == placement.client, Placement.placed_at > since
    )
    count, first = session.execute(query).one()
    if count >= current_settings().shop_unpaid_orders * PLACED_PER_CLIENT:
        raise TooManyOrders("pace", first + PACE)


def _limit_attempts(session: Session, placement: Placement) -> None:
    query = (
        select(func.count(), func.min(Payment.created_at))
        .join(Placement, Placement.order_id == Payment.order_id)
        .where(Placement.client == placement.client, Payment.state.in_(FRUITLESS))
        .where(Payment.attempt > 1, Payment.created_at > utcnow() - ATTEMPTS_WITHIN)
    )
    count, first = session.execute(query).one()
    if count >= ATTEMPTS_PER_CLIENT:
        raise TooManyOrders("attempts", first + ATTEMPTS_WITHIN)


def _limit_units(
    session: Session,
    placement: Placement,
    product_id: int,
    quantity: int,
    title: str,
    *,
    free: bool = False,
) -> None:
    """Refuse units over the buyer's share of the stock, so that nobody takes a product off sale unpaid."""
    units = units_available_and_held_by(_whose(placement), or_client=bool(placement.client))
    about = _facts(placement) | {"product_id": product_id}
    available, held = tuple(execute(session, units, about).one())
    if available is None or available < quantity:
        return  # unlimited; or sold out, which whoever takes them says
    most = max(1, math.ceil((available + held) * current_settings().shop_unpaid_share / 100))
    if held + quantity > most:
        raise HoldsTooMuch(title, max(0, most - held), free=free)
