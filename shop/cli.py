"""The command line: `flask --app wsgi …`, one group for each noun."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NoReturn

import click
from email_validator import EmailNotValidError, validate_email
from flask import Flask, current_app
from flask.cli import with_appcontext

from . import jobs as periodic
from .catalogue.cli import products, rates
from .catalogue.models import DeliveryKind
from .catalogue.queries import find_product
from .checkout.service import ReferenceTaken, place_test_order
from .config import Settings, current_settings
from .fulfilment.queries import deliveries_of
from .fulfilment.service import add_keys
from .money import CURRENCIES, Money, MoneyError
from .ops.commands import CommandGroup
from .ops.doctor import CHECKS, Finding, examine
from .orders.links import order_url
from .orders.models import Order, OrderStatus
from .orders.queries import find_order, open_attention, recent_orders
from .payments.cryptocloud import (
    CryptoCloud,
    CryptoCloudError,
    KeyRefused,
    Rejected,
    normalise_invoice_id,
)
from .payments.models import Payment, PaymentState
from .payments.queries import find_payment_by_invoice, payments_of
from .payments.service import open_invoice, refresh
from .worker import worker

as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON, for scripts.")

invoices = CommandGroup("invoices", help="Make and look at invoices at the provider.")
orders = CommandGroup("orders", help="List, show and re-check orders.")
keys = CommandGroup("keys", help="The stock of licence keys.")
jobs = CommandGroup("jobs", help="Run the worker's jobs by hand.")
attention = CommandGroup("attention", help="What a person must look at.")


def init_app(app: Flask) -> None:
    """Add every command."""
    for command in (invoices, orders, products, rates, keys, jobs, attention, worker, doctor):
        app.cli.add_command(command)


@invoices.command("create")
@click.option("--amount", required=True, help="Such as 10 or 10.50.")
@click.option(
    "--currency", required=True, type=click.Choice(list(CURRENCIES), case_sensitive=False)
)
@click.option("--email", required=True, help="The buyer's address.")
@click.option(
    "--order-id", "reference", help="What the provider is told as order_id; made up if left out."
)
@as_json
def create_invoice(
    amount: str, currency: str, email: str, reference: str | None, as_json: bool
) -> None:
    """Make a real test invoice at the configured provider; prints its id and pay_url."""
    try:
        money = Money.parse(amount, currency.upper())
        address = validate_email(email, check_deliverability=False, allow_smtputf8=False).normalized
    except (MoneyError, EmailNotValidError) as error:
        _refuse(str(error))
    if money.minor < 1:
        _refuse("The amount must be more than 0.")
    if reference is not None and not (
        reference.isascii() and reference.isprintable() and 0 < len(reference) <= 64
    ):
        _refuse("An order id has 1 to 64 plain characters.")
    try:
        payment = place_test_order(money, address, reference)
    except ReferenceTaken:
        _refuse(f"Order id {reference} has been used before; choose another.")
    open_invoice(payment, _gateway())
    if payment.state is not PaymentState.OPEN:
        _refuse(f"No invoice was made: {payment.error}. The test order is {payment.order.number}.")
    found = {
        "invoice_id": payment.invoice_id,
        "pay_url": payment.pay_url,
        "amount": str(money.decimal),
        "currency": money.currency,
        "order": payment.order.number,
        "order_id": payment.reference,
    }
    _print(found, as_json)


@invoices.command("show")
@click.argument("invoice_id", metavar="ID")
@as_json
def show_invoice(invoice_id: str, as_json: bool) -> None:
    """What the provider says about an invoice now, and what this shop knows of it."""
    try:
        bare = normalise_invoice_id(invoice_id.upper())
    except ValueError:
        _refuse("An invoice id looks like INV-ABCD1234 or ABCD1234.")
    try:
        status = _gateway().invoice_status(bare)
    except KeyRefused as error:
        _refuse(f"The provider did not say: {error}.")
    except Rejected as error:
        _refuse(f"The provider knows no invoice {bare}: {error}.")
    except CryptoCloudError as error:
        _refuse(f"The provider did not say: {error}.")
    payment = find_payment_by_invoice(bare)
    known = _payment(payment) | {"order": payment.order.number} if payment else {"order": None}
    _print({"invoice_id": bare, "provider_status": status.value, **known}, as_json)


@orders.command("list")
@click.option("--status", type=click.Choice([status.value for status in OrderStatus]))
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True)
@as_json
def list_orders(status: str | None, limit: int, as_json: bool) -> None:
    """The newest orders."""
    found = recent_orders(OrderStatus(status) if status else None, limit)
    if as_json:
        click.echo(json.dumps([_order(order) for order in found]))
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
    order = _find(number)
    found = _order(order) | {
        "email": order.email,
        "url": order_url(order),
        "lines": [
            {"title": line.title, "quantity": line.quantity, "total": str(line.total)}
            for line in order.lines
        ],
        "payments": [_payment(payment) for payment in payments_of(order.id)],
        "deliveries": [
            {"title": delivery.line.title, "kind": delivery.kind, "state": delivery.state}
            for delivery in deliveries_of(order.id)
        ],
        "history": [
            {
                "at": event.at.isoformat(timespec="seconds"),
                "kind": event.kind,
                "note": event.note,
                "who": event.who,
            }
            for event in order.events
        ],
    }
    _print(found, as_json)


@orders.command("refresh")
@click.argument("number")
def refresh_order(number: str) -> None:
    """Ask the provider about every invoice of an order, and act on what it says."""
    order = _find(number)
    with_invoice = [payment for payment in payments_of(order.id) if payment.invoice_id]
    if not with_invoice:
        _refuse(f"Order {order.number} has no invoice to ask about.")
    for payment in with_invoice:
        try:
            refresh(payment, _gateway())
        except CryptoCloudError as error:
            _refuse(f"The provider did not say: {error}. Nothing was changed.")
    click.echo(f"{order.number} is {_find(number).status}.")


@keys.command("add")
@click.argument("slug")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def add_licence_keys(slug: str, file: Path) -> None:
    """Put licence keys for a product into stock: one to a line; known ones are skipped."""
    product = find_product(slug)
    if product is None or product.delivery_kind is not DeliveryKind.KEY:
        _refuse(f"There is no product {slug} that is delivered by licence key.")
    try:
        lines = file.read_text("utf-8").splitlines()
    except UnicodeDecodeError:
        _refuse(f"{file} is not a text in UTF-8; nothing was changed.")
    values = [line.strip() for line in lines if line.strip()]
    if bad := [
        str(number)
        for number, line in enumerate(lines, start=1)
        if len(line.strip()) > 500 or not line.strip().isprintable()
    ]:
        _refuse(
            f"Lines {', '.join(bad)} are longer than 500 characters "
            "or hold characters that cannot be printed; nothing was changed."
        )
    new, known = add_keys(product, values)
    periodic.run("deliveries")  # orders may have been waiting for these
    click.echo(f"{new} keys added, {known} were there already.")


@jobs.command("run")
@click.argument("name", type=click.Choice(list(periodic.JOBS)))
def run_job(name: str) -> None:
    """Run one of the worker's jobs now."""
    periodic.run(name)
    click.echo(f"{name} is done.")


