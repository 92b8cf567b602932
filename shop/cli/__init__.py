"""The command line: `flask --app wsgi …`, one group for each noun."""

from __future__ import annotations

from flask import Flask

from .doctor import doctor
from .nouns import NOUNS
from .worker import worker


def init_app(app: Flask) -> None:
    """Add every command."""
    for command in (*NOUNS, worker, doctor):
        app.cli.add_command(command)
