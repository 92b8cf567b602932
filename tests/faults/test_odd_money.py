"""Row 20 of docs/promises.md: money that is late, partial, too much, twice, foreign, or for goods that are gone.

Each story has one right ending. Buyer, shop and provider are the real ones, in one process and with a clock
that is moved by hand (tests/support/world.py); tests/journeys plays some of the same over sockets.
"""

from __future__ import annotations

import contextlib
import re
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from decimal import Decimal
from email.message import EmailMessage
from html import unescape
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import select

from shop import jobs
from shop.attention.queries import open_attention
from shop.because import Because
from shop.config import Settings
from shop.db import db
from shop.orders.links import order_token
from shop.orders.models import Order
from shop.outbox.models import MailState, OutboxMail
from shop.payments.by_hand import NotPossible, cancel_order, confirm_order, refund_order
from shop.sandbox.coins import COINS
from shop.sandbox.invoices import Action, Mode, Status
from shop.sandbox.postbacks import _announce, happen
from tests.buyer import Buyer
from tests.conftest import make_settings
from tests.factories import gateway, make_product
from tests.journeys.books import Books
from tests.support.ledger import tally, truth_of, violations
from tests.support.promises import Promise
from tests.support.world import PAY_ORIGINS, PROVIDER, SHOP, World, running_world

USDT = COINS["USDT_TRC20"]
END, HONOURED = 24, 72
"""Hours: how long a buyer has to pay, and how late money still counts where nothing else is said."""


class Play:
    """One order from the product page to its odd ending; the verbs of everybody in it."""

    def __init__(self, world: World, **product: object) -> None:
        self.world, self.sandbox, self.app = world, world.sandbox, world.app
        self.books, self.buyer = Books(world.app), Buyer(world.app)
        with self.app.app_context():
            made = make_product(**{"stock": 2, "price": 1001} | product)  # type: ignore[arg-type]
            self.slug = made.slug

    def buys(self) -> str:
        """The buyer is on the pay page; the invoice's id."""
        return self.buyer.buys(self.slug).rpartition("/")[2]

    def pays_again(self) -> str:
        """The buyer starts a new payment of the order; its invoice."""
        self.looks()
        return self.buyer.presses("pay").headers["Location"].rpartition("/")[2]

    def another_buys(self, quantity: int) -> None:
        """Somebody else takes units; the order stays the oldest one."""
        Buyer(self.app, "other@example.com").buys(self.slug, quantity)

    def does(self, action: Action, invoice: str, mode: Mode = Mode.NORMAL) -> None:
        """The buyer, or the merchant at the provider, does something with an invoice."""
        happen(self.sandbox, invoice, action, mode, coin=USDT, wait=True)

    def passes(self, **time: float) -> None:
        """Time goes by, and then the worker makes a round."""
        self.world.clock.ahead += timedelta(**time)
        self.sweeps()

    def sweeps(self) -> None:
        with self.app.app_context():
            jobs.run("sweep")

    def cancels(self) -> None:
        with self.app.app_context():
            cancel_order(self.order(), gateway(self.app), Because("asked to", "Ann"))

    def confirms(self) -> None:
        with self.app.app_context():
            seen = Because("seen", "Ann")
            confirm_order(self.order(), gateway(self.app), seen, transaction_id="0xfeed")

    def refunds(self, transaction_id: str = "") -> None:
        with self.app.app_context():
            refund_order(self.order(), Because("asked to", "Ann"), transaction_id=transaction_id)

    def provider_says(self, invoice: str, **facts: object) -> None:
        """The provider is of another opinion about an invoice than it was."""
        self.sandbox._keep(replace(self.sandbox.get(invoice), **facts))  # type: ignore[arg-type]

    def part_comes_late(self, invoice: str) -> None:
        """Nine tenths of the amount, after the end; no button of the sandbox does that."""
        late = self.sandbox.get(invoice)
        self.provider_says(
            invoice,
            history=(*late.history, Status.PARTIAL),
            deadline=late.deadline + timedelta(days=7),
            coin=USDT,
            received=Decimal("9.01"),
        )

    def order(self) -> Order:
        return db.session.scalars(select(Order).order_by(Order.id)).first()  # type: ignore[return-value]

    def looks(self) -> str:
        """The text of the order page, as a person reads it."""
        with self.app.app_context():
            path = f"/orders/{order_token(self.order())}"
        main = self.buyer.opens(path).text.partition("<main")[2]
        return unescape(" ".join(re.sub(r"<[^>]*>", "", main).split()))


