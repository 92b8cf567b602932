"""A move, from the file to the products: what would be done, and doing just that."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from ...db import db, end_read
from ..fields import Field
from ..files.exporting import Written, all_products, as_yaml, write_files
from ..files.importing import CatalogueFile
from ..files.reading import Lines
from ..following import Follow, unseen
from ..former import AddressPlan
from ..former import remember as remember_addresses
from ..images import write_atomically
from ..merging import ImportReport, Known
from ..models import Product
from ..product_draft import CategoryDraft
from ..service import import_file
from .addresses import addresses_of
from .carried import Carried, Settled
from .checking import Unfit, draft_of
from .found import Answers, Fates, Findings, MovingError, fates
from .here import Comparison, compare, look, merged, remember
from .report import as_csv
from .rules import settle


@dataclass(slots=True)
class Move:
    """What a file would change here; nothing is changed that is not in it."""

    file: Path
    answers: Answers
    settled: Settled
    comparison: Comparison
    fates: Fates
    addresses: AddressPlan

    @property
    def findings(self) -> Findings:
        """What the file says."""
        return self.settled.findings

    @property
    def taken(self) -> int:
        """How much would be added or changed, without products whose every change is kept back."""
        changed = sum(
            any(not change.kept for change in changes) for _, changes in self.comparison.changed
        )
        return len(self.comparison.new) + changed + len(self.addresses.new)

    @property
    def blocked(self) -> bool:
        """Whether an answer is needed first."""
        return any(question.needed for question in self.findings.questions)


@dataclass(frozen=True, slots=True)
class Moved:
    """What was done, and where it is written down."""

    report: ImportReport
    catalogue: Path
    list: Path


def plan(file: Path, findings: Findings, answers: Answers) -> Move:
    """What becomes of the findings in this shop. Changes nothing."""
    settled = settle(findings, answers, look(findings.system), file.parent)
    comparison = compare(settled.carried, findings.system, answers.base_currency)
    old = addresses_of(settled)
    return Move(file, answers, settled, comparison, fates(findings), old)


def carry_out(move: Move, *, overwrite: bool = False, follow: Follow = unseen) -> Moved:
    """Import what the plan shows, in one transaction, and write beside the file what was imported.

    `overwrite` takes what was changed here since, too. Raises CatalogueFileError, and then nothing has changed.
    """
    catalogue, listed = _free_names(move.file)
    taken = _taken(move, overwrite=overwrite)
    used = {each.draft.category for each in taken}
    titles = {slug: title for slug, title in move.settled.categories.items() if slug in used}
    _write(catalogue, titles, [each.values for each in taken])
    write_atomically(
        listed, as_csv(move.findings, move.settled.carried, move.fates).encode("utf-8-sig")
    )
    categories = [CategoryDraft(slug, title, "") for slug, title in titles.items()]
    rows: dict[Field, int] = {
        ("products", place): each.found.where.row for place, each in enumerate(taken)
    }

    def also(session: Session, products: Mapping[str, Known]) -> None:
        session.flush()  # so that what is counted is what the database has
        if session.scalar(select(func.count(Product.id))) != len(products):
            raise MovingError("The database does not hold what was imported; nothing was changed.")
        carried = move.settled.carried
        remember(session, move.findings.system, carried, products, move.answers.base_currency)
        remember_addresses(session, move.addresses.new)

    report = import_file(
        CatalogueFile(categories, [each.draft for each in taken], Lines(lambda: (rows, {}))),
        also,
        follow,
    )
    return Moved(report, catalogue, listed)


def _taken(move: Move, *, overwrite: bool) -> list[Carried]:
    """What is to be imported, in the file's order."""
    changed = {each.slug: changes for each, changes in move.comparison.changed}
    here = {product.slug: product for product in all_products()} if changed else {}
    same = {each.slug for each in move.comparison.same}
    taken = []
    for each in move.settled.carried:
        if each.slug in same:
            continue
        if changes := changed.get(each.slug):
            if not overwrite and all(change.kept for change in changes):
                continue
            values = merged(here[each.slug], each.values, changes, overwrite=overwrite)
            write_files(here[each.slug], move.file.parent)
            try:
                draft = draft_of(values, move.file.parent, move.answers.base_currency)
            except Unfit as reason:
                raise MovingError(f"{each.slug}, {each.found.where}, {reason}.") from None
            each = replace(each, values=values, draft=draft)
        taken.append(each)
    db.session.expunge_all()
    end_read()
    return taken


def _write(
    path: Path, titles: Mapping[str, str], products: Sequence[Mapping[str, Written]]
) -> None:
    categories: list[Written] = [{"slug": slug, "title": title} for slug, title in titles.items()]
    document: dict[str, Written] = {"categories": categories} if categories else {}
    write_atomically(path, as_yaml(document | {"products": [*products]}).encode())


def _free_names(file: Path) -> tuple[Path, Path]:
    """Names beside the file that nothing has: the merchant may have worked on those of an earlier import."""
    number = 1
    while True:
        end = f"-{number}" if number > 1 else ""
        names = (
            file.with_name(f"{file.stem}.moved{end}.yaml"),
            file.with_name(f"{file.stem}.moved{end}.csv"),
        )
        if not any(name.exists() for name in names):
            return names
        number += 1
