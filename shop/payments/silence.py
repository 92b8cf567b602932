"""Telling a person that the provider is silent: nobody can pay then, and money that came is not seen."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from ..attention.silences import heard, is_silent, not_heard
from .cryptocloud import CryptoCloud, NotTheApi
from .queries import newest_payment

if TYPE_CHECKING:
    from .asking import Round

WANTED_FOR = timedelta(hours=1)
"""For how long after a buyer got no invoice the provider is asked for a sign of life."""
NOTE = (
    "Since {since} no call to CryptoCloud's API has gone well, so nobody can pay. Money on its way is "
    "asked about once it answers. `flask --app wsgi doctor` says whether it is reached from here, and "
    "takes the key."
)


def tell_of_silence(calls: Round, now: datetime) -> None:
    """Put before a person that for minutes no call has gone well, and take it back when one does."""
    if calls.heard is None and _is_wanted(now):
        calls.make(lambda: _knock(calls.gateway), "sign of life")
    if calls.heard:
        heard("provider")
    elif calls.heard is not None:
        not_heard("provider", NOTE, now)


def _is_wanted(now: datetime) -> bool:
    """Whether to ask although no check is due: the provider was silent, or the last buyer got no invoice."""
    newest = newest_payment()
    in_vain = newest and not newest.invoice_id and newest.created_at > now - WANTED_FOR
    return bool(in_vain) or is_silent("provider")


def _knock(gateway: CryptoCloud) -> None:
    """Ask about an invoice that nobody has: any answer is a sign of life, and `doctor` says what is odd in it."""
    try:
        gateway.check_key()
    except NotTheApi:
        return
