"""What happens when a part of the money comes: the rest may be on its way, and a part alone buys nothing."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from ..orders.models import ENDED_UNPAID, Order, OrderFlag, OrderStatus
from ..outbox.kinds import MailKind
from ..outbox.service import plan_mail
from .cryptocloud import InvoiceInfo
from .figures_text import figures_for_buyer
from .models import Payment, PaymentState
from .queries import find_live_payment
from .review import ask_about_part, to_review

CONFIRMING_FOR = timedelta(minutes=5)
"""How long `partial` may stand for a whole payment that the blockchain has not confirmed yet."""
LOOK_AGAIN = timedelta(minutes=1)
"""How soon to ask again about such a payment."""


def give_up_on_the_rest(session: Session, order: Order, payment: Payment) -> None:
    """Leave an order to a person, because a part of its money came and the time for the rest is over."""
    if order.status in (OrderStatus.PENDING, *ENDED_UNPAID):
        if order.flag is not OrderFlag.PAID_PARTIAL:
            order.raise_flag(OrderFlag.PAID_PARTIAL, f"only a part of {payment.name} has arrived")
        to_review(session, order, "only a part of the money came, and its time is over")
    ask_about_part(session, order, payment)


def _is_confirming(payment: Payment, info: InvoiceInfo, now: datetime) -> bool:
    """Whether `partial` may be a whole payment that waits for the blockchain: no part is known to be missing."""
    if info.surplus is not None:
        return info.surplus >= 0
    return payment.partial_since is None or now < payment.partial_since + CONFIRMING_FOR


def note_partial(
    session: Session, order: Order, payment: Payment, info: InvoiceInfo, now: datetime
) -> None:
    """Note that a part has come: wait for the rest while there is time, else leave the order to a person."""
    if payment.state is PaymentState.PARTIAL:
        return
    if payment.state is PaymentState.OPEN and _is_confirming(payment, info, now):
        soon = now + LOOK_AGAIN
        payment.next_check_at = min(payment.next_check_at or soon, soon)
        return
    live = find_live_payment(order.id)
    if live and live is not payment:
        note_partial_of_an_old_one(session, order, payment)
        return
    payment.move(PaymentState.PARTIAL)
    if order.status is OrderStatus.PENDING:
        order.raise_flag(OrderFlag.PAID_PARTIAL, "a part of the amount has arrived")
        words = figures_for_buyer(order, payment)
        plan_mail(session, order, MailKind.PAYMENT_PARTIAL, payment.reference, words)
        return
    give_up_on_the_rest(session, order, payment)


def note_partial_of_an_old_one(session: Session, order: Order, payment: Payment) -> None:
    """Tell a person of a part that came by an old invoice: its payment stays closed, a newer one is live."""
    if order.status is OrderStatus.PENDING:
        order.raise_flag(OrderFlag.PAID_PARTIAL, f"a part of {payment.name} came late")
    ask_about_part(session, order, payment)
