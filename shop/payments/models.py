"""Our payments (each one attempt to have an order paid by one invoice), and the postback inbox."""

from __future__ import annotations

import enum
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ColumnElement,
    ForeignKey,
    Index,
    String,
    Text,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.ext.hybrid import hybrid_property
from sqlalchemy.orm import Mapped, mapped_column, relationship

from ..columns import UtcDateTime, enum_column
from ..db import Base, utcnow
from ..money import Money
from ..orders.models import IllegalTransition, Order
from .cryptocloud import surplus


class PaymentState(enum.StrEnum):
    """What is known about one attempt. `unknown`: the create call was sent and no answer came."""

    CREATING = "creating"
    UNKNOWN = "unknown"
    OPEN = "open"
    PARTIAL = "partial"
    PAID = "paid"
    CANCELLED = "cancelled"
    FAILED = "failed"
    ABANDONED = "abandoned"


SAID_PAID = ("paid", "overpaid")
"""What the provider says when all of the money is there."""
SAID_OVER = "canceled"
"""What the provider says when an invoice can be paid no more."""
LONGEST_FIGURE = 12
"""Decimal places behind the first digit that people are shown of an amount; floats are true to 15."""
LIVE = (PaymentState.CREATING, PaymentState.UNKNOWN, PaymentState.OPEN, PaymentState.PARTIAL)
"""States in which an order may have one payment at most; a partial unique index sees to it."""

FRUITLESS = (
    PaymentState.CREATING,
    PaymentState.UNKNOWN,
    PaymentState.FAILED,
    PaymentState.ABANDONED,
)
"""States in which an attempt has shown its buyer no pay page."""

TRANSITIONS: Mapping[PaymentState, frozenset[PaymentState]] = {
    PaymentState.CREATING: frozenset(
        {PaymentState.OPEN, PaymentState.FAILED, PaymentState.UNKNOWN}
    ),
    PaymentState.UNKNOWN: frozenset({PaymentState.OPEN, PaymentState.ABANDONED}),
    PaymentState.OPEN: frozenset({PaymentState.PAID, PaymentState.PARTIAL, PaymentState.CANCELLED}),
    PaymentState.PARTIAL: frozenset({PaymentState.PAID, PaymentState.CANCELLED}),
    # Late money is real money.
    PaymentState.CANCELLED: frozenset({PaymentState.PAID, PaymentState.PARTIAL}),
    PaymentState.FAILED: frozenset({PaymentState.PAID}),
    PaymentState.ABANDONED: frozenset({PaymentState.PAID, PaymentState.PARTIAL}),
    PaymentState.PAID: frozenset(),
}

_live = text(f"state IN ({', '.join(repr(state.value) for state in LIVE)})")


@dataclass(frozen=True)
class Figures:
    """How much came of what was asked for, in the coin that was paid; as text, for the operator."""

    came: str
    asked: str
    difference: str
    too_much: bool

    def __str__(self) -> str:
        if self.too_much:
            return f"{self.came} came, {self.difference} more than was asked for."
        return f"{self.came} of {self.asked} came; {self.difference} is missing."


def _some(name: str, column: str, *, where: str) -> Index:
    """An index of those payments that a sweep looks for: of a hundred thousand they are a few."""
    holds = text(where)
    return Index(f"ix_payments_{name}", column, sqlite_where=holds, postgresql_where=holds)


