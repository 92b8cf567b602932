"""`flask postbacks`: the provider's notices, and acting upon them again."""

from __future__ import annotations

import json
from typing import Any

import click

from ..ops.commands import CommandGroup
from ..payments.cryptocloud import CryptoCloudError, normalise_invoice_id
from ..payments.inbox import reopen_postback
from ..payments.models import Postback
from ..payments.queries import find_payment_by_invoice, recent_postbacks
from ..payments.service import refresh
from .lookup import gateway
from .printing import as_json, refuse

postbacks = CommandGroup("postbacks", help="The provider's notices: the inbox.")


@postbacks.command("list")
@click.option("--open", "waiting", is_flag=True, help="Only those that were not acted upon yet.")
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True)
@as_json
def list_postbacks(waiting: bool, limit: int, as_json: bool) -> None:
    """The notices that were proven to come from the provider, the newest first."""
    found = recent_postbacks(limit, only_waiting=waiting)
    if as_json:
        click.echo(json.dumps([_facts(notice) for notice in found]))
        return
    for notice in found:
        click.echo(
            f"{notice.invoice_id}  {notice.last_at:%Y-%m-%d %H:%M}  {notice.hits}×  "
            f"{notice.verdict or 'waiting'}"
        )
    if not found:
        click.echo("No postbacks.")


@postbacks.command("replay")
@click.argument("invoice_id", metavar="INVOICE")
def replay(invoice_id: str) -> None:
    """Act upon a notice once more. Safe at any time: the provider is asked what is true."""
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


def _facts(notice: Postback) -> dict[str, Any]:
    return {
        "invoice_id": notice.invoice_id,
        "hits": notice.hits,
        "first_at": notice.first_at.isoformat(),
        "last_at": notice.last_at.isoformat(),
        "claimed_status": notice.claimed_status,
        "claimed_amount": notice.claimed_amount,
        "claimed_currency": notice.claimed_currency,
        "claimed_order": notice.claimed_order,
        "verdict": notice.verdict,
        "done_at": notice.done_at.isoformat() if notice.done_at else None,
    }
