"""Public pages: the same for everybody who asks in the same way, so that caches may keep them."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from functools import wraps
from typing import Any

from flask import Response, current_app, request

Version = Callable[[], Hashable | None]
"""Reads the version of what a page is made of, as it is now; None if nobody knows it."""
Headers = list[tuple[str, str]]
View = Callable[..., Any]

PUBLIC_PAGE = "shop.public_page"
"""Where WSGI's environment has the public page that a request was answered with."""


@dataclass(frozen=True, slots=True)
class PublicPage:
    """A page as everybody gets it who asks for it in the same way."""

    version: Version
    seen: Hashable | None
    """The version that it was made of; None if nobody knows."""
    route: str
    etag: str
    headers: Headers
    """Those about the body, which an answer without one lacks."""
    body: bytes


def public(
    version_of: Callable[..., Version], mimetype: str = "text/html"
) -> Callable[[View], View]:
    """Make the text that a view returns a public page; caches must ask about it each time.

    `version_of` is given what the view is given, and says how to read the version of what the page is made of,
    from any thread and outside a request. The page has no token and nothing private in it, so that its
    compressed length gives nothing away (BREACH). Whatever else the view returns is left alone.
    """

    def decorate(view: View) -> View:
        @wraps(view)
        def answer(**asked: Any) -> Any:
            version = version_of(**asked)
            before = version()
            page = view(**asked)
            if not isinstance(page, str):
                return page
            # A page that was made while its version changed belongs to neither.
            seen = before if version() == before else None
            return _public(page, mimetype, version, seen)

        return answer

    return decorate


def _public(text: str, mimetype: str, version: Version, seen: Hashable | None) -> Response:
    response = Response(text, mimetype=mimetype)
    response.vary.add("Accept-Encoding")
    if request.accept_encodings["gzip"]:
        response.data = gzip.compress(response.data, compresslevel=6, mtime=0)
        response.content_encoding = "gzip"
    response.headers["Cache-Control"] = "public, max-age=0, must-revalidate"
    response.add_etag()
    if not current_app.jinja_env.auto_reload:  # else a template may change at any time
        _hand_over(response, version, seen)
    response.make_conditional(request)
    response.headers.pop("Date", None)  # the server adds its own, and would send both
    return response


def _hand_over(response: Response, version: Version, seen: Hashable | None) -> None:
    """Let the page cache keep the page whole, also where this visitor gets no more than that it has not changed."""
    names = ("Content-Type", "Content-Encoding", "Content-Length")
    headers = [(name, response.headers[name]) for name in names if name in response.headers]
    etag, _ = response.get_etag()
    request.environ[PUBLIC_PAGE] = PublicPage(
        version, seen, str(request.url_rule), etag or "", headers, response.data
    )
