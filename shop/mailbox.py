"""Email addresses: the one spelling in which they are stored, compared and written to."""

from __future__ import annotations

from collections.abc import Mapping

from email_validator import EmailNotValidError, validate_email

SAME_DOMAIN = {
    "googlemail.com": "gmail.com",
    "protonmail.com": "proton.me",
    "pm.me": "proton.me",
    "ya.ru": "yandex.ru",
    "yandex.by": "yandex.ru",
    "yandex.com": "yandex.ru",
    "yandex.kz": "yandex.ru",
    "yandex.ua": "yandex.ru",
}
"""Domains that a provider delivers to the same mailboxes, and the one that stands for them."""
SAME_NAME: Mapping[str, Mapping[int, int | str | None]] = {
    "gmail.com": str.maketrans("", "", "."),
    "proton.me": str.maketrans("", "", ".-_"),
    "yandex.ru": str.maketrans("-", "."),
}
"""What makes no other name there: one buyer would have as many mailboxes as there are spellings."""


class NotAnAddress(ValueError):
    """No mail can be sent to this."""


def mailable(text: str) -> str:
    """The address with its domain as mail servers take it (IDNA 2008), however it was typed.

    `ｇmail.com` and `gmail。com` are gmail.com, and must not count as other addresses; `straße.de` is
    another domain than `strasse.de`. An encoded word (RFC 2047) is no name: mail programs would
    decode it into one that nobody has seen. Raises NotAnAddress.
    """
    try:
        checked = validate_email(text.strip(), check_deliverability=False, allow_smtputf8=False)
    except EmailNotValidError:
        raise NotAnAddress(text) from None
    address = checked.ascii_email or ""
    if not address or "=?" in address:
        raise NotAnAddress(text)
    return address


def mailbox(address: str) -> str:
    """Whose mailbox it is, to be counted: in any capitals, with anything behind a plus, and by
    whichever of the spellings and domains that its provider takes for the same.
    """
    name, _, domain = address.strip().lower().rpartition("@")
    domain = SAME_DOMAIN.get(domain, domain)
    name = name.partition("+")[0].translate(SAME_NAME.get(domain, {}))
    return f"{name}@{domain}"
