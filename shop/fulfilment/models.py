"""Deliveries and licence keys."""

from __future__ import annotations

import enum
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import JSON, BigInteger, ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.engine.default import DefaultExecutionContext
from sqlalchemy.orm import Mapped, mapped_column, relationship

from ..catalogue.models import DeliveryKind
from ..columns import UtcDateTime, enum_column
from ..db import Base, utcnow
from ..orders.models import Order, OrderLine
from .given import blocks, copies_left
from .keys import key_hash


class DeliveryState(enum.StrEnum):
    """`waiting` until the goods have been handed out."""

    WAITING = "waiting"
    DELIVERED = "delivered"


class Delivery(Base):
    """What one order line hands over. Unique for its line, so that nothing is fulfilled twice.

    If a line has several files, each after the first gets a delivery of its own when they are handed over,
    with its own downloads and its own end.
    """

    __tablename__ = "deliveries"
    __table_args__ = (
        UniqueConstraint("order_line_id", "part"),
        Index("ix_deliveries_state", "state"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    order_id: Mapped[int] = mapped_column(ForeignKey("orders.id"), index=True)
    order_line_id: Mapped[int] = mapped_column(ForeignKey("order_lines.id"))
    part: Mapped[int] = mapped_column(default=1)
    """Which of the line's files it is; 1 if the line has only one, or none."""
    kind: Mapped[DeliveryKind] = mapped_column(enum_column(DeliveryKind, "kind"))
    state: Mapped[DeliveryState] = mapped_column(
        enum_column(DeliveryState, "state"), default=DeliveryState.WAITING
    )
    text: Mapped[str] = mapped_column(Text, default="")
    """As it was when the goods were handed over."""
    markdown: Mapped[bool] = mapped_column(default=True)
    """Whether the text is Markdown; else the buyer gets it letter for letter."""
    file: Mapped[str] = mapped_column(String(255), default="")
    """The file's name in the storage."""
    file_size: Mapped[int | None] = mapped_column(BigInteger)
    downloads: Mapped[int] = mapped_column(default=0)
    """How many copies of the file were given since the last renewal, in however many pieces each."""
    given: Mapped[list[int] | None] = mapped_column(JSON(none_as_null=True))
    """How often each of the file's blocks was given (see given.py); None before the first, and if only copies count."""
    last_download_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """When a part of the file was last given."""
    renewed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """When a person gave the downloads anew: their number and days count from here."""
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow)
    delivered_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    order: Mapped[Order] = relationship()
    line: Mapped[OrderLine] = relationship()
    keys: Mapped[list[LicenceKey]] = relationship(
        primaryjoin="and_(Delivery.id == LicenceKey.delivery_id, LicenceKey.withdrawn_at.is_(None))",
        order_by="LicenceKey.unit",
        viewonly=True,
    )

    @property
    def downloads_left(self) -> int | None:
        """How many more downloads may begin; None is as many as the buyer likes."""
        most = self.line.max_downloads
        if most is None:
            return None
        return (
            max(most - self.downloads, 0) if self.given is None else copies_left(self.given, most)
        )

    def given_of(self, size: int) -> list[int]:
        """How often each block of the file, which has this size, was given."""
        count = len(blocks(0, size, size))
        told = self.given is not None and len(self.given) == count
        return list(self.given or ()) if told else [self.downloads] * count

    @property
    def downloads_end_at(self) -> datetime | None:
        """When the file may be downloaded no more; None is never."""
        start, days = self.renewed_at or self.delivered_at, self.line.download_days
        return start + timedelta(days=days) if start and days is not None else None


def _exact(row: DefaultExecutionContext) -> str:
    return key_hash(_given(row)["value"], case_sensitive=True)


def _folded(row: DefaultExecutionContext) -> str | None:
    return None if _given(row)["case_sensitive"] else key_hash(_given(row)["value"])


def _given(row: DefaultExecutionContext) -> dict[str, Any]:
    values: dict[str, Any] = row.get_current_parameters()  # type: ignore[no-untyped-call]
    return values


class LicenceKey(Base):
    """One key of the stock; handed to one unit of one delivery, once and for all.

    A key that was replaced still names the delivery that had it, so that it is never sold again. No two
    keys are the same, whatever products they are of (see keys.py): `exact` and `folded` see to it.
    """

    __tablename__ = "licence_keys"
    __table_args__ = (
        UniqueConstraint("product_id", "value"),
        UniqueConstraint("delivery_id", "unit"),
        Index("ix_licence_keys_stock", "product_id", "delivery_id"),
        Index("uq_licence_keys_exact", "exact", unique=True),
        Index("uq_licence_keys_folded", "folded", unique=True),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    product_id: Mapped[int] = mapped_column(ForeignKey("products.id"))
    value: Mapped[str] = mapped_column(String(500))
    case_sensitive: Mapped[bool] = mapped_column(default=False)
    """Whether the operator says that another key may differ from it by its capitals alone."""
    exact: Mapped[str | None] = mapped_column(String(64), default=_exact)
    """Hash of the key with its capitals; None for a copy from before copies were refused."""
    folded: Mapped[str | None] = mapped_column(String(64), default=_folded)
    """Hash of the key without capitals; None for such a copy, and if the key is case-sensitive."""
    delivery_id: Mapped[int | None] = mapped_column(ForeignKey("deliveries.id"))
    unit: Mapped[int | None]
    """Which unit of its line has the key; None in stock, and once it is withdrawn."""
    withdrawn_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """When it was found bad, or a copy of another; it is never handed out again."""
    added_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow)


class SpentKey(Base):
    """A licence key that was handed out, says the journal, and of which the database did not know: see spent.py."""

    __tablename__ = "spent_keys"

    fingerprint: Mapped[str] = mapped_column(String(32), primary_key=True)
    """A keyed hash of the key."""
    key_id: Mapped[int]
    """The id that the key's row had; in an older copy of the database it may be another key's."""
    owner: Mapped[str] = mapped_column(String(20), index=True)
    """Who got it: the order's number and the line."""
