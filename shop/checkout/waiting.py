"""The answer to those who ask too often."""

from __future__ import annotations

from datetime import datetime

from flask import Response, make_response
from flask.typing import ResponseReturnValue

from ..db import utcnow

AT_LEAST = 60
"""Seconds, as `readable_wait` says it; the end of an order's time may be over while the sweep has still to come by."""


def too_often(answer: ResponseReturnValue, until: datetime) -> Response:
    """The answer, whose page says how long to wait, with the same for programs."""
    response = make_response(answer)
    response.headers["Retry-After"] = str(max(int((until - utcnow()).total_seconds()), AT_LEAST))
    return response
