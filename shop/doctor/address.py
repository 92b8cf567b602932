"""Do buyers and the provider reach this shop, and not something else, at its public address?"""

from __future__ import annotations

import json
import re
import secrets
from hmac import compare_digest
from typing import Any
from urllib.parse import urljoin, urlsplit

import requests
from flask import current_app

from ..config import Settings
from ..ops.health import proof_for
from .findings import Finding, failure

SECONDS = 5
LARGEST_ANSWER = 4096
MOST_HOPS = 5


class _Session(requests.Session):
    """Asks the address itself: no proxy, no .netrc, and no redirect's body is read, however long."""

    def __init__(self) -> None:
        super().__init__()
        self.trust_env = False

    def get_redirect_target(self, resp: requests.Response) -> str | None:
        """None: no redirect is followed."""
        return None


def public_address(settings: Settings) -> Finding:
    """The public address leads here, by https."""
    nonce = secrets.token_urlsafe(24)
    try:
        status, fields, where = _ask(settings, "GET", f"/healthz?nonce={nonce}")
    except requests.RequestException as error:
        return _unreachable(settings, error)
    if status == 200 and compare_digest(str(fields.get("proof")).encode(), proof_for(nonce)):
        if settings.secure:
            return Finding("ok", "public address", f"{settings.shop_public_url} leads here")
        return Finding(
            "warn",
            "public address",
            f"{settings.shop_public_url} leads here, by plain http",
            "Fine on your own machine; use https in production.",
        )
    return Finding(
        failure(settings),
        "public address",
        f"{settings.shop_public_url} {_instead(status, where)}",
        _mend(status),
    )


def _unreachable(settings: Settings, error: requests.RequestException) -> Finding:
    """The finding for an error by its kind, and not in the library's words, which are long."""
    if isinstance(error, requests.exceptions.SSLError):
        reason, mend = "has no certificate that this machine trusts", "Renew the certificate."
    elif isinstance(error, requests.Timeout):
        reason, mend = f"does not answer within {SECONDS} seconds", "Is the web server running?"
    else:
        reason = "cannot be reached from here"
        mend = "Are the web server and the reverse proxy running, and is the name in the DNS?"
    text = f"{settings.shop_public_url} {reason}"
    return Finding(failure(settings), "public address", text, mend)


def _instead(status: int, where: str) -> str:
    if where:
        return f"answers {status} and sends visitors to {where}"
    if status == 200:
        return "is answered by something else, or by a shop with another SECRET_KEY"
    return f"answers {status}"


def _mend(status: int) -> str:
    if 300 <= status < 400:
        return "Set SHOP_PUBLIC_URL to the address that is not redirected."
    if status == 400:
        return "Let the reverse proxy pass the Host header on."
    return "Let the reverse proxy pass everything on to this shop's web server."


def postback_address(settings: Settings) -> Finding:
    """The provider's postbacks would get through to the shop: an empty one is refused by our own words."""
    path = urlsplit(postback_url(settings)).path
    mend = f"Let POST {path} through to the shop, without a log-in, a redirect or a page cache."
    try:
        status, fields, where = _ask(settings, "POST", path)
    except requests.RequestException:
        text = f"{path} cannot be reached from here"
        return Finding(failure(settings), "postback address", text, mend)
    if status == 403 and fields.get("message") == "Postback refused":
        return Finding("ok", "postback address", f"{postback_url(settings)} takes postbacks")
    text = f"{path} {f'sends to {where}' if where else f'answers {status}'}, and not the shop's 403"
    return Finding(failure(settings), "postback address", text, mend)


def follow(address: str) -> list[str] | None:
    """The origins that a visitor of this address comes through, its own first; None when none answers.

    Only the addresses are asked, without any key or cookie, and five hops at most.
    """
    hops: list[str] = []
    for _ in range(MOST_HOPS):
        origin = _origin(address)
        if origin not in hops:
            hops.append(origin)
        try:
            with (
                _Session() as session,
                session.get(
                    address,
                    headers={"Accept": "text/html", "Accept-Encoding": "identity"},
                    timeout=SECONDS,
                    allow_redirects=False,
                    stream=True,
                ) as response,
            ):
                status, location = response.status_code, response.headers.get("Location", "")
        except (requests.RequestException, ValueError):
            return hops if hops[1:] else None
        if not 300 <= status < 400 or not location:
            break
        address = urljoin(address, location)
    return hops


def end_of(settings: Settings, address: str) -> int:
    """The status at which a visitor of one of the shop's own addresses ends, asked for by HEAD.

    The address may be a secret, so no redirect is followed but to the shop's own hosts. Raises
    requests' exceptions when nothing answers.
    """
    public = urlsplit(settings.shop_public_url)
    own = {
        settings.shop_public_url,
        *(f"{public.scheme}://{h}" for h in settings.shop_former_hosts),
    }
    for _ in range(MOST_HOPS):
        with (
            _Session() as session,
            session.head(address, timeout=SECONDS, allow_redirects=False) as response,
        ):
            status, location = response.status_code, response.headers.get("Location", "")
        address = urljoin(address, location)
        if not 300 <= status < 400 or _origin(address) not in own:
            break
    return status


def postback_url(settings: Settings) -> str:
    """What the project's notification URL at the provider should be."""
    return settings.shop_public_url + current_app.url_map.bind("").build("payments.postback")


def _ask(settings: Settings, method: str, path: str) -> tuple[int, dict[str, Any], str]:
    """The answer's status, its fields if it is a small JSON object, and the origin it redirects to."""
    with (
        _Session() as session,
        session.request(
            method,
            f"{settings.shop_public_url}{path}",
            headers={"Accept": "application/json", "Accept-Encoding": "identity"},
            timeout=SECONDS,
            allow_redirects=False,
            stream=True,
        ) as response,
    ):
        body = next(response.iter_content(LARGEST_ANSWER), b"")
        return response.status_code, _fields(body), _origin(response.headers.get("Location", ""))


def _fields(body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _origin(location: str) -> str:
    """Where a redirect leads, without its path, which may hold a log-in's secrets."""
    try:
        parts = urlsplit(location)
    except ValueError:
        return "a broken address"
    host = re.sub(r"[^!-~]", "?", parts.netloc.rpartition("@")[2])[:80]
    return f"{parts.scheme}://{host}" if host else "another page" if location else ""
