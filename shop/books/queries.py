"""SQL statements that find contradictions in the books: things that can never be true of them.

Each check is one statement, so it sees one moment even while others write. None mends anything:
where the books are wrong, a person decides about the money.
"""

from __future__ import annotations

from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import (
    BindParameter,
    Integer,
    Select,
    String,
    and_,
    bindparam,
    case,
    cast,
    exists,
    func,
    literal,
    or_,
    select,
)

from ..attention.models import LONGEST_REFERENCE, AttentionItem
from ..catalogue.models import DeliveryKind, Product, ProductFile
from ..columns import UtcDateTime
from ..fulfilment.files import MISSING
from ..fulfilment.models import Delivery, DeliveryState, LicenceKey
from ..orders.models import (
    HAS_GOODS,
    SETTLED,
    HoldState,
    Order,
    OrderEvent,
    OrderLine,
    OrderStatus,
    StockHold,
)
from ..outbox.models import OutboxMail
from ..payments.models import Payment, PaymentState, Postback

HOLD_OF = {
    OrderStatus.PENDING: HoldState.HELD,
    OrderStatus.PAID: HoldState.COMMITTED,
    OrderStatus.FULFILLED: HoldState.COMMITTED,
    OrderStatus.EXPIRED: HoldState.RELEASED,
    OrderStatus.CANCELLED: HoldState.RELEASED,
}

RECENT = Order.id > bindparam("since", type_=Integer)
Found = Select[*tuple[Any, ...]]
"""A statement whose rows begin with the attention item's reference; rows about an order have its id as ORDER."""
ORDER = "order_id"
_ORDER = Order.id.label(ORDER)


def _limit(name: str) -> BindParameter[datetime]:
    """A moment in the past: what began before it has had all the time that TIME_FOR gives `name`."""
    return bindparam(name, type_=UtcDateTime)


@cache
def money_not_counted() -> Found:
    """Orders with more paid payments than their status accounts for, not counting those a person was told of."""
    told = select(AttentionItem.reference)
    explained = case((Order.status.in_(SETTLED), 1), else_=0)
    return (
        select(Order.number, _ORDER)
        .join(Payment, Payment.order_id == Order.id)
        .where(RECENT, Payment.state == PaymentState.PAID)
        .where(Payment.reference.not_in(told))
        .group_by(Order.id)
        .having(func.count() > explained)
    )


@cache
def paid_without_money() -> Found:
    """Orders that cost something and count as paid, although none of their payments is paid."""
    money = exists().where(Payment.order_id == Order.id, Payment.state == PaymentState.PAID)
    counts = Order.status.in_(HAS_GOODS) & (Order.total_minor > 0)
    return select(Order.number, _ORDER).where(RECENT, counts, ~money)


@cache
def no_payment() -> Found:
    """Orders that nobody can pay, because they were stored without a payment."""
    payment = exists().where(Payment.order_id == Order.id)
    return select(Order.number, _ORDER).where(RECENT, Order.total_minor > 0, ~payment)


@cache
def free_not_given() -> Found:
    """Orders that cost nothing, but were not given away when they were placed, or have a payment."""
    payment = exists().where(Payment.order_id == Order.id)
    wrong = or_(Order.status.not_in(HAS_GOODS), payment)
    return select(Order.number, _ORDER).where(RECENT, Order.total_minor == 0, wrong)


@cache
def wrong_amount() -> Found:
    """Payments whose amount or currency is not that of their order."""
    differs = or_(Payment.amount_minor != Order.total_minor, Payment.currency != Order.currency)
    return select(Payment.reference, _ORDER).join(Order).where(RECENT, differs)


@cache
def wrong_total() -> Found:
    """Orders whose lines do not add up to the total."""
    lines = func.sum(OrderLine.quantity * OrderLine.unit_minor)
    return (
        select(Order.number, _ORDER)
        .outerjoin(OrderLine)
        .where(RECENT)
        .group_by(Order.id)
        .having(func.coalesce(lines, 0) != Order.total_minor)
    )


@cache
def goods_without_money() -> Found:
    """Orders that hand something over and are not paid."""
    return (
        select(Order.number, _ORDER)
        .join(Delivery, Delivery.order_id == Order.id)
        .where(RECENT, Order.status.not_in(SETTLED))
        .distinct()
    )


@cache
def goods_missing() -> Found:
    """Paid orders with a line that has no delivery; fulfilled orders with a delivery that still waits."""
    planned = exists().where(Delivery.order_line_id == OrderLine.id)
    waiting = exists().where(
        Delivery.order_line_id == OrderLine.id, Delivery.state == DeliveryState.WAITING
    )
    return (
        select(Order.number, _ORDER)
        .join(OrderLine)
        .where(RECENT, Order.status.in_(HAS_GOODS), OrderLine.kind.is_not(None))
        .where(or_(~planned, and_(Order.status == OrderStatus.FULFILLED, waiting)))
        .distinct()
    )


