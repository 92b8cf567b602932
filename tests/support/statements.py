"""Which statements a use case sends to the database."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from flask import Flask
from sqlalchemy import event

from shop.db import db

WRITES = ("INSERT", "UPDATE", "DELETE", "BEGIN IMMEDIATE")


@contextmanager
def counted(app: Flask) -> Iterator[list[str]]:
    """The statements meanwhile, without SQLite's own for the start of a transaction that reads."""
    with app.app_context():
        engine = db.engine
    statements: list[str] = []

    def note(connection: Any, cursor: Any, statement: str, *about: Any) -> None:
        if statement != "BEGIN":
            statements.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    try:
        yield statements
    finally:
        event.remove(engine, "before_cursor_execute", note)


def writes(statements: list[str]) -> list[str]:
    """Those of them that write, or want to."""
    return [each for each in statements if each.startswith(WRITES)]
