"""Shop and provider as a state machine: what buyers, operator, network, clocks and crashes may do, and Rule B."""

from __future__ import annotations

import contextlib
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta

from flask.testing import FlaskClient
from hypothesis import strategies
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from sqlalchemy import select
from werkzeug.test import TestResponse

from shop import config, failpoints, jobs
from shop.attention.models import AttentionItem
from shop.attention.queries import open_attention
from shop.attention.service import resolve_attention_item
from shop.because import Because
from shop.books.with_journal import SETTLED_AFTER
from shop.catalogue.models import DeliveryKind, Price, Product
from shop.db import db
from shop.fulfilment.copies import KeysRefused
from shop.fulfilment.keys import normal_key
from shop.fulfilment.models import Delivery, LicenceKey
from shop.fulfilment.reissue import NotReissued, reissue, renew_link
from shop.i18n import prefix_of
from shop.ops.rations import UsedUp
from shop.orders.links import order_path
from shop.orders.models import HAS_GOODS, Order
from shop.orders.queries import find_order
from shop.outbox.models import OutboxMail
from shop.outbox.on_request import mail_link, send_again
from shop.payments.by_hand import NotPossible, cancel_order, confirm_order, refund_order
from shop.payments.queries import find_payment_by_invoice, payments_of
from shop.sandbox.invoices import Action, Invoice, Mode, Status
from shop.sandbox.postbacks import _announce, happen
from tests.factories import add_keys, gateway, make_cart, make_product
from tests.fulfilment.test_mails import part, written
from tests.support.copies import Copy
from tests.support.ledger import UNSENT, truth_of, violations
from tests.support.sold import make_file
from tests.support.world import PAY_ORIGINS, World

LANGUAGES = list(config.LANGUAGES)
ANY = strategies.integers(0, 9)
"""Which of the orders, or invoices, there are."""
WRITES = """order bind call_failed start_payment claim_check settle delivery inbox nudge claim
    check_again judge match expire lost_call books confirm cancel refund mail_claim mail_sent
    job_run journal_mark spent_key unknown_invoice ask_again"""
POINTS = [
    "before_call",
    "after_call",
    "before_send",
    "after_send",
    *(f"after_{kind}_noted" for kind in ("invoice", "paid", "key", "link", "erased")),
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
    "a key is put in twice",
    "an older copy is put back",
]
DECISIONS = ["seen", "confirm", "cancel", "refund", "refund", "refunded", "reissue", "relink"]
KEYS = ["AAAA-1111", "aaaa 1111", "BBBB-2222", "BBBB2222", "CCCC-3333", "cccc\u20113333"]
"""Three licence keys, as a merchant may paste them twice; every other one is new."""
WRONG = [timedelta(0), timedelta(0), timedelta(hours=-1), timedelta(days=3), timedelta(days=-1)]
"""How wrong the shop's clock goes."""
CHANGES: list[dict[str, object]] = [
    {},
    {"shop_languages": "uk,en"},
    {"shop_languages": "ru"},
    {"shop_languages": "en,ru,uk"},
    {"shop_base_currency": "EUR"},
    {"shop_base_currency": "USD"},
    {"shop_late_payment_hours": 1},
    {"shop_late_payment_hours": 200},
    {"secret_key": "n" * 40},
]
"""Settings that an operator changes, and starts the shop again."""
FILE = "an hour of rain"
GOODS = re.compile(rf"The goods of product \d|{FILE}|/downloads/")
"""What a page, a file or a mail says only to whom the goods belong; licence keys beside it."""
TAKEN = re.compile("|".join((*map(re.escape, PAY_ORIGINS), r"(/\w\w)?/orders/")))
"""Where a buyer is led whose order was taken."""
ADDRESS = re.compile(r"http://localhost((?:/\w\w)?/(?:orders|downloads)/[\w.-]+)")
POSTBACKS = [Mode.NORMAL, Mode.NORMAL, Mode.LOSE, Mode.TWICE, Mode.FORGE]


class Lost(AssertionError):
    """Rule B is broken."""


