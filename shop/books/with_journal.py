"""The books compared with the journal beside them.

The journal (`ops/journal.py`) knows what the database has forgotten when an older copy of it was put
back. What it knows and the database does not is put before a person, or done again: a licence key
that was handed out is not for sale, a link that was called in stays so, an address that was erased is
erased again. Money is never repaired by itself.

The database marks how far a journal has been compared: an older copy has an older mark, so it is compared anew.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import islice

import structlog
from sqlalchemy import select, tuple_, update

from ..attention.kinds import AttentionKind
from ..attention.service import keep_attention, tell_once
from ..because import Because
from ..db import db, insert_if_new, rows_changed, transaction, utcnow
from ..fulfilment.models import LicenceKey
from ..fulfilment.spent import fingerprints_of, note_spent
from ..ops import journal
from ..ops.for_each import for_each
from ..ops.journal import Line, Unreadable
from ..ops.models import JournalMark
from ..orders.models import Order
from ..orders.queries import find_order
from ..orders.service import lock_order
from ..payments.judging import bind_found
from ..payments.models import Payment, Postback
from ..payments.queries import find_payment_by_reference, invoices_without_payment
from ..privacy.service import StillNeeded, erase_order

log = structlog.get_logger()

SETTLED_AFTER = timedelta(minutes=2)
"""How old a line must be to be compared: the transaction of a younger one may not be committed yet."""
AT_ONCE = 500
WHY = "the journal says that it was done before"


def compare_with_journal(now: datetime) -> None:
    """Read on in each journal where the last sweep has stopped, and see to what the database does not know."""
    what = f"The journal in {journal.folder()} cannot be written: look at its permissions."
    keep_attention(AttentionKind.JOURNAL_FAILED, "write", "" if journal.is_writable() else what)
    problem = ""
    try:
        found = journal.files()
        _tell_of_lost_ones(found)
        for name in found:
            lines = _settled_lines(name, now)
            while some := list(islice(lines, AT_ONCE)):
                _see_to([line for line in some if isinstance(line, Line)])
                if any(isinstance(line, Unreadable) for line in some):
                    tell_once(AttentionKind.JOURNAL_DAMAGED, name, _damaged(name, some))
                _move_mark(name, some[-1].end)
    except OSError as error:
        problem = f"The journal in {journal.folder()} cannot be read ({type(error).__name__})."
    keep_attention(AttentionKind.JOURNAL_FAILED, "read", problem)


def _settled_lines(name: str, now: datetime) -> Iterator[Line | Unreadable]:
    """The lines behind the mark, up to the first that is too young to be judged."""
    mark = db.session.get(JournalMark, name, populate_existing=True)
    since = journal.Position(mark.file, mark.byte) if mark else journal.START
    for line in journal.read(name, since):
        # A line from further in the future is not waited for: its clock has been set back since.
        if isinstance(line, Line) and abs(now - line.at) < SETTLED_AFTER:
            return
        yield line


def _see_to(lines: Sequence[Line]) -> None:
    of: dict[str, list[Line]] = {}
    for line in lines:
        of.setdefault(line.kind, []).append(line)
    paid = of.get("paid", [])
    noted = {line.about[0]: line for line in [*paid, *of.get("invoice", [])]}
    for_each(
        invoices_without_payment(noted),
        lambda i: _see_to_invoice(noted[i]),
        "invoices in the journal",
    )
    _ask_again({line.about[0] for line in paid})
    for_each(_not_handed_out(of.get("key", [])), _see_to_key, "keys in the journal")
    for_each(_with_older_links(of.get("link", [])), _see_to_link, "links in the journal")
    erased = {line.about[0] for line in of.get("erased", [])}
    for_each(_not_erased(erased), _see_to_address, "addresses in the journal")


def _see_to_invoice(line: Line) -> None:
    """Watch an invoice if its process died before it was stored; tell a person of any other one."""
    invoice_id, *made_for = line.about
    payment = find_payment_by_reference(made_for[0]) if made_for else None
    if payment and bind_found(invoice_id, payment):
        return
    if not made_for and db.session.get(Postback, invoice_id) is not None:
        return  # the inbox has the postback, and sees to it
    happened = f"made for {made_for[0]}" if made_for else "told of by CryptoCloud"
    what = (
        f"Invoice {invoice_id} was {happened} on {line.at:%Y-%m-%d at %H:%M} UTC, says the journal, "
        "and the database does not know it. It is asked about every hour."
    )
    tell_once(AttentionKind.UNKNOWN_INVOICE, invoice_id, what)


def _ask_again(ids: Collection[str]) -> None:
    """Have the sweep ask about invoices that were paid, but are unpaid in an older copy of the database."""
    if not ids:
        return
    unpaid = update(Payment).where(Payment.invoice_id.in_(ids), ~Payment.provider_says_paid)
    with transaction("ask_again") as session:
        rows_changed(session, unpaid.values(next_check_at=utcnow()))


def _not_handed_out(lines: Sequence[Line]) -> list[Line]:
    """Which of these keys are not handed out in the database."""
    ids = {int(line.about[0]) for line in lines}
    handed = select(LicenceKey).where(LicenceKey.id.in_(ids), LicenceKey.delivery_id.is_not(None))
    known = {(key.id, of) for key in db.session.scalars(handed) for of in fingerprints_of(key)}
    return [line for line in lines if (int(line.about[0]), line.about[1]) not in known]


def _see_to_key(line: Line) -> None:
    key_id, of, owner = line.about
    with transaction("spent_key") as session:
        note_spent(session, int(key_id), of, owner)


def _with_older_links(lines: Sequence[Line]) -> list[tuple[int, int]]:
    """The orders whose called-in link works again in the database, each with the version that it should have."""
    newest = {line.about[0]: int(line.about[1]) for line in lines}
    orders = db.session.scalars(select(Order).where(Order.number.in_(newest)))
    return [(o.id, newest[o.number]) for o in orders if o.link_version < newest[o.number]]


def _see_to_link(called_in: tuple[int, int]) -> None:
    order_id, version = called_in
    with transaction("link") as session:
        order = lock_order(session, order_id)
        if order.link_version < version:
            order.link_version = version
            order.record("link_renewed", WHY)


def _not_erased(numbers: Collection[str]) -> list[str]:
    query = select(Order.number).where(Order.number.in_(numbers), Order.erased_at.is_(None))
    return list(db.session.scalars(query))


def _see_to_address(number: str) -> None:
    order = find_order(number)
    try:
        if order:
            erase_order(order.id, Because(WHY))
    except StillNeeded as needed:
        kind, order_id = AttentionKind.ERASE_AGAIN, needed.order.id
        what = (
            f"The buyer's address of order {number} was erased before an older copy of the database was "
            f"put back; now it waits: {', '.join(needed.reasons)}. Erase it again with "
            "`flask privacy erase`."
        )
        tell_once(kind, number, what, order_id=order_id)


def _tell_of_lost_ones(found: Collection[str]) -> None:
    for mark in db.session.scalars(select(JournalMark)).all():
        if mark.journal not in found:
            what = (
                f"The journal {mark.journal} is not in {journal.folder()} any more: without it, what an "
                "older copy of the database has forgotten cannot be told. Put it back if you can. If it "
                "is another machine's, resolve this."
            )
            tell_once(AttentionKind.JOURNAL_LOST, mark.journal, what)


def _damaged(name: str, lines: Sequence[Line | Unreadable]) -> str:
    count = sum(isinstance(line, Unreadable) for line in lines)
    return (
        f"{count} of the lines of the journal {name}, up to {lines[-1].end}, cannot be read: damaged, or "
        "written under another SECRET_KEY."
    )


def _move_mark(name: str, end: journal.Position) -> None:
    """Move a journal's mark forward, and never back: another sweep may be further."""
    with transaction("journal_mark") as session:
        if insert_if_new(session, JournalMark, journal=name, file=end.file, byte=end.byte):
            return
        behind = tuple_(JournalMark.file, JournalMark.byte) < tuple_(*end)
        mark = update(JournalMark).where(JournalMark.journal == name, behind)
        rows_changed(session, mark.values(file=end.file, byte=end.byte))
