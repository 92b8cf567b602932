"""The kinds of mail that the shop sends."""

from __future__ import annotations

import enum
from collections.abc import Mapping

from ..orders.models import OrderStatus


class MailKind(enum.StrEnum):
    """What a mail is for; the value is also the folder of its texts in `templates/email/`."""

    ORDER_PLACED = "order-placed"
    """Carries the order's link, before anything is paid."""
    ORDER_LINK = "order-link"
    """Carries the link again, whatever has become of the order."""
    ORDER_DELIVERED = "order-delivered"
    """Carries the goods."""
    KEY_WAITING = "key-waiting"
    """Promises a licence key that is not in stock."""
    FILE_WAITING = "file-waiting"
    """Promises a file that cannot be handed out yet."""
    PAYMENT_PARTIAL = "payment-partial"
    """Says how much is missing, after a part of the money came."""
    PAYMENT_TWICE = "payment-twice"
    """Says that an order was paid a second time, and that this money goes back."""
    ORDER_REVIEW = "order-review"
    """Says that a person looks at a payment before the goods leave."""
    REFUND_DUE = "refund-due"
    """Says that the money goes back."""
    ADDRESS_CORRECTED = "address-corrected"
    """Tells an order's old address that there is a new one; it carries no link."""
    MAILBOX_LINK = "mailbox-link"
    """Its link shows that an address is that of whoever opens it; about no order."""
    ATTENTION = "attention"
    """Tells the operator what waits for a person."""


ON_REQUEST = frozenset(
    {
        MailKind.ORDER_PLACED,
        MailKind.ORDER_LINK,
        MailKind.ADDRESS_CORRECTED,
        MailKind.MAILBOX_LINK,
    }
)
"""Mails that anybody can cause who types an address, and that are rationed for it: see on_request.py."""

TRUE_WHILE: Mapping[str, OrderStatus] = {
    MailKind.ORDER_PLACED: OrderStatus.PENDING,
    MailKind.PAYMENT_PARTIAL: OrderStatus.PENDING,
    MailKind.KEY_WAITING: OrderStatus.PAID,
    MailKind.FILE_WAITING: OrderStatus.PAID,
    MailKind.ORDER_REVIEW: OrderStatus.REVIEW,
    MailKind.REFUND_DUE: OrderStatus.REFUND_DUE,
}
"""Mails that say how an order stands or what to do about it, and for how long that is so. They may wait for days."""
