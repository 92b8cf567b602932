"""Setting right stored moments that lie too far ahead: a clock was fast when they were written, and is right now.

Mails, payments and checks that wait for such a moment would wait for as long as the clock was wrong. So each column
has a furthest distance ahead of now, and a moment beyond it is set back.

Moments look just the same when the clock is wrong now, and slow. A check that is made too early then does no harm.
But where something would be lost, such as time to pay, a moment is set back only if the provider's clock bears
ours out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import structlog
from sqlalchemy import ColumnElement, Table, and_, exists, select, true, update
from sqlalchemy.orm import InstrumentedAttribute

from .catalogue.models import ExchangeRate
from .config import LONGEST_INVOICE_HOURS, current_settings
from .db import db, end_read, rows_changed, transaction, utcnow
from .fulfilment.models import Delivery
from .limits.models import Placement
from .ops.models import JobRun, Silence
from .orders.models import ENDED_UNPAID, Order, OrderStatus
from .outbox.models import MailState, OutboxMail
from .outbox.on_request import FIRST_MAIL_WAITS
from .outbox.sending import LEASE, LONGEST_PAUSE
from .payments.cryptocloud import LONGEST_WAIT, CryptoCloud, CryptoCloudError
from .payments.models import Payment, PaymentState, Postback
from .payments.times import A_DAY, CALL_LEASE, LONGEST_PAUSE_AFTER_END
from .payments.watching import pause_after

log = structlog.get_logger()

CLOCKS_DIFFER = timedelta(minutes=5)
"""How far the clocks of a shop's machines may be apart without one setting right what another wrote."""
NOTHING = timedelta(0)
AGES = [days * A_DAY for days in (1, 8, 16, 32, 64, 128, 256)]
"""Times since an invoice ended: the pause between two questions grows with them, and so does the furthest distance."""

Moment = InstrumentedAttribute[datetime] | InstrumentedAttribute[datetime | None]


@dataclass(frozen=True)
class Bound:
    """A column, and how far ahead of the clock it is ever set."""

    column: Moment
    ahead: timedelta = NOTHING
    """How far ahead; not at all for a column that says when something happened."""
    instead: timedelta = NOTHING
    """How far ahead of the clock a moment beyond the bound is set."""
    where: ColumnElement[bool] = field(default_factory=true)
    needs_witness: bool = False
    """Whether something is lost if it is set back wrongly."""

    @property
    def table(self) -> Table:
        """The table of the column."""
        return self.column.class_.__table__  # type: ignore[no-any-return]

    def is_passed(self, now: datetime) -> ColumnElement[bool]:
        """Whether a row's moment lies beyond the bound."""
        return and_(self.column > now + self.ahead + CLOCKS_DIFFER, self.where)


def bounds(now: datetime) -> list[Bound]:
    """The bounds of all moments that something waits for or counts from; those that only tell the past have none."""
    life, longest = current_settings().invoice_life, timedelta(hours=LONGEST_INVOICE_HOURS)
    waits, sends = OutboxMail.state == MailState.QUEUED, OutboxMail.state == MailState.SENDING
    pending = Order.status == OrderStatus.PENDING
    has_ended = Order.status.in_(ENDED_UNPAID)
    has_invoice = exists().where(Payment.order_id == Order.id, Payment.state == PaymentState.OPEN)
    return [
        Bound(Delivery.delivered_at, needs_witness=True),
        Bound(Delivery.last_download_at),
        Bound(Delivery.renewed_at, needs_witness=True),
        Bound(ExchangeRate.set_at, needs_witness=True),
        Bound(JobRun.finished_at),
        Bound(Order.created_at, needs_witness=True),
        Bound(Order.expires_at, life, life, where=pending & ~has_invoice, needs_witness=True),
        # Its invoice may have been made when the settings gave more time.
        Bound(Order.expires_at, longest + A_DAY, life, where=~has_ended, needs_witness=True),
        Bound(Order.expires_at, where=has_ended, needs_witness=True),
        Bound(OutboxMail.next_try_at, FIRST_MAIL_WAITS, where=and_(waits, OutboxMail.tries == 0)),
        Bound(OutboxMail.next_try_at, LONGEST_PAUSE, where=waits),
        Bound(OutboxMail.lease_until, LEASE, where=sends),
        Bound(OutboxMail.sent_at),
        Bound(Payment.created_at, needs_witness=True),
        Bound(Payment.opened_at, needs_witness=True),
        Bound(Payment.expires_at, longest + A_DAY, life, needs_witness=True),
        Bound(Payment.lease_until, CALL_LEASE),
        Bound(Payment.retry_at, timedelta(seconds=LONGEST_WAIT)),
        Bound(Payment.checked_at),
        *(
            Bound(Payment.next_check_at, pause_after(age), where=Payment.ends_at > now - age)
            for age in AGES
        ),
        Bound(Payment.next_check_at, LONGEST_PAUSE_AFTER_END),
        Bound(Payment.partial_since),
        Bound(Payment.unclear_since),
        Bound(Payment.refused_at),
        Bound(Placement.placed_at),
        Bound(Postback.first_at),
        Bound(Postback.last_at),
        Bound(Silence.since),
    ]


def set_right(gateway: CryptoCloud, now: datetime | None = None) -> None:
    """Set back what lies too far ahead; nothing is asked or written while no clock was wrong."""
    now = now or utcnow()
    beyond = _passed(bounds(now), now)
    if any(bound.needs_witness for bound in beyond) and not _is_borne_out(gateway):
        beyond = [bound for bound in beyond if not bound.needs_witness]
    for bound in beyond:
        right = {bound.column.key: now + bound.instead}
        with transaction("clock") as session:
            found = update(bound.table).where(bound.is_passed(now))
            rows = rows_changed(session, found.values(right))
        log.warning("clock_was_ahead", moment=str(bound.column), rows=rows)


def _passed(bounds: Sequence[Bound], now: datetime) -> list[Bound]:
    """The bounds beyond which a row lies, found in one statement."""
    rows = (select(1).select_from(bound.table).where(bound.is_passed(now)) for bound in bounds)
    found = db.session.execute(
        select(*(exists(some).label(f"b{n}") for n, some in enumerate(rows)))
    )
    return [bound for bound, passed in zip(bounds, found.one(), strict=True) if passed]


def _is_borne_out(gateway: CryptoCloud) -> bool:
    """Whether the provider's clock shows the same as ours; False if the provider tells no time."""
    end_read()
    try:
        ahead = gateway.check_key()
    except CryptoCloudError:
        return False
    return ahead is not None and abs(ahead) < CLOCKS_DIFFER.total_seconds()
