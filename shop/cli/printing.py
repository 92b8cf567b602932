"""How commands answer: as lines for people, as JSON for scripts, or by refusing."""

from __future__ import annotations

import json
from typing import Any, NoReturn

import click

as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON, for scripts.")


def refuse(message: str) -> NoReturn:
    """Say why nothing was done, and exit with 1."""
    raise click.ClickException(message)


def show(found: dict[str, Any], as_json: bool) -> None:
    """Print one thing, a line for each of its facts."""
    if as_json:
        click.echo(json.dumps(found))
        return
    for name, value in found.items():
        if isinstance(value, list):
            click.echo(f"{name}:")
            for row in value:
                facts = row.values() if isinstance(row, dict) else [row]
                click.echo("  " + "  ".join(f"{v}" for v in facts if v not in (None, "")))
        else:
            click.echo(f"{name}: {value}")
