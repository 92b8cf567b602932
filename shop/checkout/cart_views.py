"""The cart: putting in, changing, and taking an order back into it."""

from __future__ import annotations

import structlog
from flask import abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext

from ..because import BUYER, Because
from ..catalogue.queries import MAX_QUANTITY, find_offer
from ..config import current_settings
from ..orderpage.page import OrderPage, last_orders, order_at, order_page
from ..orderpage.routing import to_order
from ..orders.models import Order, OrderStatus
from ..orders.queries import find_order
from ..payments.by_hand import NotPossible, cancel_order
from ..payments.gateway import gateway
from ..web.remembered import remembered_orders
from ..web.security import csrf
from ..web.too_often import no_cookie_came
from . import cart as carts
from .routing import CHANGED_ELSEWHERE, bp, carried
from .routing import quantity as number

log = structlog.get_logger()


@bp.get("/cart")
def cart() -> ResponseReturnValue:
    """Show the cart; to a browser that keeps no cookie, show why it can have none."""
    if one := carried(request.args.get("added")):
        return render_template(
            "errors/no_cookie.html", cart=carts.load_cart(request.args.get("shown"), one)
        )
    carts.choose_currency(request.args.get("currency"))
    return render_template(
        "checkout/cart.html",
        cart=carts.load_cart(),
        unfinished=_last_order(OrderStatus.PENDING),
        closed=_last_order(OrderStatus.CANCELLED),
        orders=last_orders(),
    )


@bp.post("/cart")
@csrf.exempt  # product pages are the same for everybody and hold no token: see web/security.py
def add_to_cart() -> ResponseReturnValue:
    """Put a product into the cart."""
    settings = current_settings()
    offer = find_offer(request.form.get("product", ""), settings.shop_base_currency)
    if offer is None:
        abort(404)
    carts.choose_currency(request.form.get("currency"), by_adding=True)
    quantity = number(request.form.get("quantity", "1"))
    if offer.price is None:
        flash(
            gettext("%(product)s cannot be bought at the moment.", product=offer.title), "warning"
        )
    elif offer.sold_out:
        flash(gettext("%(product)s has sold out.", product=offer.title), "warning")
    elif quantity < 1:
        flash(
            gettext(
                "%(product)s: enter how many you want, as a whole number from 1 to %(most)s.",
                product=offer.title,
                most=offer.max_quantity,
            ),
            "warning",
        )
    elif not carts.add(offer.slug, quantity):
        flash(
            gettext("Your cart is full. Buy what is in it first, or take something out."), "warning"
        )
    else:
        flash(gettext("%(product)s is in your cart.", product=offer.title), "success")
    if not no_cookie_came():
        return redirect(url_for("checkout.cart"), 303)
    # This answer sets the browser's first cookie; the cart's page sees whether the browser keeps it.
    shown, quantity = request.form.get("currency"), max(quantity, 1)
    return redirect(url_for("checkout.cart", added=offer.slug, quantity=quantity, shown=shown), 303)


@bp.post("/cart/lines")
def update_cart() -> ResponseReturnValue:
    """Change quantities, take a product out, or go on with what the fields say."""
    elsewhere = carts.changed_since(request.form.get("seen", ""))
    wanted = {
        name.removeprefix("quantity-"): number(text)
        for name, text in request.form.items()
        if name.startswith("quantity-")
    }
    typed_badly = any(quantity < 0 for quantity in wanted.values())
    if typed_badly:
        flash(
            gettext("Enter each quantity as a whole number from 0 to %(most)s.", most=MAX_QUANTITY),
            "warning",
        )
        wanted = {slug: quantity for slug, quantity in wanted.items() if quantity >= 0}
    if "remove" in request.form:
        wanted[request.form["remove"]] = 0
    carts.change(wanted)
    if elsewhere:
        flash(str(CHANGED_ELSEWHERE), "warning")
    goes_on = "checkout" in request.form and not (typed_badly or elsewhere)
    return redirect(url_for("checkout.checkout" if goes_on else "checkout.cart"), 303)


@bp.post("/orders/<token>/change")
def change(token: str) -> ResponseReturnValue:
    """Close an unpaid order, as the operator would, and put its products back into the cart.

    Only the browser that placed the order may do so. The answer brings the cart, as a cookie: if the answer is lost,
    the order is closed already, and the same form, sent again, fills the cart.
    """
    order = order_at(token)
    page = order_page(order)
    if not (page.can_change or page.can_refill):
        return to_order(order)
    if page.can_change and not _close(order):
        flash(
            gettext("This order cannot be changed at the moment. Here is where it stands."), "info"
        )
        return to_order(order)
    carts.choose_currency(order.currency, by_adding=True)
    carts.refill({line.product.slug: line.quantity for line in order.lines if line.product})
    flash(
        gettext(
            "Order %(number)s is closed, and what was in it is in your cart again. Do not pay on its "
            "old payment page any more.",
            number=order.number,
        ),
        "success",
    )
    return redirect(url_for("checkout.cart"), 303)


def _close(order: Order) -> bool:
    try:
        cancel_order(order, gateway(), Because("the buyer changes the order", BUYER))
    except NotPossible as error:
        log.info("order_not_changed", order=order.number, reason=str(error))
        return order_page(order).can_refill  # the same form, sent twice, has closed the order
    return True


def _last_order(status: OrderStatus) -> OrderPage | None:
    """The order that this browser placed last, if it has this status."""
    remembered = remembered_orders()
    order = find_order(remembered[0]) if remembered else None
    if order is None or order.status is not status:
        return None
    return order_page(order)
