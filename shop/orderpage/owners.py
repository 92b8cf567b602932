"""Which mailboxes this browser has shown to be its own.

A browser shows it in two ways: it opens a link that was mailed there, or it has placed an order with that
address, and the order was paid. The cookie holds keyed hashes and times of opened links for a week.
"""

from __future__ import annotations

from datetime import datetime

from flask import render_template
from flask.typing import ResponseReturnValue

from ..mailbox import mailbox
from ..orders.queries import find_order
from ..web.network import mailbox_keys
from ..web.remembered import remembered_mailboxes, remembered_orders
from ..web.too_often import too_often


def is_owner(email: str) -> bool:
    """Whether this browser has shown that mails to the address reach its user."""
    proven = remembered_mailboxes()
    if any(key in proven for key in mailbox_keys(email)):
        return True
    orders = (find_order(number) for number in remembered_orders())
    return any(
        order
        and order.paid_at
        and not order.is_free  # anybody can place a free order with anybody's address
        and order.email
        and mailbox(order.email) == mailbox(email)
        for order in orders
    )


def offer_proof(problem: str, email: str, until: datetime) -> ResponseReturnValue:
    """A page that says which limit was reached, and offers to mail `email` a link by which its owner goes on."""
    page = render_template("orderpage/mailbox.html", problem=problem, prove=email)
    return too_often((page, 429), until)
