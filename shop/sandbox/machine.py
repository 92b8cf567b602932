"""The control panel for programs: journeys, fault tests and the demo drive the sandbox by it."""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime

from flask import Blueprint, jsonify, request
from flask.typing import ResponseReturnValue

from shop.sandbox.coins import COINS
from shop.sandbox.invoices import Action, Invoice, Mode, Sent, WrongMoment
from shop.sandbox.links import pay_page
from shop.sandbox.postbacks import happen
from shop.sandbox.returns import return_url
from shop.sandbox.state import NoSuchInvoice, current_sandbox

blueprint = Blueprint("machine", __name__, url_prefix="/_sandbox")


@blueprint.errorhandler(ValueError)
def bad_wish(error: ValueError) -> ResponseReturnValue:
    """Say what was wrong with the request."""
    return jsonify(error=str(error)), 400


@blueprint.errorhandler(NoSuchInvoice)
def absent(error: NoSuchInvoice) -> ResponseReturnValue:
    """Say that there is no such invoice."""
    return jsonify(error=f"No invoice {error}."), 404


@blueprint.errorhandler(WrongMoment)
def too_late(error: WrongMoment) -> ResponseReturnValue:
    """Say why nothing was done."""
    return jsonify(error=str(error)), 409


@blueprint.get("/switch")
def switches() -> ResponseReturnValue:
    """Show every switch."""
    return jsonify(asdict(current_sandbox().switches))


@blueprint.post("/switch")
def turn() -> ResponseReturnValue:
    """Turn the switches that are named."""
    return jsonify(asdict(current_sandbox().turn(_wishes())))


@blueprint.post("/reset")
def reset() -> ResponseReturnValue:
    """Forget every invoice and set every switch back."""
    current_sandbox().reset()
    return jsonify(asdict(current_sandbox().switches))


@blueprint.get("/invoices")
def invoices() -> ResponseReturnValue:
    """List every invoice, the newest first."""
    return jsonify([describe(invoice) for invoice in current_sandbox().invoices()])


@blueprint.get("/invoices/<number>")
def invoice(number: str) -> ResponseReturnValue:
    """Show one invoice."""
    return jsonify(describe(current_sandbox().get(number)))


@blueprint.post("/invoices/<number>/<action>")
def act(number: str, action: str) -> ResponseReturnValue:
    """Let something happen; with `wait` the postback is sent, and answered, before this answers."""
    wishes = _wishes({"postback", "coin", "wait"})
    code = wishes.get("coin")
    if code is not None and (not isinstance(code, str) or code not in COINS):
        raise ValueError(f"coin must be one of {', '.join(COINS)}.")
    after = happen(
        current_sandbox(),
        number,
        Action(action),
        Mode(str(wishes.get("postback", Mode.NORMAL))),
        coin=COINS[code] if code else None,
        wait=wishes.get("wait") is True,
    )
    return jsonify(describe(after))


def _wishes(known: set[str] | None = None) -> Mapping[str, object]:
    wishes = request.get_json(silent=True) if request.get_data() else {}
    if not isinstance(wishes, dict):
        raise ValueError("Send a JSON object.")
    if known is not None and not set(wishes) <= known:
        raise ValueError(f"Only {', '.join(sorted(known))} may be given.")
    return wishes


def describe(invoice: Invoice) -> dict[str, object]:
    """Write an invoice as JSON; times are ISO with zone, amounts are text."""
    return {
        "id": invoice.id,
        "status": invoice.status,
        "history": invoice.history,
        "amount": str(invoice.amount),
        "currency": invoice.currency,
        "order_id": invoice.order_id,
        "email": invoice.email,
        "created": _iso(invoice.created),
        "deadline": _iso(invoice.deadline),
        "api": invoice.api,
        "test_mode": invoice.test_mode,
        "coin": invoice.coin.code,
        "amount_crypto": str(invoice.price),
        "received_crypto": str(invoice.received),
        "pay_url": pay_page(current_sandbox(), invoice.id),
        "return_url": return_url(current_sandbox().settings, invoice),
        "postbacks_due": invoice.due,
        "postbacks": [_describe_sent(sent) for sent in invoice.postbacks],
    }


def _describe_sent(sent: Sent) -> dict[str, object]:
    return {
        "mode": sent.mode,
        "at": _iso(sent.at),
        "encoding": sent.encoding,
        "fields": {name: str(value) for name, value in sent.fields.items()},
        "answer": sent.answer,
        "body": sent.body,
        "problem": sent.problem,
    }


def _iso(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds")
