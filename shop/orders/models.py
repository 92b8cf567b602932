"""The order, its lines, the stock it holds, and its history.

The one table of moves is TRANSITIONS. The model refuses every move that is not in it, and so does
the database, by triggers that the first migration made from the same table.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Index,
    String,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column, object_session, relationship

from ..because import BUYER, SHOP, Because
from ..catalogue.models import DeliveryKind, Product
from ..columns import UtcDateTime, enum_column
from ..db import Base, utcnow
from ..money import Money


class OrderStatus(enum.StrEnum):
    """Where an order stands."""

    PENDING = "pending"
    PAID = "paid"
    FULFILLED = "fulfilled"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    REVIEW = "review"
    REFUND_DUE = "refund_due"
    REFUNDED = "refunded"


class OrderFlag(enum.StrEnum):
    """What was odd about the money. Oddities are a second field, never more statuses."""

    NONE = "none"
    PAID_PARTIAL = "paid_partial"
    PAID_OVER = "paid_over"
    PAID_LATE = "paid_late"
    PAID_TWICE = "paid_twice"
    NO_STOCK = "no_stock"
    AMOUNT_MISMATCH = "amount_mismatch"


class HoldState(enum.StrEnum):
    """Held while unpaid; committed once paid; released when the units went back on sale."""

    HELD = "held"
    COMMITTED = "committed"
    RELEASED = "released"


TRANSITIONS: Mapping[OrderStatus, frozenset[OrderStatus]] = {
    OrderStatus.PENDING: frozenset(
        {OrderStatus.PAID, OrderStatus.EXPIRED, OrderStatus.CANCELLED, OrderStatus.REVIEW}
    ),
    # Back to pending: the buyer starts a new payment, and the stock is taken again.
    OrderStatus.EXPIRED: frozenset({OrderStatus.PENDING, OrderStatus.PAID, OrderStatus.REVIEW}),
    OrderStatus.CANCELLED: frozenset({OrderStatus.PAID, OrderStatus.REVIEW}),
    OrderStatus.REVIEW: frozenset(
        {OrderStatus.PAID, OrderStatus.CANCELLED, OrderStatus.REFUND_DUE}
    ),
    OrderStatus.PAID: frozenset({OrderStatus.FULFILLED, OrderStatus.REFUND_DUE}),
    OrderStatus.FULFILLED: frozenset({OrderStatus.REFUND_DUE}),
    OrderStatus.REFUND_DUE: frozenset({OrderStatus.REFUNDED}),
    OrderStatus.REFUNDED: frozenset(),
}

ENDED_UNPAID = (OrderStatus.EXPIRED, OrderStatus.CANCELLED)
"""Statuses of an order that ended without money, which may come late."""
SETTLED = frozenset(
    {OrderStatus.PAID, OrderStatus.FULFILLED, OrderStatus.REFUND_DUE, OrderStatus.REFUNDED}
)
"""Statuses of an order whose money has been counted."""
HAS_GOODS = frozenset({OrderStatus.PAID, OrderStatus.FULFILLED})
"""Statuses of an order whose buyer may have its goods: the money came, and does not go back."""
OF_FREE = frozenset({OrderStatus.PENDING, OrderStatus.PAID, OrderStatus.FULFILLED})
"""Statuses of an order with nothing to pay, so with no money to wait for; `pending` only while it is being made."""
UNDELIVERED = frozenset(
    {OrderStatus.PENDING, OrderStatus.EXPIRED, OrderStatus.REVIEW, OrderStatus.PAID}
)
"""Statuses of an order that may still deliver, and has not."""


class IllegalTransition(Exception):
    """Somebody tried to move an order or payment along an edge that is not in its table."""


class Order(Base):
    """One purchase by one buyer. Lines and prices are as the buyer saw them, for ever."""

    __tablename__ = "orders"
    __table_args__ = (
        CheckConstraint(
            "total_minor > 0 OR (total_minor = 0 AND status IN ('pending', 'paid', 'fulfilled'))",
            name="total",
        ),
        CheckConstraint(
            "status NOT IN ('paid', 'fulfilled') OR paid_at IS NOT NULL", name="paid_at"
        ),
        CheckConstraint("status <> 'fulfilled' OR fulfilled_at IS NOT NULL", name="fulfilled_at"),
        Index("ix_orders_expires_at", "expires_at"),
        Index(
            "ix_orders_due",
            "expires_at",
            sqlite_where=text("status = 'pending'"),
            postgresql_where=text("status = 'pending'"),
        ),
        Index(
            "ix_orders_paid",
            "id",
            sqlite_where=text("status = 'paid'"),
            postgresql_where=text("status = 'paid'"),
        ),
        Index(
            "ix_orders_not_erased",
            "created_at",
            sqlite_where=text("erased_at IS NULL"),
            postgresql_where=text("erased_at IS NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    number: Mapped[str] = mapped_column(String(9), unique=True)
    checkout_key: Mapped[str] = mapped_column(String(64), unique=True)
    """Random, from the form: the same key again is the same order, however often it is sent."""
    cart_hash: Mapped[str] = mapped_column(String(64))
    email: Mapped[str] = mapped_column(String(254))
    """Empty once it has been erased."""
    language: Mapped[str] = mapped_column(String(2))
    """The language in which the buyer ordered, and in which mails are written; an ISO 639-1 code."""
    currency: Mapped[str] = mapped_column(String(3))
    total_minor: Mapped[int] = mapped_column(BigInteger)
    status: Mapped[OrderStatus] = mapped_column(
        enum_column(OrderStatus, "status"), default=OrderStatus.PENDING
    )
    flag: Mapped[OrderFlag] = mapped_column(enum_column(OrderFlag, "flag"), default=OrderFlag.NONE)
    is_test: Mapped[bool] = mapped_column(default=False)
    link_version: Mapped[int] = mapped_column(default=1)
    """Part of the order link; raising it kills the links sent before."""
    version: Mapped[int] = mapped_column(default=0)
    """How many entries the history has; each has its number, so two writers cannot add the same one."""
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)
    paid_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    fulfilled_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    corrected_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """When the buyer gave another email address, which can be done once."""
    paid_with: Mapped[str] = mapped_column(String(120), default="")
    """What was sent, such as 10.01 USDT TRC20, for the receipt; empty if the provider does not tell."""
    erased_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """When the buyer's address was taken out; everything else of the order stays."""

    lines: Mapped[list[OrderLine]] = relationship(
        order_by="OrderLine.position", back_populates="order"
    )
    holds: Mapped[list[StockHold]] = relationship(order_by="StockHold.product_id")
    events: Mapped[list[OrderEvent]] = relationship(
        order_by="OrderEvent.sequence", back_populates="order"
    )

    @property
    def total(self) -> Money:
        """What the buyer pays."""
        return Money(self.total_minor, self.currency)

    @property
    def is_free(self) -> bool:
        """Whether the order costs nothing: then it has no payment, and the provider is never asked about it."""
        return self.total_minor == 0

    @property
    def has_goods(self) -> bool:
        """Whether the buyer may have the goods: from the payment on, until a refund is decided."""
        return self.status in HAS_GOODS

    def move(self, status: OrderStatus, because: Because) -> None:
        """Go to `status` and write it into the history; IllegalTransition if the table has no such edge."""
        if status not in TRANSITIONS[self.status] or (self.is_free and status not in OF_FREE):
            raise IllegalTransition(f"order {self.number}: {self.status} -> {status}")
        self.status = status
        self.record(status.value, because.why, who=because.who)

    def mark_paid(self, because: Because, *, at: datetime) -> None:
        """Make the order paid, because its money is there or because it costs nothing."""
        self.paid_at = at
        self.move(OrderStatus.PAID, because)

    def mark_fulfilled(self, *, at: datetime) -> None:
        """Make the order fulfilled, because every line has been handed over."""
        self.fulfilled_at = at
        self.move(OrderStatus.FULFILLED, Because("everything was delivered"))

    @property
    def can_correct_address(self) -> bool:
        """Whether the buyer may still give another address: once, and not after the goods went out."""
        untouched = self.corrected_at is None and self.erased_at is None
        return untouched and self.status in UNDELIVERED

    def correct_address(self, email: str, *, at: datetime) -> None:
        """Let mails go to another address. The links sent before die: they went to the wrong one."""
        self.email, self.corrected_at = email, at
        self.link_version += 1
        self.record("address_corrected", "the buyer gave another email address", who=BUYER)

    def raise_flag(self, flag: OrderFlag, why: str) -> None:
        """Note an oddity of the money, for the buyer's page and for a person."""
        if self.flag is not flag:
            self.flag = flag
            self.record(flag.value, why)

    def erase_buyer(self, because: Because, *, at: datetime) -> None:
        """Take out who the buyer was: the address, and the hash of the form that held it."""
        self.email, self.cart_hash, self.erased_at = "", "", at
        self.record("erased", because.why, who=because.who)

    def record(self, kind: str, note: str, *, who: str = SHOP) -> None:
        """Append an entry to the history, which is never rewritten; the earlier entries are not loaded for it."""
        self.version = (self.version or 0) + 1
        event = OrderEvent(order=self, sequence=self.version, kind=kind, note=note, who=who)
        if session := object_session(self):
            session.add(event)


