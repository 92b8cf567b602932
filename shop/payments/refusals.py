"""What it means that a postback was refused, and what to do: the same words for every command."""

from __future__ import annotations

from dataclasses import dataclass

from .cryptocloud import Refusal
from .models import Payment


@dataclass(frozen=True)
class Meaning:
    """The words for one reason: in a list, as the doctor's finding, and how to mend it."""

    listed: str
    found: str
    mend: str


_LOG = "The web server's log says more (postback_refused)"
_ODD = f"{_LOG}; when the postbacks are CryptoCloud's own, please report it"
_MIX_UP = "Compare `orders show` with CryptoCloud's account"

MEANINGS: dict[str, Meaning] = {
    Refusal.SIGNATURE: Meaning(
        "not signed with our secret key",
        "the secret key does not match",
        "Copy CRYPTOCLOUD_SECRET_KEY from the project's settings again, and restart",
    ),
    "": Meaning(
        "the reason was not kept",
        "the reason was not kept by the version before this one",
        "It may be the secret key, or the clock",
    ),
    Refusal.EXPIRED: Meaning(
        "signed with our key, but too old or from the future",
        "the key is right, but the postback was too old or from the future",
        "See the line about the clock, and let NTP set this machine's time; "
        "when it is right, look for what holds postbacks up on their way",
    ),
    Refusal.OTHER_INVOICE: Meaning(
        "signed with our key, for another invoice than it names",
        "the key is right, but the token was for another invoice than the postback",
        f"{_MIX_UP}; it may also be that somebody alters postbacks on their way",
    ),
    Refusal.OTHER_ORDER: Meaning(
        "signed with our key, names another order than the invoice's",
        "the key is right, but the postback named another order than the invoice's",
        f"{_MIX_UP}; it may also be that somebody alters postbacks on their way",
    ),
    Refusal.UNDATED: Meaning(
        "signed with our key, but does not say until when it is good",
        "the key is right, but the token does not say until when it is good",
        _ODD,
    ),
    Refusal.MALFORMED: Meaning(
        "its token is none that the shop can read",
        "the token was none that the shop can read",
        _ODD,
    ),
    Refusal.UNSIGNED: Meaning("it has no token", "the postback had no token", _ODD),
    Refusal.UNREADABLE: Meaning("it cannot be read", "the postback could not be read", _ODD),
    Refusal.NOT_FOR_INVOICE: Meaning(
        "signed with our key, but its token names no invoice",
        "the key is right, but the token names no invoice",
        "",
    ),
    Refusal.NO_INVOICE: Meaning(
        "signed with our key, but the postback names no invoice",
        "the key is right, but the postback names no invoice",
        "",
    ),
}
"""The gravest reason first: where there are several, the doctor tells the first of them."""


def meaning(payment: Payment) -> Meaning:
    """Why the last refused postback of this payment was refused."""
    return MEANINGS.get(payment.refused_because, MEANINGS[""])
