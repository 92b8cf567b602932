"""Placing an order: the moment after which nothing can be lost."""

from __future__ import annotations

import secrets

import structlog
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from ..because import OPERATOR, SHOP
from ..config import current_settings
from ..db import insert_row, insert_rows, transaction, utcnow
from ..limits.service import OverLimit, Wanted, check_limits, note_placement
from ..money import Money
from ..orders.models import Order, OrderEvent, OrderLine, Placed
from ..orders.numbers import new_number
from ..orders.queries import find_placed
from ..orders.service import hold_units, lock_order
from ..outbox.on_request import plan_placed
from ..payments.models import Payment
from ..payments.opening import NewPayment, new_payment
from ..payments.queries import find_payment_by_reference
from ..payments.settling import settle_free
from .cart import Cart, CartLine
from .forms import Buyer

log = structlog.get_logger()


class OrderChanged(Exception):
    """The same form was sent before with other contents, and made `order`."""

    def __init__(self, order: Placed) -> None:
        self.order = order
        super().__init__(f"order {order.number} was made by the same form")


class CartChanged(Exception):
    """Products, quantities or prices are not what the buyer had before their eyes."""


class ReferenceTaken(Exception):
    """Another payment has this reference already."""


def find_placed_order(buyer: Buyer) -> Placed | None:
    """The order that this form has made already, if any; OrderChanged if the form's contents differ now."""
    found = find_placed(buyer.checkout_key)
    if found is None:
        return None
    order, fingerprint = found
    if fingerprint != buyer.order_hash:
        raise OrderChanged(order)
    return order


def place_order(cart: Cart, buyer: Buyer) -> tuple[Placed, NewPayment | None]:
    """Make the order, set its stock aside and note the intent to ask for an invoice: one commit.

    No network is touched. The caller opens the payment that is returned. No payment is returned if the same
    form made the order before, or if the order costs nothing: such an order is paid at once, and the caller
    hands over its goods. Raises CartChanged, SoldOut, OrderChanged or OverLimit, and then nothing has been
    stored.
    """
    if order := find_placed_order(buyer):
        return order, None
    if cart.empty or cart.seen != buyer.seen or cart.currency != buyer.currency:
        raise CartChanged
    try:
        with transaction("order") as session:
            order, payment = _write(session, cart, buyer)
    except (IntegrityError, OverLimit):
        # Another request with the same key may have been faster; if none was, the error is raised.
        if order := find_placed_order(buyer):
            return order, None
        raise
    reference = payment.reference if payment else "none"
    log.info("order_placed", order=order.number, payment=reference, total=str(order.total))
    return order, payment


def place_test_order(amount: Money, email: str, reference: str | None = None) -> Payment:
    """Make a test order, which sells nothing, and return its payment to open. Raises ReferenceTaken."""
    if reference and find_payment_by_reference(reference):
        raise ReferenceTaken(reference)
    key, now = secrets.token_urlsafe(24), utcnow()
    with transaction("order") as session:
        order = Order(
            number=new_number(),
            checkout_key=key,
            cart_hash=key,
            email=email,
            language=current_settings().shop_languages[0],
            currency=amount.currency,
            total_minor=amount.minor,
            expires_at=now + current_settings().invoice_life,
            is_test=True,
        )
        order.lines = [
            OrderLine(position=1, title="Test invoice", quantity=1, unit_minor=amount.minor)
        ]
        order.record("placed", "a test, made on the command line", who=OPERATOR)
        session.add(order)
        session.flush()
        payment = session.get_one(Payment, new_payment(session, order, 1, now, reference or "").id)
    log.info("test_order_placed", order=order.number, payment=payment.reference)
    return payment


def _write(session: Session, cart: Cart, buyer: Buyer) -> tuple[Placed, NewPayment | None]:
    now, number = utcnow(), new_number()
    placement = check_limits(
        session,
        [
            Wanted(line.offer.id, line.title, line.quantity, not line.unit.minor)
            for line in cart.lines
        ],
        email=buyer.email,
        client=buyer.client,
        proven=buyer.proven,
    )
    order_id = insert_row(
        session,
        Order,
        number=number,
        checkout_key=buyer.checkout_key,
        cart_hash=buyer.order_hash,
        email=buyer.email,
        language=buyer.language,
        currency=buyer.currency,
        total_minor=cart.total.minor,
        expires_at=now + current_settings().invoice_life,
        version=1,
    )
    order = Placed(order_id, number, buyer.email, cart.total)
    insert_rows(
        session, OrderLine, [_line(order, *each) for each in enumerate(cart.lines, start=1)]
    )
    insert_row(
        session,
        OrderEvent,
        order_id=order.id,
        sequence=1,
        kind="placed",
        note=str(order.total),
        who=SHOP,
    )
    note_placement(session, placement, order.id)
    payment = None if order.is_free else new_payment(session, order, 1, now)
    if payment:
        plan_placed(session, order, owner=buyer.proven)
    # Last, so that rows which many buyers want are locked briefly.
    hold_units(session, order.id, {line.offer.id: line.quantity for line in cart.lines})
    if not payment:
        settle_free(session, lock_order(session, order.id), now)
    return order, payment


def _line(order: Placed, position: int, line: CartLine) -> dict[str, object]:
    return {
        "order_id": order.id,
        "position": position,
        "product_id": line.offer.id,
        "title": line.title,
        "kind": line.offer.kind,
        "quantity": line.quantity,
        "unit_minor": line.unit.minor,
        "max_downloads": line.offer.max_downloads,
        "download_days": line.offer.download_days,
    }
