"""Checkout: the form, placing the order, and on to the pay page."""

from __future__ import annotations

import structlog
from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext, lazy_gettext
from flask_wtf.csrf import CSRFError
from wtforms.validators import ValidationError

from ..fulfilment.service import deliver_order
from ..limits.refusals import words_for
from ..limits.service import OverLimit, TooManyOrders
from ..orderpage.routing import to_order, to_payment
from ..orders.models import Placed
from ..orders.queries import order_of
from ..orders.service import SoldOut
from ..payments.gateway import gateway
from ..payments.opening import NewPayment, open_invoice
from ..web.remembered import remember_order
from ..web.security import csrf
from ..web.too_often import OPEN_TOO_LONG, no_cookie, no_cookie_came, too_often
from . import cart as carts
from . import cart_views  # noqa: F401 - its views are in the blueprint now
from .forms import CheckoutForm
from .routing import CHANGED_ELSEWHERE, carried
from .routing import bp as bp  # with all views in it, for the app
from .service import CartChanged, OrderChanged, find_placed_order, place_order

log = structlog.get_logger()

FORM_DAMAGED = lazy_gettext(
    "A part of this form was lost on its way. Please press the button again."
)
TRAP_FILLED = lazy_gettext(
    "A field that is meant to stay empty was filled in, perhaps by a program that fills in forms. "
    "It is empty again: please press the button once more."
)
CART_CHANGED = lazy_gettext(
    "Prices or stock have changed since you opened this page. "
    "Please check the new total and press the button again."
)


@bp.get("/checkout")
def checkout() -> ResponseReturnValue:
    """The form: email address and currency."""
    if one := carried(request.args.get("product")):
        cart = carts.load_cart(request.args.get("shown"), one)
    else:
        carts.choose_currency(request.args.get("currency"))
        cart = carts.load_cart()
    if cart.empty:
        return redirect(url_for("catalogue.index" if cart.carried else "checkout.cart"), 303)
    form = CheckoutForm(formdata=None, data={"currency": cart.currency, "seen": cart.seen})
    form.show(cart)
    problem = " ".join(cart.notices) or None
    return render_template(
        "checkout/checkout.html", form=form, cart=cart, problem=problem, prove=""
    )


@bp.post("/checkout")
def submit() -> ResponseReturnValue:
    """Place the order, open its invoice, send the buyer to the pay page; to the goods if there is nothing to pay."""
    form = CheckoutForm()
    carts.choose_currency(form.currency.data)
    return _submit(form, None)


@bp.post("/checkout/one")
@csrf.exempt  # a token needs the cookie that this browser does not keep: see web/security.py
def submit_one() -> ResponseReturnValue:
    """The same for a browser without cookies: the form itself carries the one product."""
    one = carried(request.form.get("product"))
    if one is None:  # the browser sends a cookie after all, so its cart is in the session
        return redirect(url_for("checkout.checkout"), 303)
    return _submit(CheckoutForm(meta={"csrf": False}), one)


def _submit(form: CheckoutForm, one: dict[str, int] | None) -> ResponseReturnValue:
    cart = carts.load_cart(form.currency.data, one)
    form.show(cart)
    try:
        order, payment = _place(form, cart)
    except ValidationError:
        return _checkout_again(form, cart, _unseen_problem(form), 422)
    except OverLimit as refused:
        return _refuse(form, cart, refused)
    except (CartChanged, SoldOut):
        now = carts.load_cart(form.currency.data, one)
        if not one:
            now.notices[:0] = cart.notices  # each load tells what has changed since the one before
        if one or now.notices or not carts.changed_since(form.seen.data or ""):
            return _checkout_again(form, now, str(CART_CHANGED), 409)
        now.notices.append(str(CHANGED_ELSEWHERE))
        return _checkout_again(form, now, None, 409)
    except OrderChanged as changed:
        flash(
            gettext(
                "You have sent this form before. This is the order it made; for another one, "
                "start with a new cart."
            ),
            "info",
        )
        return to_order(order_of(changed.order))
    pay_url = ""
    if payment:
        pay_url = open_invoice(payment, gateway())
    elif order.is_free:
        deliver_order(order.id)
    # A form that is sent a second time must not empty a cart that was filled since.
    if not one and (payment or cart.seen == form.seen.data):
        carts.empty()
    remember_order(order.number)
    return redirect(pay_url, 303) if pay_url else to_payment(order_of(order))


@bp.errorhandler(CSRFError)
def page_too_old(error: CSRFError) -> ResponseReturnValue:
    """Answer a form whose token has expired, most often after hours: what was typed can be sent again."""
    if no_cookie_came():
        return no_cookie()
    if request.endpoint == "checkout.submit":
        form = CheckoutForm()
        cart = carts.load_cart(form.currency.data)
        form.show(cart)
        if not cart.empty:
            return _checkout_again(form, cart, str(OPEN_TOO_LONG), 400)
    flash(str(OPEN_TOO_LONG), "warning")
    token = (request.view_args or {}).get("token")
    if token:
        return redirect(url_for("orderpage.order", token=token), 303)
    return redirect(url_for("checkout.cart"), 303)


def _place(form: CheckoutForm, cart: carts.Cart) -> tuple[Placed, NewPayment | None]:
    if form.validate():
        return place_order(cart, form.buyer())
    # The same form again, after it has emptied the cart, is still the same order.
    if order := find_placed_order(form.buyer()):
        return order, None
    raise ValidationError


def _checkout_again(
    form: CheckoutForm, cart: carts.Cart, problem: str | None, status: int, prove: str = ""
) -> ResponseReturnValue:
    """The form as it was filled in, with its problem; if the cart is empty now, a redirect that says why.

    If `prove` is an address, the page offers to mail its owner a link; whoever opens it may order on.
    """
    if cart.empty:
        for notice in cart.notices:
            flash(notice, "warning")
        return redirect(url_for("catalogue.index" if cart.carried else "checkout.cart"), 303)
    form.show(cart)
    form.renew(cart)
    problem = " ".join(filter(None, [problem, *cart.notices])) or None
    page = render_template(
        "checkout/checkout.html", form=form, cart=cart, problem=problem, prove=prove
    )
    return page, status


def _unseen_problem(form: CheckoutForm) -> str | None:
    """What is wrong with a field that the buyer cannot see, in words; None if nothing is."""
    if form.trapped:
        log.info("trap_filled")
        return str(TRAP_FILLED)
    return str(FORM_DAMAGED) if form.damaged else None


def _refuse(form: CheckoutForm, cart: carts.Cart, refused: OverLimit) -> ResponseReturnValue:
    """The form as it was filled in, which says how much this buyer may order, or when they may again."""
    log.info("order_refused", reason=str(refused))
    buyer = form.buyer()
    prove = buyer.email if refused.is_of_address and not buyer.proven else ""
    if isinstance(refused, TooManyOrders):
        return too_often(_checkout_again(form, cart, words_for(refused), 429, prove), refused.until)
    return _checkout_again(form, cart, words_for(refused), 409, prove)
