"""What the groups of the command line have in common."""

from __future__ import annotations

from typing import Any

import click
from flask.cli import AppGroup
from sqlalchemy.exc import InterfaceError, InternalError, OperationalError, ProgrammingError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from ..db import DatabaseBusy


class CommandGroup(AppGroup):
    """The commands for one noun. A database that cannot be used is a sentence, not a traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except (DatabaseBusy, PoolTimeout):
            raise click.ClickException("The database is busy; try again in a moment.") from None
        except (OperationalError, ProgrammingError, InternalError, InterfaceError) as error:
            # The driver's own words: unlike SQLAlchemy's, they hold no values of the statement.
            reason = str(error.orig).partition("\n")[0]
            raise click.ClickException(
                f"The database cannot be used: {reason}. "
                "If it is new, run `flask --app wsgi db upgrade`; `doctor` says more."
            ) from None
