"""The orders of an address, and which orders still need their buyer's address."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from functools import cache

from sqlalchemy import ColumnElement, exists, func, or_, select

from ..attention.kinds import AttentionKind
from ..attention.models import AttentionItem
from ..db import db
from ..mailbox import NotAnAddress, mailable
from ..orders.models import ENDED_UNPAID, Order, OrderEvent, OrderStatus
from ..outbox.models import MailState, OutboxMail
from ..payments.models import LIVE, Payment

ENDED = (*ENDED_UNPAID, OrderStatus.FULFILLED, OrderStatus.REFUNDED)
"""Statuses of an order that waits for nobody; money may still come for one that ended unpaid."""


def orders_of(email: str) -> Sequence[Order]:
    """Every order of this address, however it is spelt, oldest first."""
    spelt = {email.strip()}
    with suppress(NotAnAddress):
        spelt.add(mailable(email))
    same = func.lower(Order.email).in_([each.lower() for each in spelt])
    return db.session.scalars(select(Order).where(same).order_by(Order.id)).all()


def items_naming(text: str) -> Sequence[AttentionItem]:
    """Attention items that have this text in their reference, note or resolution."""
    fields = (AttentionItem.reference, AttentionItem.note, AttentionItem.resolution)
    named = or_(*(func.lower(field).contains(text.lower(), autoescape=True) for field in fields))
    return db.session.scalars(select(AttentionItem).where(named).order_by(AttentionItem.id)).all()


def items_about(order: Order) -> Sequence[AttentionItem]:
    """Attention items about an order."""
    query = select(AttentionItem).where(AttentionItem.order_id == order.id)
    return db.session.scalars(query.order_by(AttentionItem.id)).all()


def erasable_orders(before: datetime, limit: int = 200) -> Sequence[int]:
    """The ids of orders that wait for nothing, and to which nothing has happened since `before`; oldest first."""
    recent = exists().where(OrderEvent.order_id == Order.id, OrderEvent.at >= before)
    query = (
        select(Order.id)
        .where(Order.erased_at.is_(None), Order.created_at < before, ~recent)
        .where(~or_(*what_waits().values()))
        .order_by(Order.created_at)
        .limit(limit)
    )
    return db.session.scalars(query).all()


def why_kept(order_id: int) -> list[str]:
    """What an order still waits for, in words for an operator; while it does, its buyer is needed."""
    waits = what_waits()
    columns = [condition.label(f"c{n}") for n, condition in enumerate(waits.values())]
    found = db.session.execute(select(*columns).where(Order.id == order_id)).one()
    return [words for words, is_so in zip(waits, found, strict=True) if is_so]


@cache
def what_waits() -> Mapping[str, ColumnElement[bool]]:
    """Everything for which an order may need its buyer's address, as conditions on the order."""
    payment = exists().where(
        Payment.order_id == Order.id,
        or_(Payment.state.in_(LIVE), Payment.next_check_at.is_not(None)),
    )
    mail = exists().where(
        OutboxMail.order_id == Order.id,
        OutboxMail.state.in_((MailState.QUEUED, MailState.SENDING)),
    )
    item = exists().where(
        AttentionItem.order_id == Order.id,
        AttentionItem.resolved_at.is_(None),
        AttentionItem.kind != AttentionKind.ERASE_AGAIN,  # it waits for this very erasure
    )
    return {
        "it is not closed": Order.status.not_in(ENDED),
        "money may still come for it": payment,
        "a mail is on its way": mail,
        "something about it waits for a person": item,
    }
