"""The order page: one state in plain words, from the order and its newest payment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from flask import abort, url_for

from ..config import current_settings
from ..db import utcnow
from ..fulfilment.goods import Goods, goods_of
from ..money import Money
from ..orders.links import find_order_by_token, order_path, order_token
from ..orders.models import ENDED_UNPAID, Order, OrderFlag, OrderLine, OrderStatus
from ..orders.queries import find_order
from ..outbox.kinds import MailKind
from ..outbox.models import MailState
from ..outbox.queries import mail_of
from ..payments.figures_text import figures_in_words
from ..payments.models import Payment
from ..payments.opening import MOST_ATTEMPTS, can_start_again
from ..payments.queries import figures_of, payments_of
from ..web.remembered import remembered_orders
from .states import CHANGEABLE, CHANGING, CHECKED, HEADLINES, OF_FREE, PageState, state_of
from .timeline import Step, timeline

LOOK_AGAIN, LOOK_AGAIN_SLOWLY = 30, 120
"""Seconds after which a page without scripts reloads: in a state of CHANGING, and in others that are not final."""


@dataclass(frozen=True)
class Urls:
    """Where the order page's forms and script go."""

    order: str
    status: str
    check: str
    pay: str
    mail: str
    address: str


@dataclass(frozen=True)
class MailNews:
    """What became of the mail that the buyer waits for."""

    state: MailState
    has_goods: bool
    is_held_up: bool
    """Whether the mail was tried at least once, and the mail server has not taken it yet."""
    sent_at: datetime | None

    @property
    def is_over(self) -> bool:
        """Whether the shop does nothing more about the mail by itself."""
        return self.state not in (MailState.QUEUED, MailState.SENDING)

    @property
    def is_lost(self) -> bool:
        """Whether the shop has given the mail up, unsent."""
        return self.is_over and self.state is not MailState.SENT


@dataclass(frozen=True)
class OrderPage:
    """Everything the order page shows."""

    state: PageState
    headline: str
    final: bool
    """Whether the page will not change any more, unless a person decides something."""
    look_again: int | None
    token: str
    number: str
    email: str
    is_free: bool
    total: Money
    lines: Sequence[OrderLine]
    pay_url: str | None
    deadline: datetime | None
    minutes_left: int | None
    can_pay_again: bool
    retry_at: datetime | None
    """When another attempt to pay may be made; None if it may be made now."""
    can_check: bool
    can_change: bool
    """Whether this browser, which placed the order, may close it and have its products back in the cart."""
    can_refill: bool
    """Whether this browser may put the products of a cancelled order into its cart: it may have closed the order
    itself, and lost the answer that was to fill the cart."""
    flag: str | None
    created_at: datetime
    paid_at: datetime | None
    erased_at: datetime | None
    is_test: bool
    figures: str
    """How much of the amount has come, in words; empty unless the provider tells it (API v2)."""
    paid_with: str
    """The amount and the coin that were sent; empty unless the provider tells them."""
    deliveries: list[Goods]
    timeline: list[Step]
    mail: MailNews | None
    can_correct_address: bool
    urls: Urls


def order_at(token: str) -> Order:
    """The order that a link opens; an answer of 404 when it opens none."""
    order = find_order_by_token(token)
    if order is None:
        abort(404)
    return order


def current_payment(order: Order) -> Payment | None:
    """The payment that the buyer is concerned with: the live one, else the newest they were shown."""
    payments = payments_of(order.id)
    live = [payment for payment in payments if payment.is_live]
    return next(reversed(live or payments), None)


def payment_to_ask_about(order: Order) -> Payment | None:
    """The payment by which money may come: the live one; once that is over, the newest that is still watched."""
    payments, too_late = payments_of(order.id), order.status in (*ENDED_UNPAID, OrderStatus.REVIEW)
    late = [payment for payment in payments if too_late and payment.next_check_at]
    return next(reversed([payment for payment in payments if payment.is_live] or late), None)


