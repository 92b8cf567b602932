"""Naming the host of an address that somebody else wrote, and putting a missing scheme before a link."""

from __future__ import annotations

import re
from collections.abc import Sequence
from urllib.parse import urlsplit


def named_host(address: str) -> str:
    """The host and port of an address, fit to be shown to a person; empty where it names none.

    Neither its path nor a name and password before the host are repeated: they may be secret.
    """
    try:
        host = urlsplit(address).netloc.rpartition("@")[2]
    except ValueError:
        return ""
    return re.sub(r"[^!-~]", "?", host)[:80].lower()


def with_scheme(link: str, origins: Sequence[str]) -> str:
    """The link; one without a scheme gets that of the origin whose host it names, if there is one."""
    bare = link.removeprefix("//")
    # A link with a scheme has only that before its first slash, which is no host that is known.
    host = re.split(r"[/?#]", bare, maxsplit=1)[0].lower()
    for origin in origins:
        scheme, _, known = origin.partition("://")
        if host == known:
            return f"{scheme}://{bare}"
    return link
