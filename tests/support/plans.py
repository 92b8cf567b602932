"""How the database goes about the statements that the shop gives it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from flask import Flask
from sqlalchemy import event

from shop.db import db

EXPLAINED = ("SELECT", "UPDATE", "DELETE", "WITH")
AS_IF_IT_WERE_LARGE = "SET enable_seqscan = off; SET enable_sort = off"
"""PostgreSQL reads a table of a few rows from end to end, whatever indexes it has."""


@contextmanager
def plans(app: Flask) -> Iterator[list[str]]:
    """The plans of all statements that are given meanwhile: whoever reads them finds the indexes' names."""
    found: list[str] = []

    def explain(connection: Any, cursor: Any, statement: str, given: Any, *rest: Any) -> None:
        if not statement.startswith(EXPLAINED):
            return
        own = connection.connection.cursor()
        if connection.dialect.name == "postgresql":
            own.execute(AS_IF_IT_WERE_LARGE)
            own.execute(f"EXPLAIN {statement}", given)
            found.append("\n".join(str(row[-1]) for row in own.fetchall()))
            own.execute("RESET enable_seqscan; RESET enable_sort")
        else:
            own.execute(f"EXPLAIN QUERY PLAN {statement}", given)
            found.append("\n".join(str(row[-1]) for row in own.fetchall()))
        own.close()

    with app.app_context():
        engine = db.engine
    event.listen(engine, "before_cursor_execute", explain)
    yield found
    event.remove(engine, "before_cursor_execute", explain)
