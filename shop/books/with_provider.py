"""The books compared with the provider: with its list, and with its answers about invoices only the journal knows."""

from __future__ import annotations

import random
from datetime import datetime, timedelta

import structlog
from sqlalchemy import select

from ..attention.kinds import AttentionKind
from ..attention.models import AttentionItem
from ..attention.service import raise_attention_once, resolve_attention, tell_once
from ..because import Because
from ..db import db, end_read, transaction, utcnow
from ..ops.for_each import for_each
from ..ops.models import JobRun
from ..ops.vitals import note_run
from ..payments.cryptocloud import CryptoCloud, CryptoCloudError, InvoiceInfo, InvoiceStatus
from ..payments.judging import bind_found
from ..payments.models import SAID_PAID
from ..payments.queries import find_payment_by_reference, invoices_without_payment

log = structlog.get_logger()


ASK_EVERY = timedelta(hours=1)
"""How often to ask about the invoices that only the journal knows."""
MOST_QUESTIONS = 20
"""How many calls about such invoices one sweep makes."""
LIST_EVERY = timedelta(days=1)
LIST_BACK = timedelta(days=3)
HAS_MONEY = (*SAID_PAID, InvoiceStatus.PARTIAL)


def ask_about_unknown_invoices(gateway: CryptoCloud, now: datetime) -> None:
    """Ask about the invoices that only the journal knows, hourly and until a person has seen to each."""
    seen_at = max(now, utcnow())  # items of this very round were made after its beginning
    query = select(AttentionItem).where(AttentionItem.kind == AttentionKind.UNKNOWN_INVOICE)
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
    """Look through the provider's list, daily, for money by an invoice that the database does not know."""
    if not gateway.lists_invoices or not _is_due("provider_list", LIST_EVERY, now):
        return
    end_read()
    try:
        listed = gateway.invoices_since(now - LIST_BACK)
    except CryptoCloudError as error:
        log.warning("list_not_compared", outcome=type(error).__name__)
        return
    with_money = {i: info for i, info in listed.items() if info.status in HAS_MONEY}
    for_each(
        invoices_without_payment(with_money),
        lambda i: _see_to_listed(i, with_money[i]),
        "listed invoices",
    )
    _note_done("provider_list", now)


def _note_answer(invoice_id: str, info: InvoiceInfo) -> None:
    if info.status in HAS_MONEY:
        why, what = "money came", f"is {info.status}, and no order has it"
    elif info.status is InvoiceStatus.CANCELED:
        why, what = "it was not paid", ""
    else:
        return
    with transaction("unknown_invoice") as session:
        kinds = [AttentionKind.UNKNOWN_INVOICE]
        resolve_attention(session, [invoice_id], Because(why), kinds=kinds)
        if what:
            note = f"Invoice {invoice_id}, which only the journal knows, {what}."
            raise_attention_once(session, AttentionKind.UNMATCHED_INVOICE, invoice_id, note)


def _see_to_listed(invoice_id: str, info: InvoiceInfo) -> None:
    payment = find_payment_by_reference(info.reference) if info.reference else None
    if payment and bind_found(invoice_id, payment):
        return
    told = select(AttentionItem.id).where(
        AttentionItem.kind == AttentionKind.UNMATCHED_INVOICE,
        AttentionItem.reference == invoice_id,
        # Whoever saw to a part payment does not know of the rest.
        AttentionItem.note.contains(f"is {info.status}"),
    )
    if db.session.scalar(told.limit(1)) is None:
        what = (
            f"Invoice {invoice_id} is {info.status}, says CryptoCloud's list, and no order has it."
        )
        tell_once(AttentionKind.UNMATCHED_INVOICE, invoice_id, what)


def _is_due(name: str, every: timedelta, now: datetime) -> bool:
    run = db.session.get(JobRun, name, populate_existing=True)
    return run is None or not now - every < run.finished_at <= now


def _note_done(name: str, now: datetime) -> None:
    with transaction("job_run") as session:
        note_run(session, name, now)
