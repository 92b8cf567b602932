"""Are the settings complete, safe and up to date?"""

from __future__ import annotations

import os
from urllib.parse import urlsplit

from ..config import LOOPBACK, Settings, unknown_names
from ..db import utcnow
from .findings import Finding

FEWEST_CHARACTERS = 10
"""A random secret of 32 characters has more different ones than this; `aaaa…` and `1234…` have not."""


def unknown_settings(settings: Settings) -> Finding:
    """No setting is misspelt, and a shop for everybody is not run as a trial."""
    if names := unknown_names(os.environ):
        return Finding(
            "warn",
            "settings",
            f"unknown: {', '.join(names)}",
            "Compare them with docs/settings.md.",
        )
    if settings.development and urlsplit(settings.shop_public_url).hostname not in LOOPBACK:
        return Finding(
            "warn",
            "settings",
            "SHOP_DEVELOPMENT is on, so published keys are taken for good ones",
            "Remove SHOP_DEVELOPMENT before anybody buys here.",
        )
    return Finding("ok", "settings", "all known")


def proxy(settings: Settings) -> Finding:
    """A proxy stands in front, which speaks https, waits for slow visitors, and says who visitors are."""
    if settings.development or settings.shop_trusted_proxies:
        return Finding(
            "ok", "proxy", "a trial" if settings.development else "one in front is believed"
        )
    return Finding(
        "warn",
        "proxy",
        "SHOP_TRUSTED_PROXIES is 0: either none stands in front, or all buyers seem to come from it",
        "Put one that buffers in front (docs/operating.md, Behind a proxy), and set SHOP_TRUSTED_PROXIES=1.",
    )


def postback_secret(settings: Settings) -> Finding:
    """Nobody can guess the secret that signs postbacks."""
    secret = settings.cryptocloud_secret_key.get_secret_value()
    again = "Copy the whole secret key from the project's settings, or make a new one there."
    if len(secret.encode()) < 32:
        return Finding("warn", "postback secret", "shorter than 32 bytes", again)
    if len(set(secret)) < FEWEST_CHARACTERS:
        return Finding("warn", "postback secret", "too regular to be random", again)
    return Finding("ok", "postback secret", "long enough")


def previous_secret(settings: Settings) -> list[Finding]:
    """No key that was replaced is accepted longer than it is needed."""
    found = []
    for name, until_name in (
        ("secret_key_previous", "secret_key_previous_until"),
        ("cryptocloud_previous_secret_key", "cryptocloud_previous_secret_until"),
    ):
        until = getattr(settings, until_name)
        if not getattr(settings, name).get_secret_value() or until is None:
            continue
        names = f"{name.upper()} and {until_name.upper()}"
        if until <= utcnow():
            text = f"{name.upper()} ended on {until:%Y-%m-%d %H:%M}"
            found.append(Finding("warn", "previous secret", text, f"Remove {names}."))
        else:
            text = f"{name.upper()} is accepted until {until:%Y-%m-%d %H:%M}; then remove {names}"
            found.append(Finding("ok", "previous secret", text))
    return found
