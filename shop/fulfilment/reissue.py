"""What a person gives a buyer anew: downloads, a licence key, the order link.

Each stands in the order's history with the person's reason and name (`because`).
"""

from __future__ import annotations

import structlog
from sqlalchemy.orm import Session

from ..because import Because
from ..catalogue.models import DeliveryKind
from ..catalogue.service import take_off_sale
from ..db import transaction, utcnow
from ..ops import journal
from ..orders.models import Order
from ..orders.service import lock_order
from ..outbox.kinds import MailKind
from ..outbox.service import plan_mail
from ..queue import wake
from .models import Delivery, DeliveryState, LicenceKey
from .queries import deliveries_of, find_delivery
from .service import report_few_keys
from .spent import next_keys, note_handed_out

log = structlog.get_logger()


class NotReissued(Exception):
    """There is nothing to give anew, and nothing was changed; the text says what to do instead."""


def reissue(order: Order, because: Because, *, position: int, unit: int | None) -> str:
    """Give the downloads of a line anew, or another key for one of its units; says what was done.

    If the line has several files, `unit` names the one whose downloads are given anew; without it, all are.

    The buyer gets the mail with the goods once more. NotReissued when there is nothing to give.
    """
    order_id = order.id
    with transaction("reissue") as session:
        order = lock_order(session, order_id)
        delivery = _handed_over(order, position)
        if delivery.kind is DeliveryKind.KEY:
            done = _replace_key(session, delivery, unit)
        else:
            done = _renew_downloads(order, delivery, unit)
        order.record("reissued", f"{done}: {because.why}", who=because.who)
        plan_mail(session, order, MailKind.ORDER_DELIVERED, about=f"{order.number}:{order.version}")
    log.info("reissued", order=order.number, line=position)
    wake("mails")
    return done


def renew_link(order: Order, because: Because) -> Order:
    """Give the order another link; no link that was sent before opens it or its downloads any more."""
    order_id = order.id
    with transaction("link") as session:
        order = lock_order(session, order_id)
        order.link_version += 1
        order.record("link_renewed", because.why, who=because.who)
        journal.note("link", (order.number, order.link_version))
    log.info("link_renewed", order=order.number)
    return order


def _handed_over(order: Order, position: int) -> Delivery:
    delivery = find_delivery(order.number, position)
    if delivery is None:
        raise NotReissued(f"Order {order.number} hands nothing over in line {position}.")
    if not order.has_goods:
        raise NotReissued(f"Order {order.number} is {order.status}: its money goes back.")
    if delivery.state is not DeliveryState.DELIVERED:
        raise NotReissued(f"Line {position} of order {order.number} has not been handed over yet.")
    if delivery.kind is DeliveryKind.TEXT:
        raise NotReissued(f"Line {position} is a text, which stays on the order page.")
    return delivery


def _renew_downloads(order: Order, delivery: Delivery, unit: int | None) -> str:
    files = [each for each in deliveries_of(order.id) if each.line is delivery.line]
    chosen = [each for each in files if unit in (None, each.part)]
    if not chosen:
        raise NotReissued(f"The line has {len(files)} files: there is no file {unit}.")
    used = ", ".join(str(_renew(each)) for each in chosen)
    which = f"file {unit} of " if unit and len(files) > 1 else ""
    return f"downloads of {which}{delivery.line.title} given anew after {used}"


def _renew(delivery: Delivery) -> int:
    """Let a file's downloads begin anew; returns how many there were."""
    used, delivery.downloads, delivery.given = delivery.downloads, 0, None
    delivery.renewed_at, delivery.last_download_at = utcnow(), None
    return used


def _replace_key(session: Session, delivery: Delivery, unit: int | None) -> str:
    """Hand out another key of the stock; the old one still names the delivery, and is never sold again."""
    old = _key_of(delivery, unit)
    product = delivery.line.product
    if product is None or not take_off_sale(session, old.product_id, 1):
        raise NotReissued("No key is left that nobody has ordered: add some with `keys add`.")
    free = next_keys(session, delivery, 1)
    if not free:
        raise NotReissued("All keys are being handed out just now: try again.")
    new = free[0]
    note_handed_out(delivery, [new])
    which, old.unit, old.withdrawn_at = old.unit, None, utcnow()
    session.flush()  # a unit may not have two keys, even for a moment
    new.delivery_id, new.unit = delivery.id, which
    session.flush()
    report_few_keys(session, product)
    return f"licence key {which} of {delivery.line.title} replaced, number {old.id} by {new.id}"


def _key_of(delivery: Delivery, unit: int | None) -> LicenceKey:
    keys = {key.unit: key for key in delivery.keys}
    if unit is None and len(keys) > 1:
        raise NotReissued(f"The line has {len(keys)} keys: say which one is bad by --unit.")
    found = keys.get(unit or 1)
    if found is None:
        raise NotReissued(f"The line has no key {unit or 1}.")
    return found
