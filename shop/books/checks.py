"""Looking for contradictions in the books: for things that can never be true of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select

from ..attention.kinds import AttentionKind
from ..db import db, utcnow
from ..orders.models import Order
from ..payments.times import TIME_FOR
from .queries import (
    ORDER,
    Found,
    free_not_given,
    goods_missing,
    goods_without_money,
    history_torn,
    mail_missing,
    money_not_counted,
    no_payment,
    not_answered,
    not_delivered,
    paid_without_money,
    payment_stuck,
    postback_stuck,
    wrong_amount,
    wrong_hold,
    wrong_keys,
    wrong_stock,
    wrong_total,
)

NEWEST = 5000
"""How many orders a sweep looks at: in all but the largest shops, more than can still change."""


@dataclass(frozen=True)
class Discrepancy:
    """One thing that is wrong, in the terms of an attention item."""

    kind: AttentionKind
    reference: str
    note: str
    order_id: int | None


def discrepancies(
    now: datetime | None = None, *, newest: int | None = NEWEST
) -> Iterator[Discrepancy]:
    """Everything that is wrong with the newest orders (None: with all), and with the stock."""
    now = now or utcnow()
    last = db.session.scalar(select(func.max(Order.id))) or 0
    given: dict[str, Any] = {name: now - time for name, time in TIME_FOR.items()}
    given["since"] = last - newest if newest else 0
    for kind, note, check in CHECKS:
        for row in db.session.execute(check(), given).all():
            order_id = row._mapping.get(ORDER)
            yield Discrepancy(kind, row[0], note.format(*row), order_id)


CHECKS: tuple[tuple[AttentionKind, str, Callable[[], Found]], ...] = (
    (
        AttentionKind.MONEY_NOT_COUNTED,
        "More was paid for order {0} than its status and the attention list account for.",
        money_not_counted,
    ),
    (
        AttentionKind.PAID_WITHOUT_MONEY,
        "Order {0} counts as paid, but no payment of it is.",
        paid_without_money,
    ),
    (AttentionKind.NO_PAYMENT, "Order {0} has no payment.", no_payment),
    (
        AttentionKind.FREE_NOT_GIVEN,
        "Order {0} costs nothing, and is not given away or has a payment.",
        free_not_given,
    ),
    (AttentionKind.WRONG_AMOUNT, "Payment {0} is for another amount than its order.", wrong_amount),
    (AttentionKind.WRONG_TOTAL, "The lines of order {0} do not add up to its total.", wrong_total),
    (
        AttentionKind.GOODS_WITHOUT_MONEY,
        "Order {0} hands out goods and is not paid.",
        goods_without_money,
    ),
    (
        AttentionKind.GOODS_MISSING,
        "A line of order {0} is paid and not handed over.",
        goods_missing,
    ),
    (AttentionKind.NOT_DELIVERED, "Order {0} was paid over an hour ago and waits.", not_delivered),
    (
        AttentionKind.WRONG_KEYS,
        "A line of order {1} has not exactly the keys it was sold with.",
        wrong_keys,
    ),
    (AttentionKind.MAIL_MISSING, "No mail will bring the goods of order {0}.", mail_missing),
    (
        AttentionKind.WRONG_HOLD,
        "The units of order {0} are not set aside as its status says.",
        wrong_hold,
    ),
    (
        AttentionKind.WRONG_STOCK,
        "The units of {0} do not add up: {1:+d} taken from stock against what orders hold and have "
        "bought, {2:+d} in all against what was put on sale.",
        wrong_stock,
    ),
    (AttentionKind.PAYMENT_STUCK, "Payment {0} is {1}, and nothing will move it.", payment_stuck),
    (
        AttentionKind.NOT_ANSWERED,
        "CryptoCloud has told nothing about invoice {1} for days, and its time is over.",
        not_answered,
    ),
    (
        AttentionKind.POSTBACK_STUCK,
        "The postback about invoice {0} has not been judged.",
        postback_stuck,
    ),
    (AttentionKind.HISTORY_TORN, "The history of order {0} is not complete.", history_torn),
)
"""What is looked for: the attention item's kind, its note, and the statement that finds it."""
