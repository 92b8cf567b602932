"""How commands answer: as lines for people, as JSON for scripts, or by refusing."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import wraps
from typing import Any, NoReturn

import click

from ..because import Because

as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON, for scripts.")


def words(context: click.Context, option: click.Parameter, value: str) -> str:
    """What was typed, trimmed; it stands in the history for good, so it may not be empty or broken."""
    text = value.strip()
    if option.required and not text:
        raise click.BadParameter("say something: it stands in the history for good")
    if not text.isprintable() or len(text) > 500:
        raise click.BadParameter("use one line of up to 500 printable characters")
    return text


def short(context: click.Context, option: click.Parameter, value: str) -> str:
    """The same, short enough for a name or a number."""
    text = words(context, option, value)
    if len(text) > 80:
        raise click.BadParameter("use up to 80 characters")
    return text


def decision(command: Callable[..., None]) -> Callable[..., None]:
    """Ask for --reason and --who, and give the command both as `because`."""

    @click.option("--reason", "why", required=True, callback=words, help="Why, for the history.")
    @click.option("--who", required=True, callback=short, help="Your name, for the history.")
    @wraps(command)
    def decide(*args: Any, why: str, who: str, **values: Any) -> None:
        command(*args, because=Because(why, who), **values)

    return decide


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
