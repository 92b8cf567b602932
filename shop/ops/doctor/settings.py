"""Are the settings complete, safe and up to date?"""

from __future__ import annotations

import os
from urllib.parse import urlsplit

from ...config import LOOPBACK, Settings, unknown_names
from ...db import utcnow
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
            "Compare them with the README's table.",
        )
    if settings.development and urlsplit(settings.shop_public_url).hostname not in LOOPBACK:
        return Finding(
            "warn",
            "settings",
            "SHOP_DEVELOPMENT is on, so published keys are taken for good ones",
            "Remove SHOP_DEVELOPMENT before anybody buys here.",
        )
    return Finding("ok", "settings", "all known")


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
    """The secret key before this one is not kept longer than it is good for."""
    until = settings.cryptocloud_previous_secret_until
    if not settings.cryptocloud_previous_secret_key.get_secret_value() or until is None:
        return []
    if until <= utcnow():
        return [
            Finding(
                "warn",
                "previous secret",
                f"ended on {until:%Y-%m-%d %H:%M}",
                "Remove CRYPTOCLOUD_PREVIOUS_SECRET_KEY and CRYPTOCLOUD_PREVIOUS_SECRET_UNTIL.",
            )
        ]
    return [Finding("ok", "previous secret", f"accepted until {until:%Y-%m-%d %H:%M}")]
