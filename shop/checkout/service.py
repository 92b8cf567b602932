"""Placing an order: the moment after which nothing can be lost."""

from __future__ import annotations

import secrets

import structlog
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from ..because import OPERATOR
from ..config import current_settings
from ..db import transaction, utcnow
from ..limits.service import OverLimit, check_limits
from ..money import Money
from ..orders.models import Order, OrderLine, StockHold
from ..orders.numbers import new_number
from ..orders.queries import find_order_by_checkout_key
from ..orders.service import take_holds
from ..outbox.on_request import plan_placed
from ..payments.models import Payment
from ..payments.opening import new_payment
from ..payments.queries import find_payment_by_reference
from ..payments.settling import settle_free
from .cart import Cart
from .forms import Buyer

log = structlog.get_logger()


class OrderChanged(Exception):
    """The same form was sent before with other contents, and made `order`."""

    def __init__(self, order: Order) -> None:
        self.order = order
        super().__init__(f"order {order.number} was made by the same form")


class CartChanged(Exception):
    """Products, quantities or prices are not what the buyer had before their eyes."""


class ReferenceTaken(Exception):
    """Another payment has this reference already."""


def find_placed_order(buyer: Buyer) -> Order | None:
    """The order that this form has made already, if any; OrderChanged if the form's contents differ now."""
    order = find_order_by_checkout_key(buyer.checkout_key)
    if order and order.cart_hash != buyer.order_hash:
        raise OrderChanged(order)
    return order


def place_order(cart: Cart, buyer: Buyer) -> tuple[Order, Payment | None]:
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
        payment = new_payment(order, 1, now)
        payment.reference = reference or payment.reference
        session.add_all([order, payment])
    log.info("test_order_placed", order=order.number, payment=payment.reference)
    return payment


def _write(session: Session, cart: Cart, buyer: Buyer) -> tuple[Order, Payment | None]:
    now = utcnow()
    order = Order(
        number=new_number(),
        checkout_key=buyer.checkout_key,
        cart_hash=buyer.order_hash,
        email=buyer.email,
        language=buyer.language,
        currency=buyer.currency,
        total_minor=cart.total.minor,
        expires_at=now + current_settings().invoice_life,
    )
    order.lines = [
        OrderLine(
            position=position,
            product_id=line.offer.id,
            title=line.title,
            kind=line.offer.kind,
            quantity=line.quantity,
            unit_minor=line.unit.minor,
            max_downloads=line.offer.max_downloads,
            download_days=line.offer.download_days,
        )
        for position, line in enumerate(cart.lines, start=1)
    ]
    order.holds = [
        StockHold(product_id=line.offer.id, quantity=line.quantity) for line in cart.lines
    ]
    order.record("placed", str(order.total))
    placement = check_limits(session, order, client=buyer.client, proven=buyer.proven)
    payment = None if order.is_free else new_payment(order, 1, now)
    session.add_all([order, payment] if payment else [order])
    session.flush()
    if payment:
        plan_placed(session, order, owner=buyer.proven)
    placement.order_id = order.id
    session.add(placement)
    take_holds(session, order)  # last, so that rows which many buyers want are locked briefly
    if not payment:
        settle_free(session, order, now)
    return order, payment