@attention.command("list")
@as_json
def list_attention(as_json: bool) -> None:
    """What still waits for a person, oldest first."""
    items = open_attention()
    if as_json:
        click.echo(
            json.dumps(
                [
                    {
                        "id": i.id,
                        "kind": i.kind,
                        "reference": i.reference,
                        "note": i.note,
                        "created_at": i.created_at.isoformat(),
                    }
                    for i in items
                ]
            )
        )
        return
    for item in items:
        click.echo(f"{item.id}  {item.created_at:%Y-%m-%d %H:%M}  {item.kind}: {item.note}")
    if not items:
        click.echo("Nothing waits for you.")


@click.command()
@as_json
@with_appcontext
def doctor(as_json: bool) -> None:
    """Check whether this shop is fit to sell; exits with 1 when anything fails."""
    findings = list(examine(current_settings(), [*CHECKS, provider, attention_items]))
    if as_json:
        click.echo(json.dumps([vars(finding) for finding in findings]))
    else:
        for finding in findings:
            click.echo(
                f"{finding.level:<4}  {finding.name}: {finding.text}"
                + (f". {finding.mend}" if finding.mend else "")
            )
    if any(finding.level == "fail" for finding in findings):
        raise SystemExit(1)


def provider(settings: Settings) -> Finding:
    """The provider answers and takes the API key."""
    try:
        _gateway().check_key()
    except KeyRefused:
        return Finding(
            "fail",
            "provider",
            "refuses the API key",
            "Copy CRYPTOCLOUD_API_KEY from the project's settings.",
        )
    except CryptoCloudError as error:
        return Finding(
            "fail",
            "provider",
            str(error),
            f"Is {settings.cryptocloud_api_url} reachable from here?",
        )
    return Finding("ok", "provider", f"{settings.cryptocloud_api_url} takes the API key")


def attention_items(settings: Settings) -> Finding:
    """Nothing waits for a person."""
    if count := len(open_attention()):
        return Finding(
            "warn",
            "attention",
            f"{count} things wait for a person",
            "See `flask --app wsgi attention list`.",
        )
    return Finding("ok", "attention", "nothing waits for a person")


def _gateway() -> CryptoCloud:
    gateway: CryptoCloud = current_app.extensions["cryptocloud"]
    return gateway


def _find(number: str) -> Order:
    order = find_order(number)
    if order is None:
        _refuse(f"There is no order {number}.")
    return order


def _refuse(message: str) -> NoReturn:
    raise click.ClickException(message)


def _order(order: Order) -> dict[str, Any]:
    return {
        "order": order.number,
        "status": order.status,
        "flag": order.flag,
        "test": order.is_test,
        "total": str(order.total),
        "created_at": order.created_at.isoformat(timespec="seconds"),
    }


def _payment(payment: Payment) -> dict[str, Any]:
    return {
        "attempt": payment.attempt,
        "state": payment.state,
        "invoice_id": payment.invoice_id,
        "amount": str(payment.money),
        "order_id": payment.reference,
        "pay_url": payment.pay_url,
        "error": payment.error,
    }


def _print(found: dict[str, Any], as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(found))
        return
    for name, value in found.items():
        if isinstance(value, list):
            click.echo(f"{name}:")
            for row in value:
                click.echo("  " + "  ".join(f"{v}" for v in row.values() if v not in (None, "")))
        else:
            click.echo(f"{name}: {value}")
