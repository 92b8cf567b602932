"""Leaving money to a person, and telling them what came."""

from __future__ import annotations

from sqlalchemy.orm import Session

from ..attention.kinds import AttentionKind
from ..attention.service import raise_attention, raise_attention_once
from ..because import Because
from ..orders.models import Order, OrderStatus
from ..outbox.kinds import MailKind
from ..outbox.service import plan_mail
from .models import Payment


def to_review(session: Session, order: Order, why: str) -> None:
    """Leave the order to a person, and mail its buyer: the mail has the words of the flag, not `why`."""
    if order.status is not OrderStatus.REVIEW:
        order.move(OrderStatus.REVIEW, Because(why))
        plan_mail(session, order, MailKind.ORDER_REVIEW)


def ask_a_person(
    session: Session, order: Order, payment: Payment, kind: AttentionKind, what: str
) -> None:
    """Put before a person `what` became of the order, with what is known of the payment."""
    note = f"Order {order.number} {what} {payment.figures or ''}".strip()
    raise_attention(session, kind, payment.reference, note, order_id=order.id)


def ask_about_part(session: Session, order: Order, payment: Payment) -> None:
    """Ask a person about a part that buys nothing: once, however often the provider tells of it."""
    note = f"Order {order.number} was paid in part only, by {payment.name}. {payment.figures or ''}"
    kind, reference = AttentionKind.PAID_PARTIAL, payment.reference
    raise_attention_once(session, kind, reference, note.strip(), order_id=order.id)
