"""What an address asks for behind its question mark, read in one way by the views and by the page cache."""

from __future__ import annotations

from urllib.parse import parse_qsl

import werkzeug.urls  # noqa: F401, it registers the way below

AS_IT_CAME = "werkzeug.url_quote"
"""Bytes that are no UTF-8 stay encoded: two addresses that differ in them ask for different things."""


def asked_for(query: bytes) -> list[tuple[str, str]]:
    """Names and values, in order; also of a query in which somebody has left bytes as they are."""
    return parse_qsl(query.decode(errors=AS_IT_CAME), keep_blank_values=True, errors=AS_IT_CAME)
