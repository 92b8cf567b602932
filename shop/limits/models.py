"""Who placed an order, as far as the limits on placing orders need to know."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column, relationship

from ..columns import UtcDateTime
from ..db import Base, utcnow
from ..orders.models import Order


class Placement(Base):
    """The moment an order was placed, with its buyer and network as keyed hashes; kept for a few days."""

    __tablename__ = "placements"

    order_id: Mapped[int] = mapped_column(ForeignKey("orders.id"), primary_key=True)
    buyer: Mapped[str] = mapped_column(String(32), index=True)
    """The keyed hash of the buyer's email address: see service.py."""
    proven: Mapped[bool] = mapped_column(default=False)
    """Whether the buyer had shown that the address is theirs: see orderpage/owners.py."""
    client: Mapped[str] = mapped_column(String(32), index=True)
    """The keyed hash of the buyer's network; empty if it tells nobody apart: see web/network.py."""
    placed_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow, index=True)

    order: Mapped[Order] = relationship()