@cache
def not_delivered() -> Found:
    """Orders that were paid a while ago and still wait, but not for keys or files that a person knows of."""
    waits = exists().where(Delivery.order_id == Order.id, Delivery.state == DeliveryState.WAITING)
    for_keys = waits.where(Delivery.kind == DeliveryKind.KEY)
    for_a_file = waits.where(
        OrderLine.id == Delivery.order_line_id,
        Product.id == OrderLine.product_id,
        AttentionItem.kind == MISSING,
        or_(
            AttentionItem.reference == func.substr(Product.delivery_file, 1, LONGEST_REFERENCE),
            exists().where(
                ProductFile.product_id == Product.id,
                AttentionItem.reference == func.substr(ProductFile.name, 1, LONGEST_REFERENCE),
            ),
        ),
        AttentionItem.resolved_at.is_(None),
    )
    since = Order.paid_at < _limit("delivering")
    return (
        select(Order.number, _ORDER)
        .where(RECENT, Order.status == OrderStatus.PAID, since)
        .where(~for_keys, ~for_a_file)
    )


@cache
def wrong_keys() -> Found:
    """Deliveries with more or fewer keys than units, or with a key of another product."""
    due = case((Delivery.state == DeliveryState.DELIVERED, OrderLine.quantity), else_=0)
    in_use = LicenceKey.withdrawn_at.is_(None)
    foreign = func.sum(case((LicenceKey.product_id != OrderLine.product_id, 1), else_=0))
    return (
        select(literal("delivery-") + cast(Delivery.id, String), Order.number, _ORDER)
        .join(Order, Delivery.order_id == Order.id)
        .join(OrderLine, Delivery.order_line_id == OrderLine.id)
        .outerjoin(LicenceKey, and_(LicenceKey.delivery_id == Delivery.id, in_use))
        .where(RECENT, Delivery.kind == DeliveryKind.KEY)
        .group_by(Delivery.id, Order.id, Order.number, OrderLine.quantity)
        .having(or_(func.count(LicenceKey.id) != due, foreign > 0))
    )


@cache
def mail_missing() -> Found:
    """Paid orders that have no mail with their goods, sent or waiting."""
    mail = exists().where(OutboxMail.dedupe_key == literal("order-delivered:") + Order.number)
    return select(Order.number, _ORDER).where(RECENT, Order.status.in_(HAS_GOODS), ~mail)


@cache
def wrong_hold() -> Found:
    """Orders whose units are not where their status says: held, sold, or back on sale."""
    wrong = [
        and_(Order.status == status, StockHold.state != state) for status, state in HOLD_OF.items()
    ]
    return select(Order.number, _ORDER).join(StockHold).where(RECENT, or_(*wrong)).distinct()


@cache
def wrong_stock() -> Found:
    """Products whose units on sale, held and sold are not as many as were put on sale."""
    taken = (
        select(StockHold.product_id, func.sum(StockHold.quantity).label("units"))
        .where(StockHold.state.in_((HoldState.HELD, HoldState.COMMITTED)))
        .group_by(StockHold.product_id)
        .subquery()
    )
    in_use = LicenceKey.withdrawn_at.is_(None)
    keys = select(func.count()).where(LicenceKey.product_id == Product.id, in_use).scalar_subquery()
    total = case((Product.delivery_kind == DeliveryKind.KEY, keys), else_=Product.stock_total)
    held = func.coalesce(taken.c.units, 0)
    return (
        select(
            Product.slug,
            Product.taken - held,
            func.coalesce(Product.available + Product.taken - total, 0),
        )
        .outerjoin(taken, taken.c.product_id == Product.id)
        .where(
            or_(
                Product.taken != held,
                Product.available + Product.taken != total,
            )
        )
    )


@cache
def payment_stuck() -> Found:
    """Payments that no sweep will come back to."""
    lease, state = Payment.lease_until, Payment.state
    forgotten = and_(
        state.in_((PaymentState.OPEN, PaymentState.PARTIAL)),
        Payment.next_check_at.is_(None),
        Payment.expires_at > _limit("nothing"),
    )
    stuck = or_(
        and_(state == PaymentState.CREATING, lease < _limit("creating")),
        and_(state == PaymentState.UNKNOWN, lease < _limit("unknown")),
        forgotten,
    )
    return select(Payment.reference, Payment.state, _ORDER).join(Order).where(RECENT, stuck)


@cache
def not_answered() -> Found:
    """Invoices that are still asked about after their end, although nothing was told about them for long."""
    told = func.coalesce(Payment.checked_at, Payment.opened_at, Payment.created_at)
    silent = or_(
        and_(told < _limit("answering"), Payment.ends_at > _limit("answering at long intervals")),
        told < _limit("answering at the longest"),
    )
    ended = Payment.ends_at < _limit("answering")
    put_off = Payment.next_check_at > _limit("nothing")
    asked = and_(put_off, ~Payment.provider_says_paid)
    return (
        select(Payment.reference, Payment.invoice_id, _ORDER)
        .join(Order)
        .where(RECENT, asked, ended, silent)
    )


@cache
def postback_stuck() -> Found:
    """Postbacks that no sweep has judged in time."""
    old = Postback.first_at < _limit("judging")
    return select(Postback.invoice_id).where(Postback.done_at.is_(None), old)


@cache
def history_torn() -> Found:
    """Orders whose history has gaps, or does not begin with the order."""
    first = case((and_(OrderEvent.sequence == 1, OrderEvent.kind == "placed"), 1), else_=0)
    count, last = func.count(OrderEvent.sequence), func.max(OrderEvent.sequence)
    return (
        select(Order.number, _ORDER)
        .outerjoin(OrderEvent)
        .where(RECENT)
        .group_by(Order.id)
        .having(
            or_(
                count != Order.version,
                last != Order.version,
                func.coalesce(func.sum(first), 0) != 1,
            )
        )
    )