@dataclass(frozen=True)
class Ending:
    """What must be true in the end."""

    status: str = ""
    flag: str = "none"
    waits: tuple[str, ...] = ()
    """Attention items that are open; of each the operator hears in exactly one mail."""
    mails: tuple[str, ...] = ()
    """To the buyer, by template, as they were written."""
    page: tuple[str, ...] = ()
    letter: tuple[str, ...] = ()
    """Words of the buyer's last mail."""
    delivered: int = 0
    left: int = 2
    note: str = ""
    """Words of the first open item."""


Story = Callable[[Play], None]


@dataclass(frozen=True)
class Case:
    """A story with its right ending."""

    name: str
    story: Story
    ending: Ending
    api: str = "12"
    product: dict[str, object] = field(default_factory=dict)
    live: bool = False
    """A shop in production, where a test invoice buys nothing."""


COUNTS = "It counts all the same."
NOT_AGAIN = "Please do not pay again."
LATE = Ending(
    "fulfilled", "paid_late", (), ("order-delivered",), ("Paid, thank you", COUNTS), (), 1, 1
)
TOO_LATE = Ending(
    "review",
    "paid_late",
    ("paid_late",),
    ("order-review",),
    ("A person will look at this order", "long after this order was closed", NOT_AGAIN),
    ("It came long after its time.", NOT_AGAIN),
    note="was paid long after its end.",
)


def late(hours: float, mode: Mode = Mode.NORMAL) -> Story:
    """The money comes so many hours after the order's end."""

    def story(play: Play) -> None:
        invoice = play.buys()
        play.passes(hours=END, minutes=1)
        play.passes(hours=hours, minutes=-2 if hours else 0)
        play.does(Action.LATE, invoice, mode)

    return story


def late_after_hours_of(hours: float) -> Story:
    """The same, some minutes too late."""
    return lambda play: late(hours + 0.1)(play)


def cancelled(hours: float) -> Story:
    """A person closes the order, and later the money comes."""

    def story(play: Play) -> None:
        invoice = play.buys()
        play.cancels()
        play.passes(hours=hours)
        play.provider_says(invoice, history=(Status.CREATED,))  # v2: the cancelling came too late
        play.does(Action.LATE, invoice)

    return story


def part(play: Play) -> str:
    """Nine tenths of the amount are there, and the shop knows."""
    invoice = play.buys()
    play.does(Action.SHORT, invoice)
    play.passes(seconds=20)
    return invoice


def part_then_rest(play: Play) -> None:
    play.does(Action.REST, part(play))


def part_then_nothing(play: Play) -> None:
    part(play)
    play.passes(hours=END, minutes=1)


def part_then_rest_in_review(play: Play) -> None:
    invoice = part(play)
    play.passes(hours=END, minutes=1)
    play.does(Action.LATE, invoice)


def part_after_the_end(play: Play) -> None:
    invoice = play.buys()
    play.passes(hours=END, minutes=1)
    play.part_comes_late(invoice)
    play.passes(hours=1.1)


def part_and_end_unseen(play: Play) -> None:
    """Both before the shop looks: v2 tells what came, v1 just that it is over."""
    invoice = play.buys()
    play.does(Action.SHORT, invoice)
    play.does(Action.EXPIRE, invoice)
    play.passes(minutes=1)


def part_of_an_ended_invoice(play: Play) -> str:
    """A part came by the old invoice, which the provider closes; the new one is open."""
    first, second = two_invoices(play)
    play.part_comes_late(first)
    play.passes(hours=1.1)
    play.provider_says(first, history=(*play.sandbox.get(first).history, Status.CANCELED))
    play.passes(hours=1.1)
    return second


def part_of_an_ended_invoice_and_the_new_one(play: Play) -> None:
    play.does(Action.PAY, part_of_an_ended_invoice(play))
    play.passes(hours=1)


def part_of_an_ended_invoice_only(play: Play) -> None:
    part_of_an_ended_invoice(play)
    play.passes(hours=END)


