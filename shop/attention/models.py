"""An item of the attention list."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Index, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from ..columns import UtcDateTime
from ..db import Base, utcnow

_open = text("resolved_at IS NULL")


LONGEST_REFERENCE = 120
"""Characters of an attention item's reference; the name of a file or a reason may take more."""


class AttentionItem(Base):
    """Something that a person must look at. The same thing is never open twice."""

    __tablename__ = "attention_items"
    __table_args__ = (
        Index(
            "uq_attention_items_open",
            "kind",
            "reference",
            unique=True,
            sqlite_where=_open,
            postgresql_where=_open,
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(String(40))
    reference: Mapped[str] = mapped_column(String(LONGEST_REFERENCE))
    note: Mapped[str] = mapped_column(Text)
    order_id: Mapped[int | None] = mapped_column(ForeignKey("orders.id"), index=True)
    """The order that it is about; None where it is about none, or about many. `reference` only tells items apart."""
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow)
    alert_key: Mapped[str] = mapped_column(String(120), default="")
    """The mail that tells the operator, by its key in the outbox; empty until one was queued."""
    resolved_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    resolved_by: Mapped[str] = mapped_column(String(80), default="")
    resolution: Mapped[str] = mapped_column(Text, default="")
