"""Rule B: nothing lost. The shop's books held against what the provider knows.

    assert violations(app, truth_of(sandbox), settled=True) == []

Each sentence begins with `lost:` or `doubled:`; `tally` counts them for the table of promises.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from datetime import datetime

from flask import Flask
from sqlalchemy import and_, func, not_, or_, select

from shop.attention.models import AttentionItem
from shop.books.checks import discrepancies
from shop.db import db, end_read, utcnow
from shop.fulfilment.models import Delivery, DeliveryState, LicenceKey
from shop.orders.models import HAS_GOODS, SETTLED, Order, OrderEvent, OrderStatus
from shop.outbox.kinds import TRUE_WHILE
from shop.outbox.models import MailState, OutboxMail
from shop.payments.models import Payment, PaymentState, Postback
from shop.payments.times import MATCH_WITHIN
from shop.sandbox.invoices import Mode
from shop.sandbox.state import Sandbox
from tests.support.promises import Promise

PAID = ("paid", "overpaid")
WHEN_SWEPT = ("payment_stuck", "postback_stuck", "not_answered", "not_delivered")
"""Findings about what the sweep should have moved on; nothing is wrong while it has not run."""


UNSENT = not_(
    or_(
        OutboxMail.state == MailState.SENT,
        and_(OutboxMail.state == MailState.SKIPPED, OutboxMail.kind.in_(TRUE_WHILE)),
        and_(
            OutboxMail.state == MailState.SKIPPED,
            OutboxMail.order.has(~Order.status.in_(HAS_GOODS)),
        ),
    )
)
"""Whether a mail has not gone. One need not that is not true any more, nor goods whose money goes back."""


class Truth(dict[str, str]):
    """The provider's `{invoice id: status}`, and the invoices whose genuine postback the shop has taken."""

    def __init__(self, statuses: Mapping[str, str], taken: Collection[str] = ()) -> None:
        super().__init__(statuses)
        self.taken = frozenset(taken)


def truth_of(sandbox: Sandbox) -> Truth:
    """What the sandbox knows."""
    invoices = sandbox.invoices()
    taken = [
        invoice.id
        for invoice in invoices
        for sent in invoice.postbacks
        if sent.answer == 200 and sent.mode is not Mode.FORGE
    ]
    return Truth({invoice.id: invoice.status.value for invoice in invoices}, taken)


def violations(
    app: Flask,
    truth: Mapping[str, str],
    *,
    settled: bool = False,
    orders: int | None = None,
    now: datetime | None = None,
) -> list[str]:
    """What Rule B finds wrong; empty when nothing is lost and nothing doubled.

    In the middle of things, paid money may still wait for somebody who is bound to look. `settled`
    says that the sweeps have run with the provider up: then all of it must have arrived. `orders`
    is how many must exist; `now` the moment to judge by, when the test's clock is not the real one.
    """
    now = now or utcnow()
    with app.app_context():
        try:
            return [
                *_own_side(now, settled=settled),
                *_money(truth, settled=settled, now=now),
                *_goods(truth),
                *_twice(),
                *_vanished(orders),
            ]
        finally:
            end_read()


def tally(promise: Promise, found: list[str]) -> list[str]:
    """Count what was found, and hand it on: `assert tally(promise, violations(...)) == []`."""
    doubled = sum(sentence.startswith("doubled:") for sentence in found)
    promise.doubled += doubled
    promise.lost += len(found) - doubled
    return found


def _own_side(now: datetime, *, settled: bool) -> Iterator[str]:
    for finding in discrepancies(now, newest=None):
        if finding.kind in WHEN_SWEPT and not settled:
            continue
        word = "doubled" if finding.kind == "goods_without_money" else "lost"
        yield f"{word}: {finding.kind}: {finding.note}"


def _money(truth: Mapping[str, str], *, settled: bool, now: datetime) -> Iterator[str]:
    """Every invoice paid at the provider has bought something, or is before a person."""
    for invoice_id in (id_ for id_, status in truth.items() if status in PAID):
        payment = db.session.scalar(select(Payment).where(Payment.invoice_id == invoice_id))
        if payment is None:
            problem = _unknown(invoice_id, truth, settled=settled, now=now)
        elif payment.state is PaymentState.PAID:
            problem = _unaccounted(payment)
        else:
            problem = _uncollected(payment, settled=settled)
        if problem:
            yield f"lost: invoice {invoice_id} is paid, {problem}"


