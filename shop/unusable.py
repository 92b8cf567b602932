"""Why the database or a file cannot be used, and what mends it, in words for whoever runs the shop."""

from __future__ import annotations

import os
import pwd
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from flask.cli import ScriptInfo
from sqlalchemy.engine import make_url
from sqlalchemy.exc import (
    DatabaseError,
    DBAPIError,
    InterfaceError,
    InternalError,
    OperationalError,
    ProgrammingError,
)
from sqlalchemy.exc import TimeoutError as PoolTimeout

from .config import current_settings
from .db import READ_ONLY_SQLSTATE, DatabaseBusy
from .sqlite_file import PARTS, DatabaseFileLost

LOOK_AT_DATABASE = "Look whether it runs, has room, and may be read and written by the shop's user."
OWN_DATA_DIR = "It has to be a folder that belongs to the user that the shop runs as."
UPGRADE = "Run `flask --app wsgi db upgrade`."
NO_TABLE, NO_COLUMN, NO_RIGHT = "42P01", "42703", "42501"
"""SQLSTATEs of PostgreSQL."""


@contextmanager
def said_in_a_sentence(context: click.Context) -> Iterator[None]:
    """Around a command: a database or file that cannot be used ends it with the reason and the mend."""
    try:
        yield
    except (DatabaseBusy, PoolTimeout):
        raise click.ClickException("The database is busy; try again in a moment.") from None
    except (DBAPIError, OSError) as error:
        with context.ensure_object(ScriptInfo).load_app().app_context():
            raise click.ClickException(_sentence(error)) from None


def _sentence(error: DBAPIError | OSError) -> str:
    if isinstance(error, DBAPIError) and is_trouble(error):
        what = "" if isinstance(error, DatabaseFileLost) else "The database cannot be used: "
        return what + ". ".join(filter(None, database_trouble(error)))
    if isinstance(error, OSError) and error.filename is not None:  # else it is of a connection
        return ". ".join(file_trouble(error))
    raise error


def is_trouble(error: DBAPIError) -> bool:
    """Whether the database cannot be used; the other kinds are our own mistakes."""
    away = isinstance(error, OperationalError | ProgrammingError | InternalError | InterfaceError)
    return away or type(error) is DatabaseError  # damage has no more precise kind


def database_trouble(error: DBAPIError) -> tuple[str, str]:
    """What is wrong with the database, and how to mend it."""
    if isinstance(error, DatabaseFileLost):
        return error.what, ""
    # The driver's own words: unlike SQLAlchemy's, they hold no values of the statement.
    reason, state = str(error.orig).partition("\n")[0], getattr(error.orig, "sqlstate", "")
    if reason.startswith("no such table") or state == NO_TABLE:
        return f"it lacks a table ({reason})", UPGRADE
    if reason.startswith("no such column") or state == NO_COLUMN:
        return f"it is older than the program ({reason})", UPGRADE
    if state == NO_RIGHT:
        return reason, "Make the user in DATABASE_URL the owner of the database and its tables."
    if state == READ_ONLY_SQLSTATE:
        return f"it takes no writes ({reason})", "Is it a standby? Set DATABASE_URL to the primary."
    url = make_url(current_settings().database)
    if url.get_backend_name() == "sqlite" and url.database:
        return _file_trouble(Path(url.database).absolute()) or (reason, LOOK_AT_DATABASE)
    return reason, LOOK_AT_DATABASE


def _file_trouble(path: Path) -> tuple[str, str] | None:
    """What is wrong with SQLite's file or its folder, in which SQLite makes its log; None if nothing is."""
    for part in (path.parent, *(path.with_name(path.name + part) for part in PARTS)):
        try:
            is_folder = stat.S_ISDIR(os.stat(part).st_mode)
        except FileNotFoundError:
            if part == path.parent:
                return f"there is no folder {part}", "Make it, and give it to the shop's user."
            if part == path:
                return f"there is no file {part}", f"If the shop is new: {UPGRADE}"
            continue
        except OSError as error:
            return file_trouble(error)
        if not _may(part, os.R_OK | os.W_OK | (os.X_OK if is_folder else 0)):
            return _no_rights(part)
    return None


def file_trouble(error: OSError) -> tuple[str, str]:
    """What is wrong with the file or folder that the error names, and how to mend it."""
    path = error.filename2 or error.filename
    if isinstance(error, PermissionError):
        return _no_rights(Path(path))
    return f"{path}: {error.strerror}", "Look at the path, and whether its disk has room."


def _no_rights(path: Path) -> tuple[str, str]:
    """What to do about a path without rights: nearly always, a command run as root has made it root's."""
    data = current_settings().shop_data_dir
    folder = data if path.is_relative_to(data) else path.parent
    return (
        f"the user {user()} may not read and write {path}",
        "Give the folder to the user that the shop runs as, and run commands as that user: "
        f"chown -R USER {folder}",
    )


def _may(path: Path, mode: int) -> bool:
    return os.access(path, mode, effective_ids=os.access in os.supports_effective_ids)


def user() -> str:
    """The name of the user that this process runs as."""
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:  # in a container, say
        return str(os.geteuid())
