"""What has happened to an order so far, in the buyer's words."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from flask_babel import lazy_gettext

from ..orders.models import Order, OrderFlag, OrderStatus

WORDS = {
    "placed": lazy_gettext("Order placed"),
    "invoice_opened": lazy_gettext("Payment page ready"),
    "invoice_found": lazy_gettext("Payment page ready"),
    "invoice_failed": lazy_gettext("The payment page did not open"),
    "invoice_unknown": lazy_gettext("The payment page did not open"),
    OrderStatus.PENDING: lazy_gettext("New payment started"),
    OrderStatus.PAID: lazy_gettext("Payment confirmed"),
    OrderStatus.FULFILLED: lazy_gettext("Goods delivered"),
    OrderStatus.EXPIRED: lazy_gettext("Payment time is over"),
    OrderStatus.CANCELLED: lazy_gettext("Order cancelled"),
    OrderStatus.REVIEW: lazy_gettext("Given to our team"),
    OrderStatus.REFUND_DUE: lazy_gettext("Refund decided"),
    OrderStatus.REFUNDED: lazy_gettext("Money sent back"),
    OrderFlag.PAID_PARTIAL: lazy_gettext("Part of the amount has arrived"),
    OrderFlag.PAID_TWICE: lazy_gettext("A second payment has arrived"),
    "address_corrected": lazy_gettext("Email address changed"),
}
"""The entries of an order's history that say something to its buyer; the others are the operator's."""


OF_FREE = {OrderStatus.PAID: lazy_gettext("Nothing to pay")}
"""The words that replace those of WORDS for an order that costs nothing."""


@dataclass(frozen=True)
class Step:
    """Something that happened, and when."""

    at: datetime
    words: str


def timeline(order: Order) -> list[Step]:
    """The steps of the order, the oldest first."""
    words = WORDS | OF_FREE if order.is_free else WORDS
    return [Step(each.at, str(words[each.kind])) for each in order.events if each.kind in words]
