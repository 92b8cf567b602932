"""How much of an amount came, as a sentence in the language of the page or the mail."""

from __future__ import annotations

from flask_babel import gettext

from ..i18n import speaking
from ..orders.models import Order
from .models import Figures, Payment


def figures_in_words(figures: Figures | None) -> str:
    """How much came of what was asked for, in a sentence; empty when there is nothing to tell."""
    if figures is None:
        return ""
    if figures.too_much:
        return gettext(
            "%(came)s came, %(difference)s more than was asked for.",
            came=figures.came,
            difference=figures.difference,
        )
    return gettext(
        "%(came)s of %(asked)s came; %(difference)s is missing.",
        came=figures.came,
        asked=figures.asked,
        difference=figures.difference,
    )


def figures_for_buyer(order: Order, payment: Payment) -> str:
    """How much of the money came, in a sentence in the order's language, for its mails."""
    with speaking(order.language):
        return figures_in_words(payment.figures)
