"""`flask postbacks`: the provider's postbacks, and acting upon them again."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import click

from ..payments.checking import refresh
from ..payments.cryptocloud import CryptoCloudError, normalise_invoice_id
from ..payments.gateway import gateway
from ..payments.inbox import reopen_postback
from ..payments.models import Payment, Postback
from ..payments.queries import find_payment_by_invoice, recent_postbacks, refused_payments
from ..payments.refusals import meaning
from .nouns import postbacks
from .printing import as_json, refuse


@postbacks.command("list")
@click.option(
    "--open", "waiting", is_flag=True, help="Only proven ones that were not acted upon yet."
)
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True)
@as_json
def list_postbacks(waiting: bool, limit: int, as_json: bool) -> None:
    """The postbacks that were proven to come from the provider, and those of our invoices that were
    refused, with the reason for the last one; the newest first."""
    refused = [] if waiting else refused_payments(limit)
    proven = recent_postbacks(limit, only_waiting=waiting)
    rows = [*map(_proven, proven), *map(_refused, refused)]
    rows = sorted(rows, key=lambda row: row.at, reverse=True)[:limit]
    if as_json:
        click.echo(json.dumps([row.facts for row in rows]))
        return
    for row in rows:
        click.echo(f"{row.invoice_id}  {row.at:%Y-%m-%d %H:%M}  {row.times}×  {row.outcome}")
    if not rows:
        click.echo("No postbacks.")


@postbacks.command("replay")
@click.argument("invoice_id", metavar="INVOICE")
def replay(invoice_id: str) -> None:
    """Act upon a postback once more. Safe at any time: the provider is asked what is true."""
    try:
        invoice_id = normalise_invoice_id(invoice_id.upper())
    except ValueError:
        refuse("An invoice id looks like INV-ABCD1234 or ABCD1234.")
    if not reopen_postback(invoice_id):
        refuse(f"The inbox has no postback about {invoice_id}; `invoices show` asks the provider.")
    payment = find_payment_by_invoice(invoice_id)
    if payment is None:
        click.echo(f"No order has invoice {invoice_id}; the next sweep looks for one again.")
        return
    try:
        refresh(payment, gateway())
    except CryptoCloudError as error:
        refuse(f"The provider did not say: {error}. The sweep asks again.")
    click.echo(f"{payment.order.number} is {payment.order.status}.")


@dataclass(frozen=True)
class _Row:
    """What the list says about the postbacks of one invoice."""

    invoice_id: str
    at: datetime
    times: int
    outcome: str
    facts: dict[str, Any]


def _proven(postback: Postback) -> _Row:
    facts = {
        "proven": True,
        "invoice_id": postback.invoice_id,
        "hits": postback.hits,
        "first_at": postback.first_at.isoformat(),
        "last_at": postback.last_at.isoformat(),
        "claimed_status": postback.claimed_status,
        "claimed_amount": postback.claimed_amount,
        "claimed_currency": postback.claimed_currency,
        "claimed_order": postback.claimed_order,
        "verdict": postback.verdict,
        "done_at": postback.done_at.isoformat() if postback.done_at else None,
        "refused_because": None,
    }
    return _Row(
        postback.invoice_id, postback.last_at, postback.hits, postback.verdict or "waiting", facts
    )


def _refused(payment: Payment) -> _Row:
    """A row about a payment's refused postbacks: only their number is kept, and time and reason of the last."""
    invoice_id, at = payment.invoice_id or "", payment.refused_at or payment.created_at
    facts = {
        "proven": False,
        "invoice_id": invoice_id,
        "hits": payment.refused_postbacks,
        "first_at": None,
        "last_at": at.isoformat(),
        "claimed_status": None,
        "claimed_amount": None,
        "claimed_currency": None,
        "claimed_order": None,
        "verdict": "refused",
        "done_at": None,
        "refused_because": payment.refused_because,
    }
    outcome = f"refused: {meaning(payment).listed}"
    return _Row(invoice_id, at, payment.refused_postbacks, outcome, facts)
