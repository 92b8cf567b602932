"""`flask keys`: licence keys for sale."""

from __future__ import annotations

from pathlib import Path

import click

from .. import jobs
from ..catalogue.models import DeliveryKind
from ..catalogue.queries import find_product
from ..fulfilment.copies import KeysRefused
from ..fulfilment.service import add_keys
from ..ops.commands import CommandGroup
from .printing import refuse

keys = CommandGroup("keys", help="The stock of licence keys.")


@keys.command("add")
@click.argument("slug")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--case-sensitive", is_flag=True, help="Some of these differ by their capitals alone."
)
def add_licence_keys(slug: str, file: Path, case_sensitive: bool) -> None:
    """Put licence keys for a product into stock: one to a line; those that it has are skipped.

    A key that the shop has had already, of any product, sold or not, is refused, and with it the file.
    Spaces, dashes and capitals make no other key; with --case-sensitive, capitals do.
    """
    product = find_product(slug)
    if product is None or product.delivery_kind is not DeliveryKind.KEY:
        refuse(f"There is no product {slug} that is delivered by licence key.")
    try:
        lines = file.read_text("utf-8").splitlines()
    except UnicodeDecodeError:
        refuse(f"{file} is not a text in UTF-8; nothing was changed.")
    if bad := [
        str(number)
        for number, line in enumerate(lines, start=1)
        if len(line.strip()) > 500 or not line.strip().isprintable()
    ]:
        refuse(
            f"Lines {', '.join(bad)} are longer than 500 characters "
            "or hold characters that cannot be printed; nothing was changed."
        )
    try:
        new, known = add_keys(product, lines, case_sensitive=case_sensitive)
    except KeysRefused as error:
        refuse("\n".join([*error.problems, "Nothing was changed."]))
    jobs.run("deliveries")  # orders may have been waiting for these
    click.echo(f"{new} keys added, {known} were there already.")