def _unknown(
    invoice_id: str, truth: Mapping[str, str], *, settled: bool, now: datetime
) -> str | None:
    """An invoice whose id the shop never learnt: under API v1 only its postback can tell of it."""
    postback = db.session.get(Postback, invoice_id)
    if _told(invoice_id):
        return None
    if postback is None:
        taken = invoice_id in getattr(truth, "taken", ())
        return "its postback was answered with 200 and is not in the inbox" if taken else None
    if postback.done_at is not None:
        return f"its postback is closed as {postback.verdict!r}, and no person was told"
    waited = now - postback.first_at > MATCH_WITHIN
    return "its postback leads nowhere, and no person was told" if settled and waited else None


def _unaccounted(payment: Payment) -> str | None:
    """A payment that counts as paid: of an order that is, or before a person."""
    if payment.order.status in SETTLED or _told(payment.reference):
        return None
    return f"but its order {payment.order.number} is {payment.order.status} and no person was told"


def _uncollected(payment: Payment, *, settled: bool) -> str | None:
    """A payment that does not count as paid yet: somebody must be bound to look."""
    if _told(payment.reference, payment.invoice_id or ""):
        return None
    if settled:
        return f"but after the sweeps its payment {payment.reference} is still {payment.state}"
    postback = db.session.get(Postback, payment.invoice_id)
    waits = postback is not None and postback.done_at is None
    due = payment.order.status is OrderStatus.PENDING and payment.is_live
    if payment.next_check_at or waits or due:
        return None
    return f"its payment {payment.reference} is {payment.state}, and nobody will ever look again"


def _told(*references: str) -> bool:
    query = select(AttentionItem.id).where(AttentionItem.reference.in_(references))
    return db.session.scalar(query.limit(1)) is not None


def _goods(truth: Mapping[str, str]) -> Iterator[str]:
    """No goods, and no payment counted, without money that the provider or a person vouches for.

    What costs nothing needs none; that its lines add up to nothing is looked at with the shop's own checks.
    """
    paid = {id_ for id_, status in truth.items() if status in PAID}
    vouched = set(db.session.scalars(select(Order.id).where(Order.total_minor == 0)))
    for payment in db.session.scalars(select(Payment).where(Payment.state == PaymentState.PAID)):
        if payment.invoice_id in paid or payment.confirmed_by:
            vouched.add(payment.order_id)
        else:
            yield f"doubled: payment {payment.reference} counts as paid, and nobody has paid it"
    handed = select(Delivery.order_id).where(Delivery.state == DeliveryState.DELIVERED).distinct()
    for order_id in db.session.scalars(handed):
        if order_id not in vouched:
            yield f"doubled: order {_number(order_id)} handed out goods that nobody has paid"


def _twice() -> Iterator[str]:
    """One delivery per line, one owner per key; one mail of each kind, and one for each time goods were given anew."""
    per_line = select(Delivery.order_id).group_by(Delivery.order_line_id, Delivery.order_id)
    for order_id in db.session.scalars(per_line.having(func.count() > 1)):
        yield f"doubled: a line of order {_number(order_id)} has two deliveries"
    owned = select(LicenceKey.value).where(LicenceKey.delivery_id.is_not(None))
    per_key = owned.group_by(LicenceKey.value).having(func.count() > 1)
    for value in db.session.scalars(per_key):
        yield f"doubled: the key {value} was handed out twice"
    mails = select(OutboxMail.order_id, OutboxMail.kind, func.count())
    kinds = mails.where(OutboxMail.kind.in_(("order-placed", "order-delivered")))
    anew = Counter(
        db.session.scalars(select(OrderEvent.order_id).where(OrderEvent.kind == "reissued"))
    )
    for order_id, kind, count in db.session.execute(kinds.group_by("order_id", "kind")):
        if count <= 1 + anew[order_id] * (kind == "order-delivered"):
            continue
        yield f"doubled: order {_number(order_id)} has two mails {kind} that nobody asked for"


def _vanished(known: int | None) -> Iterator[str]:
    if known is not None:
        found = db.session.scalar(select(func.count()).select_from(Order))
        if found != known:
            yield f"lost: {known} orders were made, and there are {found}"


def _number(order_id: int | None) -> str:
    return str(db.session.scalar(select(Order.number).where(Order.id == order_id)))