def refunded_and_closed(play: Play) -> None:
    """A person has paid the part back, and then the provider closes its invoice."""
    invoice = part(play)
    play.provider_says(invoice, deadline=play.sandbox.get(invoice).deadline + timedelta(days=2))
    play.passes(hours=END, minutes=1)
    play.refunds("tx-1")
    play.passes(days=2)


def twice_and_refunded_once(play: Play) -> None:
    """A refund was due before the second payment came: sending that back settles one of the two."""
    first, second = two_invoices(play)
    play.does(Action.PAY, second)
    play.refunds()
    play.does(Action.LATE, first)
    play.refunds("tx-1")


def closed_early(play: Play) -> None:
    """The invoice ends before its time, and is paid an hour later."""
    invoice = play.buys()
    play.does(Action.EXPIRE, invoice)
    play.passes(hours=1)
    play.does(Action.LATE, invoice)


def part_of_the_old_invoice(play: Play) -> None:
    """The buyer has a new invoice when a part of the old one comes, and pays it too."""
    first, second = two_invoices(play)
    play.part_comes_late(first)
    play.passes(hours=1.1)
    assert "by an earlier payment of this order" in play.looks()
    play.does(Action.PAY, second)
    play.passes(hours=1)


def part_confirmed_by_the_merchant(play: Play) -> None:
    play.does(Action.CONFIRM, part(play))


def confirmed_by_hand(pays: Action | None, forged: bool = False) -> Story:
    """A person has seen the money; what the buyer does with the invoice afterwards."""

    def story(play: Play) -> None:
        invoice = play.buys()
        play.confirms()
        if forged:  # which must not end the watch
            _announce(play.sandbox, play.sandbox.get(invoice), Mode.FORGE)
        if pays:
            play.does(pays, invoice, Mode.LOSE)
        play.passes(hours=1)

    return story


def confirmed_and_paid_when_nobody_answers(play: Play) -> None:
    """The last look at the invoice falls into an outage, and so does the postback."""
    invoice = play.buys()
    play.confirms()
    play.passes(hours=2 * END - 1)
    play.world.wire = "cut"
    play.does(Action.LATE, invoice)
    play.passes(hours=1, minutes=1)
    play.world.wire = "well"
    play.passes(hours=1, minutes=1)


def confirmed_and_the_old_invoice_paid(play: Play) -> None:
    """The money that the person has seen was for the first invoice; the second is noted as paid."""
    first, _ = two_invoices(play)
    play.confirms()
    play.does(Action.LATE, first)


def confirmed_and_a_test_invoice(play: Play) -> None:
    invoice = play.buys()
    play.confirms()
    play.provider_says(invoice, test_mode=True)
    play.does(Action.PAY, invoice)


def confirmed_when_the_provider_knows(play: Play) -> None:
    invoice = play.buys()
    play.does(Action.PAY, invoice, Mode.LOSE)
    with contextlib.suppress(NotPossible):  # it is paid already, by the provider's word
        play.confirms()
    play.passes(hours=1)


def a_test_invoice_for_a_sold_order(play: Play) -> None:
    first, second = two_invoices(play)
    play.does(Action.PAY, second)
    play.provider_says(first, test_mode=True)
    play.does(Action.LATE, first)


def another_amount_from_the_start(play: Play) -> None:
    """The invoice is refused when it is made, and must not be found for this payment afterwards."""
    make = play.sandbox.create
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(play.sandbox, "create", lambda amount, *a, **k: make(amount * 3, *a, **k))
        play.buyer.buys(play.slug)
    play.passes(seconds=40)
    assert "The payment page did not open" in play.looks()
    play.does(Action.PAY, play.sandbox.invoices()[0].id)
    play.passes(minutes=1)  # its order is found, in the next round its state


def over(reported: bool) -> Story:
    def story(play: Play) -> None:
        play.sandbox.turn({"overpaid": reported})
        play.does(Action.OVER, play.buys())

    return story


def two_invoices(play: Play) -> tuple[str, str]:
    """The first has run out, the second is open."""
    first = play.buys()
    play.passes(hours=END, minutes=1)
    return first, play.pays_again()


def twice(play: Play) -> None:
    first, second = two_invoices(play)
    play.does(Action.PAY, second)
    play.does(Action.LATE, first)


def twice_the_old_one_first(play: Play) -> None:
    first, second = two_invoices(play)
    play.does(Action.LATE, first)
    play.does(Action.PAY, second)


