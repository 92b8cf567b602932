"""Ways to pretend that an invoice was paid: the 43 kinds of docs/promises.md, row 1, against one unpaid order.

| Kinds | What the token is | What must happen |
|---|---|---|
| `forged` (38) | not the provider's, or not for what the postback says | refused; nothing is stored |
| `lying` (5) | genuine, for this very invoice | stored, because a genuine postback may never be lost; nothing else |

The lying ones cannot be told from genuine postbacks: the token covers the invoice id and no other
field. They are harmless because the postback is only a hint to look, and the provider says what is true.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flask import Flask
from itsdangerous import URLSafeTimedSerializer

from shop.config import Settings
from tests.factories import as_json

ADDRESS = "/payments/cryptocloud/postback"
RETIRED = "the-secret-key-of-last-year-0123456789"
ANOTHER = "the-secret-key-of-another-project-0123456789"
DIGESTS = {"HS384": hashlib.sha384, "HS512": hashlib.sha512}

Request = Mapping[str, Any]
"""Arguments for a test client's `open`, beside address and method."""


@dataclass(frozen=True)
class Target:
    """An unpaid order that somebody wants to have for nothing, and what else the forger may know."""

    app: Flask
    invoice: str
    reference: str
    order_link: str
    """The secret part of its page's address, which the buyer knows."""
    cheap_invoice: str
    """Of another order, truly paid by the forger."""
    cheap_reference: str
    refunded_invoice: str
    refunded_reference: str

    @property
    def settings(self) -> Settings:
        found: Settings = self.app.config["SETTINGS"]
        return found

    @property
    def secret(self) -> str:
        return self.settings.cryptocloud_secret_key.get_secret_value()

    def claims(self, **changes: Any) -> dict[str, Any]:
        """What a genuine token says; a claim given as `...` is left out."""
        given = {"id": self.invoice, "exp": int(time.time()) + 300} | changes
        return {name: value for name, value in given.items() if value is not ...}

    def token(self, **claims: Any) -> str:
        """Signed with the right key, whatever it says."""
        return signed(self.secret, self.claims(**claims))

    def fields(self, **changes: Any) -> dict[str, Any]:
        """A postback that says that the target was paid; genuine, unless something is changed."""
        given = {
            "status": "success",
            "invoice_id": self.invoice,
            "amount_crypto": "10.01",
            "currency": "USDT_TRC20",
            "order_id": self.reference,
        }
        given |= {"token": self.token()} if "token" not in changes else {}
        return {name: value for name, value in (given | changes).items() if value is not ...}

    def postback(self, **changes: Any) -> Request:
        return as_json(self.fields(**changes))

    def with_claims(self, **changes: Any) -> Request:
        return self.postback(token=self.token(**changes))


def encode(content: bytes | Mapping[str, Any]) -> str:
    raw = content if isinstance(content, bytes) else json.dumps(content).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def signed(
    key: str, claims: Mapping[str, Any] | bytes, algorithm: Any = "HS256", **header: Any
) -> str:
    """A token made by hand, because a library would refuse to make most of these."""
    head = {"typ": "JWT", "alg": algorithm} | header
    body = f"{encode({n: v for n, v in head.items() if v is not ...})}.{encode(claims)}"
    mac = hmac.new(key.encode(), body.encode(), DIGESTS.get(algorithm, hashlib.sha256))
    return f"{body}.{encode(mac.digest())}"


def flipped(token: str) -> str:
    """The same token with one bit of its signature changed."""
    rest, _, signature = token.rpartition(".")
    raw = bytearray(base64.urlsafe_b64decode(signature + "="))
    raw[7] ^= 1
    return f"{rest}.{encode(bytes(raw))}"


