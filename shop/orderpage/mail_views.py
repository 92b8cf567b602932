"""What a buyer can do about an order's mails: have them sent again, or to another address."""

from __future__ import annotations

from flask import flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext

from ..i18n import readable_wait
from ..ops.rations import UsedUp
from ..orders.links import order_token
from ..orders.models import Order
from ..outbox import on_request
from ..outbox.on_request import MailboxUsedUp, NotCorrectable, send_again
from ..web.too_often import too_often
from .forms import AddressForm
from .owners import is_owner, offer_proof
from .page import order_at
from .routing import bp, to_order


@bp.post("/orders/<token>/mail")
def mail_again(token: str) -> ResponseReturnValue:
    """Send the order's mail once more."""
    order = order_at(token)
    try:
        goes = send_again(order.id, owner=is_owner(order.email))
    except UsedUp as used:
        words = gettext(
            "This mail was sent already. You can have it sent again %(when)s.",
            when=readable_wait(used.until),
        )
        if isinstance(used, MailboxUsedUp):
            return offer_proof(words, order.email, used.until)
        flash(words, "warning")
    else:
        if goes:
            flash(gettext("The mail goes to %(address)s now.", address=order.email), "success")
        else:
            flash(gettext("The mail still waits for our mail server. We keep trying."), "info")
    return redirect(url_for("orderpage.order", token=token), 303)


@bp.get("/orders/<token>/address")
def address(token: str) -> ResponseReturnValue:
    """The form for another email address."""
    order = order_at(token)
    if not order.can_correct_address:
        return _too_late(order)
    return _form(order, AddressForm(formdata=None))


@bp.post("/orders/<token>/address")
def correct_address(token: str) -> ResponseReturnValue:
    """Send the order's mails to another address. The page gets a new link: the wrong mailbox has the old one."""
    order = order_at(token)
    form = AddressForm()
    if order.can_correct_address and not form.validate(not_this=order.email):
        return _form(order, form), 422
    try:
        on_request.correct_address(order.id, form.address, owner=is_owner(form.address))
    except NotCorrectable:
        return _too_late(order)
    except UsedUp as used:
        problem = gettext(
            "One of the two addresses has had too many mails today. You can change it %(when)s.",
            when=readable_wait(used.until),
        )
        return too_often((_form(order, form, problem), 429), used.until)
    flash(
        gettext(
            "Mails about this order go to %(address)s from now on. "
            "This page has a new link, and the old one no longer works.",
            address=form.address,
        ),
        "success",
    )
    return to_order(order)


def _form(order: Order, form: AddressForm, problem: str | None = None) -> str:
    return render_template(
        "orderpage/address.html",
        form=form,
        problem=problem,
        number=order.number,
        email=order.email,
        order_url=url_for("orderpage.order", token=order_token(order)),
        form_url=url_for("orderpage.correct_address", token=order_token(order)),
    )


def _too_late(order: Order) -> ResponseReturnValue:
    flash(
        gettext(
            "The address of this order cannot be changed any more: it was changed once, "
            "or the order is closed or delivered. Write to us if you need help."
        ),
        "warning",
    )
    return to_order(order)
