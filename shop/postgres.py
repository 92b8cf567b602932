"""PostgreSQL's connections: what would cost a page more than its queries, and may be left out.

A session that only reads asks outside of transactions: in PostgreSQL's usual isolation each statement sees what was
committed before it either way. So there is no BEGIN and no ROLLBACK, after which psycopg forgets the statements that
it has prepared. And a connection that was used just now is not asked whether it still lives.
"""

from __future__ import annotations

import select
import time
from typing import Any
from weakref import WeakKeyDictionary

from sqlalchemy import Connection, Engine, event

READS = {"reads": True}
"""The execution options of sessions. Whoever writes through one says `write_until` as well."""
DEAD_PLAN = "0A000"
"""The SQLSTATE when a migration has changed what a prepared statement answers."""
TRUSTED_SECONDS = 5.0
"""For how long a connection that was found well is trusted, while nothing comes from it unasked."""


def set_up(engine: Engine) -> None:
    """Let reads do without transactions, and connections that were used just now without a question."""
    ping, found_well = engine.dialect.do_ping, WeakKeyDictionary[Any, float]()

    def ping_if_needed(connection: Any) -> bool:
        now = time.monotonic()
        trusted = now - found_well.get(connection, -TRUSTED_SECONDS) < TRUSTED_SECONDS
        found_well[connection] = now
        return (trusted and _is_silent(connection)) or ping(connection)

    engine.dialect.do_ping = ping_if_needed  # type: ignore[method-assign, assignment]

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        options = connection.get_execution_options()
        only_reads = "reads" in options and "write_until" not in options
        driver: Any = connection.connection.dbapi_connection
        if driver.autocommit is not only_reads:
            driver.autocommit = only_reads


def _is_silent(connection: Any) -> bool:
    """Whether nothing waits in the socket: a server that ends says so there, and so does its end."""
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN)
    return not poll.poll(0)