class Payment(Base):
    """One attempt to have an order paid: at most one invoice, and never two live ones for an order."""

    __tablename__ = "payments"
    __table_args__ = (
        UniqueConstraint("order_id", "attempt"),
        Index(
            "uq_payments_live", "order_id", unique=True, sqlite_where=_live, postgresql_where=_live
        ),
        _some("next_check_at", "next_check_at", where="next_check_at IS NOT NULL"),
        _some("unclear", "unclear_since", where="unclear_since IS NOT NULL"),
        _some("in_call", "lease_until", where="state = 'creating' OR state = 'unknown'"),
        _some(
            "not_asked_about",
            "expires_at",
            where="next_check_at IS NULL AND invoice_id IS NOT NULL",
        ),
        CheckConstraint("amount_minor > 0", name="amount"),
        CheckConstraint(
            "state NOT IN ('open', 'partial', 'cancelled') OR (invoice_id IS NOT NULL AND pay_url IS NOT NULL)",
            name="invoice",
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    order_id: Mapped[int] = mapped_column(ForeignKey("orders.id"))
    attempt: Mapped[int]
    reference: Mapped[str] = mapped_column(String(64), unique=True)
    """What the provider is told as `order_id`: order number, attempt, and 64 random bits."""
    state: Mapped[PaymentState] = mapped_column(
        enum_column(PaymentState, "state"), default=PaymentState.CREATING
    )
    amount_minor: Mapped[int] = mapped_column(BigInteger)
    currency: Mapped[str] = mapped_column(String(3))
    invoice_id: Mapped[str | None] = mapped_column(String(32), unique=True)
    """The provider's id, without its INV- prefix."""
    pay_url: Mapped[str | None] = mapped_column(String(512))
    error: Mapped[str] = mapped_column(String(300), default="")
    """Why there is no invoice, in the client's words; for operators."""
    error_lasts: Mapped[bool] = mapped_column(default=False)
    """Whether the next attempt will fail in the same way, until a person has seen to the cause."""
    retry_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """When the next attempt may be made: an earlier one would fail as well."""
    provider_status: Mapped[str] = mapped_column(String(20), default="")
    """What the provider last said; `unknown` when it told something that could not be understood."""
    part_came: Mapped[bool] = mapped_column(default=False)
    """Whether the provider has ever said `partial`, whatever it says now: somebody's money is there."""
    partial_since: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """When the provider first said `partial`."""
    unclear_since: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """Since when every answer about the invoice could not be understood; empty once one can."""
    unclear_because: Mapped[str] = mapped_column(String(300), default="")
    coin: Mapped[str] = mapped_column(String(40), default="")
    due: Mapped[str] = mapped_column(String(60), default="")
    """What the invoice asks for in `coin`, an exact decimal; API v2 only, like the next two."""
    received: Mapped[str] = mapped_column(String(60), default="")
    test_mode: Mapped[bool] = mapped_column(default=False)
    """Whether the invoice is of the project's test mode: what the provider calls paid is no money then."""
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow)
    lease_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """Until then the process that made this payment may still be asking for its invoice."""
    opened_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    checked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    next_check_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    checks: Mapped[int] = mapped_column(default=0)
    paid_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    confirmed_by: Mapped[str] = mapped_column(String(80), default="")
    """Who vouched for the money, when it was a person and not the provider."""
    transaction_id: Mapped[str] = mapped_column(String(120), default="")
    refused_postbacks: Mapped[int] = mapped_column(default=0)
    """Refused postbacks that named this invoice, counted once a minute at most."""
    refused_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    """When a postback was refused: the last of those whose reason shows most about our key."""
    refused_because: Mapped[str] = mapped_column(String(20), default="")
    """Why that postback was refused, one of the client's `Refusal`s; empty if an old version kept no reason."""

    order: Mapped[Order] = relationship()

    @property
    def money(self) -> Money:
        """The amount of the invoice."""
        return Money(self.amount_minor, self.currency)

    @property
    def email(self) -> str:
        """The buyer's address."""
        return self.order.email

    @property
    def name(self) -> str:
        """The payment's name in texts for people: by its invoice, which they find at the provider."""
        return f"invoice {self.invoice_id}" if self.invoice_id else f"payment {self.reference}"

    @property
    def figures(self) -> Figures | None:
        """How much came of what was asked for; None when it was exact or the provider does not tell."""
        if not self.due or not self.received:
            return None
        due, received = Decimal(self.due), Decimal(self.received)
        if not (more := surplus(received, due)):
            return None
        came, asked, difference = with_equal_places(received, due, abs(more))
        if more > 0:
            came = self._of_coin(came)
        return Figures(came, self._of_coin(asked), self._of_coin(difference), too_much=more > 0)

    @property
    def paid_with(self) -> str:
        """What came, such as 10.01 USDT TRC20, for a receipt; empty if the provider does not tell."""
        if not self.received:
            return ""
        (received,) = with_equal_places(Decimal(self.received))
        return self._of_coin(received)

    def _of_coin(self, figure: str) -> str:
        return f"{figure} {self.coin.replace('_', ' ')}".rstrip()

    @hybrid_property
    def ends_at(self) -> datetime:
        """When the invoice ends; if that is not known, when it was opened, or when the payment was made."""
        return self.expires_at or self.opened_at or self.created_at

    @ends_at.inplace.expression
    @classmethod
    def _ends_at(cls) -> ColumnElement[datetime]:
        return func.coalesce(cls.expires_at, cls.opened_at, cls.created_at)

    @hybrid_property
    def provider_says_paid(self) -> bool:
        """Whether the provider has said that the money is there, and need not be asked any more.

        A payment can be paid without it: when a person has vouched for the money.
        """
        return self.provider_status in SAID_PAID

    @provider_says_paid.inplace.expression
    @classmethod
    def _provider_says_paid(cls) -> ColumnElement[bool]:
        return cls.provider_status.in_(SAID_PAID)

    @property
    def is_left_open(self) -> bool:
        """Whether the shop has closed the payment and the provider has not: its page may still take money."""
        return self.state is PaymentState.CANCELLED and self.provider_status != SAID_OVER

    @property
    def is_live(self) -> bool:
        """Whether this attempt may still lead to a payment in the ordinary way."""
        return self.state in LIVE

    def move(self, state: PaymentState) -> None:
        """Go to `state`; IllegalTransition if the table has no such edge."""
        if state not in TRANSITIONS[self.state]:
            raise IllegalTransition(f"payment {self.reference}: {self.state} -> {state}")
        self.state = state


def with_equal_places(*figures: Decimal) -> list[str]:
    """Figures for people: with equally many decimal places, two at least, and no noise of floats."""
    noise = max((figure.adjusted() for figure in figures if figure), default=0) - LONGEST_FIGURE
    clean = [round(figure, max(2, -noise)) for figure in figures]
    exponents = [figure.normalize().as_tuple().exponent for figure in clean]
    places = max(2, *(-exponent for exponent in exponents if isinstance(exponent, int)))
    return [f"{figure:.{places}f}" for figure in clean]


def new_reference(number: str, attempt: int) -> str:
    """A reference that names its order to a person and cannot be guessed by a stranger."""
    return f"{number}-{attempt}-{secrets.token_hex(8)}"


class Postback(Base):
    """The inbox: a proven postback about one invoice, kept until it has been acted upon."""

    __tablename__ = "postbacks"
    __table_args__ = (
        Index(
            "ix_postbacks_not_done",
            "last_at",
            sqlite_where=text("done_at IS NULL"),
            postgresql_where=text("done_at IS NULL"),
        ),
    )

    invoice_id: Mapped[str] = mapped_column(String(32), primary_key=True)
    hits: Mapped[int] = mapped_column(default=1)
    first_at: Mapped[datetime] = mapped_column(UtcDateTime)
    last_at: Mapped[datetime] = mapped_column(UtcDateTime)
    claimed_status: Mapped[str] = mapped_column(String(120))
    claimed_amount: Mapped[str] = mapped_column(String(120))
    claimed_currency: Mapped[str] = mapped_column(String(120))
    claimed_order: Mapped[str] = mapped_column(String(120))
    verdict: Mapped[str] = mapped_column(Text, default="")
    done_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