def forged(target: Target) -> dict[str, list[Request]]:
    """The 38 kinds that must be refused; each with its variants."""
    claims, settings, now = target.claims(), target.settings, int(time.time())
    token = target.token()
    head, body, mac = token.split(".")
    form = "application/x-www-form-urlencoded"
    api_key = settings.cryptocloud_api_key.get_secret_value()
    session_key = settings.secret_key.get_secret_value()
    lure = {"kty": "oct", "k": encode(b"forger")}
    cookies = URLSafeTimedSerializer(session_key, salt="cookie-session")
    alike = target.invoice.replace("T", "\N{CYRILLIC CAPITAL LETTER TE}")
    tokens: dict[str, list[Any]] = {
        "algorithm none": [f"{encode({'alg': 'none'})}.{body}.", signed("", claims, "none")],
        "algorithm nOnE": [f"{encode({'alg': 'nOnE'})}.{body}.", signed("", claims, "nOnE")],
        "algorithm empty": [signed(target.secret, claims, "")],
        "algorithm missing": [signed(target.secret, claims, ...)],
        "HS384 with the right key": [signed(target.secret, claims, "HS384")],
        "HS512 with the right key": [signed(target.secret, claims, "HS512")],
        "RS256, the secret used for HMAC": [signed(target.secret, claims, "RS256")],
        "wrong key": [signed("some-other-secret-0123456789-0123456789", claims)],
        "empty key": [signed("", claims)],
        "API key as the key": [signed(api_key, claims)],
        "the shop's own secret as the key": [signed(session_key, claims)],
        "retired secret after its grace": [signed(RETIRED, claims)],
        "flipped bit": [flipped(token)],
        "no signature": [f"{head}.{body}."],
        "two parts": [f"{head}.{body}"],
        "four parts": [f"{token}.{mac}"],
        "JSON form of a token": [
            {"protected": head, "payload": body, "signature": mac},
            json.dumps({"protected": head, "payload": body, "signature": mac}),
        ],
        "unknown crit": [signed(target.secret, claims, crit=["exp-ms"], **{"exp-ms": 1})],
        "lure": [
            signed("forger", claims, kid="../../../../dev/null"),
            signed("forger", claims, jku="https://evil.example/keys"),
            signed("forger", claims, jwk=lure),
            signed("forger", claims, x5u="https://evil.example/cert"),
        ],
        "valid token of another project": [signed(ANOTHER, claims)],
        "a token of our own": [target.order_link, cookies.dumps({"_user_id": 1})],
    }  # fmt: skip
    found = {kind: [target.postback(token=one) for one in kinds] for kind, kinds in tokens.items()}
    return found | {
        "expired beyond leeway": [target.with_claims(exp=now - 61)],
        "no expiry": [target.with_claims(exp=...)],
        "expiry of another type": [
            *(target.with_claims(exp=value) for value in (str(now + 300), True, None)),
            target.postback(
                token=signed(target.secret, b'{"id":"%s","exp":1e400}' % target.invoice.encode())
            ),
        ],
        "expiry more than 15 minutes ahead": [target.with_claims(exp=now + 16 * 60)],
        "not valid yet": [target.with_claims(nbf=now + 600)],
        "no id": [target.with_claims(id=...)],
        "id an integer": [target.with_claims(id=12345678)],
        "id a list": [target.with_claims(id=[target.invoice])],
        "id of a cheaper invoice that was paid": [
            target.with_claims(id=target.cheap_invoice),
            target.postback(
                token=target.token(id=target.cheap_invoice), invoice_id=target.cheap_invoice
            ),
        ],
        "body names another invoice": [
            target.postback(invoice_id=target.cheap_invoice),
            target.postback(invoice_id="ZZZZ9999"),
        ],
        "body names another order": [target.postback(order_id=target.cheap_reference)],
        "token twice in the form": [
            {"data": f"invoice_id={target.invoice}&token=x&token={token}", "content_type": form}
        ],
        "token in the address or a header": [
            {**target.postback(token=...), "query_string": {"token": token}},
            {**target.postback(token=...), "headers": {"Authorization": f"Bearer {token}"}},
        ],
        "replay after expiry": [
            as_json(target.fields(token=target.token(iat=now - 600, exp=now - 300)))
        ],
        "GET and PUT": [
            {"method": "GET", "query_string": target.fields()},
            {"method": "PUT", **target.postback()},
        ],
        "5 MB body": [target.postback(padding="x" * 5_000_000)],
        "id that looks alike": [target.with_claims(id=alike), target.postback(invoice_id=alike)],
    }


def lying(target: Target) -> dict[str, list[Request]]:
    """The 5 kinds with a genuine token, which are kept and must have no effect; the target is not paid."""
    refunded = {"invoice_id": target.refunded_invoice, "order_id": target.refunded_reference}
    genuine = {"token": target.token(id=target.refunded_invoice)}
    return {
        "body says another amount or currency": [
            target.postback(amount_crypto="1000000"),
            target.postback(currency="BTC"),
        ],
        "status success while the provider says created": [target.postback()],
        "status other than success": [
            target.postback(status=status) for status in ("paid", "fail", "", None)
        ],
        "replay after refund": [target.postback(**refunded, **genuine)],
        "JSON labelled form, and the reverse": [
            {**target.postback(), "content_type": "application/x-www-form-urlencoded"},
            {
                "data": "&".join(f"{name}={value}" for name, value in target.fields().items()),
                "content_type": "application/json",
            },
        ],
    }
