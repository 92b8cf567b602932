"""The provider's API v1: create and info, with the documented errors and the faults switched on."""

from flask import Blueprint, jsonify, request
from flask.typing import ResponseReturnValue

from shop.sandbox.coins import FIAT_OF_V1, in_usd
from shop.sandbox.facts import status_word
from shop.sandbox.faults import guard, made_code, refuse_as_switched
from shop.sandbox.invoices import Invoice
from shop.sandbox.links import pay_link
from shop.sandbox.reading import Refused, check_shop, read_fields, text, wanted_money
from shop.sandbox.state import NoSuchInvoice, Sandbox, current_sandbox

blueprint = Blueprint("api", __name__, url_prefix="/v1")


def unauthenticated() -> ResponseReturnValue:
    """Refuse a wrong key."""
    return jsonify(message="Unauthenticated."), 401


guard(blueprint, unauthenticated)


@blueprint.errorhandler(Refused)
def refuse(error: Refused) -> ResponseReturnValue:
    """Say what was wrong with the request, in the body the integrations read."""
    return jsonify(status="error", error=str(error)), error.code


@blueprint.post("/invoice/create")
def create() -> ResponseReturnValue:
    """Open an invoice from JSON or a form."""
    if refusal := refuse_as_switched():
        return refusal
    sandbox = current_sandbox()
    fields = read_fields()
    check_shop(fields, sandbox.settings.shop_id)
    money = wanted_money(fields, FIAT_OF_V1)
    invoice = sandbox.create(*money, text(fields, "order_id"), text(fields, "email"))
    return jsonify(_reply(sandbox, invoice)), made_code()


@blueprint.get("/invoice/info")
def info() -> ResponseReturnValue:
    """Tell the status of an invoice, and nothing else."""
    number = request.args.get("uuid", "")
    if not number:
        raise Refused("uuid is required", "uuid")
    sandbox = current_sandbox()
    try:
        invoice = sandbox.get(number)
    except NoSuchInvoice:
        raise Refused("Invoice is not found", "uuid") from None
    return jsonify(status="success", status_invoice=status_word(sandbox, invoice))


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
