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
REAL = {
    "hotmail.ca", "hotmail.ch", "hotmail.cl", "hotmail.no", "inbox.eu", "mail.fr", "mail.ua",
    "outlook.cl", "outlook.cz", "protonmail.ch", "rambler.ua", "yandex.com.tr", "yandex.fr",
    "yandex.uz",
}  # fmt: skip
"""Domains with mailboxes that look like a slip in one of the others."""
LOOKALIKES = str.maketrans("асеорхуікѕј", "aceopxyiksj")
"""Cyrillic letters, most on the keys of the Latin ones that they look like."""
ALIKE = 0.85
"""Of difflib's ratio: two letters of `gmail.com` may be swapped or wrong, none of `ya.ru`."""


def likely_meant(email: str) -> str:
    """The address that was probably meant; empty when it looks right as it stands."""
    name, _, domain = email.rpartition("@")
    latin = _in_latin(domain.lower())
    if latin in PROVIDERS or latin in REAL:
        meant = [latin]
    else:
        meant = get_close_matches(latin, PROVIDERS, n=1, cutoff=ALIKE) or [latin]
    return f"{name}@{meant[0]}" if meant != [domain.lower()] else ""


def _in_latin(domain: str) -> str:
    """The domain with Latin letters for Cyrillic ones that look the same, if it is a Latin one then."""
    try:
        latin = domain.encode("ascii").decode("idna").translate(LOOKALIKES)
    except UnicodeError:
        return domain
    return latin if latin.isascii() else domain
