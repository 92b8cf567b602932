"""Showing that a mailbox is this browser's own: asking for a link there, and opening it."""

from __future__ import annotations

from flask import abort, flash, redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext, lazy_gettext

from ..i18n import readable_wait
from ..mailbox import NotAnAddress, mailable
from ..ops.rations import UsedUp
from ..outbox.proofs import mail_proof, read_proof
from ..web.network import client_key
from ..web.remembered import quantities, remember_mailbox
from .owners import offer_proof
from .routing import bp

LINK_IS_OLD = lazy_gettext("This link does not work any more. Ask for a new one.")


@bp.post("/mailbox")
def ask_for_proof() -> ResponseReturnValue:
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
    return go_on()


@bp.get("/mailbox/<token>")
def prove(token: str) -> ResponseReturnValue:
    """Open the mailed link, and remember that this browser's user reads that mailbox."""
    key = read_proof(token)
    if key is None:
        flash(str(LINK_IS_OLD), "warning")
    else:
        remember_mailbox(key)
        flash(gettext("Your address is confirmed in this browser. Go on here."), "success")
    return go_on()


def go_on() -> ResponseReturnValue:
    """Redirect to what was interrupted: to the cart if something is in it, else to the search for an order."""
    # By its path and not by its endpoint: the cart's package stands above this one.
    cart = f"{request.script_root}/cart"
    return redirect(cart if quantities() else url_for("orderpage.find"), 303)
