"""The keys that sign what leaves the shop and comes back: links, cookies, forms, wake-ups.

SECRET_KEY signs all that is new. SECRET_KEY_PREVIOUS is accepted beside it until its end, so that
links that were mailed before a change, and carts, go on working.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from flask import Flask, Request, current_app
from flask.sessions import SecureCookieSession, SecureCookieSessionInterface

from .config import Settings
from .db import utcnow


@dataclass(frozen=True)
class AcceptedKeys:
    """Every accepted key, the current one last: of several, itsdangerous signs with the last.

    It is read anew for each signature, so that the previous key ends at its time while the shop runs.
    """

    app: Flask
    settings: Settings

    def __iter__(self) -> Iterator[str]:
        previous = self.settings.secret_key_previous.get_secret_value()
        until = self.settings.secret_key_previous_until
        if previous and until and utcnow() < until:
            yield previous
        yield str(self.app.secret_key)


class Sessions(SecureCookieSessionInterface):
    """Flask's own, which would look for the keys also where there is no cookie to check."""

    def open_session(self, app: Flask, request: Request) -> SecureCookieSession | None:
        """The session of the request; an empty one without a cookie."""
        if not request.cookies.get(self.get_cookie_name(app)):
            return self.session_class()
        return super().open_session(app, request)


def init_app(app: Flask, settings: Settings) -> None:
    """Have Flask's cookies and the tokens of forms accept the same keys as our links."""
    app.session_interface = Sessions()
    keys = AcceptedKeys(app, settings)
    app.extensions["accepted_keys"] = keys
    app.config.update(SECRET_KEY_FALLBACKS=keys, WTF_CSRF_SECRET_KEY=keys)


def accepted_keys() -> AcceptedKeys:
    """The keys of the app at work."""
    keys: AcceptedKeys = current_app.extensions["accepted_keys"]
    return keys
