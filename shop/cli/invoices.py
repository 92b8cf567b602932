"""`flask invoices`: real invoices at the configured provider."""

from __future__ import annotations

import click

from ..checkout.service import ReferenceTaken, place_test_order
from ..mailbox import NotAnAddress, mailable
from ..money import CURRENCIES, Money, MoneyError
from ..ops.commands import CommandGroup
from ..payments.cryptocloud import (
    CryptoCloudError,
    KeyRefused,
    Rejected,
    normalise_invoice_id,
)
from ..payments.models import PaymentState
from ..payments.queries import find_payment_by_invoice
from ..payments.service import open_invoice
from .lookup import gateway
from .printing import as_json, payment_facts, refuse, show

invoices = CommandGroup("invoices", help="Make and look at invoices at the provider.")


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
        address = mailable(email)
    except MoneyError as error:
        refuse(str(error))
    except NotAnAddress:
        refuse(f"{email!r} is not an email address; write it like name@example.com")
    if money.minor < 1:
        refuse("The amount must be more than 0.")
    if reference is not None and not (
        reference.isascii() and reference.isprintable() and 0 < len(reference) <= 64
    ):
        refuse("An order id has 1 to 64 plain characters.")
    try:
        payment = place_test_order(money, address, reference)
    except ReferenceTaken:
        refuse(f"Order id {reference} has been used before; choose another.")
    open_invoice(payment, gateway())
    if payment.state is PaymentState.UNKNOWN:
        refuse(
            f"An invoice may have been made, but no usable answer came: {payment.error}. "
            f"The test order is {payment.order.number}."
        )
    if payment.state is not PaymentState.OPEN:
        refuse(f"No invoice was made: {payment.error}. The test order is {payment.order.number}.")
    found = {
        "invoice_id": payment.invoice_id,
        "pay_url": payment.pay_url,
        "amount": str(money.decimal),
        "currency": money.currency,
        "order": payment.order.number,
        "order_id": payment.reference,
    }
    show(found, as_json)


@invoices.command("show")
@click.argument("invoice_id", metavar="ID")
@as_json
def show_invoice(invoice_id: str, as_json: bool) -> None:
    """What the provider says about an invoice now, and what this shop knows of it."""
    try:
        bare = normalise_invoice_id(invoice_id.upper())
    except ValueError:
        refuse("An invoice id looks like INV-ABCD1234 or ABCD1234.")
    try:
        status = gateway().invoice_infos([bare])[bare].status
    except KeyRefused as error:
        refuse(f"The provider did not say: {error}.")
    except Rejected as error:
        refuse(f"The provider knows no invoice {bare}: {error}.")
    except CryptoCloudError as error:
        refuse(f"The provider did not say: {error}.")
    payment = find_payment_by_invoice(bare)
    known = payment_facts(payment) | {"order": payment.order.number} if payment else {"order": None}
    show({"invoice_id": bare, "provider_status": status.value, **known}, as_json)
