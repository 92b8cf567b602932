"""An invoice and what may happen to it: plain values, no clock, no network.

Everything here is frozen, so a page may read an invoice while another thread pays it.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from shop.sandbox.coins import DEFAULT_COIN, Coin, in_coin


class Status(StrEnum):
    """The states the provider's API reports; `overpaid` only when the switch asks for it."""

    CREATED = "created"
    PARTIAL = "partial"
    PAID = "paid"
    OVERPAID = "overpaid"
    CANCELED = "canceled"


class Action(StrEnum):
    """What a buyer, time or the merchant does to an invoice."""

    PAY = "pay"
    SEEN = "seen"
    SHORT = "short"
    OVER = "over"
    LATE = "late"
    EXPIRE = "expire"
    REST = "rest"
    CONFIRM = "confirm"
    CANCEL = "cancel"
    NOTHING = "nothing"


class Mode(StrEnum):
    """What becomes of the postback."""

    NORMAL = "normal"
    LOSE = "lose"
    TWICE = "twice"
    DELAY = "delay"
    FORGE = "forge"


SETTLED = (Status.PAID, Status.OVERPAID)
SILENT = (
    Action.SEEN,
    Action.SHORT,
    Action.EXPIRE,
    Action.CANCEL,
)  # the provider documents no postback for these

# The states an invoice goes through, by where it is and what happens. A partial invoice is
# cancelled at its deadline like an unpaid one: a guess, the documents speak only of unpaid ones.
_MOVES: dict[tuple[Status, Action], tuple[Status, ...]] = {
    (Status.CREATED, Action.PAY): (Status.PAID,),
    (Status.CREATED, Action.SEEN): (Status.PARTIAL,),  # all of it, not confirmed on the chain yet
    (Status.CREATED, Action.SHORT): (Status.PARTIAL,),
    (Status.CREATED, Action.OVER): (Status.PAID,),
    (Status.CREATED, Action.LATE): (Status.CANCELED, Status.PAID),
    (Status.CREATED, Action.EXPIRE): (Status.CANCELED,),
    (Status.PARTIAL, Action.REST): (Status.PAID,),
    (Status.PARTIAL, Action.LATE): (Status.CANCELED, Status.PAID),
    (Status.PARTIAL, Action.EXPIRE): (Status.CANCELED,),
    (Status.CANCELED, Action.LATE): (Status.PAID,),
    (Status.PARTIAL, Action.CONFIRM): (Status.PAID,),  # by the chain, or by a content merchant
    (Status.CREATED, Action.CONFIRM): (Status.PAID,),  # without money: test invoices only
    (Status.CREATED, Action.CANCEL): (Status.CANCELED,),
}
_WITHOUT_MONEY = (Action.EXPIRE, Action.CONFIRM, Action.CANCEL)
_SHARE_SENT = {Action.SHORT: Decimal("0.9"), Action.OVER: Decimal("1.1")}


class WrongMoment(Exception):
    """This cannot happen to an invoice in this state."""


@dataclass(frozen=True)
class Sent:
    """One postback, and what the shop said to it; without the token, which still opens doors."""

    mode: Mode
    at: datetime
    encoding: str
    fields: dict[str, object]
    answer: int | None
    body: str
    problem: str | None


@dataclass(frozen=True)
class Invoice:
    """What the shop asked for, what has arrived, and every postback about it."""

    id: str
    amount: Decimal
    currency: str
    order_id: str | None
    email: str | None
    created: datetime
    deadline: datetime
    coin: Coin = DEFAULT_COIN
    history: tuple[Status, ...] = (Status.CREATED,)
    received: Decimal = Decimal(0)
    postbacks: tuple[Sent, ...] = ()
    due: int = 0
    finished: datetime | None = None
    test_mode: bool = False
    api: str = "v1"
    chosen: bool = False
    """Whether a coin has been chosen, so that there is an address to send it to."""
    coins: tuple[Coin, ...] = ()
    """The coins that the buyer may choose from; empty if every coin may be chosen."""

    @property
    def status(self) -> Status:
        """The state the API reports now."""
        return self.history[-1]

    @property
    def settled(self) -> bool:
        """Whether the merchant has the money."""
        return self.status in SETTLED

    @property
    def price(self) -> Decimal:
        """What to send, in the chosen coin."""
        return in_coin(self.amount, self.currency, self.coin)

    @property
    def missing(self) -> Decimal:
        """What is still to be sent, in the chosen coin."""
        return max(self.price - self.received, Decimal(0))

    @property
    def unconfirmed(self) -> bool:
        """Whether all of the money has arrived and waits to be confirmed on the chain."""
        return self.status is Status.PARTIAL and not self.missing

    def can(self, action: Action) -> bool:
        """Say whether the action makes sense in the present state."""
        if action is Action.REST and self.unconfirmed:
            return False
        if action is Action.CONFIRM and self.status is Status.CREATED and not self.test_mode:
            return False
        return action is Action.NOTHING or (self.status, action) in _MOVES

    def after(
        self, action: Action, *, coin: Coin | None = None, overpaid: bool = False
    ) -> "Invoice":
        """Return the invoice as the action leaves it, or raise WrongMoment."""
        if action is Action.NOTHING:
            return self
        if not self.can(action):
            raise WrongMoment(f"The invoice is {self.status}: {action} is not possible.")
        steps = _MOVES[self.status, action]
        if action is Action.OVER and overpaid:
            steps = (Status.OVERPAID,)
        invoice = replace(self, history=self.history + steps)
        return invoice if action in _WITHOUT_MONEY else invoice._with_money(action, coin)

    def _with_money(self, action: Action, coin: Coin | None) -> "Invoice":
        # What has arrived in one coin cannot be completed in another.
        paid_in = self if self.received or coin is None else replace(self, coin=coin)
        share = _SHARE_SENT.get(action, Decimal(1))
        received = (paid_in.price * share).quantize(Decimal(1).scaleb(-paid_in.coin.places))
        return replace(paid_in, received=received, chosen=True)

    def at(self, now: datetime) -> "Invoice":
        """Return the invoice as time leaves it: cancelled once the deadline has passed."""
        overdue = now >= self.deadline and self.can(Action.EXPIRE)
        return self.after(Action.EXPIRE) if overdue else self


def announces(action: Action, mode: Mode) -> bool:
    """Say whether the provider, or a forger, has anything to send about this."""
    return mode is Mode.FORGE or action not in SILENT


def newest_first(invoices: Iterable[Invoice]) -> list[Invoice]:
    """Sort for people."""
    return sorted(invoices, key=lambda invoice: invoice.created, reverse=True)
