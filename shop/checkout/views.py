"""The buyer's way: cart, checkout, to the pay page and back, order page."""

from __future__ import annotations

import structlog
from flask import (
    Blueprint,
    abort,
    flash,
    redirect,
    render_template,
    request,
    url_for,
)
from flask.typing import ResponseReturnValue
from flask_babel import gettext, lazy_gettext
from flask_wtf.csrf import CSRFError
from wtforms.validators import ValidationError

from ..catalogue.queries import MAX_QUANTITY, find_offer
from ..config import current_settings
from ..fulfilment.service import deliver_order
from ..limits.refusals import words_for
from ..limits.service import OverLimit, TooManyOrders
from ..orderpage.page import OrderPage, last_orders, order_at, order_page
from ..orderpage.routing import to_order, to_payment
from ..orders.models import Order, OrderStatus
from ..orders.queries import find_order
from ..orders.service import SoldOut
from ..payments.by_hand import NotPossible, cancel_order
from ..payments.gateway import gateway
from ..payments.models import Payment
from ..payments.opening import open_invoice
from ..web.remembered import for_private_pages, remember_order, remembered_orders
from ..web.security import csrf
from ..web.too_often import OPEN_TOO_LONG, no_cookie, no_cookie_came, too_often
from . import cart as carts
from .forms import CheckoutForm
from .service import CartChanged, OrderChanged, find_placed_order, place_order

bp = Blueprint("checkout", __name__)
bp.context_processor(for_private_pages)
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
CHANGED_ELSEWHERE = lazy_gettext(
    "Your cart was changed in another tab or window. Please check what is in it now."
)


@bp.get("/cart")
def cart() -> ResponseReturnValue:
    """What is in the cart; for a browser that brings no cookie back, why there is none."""
    if one := _carried(request.args.get("added")):
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
    quantity = _quantity(request.form.get("quantity", "1"))
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
    # The first cookie of all: the cart's page will see whether it comes back.
    shown, quantity = request.form.get("currency"), max(quantity, 1)
    return redirect(url_for("checkout.cart", added=offer.slug, quantity=quantity, shown=shown), 303)


@bp.post("/cart/lines")
def update_cart() -> ResponseReturnValue:
    """Change quantities, take a product out, or go on with what the fields say."""
    elsewhere = carts.changed_since(request.form.get("seen", ""))
    wanted = {
        name.removeprefix("quantity-"): _quantity(text)
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


@bp.get("/checkout")
def checkout() -> ResponseReturnValue:
    """The form: email address and currency."""
    if one := _carried(request.args.get("product")):
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
    one = _carried(request.form.get("product"))
    if one is None:  # a cookie has come after all, and has a cart of its own
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
        return to_order(changed.order)
    if payment:
        open_invoice(payment, gateway())
    elif order.is_free:
        deliver_order(order.id)
    # An old form must not empty a cart filled since.
    if not one and (payment or cart.seen == form.seen.data):
        carts.empty()
    remember_order(order.number)
    return to_payment(order)


@bp.post("/orders/<token>/change")
def change(token: str) -> ResponseReturnValue:
    """Close an unpaid order, as the operator would, and put its products back into the cart.

    Only for the browser that placed it: whoever else has the link has no use for its cart. The cart is a cookie,
    and comes with the answer: where none comes, the order is closed, and the same form fills the cart.
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


@bp.errorhandler(CSRFError)
def page_too_old(error: CSRFError) -> ResponseReturnValue:
    """The token has expired, most often after hours: keep what was typed and let it be sent again."""
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


def _place(form: CheckoutForm, cart: carts.Cart) -> tuple[Order, Payment | None]:
    if form.validate():
        return place_order(cart, form.buyer())
    # The same form again, after it has emptied the cart, is still the same order.
    if order := find_placed_order(form.buyer()):
        return order, None
    raise ValidationError


def _checkout_again(
    form: CheckoutForm, cart: carts.Cart, problem: str | None, status: int, prove: str = ""
) -> ResponseReturnValue:
    """The form as it was filled in, with what must be looked at; an emptied cart speaks for itself.

    To the address in `prove` it offers to mail the link by which its owner goes on.
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
    """What is wrong with the form that stands at none of the fields the buyer sees."""
    if form.trapped:
        log.info("trap_filled")
        return str(TRAP_FILLED)
    return str(FORM_DAMAGED) if form.damaged else None


def _refuse(form: CheckoutForm, cart: carts.Cart, refused: OverLimit) -> ResponseReturnValue:
    """The form as it was filled in, with how much one buyer may order, or when to come again."""
    log.info("order_refused", reason=str(refused))
    buyer = form.buyer()
    prove = buyer.email if refused.is_of_address and not buyer.proven else ""
    if isinstance(refused, TooManyOrders):
        return too_often(_checkout_again(form, cart, words_for(refused), 429, prove), refused.until)
    return _checkout_again(form, cart, words_for(refused), 409, prove)


def _close(order: Order) -> bool:
    try:
        cancel_order(order, gateway(), why="the buyer changes the order", who="buyer")
    except NotPossible as error:
        log.info("order_not_changed", order=order.number, reason=str(error))
        return order_page(order).can_refill  # the same form was faster
    return True


def _last_order(status: OrderStatus) -> OrderPage | None:
    """The order this browser placed last, if it stands like this."""
    remembered = remembered_orders()
    order = find_order(remembered[0]) if remembered else None
    if order is None or order.status is not status:
        return None
    return order_page(order)


def _carried(slug: str | None) -> dict[str, int] | None:
    """The one product that the request carries itself, from a browser that keeps no cookie."""
    if not slug or not no_cookie_came():
        return None
    return {slug: max(_quantity(request.values.get("quantity", "1")), 1)}


def _quantity(text: str) -> int:
    """The whole number that was typed; -1 for anything else."""
    text = text.strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) < 7 else -1
