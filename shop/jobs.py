"""The periodic work, as plain functions that can be called at any time and as often as one likes."""

from __future__ import annotations

from collections.abc import Callable

import structlog

from .attention.kinds import AttentionKind
from .attention.service import keep_attention
from .books import service as books
from .db import transaction, utcnow
from .fulfilment.files import Looks, close_found_files, look_at_some
from .fulfilment.letters import compose
from .fulfilment.queries import undelivered_orders
from .fulfilment.service import deliver_order
from .limits.service import forget_placements
from .moments import set_right
from .ops.for_each import for_each
from .ops.rations import forget_past
from .ops.vitals import note_run
from .outbox.sending import send_due_mails
from .payments import sweep as payments
from .payments.gateway import gateway
from .privacy.service import erase_due
from .surroundings import look_around

log = structlog.get_logger()


def sweep() -> None:
    """See to all that may have been left behind: payments, books, deliveries, mails, files; and look around.

    An error in one part does not keep the others from their work. It is raised at the end, so that
    the sweep does not count as done and `flask doctor` shows it.
    """
    parts = (
        set_clock_right,
        check_payments,
        check_books,
        compare_books,
        deliveries,
        mails,
        files,
        look_around,
        forget,
    )
    for_each(parts, lambda part: part(), "the sweep's parts")


def set_clock_right() -> None:
    """Let nothing wait for a moment that a wrong clock has written."""
    set_right(gateway())


def check_payments() -> None:
    """Ask the provider about what is open, and close what is over."""
    payments.sweep(gateway())


def check_books() -> None:
    """Put before a person whatever in the books contradicts itself."""
    books.check()


def compare_books() -> None:
    """Compare the database with the journal and with the provider's list, in case it is an older copy."""
    books.compare(gateway())


def deliveries() -> None:
    """Hand out the goods of paid orders whose process died in between, or that waited for keys or a file."""
    looks = Looks()
    close_found_files(looks)
    for_each(undelivered_orders(), lambda order: deliver_order(order, looks), "undelivered orders")


def files() -> None:
    """Look at some of the files that are sold, the next ones each minute."""
    look_at_some(Looks(), utcnow())


def mails() -> None:
    """Send what the outbox holds."""
    send_due_mails(compose)


def forget() -> None:
    """Erase what has been kept for long enough: yesterday's counts, buyers of old orders, who placed what."""
    forget_past()
    forget_placements()
    erase_due()


JOBS: dict[str, Callable[[], None]] = {"sweep": sweep, "deliveries": deliveries, "mails": mails}


def run(name: str) -> None:
    """Run a job and note that it ran, so that `flask doctor` can tell when the worker has stopped."""
    JOBS[name]()
    with transaction("job_run") as session:
        note_run(session, name, utcnow())
    if name == "sweep":
        # If the watch has told a person that the worker is silent, that is over.
        keep_attention(AttentionKind.WORKER_SILENT, "worker", "")
    log.debug("job_done", job=name)
