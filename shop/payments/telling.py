"""Telling a person of refusals that the provider repeats until somebody has seen to their cause."""

from __future__ import annotations

import re

from sqlalchemy.orm import Session

from ..attention.kinds import AttentionKind
from ..attention.models import LONGEST_REFERENCE
from ..attention.service import raise_attention
from ..config import current_settings
from ..orders.models import Order
from .cryptocloud import (
    Blocked,
    CryptoCloudError,
    InTestMode,
    KeyRefused,
    Moved,
    OtherHost,
    ProjectRefused,
    Unreadable,
    Untrusted,
)

OF_ONE_CASE = re.compile(r"\S*[0-9@]\S*")
"""Words that differ each time, such as a time, an address or a request's number: they are no part of the reason."""


def tell_a_person(session: Session, error: CryptoCloudError, order: Order | None = None) -> None:
    """Raise an attention item about a refusal that lasts: one for each reason, until it is resolved.

    `order` is one that cannot be paid because of it; without `order`, the call was a question about invoices.
    An item stands for all orders that its reason stops. Only an item about a refused reply, behind which there
    may be money, names its order.
    """
    order_id = None
    if isinstance(error, KeyRefused):
        kind, reference = AttentionKind.KEY_REFUSED, current_settings().cryptocloud_shop_id
        what = "CryptoCloud refused the API key: nobody can pay. Check CRYPTOCLOUD_API_KEY."
    elif isinstance(error, Untrusted | Unreadable):
        kind, reference = AttentionKind.REPLY_REFUSED, _reason(error)
        order_id, number = (order.id, order.number) if order else (None, "?")
        what = (
            f"CryptoCloud's answer for order {number} was refused, and the buyer was sent nowhere: "
            f"{error}. {_advice(error)}"
        )
    else:
        kind, reference = AttentionKind.INVOICE_REFUSED, _reason(error)
        not_done = (
            f"makes no invoice for order {order.number}"
            if order
            else "does not answer about invoices"
        )
        what = f"CryptoCloud {not_done}: {error}. {_advice(error)}"
    raise_attention(session, kind, reference, what.strip(), order_id=order_id)


def _reason(error: CryptoCloudError) -> str:
    """The reason, the same for every order that it stops."""
    return OF_ONE_CASE.sub("…", str(error))[:LONGEST_REFERENCE]


def _advice(error: CryptoCloudError) -> str:
    """Where to look, by the setting or the place in the provider's account."""
    settings, words = current_settings(), str(error).lower()
    if isinstance(error, Moved) and error.host:
        return (
            f"CRYPTOCLOUD_API_URL is {settings.cryptocloud_api_url}. If CryptoCloud (Trybit) says that "
            "its API has moved there, set it to that address and restart. The key was not sent there."
        )
    if isinstance(error, Blocked | Moved | Unreadable):
        made = " An invoice may have been made: see your account."
        return (
            f"{settings.cryptocloud_api_url} does not answer as CryptoCloud's (Trybit's) API does: look "
            "at CRYPTOCLOUD_API_URL, and at firewalls and proxies on the way. A wall against robots: "
            "ask CryptoCloud to let this server's address through."
            f"{made if isinstance(error, Unreadable) else ''}"
        )
    if isinstance(error, InTestMode):
        return "Leave test mode: in your account, open the project and switch it off."
    if isinstance(error, OtherHost):
        return (
            f"CRYPTOCLOUD_PAY_HOSTS is {','.join(settings.pay_hosts)}. If the host is one of "
            "CryptoCloud's (Trybit's), add it there and restart; if not, ask them."
        )
    if isinstance(error, Untrusted):
        return "Compare the order with CryptoCloud's account, and ask them."
    if isinstance(error, ProjectRefused):
        return "Look at the project in your account: is it active and past moderation?"
    if "shop_id" in words or "shop id" in words:
        return "Compare CRYPTOCLOUD_SHOP_ID with the project in your account."
    if "minimum" in words or "amount" in words:
        return "An order of this amount cannot be paid: raise the price, or ask CryptoCloud."
    return "Look at the project in your account, and at CRYPTOCLOUD_SHOP_ID."
