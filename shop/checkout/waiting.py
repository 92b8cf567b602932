"""The answer to those who ask too often."""

from __future__ import annotations

from datetime import datetime

from flask import Response, make_response

from ..db import utcnow


def too_often(page: str, until: datetime) -> Response:
    """The page, which says how long to wait, with the same for programs."""
    response = make_response(page, 429)
    response.headers["Retry-After"] = str(max(int((until - utcnow()).total_seconds()), 1))
    return response
