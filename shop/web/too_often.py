"""The answers to buyers who ask too often, whose page was open too long, or whose browser keeps no cookie."""

from __future__ import annotations

from datetime import datetime

from flask import Response, current_app, make_response, render_template, request
from flask.typing import ResponseReturnValue
from flask_babel import lazy_gettext

from ..db import utcnow

OPEN_TOO_LONG = lazy_gettext("This page was open too long. Please press the button again.")
AT_LEAST = 60
"""The shortest wait, in seconds, as in `readable_wait`: an order's time may be over before a sweep has closed it."""


NO_COOKIE = lazy_gettext(
    "No cookie came back from your browser, so this button cannot work. Open this page in your usual "
    "browser, or allow cookies for this shop."
)


def no_cookie_came() -> bool:
    """Whether the browser has sent no session at all: one that keeps none, or a first visit."""
    return current_app.config["SESSION_COOKIE_NAME"] not in request.cookies


def no_cookie() -> ResponseReturnValue:
    """The page for a button that cannot work without a cookie."""
    return render_template("errors/no_cookie.html", cart=None), 400


def too_often(answer: ResponseReturnValue, until: datetime) -> Response:
    """The answer with a Retry-After header, which tells programs how long to wait, as the page tells people."""
    response = make_response(answer)
    response.headers["Retry-After"] = str(max(int((until - utcnow()).total_seconds()), AT_LEAST))
    return response
