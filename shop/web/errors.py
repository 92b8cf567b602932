"""Error pages in the shop's own layout: what happened, what to do, and a way back."""

from __future__ import annotations

from typing import TypeGuard

import structlog
from flask import Flask, Response, make_response, render_template, request
from flask_babel import LazyString, lazy_gettext
from sqlalchemy.exc import DatabaseError, InterfaceError, InternalError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from werkzeug.exceptions import (
    HTTPException,
    InternalServerError,
    SecurityError,
    ServiceUnavailable,
)

from ..db import DatabaseBusy

log = structlog.get_logger()

RETRY_AFTER_SECONDS = 10

WORDS: dict[int, tuple[LazyString, LazyString, LazyString]] = {
    400: (
        lazy_gettext("This request could not be read"),
        lazy_gettext("Something was missing or garbled on its way here."),
        lazy_gettext("Go back, reload the page and try again."),
    ),
    403: (
        lazy_gettext("This form did not come from our pages"),
        lazy_gettext("It was refused for your safety, and nothing has changed."),
        lazy_gettext("Open the page in this shop and try again from there."),
    ),
    404: (
        lazy_gettext("This page does not exist"),
        lazy_gettext("It may have moved, or the address was mistyped."),
        lazy_gettext("Check the address, or start from the list of all products."),
    ),
    405: (
        lazy_gettext("This page cannot be used like that"),
        lazy_gettext("It was asked to do something it does not do."),
        lazy_gettext("Go back and use the buttons on the page."),
    ),
    410: (
        lazy_gettext("This download link does not work any more"),
        lazy_gettext("Download links work for a week, and only when they are whole."),
        lazy_gettext("Open your order page: it makes a new one."),
    ),
    413: (
        lazy_gettext("That was too much at once"),
        lazy_gettext("What was sent is larger than this page takes."),
        lazy_gettext("Shorten what you typed and try again."),
    ),
    416: (
        lazy_gettext("There is no such part of this file"),
        lazy_gettext("Your program asked to continue a download past the file's end."),
        lazy_gettext("Start the download again from the beginning."),
    ),
    422: (
        lazy_gettext("Something needs a correction"),
        lazy_gettext("What was sent cannot be used as it is."),
        lazy_gettext("Go back, check what you typed and try again."),
    ),
    429: (
        lazy_gettext("That was a little too fast"),
        lazy_gettext("Too many requests came from your address."),
        lazy_gettext("Wait a minute and try again."),
    ),
    503: (
        lazy_gettext("The shop is busy right now"),
        lazy_gettext("Nothing is lost: what you ordered or paid is kept."),
        lazy_gettext("Please try again in a few seconds."),
    ),
}

# PostgreSQL calls a read-only server an internal error, and a cut connection an interface error.
UNAVAILABLE = (DatabaseBusy, OperationalError, PoolTimeout, InternalError, InterfaceError)


def init_app(app: Flask) -> None:
    """Turn every error into a page."""
    app.register_error_handler(HTTPException, http_error)
    app.register_error_handler(InternalServerError, server_error)
    for kind in UNAVAILABLE:
        app.register_error_handler(kind, database_unavailable)
    app.register_error_handler(DatabaseError, database_damaged)


def http_error(error: HTTPException) -> Response:
    """A page for any error that Flask or a view raised on purpose."""
    if error.response is not None and error.code is None:
        return make_response(error.response)
    if isinstance(request.routing_exception, SecurityError):
        # Asked for under a name that is not ours: there is no address to build a page's links from.
        return Response(
            "This shop does not answer to that host name.\n", 400, mimetype="text/plain"
        )
    code = error.code or 500
    title, message, advice = WORDS.get(code, WORDS[400])
    page = render_template(
        "errors/error.html",
        code=code,
        title=title,
        message=message,
        advice=advice,
    )
    response = make_response(page, code)
    for name, value in error.get_headers():
        if name in ("Allow", "Retry-After", "Content-Range"):
            response.headers[name] = value
    if code in (429, 503):
        response.headers.setdefault("Retry-After", str(RETRY_AFTER_SECONDS))
    return response


def server_error(error: InternalServerError) -> Response:
    """Answer a mistake of our own. The page needs no database, and its reference finds the log entry.

    A database that is away in the handler of another error comes here as well, because Flask calls no second
    handler: that is no mistake.
    """
    original = error.original_exception
    if isinstance(original, UNAVAILABLE) or _is_damage(original):
        return database_unavailable(original)
    return make_response(render_template("errors/500.html"), 500)


def database_unavailable(error: Exception) -> Response:
    """Answer that the database is locked, full, read-only or away: nothing was changed; trying again may help."""
    log.error("database_unavailable", error=type(error).__name__, detail=str(error.__cause__)[:200])
    return http_error(ServiceUnavailable())


def database_damaged(error: DatabaseError) -> Response:
    """Say that the database is away when it is damaged; other errors of this kind are our own mistakes."""
    if not _is_damage(error):
        raise error
    return database_unavailable(error)


def _is_damage(error: BaseException | None) -> TypeGuard[DatabaseError]:
    """Whether SQLite's file is damaged, or is no database: such an error has no more precise class."""
    return type(error) is DatabaseError
