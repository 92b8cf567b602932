"""Finding an order again: its link is mailed, and never shown, so that asking tells a stranger nothing."""

from __future__ import annotations

from flask import flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext

from ..config import current_settings
from ..i18n import readable_wait
from ..ops.rations import UsedUp
from ..outbox.on_request import mail_link
from ..web.too_often import NO_COOKIE, OPEN_TOO_LONG, no_cookie_came, too_often
from .forms import FindForm
from .owners import is_owner
from .page import last_orders
from .routing import bp


@bp.get("/orders/find")
def find() -> ResponseReturnValue:
    """The form: email address and order number."""
    return _form(FindForm(formdata=None))


@bp.post("/orders/find")
def search() -> ResponseReturnValue:
    """Mail the order's link to its address. The answer is the same whether there is such an order or not."""
    if current_settings().mails_wait:
        return _form(
            FindForm(formdata=None)
        ), 503  # without a mail server nothing is queued: days later, nobody would expect the mail
    form = FindForm()
    if not form.validate():
        return _form(form), 422
    try:
        mail_link(form.address, form.order_number, owner=is_owner(form.address))
    except UsedUp as used:
        problem = gettext(
            "This was tried too often today. You can try again %(when)s.",
            when=readable_wait(used.until),
        )
        prove = "" if is_owner(form.address) else form.address
        return too_often((_form(form, problem, prove), 429), used.until)
    flash(
        gettext(
            "If this order number and this email address belong together, the link to the order is "
            "on its way to that address. It can take a minute or two; look into the spam folder, too."
        ),
        "info",
    )
    return redirect(url_for("orderpage.find"), 303)


def search_again() -> ResponseReturnValue:
    """The form as it was filled in, to be sent again, because its token has expired or no cookie came."""
    return _form(FindForm(), str(NO_COOKIE if no_cookie_came() else OPEN_TOO_LONG)), 400


def _form(form: FindForm, problem: str | None = None, prove: str = "") -> str:
    return render_template(
        "orderpage/find.html", form=form, problem=problem, prove=prove, orders=last_orders()
    )
