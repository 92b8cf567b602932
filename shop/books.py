"""The books compared with what was written down beside them.

The journal (`ops/journal.py`) and, with API v2, the provider's own list know what the database has
forgotten when an older copy of it was put back. What they know and the database does not is put
before a person, or done again: a licence key that was handed out is not for sale, a link that was
called in stays so, an address that was erased is erased again. Money is never repaired by itself.

How far a journal has been compared is kept in the database: an older copy has an older mark.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Collection, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import islice

import structlog
from sqlalchemy import select, tuple_, update

from .attention.models import AttentionItem
from .attention.service import keep_attention, raise_attention_once, resolve_attention
from .db import db, end_read, insert_if_new, rows_changed, transaction, utcnow
from .fulfilment.models import LicenceKey
from .fulfilment.spent import fingerprints_of, note_spent, withdraw_spent
from .ops import journal
from .ops.isolation import each
from .ops.journal import Line, Unreadable
from .ops.models import JobRun, JournalMark
from .ops.vitals import note_run
from .orders.models import Order
from .orders.queries import find_order
from .orders.service import lock_order
from .payments.cryptocloud import CryptoCloud, CryptoCloudError, InvoiceInfo, InvoiceStatus
from .payments.models import SAID_PAID, Payment, Postback
from .payments.queries import find_payment_by_reference
from .payments.sweep import bind_found
from .privacy.service import StillNeeded, erase_order

log = structlog.get_logger()

SETTLED_AFTER = timedelta(minutes=2)
"""The transaction that a younger line is about may not be committed yet."""
AT_ONCE = 500
ASK_EVERY = timedelta(hours=1)
"""About an invoice that only the journal knows."""
MOST_QUESTIONS = 20
"""About such invoices in one sweep."""
LIST_EVERY = timedelta(days=1)
LIST_BACK = timedelta(days=3)
HAS_MONEY = (*SAID_PAID, InvoiceStatus.PARTIAL)
WHY = "the journal says that it was done before"


def compare(gateway: CryptoCloud, now: datetime | None = None) -> None:
    """Compare everything that is due; what breaks in one part keeps no other from its work."""
    now = now or utcnow()
    parts: list[Callable[[], None]] = [
        lambda: compare_with_journal(now),
        lambda: withdraw_spent(now),
        lambda: ask_about_unknown_invoices(gateway, now),
        lambda: compare_with_list(gateway, now),
    ]
    each(parts, lambda part: part(), "comparisons of the books")


def compare_with_journal(now: datetime) -> None:
    """Read on in each journal where the last sweep has stopped, and see to what the database does not know."""
    what = f"The journal in {journal.folder()} cannot be written: look at its permissions."
    keep_attention("journal_failed", "write", "" if journal.is_writable() else what)
    problem = ""
    try:
        found = journal.files()
        _tell_of_lost_ones(found)
        for name in found:
            lines = _settled_lines(name, now)
            while some := list(islice(lines, AT_ONCE)):
                _see_to([line for line in some if isinstance(line, Line)])
                if any(isinstance(line, Unreadable) for line in some):
                    _tell("journal_damaged", name, _damaged(name, some))
                _move_mark(name, some[-1].end)
    except OSError as error:
        problem = f"The journal in {journal.folder()} cannot be read ({type(error).__name__})."
    keep_attention("journal_failed", "read", problem)


def ask_about_unknown_invoices(gateway: CryptoCloud, now: datetime) -> None:
    """Ask about the invoices that only the journal knows, hourly and until a person has seen to each."""
    seen_at = max(now, utcnow())  # those of this very round are younger than its beginning
    query = select(AttentionItem).where(AttentionItem.kind == "unknown_invoice")
    items = db.session.scalars(query.where(AttentionItem.resolved_at.is_(None))).all()
    asked = db.session.get(JobRun, "unknown_invoices")
    new = [item for item in items if asked is None or item.created_at > asked.finished_at]
    if not items or not (new or _is_due("unknown_invoices", ASK_EVERY, now)):
        return
    ids = [item.reference for item in items]
    random.shuffle(ids)  # else the same few would be asked about each time
    end_read()
    for start in range(0, len(ids), gateway.batch)[:MOST_QUESTIONS]:
        try:
            infos = gateway.invoice_infos(ids[start : start + gateway.batch])
        except CryptoCloudError as error:
            if error.about_invoice:
                continue
            break
        for invoice_id, info in infos.items():
            _note_answer(invoice_id, info)
    _note_done("unknown_invoices", seen_at)


def compare_with_list(gateway: CryptoCloud, now: datetime) -> None:
    """Compare with the provider's list, daily: money for an invoice that the database does not know."""
    if not gateway.lists_invoices or not _is_due("provider_list", LIST_EVERY, now):
        return
    end_read()
    try:
        listed = gateway.invoices_since(now - LIST_BACK)
    except CryptoCloudError as error:
        log.warning("list_not_compared", outcome=type(error).__name__)
        return
    with_money = {i: info for i, info in listed.items() if info.status in HAS_MONEY}
    each(_unknown(with_money), lambda i: _see_to_listed(i, with_money[i]), "listed invoices")
    _note_done("provider_list", now)


def _settled_lines(name: str, now: datetime) -> Iterator[Line | Unreadable]:
    """The lines behind the mark, up to the first that is too young to be judged."""
    mark = db.session.get(JournalMark, name, populate_existing=True)
    since = journal.Position(mark.file, mark.byte) if mark else journal.START
    for line in journal.read(name, since):
        # One from the future was written by a clock that has been set back since.
        if isinstance(line, Line) and abs(now - line.at) < SETTLED_AFTER:
            return
        yield line


