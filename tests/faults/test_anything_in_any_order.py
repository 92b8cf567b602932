"""Row 22: whatever buyers, provider, network, clock, crashes and operator do, in whatever order."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import HealthCheck, Phase, Verbosity, settings, strategies
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import select
from werkzeug.test import TestResponse

from shop import failpoints, jobs
from shop.books import SETTLED_AFTER
from shop.catalogue.models import DeliveryKind, Product
from shop.config import Settings
from shop.db import db
from shop.fulfilment.models import Delivery, LicenceKey, OutboxMail
from shop.fulfilment.service import add_keys
from shop.orders.links import order_token
from shop.orders.models import AttentionItem, Order
from shop.orders.queries import open_attention
from shop.orders.service import resolve_attention_item
from shop.payments.by_hand import NotPossible, cancel_order, confirm_order, refund_order
from shop.payments.queries import find_payment_by_invoice, payments_of
from shop.sandbox.invoices import Action, Invoice, Mode, Status
from shop.sandbox.postbacks import _announce, happen
from tests.conftest import make_settings
from tests.copies import Copy
from tests.factories import gateway, make_cart, make_product
from tests.faults.ledger import UNSENT, truth_of, violations
from tests.faults.world import PAY_ORIGINS, PROVIDER, SHOP, World, running_world
from tests.promises import Promise

ANY = strategies.integers(0, 9)
"""Which of the orders, or invoices, there are."""
WRITES = """order bind call_failed start_payment claim_check settle delivery inbox nudge claim
    check_again judge match expire lost_call audit confirm cancel refund mail_claim mail_sent
    job_run journal_mark spent_key unknown_invoice ask_again"""
POINTS = [
    "before_call",
    "after_call",
    "before_send",
    "after_send",
    "after_journal",
    *(f"{when}_{name}" for name in WRITES.split() for when in ("before", "inside", "after")),
]
TROUBLE = [
    "up",
    "up",
    "up",
    "down",
    "garbled",
    "406",
    "429",
    "500",
    "foreign_link",
    "repeat",
    "cut",
    "deaf",
]
PAUSES = [
    timedelta(seconds=20),
    timedelta(minutes=6),
    timedelta(hours=2),
    timedelta(hours=25),
    timedelta(hours=25),
    timedelta(days=4),
]
WAYS = [
    Action.PAY,
    Action.LATE,
    Action.LATE,
    Action.SHORT,
    Action.REST,
    Action.OVER,
    Action.EXPIRE,
    Action.CONFIRM,
]
STORIES = [
    "the answer got lost",
    "the buyer pays twice",
    "another one was faster",
    "days too late",
]
DECISIONS = ["seen", "seen", "key", "key", "confirm", "cancel", "refund", "refunded"]
NOTICES = [Mode.NORMAL, Mode.NORMAL, Mode.LOSE, Mode.TWICE, Mode.FORGE]


class Lost(AssertionError):
    """Rule B is broken."""


@dataclass
class Form:
    """A checkout form as one buyer's browser sends it, however often."""

    browser: FlaskClient
    cart: dict[str, int]
    fields: dict[str, str]
    shown: set[str] = field(default_factory=set)
    """The invoices whose pay page this buyer was sent to."""


