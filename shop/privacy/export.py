"""Everything the shop knows about an email address, for the person whose it is."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import select

from ..attention.models import AttentionItem
from ..db import db
from ..fulfilment.models import Delivery
from ..fulfilment.queries import deliveries_of
from ..orders.models import Order, OrderEvent, OrderLine
from ..outbox.models import OutboxMail
from ..payments.models import Payment
from ..payments.queries import payments_of
from .queries import items_about, items_naming, orders_of


def known_about(email: str) -> dict[str, Any]:
    """Orders with all that belongs to them, and whatever else names the address; ready for JSON."""
    orders = orders_of(email)
    about = {item.id: item for order in orders for item in items_about(order)}
    about |= {item.id: item for item in items_naming(email.strip())}
    return {
        "email": email.strip(),
        "orders": [_order(order) for order in orders],
        "attention": [_item(about[item_id]) for item_id in sorted(about)],
    }


def _order(order: Order) -> dict[str, Any]:
    mails = select(OutboxMail).where(OutboxMail.order_id == order.id).order_by(OutboxMail.id)
    return {
        "number": order.number,
        "email": order.email,
        "language": order.language,
        "status": order.status,
        "flag": order.flag,
        "test": order.is_test,
        "total": str(order.total),
        "placed_at": _at(order.created_at),
        "paid_at": _at(order.paid_at),
        "fulfilled_at": _at(order.fulfilled_at),
        "lines": [_line(line) for line in order.lines],
        "payments": [_payment(payment) for payment in payments_of(order.id)],
        "deliveries": [_delivery(delivery, order) for delivery in deliveries_of(order.id)],
        "mails": [_mail(mail) for mail in db.session.scalars(mails)],
        "events": [_event(event) for event in order.events],
    }


def _line(line: OrderLine) -> dict[str, Any]:
    return {
        "title": line.title,
        "quantity": line.quantity,
        "unit": str(line.unit),
        "total": str(line.total),
    }


def _payment(payment: Payment) -> dict[str, Any]:
    return {
        "reference": payment.reference,
        "invoice_id": payment.invoice_id,
        "state": payment.state,
        "amount": str(payment.money),
        "coin": payment.coin,
        "due": payment.due,
        "received": payment.received,
        "transaction": payment.transaction_id,
        "error": payment.error,
        "unclear_because": payment.unclear_because,
        "created_at": _at(payment.created_at),
        "paid_at": _at(payment.paid_at),
    }


def _delivery(delivery: Delivery, order: Order) -> dict[str, Any]:
    """What was handed over, with the goods themselves unless the money for them goes back."""
    return {
        "title": delivery.line.title,
        "kind": delivery.kind,
        "state": delivery.state,
        "text": delivery.text if order.has_goods else "",
        "file": delivery.file,
        "downloads": delivery.downloads,
        "keys": [key.value for key in delivery.keys] if order.has_goods else [],
        "delivered_at": _at(delivery.delivered_at),
    }


def _mail(mail: OutboxMail) -> dict[str, Any]:
    return {
        "kind": mail.kind,
        "note": mail.note,
        "state": mail.state,
        "message_id": mail.message_id,
        "sent_at": _at(mail.sent_at),
    }


def _event(event: OrderEvent) -> dict[str, Any]:
    return {"at": _at(event.at), "kind": event.kind, "note": event.note, "who": event.who}


def _item(item: AttentionItem) -> dict[str, Any]:
    return {
        "kind": item.kind,
        "reference": item.reference,
        "note": item.note,
        "created_at": _at(item.created_at),
        "resolved_at": _at(item.resolved_at),
        "resolution": item.resolution,
    }


def _at(moment: datetime | None) -> str | None:
    return moment.isoformat(timespec="seconds") if moment else None
