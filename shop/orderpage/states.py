"""The states of an order's page: each is worked out from the order and its newest payment."""

from __future__ import annotations

import enum

from flask_babel import lazy_gettext

from ..orders.models import Order, OrderStatus
from ..payments.models import Payment, PaymentState
from ..payments.opening import MOST_ATTEMPTS


class PageState(enum.StrEnum):
    """What the buyer is told; the template has the words for each."""

    OPENING = "opening"
    WAITING = "waiting"
    CHECKING = "checking"
    PARTIAL = "partial"
    FAILED = "failed"
    BUSY = "busy"
    REFUSED = "refused"
    PAID = "paid"
    DELIVERED = "delivered"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    REVIEW = "review"
    REFUND_DUE = "refund_due"
    REFUNDED = "refunded"


HEADLINES = {
    PageState.OPENING: lazy_gettext("Opening the payment page"),
    PageState.WAITING: lazy_gettext("Waiting for your payment"),
    PageState.CHECKING: lazy_gettext("We are checking your payment"),
    PageState.PARTIAL: lazy_gettext("Part of the amount has arrived"),
    PageState.FAILED: lazy_gettext("The payment page did not open"),
    PageState.BUSY: lazy_gettext("Payment is busy, your order is kept"),
    PageState.REFUSED: lazy_gettext("The shop cannot take your payment now"),
    PageState.PAID: lazy_gettext("Paid, thank you"),
    PageState.DELIVERED: lazy_gettext("Paid, thank you"),
    PageState.EXPIRED: lazy_gettext("Payment time is over"),
    PageState.CANCELLED: lazy_gettext("This order was cancelled"),
    PageState.REVIEW: lazy_gettext("A person will look at this order"),
    PageState.REFUND_DUE: lazy_gettext("A refund is due to you"),
    PageState.REFUNDED: lazy_gettext("Refunded"),
}

OF_FREE = lazy_gettext("Thank you for your order")
"""The headline of an order with nothing to pay."""

BY_ORDER = {
    OrderStatus.PAID: PageState.PAID,
    OrderStatus.FULFILLED: PageState.DELIVERED,
    OrderStatus.EXPIRED: PageState.EXPIRED,
    OrderStatus.CANCELLED: PageState.CANCELLED,
    OrderStatus.REVIEW: PageState.REVIEW,
    OrderStatus.REFUND_DUE: PageState.REFUND_DUE,
    OrderStatus.REFUNDED: PageState.REFUNDED,
}

BY_PAYMENT = {
    PaymentState.CREATING: PageState.OPENING,
    PaymentState.UNKNOWN: PageState.FAILED,
    PaymentState.OPEN: PageState.WAITING,
    PaymentState.PARTIAL: PageState.PARTIAL,
    PaymentState.FAILED: PageState.FAILED,
    PaymentState.ABANDONED: PageState.FAILED,
    PaymentState.CANCELLED: PageState.EXPIRED,
    PaymentState.PAID: PageState.CHECKING,
}

CHANGING = {
    PageState.OPENING,
    PageState.WAITING,
    PageState.CHECKING,
    PageState.PARTIAL,
    PageState.PAID,
}
"""States that change within minutes, and that a page asks about as often."""


CHECKED = (CHANGING - {PageState.PAID}) | {
    *(PageState.EXPIRED, PageState.CANCELLED, PageState.REVIEW)
}
"""States in which the buyer may have the provider asked, while there is an invoice to ask about."""

CHANGEABLE = {PageState.WAITING, PageState.FAILED, PageState.BUSY, PageState.REFUSED}
"""States in which the buyer may close the order: no money has come, and none is known to be on its way."""


def state_of(order: Order, payment: Payment | None, *, asking: bool) -> PageState:
    """Where the order stands; `asking` is true when its buyer has just come back and nothing is known yet."""
    if order.status is not OrderStatus.PENDING:
        return BY_ORDER[order.status]
    if payment is None:
        return PageState.FAILED
    state = BY_PAYMENT[payment.state]
    if state is PageState.FAILED and (payment.error_lasts or payment.attempt >= MOST_ATTEMPTS):
        return PageState.REFUSED
    if payment.state is PaymentState.FAILED and payment.retry_at:
        return PageState.BUSY
    # All of the money may be on its way, waiting for the blockchain.
    asking = asking or payment.part_came
    return PageState.CHECKING if asking and state is PageState.WAITING else state
