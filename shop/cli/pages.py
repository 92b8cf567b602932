"""`flask pages`: the texts of terms, privacy, refunds and contact."""

from __future__ import annotations

import click

from ..config import current_settings
from ..site.texts import export as copy_texts
from .nouns import pages


@pages.command("export")
def export() -> None:
    """Copy the shipped texts into the data folder, to be edited there; files that exist are left alone."""
    for path, new in copy_texts(current_settings()):
        click.echo(f"{path}" if new else f"{path} is there already.")
