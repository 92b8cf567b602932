"""`flask orders reissue|relink`: what a buyer is given anew."""

from __future__ import annotations

import click

from ..because import Because
from ..fulfilment.queries import deliveries_of
from ..fulfilment.reissue import NotReissued, reissue, renew_link
from ..orders.links import order_url
from ..orders.models import Order
from .arguments import decision, order_named
from .nouns import orders
from .printing import refuse


@orders.command("reissue")
@click.argument("number")
@click.option("--line", type=click.IntRange(1, 1000), help="Which line, if there are several.")
@click.option(
    "--unit", type=click.IntRange(1, 1000), help="Which of the line's licence keys, or files."
)
@decision
def reissue_goods(number: str, line: int | None, unit: int | None, because: Because) -> None:
    """Give a file's downloads anew, or another licence key for a bad one, and mail the goods again."""
    order = order_named(number)
    try:
        done = reissue(order, because, position=line or _only_line(order), unit=unit)
    except NotReissued as error:
        refuse(str(error))
    click.echo(f"{order.number}: {done}. The buyer is told by mail.")


@orders.command("relink")
@click.argument("number")
@decision
def relink(number: str, because: Because) -> None:
    """Give an order another link, because the old one is in the wrong hands; it stops working."""
    order = renew_link(order_named(number), because)
    click.echo("The links sent before do not work any more. Give the buyer this one:")
    click.echo(order_url(order))


def _only_line(order: Order) -> int:
    lines = [delivery.line for delivery in deliveries_of(order.id) if delivery.part == 1]
    if len(lines) != 1:
        titles = "\n".join(f"  {line.position}  {line.title}" for line in lines)
        refuse(f"Order {order.number} hands over {len(lines)} lines; choose by --line:\n{titles}")
    return lines[0].position
