"""What is typed to commands: the number of an order, and what stands in the history for good."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import click

from ..because import Because
from ..orders.models import Order
from ..orders.queries import find_order
from .printing import refuse


def order_named(number: str) -> Order:
    """The order with this number; refuses when there is none."""
    order = find_order(number)
    if order is None:
        refuse(f"There is no order {number}.")
    return order


def one_line(context: click.Context, option: click.Parameter, value: str) -> str:
    """What was typed, trimmed; it stands in the history for good, so it may not be empty or broken."""
    text = value.strip()
    if option.required and not text:
        raise click.BadParameter("say something: it stands in the history for good")
    if not text.isprintable() or len(text) > 500:
        raise click.BadParameter("use one line of up to 500 printable characters")
    return text


def short_line(context: click.Context, option: click.Parameter, value: str) -> str:
    """What was typed, trimmed, and short enough for a name or a number."""
    text = one_line(context, option, value)
    if len(text) > 80:
        raise click.BadParameter("use up to 80 characters")
    return text


def decision(command: Callable[..., None]) -> Callable[..., None]:
    """Ask for --reason and --who, and give the command both as `because`."""

    @click.option("--reason", "why", required=True, callback=one_line, help="Why, for the history.")
    @click.option("--who", required=True, callback=short_line, help="Your name, for the history.")
    @wraps(command)
    def decide(*args: Any, why: str, who: str, **values: Any) -> None:
        command(*args, because=Because(why, who), **values)

    return decide
