"""What a check finds, and the round of all checks."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from ..config import Settings
from ..db import DatabaseBusy, end_read
from ..unusable import file_trouble, is_trouble

Level = Literal["ok", "warn", "fail"]


@dataclass(frozen=True)
class Finding:
    """What one check found. `mend` says what to do, and is empty when all is well."""

    level: Level
    name: str
    text: str
    mend: str = ""


Check = Callable[[Settings], Finding | list[Finding]]
"""A check has one finding, or several (or none) where one look answers more than one question. Its docstring says
what is true when its finding is `ok`."""


def examine(settings: Settings, checks: Iterable[Check]) -> Iterator[Finding]:
    """Run the checks one after the other; one that breaks is a finding, not a crash."""
    for check in checks:
        try:
            found = check(settings)
        except Exception as error:  # whatever it is, the others should still be made
            found = Finding("fail", check.__name__.replace("_", " "), *_why_not(error))
        # The next check may wait for the network, and PostgreSQL ends a transaction that idles.
        with contextlib.suppress(Exception):
            end_read()
        yield from found if isinstance(found, list) else [found]


def _why_not(error: Exception) -> tuple[str, str]:
    away = isinstance(error, DBAPIError) and is_trouble(error)
    if away or isinstance(error, DatabaseBusy | PoolTimeout):
        return "not known, because the database cannot be used", "See the line about the database."
    if isinstance(error, OSError) and error.filename is not None:
        return file_trouble(error)
    return f"the check itself failed: {type(error).__name__}", "Report this: it should not happen."


def failure(settings: Settings) -> Level:
    """The level of a fault that does not matter in a trial on somebody's own machine."""
    return "warn" if settings.development else "fail"
