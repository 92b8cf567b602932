"""Slips in email addresses that are so common that it is worth asking once."""

from __future__ import annotations

from difflib import get_close_matches

PROVIDERS = (
    "aol.com", "bk.ru", "email.com", "gmail.com", "gmx.com", "gmx.de", "gmx.net", "googlemail.com",
    "hotmail.com", "i.ua", "icloud.com", "inbox.ru", "internet.ru", "list.ru", "live.com", "mac.com",
    "mail.com", "mail.ru", "me.com", "meta.ua", "msn.com", "outlook.com", "proton.me",
    "protonmail.com", "rambler.ru", "ukr.net", "web.de", "ya.ru", "yahoo.com", "yandex.com",
    "yandex.ru", "yandex.ua", "ymail.com",
)  # fmt: skip
ALIKE = 0.85
"""Of difflib's ratio: two letters of `gmail.com` may be swapped or wrong, none of `ya.ru`."""


def likely_meant(email: str) -> str:
    """The address that was probably meant; empty when it looks right as it stands."""
    name, _, domain = email.rpartition("@")
    if domain.lower() in PROVIDERS:
        return ""
    meant = get_close_matches(domain.lower(), PROVIDERS, n=1, cutoff=ALIKE)
    return f"{name}@{meant[0]}" if meant else ""
