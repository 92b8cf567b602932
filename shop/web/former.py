"""Addresses that were given out once: of a language that has another prefix now, or of a former host.

Mails, bookmarks and other sites keep them for ever, so they lead to where the page is today. Only
questions are led on. What is sent (a form that is still open, a notice of the provider, who follows
no redirect) is taken where it comes in.
"""

from __future__ import annotations

from urllib.parse import quote, urlsplit

from flask import Flask, redirect, request
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import SecurityError

from ..config import LANGUAGES, current_settings
from ..i18n import prefix_of

SAFE_IN_PATH = "/:@!$&'()*+,;=~"


def init_app(app: Flask) -> None:
    """Lead on before any view is asked."""
    app.before_request(_lead_on)


def _lead_on() -> ResponseReturnValue | None:
    """The redirect to today's address. It is stored nowhere: a dropped language may come back."""
    unknown_host = isinstance(request.routing_exception, SecurityError)
    if request.method not in ("GET", "HEAD") or unknown_host:
        return None
    settings = current_settings()
    code = request.script_root.removeprefix("/")
    prefix = prefix_of(code)
    moved = urlsplit(f"//{request.host}").hostname in settings.shop_former_hosts
    if not moved and (prefix or code not in LANGUAGES):
        return None
    # Exactly one slash in front: two would name another host.
    path = f"{prefix}/{quote(request.path.lstrip('/'), safe=SAFE_IN_PATH)}"
    query = quote(request.query_string, safe=f"%?{SAFE_IN_PATH}")
    origin = settings.shop_public_url if moved else ""
    return redirect(f"{origin}{path}{'?' if query else ''}{query}", 301)