def twice_in_review(play: Play) -> None:
    first, second = two_invoices(play)
    play.passes(hours=END, minutes=1)
    play.another_buys(2)
    play.does(Action.LATE, first)
    play.sweeps()
    play.does(Action.LATE, second)


def twice_after_the_refund(play: Play) -> None:
    first, second = two_invoices(play)
    play.does(Action.PAY, second)
    play.refunds()
    play.refunds("tx-1")
    play.does(Action.LATE, first)


def late_and_sold_out(play: Play) -> None:
    invoice = play.buys()
    play.passes(hours=END, minutes=1)
    play.another_buys(2)
    play.does(Action.LATE, invoice)


def foreign(play: Play) -> None:
    """A proven postback about an invoice that somebody made by hand in the same project."""
    made = play.sandbox.create(Decimal(10), "USD", "by-hand", None, api="v2")
    play.does(Action.PAY, made.id)
    play.passes(minutes=6)


def lies(**facts: object) -> Story:
    """The invoice turns out to be about something else, and is paid."""

    def story(play: Play) -> None:
        play.sandbox.turn({"fiat": "both"})  # or the currency would not be told at all
        invoice = play.buys()
        play.provider_says(invoice, **facts)
        play.does(Action.PAY, invoice)

    return story


def paid_for_another_order(play: Play) -> None:
    invoice = play.buys()
    play.another_buys(1)
    others = play.sandbox.invoices()[0].order_id
    play.provider_says(invoice, order_id=others)
    play.does(Action.PAY, invoice)  # its postback names the other order, and is refused
    play.passes(minutes=2)


def mismatch(why: str, left: int = 1) -> Ending:
    return Ending(
        "review",
        "amount_mismatch",
        ("amount_mismatch",),
        ("order-review",),
        ("A person will look at this order", "does not fit this order", NOT_AGAIN),
        ("What was paid does not fit the order.", NOT_AGAIN),
        left=left,
        note=f"was not sold: {why}.",
    )


TWICE = Ending(
    "fulfilled",
    "paid_twice",
    ("paid_twice",),
    ("order-delivered", "payment-twice"),
    ("Paid, thank you", "This order was paid twice", "owed back to you"),
    ("A second payment for your order has arrived", "You get your goods once"),
    1,
    1,
    "that payment goes back to the buyer.",
)
SHORT = "9.01 of 10.01 USDT TRC20 came; 1.00 USDT TRC20 is missing."
PART = Ending(
    "pending",
    "paid_partial",
    (),
    ("payment-partial",),
    ("Part of the amount has arrived", "Less than USD 10.01 has arrived", "Pay the rest now"),
    ("Less than USD 10.01 has arrived", "nothing is delivered yet"),
    left=1,
)
PART_ONLY = Ending(
    "review",
    "paid_partial",
    ("paid_partial",),
    ("payment-partial", "order-review"),
    ("A person will look at this order", "the rest did not come in time", NOT_AGAIN),
    ("Only a part of the money came, and its time is over.", NOT_AGAIN),
    left=1,
    note="was paid in part only, by invoice ",
)
SOLD = Ending("fulfilled", "none", (), ("order-delivered",), ("Paid, thank you",), (), 1, 1)
SOLD_AFTER_PART = replace(SOLD, mails=("payment-partial", "order-delivered"))
CONFIRMED_TWICE = replace(SOLD, waits=("confirmed_and_paid",), note=" is paid as well.")
PART_UNSEEN = replace(PART_ONLY, mails=("order-review",))
REFUNDED_TWICE = replace(
    TWICE,
    status="refunded",
    mails=("order-delivered", "refund-due", "payment-twice"),
    page=("Refunded", "This order was paid twice", "has not come back to you"),
    letter=("A second payment for your order has arrived", "owed back to you"),
)

