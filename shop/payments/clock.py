"""Comparing this machine's clock with the provider's; a person has to find out which is wrong."""

from __future__ import annotations

import platform
from datetime import datetime, timedelta

from ..attention.kinds import AttentionKind
from ..attention.service import keep_attention
from ..ops.vitals import ago
from .asking import Round

CLOCK_WRONG = timedelta(minutes=2)


def compare_clocks(calls: Round, now: datetime) -> None:
    """Keep a person told while this machine's clock differs from the dates of the provider's answers."""
    ahead = calls.gateway.clock_ahead
    if ahead is not None:
        keep_attention(AttentionKind.CLOCK_WRONG, platform.node(), _clock_in_words(ahead))


def _clock_in_words(ahead: float) -> str:
    if abs(ahead) < CLOCK_WRONG.total_seconds():
        return ""
    off, side = ago(timedelta(seconds=abs(ahead))), "behind" if ahead > 0 else "ahead of"
    return (
        f"The clock of the machine {platform.node()} is {off} {side} CryptoCloud's. Its postbacks are signed "
        "for five minutes, so genuine ones are refused (the shop asks instead), and orders end at the "
        "wrong time. Let NTP set the clock (`timedatectl set-ntp true`); the item closes by itself."
    )
