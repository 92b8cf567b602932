"""Email addresses: the one spelling in which they are stored, compared and written to."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from urllib.parse import unquote

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
"""Signs that make no other mailbox at these domains: else a buyer would have as many as there are spellings."""


INVISIBLE = re.compile("[\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0\ufe00-\ufe0f]")
"""Characters that show nothing, and yet are no format characters (category Cf)."""
JOINERS = "\u200c\u200d"
"""Invisible too, and yet letters of some domains: `نامه\u200cای.com` is another one without. They are left
there, and such a domain is refused; written in ASCII (xn--…) it is taken."""
NO_JOINERS = str.maketrans("", "", JOINERS)
MAILTO = re.compile(r"mailto:([^?]*)(?:\?.*)?", re.IGNORECASE | re.DOTALL)
NAMED = re.compile(r"[^<>@]*<([^<>]+)>")
"""`Ada <ada@example.com>`, as mail programs copy it."""
BEFORE, BEHIND = '(["<«“‘„', '.,;:!?>)]"»”’…。．｡，；'
"""Signs that stand around an address in a sentence, and that no address has at its ends."""
LONGEST = 254
"""How many characters of an address mail servers take."""
AT_SIGNS = str.maketrans("＠﹫", "@@")


class NotAnAddress(ValueError):
    """The text is no address that a mail can be sent to."""


class OtherLetters(NotAnAddress):
    """An address that not every mail server takes: `letters`, before the @, are not Latin."""

    def __init__(self, text: str, letters: str) -> None:
        super().__init__(text)
        self.letters = letters


class SeveralAddresses(NotAnAddress):
    """The text holds several addresses: nobody can say which of them is to have the goods."""


def cleaned(text: str) -> str:
    """The address out of what was pasted: without what cannot be seen, `mailto:`, a name, or a full stop behind it.

    Line ends stay in, so that the address is refused: what stands behind a line end is something else.
    """
    bare = "".join(char for char in text if char in JOINERS or not _is_invisible(char)).strip()
    bare = bare.translate(AT_SIGNS)
    if match := MAILTO.fullmatch(bare):
        bare = unquote(match[1])
    if match := NAMED.fullmatch(bare.rstrip(" .,;")):
        bare = match[1]
    bare = bare.lstrip(BEFORE).rstrip(BEHIND).strip()
    if bare.startswith("'") and bare.endswith("'"):
        bare = bare[1:-1]
    name, at, domain = bare.rpartition("@")
    if domain.translate(NO_JOINERS).isascii():
        domain = domain.translate(NO_JOINERS)
    return (name.translate(NO_JOINERS) + at + domain.strip(JOINERS)).strip()


def _is_invisible(char: str) -> bool:
    return unicodedata.category(char) == "Cf" or bool(INVISIBLE.match(char))


def mailable(text: str) -> str:
    """The address with its domain as mail servers take it (IDNA 2008), however it was typed.

    `ｇmail.com` and `gmail。com` are gmail.com, and must not count as other addresses; `straße.de` is
    another domain than `strasse.de`. An encoded word (RFC 2047) is no name: mail programs would
    decode it into one that nobody has seen. Raises NotAnAddress.
    """
    text = cleaned(text)
    if len(text) > LONGEST:
        raise SeveralAddresses(text) if _are_several(text) else NotAnAddress(text)
    from email_validator import EmailNotValidError, validate_email  # takes long, for its patterns

    try:
        checked = validate_email(text, check_deliverability=False, allow_smtputf8=False)
    except EmailNotValidError:
        raise _why_not(text) from None
    address = checked.ascii_email or ""
    if not address or "=?" in address:
        raise NotAnAddress(text)
    return address


def _why_not(text: str) -> NotAnAddress:
    if _are_several(text):
        return SeveralAddresses(text)
    letters = "".join(dict.fromkeys(re.findall(r"[^\x00-\x7f]", text.rpartition("@")[0])))
    from email_validator import EmailNotValidError, validate_email

    try:
        validate_email(text, check_deliverability=False, allow_smtputf8=True)
    except EmailNotValidError:
        return NotAnAddress(text)
    return OtherLetters(text, letters)


def _are_several(text: str) -> bool:
    # Word by word, and not by a pattern, which would be tried at each letter: minutes for a long word.
    words = (word.strip("@").partition("@") for word in re.split(r"[\s,;]+", text))
    return sum(bool(name and domain) for name, _, domain in words) > 1


def mailbox(address: str) -> str:
    """The mailbox that an address leads to, for counting: it is the same for any capitals, with anything
    behind a plus, and for all spellings and domains that its provider takes for the same.
    """
    name, _, domain = cleaned(address).lower().rpartition("@")
    domain = SAME_DOMAIN.get(domain, domain)
    name = name.partition("+")[0].translate(SAME_NAME.get(domain, {}))
    return f"{name}@{domain}"