class AnythingInAnyOrder(RuleBasedStateMachine):
    def __init__(self, world: World) -> None:
        super().__init__()
        self.world, self.sandbox = world, world.sandbox
        world.begin()
        self.forms: list[Form] = []
        self.promised: set[str] = set()
        self.copy: tuple[Copy, set[str]] | None = None
        self.owners: dict[str, str] = {}
        """Who got each licence key that was ever handed out, by the number of their order."""
        with world.app.app_context():
            made = [
                make_product(stock=2),
                make_product(stock=30),
                make_product(),
                make_product(kind=DeliveryKind.KEY, keys=3),
            ]
            self.slugs = [product.slug for product in made]

    @initialize()
    def three_buyers_have_come(self) -> None:
        """Two share all there is of the first product, and whoever wants it next comes too late."""
        for which in (0, 0, 1):
            self.checks_out(which, 1, "as it is")

    @rule(
        which=strategies.sampled_from([0, 0, 0, 1, 2, 3]),
        quantity=strategies.integers(1, 2),
        line=strategies.sampled_from(["as it is", "as it is", "as it is", "deaf", "cut"]),
    )
    def checks_out(self, which: int, quantity: int, line: str) -> None:
        cart = {self.slugs[which]: quantity}
        with self.world.app.app_context():
            product = db.session.scalars(select(Product).filter_by(slug=self.slugs[which])).one()
            seen = make_cart(self.world.app, product, quantity=quantity).seen
        fields = {
            "email": "buyer@example.com",
            "currency": "USD",
            "checkout_key": secrets.token_urlsafe(24),
            "seen": seen,
        }
        form = Form(self.world.app.test_client(), cart, fields)
        self.forms.append(form)
        usual, self.world.wire = self.world.wire, self.world.wire if line == "as it is" else line
        self._sends(form)
        self.world.wire = usual

    @rule(
        which=ANY, what=strategies.sampled_from(["send", "look", "check", "pay", "pay", "return"])
    )
    def buyer_acts(self, which: int, what: str) -> None:
        form = self._form(which)
        if what == "send":
            self._sends(form)  # the same form again
        elif what == "return":
            self._comes_back(form, last=which > 4)
        elif path := self._path(form):
            if what == "look":
                self._asks(form, lambda: form.browser.get(path))
                self._asks(form, lambda: form.browser.get(f"{path}/status"))
            else:
                self._asks(form, lambda: form.browser.post(f"{path}/{what}"))

    @rule(
        which=ANY,
        way=strategies.sampled_from(WAYS),
        notice=strategies.sampled_from(NOTICES),
        reported=strategies.booleans(),
    )
    def something_happens_to_an_invoice(
        self, which: int, way: Action, notice: Mode, reported: bool
    ) -> None:
        possible = [invoice for invoice in self.sandbox.invoices() if invoice.can(way)]
        if possible:
            self._happens(possible[which % len(possible)], way, notice, reported=reported)

    @rule(
        which=ANY, story=strategies.sampled_from(STORIES), notice=strategies.sampled_from(NOTICES)
    )
    def a_story_unfolds(self, which: int, story: str, notice: Mode) -> None:
        """What chance would take long to put together; chance still decides what goes wrong in it."""
        if story == "the answer got lost":
            self.checks_out(which % 4, 1, "deaf")
            self._pays_late(self.sandbox.invoices()[0], notice)
            return
        form = self._form(which)
        first = self._newest_invoice(form)
        self.time_passes(timedelta(hours=25), sweep=True)
        if story == "the buyer pays twice" and (path := self._path(form)):
            self._asks(form, lambda: form.browser.post(f"{path}/pay"))
            self._pays_late(self._newest_invoice(form), Mode.NORMAL)
        elif story == "another one was faster":
            self.checks_out(0, 2, "as it is")
            self._pays_late(self._newest_invoice(self.forms[-1]), Mode.NORMAL)
        elif story == "days too late":
            self.time_passes(timedelta(days=4), sweep=False)
        self._pays_late(first, notice)

    @rule(which=ANY, forged=strategies.booleans())
    def a_notice_comes(self, which: int, forged: bool) -> None:
        invoices = [invoice for invoice in self.sandbox.invoices() if forged or invoice.settled]
        if not invoices:
            return
        invoice = invoices[which % len(invoices)]
        _announce(self.sandbox, invoice, Mode.FORGE if forged else Mode.NORMAL)
        answer = self.sandbox.get(invoice.id).postbacks[-1].answer
        refused = forged or self._is_a_mix_up(invoice)
        if answer not in ((403, None) if refused else (200, None)):
            raise Lost(f"a notice, {forged=}, was answered {answer}")

    @rule(trouble=strategies.sampled_from(TROUBLE))
    def the_provider_changes(self, trouble: str) -> None:
        at_the_line = trouble in ("cut", "deaf")
        self.world.wire = trouble if at_the_line else "well"
        self.sandbox.turn({"api": "up" if at_the_line else trouble})

    @rule(pause=strategies.sampled_from(PAUSES), sweep=strategies.sampled_from([True, True, False]))
    def time_passes(self, pause: timedelta, sweep: bool) -> None:
        self.world.clock.ahead += pause
        if sweep:
            self._sweeps()

    @rule(point=strategies.sampled_from(POINTS))
    def process_will_die(self, point: str) -> None:
        failpoints.arm(point)

    @rule(
        which=ANY,
        what=strategies.sampled_from(DECISIONS),
    )
    def operator_acts(self, which: int, what: str) -> None:
        with self.world.app.app_context(), contextlib.suppress(NotPossible, SystemExit):
            order, client = self._order(self._form(which)), gateway(self.world.app)
            if what == "seen":
                for item in open_attention()[:1]:
                    resolve_attention_item(item.id, why="seen", who="me")
            elif what == "key":
                product = db.session.scalars(select(Product).filter_by(slug=self.slugs[3])).one()
                add_keys(product, [secrets.token_hex(8)])
            elif order and what == "confirm":
                confirm_order(
                    order, client, transaction_id="tx", why="seen in the wallet", who="me"
                )
            elif order and what == "cancel":
                cancel_order(order, client, why="asked", who="me")
            elif order:
                done = {"transaction_id": "tx"} if what == "refunded" else {}
                refund_order(order, why="asked", who="me", **done)

    @rule()
    def the_database_is_copied(self) -> None:
        with self.world.app.app_context():
            self.copy = Copy(), set(self.promised)

    @rule()
    def the_copy_is_put_back(self) -> None:
        """Orders made since are gone, and it is only the journal that knows of them."""
        if self.copy is None:
            return
        failpoints.arm("")
        with self.world.app.app_context():
            self.copy[0].put_back()
        self.promised &= self.copy[1]
        for form in self.forms:
            form.shown.clear()
        self.time_passes(SETTLED_AFTER + timedelta(seconds=1), sweep=True)

    # What must hold

    @invariant()
    def nothing_is_lost_and_nothing_doubled(self) -> None:
        if found := self._found():
            raise Lost("\n".join(found))

    @invariant()
    def a_key_has_one_owner(self) -> None:
        with self.world.app.app_context():
            handed = (
                select(LicenceKey.value, Order.number).join_from(LicenceKey, Delivery).join(Order)
            )
            for value, number in db.session.execute(handed.where(LicenceKey.unit.is_not(None))):
                if self.owners.setdefault(value, number) != number:
                    raise Lost(f"doubled: the key {value} went to {self.owners[value]} before")

    @invariant()
    def no_order_vanishes(self) -> None:
        with self.world.app.app_context():
            if gone := self.promised - set(db.session.scalars(select(Order.checkout_key))):
                raise Lost(f"{len(gone)} orders have vanished")

    @invariant()
    def a_buyer_has_one_link_to_pay_at_a_time(self) -> None:
        payable = {
            invoice.id
            for invoice in self.sandbox.invoices()
            if invoice.status in (Status.CREATED, Status.PARTIAL)
        }
        for form in self.forms:
            if len(form.shown & payable) > 1:
                raise Lost(f"a buyer can pay {form.shown & payable}")

    def teardown(self) -> None:
        """All is well again, and the worker makes its rounds: now everything has arrived."""
        failpoints.arm("")
        self.the_provider_changes("up")
        for pause in (timedelta(minutes=1), timedelta(minutes=10), timedelta(hours=3)):
            self.time_passes(pause, sweep=True)
        if found := self._found(settled=True):
            raise Lost("in the end: " + "\n".join(found))
        with self.world.app.app_context():
            unsent = select(OutboxMail.dedupe_key).where(UNSENT)
            if left := db.session.scalars(unsent.where(OutboxMail.order_id.is_not(None))).all():
                waiting = {f"order-delivered:{form}" for form in self._not_fulfilled()}
                if lost := set(left) - waiting:
                    raise Lost(f"mails that nobody sends: {lost}")

    def _found(self, *, settled: bool = False) -> list[str]:
        truth, now = truth_of(self.sandbox), self.world.clock.now()
        return violations(self.world.app, truth, settled=settled, now=now)

    def _not_fulfilled(self) -> list[str]:
        return list(db.session.scalars(select(Order.number).where(Order.fulfilled_at.is_(None))))

    def _is_a_mix_up(self, invoice: Invoice) -> bool:
        """Whether the provider gave us this invoice for another payment, and a person knows of it."""
        with self.world.app.app_context():
            payment = find_payment_by_invoice(invoice.id)
            if payment is None or payment.reference == invoice.order_id:
                return False
            told = {"kind": "order_mismatch", "reference": payment.reference}
            return db.session.scalar(select(AttentionItem).filter_by(**told)) is not None

    def _form(self, which: int) -> Form:
        return self.forms[which % len(self.forms)]

    def _order(self, form: Form) -> Order | None:
        key = form.fields["checkout_key"]
        return db.session.scalar(select(Order).where(Order.checkout_key == key))

    def _path(self, form: Form) -> str | None:
        with self.world.app.app_context():
            order = self._order(form)
            return f"/orders/{order_token(order)}" if order else None

    def _happens(self, invoice: Invoice, way: Action, notice: Mode, *, reported: bool) -> None:
        self.sandbox.turn({"overpaid": reported})
        invoice = happen(self.sandbox, invoice.id, way, notice, wait=True)
        # Where the shop has stopped asking, the notice is all there is: it arrives in the end.
        if any("nobody will ever look" in sentence for sentence in self._found()):
            failpoints.arm("")
            _announce(self.sandbox, invoice, Mode.NORMAL)

    def _pays_late(self, invoice: Invoice | None, notice: Mode) -> None:
        if invoice and (invoice := self.sandbox.get(invoice.id)).can(Action.LATE):
            self._happens(invoice, Action.LATE, notice, reported=False)

    def _newest_invoice(self, form: Form) -> Invoice | None:
        with self.world.app.app_context():
            order = self._order(form)
            known = [payment.invoice_id for payment in payments_of(order.id)] if order else []
        return next((i for i in self.sandbox.invoices() if i.id in known), None)

    def _sweeps(self) -> None:
        with contextlib.suppress(SystemExit), self.world.app.app_context():
            jobs.run("sweep")

    def _comes_back(self, form: Form, *, last: bool) -> None:
        """From the pay page of the newest invoice, or of the first."""
        with self.world.app.app_context():
            order = self._order(form)
            references = [payment.reference for payment in payments_of(order.id)] if order else []
        if references:
            query = {"order_id": references[-1 if last else 0]}
            self._asks(form, lambda: form.browser.get("/payment/success", query_string=query))

    def _sends(self, form: Form) -> None:
        with form.browser.session_transaction() as session:
            session["cart"] = form.cart
        answer = self._asks(form, lambda: form.browser.post("/checkout", data=form.fields))
        if answer and answer.headers.get("Location", "").startswith((*PAY_ORIGINS, "/orders/")):
            self.promised.add(form.fields["checkout_key"])

    def _asks(self, form: Form, ask: Callable[[], TestResponse]) -> TestResponse | None:
        """The shop's answer; none when its process died."""
        try:
            answer = ask()
        except SystemExit:
            return None
        if answer.status_code >= 500:
            raise Lost(f"the shop answered {answer.status_code}")
        where = answer.headers.get("Location", "")
        if where.startswith(PAY_ORIGINS):
            form.shown.add(where.rpartition("/")[2])
        return answer


