"""Postbacks: signed as the provider signs them, sent, and the shop's answer written down."""

import json
from dataclasses import replace
from datetime import timedelta
from threading import Thread

import jwt
import requests

from shop.sandbox.coins import Coin
from shop.sandbox.facts import order_id_told, postback_facts
from shop.sandbox.invoices import Action, Invoice, Mode, Sent, announces
from shop.sandbox.state import Sandbox
from shop.sandbox.switches import TokenId

FORGERS_KEY = "a-key-that-somebody-made-up-0000000000"
TOKEN_LIFETIME = timedelta(minutes=5)
SECONDS_TO_CONNECT = 3
SAMPLE_NUMBER = 13  # of the documents' damaged sample token, after which some wrote their stubs


def happen(
    sandbox: Sandbox,
    number: str,
    action: Action,
    mode: Mode = Mode.NORMAL,
    *,
    coin: Coin | None = None,
    wait: bool = False,
) -> Invoice:
    """Let something happen to an invoice and tell the shop, in the background unless waiting."""
    action = sandbox.meant(action)
    count = _count(mode) if announces(action, mode) else 0
    invoice = sandbox.act(number, action, coin=coin, postbacks=count)
    if not count:
        return invoice
    if not wait:
        Thread(target=_announce, args=(sandbox, invoice, mode), daemon=True).start()
        return invoice
    _announce(sandbox, invoice, mode)
    return sandbox.get(number)


def _count(mode: Mode) -> int:
    return 2 if mode is Mode.TWICE else 1


def _announce(sandbox: Sandbox, invoice: Invoice, mode: Mode) -> None:
    if mode is Mode.DELAY and not sandbox.pause(sandbox.settings.postback_delay):
        return
    for _ in range(_count(mode)):
        sent = _lost(sandbox) if mode is Mode.LOSE else _send(sandbox, invoice, mode)
        sandbox.record(invoice.id, sent)


def _lost(sandbox: Sandbox) -> Sent:
    encoding = sandbox.switches.postback_format
    return Sent(Mode.LOSE, sandbox.clock(), encoding, {}, None, "", "lost on purpose")


def _send(sandbox: Sandbox, invoice: Invoice, mode: Mode) -> Sent:
    encoding = sandbox.switches.postback_format
    fields = _fields(sandbox, invoice)
    sent = Sent(mode, sandbox.clock(), encoding, fields, None, "", None)
    signed = fields | {"token": _token(sandbox, invoice, mode)}
    try:
        answer = _post(sandbox, signed, encoding)
    except requests.RequestException as error:
        return replace(sent, problem=type(error).__name__)
    return replace(sent, answer=answer.status_code, body=answer.text[:500])


def _post(sandbox: Sandbox, fields: dict[str, object], encoding: str) -> requests.Response:
    url = sandbox.settings.notification_url
    timeout = (SECONDS_TO_CONNECT, sandbox.settings.postback_patience)
    with requests.Session() as session:
        session.trust_env = False  # a proxy setting must not catch calls to this machine
        if encoding == "form":
            nested = {
                name: json.dumps(each) for name, each in fields.items() if isinstance(each, dict)
            }
            return session.post(url, data=fields | nested, timeout=timeout, allow_redirects=False)
        body = json.dumps(fields, default=float)  # the provider writes amounts as numbers here
        headers = {"Content-Type": "application/json"}
        return session.post(url, data=body, headers=headers, timeout=timeout, allow_redirects=False)


def _fields(sandbox: Sandbox, invoice: Invoice) -> dict[str, object]:
    fields: dict[str, object] = {
        "status": "success",
        "invoice_id": invoice.id,
        "amount_crypto": invoice.received or invoice.price,
        "currency": invoice.coin.code,
    }
    if (order_id := order_id_told(sandbox, invoice)) is not None:
        fields["order_id"] = order_id
    fields["invoice_info"] = postback_facts(sandbox, invoice)
    return fields


def _token(sandbox: Sandbox, invoice: Invoice, mode: Mode) -> str:
    key = FORGERS_KEY if mode is Mode.FORGE else sandbox.settings.secret_key
    expiry = {"exp": int((sandbox.clock() + TOKEN_LIFETIME).timestamp())}
    claims = _claim(sandbox.switches.token_id, invoice.id) | expiry
    return jwt.encode(claims, key, algorithm="HS256")


def _claim(kind: TokenId, number: str) -> dict[str, object]:
    match kind:
        case TokenId.PREFIXED:
            return {"id": f"INV-{number}"}
        case TokenId.NUMBER:
            return {"id": SAMPLE_NUMBER}
        case TokenId.UUID:
            return {"uuid": number}
    return {"id": number}
