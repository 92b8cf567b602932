"""Which mailboxes this browser has shown to be its own, and how it does so.

Shown it has by a link that was mailed there, or by an order of that address that was paid here. The
cookie holds keyed hashes and times, and forgets after a week.
"""

from __future__ import annotations

import time
from datetime import datetime

from flask import Blueprint, abort, flash, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext, lazy_gettext
from flask_wtf.csrf import CSRFError

from ..i18n import readable_wait
from ..mailbox import NotAnAddress, mailable, mailbox
from ..ops.rations import UsedUp
from ..orders.queries import find_order
from ..outbox.proofs import mail_proof, read_proof
from ..web.clients import client_key, mailbox_keys
from .cart import for_private_pages, quantities
from .remembered import remembered_orders
from .waiting import OPEN_TOO_LONG, no_cookie, no_cookie_came, too_often

bp = Blueprint("owners", __name__)
bp.context_processor(for_private_pages)

REMEMBERED_SECONDS = 7 * 24 * 3600
MAILBOXES_REMEMBERED = 3
LINK_IS_OLD = lazy_gettext("This link does not work any more. Ask for a new one.")


def is_owner(email: str) -> bool:
    """Whether this browser has shown that mails to the address reach its user."""
    proven = _proven()
    if any(key in proven for key in mailbox_keys(email)):
        return True
    orders = (find_order(number) for number in remembered_orders())
    return any(
        order
        and order.paid_at
        and not order.is_free  # whoever types an address gets as far
        and order.email
        and mailbox(order.email) == mailbox(email)
        for order in orders
    )


@bp.post("/mailbox")
def ask() -> ResponseReturnValue:
    """Mail the link. The answer is the same whatever the shop knows of the address."""
    try:
        email = mailable(request.form.get("email", ""))
    except NotAnAddress:
        abort(422)
    try:
        mail_proof(email, client_key(request.remote_addr))
    except UsedUp as used:
        problem = gettext(
            "This was tried too often today. You can try again %(when)s.",
            when=readable_wait(used.until),
        )
        return offer_proof(problem, email, used.until)
    flash(
        gettext(
            "A link is on its way to %(address)s, or was mailed there today already. Open it in "
            "this browser; it works for two days. Look into the spam folder, too.",
            address=email,
        ),
        "info",
    )
    return _go_on()


@bp.get("/mailbox/<token>")
def prove(token: str) -> ResponseReturnValue:
    """The mailed link: this browser's user reads that mailbox."""
    key = read_proof(token)
    if key is None:
        flash(str(LINK_IS_OLD), "warning")
    else:
        kept = {known: at for known, at in _proven().items() if known != key}
        newest = sorted(kept.items(), key=lambda each: -each[1])[: MAILBOXES_REMEMBERED - 1]
        session["mailboxes"] = {key: int(time.time()), **dict(newest)}
        flash(gettext("Your address is confirmed in this browser. Go on here."), "success")
    return _go_on()


@bp.errorhandler(CSRFError)
def page_too_old(error: CSRFError) -> ResponseReturnValue:
    """The token has expired: the page that offered the link is a step back."""
    if no_cookie_came():
        return no_cookie()
    flash(str(OPEN_TOO_LONG), "warning")
    return _go_on()


def offer_proof(problem: str, email: str, until: datetime) -> ResponseReturnValue:
    """A page that says what went over its limit, and offers to mail the link that leads on."""
    page = render_template("checkout/mailbox.html", problem=problem, prove=email)
    return too_often((page, 429), until)


def _go_on() -> ResponseReturnValue:
    """To what was stopped: buying what is in the cart, or looking for an order."""
    return redirect(url_for("checkout.cart" if quantities() else "finding.find"), 303)


def _proven() -> dict[str, int]:
    stored = session.get("mailboxes")
    since = time.time() - REMEMBERED_SECONDS
    return {
        key: at
        for key, at in (stored.items() if isinstance(stored, dict) else ())
        if isinstance(at, int) and at > since
    }
