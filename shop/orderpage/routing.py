"""The one blueprint of an order's pages, and the redirects to them."""

from __future__ import annotations

from flask import Blueprint, redirect, url_for
from flask.typing import ResponseReturnValue

from ..orders.links import order_token
from ..orders.models import Order, OrderStatus
from ..web.remembered import for_private_pages
from .page import current_payment

bp = Blueprint("orderpage", __name__)
bp.context_processor(for_private_pages)


def to_order(order: Order) -> ResponseReturnValue:
    """Redirect to the order's page."""
    return redirect(url_for("orderpage.order", token=order_token(order)), 303)


def to_payment(order: Order) -> ResponseReturnValue:
    """Redirect to the pay page if the order has an open one, else to the order's page, which explains."""
    payment = current_payment(order)
    if payment and payment.pay_url and payment.is_live and order.status is OrderStatus.PENDING:
        return redirect(payment.pay_url, 303)
    return to_order(order)
