"""The provider's API v2, with the documented errors and the faults.

Invoices are created, asked about, listed and cancelled; besides there are the balance, statistics
and permanent addresses ("static wallets").
"""

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from hashlib import sha256

from flask import Blueprint, jsonify, request
from flask.typing import ResponseReturnValue

from shop.sandbox.coins import COINS, Coin, in_usd
from shop.sandbox.facts import (
    address_of,
    created_facts,
    credited,
    known_facts,
    wallet_currency_facts,
)
from shop.sandbox.faults import guard, made_code, refuse_as_switched
from shop.sandbox.invoices import Action, Invoice, Status, WrongMoment
from shop.sandbox.reading import (
    Refused,
    check_shop,
    number,
    read_fields,
    required,
    text,
    wanted_money,
)
from shop.sandbox.state import NoSuchInvoice, Sandbox, current_sandbox
from shop.sandbox.switches import Api, Limit

blueprint = Blueprint("api_v2", __name__, url_prefix="/v2")

MOST_AT_ONCE = 100
USUAL_AT_ONCE = 10
MOST_HOURS = 24 * 30
OTHER_WORDS = ("/v2/merchant/wallet/balance/all", "/v2/invoice/merchant/statistics")
"""The calls that answer a wrong key with `detail`; all others answer with KEY_ERROR."""
KEY_ERROR = {"status": "error", "result": {"authorization": "Unauthorized request."}}


def unauthenticated() -> ResponseReturnValue:
    """Refuse a wrong key: in one of two ways, by the call; under 400, as in older texts, if so switched."""
    if current_sandbox().switches.api is Api.OLD_UNAUTHENTICATED:
        return jsonify(KEY_ERROR), 400
    if request.path in OTHER_WORDS:
        return jsonify(detail="Signature verification failed"), 403
    return jsonify(KEY_ERROR), 401


guard(blueprint, unauthenticated)


@blueprint.errorhandler(Refused)
def refuse(error: Refused) -> ResponseReturnValue:
    """Say what was wrong with the request, under the name of the field."""
    return jsonify(status="error", result={error.field: str(error)}), error.code


@blueprint.post("/invoice/create")
def create() -> ResponseReturnValue:
    """Open an invoice."""
    if refusal := refuse_as_switched():
        return refusal
    sandbox = current_sandbox()
    fields = read_fields()
    check_shop(fields, sandbox.settings.shop_id)
    extra = fields.get("add_fields")
    wishes = extra if isinstance(extra, dict) else {}
    invoice = sandbox.create(
        *wanted_money(fields),
        text(fields, "order_id"),
        text(fields, "email"),
        lifetime=_time_to_pay(wishes),
        api="v2",
        coin=_coin(code, "cryptocurrency") if (code := wishes.get("cryptocurrency")) else None,
        coins=_available(wishes),
    )
    return jsonify(status="success", result=created_facts(sandbox, invoice)), made_code()


def _time_to_pay(wishes: Mapping[str, object]) -> timedelta | None:
    """How long to wait for money. Unknown names, such as `timeToPay`, are ignored in silence."""
    wish = wishes.get("time_to_pay")
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


def _available(wishes: Mapping[str, object]) -> tuple[Coin, ...]:
    """The coins that the buyer may choose from; empty if any will do."""
    codes = wishes.get("available_currencies") or []
    if not isinstance(codes, list):
        raise Refused("available_currencies is not a list", "available_currencies")
    return tuple(_coin(code, "available_currencies") for code in codes)


def _coin(code: object, name: str) -> Coin:
    if not isinstance(code, str) or code not in COINS:
        raise Refused(f"{name} names a coin that is not supported", name)
    return COINS[code]


@blueprint.post("/invoice/merchant/info")
def info() -> ResponseReturnValue:
    """Tell everything about up to a hundred invoices; one that is not known is left out."""
    uuids = read_fields().get("uuids")
    if not isinstance(uuids, list) or not uuids or not all(isinstance(each, str) for each in uuids):
        raise Refused("uuids is required", "uuids")
    if len(uuids) > MOST_AT_ONCE:
        raise Refused(f"uuids may hold {MOST_AT_ONCE} at most", "uuids")
    sandbox = current_sandbox()
    found = [invoice for uuid in uuids if (invoice := _find(sandbox, uuid))]
    told = [known_facts(sandbox, invoice) for invoice in found]
    return jsonify(status="success", result=told)


