"""Which mailboxes this browser has shown to be its own.

Shown it has by a link that was mailed there, or by an order of that address that was paid here. The
cookie holds keyed hashes and times, and forgets after a week.
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
        and not order.is_free  # whoever types an address gets as far
        and order.email
        and mailbox(order.email) == mailbox(email)
        for order in orders
    )


def offer_proof(problem: str, email: str, until: datetime) -> ResponseReturnValue:
    """A page that says what went over its limit, and offers to mail the link that leads on."""
    page = render_template("orderpage/mailbox.html", problem=problem, prove=email)
    return too_often((page, 429), until)
