"""Mails in the outbox, and what each kind is."""

from __future__ import annotations

import enum
from datetime import datetime

from sqlalchemy import ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column, relationship

from ..columns import UtcDateTime, enum_column
from ..db import Base
from ..orders.models import Order, OrderFlag, OrderStatus

GOODS_MAIL = "order-delivered"
"""The mail that carries the goods."""
KEY_MAIL = "key-waiting"
"""The mail that promises a licence key which is not in stock."""
FILE_MAIL = "file-waiting"
"""The mail that promises a file which cannot be handed out yet."""
PLACED_MAIL = "order-placed"
"""The mail that carries the link, before anything is paid."""
LINK_MAIL = "order-link"
"""The mail that carries the link again, whatever has become of the order."""
CORRECTED_MAIL = "address-corrected"
"""The mail that tells an order's old address that there is a new one; it carries no link."""
PROOF_MAIL = "mailbox-link"
"""The mail by whose link somebody shows that its address is theirs; about no order."""
ASKED_FOR = frozenset({PLACED_MAIL, LINK_MAIL, CORRECTED_MAIL, PROOF_MAIL})
"""Mails that anybody can cause who types an address, and that are rationed for it: see on_request.py."""

TRUE_WHILE = {
    PLACED_MAIL: OrderStatus.PENDING,
    "payment-partial": OrderStatus.PENDING,
    KEY_MAIL: OrderStatus.PAID,
    FILE_MAIL: OrderStatus.PAID,
    "order-review": OrderStatus.REVIEW,
    "refund-due": OrderStatus.REFUND_DUE,
}
"""Mails that say how an order stands or what to do about it, and for how long that is so. They may wait for days."""


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
    template: Mapped[str] = mapped_column(String(60))
    order_id: Mapped[int | None] = mapped_column(ForeignKey("orders.id"), index=True)
    """None for a mail to the operator, and for one that proves a mailbox."""
    address: Mapped[str] = mapped_column(String(254), default="")
    """Where it goes if not to the order's address; emptied when that is over."""
    note: Mapped[str] = mapped_column(String(300), default="")
    """A sentence for this mail alone, such as how much money is missing; of a PROOF_MAIL its language."""
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
        """Whether its words are out of date: how to pay what is closed or delivered, goods whose money
        goes back, promises that are kept.

        An order that is paid has its link in the mail with its goods, or in the one that promises
        them; one of which a part has arrived, in a mail that says more.
        """
        order = self.order
        if order is None:
            return False
        over = order.status is not TRUE_WHILE.get(self.template, order.status)
        closed = self.template == GOODS_MAIL and not order.has_goods
        told_more = self.template == PLACED_MAIL and order.flag is OrderFlag.PAID_PARTIAL
        return not order.email or over or closed or told_more
