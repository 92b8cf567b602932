"""Doing the same to many rows, so that an error in one does not keep the others waiting."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

import structlog
from sqlalchemy.exc import InterfaceError, InternalError, OperationalError

from ..db import READ_ONLY_SQLSTATE, DatabaseBusy

log = structlog.get_logger()

T = TypeVar("T")


def for_each(things: Iterable[T], act: Callable[[T], object], what: str) -> None:
    """Call `act` on every thing; errors are logged, and raised at the end, several of them as a group.

    They are raised so that the work does not count as done, and `flask doctor` shows it.
    """
    broken = []
    for thing in things:
        try:
            act(thing)
        except (DatabaseBusy, OperationalError, InterfaceError):
            raise  # the database is away, and the others need it too
        except Exception as error:
            if isinstance(error, InternalError) and _is_read_only(error):
                raise  # it takes no writes for any row; other internal errors may be of one row
            log.exception("job_broken", job=what)
            broken.append(error)
    if len(broken) == 1:
        raise broken[0]
    if broken:
        raise ExceptionGroup(f"{len(broken)} of {what} broke", broken)


def _is_read_only(error: InternalError) -> bool:
    return getattr(error.orig, "sqlstate", "") == READ_ONLY_SQLSTATE
