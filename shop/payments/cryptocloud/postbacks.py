"""Postbacks from the provider: read in any encoding, and believed only when their token proves them.

Only six fields are used, and only these have to be in order. What else a postback brings (v2 adds the
invoice's whole story) may be of any kind, repeated, or broken, and never costs the postback.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, TypeGuard

import jwt

from .errors import BadPostback, Refusal
from .invoices import normalise_invoice_id, plain_text
from .postback_bodies import (
    BLANKS,
    LONGEST_AMOUNT,
    Fields,
    form_fields,
    invoice_found_in,
    invoice_named_in,
    json_fields,
    multipart_fields,
)

LARGEST_POSTBACK = 256 * 1024
"""A postback lists the transactions of its invoice, and somebody may have paid in hundreds of them."""
LARGEST_TOKEN = 4 * 1024
TOKEN_LEEWAY_SECONDS = 60
TOKEN_LIFE_SECONDS = 15 * 60
"""A genuine token lives five minutes; one that claims much more was not made for this."""

USED = ("token", "invoice_id", "order_id", "status", "amount_crypto", "currency")
NO_ORDER = ("", "None", "null")
"""How senders write that there is none, where a form knows texts only."""

TOKEN = re.compile(
    r"""(?:b?["'])?[ \t\r\n]*([A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+)[ \t\r\n]*["']?"""
)
"""Some old postbacks wrap the token as b"…"; new ones carry it bare."""
INVOICE = re.compile(r"(?:INV-)?([A-Z0-9]{8})")
"""What every invoice's id looks like that was ever seen; anything else in a token is not taken for one."""
NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,4})?")


@dataclass(frozen=True, slots=True)
class ProvenPostback:
    """A proven postback about one invoice. Only the id is signed; the rest are hints for people."""

    invoice_id: str
    order_id: str | None
    status: str
    amount_crypto: str
    currency: str


def read_postback(
    content_type: str | None, body: bytes, *, secrets: Sequence[str], now: float
) -> ProvenPostback:
    """The postback, proven by one of the secrets, or BadPostback."""
    _, given = _read(content_type, body)
    try:
        fields = _unrepeated(given)
        proven = _proven(fields.get("token"), _named(given), secrets, now)
    except BadPostback as error:
        error.invoice_id = error.invoice_id or _hinted(given)
        raise
    order_id = _text(fields.get("order_id"))
    return ProvenPostback(
        invoice_id=proven,
        order_id=None if order_id in NO_ORDER else order_id,
        status=_text(fields.get("status")),
        amount_crypto=_amount(fields.get("amount_crypto")),
        currency=_text(fields.get("currency")),
    )


def _proven(token: object, named: str | None, secrets: Sequence[str], now: float) -> str:
    """The invoice that the token was signed for, which must be the one that the postback names."""
    claims = _signed_claims(token, secrets)
    _check_times(claims, now)
    signed = claims.get("id")
    if named is not None and _bare(signed) == named:
        return named
    # The claim `uuid` proves nothing: nobody has seen one that holds the invoice. It may contradict.
    shapes = (_shaped(claim) for claim in (signed, claims.get("uuid")))
    told = next(filter(None, shapes), None)
    if told and named is None:
        raise BadPostback("the postback names no usable invoice id", Refusal.NO_INVOICE, told)
    if told and told != named:
        raise BadPostback("the token was signed for another invoice", Refusal.OTHER_INVOICE)
    raise BadPostback("the token was signed, but for no invoice", Refusal.NOT_FOR_INVOICE)


def _signed_claims(token: object, secrets: Sequence[str]) -> dict[str, Any]:
    if not isinstance(token, str) or not token.strip(BLANKS):
        raise BadPostback("no token", Refusal.UNSIGNED)
    bare = token_in(token)
    if not bare:
        raise BadPostback("no token that can be read", Refusal.MALFORMED)
    refusal = BadPostback("no secret key is set", Refusal.SIGNATURE)
    for secret in filter(None, secrets):  # with an empty key, anybody could sign
        try:
            return _decoded(bare, secret)
        except BadPostback as error:
            refusal = error
    raise refusal


def token_in(text: str) -> str | None:
    """The token without what some senders put around it; None when there is none."""
    text = text.strip(BLANKS)
    match = TOKEN.fullmatch(text) if len(text) <= LARGEST_TOKEN else None
    return match[1] if match else None


