"""`flask products import`: our own catalogue file, or what another shop's system gives out."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import click

from ..catalogue import service
from ..catalogue.files.reading import CatalogueFileError, is_catalogue
from ..catalogue.merging import ImportReport
from ..catalogue.moving.found import Answers, Findings, MovingError
from ..catalogue.moving.plan import in_words
from ..catalogue.moving.service import Move, carry_out, plan
from ..config import current_settings
from ..money import CURRENCIES
from ..unusable import file_trouble
from .nouns import products
from .progress import Progress

HEAD = 1024**2
"""Bytes by which a file is known as one of ours; one that is too large for a catalogue is never read whole."""


@dataclass(frozen=True, slots=True)
class Options:
    """What is said on the command line, beside the file."""

    system: str
    currency: str
    decimal: str | None
    dates: str | None
    timezone: str
    encoding: str
    columns: tuple[str, ...]
    files: Path | None
    digital: bool
    overwrite: bool
    dry_run: bool
    yes: bool
    plan_file: Path | None


@products.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, readable=True, path_type=Path))
@click.option("--from", "system", default="", help="Which system it is from, if that is not seen.")
@click.option("--currency", default="", help="What the prices are in, such as EUR.")
@click.option("--decimal", type=click.Choice([".", ","]), help="The sign before the cents.")
@click.option("--dates", type=click.Choice(["day", "month"]), help="What is first in 3/4/2026.")
@click.option("--timezone", default="UTC", help="Of its dates, such as Europe/Berlin.")
@click.option("--encoding", default="", help="Of its letters, such as cp1251.")
@click.option("--columns", multiple=True, metavar="HEADING=NAME", help="Our name of a column.")
@click.option(
    "--files",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="A folder beside FILE with goods and pictures of the old shop.",
)
@click.option("--digital", is_flag=True, help="What is to be sent, it says, need not be.")
@click.option("--overwrite", is_flag=True, help="Take also what was changed here since.")
@click.option("--dry-run", is_flag=True, help="Show the plan, and change nothing.")
@click.option("--yes", is_flag=True, help="Ask nothing.")
@click.option(
    "--plan",
    "plan_file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the plan there.",
)
def import_(file: Path, **given: Any) -> None:
    """Add and change products as FILE says (its format: docs/catalogue.md).

    A file with anything wrong in it changes nothing, and every bad line is named.

    FILE may also be what another shop's system gives out (docs/moving.md); the options are about those. You
    are shown a plan, and asked, before anything changes; without a terminal, --yes agrees to it.
    """
    options, progress = Options(**given), Progress()
    base = current_settings().shop_base_currency
    if options.currency:
        _only_in_the_base_currency(options.currency.upper(), base)
    answers = Answers(
        base_currency=base,
        system=options.system,
        currency=options.currency.upper(),
        decimal=options.decimal or "",
        dates=options.dates or "",
        zone=_zone(options.timezone),
        encoding=options.encoding,
        columns=_pairs(options.columns),
        files=options.files,
        digital=options.digital,
        progress=progress,
    )
    with _refusals_said(file), progress:
        findings = _found(file, answers)
        if findings is None:
            _only_for_others(click.get_current_context())
            report = service.import_catalogue(file, progress.follow)
            progress.end()
            _tell(report)
            return
        progress.end()
        with _kept():
            _move(plan(file, findings, answers), options, progress)


def _found(file: Path, answers: Answers) -> Findings | None:
    """What is found in another shop's file; None for one of ours."""
    with file.open("rb") as opened:
        if is_catalogue(opened.read(HEAD), file.name):
            return None
    from ..catalogue.moving.systems import read  # with parsers of HTML, which nothing else needs

    return read(file.read_bytes(), answers)


def _move(move: Move, options: Options, progress: Progress) -> None:
    text = in_words(move, overwrite=options.overwrite)
    click.echo(text, err=not options.dry_run)
    if options.plan_file:
        options.plan_file.write_text(f"{text}\n", "utf-8")
    if _nothing_to_do(move, options):
        return
    if not options.yes:
        if not _at_a_terminal():
            raise click.ClickException(
                "Nothing was changed. Look at the plan; if it is right, add --yes."
            )
        click.confirm("Import this?", abort=True, err=True)
    moved = carry_out(move, overwrite=options.overwrite, follow=progress.follow)
    progress.end()
    _tell(moved.report)
    click.echo(
        f"What was imported stands in {moved.catalogue}, and what became of each record in {moved.list}."
    )


def _nothing_to_do(move: Move, options: Options) -> bool:
    if options.dry_run:
        click.echo("\nNothing was changed.")
        return True
    if move.blocked:
        raise click.ClickException("Nothing was changed: an answer is needed first.")
    if not move.settled.carried:
        raise click.ClickException("Nothing was changed: nothing of the file can be carried.")
    if not move.taken and not (options.overwrite and move.comparison.changed):
        click.echo("Nothing is new, and nothing was changed.")
        return True
    return False


def _tell(report: ImportReport) -> None:
    click.echo(
        f"{len(report.added)} added, {len(report.changed)} changed, "
        f"{len(report.unchanged)} unchanged."
    )
    if report.free:
        click.echo(f"Free, because their price is 0: {', '.join(report.free)}.")
    if report.categories:
        click.echo(f"Categories added or changed: {', '.join(report.categories)}.")


@contextmanager
def _kept() -> Iterator[None]:
    """Spare what was read from garbage collection, as it stays to the end: that took a tenth of the time."""
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


@contextmanager
def _refusals_said(file: Path) -> Iterator[None]:
    """Say in a sentence that a file was refused, after naming every bad line."""
    try:
        yield
    except MovingError as error:
        raise click.ClickException(f"{error}\nNothing was changed.") from None
    except CatalogueFileError as error:
        for problem in error.problems:
            click.echo(f"{file}, {problem}", err=True)
        raise click.ClickException("The file was refused; nothing was changed.") from None
    except OSError as error:
        if error.filename is None:
            raise click.ClickException(f"Nothing was changed: {error}") from None
        what = ". ".join(file_trouble(error))
        raise click.ClickException(f"Nothing was changed: {what}") from None


def _only_for_others(context: click.Context) -> None:
    """Refuse options that mean nothing for a catalogue file of ours: none is ignored, --dry-run least of all."""
    given = [
        name
        for name in context.params
        if name not in ("file", "yes")
        and context.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE
    ]
    if given:
        names = {param.name: param.opts[0] for param in context.command.params}
        listed = ", ".join(names[name] for name in given)
        raise click.UsageError(
            f"{listed}: only for files of other shops, and this is a catalogue file."
        )


def _only_in_the_base_currency(code: str, base: str) -> None:
    """Refuse any other currency: without a price in the base currency, none of the file could be sold."""
    if code not in CURRENCIES:
        raise click.UsageError(f"--currency {code}: this shop takes {', '.join(CURRENCIES)}.")
    if code != base:
        raise click.UsageError(
            f"--currency {code}: the base currency here is {base}, in which each product needs a price. If it shall "
            f"be {code}, set SHOP_BASE_CURRENCY={code} first."
        )


def _at_a_terminal() -> bool:
    return sys.stdin.isatty()


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise click.UsageError(f"{name!r} is no time zone; one is called Europe/Berlin.") from None


def _pairs(columns: tuple[str, ...]) -> dict[str, str]:
    pairs = {}
    for each in columns:
        heading, sign, name = each.rpartition("=")
        if not sign or not heading.strip() or not name.strip():
            raise click.UsageError(f'{each!r}: write it like --columns "Preis=regular price"')
        pairs[heading.strip()] = name.strip().casefold()
    return pairs
