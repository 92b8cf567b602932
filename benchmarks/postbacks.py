"""Postbacks that come again: of a paid payment, of one that is still open, and with a made-up signature."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode
from urllib.request import Request, urlopen

import jwt

from benchmarks import checkouts
from benchmarks.figures import Figure, at_least
from benchmarks.load import Asked
from benchmarks.running import Run, Target, by_turns, column
from benchmarks.shops import PRODUCT, Shop

PATH = "/payments/cryptocloud/postback"
LIFETIME = 300
FORGERS_KEY = "a-key-that-somebody-made-up-0000000000"
PAID_MORE = 3.0
STATUS = {"paid": 200, "open": 200, "forged": 403}


def postbacks(run: Run) -> Iterator[Figure]:
    """Each kind by turns with the other commit."""
    asked = {shop.name: _kinds(shop) for shop in run.shops}
    for kind in STATUS:
        targets = [Target(kind, asked[shop.name][kind], shop.master) for shop in run.shops]
        rounds = by_turns(targets, run.size)
        others = column(rounds, 1, 0) if run.there else ()
        yield run.figure(
            f"postback again, {kind}",
            "/s",
            column(rounds, 0, 0),
            cpu=column(rounds, 0, 1),
            beside=run.against,
            others=others,
            other_cpu=column(rounds, 1, 1) if run.there else (),
            goal=at_least(PAID_MORE) if run.there and kind == "paid" else None,
        )


def _kinds(shop: Shop) -> dict[str, Asked]:
    """Two orders, of which one is paid; the sandbox tells what it has sent about that one."""
    ready = checkouts.prepare(shop, PRODUCT, 2)
    waiting, paid = (checkouts.submit(ready)[1].rpartition("/")[2] for _ in range(2))
    described = _sandbox(shop, f"invoices/{paid}/pay", {"wait": True})
    about_paid = described["postbacks"][0]["fields"]
    about_open = _about_another(about_paid, described, _sandbox(shop, f"invoices/{waiting}"))
    secret = shop.environment["CRYPTOCLOUD_SECRET_KEY"]
    return {
        "paid": _asked(shop, about_paid, secret, STATUS["paid"]),
        "open": _asked(shop, about_open, secret, STATUS["open"]),
        "forged": _asked(shop, about_paid, FORGERS_KEY, STATUS["forged"]),
    }


def _sandbox(shop: Shop, path: str, wishes: dict[str, object] | None = None) -> dict[str, Any]:
    request = Request(
        f"{shop.sandbox_url}/_sandbox/{path}",
        json.dumps(wishes).encode() if wishes else None,
        {"Content-Type": "application/json"},
    )
    with urlopen(request, timeout=30) as answer:
        found: dict[str, Any] = json.load(answer)
    return found


def _about_another(
    fields: dict[str, Any], invoice: dict[str, Any], another: dict[str, Any]
) -> dict[str, Any]:
    text = json.dumps(fields)
    for name in ("id", "order_id"):
        text = text.replace(str(invoice[name]), str(another[name]))
    found: dict[str, Any] = json.loads(text)
    return found


def _asked(shop: Shop, fields: dict[str, Any], key: str, status: int) -> Asked:
    """The postback as a form, signed as the provider signs."""
    claims = {"id": fields["invoice_id"], "exp": int(time.time()) + LIFETIME}
    flat = {
        name: json.dumps(each) if isinstance(each, dict) else each for name, each in fields.items()
    }
    body = urlencode(flat | {"token": jwt.encode(claims, key, algorithm="HS256")}).encode()
    headers = "Content-Type: application/x-www-form-urlencoded\r\n"
    return Asked(f"{shop.shop_url}{PATH}", "POST", headers, body, status)
