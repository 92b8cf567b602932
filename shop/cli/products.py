"""`flask products` and `flask rates`."""

from __future__ import annotations

import json
from pathlib import Path

import click

from ..catalogue import queries, service
from ..catalogue.files.exporting import export_text, export_to
from ..catalogue.models import RATE_PLACES
from ..catalogue.product_draft import MISSING_GOODS
from ..config import current_settings
from ..money import CURRENCIES
from .nouns import products, rates
from .progress import Progress


@products.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON for a script.")
def list_products(as_json: bool) -> None:
    """List all products with their price in the base currency, and say which cannot be bought and why."""
    base, found = current_settings().shop_base_currency, queries.base_prices()
    if as_json:
        rows = [
            {
                "slug": row.slug,
                "active": row.active,
                "price": price and str(price),
                "available": row.available,
                "goods_missing": MISSING_GOODS in row.delivery_text,
            }
            for row, price in found
        ]
        click.echo(json.dumps(rows))
        return
    for row, price in found:
        cost = str(price or f"cannot be bought: no usable price in {base}, the base currency")
        why = ", ".join(
            reason
            for reason, holds in (
                ("off sale", not row.active),
                ("its goods are missing", MISSING_GOODS in row.delivery_text),
                ("none in stock", row.available == 0),
            )
            if holds
        )
        click.echo(f"{row.slug}  {cost}" + (f"  {why}" if why else ""))
    if not found:
        click.echo("No products.")


@products.command()
@click.argument("file", required=False, type=click.Path(dir_okay=False, path_type=Path))
@click.option("--force", is_flag=True, help="Write over FILE if it is there.")
def export(file: Path | None, force: bool) -> None:
    """Write all products to FILE, with images/ and files/ beside it; without FILE, print them."""
    if file and file.exists() and not force:
        raise click.ClickException(f"{file} is there already; choose another name, or add --force.")
    try:
        if file is None:
            click.echo(export_text(), nl=False)
        else:
            with Progress() as progress:
                number = export_to(file, progress.follow)
            click.echo(f"{number} products written to {file}.")
    except OSError as error:
        raise click.ClickException(f"Could not export: {error}") from None


@rates.command("set")
@click.argument("pairs", nargs=-1, required=True, metavar="CODE=RATE...")
@click.option("--yes", is_flag=True, help="Set them also where they are far from the last ones.")
def set_(pairs: tuple[str, ...], yes: bool) -> None:
    """Set how many units of a currency one unit of the base currency is worth, from now on.

    For example: flask rates set EUR=0.92 RUB=81.50
    """
    given: dict[str, str] = {}
    for pair in pairs:
        code, separator, rate = pair.partition("=")
        if not separator or code in given:
            raise click.UsageError(f"{pair!r}: write each currency once, like EUR=0.92")
        given[code] = rate
    try:
        service.set_rates(given, sure=yes)
    except service.BadRates as error:
        for problem in error.problems:
            click.echo(problem, err=True)
        raise click.ClickException("No rate was set.") from None
    base = current_settings().shop_base_currency
    click.echo(f"{len(given)} set: 1 {base} = {', '.join(f'{r} {c}' for c, r in given.items())}.")


@rates.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON for a script.")
def list_(as_json: bool) -> None:
    """List the exchange rates, and say which are not used, and why."""
    rows = [_rate(row, unused) for row, unused in queries.rates_with_faults()]
    if as_json:
        click.echo(json.dumps(rows))
        return
    base = current_settings().shop_base_currency
    for row in rows:
        note = f"  not used: {row['unused_because']}" if row["unused_because"] else ""
        click.echo(
            f"1 {row['base'] or '?'} = {row['rate']} {row['currency']}  set {row['set_at']}{note}"
        )
    known = {row["currency"] for row in rows}
    for code in current_settings().shop_currencies:
        if code != base and code not in known:
            click.echo(f"{CURRENCIES[code]} ({code}) has no rate")


def _rate(row: queries.RateRow, unused: str) -> dict[str, str | bool]:
    whole, fraction = divmod(row.rate_e8, 10**RATE_PLACES)
    digits = f"{fraction:0{RATE_PLACES}d}".rstrip("0")
    return {
        "base": row.base_currency,
        "currency": row.currency,
        "rate": f"{whole}.{digits}" if digits else str(whole),
        "set_at": row.set_at.isoformat(timespec="seconds"),
        "usable": not unused,
        "unused_because": unused,
    }
