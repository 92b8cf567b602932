"""Everything the shop knows about an email address, for the person whose it is."""

from __future__ import annotations

from typing import Any

from ..attention.facts import item_facts
from ..fulfilment.facts import delivery_facts
from ..fulfilment.models import Delivery
from ..fulfilment.queries import deliveries_of
from ..orders.facts import event_facts, line_facts, order_facts
from ..orders.models import Order
from ..outbox.facts import mail_facts
from ..outbox.queries import mails_of
from ..payments.facts import payment_facts
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
        "attention": [item_facts(about[item_id]) for item_id in sorted(about)],
    }


def _order(order: Order) -> dict[str, Any]:
    return order_facts(order) | {
        "email": order.email,
        "lines": [line_facts(line) for line in order.lines],
        "payments": [_payment(payment) for payment in payments_of(order.id)],
        "deliveries": [_delivery(delivery, order) for delivery in deliveries_of(order.id)],
        "mails": [mail_facts(mail) for mail in mails_of(order.id)],
        "history": [event_facts(event) for event in order.events],
    }


def _payment(payment: Payment) -> dict[str, Any]:
    told = {"coin": payment.coin, "due": payment.due, "received": payment.received}
    return payment_facts(payment) | told


def _delivery(delivery: Delivery, order: Order) -> dict[str, Any]:
    """A delivery with the goods themselves, unless the money for them goes back."""
    goods = {"text": delivery.text, "keys": [key.value for key in delivery.keys]}
    return delivery_facts(delivery) | (goods if order.has_goods else {"text": "", "keys": []})
