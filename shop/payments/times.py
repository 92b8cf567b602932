"""Lengths of time that must agree: each is made of those that it must outlast, so a change moves them all.

How long late money counts is the operator's to say (SHOP_LATE_PAYMENT_HOURS, a product's own hours);
what depends on it is in watching.py, and what settings it forbids in `shop/config`.
"""

from __future__ import annotations

from datetime import timedelta

from ..config import LONGEST_LATE_HOURS, WATCH_MARGIN, current_settings

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
A_DAY = timedelta(days=1)

CALL_LEASE = timedelta(seconds=30)
"""Longer than any create call lasts: a payment still `creating` after it has lost its process."""
PAID_ANEW_FOR = timedelta(days=6)
"""How long after the end of its first invoice an order may be paid anew, at the price it was placed at."""

CHECK_AFTER = tuple(timedelta(seconds=s) for s in (15, 30, 60, 120, 300, 900, 3600))
"""The pauses between questions about a young invoice; the last is that of older ones until a day after their end."""
PART_OF_AGE = 8
"""After that day the pause is the time since the invoice's end, divided by this: a year's watch costs some 75 calls."""
LONGEST_PAUSE_AFTER_END = (timedelta(hours=LONGEST_LATE_HOURS) + WATCH_MARGIN) / PART_OF_AGE * 1.2
"""The last pause, which may begin a little before the end of the longest watch, or after it."""
ABOUT_TO_EXPIRE = 5 * MINUTE
"""Invoices whose order ends so soon are asked about before others."""
WATCH_PARTIAL = timedelta(days=7)
"""The least time for which an invoice is watched after its end when a part of its money came."""
STOP_ASKING_AFTER = timedelta(days=30)
"""How long after its end an invoice is asked about that the provider never tells about; a person knows by then."""

ABANDON_UNKNOWN_AFTER = timedelta(minutes=2)
GIVE_UP_ASKING_AFTER = A_DAY
"""A provider that says nothing for so long may not keep stock from other buyers any longer."""
MATCH_WITHIN = timedelta(minutes=5)
BELIEVE_WITHIN = A_DAY
CHECK_AGAIN_AFTER = timedelta(seconds=30)
"""How soon to ask again after a failure: at the next sweep, behind the others, so that it delays none of them."""
UNCLEAR_FOR = timedelta(minutes=3)
"""How long answers about an invoice may be unclear before a person is told."""
UNCLEAR_AGAIN_AFTER = timedelta(minutes=15)
"""How soon to ask again once a person has been told that the answers about an invoice are not clear."""

TIME_FOR = {
    "nothing": timedelta(0),
    "creating": CALL_LEASE + HOUR,
    "unknown": GIVE_UP_ASKING_AFTER + HOUR,
    "delivering": HOUR,
    "answering": WATCH_MARGIN + A_DAY,
    "answering at long intervals": PART_OF_AGE * A_DAY,  # for older ones a pause is over a day
    "answering at the longest": LONGEST_PAUSE_AFTER_END + A_DAY,
    "judging": BELIEVE_WITHIN + HOUR,
}
"""How long the sweep may need for each of these; past it, the check of the books (`books/checks.py`) calls it stuck."""


def price_stands_for() -> timedelta:
    """How long after an order was placed it can be paid anew."""
    return current_settings().invoice_life + PAID_ANEW_FOR
