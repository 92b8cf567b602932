"""The yardstick: a WSGI callable with one fixed page of 8 KB, served just as the shop is."""

from __future__ import annotations

from collections.abc import Callable

PAGE = b"x" * 8192
HEADERS = [("Content-Type", "text/html; charset=utf-8"), ("Content-Length", str(len(PAGE)))]


def app(environ: dict[str, object], start_response: Callable[..., object]) -> list[bytes]:
    """Answer with the page, whatever is asked for."""
    start_response("200 OK", HEADERS)
    return [PAGE]
