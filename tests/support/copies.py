"""A copy of the database, taken at one moment and put back at another: what an operator does at a bad one."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from typing import Any

from flask import Flask
from sqlalchemy import func, select, text

from shop.db import Base, db, end_read


def forget_everything(app: Flask) -> None:
    """No row in any table, and no journal that would know of them."""
    shutil.rmtree(app.config["SETTINGS"].shop_data_dir / "journal", ignore_errors=True)
    with app.app_context(), db.engine.begin() as connection:
        for table in reversed(Base.metadata.sorted_tables):
            connection.execute(table.delete())


class Copy:
    """Every row there is now, on either engine."""

    def __init__(self) -> None:
        end_read()
        with db.engine.connect() as connection:
            self.rows: dict[str, Sequence[Mapping[str, Any]]] = {
                table.name: connection.execute(select(table)).mappings().all()
                for table in Base.metadata.sorted_tables
            }

    def put_back(self) -> None:
        """Make the database what it was, the numbers that ids go on from included."""
        end_read()
        with db.engine.begin() as connection:
            for table in reversed(Base.metadata.sorted_tables):
                connection.execute(table.delete())
            for table in Base.metadata.sorted_tables:
                if rows := self.rows[table.name]:
                    connection.execute(table.insert(), [dict(row) for row in rows])
                id_column = table.primary_key.columns.get("id")
                if db.engine.dialect.name == "postgresql" and id_column is not None:
                    last = connection.scalar(select(func.max(id_column))) or 0
                    sequence = f"pg_get_serial_sequence('{table.name}', 'id')"
                    connection.execute(text(f"SELECT setval({sequence}, {last + 1}, false)"))
        db.session.expire_all()
