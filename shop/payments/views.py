"""The provider's notices. The only route without a CSRF token: it demands a signed one instead."""

from __future__ import annotations

import structlog
from flask import Blueprint, current_app, request
from flask.typing import ResponseReturnValue

from ..web.security import csrf
from .cryptocloud import BadPostback, CryptoCloud, CryptoCloudError
from .inbox import nudge, receive_postback
from .service import refresh

bp = Blueprint("payments", __name__)
log = structlog.get_logger()

SECONDS_TO_ASK = 4.0
"""The provider waits for our answer while we ask it back; the sweep takes over when this is too short."""


@bp.post("/payments/cryptocloud/postback", strict_slashes=False)
@csrf.exempt  # the provider's server has no page of ours; its signed token is asked for instead
def postback() -> ResponseReturnValue:
    """Prove, store, ask the provider what is true, answer. 200 means that the notice is stored."""
    gateway: CryptoCloud = current_app.extensions["cryptocloud"]
    try:
        notice = gateway.read_postback(request.content_type, request.get_data())
        payment = receive_postback(notice)
    except BadPostback as error:
        log.warning("postback_refused", reason=str(error))
        nudge(error.invoice_id)
        return {"message": "Postback refused"}, 403
    try:
        if payment:
            refresh(payment, gateway, seconds=SECONDS_TO_ASK)
    except CryptoCloudError as error:
        log.warning(
            "check_failed", payment=payment and payment.reference, outcome=type(error).__name__
        )
    return {"message": "Postback received"}
