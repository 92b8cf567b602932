"""`flask invoices`: real invoices at the configured provider."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import click

from ..checkout.service import ReferenceTaken, place_test_order
from ..config import current_settings
from ..mailbox import NotAnAddress, mailable
from ..money import CURRENCIES, LARGEST_PRICE, Money, MoneyError
from ..payments.cryptocloud import (
    CryptoCloudError,
    KeyRefused,
    Rejected,
    normalise_invoice_id,
)
from ..payments.facts import payment_facts
from ..payments.gateway import gateway
from ..payments.models import Payment, PaymentState
from ..payments.opening import open_invoice
from ..payments.queries import find_payment_by_invoice
from .interrupting import interruptible
from .nouns import invoices
from .printing import as_json, refuse, show
from .report_file import ReportFile
from .watching import STOPPED, Watch


@invoices.command("create")
@click.option("--amount", required=True, help="Such as 10 or 10.50.")
@click.option(
    "--currency", required=True, type=click.Choice(list(CURRENCIES), case_sensitive=False)
)
@click.option("--email", required=True, help="The buyer's address.")
@click.option(
    "--order-id", "reference", help="What the provider is told as order_id; made up if left out."
)
@click.option("--watch", is_flag=True, help="Follow it until it is confirmed; writes a report.")
@click.option(
    "--report",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The report's file; test-invoice-ID.json in this folder if left out.",
)
@click.option(
    "--minutes", type=click.IntRange(1, 720), help="How long to watch at most; 30 if left out."
)
@as_json
def create_invoice(
    amount: str,
    currency: str,
    email: str,
    reference: str | None,
    watch: bool,
    report: Path | None,
    minutes: int | None,
    as_json: bool,
) -> None:
    """Make a real test invoice at the configured provider; prints its id and pay_url."""
    if (report or minutes) and not watch:
        raise click.UsageError("--report and --minutes are about --watch.")
    money, address = _wanted(amount, currency, email, reference)
    if watch:
        _watch(partial(_placed, money, address, reference), report, minutes or 30, as_json)
        return
    payment = _placed(money, address, reference)
    open_invoice(payment, gateway())
    if problem := _problem(payment):
        refuse(problem)
    show(_made(payment), as_json)


def _wanted(amount: str, currency: str, email: str, reference: str | None) -> tuple[Money, str]:
    """The amount and the address that were typed, if an invoice can have them; refuses otherwise."""
    try:
        money = Money.parse(amount, currency.upper())
        address = mailable(email)
    except MoneyError as error:
        refuse(str(error))
    except NotAnAddress:
        refuse(f"{email!r} is not an email address; write it like name@example.com")
    if money.minor < 1:
        refuse("The amount must be more than 0.")
    if money.minor > LARGEST_PRICE:
        refuse(f"The amount may be {Money(LARGEST_PRICE, money.currency)} at most, as a price may.")
    if reference is not None and not (
        reference.isascii() and reference.isprintable() and 0 < len(reference) <= 64
    ):
        refuse("An order id has 1 to 64 plain characters.")
    if reference is not None and reference != reference.strip():
        refuse("An order id neither begins nor ends with a blank: postbacks are read without them.")
    return money, address


def _placed(money: Money, address: str, reference: str | None) -> Payment:
    try:
        return place_test_order(money, address, reference)
    except ReferenceTaken:
        refuse(f"Order id {reference} has been used before; choose another.")


def _problem(payment: Payment) -> str:
    """Why there is no invoice to show; empty when there is one."""
    number = payment.order.number
    if payment.state is PaymentState.FAILED:
        return f"No invoice was made: {payment.error}. The test order is {number}."
    if not payment.invoice_id:
        return (
            "An invoice may have been made, but no usable answer came: "
            f"{payment.error or 'it was not waited for'}. The test order is {number}."
        )
    if payment.state is PaymentState.ABANDONED:
        return (
            f"Invoice {payment.invoice_id} was made, but its reply was refused: {payment.error}. "
            f"The test order is {number}."
        )
    return ""


def _made(payment: Payment) -> dict[str, Any]:
    return {
        "invoice_id": payment.invoice_id,
        "pay_url": payment.pay_url,
        "amount": str(payment.money.decimal),
        "currency": payment.money.currency,
        "order": payment.order.number,
        "order_id": payment.reference,
    }


def _watch(place: Callable[[], Payment], report: Path | None, minutes: int, as_json: bool) -> None:
    """Place the order and follow its invoice; whatever ends this, no empty report is left."""
    with interruptible():
        file = ReportFile.take(report) if report else None
        if not file and not os.access(".", os.W_OK):
            refuse("This folder cannot be written; name a file by --report.")
        try:
            problem = _followed(place(), file, minutes, as_json)
        finally:
            if file:
                file.tidy()
    if problem:
        refuse(problem)


def _followed(payment: Payment, file: ReportFile | None, minutes: int, as_json: bool) -> str:
    """Make the invoice and follow it, even one that no buyer could be shown; returns what is wrong with it."""
    money, reference = payment.money, payment.reference
    hidden = (payment.order.number, payment.order.email)
    watch = Watch(current_settings(), gateway(), money, reference, hidden, quiet=as_json)
    with watch.listening():
        try:
            open_invoice(payment, watch.gateway)
        except KeyboardInterrupt:
            watch.report["ended_because"] = STOPPED
        problem, made = _problem(payment), _made(payment)
        if made["invoice_id"]:
            watch.knows_id(made["invoice_id"])
        watch.report["shop_says"] = watch.mask.reason(problem) or "an invoice to pay"
        name = f"test-invoice-{watch.invoice_id or made['order']}.json"
        file = file or ReportFile.take(Path(name))
        try:
            if watch.invoice_id and "ended_because" not in watch.report:
                _tell_what_to_do(watch, made, problem, minutes)
                watch.follow(watch.invoice_id, minutes)
        finally:
            watch.conclude(file)
    if as_json:
        show(watch.report, as_json)
    return problem


def _tell_what_to_do(watch: Watch, made: dict[str, Any], problem: str, minutes: int) -> None:
    facts = made if not problem else {"invoice_id": watch.invoice_id, "problem": problem}
    for name, value in facts.items():
        watch.say(f"{name}: {value}")
    watch.say(
        "\nIn your account at the provider, under Payments with test invoices shown, press\n"
        f'"Confirm invoice without payment" for {watch.invoice_id}. Send no money: to a test invoice it is lost.\n'
        f"Watching for up to {minutes} min; Ctrl-C ends it, and writes the report too.\n"
    )


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
