"""`flask privacy`: what is known about a buyer, and forgetting it."""

from __future__ import annotations

import json

import click

from ..because import Because
from ..privacy.export import known_about
from ..privacy.queries import orders_of
from ..privacy.service import StillNeeded, erase_order
from .arguments import decision
from .nouns import privacy
from .printing import refuse


@privacy.command("export")
@click.argument("email")
def export(email: str) -> None:
    """Everything known about an email address, as JSON. Licence keys are among it: keep it safe."""
    click.echo(json.dumps(known_about(email), ensure_ascii=False, indent=2))


@privacy.command("erase")
@click.argument("email")
@decision
def erase(email: str, because: Because) -> None:
    """Erase an email address from every closed order; amounts, payments and history stay.

    Orders that still wait for something keep it and are named; the command then exits with 1.
    """
    orders = orders_of(email)
    if not orders:
        refuse("No order has this address.")
    if email.strip().lower() in f"{because.why} {because.who}".lower():
        refuse("The reason and your name stay in the history: leave the address out of them.")
    kept = []
    for order in orders:
        try:
            erase_order(order.id, because)
        except StillNeeded as needed:
            kept.append(f"{order.number} keeps the address: {', '.join(needed.reasons)}.")
        else:
            click.echo(f"{order.number}: the address is erased.")
    if kept:
        refuse("\n".join(kept))
