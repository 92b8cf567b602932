"""Migrations: the `flask db` commands, and whether the database has this version's tables.

Alembic is imported when a command needs it: it would be a tenth of a web process's memory.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click
from flask import Flask, current_app
from sqlalchemy import inspect, text

from .db import Base, UtcDateTime, db

if TYPE_CHECKING:
    from flask_alembic import Alembic

FOLDER = Path(__file__).parent / "migrations"
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
    if "alembic" not in app.extensions:
        Alembic(app, metadatas=Base.metadata, run_mkdir=False, command_name="")
    alembic: Alembic = app.extensions["alembic"]
    return alembic


def migrated() -> bool:
    """Whether the newest migration has run. They are one line, each file named by its number."""
    if not inspect(db.session.connection()).has_table("alembic_version"):
        return False
    newest = max(path.name.partition("_")[0] for path in FOLDER.glob("[0-9]*.py"))
    version = text("SELECT version_num FROM alembic_version")
    return list(db.session.scalars(version)) == [newest]


def _is_in_the_models(name: str | None, kind: str, parents: object) -> bool:
    """Whether to compare this with the models: the search index is each database's own make."""
    return SEARCH_INDEX not in (name or "")


def _render_item(kind: str, item: object, context: object) -> str | Literal[False]:
    """Write our column type into migrations as what it is in the database: they outlive our code."""
    return "sa.DateTime(timezone=True)" if isinstance(item, UtcDateTime) else False