@dataclass
class Form:
    """A checkout form as one buyer's browser sends it, however often."""

    browser: FlaskClient
    cart: dict[str, int]
    fields: dict[str, str]
    prefix: str
    """In front of every path, in the language that it was opened in."""
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
        self.addresses: dict[str, str] = {}
        """Whose order each address is about that a mail has named, by its number."""
        self.asked_for: set[str] = set()
        """The orders of which a mail was asked for once more, by their numbers."""
        self.called_in: set[str] = set()
        """The addresses that an operator has replaced."""
        with world.app.app_context():
            both = [{"currency": "USD", "minor": 1000}, {"currency": "EUR", "minor": 900}]
            made = [
                make_product(stock=2, prices=[Price(**price) for price in both]),
                make_file(world.app.config["SETTINGS"], "rain.zip", FILE.encode()),
                make_product(stock=30),
                make_product(kind=DeliveryKind.KEY),
                make_product(kind=DeliveryKind.KEY),
            ]
            self.slugs = [product.slug for product in made]

    @initialize()
    def three_buyers_have_come(self) -> None:
        """Two share all there is of the first product, and whoever wants it next comes too late."""
        for which in (0, 0, 1):
            self.checks_out(which, 1, "as it is")

    @rule(
        which=strategies.sampled_from([0, 0, 0, 1, 2, 3, 4]),
        quantity=strategies.integers(1, 2),
        line=strategies.sampled_from(["as it is", "as it is", "as it is", "deaf", "cut"]),
    )
    def checks_out(self, which: int, quantity: int, line: str) -> None:
        cart = {self.slugs[which]: quantity}
        with self.world.app.app_context():
            prefix = prefix_of(LANGUAGES[len(self.forms) % len(LANGUAGES)])
            product = db.session.scalars(select(Product).filter_by(slug=self.slugs[which])).one()
            seen = make_cart(self.world.app, product, quantity=quantity).seen
        fields = {
            "email": "buyer@example.com",
            "currency": "USD",
            "checkout_key": secrets.token_urlsafe(24),
            "seen": seen,
        }
        form = Form(self.world.app.test_client(), cart, fields, prefix)
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
        postback=strategies.sampled_from(POSTBACKS),
        reported=strategies.booleans(),
    )
    def something_happens_to_an_invoice(
        self, which: int, way: Action, postback: Mode, reported: bool
    ) -> None:
        possible = [invoice for invoice in self.sandbox.invoices() if invoice.can(way)]
        if possible:
            self._happens(possible[which % len(possible)], way, postback, reported=reported)

    @rule(
        which=ANY,
        story=strategies.sampled_from(STORIES),
        postback=strategies.sampled_from(POSTBACKS),
    )
    def a_story_unfolds(self, which: int, story: str, postback: Mode) -> None:
        """What chance would take long to put together; chance still decides what goes wrong in it."""
        if story == "the answer got lost":
            self.checks_out(which % 4, 1, "deaf")
            self._pays_late(self.sandbox.invoices()[0], postback)
            return
        if story == "a key is put in twice":
            for product, key in (3, which % 6), (4, which % 6 ^ 1):
                self.a_key_is_put_in(product, KEYS[key])
                self._buys(product, postback)
            return
        if story == "an older copy is put back":
            self.a_key_is_put_in(3, None)
            self.the_database_is_copied()
            self._buys(3, postback)
            self._puts_back()
            self._buys(3, postback)
            self._compares()
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
        self._pays_late(first, postback)

    @rule(which=ANY, forged=strategies.booleans())
    def a_postback_comes(self, which: int, forged: bool) -> None:
        invoices = [invoice for invoice in self.sandbox.invoices() if forged or invoice.settled]
        if not invoices:
            return
        invoice = invoices[which % len(invoices)]
        _announce(self.sandbox, invoice, Mode.FORGE if forged else Mode.NORMAL)
        answer = self.sandbox.get(invoice.id).postbacks[-1].answer
        refused = forged or self._is_a_mix_up(invoice)
        right = {403, None} if refused else {200, None}
        if self.world.clock.wrong:
            right.add(
                403
            )  # it seems to have ended, or not to have begun; the sweep finds the money
        if answer not in right:
            raise Lost(f"a postback, {forged=}, was answered {answer}")

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
        refusals = (NotPossible, NotReissued, SystemExit)
        with self.world.app.app_context(), contextlib.suppress(*refusals):
            order, client = self._order(self._form(which)), gateway(self.world.app)
            if what == "seen":
                for item in open_attention()[:1]:
                    resolve_attention_item(item.id, Because("seen", "me"))
            elif order and what == "reissue":
                reissue(order, Because("asked", "me"), position=1, unit=None)
            elif order and what == "relink":
                self._calls_in(order)
            elif order and what == "confirm":
                confirm_order(
                    order, client, Because("seen in the wallet", "me"), transaction_id="tx"
                )
            elif order and what == "cancel":
                cancel_order(order, client, Because("asked", "me"))
            elif order:
                done = {"transaction_id": "tx"} if what == "refunded" else {}
                refund_order(order, Because("asked", "me"), **done)

    @rule(which=strategies.integers(3, 4), key=strategies.sampled_from([None, None, None, *KEYS]))
    def a_key_is_put_in(self, which: int, key: str | None) -> None:
        """Under one of two products, perhaps one that was put in before."""
        with self.world.app.app_context(), contextlib.suppress(KeysRefused, SystemExit):
            product = db.session.scalars(select(Product).filter_by(slug=self.slugs[which])).one()
            add_keys(product, [key or secrets.token_hex(8)])

    @rule(which=ANY)
    def a_mailed_address_is_opened(self, which: int) -> None:
        """By somebody whom the shop knows by nothing else: it works, and gives goods to whom they belong."""
        if not self.addresses:
            return
        address, number = sorted(self.addresses.items())[which % len(self.addresses)]
        answer = None
        with contextlib.suppress(SystemExit):
            answer = self.world.app.test_client().get(address, follow_redirects=True)
        if answer is None:
            return
        with answer:
            self._belongs(answer.text, number, f"the page at {address}")
        with self.world.app.app_context():
            order = find_order(number)
            called_in = address in self.called_in
            if called_in and answer.status_code == 200:
                raise Lost(f"doubled: {address} was called in, and opens")
            promised = (
                order and (order.status in HAS_GOODS or "/orders/" in address) and not called_in
            )
            if answer.status_code >= 500 or (promised and answer.status_code != 200):
                raise Lost(f"{address} was mailed, and answers {answer.status_code}")

    @rule(which=ANY, what=strategies.sampled_from(["again", "find"]))
    def a_mail_is_asked_for(self, which: int, what: str) -> None:
        with self.world.app.app_context(), contextlib.suppress(UsedUp, SystemExit):
            if not (order := self._order(self._form(which))):
                return
            if what == "again":
                self.asked_for.add(order.number)
                send_again(order.id)
            else:
                mail_link(order.email, order.number)

    @rule(wrong=strategies.sampled_from(WRONG))
    def the_shops_clock_jumps(self, wrong: timedelta) -> None:
        self.world.clock.wrong = wrong

    @rule(which=ANY, change=strategies.sampled_from(CHANGES))
    def the_shop_is_started_again(self, which: int, change: dict[str, object]) -> None:
        """With other settings. A secret key is changed once, because only one before it is remembered."""
        before = self.world.app.config["SETTINGS"]
        if "secret_key" in change:
            if before.secret_key_previous.get_secret_value():
                return
            end = self.world.clock.now() + timedelta(days=1000)
            old = before.secret_key.get_secret_value()
            change = change | {"secret_key_previous": old, "secret_key_previous_until": end}
        self.world.start_again(**change)
        for form in self.forms:
            form.browser.application = self.world.app
        for another in range(3):
            self.a_mailed_address_is_opened(which + another)

    @rule()
    def the_database_is_copied(self) -> None:
        with self.world.app.app_context():
            self.copy = Copy(), set(self.promised)

    @rule()
    def the_copy_is_put_back(self) -> None:
        """Orders made since are gone, and it is only the journal that knows of them."""
        if self.copy:
            self._puts_back()
            self._compares()

    # What must hold

    @invariant()
    def nothing_is_lost_and_nothing_doubled(self) -> None:
        if found := self._found():
            raise Lost("\n".join(found))

    @invariant()
    def a_key_has_one_owner(self) -> None:
        """However it is typed, whatever product it was put in for."""
        with self.world.app.app_context():
            handed = (
                select(LicenceKey.value, Order.number).join_from(LicenceKey, Delivery).join(Order)
            )
            seen = set[str]()
            for value, number in db.session.execute(handed.where(LicenceKey.unit.is_not(None))):
                key = normal_key(value)
                if self.owners.setdefault(key, number) != number or key in seen:
                    raise Lost(f"doubled: the key {value} went to {self.owners[key]} before")
                seen.add(key)

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
        self.world.clock.wrong = timedelta(0)
        self.the_provider_changes("up")
        # The last, because a clock that was ahead may have put off by so long what is asked about ever more seldom.
        for pause in (timedelta(minutes=1), timedelta(minutes=10), max(WRONG) + timedelta(days=2)):
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
        found = violations(self.world.app, truth, settled=settled, now=now)
        asked = tuple(f"doubled: order {number} has two mails" for number in self.asked_for)
        return [sentence for sentence in found if not sentence.startswith(asked)]

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
            return order_path(order) if order else None

    def _happens(self, invoice: Invoice, way: Action, postback: Mode, *, reported: bool) -> None:
        self.sandbox.turn({"overpaid": reported})
        happen(self.sandbox, invoice.id, way, postback, wait=True)
        self._postbacks_arrive()

    def _postbacks_arrive(self) -> None:
        """Where the shop has stopped asking, or an older copy of it never knew: the postback is all there is."""
        left = "\n".join(told for told in self._found() if "nobody will ever look" in told)
        for invoice in self.sandbox.invoices():
            if invoice.id in left and all(each.answer != 200 for each in invoice.postbacks):
                failpoints.arm("")
                _announce(self.sandbox, invoice, Mode.NORMAL)

    def _pays_late(self, invoice: Invoice | None, postback: Mode) -> None:
        if invoice and (invoice := self.sandbox.get(invoice.id)).can(Action.LATE):
            self._happens(invoice, Action.LATE, postback, reported=False)

    def _puts_back(self) -> None:
        assert self.copy
        failpoints.arm("")
        self.a_key_has_one_owner()  # who has which is seen before it is forgotten
        with self.world.app.app_context():
            self.copy[0].put_back()
        self.promised &= self.copy[1]
        for form in self.forms:
            form.shown.clear()

    def _compares(self) -> None:
        self.time_passes(SETTLED_AFTER + timedelta(seconds=1), sweep=True)
        self._postbacks_arrive()

    def _buys(self, which: int, postback: Mode) -> None:
        self.checks_out(which, 1, "as it is")
        invoice = self._newest_invoice(self.forms[-1])
        if invoice and invoice.can(Action.PAY):
            self._happens(invoice, Action.PAY, postback, reported=False)

    def _newest_invoice(self, form: Form) -> Invoice | None:
        with self.world.app.app_context():
            order = self._order(form)
            known = [payment.invoice_id for payment in payments_of(order.id)] if order else []
        return next((i for i in self.sandbox.invoices() if i.id in known), None)

    def _sweeps(self) -> None:
        with contextlib.suppress(SystemExit), self.world.app.app_context():
            jobs.run("sweep")
        self._reads_the_mails()

    def _reads_the_mails(self) -> None:
        """Those that have left by now: they have goods for whom they belong to, and addresses to keep."""
        app = self.world.app
        with app.app_context():
            numbers = list(db.session.scalars(select(Order.number)))
        for mail in written(app):
            text = part(mail, "plain") + part(mail, "html")
            for number in numbers:
                if number in mail["Subject"]:
                    self._belongs(text, number, "a mail")
                    self.addresses |= dict.fromkeys(ADDRESS.findall(text), number)
        for path in (app.config["SETTINGS"].shop_data_dir / "outbox").glob("*"):
            path.unlink()

    def _belongs(self, text: str, number: str, where: str) -> None:
        """Nothing of the goods is in the text unless the order has any."""
        with self.world.app.app_context():
            order = find_order(number)
            if order and order.status in HAS_GOODS:
                return
            typed = normal_key(text)
            if GOODS.search(text) or any(key in typed for key in self.owners):
                state = order.status if order else "forgotten"
                raise Lost(f"doubled: {where} has the goods of order {number}, which is {state}")

    def _calls_in(self, order: Order) -> None:
        mine = {address for address, number in self.addresses.items() if number == order.number}
        for address in mine - self.called_in:
            del self.addresses[address]  # if the process dies now, either is right
        renew_link(order, Because("asked", "me"))
        self.addresses |= dict.fromkeys(mine, order.number)
        self.called_in |= mine

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
        path = f"{form.prefix}/checkout"
        answer = self._asks(form, lambda: form.browser.post(path, data=form.fields))
        if answer and re.match(TAKEN, answer.headers.get("Location", "")):
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