CASES = [
    Case("late, within the shop's hours", late(HONOURED), LATE),
    Case("late, its postback is lost", lambda p: (late(3, Mode.LOSE)(p), p.passes(hours=1)), LATE),
    Case("late, beyond the shop's hours", late_after_hours_of(HONOURED), TOO_LATE),
    Case("late, within longer hours", late(200), LATE, product={"honour_late_hours": 200}),
    Case(
        "late, beyond longer hours",
        late_after_hours_of(200),
        TOO_LATE,
        product={"honour_late_hours": 200},
    ),
    Case("late, within shorter hours", late(2), LATE, product={"honour_late_hours": 2}),
    Case(
        "late, beyond shorter hours",
        late_after_hours_of(2),
        TOO_LATE,
        product={"honour_late_hours": 2},
    ),
    Case("late, honoured for no hour", late(0), TOO_LATE, product={"honour_late_hours": 0}),
    Case("late for an invoice that ended early", closed_early, LATE),
    Case("the same, honoured for no hour", closed_early, TOO_LATE, product={"honour_late_hours": 0}),
    Case("late for a cancelled order", cancelled(1), LATE),
    Case("too late for a cancelled order", cancelled(END + HONOURED + 1), TOO_LATE),
    Case("late and sold out", late_and_sold_out, Ending(
        "review",
        "no_stock",
        ("no_stock",),
        ("order-review",),
        ("A person will look at this order", "the last piece was sold in the meantime", NOT_AGAIN),
        ("It came when the goods were sold out.", NOT_AGAIN),
        left=0,
        note="was paid late and its goods are sold out.",
    )),
    Case("a part", part, PART),
    Case("a part, in figures", part, replace(PART, page=(*PART.page, SHORT), letter=(SHORT,)), "2"),
    Case("a part, then the rest", part_then_rest, SOLD_AFTER_PART),
    Case("a part, then nothing", part_then_nothing, PART_ONLY),
    Case(
        "a part, then nothing, in figures",
        part_then_nothing,
        replace(PART_ONLY, page=(*PART_ONLY.page, SHORT), note=SHORT),
        "2",
    ),
    Case(
        "a part, then the rest when a person looks already",
        part_then_rest_in_review,
        replace(SOLD, mails=("payment-partial", "order-review", "order-delivered")),
    ),
    Case("a part after the end", part_after_the_end, replace(
        PART_ONLY,
        mails=("order-review",),
        letter=("Only a part of the money came, and its time is over.", NOT_AGAIN),
        left=2,
        note="was paid in part only, by invoice ",
    )),
    Case(
        "a part of the old invoice, and the new one wholly",
        part_of_the_old_invoice,
        replace(
            SOLD,
            waits=("paid_partial",),
            note="was paid in part only, by invoice ",
        ),
    ),
    Case("a part, and the end before anybody looked", part_and_end_unseen, PART_UNSEEN, "2"),
    Case("a part of an ended invoice, and the new one wholly", part_of_an_ended_invoice_and_the_new_one, replace(
        SOLD, waits=("paid_partial",), note="was paid in part only, by invoice "
    )),
    Case("a part of an ended invoice, and nothing more", part_of_an_ended_invoice_only, replace(
        PART_UNSEEN, mails=("order-review",)
    )),
    Case("a part, paid back, and its invoice closed", refunded_and_closed, replace(
        PART_ONLY,
        status="refunded",
        waits=(),
        page=("Refunded",),
        note="",
        left=2,
    )),
    Case("a part, confirmed by the merchant", part_confirmed_by_the_merchant, SOLD_AFTER_PART),
    Case("confirmed by hand", confirmed_by_hand(None), SOLD),
    Case("confirmed by hand, and paid as well", confirmed_by_hand(Action.PAY), CONFIRMED_TWICE),
    Case("confirmed by hand, and a part paid", confirmed_by_hand(Action.SHORT), replace(
        CONFIRMED_TWICE, note=" is paid in part as well."
    )),
    Case("confirmed by hand, forged at, and paid", confirmed_by_hand(Action.PAY, forged=True), CONFIRMED_TWICE),
    Case("confirmed by hand, and paid in an outage", confirmed_and_paid_when_nobody_answers, CONFIRMED_TWICE),
    Case("confirmed by hand, and the old invoice paid", confirmed_and_the_old_invoice_paid, replace(
        CONFIRMED_TWICE, note="was confirmed by hand, and now invoice "
    )),
    Case("confirmed by hand, and a test invoice", confirmed_and_a_test_invoice, replace(
        CONFIRMED_TWICE, note=" is paid as well, but it is a test invoice, and no money came."
    ), "2", live=True),
    Case("confirmed by hand when the provider knows", confirmed_when_the_provider_knows, SOLD),
    Case("over", over(True), replace(
        SOLD, flag="paid_over", page=("Paid, thank you", "You sent more than needed")
    )),
    Case("over, in figures", over(True), replace(
        SOLD,
        flag="paid_over",
        page=("You sent more than needed: 11.01 USDT TRC20 came, 1.00 USDT TRC20 more",),
        letter=("11.01 USDT TRC20 came, 1.00 USDT TRC20 more than was asked for.",),
    ), "2"),
    Case("over, and the provider does not say so", over(False), SOLD, "1"),
    Case("over, by the figures alone", over(False), replace(SOLD, flag="paid_over"), "2"),
    Case("twice", twice, TWICE),
    Case("twice, the old invoice first", twice_the_old_one_first, TWICE),
    Case("twice, for goods that are gone", twice_in_review, Ending(
        "review",
        "paid_twice",
        ("no_stock", "paid_twice"),
        ("order-review", "payment-twice"),
        ("A person will look at this order", "This order was paid twice", "owed back", NOT_AGAIN),
        ("A second payment for your order has arrived", "owed back to you"),
        left=0,
        note="was paid late and its goods are sold out.",
    )),
    Case("twice, and one paid back", twice_and_refunded_once, REFUNDED_TWICE),
    Case("twice, after the refund", twice_after_the_refund, REFUNDED_TWICE),
    Case("of nobody's invoice", foreign, Ending(
        waits=("unmatched_invoice",), note="which no order of this shop has."
    )),
    Case(
        "another amount",
        lies(amount=Decimal("1.00")),
        mismatch("the invoice is about 1.00 USD and not 10.01 USD"),
        "2",
    ),
    Case(
        "another currency",
        lies(currency="UAH"),
        mismatch("the invoice is about 10.01 UAH and not 10.01 USD"),
        "2",
    ),
    Case(
        "an invoice made for another order",
        paid_for_another_order,
        mismatch("the invoice was made for another order", left=0),
        "2",
    ),
    Case(
        "a test invoice",
        lies(test_mode=True),
        mismatch("it is a test invoice, and no money came"),
        "2",
        live=True,
    ),
    Case("another amount from the start", another_amount_from_the_start, replace(
        mismatch("the invoice is about 30.03 USD and not 10.01 USD"),
        waits=("reply_refused", "amount_mismatch"),
        note="was refused, and the buyer was sent nowhere",
    ), "2"),
    Case("a test invoice for a sold order", a_test_invoice_for_a_sold_order, replace(
        SOLD,
        waits=("amount_mismatch",),
        note="was paid already when invoice ",
    ), "2", live=True),
    Case("a test invoice at a trial", lies(test_mode=True), SOLD, "2"),
]  # fmt: skip


