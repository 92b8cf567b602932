"""The answers to those who ask too often, and to those whose page was open too long."""

from __future__ import annotations

from datetime import datetime

from flask import Response, make_response
from flask.typing import ResponseReturnValue
from flask_babel import lazy_gettext

from ..db import utcnow

OPEN_TOO_LONG = lazy_gettext("This page was open too long. Please press the button again.")
AT_LEAST = 60
"""Seconds, as `readable_wait` says it; the end of an order's time may be over while the sweep has still to come by."""


def too_often(answer: ResponseReturnValue, until: datetime) -> Response:
    """The answer, whose page says how long to wait, with the same for programs."""
    response = make_response(answer)
    response.headers["Retry-After"] = str(max(int((until - utcnow()).total_seconds()), AT_LEAST))
    return response
