"""The provider's API v2: create, info, list and cancel, with the documented errors and the faults."""

from collections.abc import Mapping
from datetime import date, datetime, timedelta

from flask import Blueprint, jsonify
from flask.typing import ResponseReturnValue

from shop.sandbox.facts import created_facts, known_facts
from shop.sandbox.faults import guard, pay_link
from shop.sandbox.invoices import Action, Invoice, WrongMoment
from shop.sandbox.reading import Refused, amount, currency, number, read_fields, required, text
from shop.sandbox.state import NoSuchInvoice, Sandbox, current_sandbox

blueprint = Blueprint("api_v2", __name__, url_prefix="/v2/invoice")

MOST_AT_ONCE = 100
MOST_HOURS = 24 * 30


def unauthenticated() -> ResponseReturnValue:
    """Refuse a wrong key; older texts of the provider say 400 here."""
    return jsonify(status="error", result={"authorization": "Unauthorized request."}), 401


guard(blueprint, unauthenticated)


@blueprint.errorhandler(Refused)
def refuse(error: Refused) -> ResponseReturnValue:
    """Say what was wrong with the request, under the name of the field."""
    return jsonify(status="error", result={error.field: str(error)}), 400


@blueprint.post("/create")
def create() -> ResponseReturnValue:
    """Open an invoice."""
    sandbox = current_sandbox()
    fields = read_fields()
    if required(fields, "shop_id") != sandbox.settings.shop_id:
        raise Refused("shop_id is not known", "shop_id")
    invoice = sandbox.create(
        amount(fields),
        currency(fields),
        text(fields, "order_id"),
        text(fields, "email"),
        lifetime=_time_to_pay(fields),
        api="v2",
    )
    link = pay_link(sandbox, invoice.id)
    return jsonify(status="success", result=created_facts(sandbox.settings, invoice, link))


def _time_to_pay(fields: Mapping[str, object]) -> timedelta | None:
    """How long to wait for money. Unknown names, such as `timeToPay`, are ignored in silence."""
    extra = fields.get("add_fields")
    wish = extra.get("time_to_pay") if isinstance(extra, dict) else None
    if wish is None:
        return None
    if not isinstance(wish, dict):
        raise Refused("time_to_pay is not an object", "time_to_pay")
    time = timedelta(
        hours=number(wish, "hours", 0, MOST_HOURS, 0), minutes=number(wish, "minutes", 0, 59, 0)
    )
    if not time:
        raise Refused("time_to_pay is nothing", "time_to_pay")
    return time


@blueprint.post("/merchant/info")
def info() -> ResponseReturnValue:
    """Tell everything about up to a hundred invoices; one that is not known is left out."""
    uuids = read_fields().get("uuids")
    if not isinstance(uuids, list) or not uuids or not all(isinstance(each, str) for each in uuids):
        raise Refused("uuids is required", "uuids")
    if len(uuids) > MOST_AT_ONCE:
        raise Refused(f"uuids may hold {MOST_AT_ONCE} at most", "uuids")
    sandbox = current_sandbox()
    found = [invoice for uuid in uuids if (invoice := _find(sandbox, uuid))]
    return jsonify(status="success", result=_tell(sandbox, found))


def _find(sandbox: Sandbox, uuid: str) -> Invoice | None:
    try:
        return sandbox.get(uuid)
    except NoSuchInvoice:
        return None


def _tell(sandbox: Sandbox, invoices: list[Invoice]) -> list[dict[str, object]]:
    return [
        known_facts(sandbox.settings, invoice, pay_link(sandbox, invoice.id))
        for invoice in invoices
    ]


@blueprint.post("/merchant/list")
def page() -> ResponseReturnValue:
    """List the invoices of some days, the newest first, page by page."""
    fields = read_fields()
    start, end = _day(fields, "start"), _day(fields, "end")
    offset = number(fields, "offset", 0, 10**9, 0)
    limit = number(fields, "limit", 1, MOST_AT_ONCE, 10)
    sandbox = current_sandbox()
    made = [each for each in sandbox.invoices() if start <= each.created.date() <= end]
    return jsonify(
        status="success",
        result=_tell(sandbox, made[offset : offset + limit]),
        all_count=len(made),
    )


def _day(fields: Mapping[str, object], name: str) -> date:
    try:
        return datetime.strptime(f"{required(fields, name)} +0000", "%d.%m.%Y %z").date()
    except ValueError:
        raise Refused(f"{name} is not a day like 31.12.2026", name) from None


@blueprint.post("/merchant/canceled")
def cancel() -> ResponseReturnValue:
    """Cancel an invoice that nothing has been paid for."""
    try:
        current_sandbox().act(required(read_fields(), "uuid"), Action.CANCEL)
    except NoSuchInvoice:
        raise Refused("Invoice is not found", "uuid") from None
    except WrongMoment:
        raise Refused("Invoice is not created") from None
    return jsonify(status="success", result=["ok"])