def complaints(world: World, case: Case, promise: Promise) -> Iterator[str]:
    """Play the story and say what is not as it should be."""
    world.begin()
    folder = world.app.config["SETTINGS"].shop_data_dir / "outbox"
    shutil.rmtree(folder, ignore_errors=True)
    play = Play(world, **case.product)
    with pytest.MonkeyPatch.context() as patch:
        selling = world.app.config["SETTINGS"].model_copy(update={"shop_development": False})
        for part in ("opening", "settling") if case.live else ():
            patch.setattr(f"shop.payments.{part}.current_settings", lambda: selling)
        case.story(play)
        play.sweeps()
    for problem in (
        *_of_the_books(play, case.ending),
        *_of_the_mails(play, case.ending),
        *_of_the_operator(play, case.ending),
        *tally(promise, violations(world.app, truth_of(world.sandbox), now=world.clock.now())),
    ):
        yield f"{case.name}: {problem}"


def _of_the_books(play: Play, ending: Ending) -> Iterator[str]:
    with play.app.app_context():
        order = play.order()
        found = (order.status, order.flag) if order else ("", "none")
    if found != (ending.status, ending.flag):
        yield f"the order is {found}"
    if play.books.delivered() != ending.delivered:
        yield f"{play.books.delivered()} lines were handed over"
    if play.books.left(play.slug) != ending.left:
        yield f"{play.books.left(play.slug)} are left"
    page = play.looks() if ending.status else ""
    yield from (f"the page does not say: {words}" for words in ending.page if words not in page)


