"""`flask products addresses`: where products and categories were before, so that old links lead to them."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from urllib.parse import urlsplit

import click

from ..catalogue.former import (
    AddressPlan,
    BadAddress,
    Old,
    forget,
    former_addresses,
    old_address,
    plan_addresses,
    remember,
)
from ..db import db, transaction
from .nouns import addresses

LARGEST_FILE = 5 * 1024 * 1024
HEADING = ("old", "new")


@addresses.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON for a script.")
def list_addresses(as_json: bool) -> None:
    """List every old address, and where it leads."""
    found = [(str(old), new) for old, new in former_addresses()]
    if as_json:
        click.echo(json.dumps([dict(zip(HEADING, pair, strict=True)) for pair in found]))
        return
    for old, new in found:
        click.echo(f"{old}  {new}")
    if not found:
        click.echo("No old addresses.")


@addresses.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--dry-run", is_flag=True, help="Say what would be done, and change nothing.")
def import_addresses(file: Path, dry_run: bool) -> None:
    """Have old addresses lead to products and categories, as FILE says: a CSV of `old,new`.

    For example: /product/rain/,/products/harbour-rain

    With anything wrong in the file nothing changes. Old addresses that are not in it stay as they are.
    """
    pairs = _pairs(file)
    if dry_run:
        plan = plan_addresses(db.session, pairs)
        _say(file, plan)
        click.echo("Nothing was changed.")
        return
    with transaction("addresses") as session:
        plan = plan_addresses(session, pairs)
        if not plan.refused:
            remember(session, plan.new | plan.changed)
    _say(file, plan)


@addresses.command("export")
@click.argument("file", required=False, type=click.Path(dir_okay=False, path_type=Path))
@click.option("--force", is_flag=True, help="Write over FILE if it is there.")
def export_addresses(file: Path | None, force: bool) -> None:
    """Write every old address to FILE as CSV, for `import`; without FILE, print it."""
    if file and file.exists() and not force:
        raise click.ClickException(f"{file} is there already; choose another name, or add --force.")
    found, text = former_addresses(), io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([HEADING, *found])
    if file is None:
        click.echo(text.getvalue(), nl=False)
        return
    try:
        file.write_text(text.getvalue(), "utf-8")
    except OSError as error:
        raise click.ClickException(f"Could not export: {error}") from None
    click.echo(f"{len(found)} old addresses written to {file}.")


@addresses.command("remove")
@click.argument("old", nargs=-1, required=True)
def remove_addresses(old: tuple[str, ...]) -> None:
    """Have each OLD address lead nowhere again."""
    with transaction("addresses") as session:
        for text in old:
            if not forget(session, _known(text)):
                raise click.ClickException(f"{text} leads nowhere. Nothing was changed.")
    click.echo(f"{len(old)} removed.")


def _known(text: str) -> Old:
    try:
        return old_address(text)
    except BadAddress as error:
        raise click.ClickException(f"{text} {error}. Nothing was changed.") from None


def _pairs(file: Path) -> list[tuple[str, str]]:
    """The file's pairs of an old address and a new path, without its heading."""
    content = file.read_bytes()
    if len(content) > LARGEST_FILE:
        raise click.ClickException(f"{file} is larger than {LARGEST_FILE // 1024**2} MB.")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise click.ClickException(f"{file} is not UTF-8; save it as CSV in UTF-8.") from None
    # Spreadsheets write what their country uses; no address has a blank or a tab in its place.
    separator = next((sign for sign in ",;\t" if sign in text.partition("\n")[0]), ",")
    try:
        rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True))
    except csv.Error as error:
        raise click.ClickException(f"{file} is no CSV: {error}.") from None
    if rows and not any("/" in cell for cell in rows[0]):
        del rows[0]
    for number, row in enumerate(rows, 1):
        if row and len([cell for cell in row if cell.strip()]) != 2:
            raise click.ClickException(
                f"{file}, row {number} below the heading: write an old address and a new one, as "
                "/product/rain/,/products/rain. Nothing was changed."
            )
    return [(row[0], _new_path(row[1])) for row in rows if row]


def _new_path(text: str) -> str:
    try:
        return old_address(urlsplit(text).path).path
    except (ValueError, BadAddress):
        return text.strip()


def _say(file: Path, plan: AddressPlan) -> None:
    for text, why in plan.refused:
        click.echo(f"{file}: {text} {why}", err=True)
    if plan.refused:
        raise click.ClickException("The file was refused; nothing was changed.")
    click.echo(
        f"{len(plan.new)} added, {len(plan.changed)} changed, {len(plan.known)} there already."
    )
