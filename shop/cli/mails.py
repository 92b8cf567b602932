"""`flask mails`: what became of an order's mails, as far as the shop cannot see it itself."""

from __future__ import annotations

import click

from ..because import Because
from ..outbox.on_request import send_again
from ..outbox.sending import note_bounce
from .arguments import decision, order_named
from .nouns import mails
from .printing import refuse


@mails.command("resend")
@click.argument("number")
def resend(number: str) -> None:
    """Send an order's mail once more: its goods, or the link to its page."""
    order = order_named(number)
    if send_again(order.id, rationed=False):
        click.echo(f"The mail of order {order.number} is queued.")
    else:
        click.echo(f"A mail of order {order.number} waits for the mail server already.")


@mails.command("bounced")
@click.argument("number")
@decision
def bounced(number: str, because: Because) -> None:
    """Note that an order's mail came back to you, so that its page tells the buyer."""
    order = order_named(number)
    if not note_bounce(order.id, because):
        refuse(f"No mail of order {order.number} is on its way: see `flask orders show`.")
    click.echo(f"The page of order {order.number} says so now.")
