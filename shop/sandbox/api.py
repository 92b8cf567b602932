"""The provider's API v1: create and info, with the documented errors and the faults switched on."""

from flask import Blueprint, jsonify, request
from flask.typing import ResponseReturnValue

from shop.sandbox.coins import in_usd
from shop.sandbox.faults import guard, pay_link
from shop.sandbox.invoices import Invoice
from shop.sandbox.reading import Refused, amount, currency, read_fields, required, text
from shop.sandbox.state import NoSuchInvoice, Sandbox, current_sandbox

blueprint = Blueprint("api", __name__, url_prefix="/v1")


def unauthenticated() -> ResponseReturnValue:
    """Refuse a wrong key."""
    return jsonify(message="Unauthenticated."), 401


guard(blueprint, unauthenticated)


@blueprint.errorhandler(Refused)
def refuse(error: Refused) -> ResponseReturnValue:
    """Say what was wrong with the request, in the body the integrations read."""
    return jsonify(status="error", error=str(error)), 400


@blueprint.post("/invoice/create")
def create() -> ResponseReturnValue:
    """Open an invoice from JSON or a form."""
    sandbox = current_sandbox()
    fields = read_fields()
    if required(fields, "shop_id") != sandbox.settings.shop_id:
        raise Refused("shop_id is not known", "shop_id")
    invoice = sandbox.create(
        amount(fields), currency(fields), text(fields, "order_id"), text(fields, "email")
    )
    return jsonify(_reply(sandbox, invoice))


@blueprint.get("/invoice/info")
def info() -> ResponseReturnValue:
    """Tell the status of an invoice, and nothing else."""
    number = request.args.get("uuid", "")
    if not number:
        raise Refused("uuid is required", "uuid")
    try:
        invoice = current_sandbox().get(number)
    except NoSuchInvoice:
        raise Refused("Invoice is not found", "uuid") from None
    return jsonify(status="success", status_invoice=invoice.status)


def _reply(sandbox: Sandbox, invoice: Invoice) -> dict[str, object]:
    reply: dict[str, object] = {
        "status": "success",
        "pay_url": pay_link(sandbox, invoice.id),
        "currency": invoice.coin.code,
        "invoice_id": invoice.id,
    }
    if sandbox.switches.extras:  # seen in 2022-23: both as numbers
        reply["amount"] = float(invoice.price)
        reply["amount_usd"] = float(in_usd(invoice.amount, invoice.currency))
    return reply