def _find(sandbox: Sandbox, uuid: str) -> Invoice | None:
    try:
        return sandbox.get(uuid)
    except NoSuchInvoice:
        return None


@blueprint.post("/invoice/merchant/list")
def page() -> ResponseReturnValue:
    """List the invoices of some days, the newest first, page by page."""
    sandbox = current_sandbox()
    fields = read_fields()
    made = _made_between(sandbox, fields)
    offset = number(fields, "offset", 0, 10**9, 0)
    # The documents call limit the number of the last record, the provider's own SDK a count.
    before = offset if sandbox.switches.limit is Limit.LAST else 0
    limit = number(fields, "limit", 1, before + MOST_AT_ONCE, before + USUAL_AT_ONCE) - before
    rows = made[offset : offset + limit] if limit > 0 else []
    told = [known_facts(sandbox, invoice, listed=True) for invoice in rows]
    return jsonify(status="success", result=told, all_count=len(made))


@blueprint.post("/invoice/merchant/statistics")
def statistics() -> ResponseReturnValue:
    """Count the invoices of some days, and add up their US dollars, by status."""
    made = _made_between(current_sandbox(), read_fields())
    groups = {"all": made}
    groups |= {status: [each for each in made if each.status is status] for status in Status}
    count = {name: len(group) for name, group in groups.items()}
    amount = {name: _in_usd(group) for name, group in groups.items()}
    return jsonify(status="success", result={"count": count, "amount": amount})


def _in_usd(invoices: list[Invoice]) -> float:
    return float(sum(in_usd(invoice.amount, invoice.currency) for invoice in invoices))


def _made_between(sandbox: Sandbox, fields: Mapping[str, object]) -> list[Invoice]:
    """The invoices of whole UTC days, both ends included."""
    start, end = _day(fields, "start"), _day(fields, "end")
    if end < start:
        raise Refused("end is before start", "end")
    return [each for each in sandbox.invoices() if start <= each.created.date() <= end]


def _day(fields: Mapping[str, object], name: str) -> date:
    try:
        return datetime.strptime(f"{required(fields, name)} +0000", "%d.%m.%Y %z").date()
    except ValueError:
        raise Refused(f"{name} is not a day like 31.12.2026", name) from None


@blueprint.post("/invoice/merchant/canceled")
def cancel() -> ResponseReturnValue:
    """Cancel an invoice that nothing has been paid for."""
    try:
        current_sandbox().act(required(read_fields(), "uuid"), Action.CANCEL)
    except NoSuchInvoice:
        raise Refused("Invoice is not found", "uuid") from None
    except WrongMoment:
        raise Refused("Invoice is not created") from None
    return jsonify(status="success", result=["ok"])


@blueprint.post("/merchant/wallet/balance/all")
def balance() -> ResponseReturnValue:
    """Tell what the merchant has in each coin; nothing is ever withdrawn, so all of it is available."""
    sums = dict.fromkeys(COINS.values(), Decimal(0))
    for invoice in current_sandbox().invoices():
        if invoice.settled and not invoice.test_mode:
            sums[invoice.coin] += credited(invoice)
    return jsonify(status="success", result=[_balance(*pair) for pair in sums.items()])


def _balance(coin: Coin, figure: Decimal) -> dict[str, object]:
    usd = float((figure * coin.usd).quantize(Decimal("0.01")))
    return {
        "currency": wallet_currency_facts(coin),
        "balance_crypto": float(figure),
        "balance_usd": usd,
        "available_balance": float(figure),
        "available_balance_usd": usd,
    }


@blueprint.post("/invoice/static/create")
def static_wallet() -> ResponseReturnValue:
    """Give a customer's permanent address in a coin, the same each time. Nothing can be sent there.

    The documents say that address, uuid (32 letters and digits) and currency are told. That the same
    customer gets the same address is a guess.
    """
    fields = read_fields()
    check_shop(fields, current_sandbox().settings.shop_id)
    coin = _coin(required(fields, "currency"), "currency")
    address = address_of(coin, required(fields, "identify"))
    uuid = sha256(address.encode()).hexdigest()[:32].upper()
    told = {"currency": wallet_currency_facts(coin), "address": address, "uuid": uuid}
    return jsonify(status="success", result=told)
