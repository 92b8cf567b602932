"""Doing the same to many rows, so that one that breaks does not hold up the others."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

import structlog
from sqlalchemy.exc import InterfaceError, InternalError, OperationalError

from ..db import DatabaseBusy

log = structlog.get_logger()

T = TypeVar("T")


def each(things: Iterable[T], act: Callable[[T], object], what: str) -> None:
    """Call `act` on every thing; what went wrong is logged, and raised at the end, several as a group.

    It is raised so that the work does not count as done, and `flask doctor` shows it.
    """
    broken = []
    for thing in things:
        try:
            act(thing)
        except (DatabaseBusy, OperationalError, InternalError, InterfaceError):
            raise  # the database is away or read-only, and the others need it too
        except Exception as error:
            log.exception("job_broken", job=what)
            broken.append(error)
    if len(broken) == 1:
        raise broken[0]
    if broken:
        raise ExceptionGroup(f"{len(broken)} of {what} broke", broken)