@dataclass(frozen=True, slots=True)
class Placed:
    """An order as it was placed: what goes on with it at once needs no more, and no object of the session."""

    id: int
    number: str
    email: str
    total: Money

    @property
    def is_free(self) -> bool:
        """Whether the order costs nothing."""
        return not self.total.minor


class OrderLine(Base):
    """One product of an order, with title and price as they were when it was placed."""

    __tablename__ = "order_lines"
    __table_args__ = (
        UniqueConstraint("order_id", "position"),
        CheckConstraint("quantity > 0", name="quantity"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    order_id: Mapped[int] = mapped_column(ForeignKey("orders.id"))
    position: Mapped[int]
    product_id: Mapped[int | None] = mapped_column(ForeignKey("products.id"))
    """None for a test invoice, which sells nothing."""
    title: Mapped[str] = mapped_column(String(120))
    kind: Mapped[DeliveryKind | None] = mapped_column(enum_column(DeliveryKind, "kind"))
    quantity: Mapped[int]
    unit_minor: Mapped[int] = mapped_column(BigInteger)
    max_downloads: Mapped[int | None]
    """How often a file may be downloaded, as it was offered when the order was placed."""
    download_days: Mapped[int | None]
    """For how many days after the hand-over the file may be downloaded, as it was offered then."""

    order: Mapped[Order] = relationship(back_populates="lines")
    product: Mapped[Product | None] = relationship()

    @property
    def unit(self) -> Money:
        """The price of one."""
        return Money(self.unit_minor, self.order.currency)

    @property
    def total(self) -> Money:
        """The price of the line."""
        return self.unit * self.quantity


class StockHold(Base):
    """Units set aside for an order; `product.available` does not count them any more."""

    __tablename__ = "stock_holds"
    __table_args__ = (CheckConstraint("quantity > 0", name="quantity"),)

    order_id: Mapped[int] = mapped_column(ForeignKey("orders.id"), primary_key=True)
    product_id: Mapped[int] = mapped_column(ForeignKey("products.id"), primary_key=True)
    quantity: Mapped[int]
    state: Mapped[HoldState] = mapped_column(
        enum_column(HoldState, "state"), default=HoldState.HELD
    )


class OrderEvent(Base):
    """One entry of an order's history: what happened, when, why, and by whom."""

    __tablename__ = "order_events"

    order_id: Mapped[int] = mapped_column(ForeignKey("orders.id"), primary_key=True)
    sequence: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    at: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow)
    kind: Mapped[str] = mapped_column(String(40))
    note: Mapped[str] = mapped_column(Text)
    who: Mapped[str] = mapped_column(String(80))

    order: Mapped[Order] = relationship(back_populates="events")
