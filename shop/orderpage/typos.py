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
ENDINGS = {
    **dict.fromkeys(
        ("c0m", "cim", "cmo", "cok", "comm", "con", "coom", "cpm", "ocm", "vom", "xom"), "com"
    ),
    **dict.fromkeys(("ent", "nen", "neet", "nett", "nte"), "net"),
    **dict.fromkeys(("ri", "rj", "ruu", "rru", "ry", "tu", "ur"), "ru"),
}
"""Slips in the last part of a domain. Nobody has a mailbox there: the root knows none of them."""
NEAR_COM = {"cm", "co", "om"}
"""Country domains that are `.com` without one letter: real ones, so only a slip in a known provider's name."""
SHORTEST = 4
"""A name before such an ending with no more letters, as in `mali.co`, is too like others to be called a slip."""
LOOKALIKES = str.maketrans("асеорхуікѕј", "aceopxyiksj")
"""Cyrillic letters, most on the keys of the Latin ones that they look like."""
ALIKE = 0.85
"""The least ratio of difflib that is a slip: two letters of `gmail.com` may be swapped or wrong, none of `ya.ru`."""


def likely_meant(email: str) -> str:
    """The address that was probably meant; empty when it looks right as it stands."""
    name, _, domain = email.rpartition("@")
    latin = _in_latin(domain.lower())
    bare, dot, ending = latin.rpartition(".")
    if dot:
        latin = f"{bare}.{ENDINGS.get(ending, ending)}"
    if latin in PROVIDERS or latin in REAL:
        meant = latin
    else:
        short = ending in NEAR_COM and len(bare) > SHORTEST
        meant = _alike(latin) or (_alike(f"{bare}.com") if short else "") or latin
    return f"{name}@{meant}" if meant != domain.lower() else ""


def _alike(domain: str) -> str:
    return next(iter(get_close_matches(domain, PROVIDERS, n=1, cutoff=ALIKE)), "")


def _in_latin(domain: str) -> str:
    """The domain with its Cyrillic look-alikes made Latin letters; unchanged if other letters than Latin remain."""
    try:
        latin = domain.encode("ascii").decode("idna").translate(LOOKALIKES)
    except UnicodeError:
        return domain
    return latin if latin.isascii() else domain
