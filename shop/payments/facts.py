"""What is said of a payment wherever one is shown to a person or a program."""

from __future__ import annotations

from typing import Any

from ..orders.facts import moment_text
from .models import Payment


def payment_facts(payment: Payment) -> dict[str, Any]:
    """How a payment stands, and what the provider told of it; `reference` is what the provider calls `order_id`."""
    return {
        "attempt": payment.attempt,
        "state": payment.state,
        "invoice_id": payment.invoice_id,
        "amount": str(payment.money),
        "reference": payment.reference,
        "pay_url": payment.pay_url,
        "error": payment.error,
        "unclear_because": payment.unclear_because,
        "figures": str(payment.figures or ""),
        "confirmed_by": payment.confirmed_by,
        "transaction": payment.transaction_id,
        "created_at": moment_text(payment.created_at),
        "paid_at": moment_text(payment.paid_at),
    }
