"""`flask orders`: what was ordered, and how it stands."""

from __future__ import annotations

import json
from collections.abc import Callable

import click

from ..because import Because
from ..fulfilment.facts import delivery_facts
from ..fulfilment.queries import deliveries_of
from ..orders.facts import event_facts, line_facts, order_facts
from ..orders.links import order_url
from ..orders.models import Order, OrderStatus
from ..orders.queries import recent_orders
from ..outbox.facts import mail_facts
from ..outbox.queries import mails_of
from ..payments.by_hand import (
    NotPossible,
    cancel_order,
    confirm_order,
    possible_decisions,
    refund_order,
)
from ..payments.checking import refresh
from ..payments.cryptocloud import CryptoCloudError
from ..payments.facts import payment_facts
from ..payments.gateway import gateway
from ..payments.queries import payments_of
from .arguments import decision, order_named, short_line
from .nouns import orders
from .printing import as_json, refuse, show

TRANSACTION = "The transaction hash, or the provider's own number, that proves it."


@orders.command("list")
@click.option("--status", type=click.Choice([status.value for status in OrderStatus]))
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True)
@as_json
def list_orders(status: str | None, limit: int, as_json: bool) -> None:
    """The newest orders."""
    found = recent_orders(OrderStatus(status) if status else None, limit)
    if as_json:
        click.echo(json.dumps([order_facts(order) for order in found]))
        return
    for order in found:
        flag = "" if order.flag == "none" else f"  {order.flag}"
        test = "  test" if order.is_test else ""
        click.echo(
            f"{order.number}  {order.created_at:%Y-%m-%d %H:%M}  {order.status:<10}  {order.total}{flag}{test}"
        )
    if not found:
        click.echo("No orders.")


@orders.command("show")
@click.argument("number")
@as_json
def show_order(number: str, as_json: bool) -> None:
    """Everything about one order: lines, payments, deliveries, history, and the buyer's link."""
    order = order_named(number)
    found = order_facts(order) | {
        "email": order.email,
        "url": order_url(order),
        "lines": [line_facts(line) for line in order.lines],
        "payments": [payment_facts(payment) for payment in payments_of(order.id)],
        "deliveries": [delivery_facts(delivery) for delivery in deliveries_of(order.id)],
        "mails": [mail_facts(mail) for mail in mails_of(order.id)],
        "history": [event_facts(event) for event in order.events],
        "decisions": possible_decisions(order),
    }
    show(found, as_json)


@orders.command("refresh")
@click.argument("number")
def refresh_order(number: str) -> None:
    """Ask the provider about every invoice of an order, and act on what it says."""
    order = order_named(number)
    with_invoice = [payment for payment in payments_of(order.id) if payment.invoice_id]
    if not with_invoice:
        refuse(f"Order {order.number} has no invoice to ask about.")
    unsaid = []
    for payment in with_invoice:
        try:
            refresh(payment, gateway())
        except CryptoCloudError as error:
            unsaid.append(f"About {payment.name} the provider did not say: {error}.")
    click.echo(f"{order.number} is {order_named(number).status}.")
    if unsaid:
        refuse("\n".join(unsaid))


@orders.command("confirm")
@click.argument("number")
@click.option(
    "--transaction", "transaction_id", required=True, callback=short_line, help=TRANSACTION
)
@decision
def confirm(number: str, transaction_id: str, because: Because) -> None:
    """Vouch for an order's money yourself: its goods are handed over as if the provider said so."""
    decided(
        lambda order: confirm_order(order, gateway(), because, transaction_id=transaction_id),
        number,
    )
    if order_named(number).status is OrderStatus.REVIEW:
        refuse(
            "It is noted, but nothing was handed over: it is sold out. Add stock, confirm again."
        )


@orders.command("cancel")
@click.argument("number")
@decision
def cancel(number: str, because: Because) -> None:
    """Close an unpaid order: its stock goes back on sale. Money that comes all the same is not lost."""
    decided(lambda order: cancel_order(order, gateway(), because), number)


@orders.command("refund")
@click.argument("number")
@click.option("--transaction", "transaction_id", default="", callback=short_line, help=TRANSACTION)
@decision
def refund(number: str, transaction_id: str, because: Because) -> None:
    """Note that a refund is due or, with its transaction, that it was made. No money is sent."""
    decided(lambda order: refund_order(order, because, transaction_id=transaction_id), number)


def decided(decide: Callable[[Order], Order], number: str) -> None:
    """Carry out what a person decided about an order, and say where it stands then."""
    try:
        decide(order_named(number))
    except NotPossible as error:
        refuse(str(error))
    order = order_named(number)
    flag = "" if order.flag == "none" else f", {order.flag}"
    click.echo(f"{order.number} is {order.status}{flag}.")
