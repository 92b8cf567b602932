"""What is said of a delivery wherever one is shown to a person or a program."""

from __future__ import annotations

from typing import Any

from ..orders.facts import moment_text
from .models import Delivery


def delivery_facts(delivery: Delivery) -> dict[str, Any]:
    """How a delivery stands. The goods are not among it: whoever may see them adds them."""
    return {
        "line": delivery.line.position,
        "title": delivery.line.title,
        "kind": delivery.kind,
        "state": delivery.state,
        "file": delivery.file or None,
        "downloads": delivery.downloads if delivery.file else None,
        "delivered_at": moment_text(delivery.delivered_at),
    }
