"""Which system a file is from: told by what is in it, never by its name."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from .found import Answers, Findings

JSON_SYSTEMS: tuple[Callable[[Any, Answers], Findings | None], ...] = ()
"""Each takes a JSON document, and gives None for one that is not its system's; MovingError refuses it by name."""


def read(content: bytes, answers: Answers) -> Findings | None:
    """What is found in another shop's file; None for one that is no other shop's. Raises MovingError."""
    if content.lstrip()[:1] in (b"{", b"["):
        return _read_json(content, answers)
    return None


def _read_json(content: bytes, answers: Answers) -> Findings | None:
    try:
        document = json.loads(content.decode("utf-8-sig"), parse_float=Decimal)
    except (ValueError, RecursionError):
        return None  # not JSON, or cut off: our own reader of YAML says where
    for reader in JSON_SYSTEMS:
        if findings := reader(document, answers):
            return findings
    return None
