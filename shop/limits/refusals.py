"""The words for a buyer whose order goes over a limit."""

from __future__ import annotations

from flask_babel import gettext, ngettext

from ..i18n import readable_wait
from .service import HoldsTooMuch, OverLimit, TooManyOrders


def words_for(refused: OverLimit) -> str:
    """Why there is no order, and what to do."""
    if isinstance(refused, TooManyOrders):
        return str(_too_many(refused))
    if isinstance(refused, HoldsTooMuch):
        return str(_too_much(refused))
    return str(
        gettext(
            "%(title)s is free, once for each email address, and this address has got it already. "
            "Look for our mail, or take it out of your cart.",
            title=refused.title,
        )
    )


def _too_much(refused: HoldsTooMuch) -> object:
    if refused.free:
        return gettext(
            "%(title)s is free, and your network has had its share of it for today. "
            "Take it out of your cart, or try again tomorrow.",
            title=refused.title,
        )
    if not refused.left:
        return gettext(
            "You have already set aside as many of %(title)s as one buyer can without paying. "
            "Pay for them first, then order more.",
            title=refused.title,
        )
    return ngettext(
        "You can order %(num)s more of %(title)s now. Pay for it, then order the rest.",
        "You can order %(num)s more of %(title)s now. Pay for them, then order the rest.",
        refused.left,
        title=refused.title,
    )


def _too_many(refused: TooManyOrders) -> object:
    when = readable_wait(refused.until)
    if refused.whose == "buyer":
        return gettext(
            "Too many orders for this email address wait for payment. Pay for one of them, "
            "or try again %(when)s. Your cart is kept.",
            when=when,
        )
    if refused.whose == "mails":
        return gettext(
            "This email address has had as many mails today as can be sent without a payment. "
            "Try again %(when)s. Your cart is kept.",
            when=when,
        )
    if refused.whose == "client":
        return gettext(
            "Too many orders from your network wait for payment. Pay for yours if one is among them, "
            "or try again %(when)s. Your cart is kept.",
            when=when,
        )
    if refused.whose == "attempts":
        return gettext(
            "Many attempts to pay from your network have just failed. Try again %(when)s. "
            "Your order is kept.",
            when=when,
        )
    return gettext(
        "Many orders have come from your network in a short time. Try again %(when)s. "
        "Your cart is kept.",
        when=when,
    )