def _of_the_mails(play: Play, ending: Ending) -> Iterator[str]:
    letters = {mail["Message-ID"]: mail for mail in play.books.mails()}
    with play.app.app_context():
        order = play.order()
        planned = db.session.scalars(
            select(OutboxMail)
            .where(OutboxMail.order_id == (order.id if order else 0))
            .order_by(OutboxMail.id)
        ).all()
        written = tuple(mail.kind for mail in planned)
        sent = [mail for mail in planned if mail.state is MailState.SENT]
        last = _text(letters[sent[-1].message_id]) if sent else ""
    if written != (("order-placed", *ending.mails) if order else ()):
        yield f"the buyer got {written}"
    yield from (f"the mail does not say: {words}" for words in ending.letter if words not in last)


def _of_the_operator(play: Play, ending: Ending) -> Iterator[str]:
    alerts = [_text(mail) for mail in play.books.alerts()]
    with play.app.app_context():
        items = open_attention()
        if tuple(item.kind for item in items) != ending.waits:
            yield f"{[item.kind for item in items]} wait for a person"
        told = Counter(item.id for item in items for alert in alerts if item.note in alert)
        if set(told.values()) - {1} or len(told) != len(items) or len(alerts) > max(len(told), 1):
            yield f"the operator has {len(alerts)} mails about {len(items)} items"
        if ending.note and not (items and ending.note in items[0].note):
            yield f"the item says {[item.note for item in items]}"


def _text(mail: EmailMessage) -> str:
    plain = mail.get_body(("plain",))
    return " ".join(plain.get_content().split()) if plain else ""


@pytest.fixture(params=["1", "2"])
def api(request: pytest.FixtureRequest) -> str:
    """The version of the provider's API."""
    return str(request.param)


@pytest.fixture
def settings(tmp_path: Path, database_url: str, api: str) -> Settings:
    return make_settings(
        tmp_path / "data",
        database_url,
        shop_public_url=SHOP,
        cryptocloud_api_url=PROVIDER,
        cryptocloud_pay_hosts=PAY_ORIGINS,
        cryptocloud_api_version=api,
    )


@pytest.fixture
def world(app: Flask) -> Iterator[World]:
    with running_world(app) as world:
        app.config["WTF_CSRF_ENABLED"] = True  # this buyer fills in forms like a browser
        yield world


TIERS = [
    # In the quick tier each case once, by turns on the engines; the long one has them all crossed.
    ("sqlite", "2", 1),
    ("postgresql", "1", 1),
    *(
        pytest.param(engine, api, 50, marks=pytest.mark.long)
        for engine in ("sqlite", "postgresql")
        for api in ("1", "2")
    ),
]


@pytest.mark.promise(20)
@pytest.mark.parametrize(("engine", "api", "rounds"), TIERS, indirect=["engine", "api"])
def test_odd_money_ends_as_it_should(world: World, promise: Promise, api: str, rounds: int) -> None:
    wrong: list[str] = []
    turns = (
        CASES
        if rounds > 1
        else [case for n, case in enumerate(CASES) if case.api == api or n % 2 == int(api) % 2]
    )

    for case in (case for case in turns if api in case.api):
        for _ in range(-(-rounds // len(case.api))):  # what both versions play is shared out
            promise.cases += 1
            wrong += complaints(world, case, promise)

    assert "\n".join(wrong) == ""


def always(result: object) -> Callable[..., object]:
    return lambda *_, **__: result


MUTANTS: dict[str, tuple[Callable[..., object], str]] = {
    "settling._too_late": (always(False), "late, beyond the shop's hours"),
    "settling._mismatch": (always(""), "another amount"),
    "settling._is_sold": (always(False), "twice, for goods that are gone"),
    "settling._hold_again": (always(True), "late and sold out"),
    "settling.ask_a_person": (always(None), "twice"),
    "partial.to_review": (always(None), "a part, then nothing"),
    "judging.raise_attention": (always(None), "of nobody's invoice"),
}


@pytest.mark.parametrize("api", ["2"], indirect=True)
@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
def test_the_stories_show_what_is_broken_on_purpose(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control: without its protection, each story ends otherwise."""
    stories = {case.name: case for case in CASES}
    seen = {}

    for mutant, (replacement, name) in MUTANTS.items():
        with monkeypatch.context() as broken:
            broken.setattr(f"shop.payments.{mutant}", replacement)
            seen[mutant] = bool(list(complaints(world, stories[name], Promise())))

    assert seen == dict.fromkeys(MUTANTS, True)
