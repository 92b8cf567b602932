"""What a check finds, and the round of all checks."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from ...config import Settings
from ...db import end_read

Level = Literal["ok", "warn", "fail"]


@dataclass(frozen=True)
class Finding:
    """What one check found. `mend` says what to do, and is empty when all is well."""

    level: Level
    name: str
    text: str
    mend: str = ""


Check = Callable[[Settings], Finding | list[Finding]]
"""A check has one finding, or several (or none) where one look answers more than one question."""


def examine(settings: Settings, checks: list[Check]) -> Iterator[Finding]:
    """Run the checks one after the other; one that breaks is a finding, not a crash."""
    for check in checks:
        try:
            found = check(settings)
        except Exception as error:  # whatever it is, the others should still be made
            name = check.__name__.replace("_", " ")
            found = Finding("fail", name, f"the check itself failed: {type(error).__name__}")
        # The next check may wait for the network, and PostgreSQL ends a transaction that idles.
        with contextlib.suppress(Exception):
            end_read()
        yield from found if isinstance(found, list) else [found]


def failure(settings: Settings) -> Level:
    """How bad a thing is that a trial on somebody's own machine may well lack."""
    return "warn" if settings.development else "fail"
