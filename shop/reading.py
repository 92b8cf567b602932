"""The connection that a page reads its rows with, by SQLAlchemy Core: it costs half as much as a session.

A request has one connection at a time, or else all threads could wait for a second one.
"""

from __future__ import annotations

import contextlib
from typing import Any, cast

from flask import current_app, g
from sqlalchemy import Connection, event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

EXTENSION = "engine_for_reads"


class OneConnection(Session):
    """A session before which the connection of `reading` is given back."""

    def get_bind(self, *about: Any, **more: Any) -> Any:
        """Where to ask; called before a connection is taken."""
        end_reading()
        return super().get_bind(*about, **more)


@event.listens_for(OneConnection, "before_flush")
def _refuse_to_write(session: Session, *_: object) -> None:
    """Outside of `transaction` nothing is written: PostgreSQL reads without one, so nothing could be taken back."""
    if not session.info.get("writing"):
        raise RuntimeError("an object was changed outside of a transaction")


def reading() -> Connection:
    """The session's connection while it has one, so that what it has written is seen; else one for rows alone."""
    session = g.get("_sqlalchemy_sessions", {}).get("default")
    if session is not None and session.in_transaction():
        return cast("Connection", session.connection())
    found: Connection | None = g.get("reading")
    if found is None:
        found = g.reading = current_app.extensions[EXTENSION].connect()
    return found


def end_reading() -> None:
    """Give it back; one that was cut meanwhile has ended by itself."""
    found: Connection | None = g.pop("reading", None)
    if found is not None:
        with contextlib.suppress(DBAPIError):
            found.close()
