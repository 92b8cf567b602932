"""What became of each record, as a table for a spreadsheet."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence

from .carried import Carried
from .found import Fates, Findings, Where

HEADING = ("row", "id", "title", "what", "why", "in full")


def as_csv(findings: Findings, carried: Sequence[Carried], found: Fates) -> str:
    """Each record with what became of it, and each text that was cut or left out in full."""
    lines = sorted(_lines(findings, carried, found), key=lambda line: line[0].row)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(HEADING)
    for where, what, why, whole in lines:
        writer.writerow([where.row, *map(_guarded, (where.id, where.title, what, why, whole))])
    return text.getvalue()


def _lines(
    findings: Findings, carried: Sequence[Carried], found: Fates
) -> Iterator[tuple[Where, str, str, str]]:
    for each in carried:
        where = each.found.where
        yield where, "carried", f"as {each.slug}", ""
        if each.found.off:
            yield where, "off sale", each.found.off, ""
        if each.missing:
            yield where, "needs goods", each.missing, ""
        for note in each.found.notes:
            yield where, "note", str(note), note.whole
    for part in findings.parts:
        if part.where.row in found.parts:
            yield part.where, "part of", ", ".join(f"row {row}" for row in sorted(part.of)), ""
    for left in findings.left:
        yield left.where, "left", left.reason, ""
    alone = {left.where.row for left in findings.left}
    for row, left in found.left.items():
        if row not in alone:
            yield left.where, "left", left.reason, ""


def _guarded(text: str) -> str:
    """A cell that no spreadsheet takes for a formula: the texts are other people's."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text
