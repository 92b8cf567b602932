"""What the groups of the command line have in common."""

from __future__ import annotations

from typing import Any

import click
from flask.cli import AppGroup

from ..unusable import said_in_a_sentence


class CommandGroup(AppGroup):
    """The commands for one noun. If the database or a file cannot be used, they say so in a sentence."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        with said_in_a_sentence(ctx):
            return super().invoke(ctx)
