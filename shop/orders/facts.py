"""What is said of an order wherever one is shown to a person or a program: plain values, ready for JSON.

No secret is among them: neither the buyer's address nor the link. Whoever may show those adds them.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from .models import Order, OrderEvent, OrderLine


def order_facts(order: Order) -> dict[str, Any]:
    """How an order stands."""
    return {
        "order": order.number,
        "status": order.status,
        "flag": order.flag,
        "test": order.is_test,
        "total": str(order.total),
        "language": order.language,
        "created_at": moment_text(order.created_at),
        "paid_at": moment_text(order.paid_at),
        "fulfilled_at": moment_text(order.fulfilled_at),
    }


def line_facts(line: OrderLine) -> dict[str, Any]:
    """One product of an order."""
    return {
        "title": line.title,
        "quantity": line.quantity,
        "unit": str(line.unit),
        "total": str(line.total),
    }


def event_facts(event: OrderEvent) -> dict[str, Any]:
    """One step of an order's history."""
    return {
        "at": moment_text(event.at),
        "kind": event.kind,
        "note": event.note,
        "who": event.who,
    }


def moment_text(moment: datetime | None) -> str | None:
    """A moment in ISO 8601, in UTC, to the second."""
    return moment.isoformat(timespec="seconds") if moment else None
