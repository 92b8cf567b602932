"""Headers, cookies, cross-site requests and proxies: what keeps a page this shop's own."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import ClassVar, TypeVar

from flask import Flask, Request, Response, abort, current_app, request
from flask_wtf import CSRFProtect
from werkzeug.datastructures import MultiDict
from werkzeug.middleware.proxy_fix import ProxyFix
from werkzeug.utils import cached_property

from ..config import Settings, current_settings, host_name
from .query_string import asked_for

csrf = CSRFProtect()

SAFE_METHODS = {"GET", "HEAD", "OPTIONS"}
HOST_HEADER = re.compile(r"([a-z0-9.-]+|\[[0-9a-f:.]+\])(?::[0-9]{1,5})?", re.ASCII | re.IGNORECASE)
HEALTH = {"/healthz", "/readyz"}
View = TypeVar("View", bound=Callable[..., object])
FROM_ELSEWHERE: set[object] = set()
"""Views that other sites may post to."""


def from_elsewhere(view: View) -> View:
    """Let other sites post to this view, because it asks for another proof, or only leads on to a page."""
    FROM_ELSEWHERE.add(view)
    return view


def init_app(app: Flask, settings: Settings) -> None:
    """Cookies, CSRF tokens, the origin check and the headers."""
    app.config.update(
        SESSION_COOKIE_NAME="__Host-session" if settings.secure else "session",
        SESSION_COOKIE_SECURE=settings.secure,
        SESSION_COOKIE_HTTPONLY=True,
        # Lax, because Strict would lose the cart on the way back from the pay page.
        SESSION_COOKIE_SAMESITE="Lax",
        WTF_CSRF_TIME_LIMIT=4 * 3600,
        WTF_CSRF_SSL_STRICT=False,  # _refuse_other_sites below is stricter
        WTF_I18N_ENABLED=False,  # its catalogue would be read at each form, which says our own words
        MAX_CONTENT_LENGTH=64 * 1024,
        MAX_FORM_MEMORY_SIZE=64 * 1024,
        MAX_FORM_PARTS=200,
    )
    # A class of its own, because there is no app at work yet when the name is looked at.
    app.request_class = type("ShopRequest", (NamedRequest,), {"names": _host_names(settings)})
    if settings.shop_trusted_proxies:
        hops = settings.shop_trusted_proxies
        app.wsgi_app = ProxyFix(  # type: ignore[method-assign]
            app.wsgi_app, x_for=hops, x_proto=hops, x_host=hops
        )
    app.before_request(_refuse_other_sites)
    csrf.init_app(app)
    app.after_request(_add_headers)
    app.extensions["security_headers"] = security_headers(settings)


def security_headers(settings: Settings) -> dict[str, str]:
    """The headers of every page. Chromium applies `form-action` to the redirect after a form is
    sent, so the pay hosts are listed there: without them no buyer ever reaches the pay page."""
    policy = "; ".join(
        (
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "img-src 'self'",
            "connect-src 'self'",
            "manifest-src 'self'",
            f"form-action 'self' {' '.join(settings.cryptocloud_pay_hosts)}",
            "base-uri 'none'",
            "frame-ancestors 'none'",
        )
    )
    headers = {
        "Content-Security-Policy": policy,
        "X-Content-Type-Options": "nosniff",
        # Not `no-referrer`: with it browsers send `Origin: null`, which the check below refuses.
        "Referrer-Policy": "same-origin",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
        "X-Frame-Options": "DENY",
    }
    if settings.secure:
        headers["Strict-Transport-Security"] = "max-age=63072000; includeSubDomains"
    return headers


class NamedRequest(Request):
    """A request that must name one of our hosts, however the name is spelt; IPv6 addresses are names, too."""

    names: ClassVar[list[str]] = []

    @property
    def trusted_hosts(self) -> list[str] | None:  # type: ignore[override]
        """The names for werkzeug to compare, letter by letter and without IPv6; None if the host is good already."""
        is_ours = _is_ours(self.environ.get("HTTP_HOST", ""), self.names)
        return None if is_ours or self._needs_no_name() else self.names

    @cached_property
    def args(self) -> MultiDict[str, str]:
        """What the query says."""
        return self.parameter_storage_class(asked_for(self.query_string))

    def _needs_no_name(self) -> bool:
        """Whether a health checker asks, by any address. The doctor, whose path has a query, must ask by name."""
        return self.path in HEALTH and not self.query_string


def _is_ours(header: str, names: list[str]) -> bool:
    match = HOST_HEADER.fullmatch(header)
    if not match:
        return False
    try:
        host = host_name(match[1].removesuffix("."))
    except ValueError:
        return False
    return host in names or any(
        name.startswith(".") and f".{host}".endswith(name) for name in names
    )


def _host_names(settings: Settings) -> list[str]:
    public = settings.shop_public_url.partition("://")[2]
    hosts = [
        re.sub(r":[0-9]+$", "", public),
        *settings.shop_trusted_hosts,
        *settings.shop_former_hosts,
    ]
    return [*hosts, "localhost", "127.0.0.1", "[::1]"] if settings.development else hosts


def _refuse_other_sites() -> None:
    """Refuse a form that another site made the browser send.

    This guards "Add to cart" alone, whose page is the same for everybody and so holds no token;
    for every other form it comes on top of the token. Programs that send neither header have no
    cookies of a shopper either.
    """
    if request.method in SAFE_METHODS or _view() in FROM_ELSEWHERE:
        return
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        allowed = site in ("same-origin", "none")
    else:
        origin = request.headers.get("Origin")
        allowed = origin is None or origin in (
            current_settings().shop_public_url,
            f"{request.scheme}://{request.host}",
        )
    if not allowed:
        abort(403)


def _view() -> object:
    return current_app.view_functions.get(request.endpoint or "")


def _add_headers(response: Response) -> Response:
    """Add the headers that the view has not set by itself, at once: setting each would go through all of them."""
    given = {name.lower() for name in response.headers.keys()}  # noqa: SIM118, it iterates over pairs
    for name, value in current_app.extensions["security_headers"].items():
        if name.lower() not in given:
            response.headers.add(name, value)
    # Only what is the same for everybody says otherwise (the catalogue's pages, images).
    if "cache-control" not in given:
        response.headers.add("Cache-Control", "no-store")
    return response
