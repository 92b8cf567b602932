"""`flask privacy`: what is known about a buyer, and forgetting it."""

from __future__ import annotations

import json

import click

from ..privacy.export import known_about
from ..privacy.queries import orders_of
from ..privacy.service import StillNeeded, erase_order
from .group import CommandGroup
from .printing import reason, refuse, who

privacy = CommandGroup("privacy", help="What is known about a buyer, and forgetting it.")


@privacy.command("export")
@click.argument("email")
def export(email: str) -> None:
    """Everything known about an email address, as JSON. Licence keys are among it: keep it safe."""
    click.echo(json.dumps(known_about(email), ensure_ascii=False, indent=2))


@privacy.command("erase")
@click.argument("email")
@reason
@who
def erase(email: str, why: str, who: str) -> None:
    """Erase an email address from every closed order; amounts, payments and history stay.

    Orders that still wait for something keep it and are named; the command then exits with 1.
    """
    orders = orders_of(email)
    if not orders:
        refuse("No order has this address.")
    if email.strip().lower() in f"{why} {who}".lower():
        refuse("The reason and your name stay in the history: leave the address out of them.")
    kept = []
    for order in orders:
        try:
            erase_order(order.id, why=why, who=who)
        except StillNeeded as needed:
            kept.append(f"{order.number} keeps the address: {', '.join(needed.reasons)}.")
        else:
            click.echo(f"{order.number}: the address is erased.")
    if kept:
        refuse("\n".join(kept))