def _see_to(lines: Sequence[Line]) -> None:
    of: dict[str, list[Line]] = {}
    for line in lines:
        of.setdefault(line.kind, []).append(line)
    paid = of.get("paid", [])
    noted = {line.about[0]: line for line in [*paid, *of.get("invoice", [])]}
    each(_unknown(noted), lambda i: _see_to_invoice(noted[i]), "invoices in the journal")
    _ask_again({line.about[0] for line in paid})
    each(_not_handed_out(of.get("key", [])), _see_to_key, "keys in the journal")
    each(_with_older_links(of.get("link", [])), _see_to_link, "links in the journal")
    erased = {line.about[0] for line in of.get("erased", [])}
    each(_not_erased(erased), _see_to_address, "addresses in the journal")


def _unknown(ids: Collection[str]) -> list[str]:
    """Which of these invoices no payment has."""
    known = db.session.scalars(select(Payment.invoice_id).where(Payment.invoice_id.in_(ids)))
    return sorted(set(ids) - set(known))


def _see_to_invoice(line: Line) -> None:
    """Watch an invoice whose process died before it was stored; of any other, tell a person."""
    invoice_id, *made_for = line.about
    payment = find_payment_by_reference(made_for[0]) if made_for else None
    if payment and bind_found(invoice_id, payment):
        return
    if not made_for and db.session.get(Postback, invoice_id) is not None:
        return  # the inbox has the notice, and sees to it
    happened = f"made for {made_for[0]}" if made_for else "told of by CryptoCloud"
    what = (
        f"Invoice {invoice_id} was {happened} on {line.at:%Y-%m-%d at %H:%M} UTC, says the journal, "
        "and the database does not know it. It is asked about every hour."
    )
    _tell("unknown_invoice", invoice_id, what)


def _ask_again(ids: Collection[str]) -> None:
    """Have the sweep ask about invoices that were paid, and are not by an older copy."""
    if not ids:
        return
    unpaid = update(Payment).where(Payment.invoice_id.in_(ids), ~Payment.is_closed)
    with transaction("ask_again") as session:
        rows_changed(session, unpaid.values(next_check_at=utcnow()))


def _note_answer(invoice_id: str, info: InvoiceInfo) -> None:
    if info.status in HAS_MONEY:
        why, what = "money came", f"is {info.status}, and no order has it"
    elif info.status is InvoiceStatus.CANCELED:
        why, what = "it was not paid", ""
    else:
        return
    with transaction("unknown_invoice") as session:
        kinds = ["unknown_invoice"]
        resolve_attention(session, [invoice_id], kinds=kinds, why=why, who="shop")
        if what:
            note = f"Invoice {invoice_id}, which only the journal knows, {what}."
            raise_attention_once(session, "unmatched_invoice", invoice_id, note)


def _see_to_listed(invoice_id: str, info: InvoiceInfo) -> None:
    payment = find_payment_by_reference(info.reference) if info.reference else None
    if payment and bind_found(invoice_id, payment):
        return
    told = select(AttentionItem.id).where(
        AttentionItem.kind == "unmatched_invoice",
        AttentionItem.reference == invoice_id,
        # Whoever saw to a part payment does not know of the rest.
        AttentionItem.note.contains(f"is {info.status}"),
    )
    if db.session.scalar(told.limit(1)) is None:
        what = (
            f"Invoice {invoice_id} is {info.status}, says CryptoCloud's list, and no order has it."
        )
        _tell("unmatched_invoice", invoice_id, what)


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
    """The orders with a link that was called in, and the version that they should have."""
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
            erase_order(order.id, why=WHY, who="shop")
    except StillNeeded as needed:
        what = (
            f"The buyer's address of order {number} was erased before an older copy of the database was "
            f"put back; now it waits: {', '.join(needed.reasons)}. Erase it again with "
            "`flask privacy erase`."
        )
        _tell("erase_again", number, what)


def _tell_of_lost_ones(found: Collection[str]) -> None:
    for mark in db.session.scalars(select(JournalMark)).all():
        if mark.journal not in found:
            what = (
                f"The journal {mark.journal} is not in {journal.folder()} any more: without it, what an "
                "older copy of the database has forgotten cannot be told. Put it back if you can. If it "
                "is another machine's, resolve this."
            )
            _tell("journal_lost", mark.journal, what)


def _damaged(name: str, lines: Sequence[Line | Unreadable]) -> str:
    count = sum(isinstance(line, Unreadable) for line in lines)
    return (
        f"{count} of the lines of the journal {name}, up to {lines[-1].end}, cannot be read: damaged, or "
        "written under another SECRET_KEY."
    )


def _move_mark(name: str, end: journal.Position) -> None:
    """Never back: another sweep may be further."""
    with transaction("journal_mark") as session:
        if insert_if_new(session, JournalMark, journal=name, file=end.file, byte=end.byte):
            return
        behind = tuple_(JournalMark.file, JournalMark.byte) < tuple_(*end)
        mark = update(JournalMark).where(JournalMark.journal == name, behind)
        rows_changed(session, mark.values(file=end.file, byte=end.byte))


def _is_due(name: str, every: timedelta, now: datetime) -> bool:
    run = db.session.get(JobRun, name, populate_existing=True)
    return run is None or not now - every < run.finished_at <= now


def _note_done(name: str, now: datetime) -> None:
    with transaction("job_run") as session:
        note_run(session, name, now)


def _tell(kind: str, reference: str, what: str) -> None:
    with transaction("attention") as session:
        raise_attention_once(session, kind, reference, what)
