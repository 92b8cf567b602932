"""`flask attention`: what a person must look at."""

from __future__ import annotations

import json

import click

from ..attention.about import what_to_do
from ..attention.facts import item_facts
from ..attention.queries import open_attention, recent_attention
from ..attention.service import resolve_attention_item
from ..because import Because
from .arguments import decision
from .nouns import attention
from .printing import as_json, refuse


@attention.command("list")
@click.option("--all", "everything", is_flag=True, help="Resolved items as well, the newest first.")
@as_json
def list_attention(everything: bool, as_json: bool) -> None:
    """What still waits for a person, oldest first."""
    items = recent_attention() if everything else open_attention()
    if as_json:
        click.echo(json.dumps([item_facts(item) for item in items]))
        return
    for item in items:
        click.echo(f"{item.id}  {item.created_at:%Y-%m-%d %H:%M}  {item.kind}: {item.note}")
        if item.resolved_at:
            click.echo(f"    resolved by {item.resolved_by}: {item.resolution}")
        elif to_do := what_to_do(item.kind):
            click.echo(f"    to do: {to_do}")
    if not items:
        click.echo("Nothing waits for you.")


@attention.command("resolve")
@click.argument("item", type=click.IntRange(1, 2**31 - 1))
@decision
def resolve(item: int, because: Because) -> None:
    """Close an item: you have seen to it. The same thing, should it happen again, is a new item."""
    if resolve_attention_item(item, because) is None:
        refuse(f"No open item has the number {item}; `attention list` shows those that are open.")
    click.echo(f"Item {item} is resolved.")