@pytest.fixture(params=["1", "2"])
def api(request: pytest.FixtureRequest) -> str:
    """The version of the provider's API."""
    return str(request.param)


@pytest.fixture
def settings_of_the_shop(tmp_path: Path, database_url: str, api: str) -> Settings:
    return make_settings(
        tmp_path / "data",
        database_url,
        shop_public_url=SHOP,
        cryptocloud_api_url=PROVIDER,
        cryptocloud_pay_hosts=PAY_ORIGINS,
        cryptocloud_api_version=api,
    )


@pytest.fixture(name="settings")
def settings_(settings_of_the_shop: Settings) -> Settings:
    return settings_of_the_shop


@pytest.fixture
def world(app: Flask) -> Iterator[World]:
    with running_world(app) as world:
        yield world


def run(world: World, runs: int, steps: int, **wishes: Any) -> None:
    chosen = settings(
        max_examples=runs,
        stateful_step_count=steps,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        **wishes,
    )
    run_state_machine_as_test(lambda: AnythingInAnyOrder(world), settings=chosen)


FULL = (2000, 50) if os.environ.get("NIGHTLY") else (200, 30)
"""The nightly figure takes hours: `NIGHTLY=1 python3 dev.py test -m long -n 2 tests/faults/…`."""


TIERS = [
    # In the quick tier each version and each engine once; the long one has them crossed.
    ("sqlite", "2", 4, 20),
    ("postgresql", "1", 4, 20),
    *(
        pytest.param(engine, api, *FULL, marks=pytest.mark.long)
        for engine in ("sqlite", "postgresql")
        for api in ("1", "2")
    ),
]


