"""`flask keys`: licence keys for sale."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from .. import jobs
from ..because import Because
from ..catalogue.models import DeliveryKind, Product
from ..catalogue.queries import find_product
from ..db import utcnow
from ..fulfilment.copies import NAMED, KeysRefused
from ..fulfilment.keyfiles import KeyFile, masked, read_keys
from ..fulfilment.keytables import WhichProduct, read_key_table
from ..fulfilment.queries import key_counts, keys_in_stock
from ..fulfilment.service import NotWithdrawn, look_at_keys, put_keys, withdraw_keys
from .arguments import decision
from .nouns import keys
from .printing import as_json, refuse


@keys.command("add")
@click.argument("slug")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--case-sensitive", is_flag=True, help="Some of these differ by their capitals alone."
)
@click.option("--separator", help="Keys have several lines; a line like this stands between them.")
@click.option("--of", default="", metavar="ID", help="Whose keys, in a table of several products.")
@click.option("--dry-run", is_flag=True, help="Say what would be done, and change nothing.")
@click.option("--yes", is_flag=True, help="Ask nothing, also where the file looks odd.")
def add_licence_keys(
    slug: str,
    file: Path,
    case_sensitive: bool,
    separator: str | None,
    of: str,
    dry_run: bool,
    yes: bool,
) -> None:
    """Put licence keys for a product into stock: one to a line; those that it has are skipped.

    Or a table of License Manager for WooCommerce or of dujiao-next: then those that are for sale there.

    A key that the shop has had already, of any product, sold or not, is refused, and with it the file.
    Spaces, dashes and capitals make no other key; with --case-sensitive, capitals do. On a terminal
    you are shown what the file holds, and asked, before anything is stored.
    """
    product, found = _keyed(slug), _read(file, separator, of)
    asked = _at_a_terminal() and not yes
    if found.bad:
        refuse("\n".join([*_first(found.bad), "Nothing was changed."]))
    if not found.keys:
        refuse(" ".join([f"{file} holds no keys to sell.", *found.notes]))
    try:
        new, known = look_at_keys(product, found.keys, case_sensitive=case_sensitive)
        if asked or dry_run or found.notes or found.doubts:
            _show_plan(slug, found, new, known)
        if dry_run:
            click.echo("Nothing was changed.")
            return
        if asked:
            click.confirm("Put them on sale?", abort=True, err=True)
        elif found.doubts and not yes:
            refuse("Look at the file; if it is right as it is, add --yes. Nothing was changed.")
        new, known = put_keys(product, found.keys, case_sensitive=case_sensitive)
    except KeysRefused as error:
        refuse("\n".join([*error.problems, "Nothing was changed."]))
    jobs.run("deliveries")  # orders may have been waiting for these
    twice = f" {len(found.twice)} stood in the file again." if found.twice else ""
    click.echo(f"{new} keys added, {known} were there already.{twice}")


@keys.command("list")
@click.argument("slug", required=False)
@as_json
def list_keys(slug: str | None, as_json: bool) -> None:
    """Count the keys of each product; with SLUG, name its unsold ones by number, masked."""
    if slug is None:
        names = ("slug", "on_sale", "unsold", "sold", "withdrawn")
        rows = [dict(zip(names, row, strict=True)) for row in key_counts()]
    else:
        stock = keys_in_stock(_keyed(slug).id)
        rows = [{"number": number, "key": masked(value)} for number, value in stock]
    if as_json:
        click.echo(json.dumps(rows))
        return
    for row in rows:
        first, *rest = row.items()
        click.echo("  ".join([str(first[1]), *(_said(name, value) for name, value in rest)]))
    if not rows:
        click.echo("No keys.")


@keys.command("withdraw")
@click.argument("slug")
@click.argument("numbers", nargs=-1, type=click.IntRange(1))
@click.option("--all", "everything", is_flag=True, help="All that nobody has got.")
@decision
def withdraw(slug: str, numbers: tuple[int, ...], everything: bool, because: Because) -> None:
    """Take unsold keys off sale for good, by the NUMBERS that `keys list SLUG` gives, or --all.

    They can be put under no product again. For a key that a buyer has, see `orders reissue`.
    """
    if bool(numbers) == everything:
        raise click.UsageError("Name the keys by their numbers, or say --all.")
    try:
        done = withdraw_keys(_keyed(slug), None if everything else numbers, because)
    except NotWithdrawn as error:
        refuse(f"{error} Nothing was changed.")
    click.echo(f"{done} keys of {slug} are off sale.")


def _keyed(slug: str) -> Product:
    product = find_product(slug)
    if product is None or product.delivery_kind is not DeliveryKind.KEY:
        refuse(f"There is no product {slug} that is delivered by licence key.")
    return product


def _read(file: Path, separator: str | None, of: str) -> KeyFile:
    try:
        content = file.read_bytes()
        table = read_key_table(content, utcnow(), of) if separator is None else None
        if of and table is None:
            refuse(f"{file} is no table that says which product its keys are of; leave out --of.")
        return table or read_keys(content, separator)
    except WhichProduct as error:
        refuse(f"{error} Nothing was changed.")
    except UnicodeDecodeError:
        refuse(f"{file} is not a text in UTF-8; nothing was changed.")


def _at_a_terminal() -> bool:
    return sys.stdin.isatty()


def _show_plan(slug: str, found: KeyFile, new: int, known: int) -> None:
    """Say what would be done, on standard error, where the question is asked: standard output has what was done."""
    values = list(found.keys)
    lines = [
        f"{slug}: {new} new keys, {known} that it has already, {len(found.twice)} again in the file",
        f"  first: line {found.keys[values[0]]}, {masked(values[0])}",
        f"  last:  line {found.keys[values[-1]]}, {masked(values[-1])}",
        *(f"  {note}" for note in found.notes),
        *_first([f"  Line {line} is line {first} again." for line, first in found.twice]),
        *(f"  Look: {doubt}" for doubt in found.doubts),
    ]
    click.echo("\n".join(lines), err=True)


def _first(lines: list[str]) -> list[str]:
    """As many of the lines as a person reads, and how many more there are."""
    more = [f"So it is with {len(lines) - NAMED} more."] if len(lines) > NAMED else []
    return lines[:NAMED] + more


def _said(name: str, value: object) -> str:
    return str(value) if name == "key" else f"{value} {name.replace('_', ' ')}"
