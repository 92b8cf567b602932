"""Email addresses: the one spelling in which they are stored, compared and written to."""

from __future__ import annotations

from email_validator import EmailNotValidError, validate_email


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
    """Whose mailbox it is, to be counted: in any capitals, and with anything behind a plus."""
    name, _, domain = address.strip().lower().rpartition("@")
    return f"{name.partition('+')[0]}@{domain}"
