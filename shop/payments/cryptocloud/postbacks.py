"""Notices from the provider: read in either encoding, and believed only when their token proves them."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NoReturn
from urllib.parse import parse_qsl

import jwt

from .errors import BadPostback
from .invoices import normalise_invoice_id, plain_text

LARGEST_POSTBACK = 32 * 1024
LARGEST_TOKEN = 4 * 1024
TOKEN_LEEWAY_SECONDS = 60
TOKEN_LIFE_SECONDS = 15 * 60
"""A genuine token lives five minutes; one that claims much more was not made for this."""

TOKEN = re.compile(r"""(?:b?["'])?([A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+)["']?""")
"""Some old notices wrap the token as b"…"; new ones carry it bare."""


@dataclass(frozen=True, slots=True)
class Postback:
    """A proven notice about one invoice. Only the id is signed; the rest are hints for people."""

    invoice_id: str
    order_id: str | None
    status: str
    amount_crypto: str
    currency: str


def read_postback(
    content_type: str | None, body: bytes, *, secrets: Sequence[str], now: float
) -> Postback:
    """The notice, proven by one of the secrets, or BadPostback."""
    fields = _fields(content_type, body)
    named = _named(fields)
    try:
        proven = _proven(fields.get("token"), named, secrets, now)
    except BadPostback as error:
        error.invoice_id = named
        raise
    return Postback(
        invoice_id=proven,
        order_id=plain_text(fields.get("order_id")) or None,
        status=plain_text(fields.get("status")),
        amount_crypto=plain_text(fields.get("amount_crypto")),
        currency=plain_text(fields.get("currency")),
    )


def _proven(token: object, named: str | None, secrets: Sequence[str], now: float) -> str:
    """The invoice that the token was signed for, which must be the one that the notice names."""
    claims = _signed_claims(token, secrets)
    _check_times(claims, now)
    try:
        signed = normalise_invoice_id(claims["id"])
    except ValueError:
        raise BadPostback("no usable invoice id") from None
    if named is None:
        raise BadPostback("no usable invoice id")
    if signed != named:
        raise BadPostback("the token was signed for another invoice")
    return signed


def _signed_claims(token: object, secrets: Sequence[str]) -> dict[str, Any]:
    if not isinstance(token, str) or len(token) > LARGEST_TOKEN:
        raise BadPostback("no token")
    match = TOKEN.fullmatch(token)
    if not match:
        raise BadPostback("no token")
    refusal = BadPostback("no secret key is set")
    for secret in filter(None, secrets):  # an empty key would be anybody's
        try:
            return _decoded(match[1], secret)
        except BadPostback as error:
            refusal = error
    raise refusal


def _decoded(token: str, secret: str) -> dict[str, Any]:
    try:
        return jwt.decode(
            token,
            secret,
            algorithms=["HS256"],
            # Times are checked below: PyJWT takes an `exp` in any year, and one in a string.
            options={
                "require": ["exp", "id"],
                "verify_exp": False,
                "verify_nbf": False,
                "verify_iat": False,
                "verify_aud": False,
            },
        )
    except (jwt.InvalidTokenError, RecursionError) as error:
        raise BadPostback(f"bad token: {type(error).__name__}") from None


def _check_times(claims: dict[str, Any], now: float) -> None:
    expires = claims["exp"]
    if type(expires) is not int:
        raise BadPostback("the token's expiry is not a whole number")
    if not now - TOKEN_LEEWAY_SECONDS < expires <= now + TOKEN_LIFE_SECONDS:
        raise BadPostback("the token has expired, or claims to live too long")
    if "nbf" not in claims:
        return
    if type(claims["nbf"]) is not int or claims["nbf"] > now + TOKEN_LEEWAY_SECONDS:
        raise BadPostback("the token is not valid yet")


def _named(fields: dict[str, Any]) -> str | None:
    try:
        return normalise_invoice_id(fields.get("invoice_id"))
    except ValueError:
        return None


def _fields(content_type: str | None, body: bytes) -> dict[str, Any]:
    """The notice's fields. The project's settings choose JSON or form; the label is not always right."""
    if len(body) > LARGEST_POSTBACK:
        raise BadPostback("too large")
    parsers = [_json_fields, _form_fields]
    if "json" not in (content_type or "").lower():
        parsers.reverse()
    for parse in parsers:
        if fields := parse(body):
            return fields
    raise BadPostback("neither JSON nor a form")


def _json_fields(body: bytes) -> dict[str, Any]:
    try:
        fields = json.loads(
            body, parse_float=str, parse_constant=_refuse, object_pairs_hook=_no_repeats
        )
    except (ValueError, RecursionError):
        return {}
    return fields if isinstance(fields, dict) and "token" in fields else {}


def _form_fields(body: bytes) -> dict[str, Any]:
    try:
        pairs = parse_qsl(body.decode("utf-8"), keep_blank_values=True, max_num_fields=100)
        fields = _no_repeats(pairs)
    except ValueError:
        return {}
    return fields if "token" in fields else {}


def _no_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A field given twice means two things to two readers, which is how forgeries slip through."""
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise ValueError("a field is repeated")
    return fields


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")
