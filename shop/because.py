"""Why something was done, and by whom: what every history of the shop keeps of a decision."""

from __future__ import annotations

from dataclasses import dataclass

SHOP = "shop"
"""The shop itself did it, because the provider or the clock said so."""
BUYER = "buyer"
OPERATOR = "operator"
"""Somebody who can give commands, and was not asked for a name."""


@dataclass(frozen=True, slots=True)
class Because:
    """The reason for a decision in one sentence, and who took it: the shop, the buyer, or a person's name."""

    why: str
    who: str = SHOP
