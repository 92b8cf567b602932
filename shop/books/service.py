"""What every sweep does with the books: check them, and compare them with what others have written down."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from ..attention.service import raise_attention_once
from ..db import transaction, utcnow
from ..fulfilment.spent import withdraw_spent
from ..ops.for_each import for_each
from ..payments.cryptocloud import CryptoCloud
from .checks import discrepancies
from .with_journal import compare_with_journal
from .with_provider import ask_about_unknown_invoices, compare_with_list


def check(now: datetime | None = None) -> None:
    """Put before a person whatever in the books contradicts itself. Money is never repaired by itself."""
    found = list(discrepancies(now))
    if not found:
        return
    with transaction("books") as session:
        for wrong in found:
            kind, reference, note = wrong.kind, wrong.reference, wrong.note
            raise_attention_once(session, kind, reference, note, order_id=wrong.order_id)


def compare(gateway: CryptoCloud, now: datetime | None = None) -> None:
    """Make every comparison that is due; an error in one keeps no other from its work."""
    now = now or utcnow()
    parts: list[Callable[[], None]] = [
        lambda: compare_with_journal(now),
        lambda: withdraw_spent(now),
        lambda: ask_about_unknown_invoices(gateway, now),
        lambda: compare_with_list(gateway, now),
    ]
    for_each(parts, lambda part: part(), "comparisons of the books")