@pytest.mark.promise(22)
@pytest.mark.parametrize(("engine", "api", "runs", "steps"), TIERS, indirect=["engine", "api"])
def test_nothing_is_lost_whatever_happens(
    world: World, promise: Promise, runs: int, steps: int
) -> None:
    promise.cases += runs
    try:
        run(world, runs, steps, derandomize=runs < 100, print_blob=True)
    except Lost as found:
        promise.lost += str(found).count("lost:")
        promise.doubled += str(found).count("doubled:")
        raise


def always(result: object) -> Callable[..., object]:
    return lambda *_, **__: result


def mutant(target: str, replacement: Callable[..., object], *, quick: bool = False) -> Any:
    return pytest.param(target, replacement, marks=[] if quick else pytest.mark.long)


@pytest.mark.parametrize(
    ("target", "replacement"),
    [
        # goods are not planned
        mutant("shop.fulfilment.service.insert_if_new", always(True), quick=True),
        # units are put back twice
        mutant("shop.orders.service._change_hold", always(True)),
        # nobody asks when a notice got lost
        mutant("shop.payments.sweep.due_checks", always([])),
        # what an older copy has forgotten is forgotten
        mutant("shop.books._see_to", always(None)),
        # a key that only the journal knows is for sale
        mutant("shop.fulfilment.spent._spent", always([])),
        # what is sold out is sold all the same
        mutant("shop.payments.settling._hold_again", always(True)),
        # money that buys nothing is shown to nobody
        mutant("shop.payments.settling._ask_a_person", always(None)),
        # the inbox says yes and keeps nothing
        mutant("shop.payments.inbox.insert_if_new", always(True)),
    ],
)
@pytest.mark.parametrize("api", ["1"], indirect=True)
@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
def test_the_machine_finds_what_is_broken_on_purpose(
    world: World,
    monkeypatch: pytest.MonkeyPatch,
    target: str,
    replacement: Callable[..., object],
) -> None:
    """The control: without the protection, Rule B is soon broken."""
    monkeypatch.setattr(target, replacement)
    wishes = {"phases": [Phase.generate], "verbosity": Verbosity.quiet}

    with pytest.raises(Lost):
        run(world, 100, 25, derandomize=True, **wishes)
