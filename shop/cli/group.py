"""What the groups of the command line have in common."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import click
from flask.cli import AppGroup

from ..unusable import said_in_a_sentence


class CommandGroup(AppGroup):
    """The commands for one noun. If the database or a file cannot be used, they say so in a sentence.

    `modules` of this package have the commands. They are imported when a command is looked for, because all of
    them together take longer than most of what a command does, and a web process needs none.
    """

    def __init__(self, name: str, modules: tuple[str, ...], *, help: str) -> None:
        super().__init__(name, help=help)
        self.modules = modules

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The commands' names."""
        self._load()
        return super().list_commands(ctx)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of this name."""
        self._load()
        return super().get_command(ctx, cmd_name)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        with said_in_a_sentence(ctx):
            return super().invoke(ctx)

    def _load(self) -> None:
        for module in self.modules:
            import_module(f".{module}", __package__)
