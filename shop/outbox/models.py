"""Mails in the outbox."""

from __future__ import annotations

import enum
from datetime import datetime

from sqlalchemy import ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column, relationship

from ..columns import UtcDateTime, enum_column
from ..db import Base
from ..orders.models import Order, OrderFlag
from .kinds import TRUE_WHILE, MailKind


class MailState(enum.StrEnum):
    """Where a mail stands.

    `failed` after many tries, `refused` when the server says that the address takes no mail,
    `bounced` when it came back later, `skipped` when its turn came and its words were out of date.
    """

    QUEUED = "queued"
    SENDING = "sending"
    SENT = "sent"
    FAILED = "failed"
    REFUSED = "refused"
    BOUNCED = "bounced"
    SKIPPED = "skipped"


class OutboxMail(Base):
    """A mail to be sent. Its text is made from the order when it is sent, so none is stored here."""

    __tablename__ = "outbox_mails"
    __table_args__ = (Index("ix_outbox_mails_due", "state", "next_try_at"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    dedupe_key: Mapped[str] = mapped_column(String(120), unique=True)
    """What the mail is about, such as `order-delivered:7K3M-Q9XD`; the same is never queued twice."""
    kind: Mapped[str] = mapped_column(String(60))
    """One of MailKind."""
    order_id: Mapped[int | None] = mapped_column(ForeignKey("orders.id"), index=True)
    """None for a mail to the operator, and for one that proves a mailbox."""
    address: Mapped[str] = mapped_column(String(254), default="")
    """The address that the mail goes to if not to the order's; emptied once it is sent, skipped or given up."""
    note: Mapped[str] = mapped_column(String(300), default="")
    """A sentence for this mail alone, such as how much money is missing; of a MAILBOX_LINK its language."""
    state: Mapped[MailState] = mapped_column(
        enum_column(MailState, "state"), default=MailState.QUEUED
    )
    message_id: Mapped[str] = mapped_column(String(200))
    """Chosen once: if a crash makes us send twice, mail programs show it once."""
    tries: Mapped[int] = mapped_column(default=0)
    next_try_at: Mapped[datetime] = mapped_column(UtcDateTime)
    lease_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    last_error: Mapped[str] = mapped_column(String(200), default="")
    sent_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    order: Mapped[Order | None] = relationship()

    @property
    def is_moot(self) -> bool:
        """Whether the mail is out of date when its turn comes: the order has moved on, or its goods are not
        the buyer's any more.

        A paid order needs no mail with its link: the mail with its goods has it. One that is paid in part
        needs none that says how to pay: another mail says how much is missing.
        """
        order = self.order
        if order is None:
            return False
        moved_on = order.status is not TRUE_WHILE.get(self.kind, order.status)
        goods_lost = self.kind == MailKind.ORDER_DELIVERED and not order.has_goods
        told_more = self.kind == MailKind.ORDER_PLACED and order.flag is OrderFlag.PAID_PARTIAL
        return not order.email or moved_on or goods_lost or told_more
