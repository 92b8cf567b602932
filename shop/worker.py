"""The worker: Huey runs a sweep every minute, and whatever the web processes wake it for."""

from __future__ import annotations

import click
import structlog
from flask import Flask, current_app
from flask.cli import with_appcontext

from . import jobs
from .catalogue.checks import warn_of_missing_prices
from .queue import connect, wake
from .schema import migrated

log = structlog.get_logger()


@click.command()
@with_appcontext
def worker() -> None:
    """Run the worker: payments are re-checked, goods delivered and mails sent. Ctrl-C stops it."""
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]
    from huey import crontab  # see queue.py

    if not migrated():
        raise click.ClickException(
            "The tables are missing or old: run `flask --app wsgi db upgrade`."
        )

    warn_of_missing_prices()
    queue = connect()

    @queue.periodic_task(crontab(), name="sweep")  # type: ignore[untyped-decorator]
    def sweep() -> None:
        with app.app_context():
            jobs.run("sweep")

    wake("sweep")  # what waited while no worker ran need not wait for another minute
    log.info("worker_started")
    queue.create_consumer(workers=2, periodic=True, initial_delay=0.1, max_delay=1.0).run()
