"""The plan of a move in words, for the person who is to agree to it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import takewhile

from ...money import Money
from ..fields import UNPRINTABLE, clipped
from .found import Where
from .here import Change
from .service import Move

CONTEXT = 12
"""So much of what two texts have in common is enough to find the place."""
MOST = 8
"""As many of a kind as a person reads; all of them stand in the table that is written beside the file."""


def in_words(move: Move, *, overwrite: bool = False) -> str:
    """What was read, what would be done, what is to be decided, what is left, and what is not carried."""
    parts = (
        _read(move),
        _sum(move),
        _changes(move, overwrite=overwrite),
        _to_decide(move),
        _goods(move),
        _notes(move),
        _addresses(move),
        _left(move),
        _not_carried(move),
    )
    return "\n\n".join("\n".join(map(_printable, part)) for part in map(list, parts) if part)


def _printable(line: str) -> str:
    """One line on a terminal, which obeys no sign in it: names of files are other people's."""
    return UNPRINTABLE.sub("", line.replace("\n", " "))


def _read(move: Move) -> Iterator[str]:
    yield f"{move.file.name} is a file of {move.findings.system}."
    yield from (f"  {line}" for line in move.findings.read_as)
    for each in move.settled.carried[:3]:
        prices = [str(Money(minor, code)) for code, minor in each.draft.prices.items()]
        yield f"  for example: {each.draft.title}, {', '.join(prices)}: {each.draft.summary}"


def _sum(move: Move) -> Iterator[str]:
    fates, carried = move.fates, move.settled.carried
    live = sum(each.draft.active for each in carried)
    yield (
        f"{move.findings.records} records = {len(fates.carried)} carried + {len(fates.parts)} part of these "
        f"+ {len(fates.left)} left"
    )
    yield (
        f"  {_count(len(carried), 'product')}: {live} for sale, {len(carried) - live} off sale; "
        f"{len(move.comparison.new)} new, {len(move.comparison.changed)} with changes, "
        f"{len(move.comparison.same)} as they are here"
    )
    if move.settled.categories:
        yield "  new categories: " + ", ".join(_first(list(move.settled.categories.values())))
    yield from _grouped(
        "off sale, because each ", [(each.found.where, each.found.off) for each in carried]
    )


def _changes(move: Move, *, overwrite: bool) -> Iterator[str]:
    for each, changes in move.comparison.changed:
        yield f"{each.slug} ({each.found.where}):"
        for change in changes:
            yield f"  {_said(change, overwrite=overwrite)}"
    if not overwrite and any(
        change.kept for _, changes in move.comparison.changed for change in changes
    ):
        yield "What stays was changed here, too, or is a stock. To take it as well, add --overwrite."


def _said(change: Change, *, overwrite: bool) -> str:
    pairs = zip(change.here, change.there, strict=False)
    same = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
    here, there = (clipped(_from(same, text)) for text in (change.here, change.there))
    if change.kept and not overwrite:
        return f"{change.what} stays {here}; the file says {there}"
    return f"{change.what}: {here} becomes {there}"


def _from(same: int, text: str) -> str:
    """A text from a little before the first sign in which it differs, so that what is quoted is the difference."""
    return text if same <= CONTEXT else f"…{text[same - CONTEXT :]}"


def _to_decide(move: Move) -> Iterator[str]:
    if questions := move.findings.questions:
        yield "To decide:"
        for question in questions:
            yield f"  {question.text} {'Say' if question.needed else 'Else say'} {question.answer}"


def _goods(move: Move) -> Iterator[str]:
    lacking = [each for each in move.comparison.new if each.missing and not each.found.by_keys]
    if lacking:
        yield (
            f"{_count(len(lacking), 'product')} without goods: off sale until the catalogue file gives them some "
            "(those in a folder: --files):"
        )
        yield from _some([f"{each.slug}: {each.missing}" for each in lacking])
    keyed = [each for each in move.comparison.new if each.found.by_keys]
    if keyed:
        yield (
            f"{_count(len(keyed), 'product')} without licence keys: flask --app wsgi keys add SLUG FILE"
        )
        yield from _some([each.slug for each in keyed])


def _notes(move: Move) -> Iterator[str]:
    notes = [
        (f"{each.found.where}: {note.figure}" if note.figure else each.found.where, note.text)
        for each in move.settled.carried
        for note in each.found.notes
    ]
    if notes:
        yield "Taken otherwise than it is written:"
    yield from _grouped("", notes)


def _addresses(move: Move) -> Iterator[str]:
    plan, products = move.addresses, [each.found for each in move.settled.carried]
    guessed = sum(not address.sure for each in products for address in each.addresses)
    if plan.new:
        yield (
            f"{_count(len(plan.new), 'address', 'es')} of the old shop will lead to these products and categories"
            + (
                f"; of {_count(guessed, 'product')} they are guessed from the title"
                if guessed
                else ""
            )
            + ". All of them: flask --app wsgi products addresses list"
        )
    yield from _some(
        [f"{old} goes on leading where it does, not to {new}" for old, new in plan.changed.items()]
    )
    yield from _some([f"{old} {reason}" for old, reason in plan.refused])


def _left(move: Move) -> Iterator[str]:
    options = [each for each in move.findings.left if each.where.row in move.fates.carried]
    if move.fates.left:
        yield f"{len(move.fates.left)} left:"
        yield from _grouped("", [(left.where, left.reason) for left in move.fates.left.values()])
    if options:
        yield f"Options of carried records that are left: {len(options)}"
        yield from _grouped("", [(left.where, left.reason) for left in options])


def _not_carried(move: Move) -> Iterator[str]:
    if counted := move.findings.not_carried:
        yield "Not carried at all: " + ", ".join(
            f"{name} ({n})" for name, n in counted.most_common()
        )
    yield from move.findings.remarks


def _grouped(before: str, reasons: Sequence[tuple[Where | str, str]]) -> Iterator[str]:
    """One line for each reason, with the records it is about."""
    groups = defaultdict[str, dict[str, None]](dict)
    for where, reason in reasons:
        if reason:
            groups[reason][str(where)] = None
    for reason, places in groups.items():
        yield f"  {before}{reason}: {len(places)}"
        yield from _some(list(places), "    ")


def _count(number: int, thing: str, more: str = "s") -> str:
    return f"{number} {thing}{'' if number == 1 else more}"


def _some(lines: list[str], indent: str = "  ") -> Iterator[str]:
    yield from (f"{indent}{line}" for line in _first(lines))


def _first(lines: list[str]) -> list[str]:
    """As many as a person reads."""
    more = [f"and {len(lines) - MOST} more"] if len(lines) > MOST else []
    return lines[:MOST] + more
