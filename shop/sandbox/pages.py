"""The hosted pay page and the control panel, for people.

No form here carries a CSRF token: the sandbox knows nobody, holds nothing of value and exists for
tests and trials only, so there is nothing a foreign page could gain by pressing a button.
"""

from dataclasses import asdict
from datetime import datetime

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from markupsafe import Markup
from werkzeug.exceptions import BadRequest

from shop.sandbox.coins import COINS, OFTEN_USED, Coin, in_coin
from shop.sandbox.invoices import Action, Invoice, Mode, Status, WrongMoment
from shop.sandbox.links import led_on
from shop.sandbox.postbacks import happen
from shop.sandbox.returns import return_url
from shop.sandbox.state import NoSuchInvoice, current_sandbox
from shop.sandbox.switches import BadSwitch, Brand

blueprint = Blueprint("pages", __name__)

SHOWN = 50
BRANDS = {Brand.TRYBIT: "Trybit (formerly CryptoCloud)", Brand.CRYPTOCLOUD: "CryptoCloud"}


@blueprint.app_template_filter("moment")
def moment(value: datetime) -> Markup:
    """Write a time for people and for machines."""
    text = f"{value.day} {value:%B %Y, %H:%M} UTC"
    return Markup('<time datetime="{}">{}</time>').format(value.isoformat(timespec="seconds"), text)


@blueprint.app_errorhandler(NoSuchInvoice)
@blueprint.app_errorhandler(404)
def missing(error: Exception) -> ResponseReturnValue:
    """Say that there is nothing here."""
    return render_template("sandbox/missing.html"), 404


@blueprint.get("/")
def panel() -> ResponseReturnValue:
    """Show the switches, the invoices and the postbacks."""
    return _panel()


@blueprint.post("/panel/switch")
def turn() -> ResponseReturnValue:
    """Turn the switches as the form says; an unticked box is not sent, and means no."""
    wanted: dict[str, object] = {}
    for name, position in asdict(current_sandbox().switches).items():
        if isinstance(position, bool):
            wanted[name] = name in request.form
        elif name in request.form:
            wanted[name] = request.form[name]
    try:
        current_sandbox().turn(wanted)
    except BadSwitch as error:
        return _panel(problem=str(error)), 400
    return redirect(url_for("pages.panel"), 303)


@blueprint.post("/panel/reset")
def reset() -> ResponseReturnValue:
    """Forget everything."""
    current_sandbox().reset()
    return redirect(url_for("pages.panel"), 303)


def _panel(problem: str | None = None) -> str:
    sandbox = current_sandbox()
    everything = sandbox.invoices()
    sent = [(invoice, sent) for invoice in everything for sent in invoice.postbacks]
    sent.sort(key=lambda pair: pair[1].at, reverse=True)
    return render_template(
        "sandbox/panel.html",
        settings=sandbox.settings,
        switches=sandbox.switches,
        invoices=everything[:SHOWN],
        count=len(everything),
        sent=sent[:SHOWN],
        problem=problem,
    )


@blueprint.get("/<invoice_id:number>")
def pay_page(number: str) -> ResponseReturnValue:
    """Show an invoice as a buyer sees it."""
    return _pay_page(current_sandbox().get(number))


@blueprint.get("/r/<invoice_id:number>")
def lead_on(number: str) -> ResponseReturnValue:
    """Send a buyer on from a pay link that redirects."""
    sandbox = current_sandbox()
    return redirect(led_on(sandbox, sandbox.get(number).id, request.host))


@blueprint.post("/<invoice_id:number>")
def act(number: str) -> ResponseReturnValue:
    """Press a button; a buyer who simply pays is sent back to the shop at once, as one would expect."""
    sandbox = current_sandbox()
    action, mode = _choice()
    try:
        invoice = happen(sandbox, number, action, mode, coin=_coin())
    except WrongMoment as error:
        return _pay_page(sandbox.get(number), problem=str(error)), 409
    if action is Action.PAY and mode is Mode.NORMAL and invoice.settled:
        return redirect(return_url(sandbox.settings, invoice), 303)
    return redirect(url_for("pages.pay_page", number=invoice.id), 303)


def _choice() -> tuple[Action, Mode]:
    try:
        return Action(request.form.get("action", "")), Mode(request.form.get("postback", "normal"))
    except ValueError as error:
        raise BadRequest(str(error)) from None


def _coin() -> Coin | None:
    return COINS.get(request.values.get("coin", ""))


def _pay_page(invoice: Invoice, problem: str | None = None) -> str:
    sandbox = current_sandbox()
    coin = invoice.coin if invoice.received else _coin() or invoice.coin
    return render_template(
        "sandbox/pay.html",
        invoice=invoice,
        coin=coin,
        coins=list(dict.fromkeys((*(invoice.coins or OFTEN_USED), coin))),
        brand=BRANDS[sandbox.settings.brand_at(request.host)],
        price=in_coin(invoice.amount, invoice.currency, coin),
        minutes_left=int((invoice.deadline - sandbox.clock()).total_seconds() // 60),
        back=return_url(sandbox.settings, invoice),
        delay=f"{sandbox.settings.postback_delay:g}",
        problem=problem,
        Action=Action,
        Mode=Mode,
        Status=Status,
    )
