"""Former addresses of pages: those of a language that has another prefix now, or of a former host.

Mails, bookmarks and other sites keep them for ever, so they lead to where the page is today. Only GET and
HEAD requests are redirected. What is posted (a form that is still open, a postback of the provider, who
follows no redirect) is taken where it comes in.

An address that was copied out of a sentence, with its full stop, is answered as the address itself.
"""

from __future__ import annotations

import string
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

from flask import Flask, redirect, request
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import SecurityError

from ..config import LANGUAGES, current_settings
from ..i18n import prefix_of

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

SAFE_IN_PATH = "/:@!$&'()*+,;=~"
PASTED = string.punctuation.translate({ord(each): None for each in "-_/"}) + string.whitespace
PASTED += "\u00a0\u200b\u200c\u200d\u2060\ufeff" + "»›”’“‘„‚…–—、。，．！？；："
"""Signs that no address here ends with, and that come along when one is copied."""


def init_app(app: Flask) -> None:
    """Redirect former addresses before any view is called."""
    app.before_request(_lead_on)
    app.wsgi_app = _WithoutPasted(app.wsgi_app)  # type: ignore[method-assign]


@dataclass(frozen=True)
class _WithoutPasted:
    """Takes off signs that were pasted behind an address; without a redirect, which would repeat a stranger's text."""

    app: WSGIApplication

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        if environ["REQUEST_METHOD"] in ("GET", "HEAD") and not path[-1:].isalnum():
            text = path.encode("latin-1").decode(errors="surrogateescape").rstrip(PASTED)
            environ["PATH_INFO"] = text.encode(errors="surrogateescape").decode("latin-1")
        return self.app(environ, start_response)


def _lead_on() -> ResponseReturnValue | None:
    """Redirect a former address to today's. No cache keeps the redirect: a dropped language may come back."""
    unknown_host = isinstance(request.routing_exception, SecurityError)
    if request.method not in ("GET", "HEAD") or unknown_host:
        return None
    settings = current_settings()
    code = request.script_root.removeprefix("/")
    prefix = prefix_of(code)
    moved = bool(settings.shop_former_hosts) and _host() in settings.shop_former_hosts
    if not moved and (prefix or code not in LANGUAGES):
        return None
    # Exactly one slash in front: two would name another host.
    path = f"{prefix}/{quote(request.path.lstrip('/'), safe=SAFE_IN_PATH)}"
    query = quote(request.query_string, safe=f"%?{SAFE_IN_PATH}")
    origin = settings.shop_public_url if moved else ""
    return redirect(f"{origin}{path}{'?' if query else ''}{query}", 301)


def _host() -> str:
    return (urlsplit(f"//{request.host}").hostname or "").removesuffix(".")
