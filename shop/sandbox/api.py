"""The provider's API v1: create and info, with the documented errors and the faults switched on."""

import hmac
import json
from collections.abc import Iterator, Mapping
from decimal import Decimal, InvalidOperation

from flask import Blueprint, Response, jsonify, request
from flask.typing import ResponseReturnValue

from shop.sandbox.coins import FIAT_IN_USD, in_usd
from shop.sandbox.invoices import Invoice
from shop.sandbox.state import NoSuchInvoice, Sandbox, current_sandbox
from shop.sandbox.switches import Api

blueprint = Blueprint("api", __name__, url_prefix="/v1")


class Refused(Exception):
    """The request is answered 400, with this text."""


@blueprint.before_request
def fail_as_switched() -> ResponseReturnValue | None:
    """Answer in place of the API while a fault is switched on."""
    match current_sandbox().switches.api:
        case Api.DOWN:
            return Response("Service Unavailable\n", 503, mimetype="text/plain")
        case Api.GARBLED:
            return Response("<html><body><h1>Welcome to nginx!</h1></body></html>", 200)
        case Api.UNAUTHENTICATED:
            return unauthenticated()
        case Api.NOT_ACCEPTABLE:
            return jsonify(status="error", error="Service is not available"), 406
    return None


@blueprint.before_request
def check_key() -> ResponseReturnValue | None:
    """Let nobody in without the project's API key."""
    expected = f"Token {current_sandbox().settings.api_key}"
    given = request.headers.get("Authorization", "")
    return None if hmac.compare_digest(given.encode(), expected.encode()) else unauthenticated()


@blueprint.after_request
def answer_late(response: Response) -> Response:
    """Hold the answer back while the API is slow: the work is done, the caller cannot know."""
    sandbox = current_sandbox()
    if sandbox.switches.api is Api.SLOW:
        sandbox.pause(sandbox.switches.seconds)
    elif sandbox.switches.api is Api.DRIP:
        body = response.get_data()
        response.response = _drip(sandbox, body, sandbox.switches.seconds)
        response.content_length = len(body)
    return response


def _drip(sandbox: Sandbox, body: bytes, seconds: float) -> Iterator[bytes]:
    for position in range(len(body)):
        sandbox.pause(seconds)
        yield body[position : position + 1]


@blueprint.errorhandler(Refused)
def refuse(error: Refused) -> ResponseReturnValue:
    """Say what was wrong with the request, in the body the integrations read."""
    return jsonify(status="error", error=str(error)), 400


@blueprint.post("/invoice/create")
def create() -> ResponseReturnValue:
    """Open an invoice from JSON or a form."""
    sandbox = current_sandbox()
    fields = _fields()
    if _required(fields, "shop_id") != sandbox.settings.shop_id:
        raise Refused("shop_id is not known")
    amount = _amount(_required(fields, "amount"))
    order_id, email = _text(fields, "order_id"), _text(fields, "email")
    invoice = sandbox.create(amount, _currency(fields), order_id, email)
    return jsonify(_reply(sandbox, invoice))


@blueprint.get("/invoice/info")
def info() -> ResponseReturnValue:
    """Tell the status of an invoice, and nothing else."""
    number = request.args.get("uuid", "")
    if not number:
        raise Refused("uuid is required")
    try:
        invoice = current_sandbox().get(number)
    except NoSuchInvoice:
        raise Refused("Invoice is not found") from None
    return jsonify(status="success", status_invoice=invoice.status)


def unauthenticated() -> ResponseReturnValue:
    """Refuse a wrong key."""
    return jsonify(message="Unauthenticated."), 401


def _reply(sandbox: Sandbox, invoice: Invoice) -> dict[str, object]:
    reply: dict[str, object] = {
        "status": "success",
        "pay_url": sandbox.settings.pay_url(invoice.id),
        "currency": invoice.coin.code,
        "invoice_id": invoice.id,
    }
    if sandbox.switches.extras:  # seen in 2022-23: both as numbers
        reply["amount"] = float(invoice.price)
        reply["amount_usd"] = float(in_usd(invoice.amount, invoice.currency))
    return reply


def _fields() -> Mapping[str, object]:
    if not request.is_json:
        return request.form.to_dict()
    try:
        fields = json.loads(request.get_data(), parse_float=str)
    except ValueError:
        raise Refused("The body is not JSON") from None
    if not isinstance(fields, dict):
        raise Refused("The body is not an object")
    return fields


def _text(fields: Mapping[str, object], name: str) -> str | None:
    value = fields.get(name)
    if value is None or value == "":
        return None
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise Refused(f"{name} is not text")
    return str(value)


def _required(fields: Mapping[str, object], name: str) -> str:
    value = _text(fields, name)
    if value is None:
        raise Refused(f"{name} is required")
    return value


def _currency(fields: Mapping[str, object]) -> str:
    currency = _text(fields, "currency") or "USD"
    if currency not in FIAT_IN_USD:
        raise Refused(f"currency is not supported, use one of {', '.join(FIAT_IN_USD)}")
    return currency


def _amount(text: str) -> Decimal:
    try:
        amount = Decimal(text)
    except InvalidOperation:
        raise Refused("amount is not a number") from None
    if not amount.is_finite() or not 0 < amount < Decimal("1e9"):
        raise Refused("amount is out of range")
    if amount != round(amount, 2):  # undocumented; being strict shows a caller's slip at once
        raise Refused("amount has more than two decimals")
    return round(amount, 2)