def last_orders() -> list[tuple[Order, str, PageState]]:
    """The orders that this browser placed, each with the address of its page and where it stands."""
    found = (find_order(number) for number in remembered_orders())
    return [
        (order, order_path(order), state_of(order, current_payment(order), asking=False))
        for order in found
        if order
    ]


def order_page(order: Order, *, asking: bool = False) -> OrderPage:
    """The page of an order; `asking` while the buyer has just come back and nothing is known yet."""
    payment, mail = current_payment(order), _mail_news(order)
    state = state_of(order, payment, asking=asking)
    final = _is_final(state, mail)
    token, now = order_token(order), utcnow()
    payable = state in (PageState.WAITING, PageState.CHECKING, PageState.PARTIAL)
    shown = payment if payable and payment and payment.is_live else None
    deadline = shown.expires_at if shown else None
    left = deadline - now if deadline else None
    return OrderPage(
        state=state,
        headline=str(OF_FREE if order.is_free else HEADLINES[state]),
        final=final,
        look_again=None if final else LOOK_AGAIN if state in CHANGING else LOOK_AGAIN_SLOWLY,
        token=token,
        number=order.number,
        email=order.email,
        is_free=order.is_free,
        total=order.total,
        lines=order.lines,
        pay_url=shown.pay_url if shown else None,
        deadline=deadline,
        minutes_left=max(int(left.total_seconds() // 60), 0) if left else None,
        can_pay_again=_can_pay_again(state, order, payment),
        retry_at=payment.retry_at
        if payment and payment.retry_at and payment.retry_at > now
        else None,
        can_change=state in CHANGEABLE and order.number in remembered_orders(),
        can_refill=state is PageState.CANCELLED and order.number in remembered_orders(),
        can_check=state in CHECKED and payment_to_ask_about(order) is not None,
        flag=order.flag.value if order.flag is not OrderFlag.NONE else None,
        created_at=order.created_at,
        paid_at=order.paid_at,
        erased_at=order.erased_at,
        is_test=order.is_test,
        figures=figures_in_words(figures_of(order.id)),
        paid_with=order.paid_with,
        deliveries=goods_of(order),
        timeline=timeline(order),
        mail=mail,
        can_correct_address=order.can_correct_address,
        urls=_urls(token, asking=asking),
    )


def _urls(token: str, *, asking: bool) -> Urls:
    return Urls(
        order=url_for("orderpage.order", token=token),
        status=url_for("orderpage.order_status", token=token, returned=1 if asking else None),
        check=url_for("orderpage.check", token=token),
        pay=url_for("orderpage.pay", token=token),
        mail=url_for("orderpage.mail_again", token=token),
        address=url_for("orderpage.address", token=token),
    )


def _is_final(state: PageState, mail: MailNews | None) -> bool:
    """Whether the page will not change by itself. A closed order's may: it can be paid late, or anew in another tab."""
    waits_for_mail = mail is not None and not mail.is_over and not current_settings().mails_wait
    return state is PageState.REFUNDED or (state is PageState.DELIVERED and not waits_for_mail)


def _mail_news(order: Order) -> MailNews | None:
    mail = mail_of(order)
    if mail is None:
        return None
    under_way = mail.state is MailState.SENDING  # the last try has not ended, so it does not count
    waits = mail.state is MailState.QUEUED or under_way
    held_up = waits and mail.tries > under_way
    return MailNews(mail.state, mail.kind == MailKind.ORDER_DELIVERED, held_up, mail.sent_at)


def _can_pay_again(state: PageState, order: Order, payment: Payment | None) -> bool:
    """Whether the page offers another attempt to pay; if it would fail like the last, not before `retry_at`."""
    now = utcnow()
    if payment and payment.attempt >= MOST_ATTEMPTS:
        return False
    if state is PageState.EXPIRED:
        return can_start_again(order, now)
    if state is PageState.REFUSED:
        return payment is None or payment.retry_at is None or payment.retry_at <= now
    return state in (PageState.FAILED, PageState.BUSY)
