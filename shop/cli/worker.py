"""`flask worker`: the process beside the web server."""

from __future__ import annotations

import click
from flask import Flask, current_app
from flask.cli import with_appcontext


@click.command()
@with_appcontext
def worker() -> None:
    """Run the worker: payments are re-checked, goods delivered and mails sent. Ctrl-C stops it."""
    from ..worker import run  # a web process has no use for it

    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]
    run(app)
