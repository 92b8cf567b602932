"""Mails that a buyer causes without having paid: the link, a mail once more, another address.

Anybody can type anybody's address. So each address gets a few such mails a day, and each order can ask
for fewer still. A mail with paid goods is not counted, a mail with free ones is. Owners, who have shown
that the address is theirs (`owner`), get theirs whatever strangers have used up.
"""

from __future__ import annotations

import contextlib
import secrets
from datetime import timedelta

import structlog
from sqlalchemy import update
from sqlalchemy.orm import Session

from ..config import current_settings
from ..db import rows_changed, transaction, utcnow
from ..mailbox import mailbox
from ..ops import journal
from ..ops.rations import UsedUp, ration_subject, use_ration
from ..orders.models import Order, OrderStatus, Placed
from ..orders.queries import find_order
from ..orders.service import lock_order
from ..queue import wake
from ..web.network import mailbox_key
from .kinds import ON_REQUEST, MailKind
from .models import MailState, OutboxMail
from .queries import mail_of
from .service import plan_mail

log = structlog.get_logger()

TO_AN_ADDRESS = 10
"""Mails a day to one address that nobody has paid for."""
AGAIN = 3
"""Times a day that one order may have its mail sent again."""
SEARCHES = 5
"""Searches a day for the orders of one address, and for one number."""
OWN_SEARCHES = 20
"""Searches a day for the orders of one address, if its owner asks."""
PAUSE = timedelta(minutes=2)
"""How long to wait before the same mail is sent again, because mails take their time."""
FIRST_MAIL_WAITS = timedelta(minutes=2)
"""How long the first mail waits, so that it is not written while the buyer is still on the way to pay."""


class MailboxUsedUp(UsedUp):
    """An address has had enough mails today that strangers may have caused; its owner may ask for more."""


class NothingToSend(Exception):
    """The order that is looked for is not there, or not this address's."""


class NotCorrectable(Exception):
    """The order's address was corrected before, or its goods have gone out."""


def plan_placed(session: Session, order: Placed, *, owner: bool = False) -> None:
    """Queue the first mail of an order, in the commit that makes it; none to an address that has had enough."""
    with contextlib.suppress(UsedUp):
        take_mail(session, order.email, owner=owner)
        plan_mail(session, order, MailKind.ORDER_PLACED, wait=FIRST_MAIL_WAITS)


def send_again(order_id: int, *, rationed: bool = True, owner: bool = False) -> bool:
    """Queue the order's mail once more, as the order stands now; UsedUp when that was done too often.

    False when the mail already waits for the mail server, so that another would not be faster, or when the shop
    has no mail server.
    """
    with transaction("mail_again") as session:
        order = lock_order(session, order_id)
        if order.erased_at:
            return False  # there is nobody to send it to, and the page offers it no more
        mail = mail_of(order)
        if mail and mail.state in (MailState.QUEUED, MailState.SENDING):
            goes = not mail.tries
            if goes:
                mail.next_try_at = min(mail.next_try_at, utcnow())
        else:
            if rationed:
                _ration(session, order, mail, owner=owner)
            _plan_link_or_goods(session, order)
            goes = True
        number = order.number
    log.info("mail_asked_for_again", order=number)
    wake("mails")
    return goes and not current_settings().mails_wait


def mail_link(email: str, number: str, *, owner: bool = False) -> None:
    """Mail an order's link to its address, if both belong together; UsedUp when it was tried too often.

    Nobody can see or measure whether they do: the same is counted and written either way, and the mail is
    rolled back if there is nothing to send.
    """
    with transaction("mail_link") as session:
        if owner:  # the link goes to them, whichever numbers they try
            use_ration(session, ration_subject("own-search", mailbox(email)), OWN_SEARCHES)
        else:
            use_ration(session, ration_subject("search", mailbox(email)), SEARCHES)
            use_ration(session, ration_subject("search", number), SEARCHES)
        order = find_order(number)
        fits = order is not None and _same(order.email, email)
        with contextlib.suppress(UsedUp, NothingToSend), session.begin_nested():
            take_mail(session, email, owner=owner)
            plan_mail(
                session, order or Order(number=number), MailKind.ORDER_LINK, about=_once(number)
            )
            if not fits:
                raise NothingToSend
    log.info("order_looked_for", order=number if fits else "none")
    wake("mails")


def correct_address(order_id: int, email: str, *, owner: bool = False) -> None:
    """Send an order's mails to another address from now on, and tell the old one; once, before delivery.

    Raises NotCorrectable, or UsedUp when one of the two addresses has had too many mails today:
    nothing is changed then, because the old address must be told. `owner` is about the new one.
    """
    with transaction("address") as session:
        order = lock_order(session, order_id)
        if not order.can_correct_address:
            raise NotCorrectable(order.number)
        old = order.email
        for address in sorted((old,) if owner else (old, email), key=mailbox_key):
            take_mail(session, address, owner=False)
        order.correct_address(email, at=utcnow())
        journal.note("link", (order.number, order.link_version))
        plan_mail(session, order, MailKind.ADDRESS_CORRECTED, address=old)
        _drop_waiting(session, order)
        _plan_link_or_goods(session, order)
        number = order.number
    log.info("address_corrected", order=number)
    wake("mails")


def take_mail(session: Session, email: str, *, owner: bool) -> None:
    """Use one of the unpaid mails an address gets in a day, unless its owner asks; MailboxUsedUp if none is left."""
    if owner:
        return
    try:
        use_ration(session, ration_subject("mail", mailbox(email)), TO_AN_ADDRESS)
    except UsedUp as used:
        raise MailboxUsedUp(used.until) from None


def _ration(session: Session, order: Order, last: OutboxMail | None, *, owner: bool) -> None:
    if last and last.sent_at and last.sent_at + PAUSE > utcnow():
        raise UsedUp(last.sent_at + PAUSE)
    use_ration(session, ration_subject("again", order.number), AGAIN)
    take_mail(session, order.email, owner=owner)


def _plan_link_or_goods(session: Session, order: Order) -> None:
    by_status = {
        OrderStatus.PENDING: MailKind.ORDER_PLACED,
        OrderStatus.FULFILLED: MailKind.ORDER_DELIVERED,
    }
    kind = by_status.get(order.status, MailKind.ORDER_LINK)
    plan_mail(session, order, kind, about=_once(order.number))


def _drop_waiting(session: Session, order: Order) -> None:
    """Skip the order's mails with a link that have not left yet: another mail with the new link follows."""
    rows_changed(
        session,
        update(OutboxMail)
        .where(OutboxMail.order_id == order.id, OutboxMail.state == MailState.QUEUED)
        .where(OutboxMail.kind.in_(ON_REQUEST - {MailKind.ADDRESS_CORRECTED}))
        .values(state=MailState.SKIPPED),
    )


def _once(number: str) -> str:
    """The `about` of a mail that may be sent more than once: it is different each time."""
    return f"{number}:{secrets.token_hex(4)}"


def _same(one: str, other: str) -> bool:
    return one.strip().lower() == other.strip().lower()
