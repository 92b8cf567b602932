"""What is said of an attention item wherever one is shown to a person or a program."""

from __future__ import annotations

from typing import Any

from ..orders.facts import moment_text
from .models import AttentionItem


def item_facts(item: AttentionItem) -> dict[str, Any]:
    """What waits for a person, and what was said when it was resolved."""
    return {
        "id": item.id,
        "kind": item.kind,
        "reference": item.reference,
        "note": item.note,
        "created_at": moment_text(item.created_at),
        "resolved_at": moment_text(item.resolved_at),
        "resolved_by": item.resolved_by,
        "resolution": item.resolution,
    }