def _decoded(token: str, secret: str) -> dict[str, Any]:
    try:
        return jwt.decode(
            token,
            secret,
            algorithms=["HS256"],
            # The claims are looked at here, where "not signed with our key" and "signed, but not for
            # this" stay apart. PyJWT takes an `exp` in any year, and one in a string.
            options={
                "verify_exp": False,
                "verify_nbf": False,
                "verify_iat": False,
                "verify_aud": False,
                "verify_iss": False,
                "verify_sub": False,
                "verify_jti": False,
            },
        )
    except (jwt.InvalidTokenError, RecursionError) as error:
        because = Refusal.MALFORMED
        if isinstance(error, jwt.InvalidSignatureError):
            because = Refusal.SIGNATURE
        raise BadPostback(f"bad token: {type(error).__name__}", because) from None


def _check_times(claims: dict[str, Any], now: float) -> None:
    expires = claims.get("exp")
    if not _is_time(expires):
        raise BadPostback("the token's expiry is not a number", Refusal.UNDATED)
    if not now - TOKEN_LEEWAY_SECONDS < expires <= now + TOKEN_LIFE_SECONDS:
        raise BadPostback("the token has expired, or claims to live too long", Refusal.EXPIRED)
    begins = claims.get("nbf", now)
    if not _is_time(begins):
        raise BadPostback("the token's beginning is not a number", Refusal.UNDATED)
    if begins > now + TOKEN_LEEWAY_SECONDS:
        raise BadPostback("the token is not valid yet", Refusal.EXPIRED)


def _is_time(claim: Any) -> TypeGuard[float]:
    """A finite number, with a fraction or without."""
    number = isinstance(claim, int | float) and not isinstance(claim, bool)
    return number and -math.inf < claim < math.inf


def _bare(value: object) -> str | None:
    try:
        return normalise_invoice_id(value)
    except ValueError:
        return None


def _shaped(claim: object) -> str | None:
    match = INVOICE.fullmatch(claim) if isinstance(claim, str) else None
    return match[1] if match else None


def _named(given: Fields) -> str | None:
    """The invoice that the postback is about."""
    values = (value for name, value in given if name == "invoice_id" and isinstance(value, str))
    return next(filter(None, (_bare(value.strip(BLANKS)) for value in values)), None)


def _hinted(given: Fields) -> str | None:
    """The invoice that the postback names in any of its fields: enough to ask about it, and no more."""
    return _named(given) or next(filter(None, (_told(*field) for field in given)), None)


def _told(name: str, value: object) -> str | None:
    if name == "invoice_info[uuid]":
        return _bare(value)
    if name != "invoice_info":
        return None
    if isinstance(value, dict):
        return _bare(value.get("uuid"))
    # JSON in a form, or what looks like it.
    return invoice_named_in(value) if isinstance(value, str) else None


def unproven_fields(content_type: str | None, body: bytes) -> tuple[str, Fields]:
    """The postback's encoding and all of its fields, for people to look at: none of it is proven."""
    try:
        encoding, given = _read(content_type, body)
    except BadPostback:
        return "unreadable", []
    return encoding, json_fields(body, fraction=float) if encoding == "json" else given


def _read(content_type: str | None, body: bytes) -> tuple[str, Fields]:
    """The postback's fields. The project's settings choose the encoding; the label is not always right."""
    if len(body) > LARGEST_POSTBACK:
        raise BadPostback("too large", Refusal.UNREADABLE, invoice_found_in(body))
    label = (content_type or "").lower()
    first = "form"
    if "json" in label:
        first = "json"
    elif "multipart" in label:
        first = "multipart"
    readers: dict[str, Callable[[bytes], Fields]] = {
        "form": form_fields,
        "json": json_fields,
        "multipart": multipart_fields,
    }
    without_token: tuple[str, Fields] | None = None
    for encoding in (first, *(name for name in readers if name != first)):
        given = readers[encoding](body)
        if any(name == "token" for name, _ in given):
            return encoding, given
        if not without_token and _hinted(given):
            without_token = encoding, given
    if without_token:
        return without_token
    raise BadPostback("neither JSON nor a form", Refusal.UNREADABLE, invoice_found_in(body))


def _unrepeated(given: Fields) -> dict[str, Any]:
    """The fields by name; BadPostback if a used one is given twice, because two readers may take different ones."""
    names = [name for name, _ in given if name in USED]
    if len(set(names)) != len(names):
        raise BadPostback("a field that counts is given twice", Refusal.UNREADABLE)
    return dict(given)


def _text(value: object) -> str:
    return plain_text(value.strip(BLANKS) if isinstance(value, str) else value)


def _amount(value: object) -> str:
    """An amount as people write it, with every digit: 0.00005 and not 5e-05."""
    text = _text(value)
    if not NUMBER.fullmatch(text):
        return text
    number = Decimal(text)
    if abs(number.adjusted()) > LONGEST_AMOUNT:  # nobody's amount, and long when it is written out
        return text
    plain = f"{number:f}"
    return plain if len(plain) <= LONGEST_AMOUNT else text
