"""Migrations: the `flask db` commands, and whether the database has this version's tables.

Alembic is imported when a command needs it: it would be a tenth of a web process's memory.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click
from flask import Flask, current_app
from sqlalchemy import inspect, text

from .columns import UtcDateTime
from .config import current_settings
from .db import Base, db, end_read
from .sqlite_file import DatabaseFile
from .unusable import said_in_a_sentence

if TYPE_CHECKING:
    from flask_alembic import Alembic

FOLDER = Path(__file__).parent / "migrations"
EMPTY = (
    "There is no database, or an empty one, and the journal in {data}/journal says that this shop has "
    "sold. Nothing was made. Put the database back: the file shop.db.rescued-… if there is one, else the "
    "newest backup (docs/operating.md, Backup). To begin anew, move journal/ to where you keep it."
)
SEARCH_INDEX = "product_search"
"""A table and its shadows on SQLite, a column and its index on PostgreSQL; all have it in their names."""


class Migrations(click.Group):
    """The group of Flask-Alembic's commands, loaded when one is looked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The commands' names."""
        return self._loaded(ctx).list_commands(ctx)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        """The command of this name."""
        return self._loaded(ctx).get_command(ctx, name)

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; if the database cannot be used, say so in a sentence instead of a traceback."""
        with said_in_a_sentence(ctx):
            return super().invoke(ctx)

    def _loaded(self, ctx: click.Context) -> click.Group:
        from flask_alembic.cli import cli

        ctx.obj = migrations()
        return cli


def init_app(app: Flask) -> None:
    """Add `flask db`."""
    app.config["ALEMBIC"] = {"script_location": str(FOLDER)}
    app.config["ALEMBIC_CONTEXT"] = {
        "compare_server_default": False,
        "include_name": _is_in_the_models,
        "render_as_batch": True,  # SQLite changes a table by rebuilding it
        "render_item": _render_item,
    }
    app.cli.add_command(Migrations("db", help="Perform database migrations."))


def migrations() -> Alembic:
    """Alembic for the app at work; not within a request."""
    from flask_alembic import Alembic

    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]
    _begin(app)
    if "alembic" not in app.extensions:
        Alembic(app, metadatas=Base.metadata, run_mkdir=False, command_name="")
    alembic: Alembic = app.extensions["alembic"]
    return alembic


def _begin(app: Flask) -> None:
    """Make an empty SQLite file where there is none; but never an empty shop in place of one that has sold."""
    file = _file()
    missing = file is not None and file.is_missing()
    if (missing or not _has_tables()) and app.extensions["has_sold"]():
        raise click.ClickException(EMPTY.format(data=current_settings().shop_data_dir))
    if file and missing:
        file.path.touch(mode=0o644)


def _file() -> DatabaseFile | None:
    """SQLite's file; None on PostgreSQL."""
    file: DatabaseFile | None = current_app.extensions.get("database_file")
    return file


def _has_tables() -> bool:
    try:
        return inspect(db.session.connection()).has_table("alembic_version")
    finally:
        end_read()


def migrated() -> bool:
    """Whether the newest migration has run. They are one line, each file named by its number."""
    if (file := _file()) and file.is_missing():
        return False
    if not inspect(db.session.connection()).has_table("alembic_version"):
        return False
    newest = max(path.name.partition("_")[0] for path in FOLDER.glob("[0-9]*.py"))
    version = text("SELECT version_num FROM alembic_version")
    return list(db.session.scalars(version)) == [newest]


def _is_in_the_models(name: str | None, kind: str, parents: object) -> bool:
    """Whether to compare this with the models: not the search index, which each engine makes in its own way."""
    return SEARCH_INDEX not in (name or "")


def _render_item(kind: str, item: object, context: object) -> str | Literal[False]:
    """Write our column type into migrations as what it is in the database, because they outlive our code."""
    return "sa.DateTime(timezone=True)" if isinstance(item, UtcDateTime) else False
