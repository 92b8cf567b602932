"""The order page: where an order stands, asking about it, paying it, and coming back from the pay page."""

from __future__ import annotations

from datetime import timedelta
from functools import partial

import structlog
from flask import abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext
from flask_wtf.csrf import CSRFError

from ..i18n import readable_seconds
from ..limits.refusals import words_for
from ..limits.service import OverLimit, TooManyOrders, check_limits_again
from ..orders.links import find_order_by_old_token, find_order_by_token, order_path
from ..orders.models import ENDED_UNPAID, Order, OrderFlag, OrderStatus
from ..orders.service import SoldOut
from ..payments.checking import claim_check, refresh
from ..payments.cryptocloud import CryptoCloudError
from ..payments.gateway import gateway
from ..payments.opening import (
    NotPayable,
    PaymentBusy,
    PaymentInProgress,
    StillOpen,
    open_invoice,
    start_payment,
)
from ..payments.queries import find_payment_by_reference
from ..web.remembered import remembered_orders
from ..web.security import csrf, from_elsewhere
from ..web.too_often import OPEN_TOO_LONG, no_cookie, no_cookie_came
from . import mail_views  # noqa: F401 - its views are in the blueprint now
from .find_views import search_again
from .mailbox_views import go_on
from .owners import is_owner, offer_proof
from .page import order_at, order_page, payment_to_ask_about
from .routing import bp as bp  # with all views in it, for the app
from .routing import to_order, to_payment

log = structlog.get_logger()


ASK_AGAIN_AFTER = timedelta(seconds=10)
"""How often an open order page may have the provider asked, whoever asks."""
ASK_LATE_AFTER = timedelta(minutes=1)
"""How often it may once the order's time is over, while money that comes late still counts."""
SECONDS_TO_ASK = 4.0
UNPAID = (OrderStatus.PENDING, *ENDED_UNPAID)
LONGEST_REFERENCE = 64
"""Letters that a payment's reference can have; a longer `order_id` is cut, as it can name no payment."""


@bp.get("/orders/<token>")
def order(token: str) -> ResponseReturnValue:
    """Where an order stands, and its goods once it is paid."""
    order = find_order_by_token(token)
    if order is None:
        return _to_new_link(token)
    page = order_page(order, asking="returned" in request.args)
    return render_template("orderpage/order.html", page=page)


@bp.get("/orders/<token>/status")
def order_status(token: str) -> ResponseReturnValue:
    """The parts of the order page that change, for its script; asks the provider now and then."""
    order = order_at(token)
    _ask(order, at_most_every=ASK_AGAIN_AFTER)
    page = order_page(order, asking="returned" in request.args)
    return render_template("orderpage/_order.html", page=page)


@bp.post("/orders/<token>/check")
def check(token: str) -> ResponseReturnValue:
    """Ask the provider now, because the buyer wants to know."""
    order = order_at(token)
    before = order.status
    if not _ask(order, at_most_every=timedelta(seconds=3)):
        flash(
            gettext(
                "Trybit does not answer at the moment. Your order is kept, and we keep asking."
            ),
            "info",
        )
    elif order.status in UNPAID and order.flag is OrderFlag.NONE:
        flash(gettext("We have not seen a payment yet. It can take some minutes."), "info")
    elif order.status is before:
        flash(gettext("We have asked, and nothing has changed yet."), "info")
    return to_order(order)


@bp.post("/orders/<token>/pay")
def pay(token: str) -> ResponseReturnValue:
    """Pay an unpaid order: the open invoice, or a new one after a failure or expiry."""
    order = order_at(token)
    if order.status is OrderStatus.EXPIRED:
        # It expired by our clock; only the provider knows whether its pay page is closed.
        _ask(order, at_most_every=ASK_AGAIN_AFTER)
    try:
        payment, ours = start_payment(
            order.id, partial(check_limits_again, proven=is_owner(order.email))
        )
    except OverLimit as refused:
        log.info("payment_refused", order=order.number, reason=str(refused))
        if isinstance(refused, TooManyOrders) and refused.whose == "buyer":
            return offer_proof(words_for(refused), order.email, refused.until)
        flash(words_for(refused), "warning")
        return to_order(order)
    except SoldOut:
        flash(
            gettext("Something in this order has sold out since. Please order what is left anew."),
            "warning",
        )
        return to_order(order)
    except PaymentBusy as busy:
        when = readable_seconds(busy.until)
        flash(gettext("Your order is kept. You can press again %(when)s.", when=when), "info")
        return to_order(order)
    except StillOpen:
        flash(
            gettext(
                "The pay page of this order is not closed yet. If you have sent money there, it is not lost. "
                "Otherwise wait a few minutes, and press again."
            ),
            "info",
        )
        return to_order(order)
    except (PaymentInProgress, NotPayable):
        return to_order(order)
    if ours:
        open_invoice(payment, gateway())
    return to_payment(order)


@bp.get("/payment/success")
@bp.get("/payment/fail", endpoint="payment_fail")
def payment_success() -> ResponseReturnValue:
    """Receive a buyer from the pay page. The address they come to proves nothing: the provider is asked."""
    payment = find_payment_by_reference(request.args.get("order_id", ""))
    if payment is None or payment.order.number not in remembered_orders():
        return render_template("orderpage/returned.html")
    order = payment.order
    _ask(order, at_most_every=timedelta(seconds=1))
    returned = "?returned=1" if request.endpoint == "orderpage.payment_success" else ""
    return redirect(order_path(order) + returned, 303)


@bp.post("/payment/<any(success, fail):ending>")
@csrf.exempt  # it changes nothing, and browsers send no Lax cookie with another site's form
@from_elsewhere
def returned_by_post(ending: str) -> ResponseReturnValue:
    """Receive a buyer whom a form, not a link, sends back, as other providers do: redirect to the page above."""
    endpoint = "orderpage.payment_success" if ending == "success" else "orderpage.payment_fail"
    reference = request.values.get("order_id", "")[:LONGEST_REFERENCE]
    return redirect(url_for(endpoint, order_id=reference or None), 303)


@bp.errorhandler(CSRFError)
def page_too_old(error: CSRFError) -> ResponseReturnValue:
    """Answer a form whose token has expired, most often after hours, on a page with the same button."""
    if request.endpoint == "orderpage.search":
        return search_again()
    if no_cookie_came():
        return no_cookie()
    flash(str(OPEN_TOO_LONG), "warning")
    token = (request.view_args or {}).get("token")
    return redirect(url_for("orderpage.order", token=token), 303) if token else go_on()


def _to_new_link(token: str) -> ResponseReturnValue:
    """An old link leads the browser that placed the order to the new one; for all others it is dead."""
    order = find_order_by_old_token(token)
    if order is None or order.number not in remembered_orders():
        abort(404)
    return to_order(order)


def _ask(order: Order, *, at_most_every: timedelta) -> bool:
    """Ask the provider about the order's payment, if it is time to; False if the provider did not answer."""
    payment = payment_to_ask_about(order)
    if payment and not payment.is_live:
        at_most_every = max(at_most_every, ASK_LATE_AFTER)
    if payment is None or not claim_check(payment, at_most_every):
        return True
    try:
        refresh(payment, gateway(), seconds=SECONDS_TO_ASK)
    except CryptoCloudError as error:
        log.warning("check_failed", payment=payment.reference, outcome=type(error).__name__)
        return False
    return True
