"""`flask jobs`: the worker's jobs, by hand."""

from __future__ import annotations

import click

from .. import jobs as periodic
from .nouns import jobs


@jobs.command("run")
@click.argument("name", type=click.Choice(list(periodic.JOBS)))
def run_job(name: str) -> None:
    """Run one of the worker's jobs now."""
    periodic.run(name)
    click.echo(f"{name} is done.")
