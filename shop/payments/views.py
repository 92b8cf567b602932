"""The provider's postbacks. Their route asks for no CSRF token: it demands a signed one instead."""

from __future__ import annotations

import sys

import structlog
from flask import Blueprint, request
from flask.typing import ResponseReturnValue

from ..web.security import csrf, from_elsewhere
from .checking import refresh
from .cryptocloud import (
    ASKED_AT_ONCE,
    LARGEST_POSTBACK,
    BadPostback,
    CryptoCloud,
    CryptoCloudError,
)
from .gateway import gateway
from .inbox import nudge, receive_postback, rest
from .models import Payment
from .queries import find_payment_by_invoice
from .recording import PROVEN, Sight

bp = Blueprint("payments", __name__)
log = structlog.get_logger()

SECONDS_TO_ASK = 4.0
"""How long we ask the provider while it waits for our answer; if that is too short, the sweep asks later."""


@bp.post("/payments/cryptocloud/postback", strict_slashes=False)
@csrf.exempt  # the provider's server has no page of ours; its signed token is asked for instead
@from_elsewhere
def postback() -> ResponseReturnValue:
    """Prove, store, ask the provider what is true, answer.

    200 means that the postback is stored, or that its invoice is known to be paid without it.
    """
    sight = Sight(request.content_type, _body())
    try:
        sight.answer = 200 if _is_received(sight) else 403
    finally:
        sight.record()
    if sight.answer == 200:
        return {"message": "Postback received"}
    return {"message": "Postback refused"}, 403


def _is_received(sight: Sight) -> bool:
    """Whether the postback is stored, or its invoice known to be paid without it."""
    client = gateway()
    try:
        proven = client.read_postback(sight.content_type, sight.body)
        sight.judged, sight.invoice_id = PROVEN, proven.invoice_id
        payment = receive_postback(proven)
    except BadPostback as error:
        sight.is_refused(error.because, str(error), error.invoice_id)
        log.warning("postback_refused", reason=str(error), because=error.because)
        granted = nudge(error.invoice_id, error.because)
        return error.because in ASKED_AT_ONCE and _is_paid(error.invoice_id, client, ask=granted)
    if payment:
        _ask(payment, client)
    return True


def _body() -> bytes:
    """What was sent, up to one byte over the limit: such a body is refused, but it may still name an invoice."""
    request.max_content_length = sys.maxsize  # no more is read than this
    body = bytearray()
    while len(body) <= LARGEST_POSTBACK:
        more = request.stream.read(LARGEST_POSTBACK + 1 - len(body))
        if not more:
            break
        body += more
    return bytes(body)


def _is_paid(invoice_id: str | None, client: CryptoCloud, *, ask: bool) -> bool:
    """Whether the provider calls the invoice paid, in its API: the postback itself is not believed.

    Our key signed the postback, so the provider spoke a moment ago, and the buyer need not wait for the sweep.
    The provider is asked no oftener than for other refused postbacks: others can send a signed one again.
    """
    payment = find_payment_by_invoice(invoice_id) if invoice_id else None
    if payment is None or invoice_id is None:
        return False
    if payment.provider_says_paid or not ask:
        return payment.provider_says_paid
    if _ask(payment, client):
        rest(invoice_id)
    payment = find_payment_by_invoice(invoice_id)
    return payment is not None and payment.provider_says_paid


def _ask(payment: Payment, client: CryptoCloud) -> bool:
    """Have the provider say what is true, while it waits for us; False when it did not."""
    reference = payment.reference
    try:
        refresh(payment, client, seconds=SECONDS_TO_ASK)
    except CryptoCloudError as error:
        log.warning("check_failed", payment=reference, outcome=type(error).__name__)
        return False
    return True
