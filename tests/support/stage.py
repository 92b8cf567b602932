"""The stage of the crash tests: a shop, its provider and a buyer; a process dies, and the rest go on."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from urllib.parse import urlsplit

from flask import Flask
from sqlalchemy import select
from werkzeug.test import TestResponse

from shop.attention.models import AttentionItem
from shop.catalogue.models import DeliveryKind
from shop.config import Settings
from shop.db import db
from shop.orders.links import order_url
from shop.orders.models import Order
from shop.outbox.models import MailState, OutboxMail
from shop.payments.models import Payment
from shop.payments.queries import payments_of
from shop.sandbox.invoices import Action
from shop.sandbox.state import Sandbox
from tests.buyer import Buyer, Form
from tests.factories import make_product, make_token
from tests.support.copies import forget_everything
from tests.support.crashing import Clock, End, Fresh, Nursery, Task, speak
from tests.support.ledger import PAID, UNSENT, Truth, violations

PAYABLE = ("created", "partial")
STOCK, KEYS = 5, 3


class Shopper(Buyer):
    """A buyer who remembers every pay link that a page showed or led to."""

    def __init__(self, app: Flask, sandbox: Sandbox) -> None:
        super().__init__(app)
        self.sandbox = sandbox
        self.shown: list[str] = []  # invoice ids
        self.complaints: list[str] = []

    def opens(self, address: str) -> TestResponse:
        self.page = super().opens(address)
        return self._looks()

    def sends(self, action: str, **changes: object) -> TestResponse:
        super().sends(action, **changes)
        return self._looks()

    def fills_in(self, action: str) -> Task:
        """The form of this page that goes to `action`, as a task for a process to come."""
        fields = Form(self.page.text, action).fields
        if action == "/checkout":
            fields["email"] = self.email
        return Task(action, fields, self.cookie)

    @property
    def cookie(self) -> str:
        """What the browser holds of the session."""
        cookie = self.browser.get_cookie("session")
        return cookie.value if cookie else ""

    def _looks(self) -> TestResponse:
        """Note the links on the page; two that could both be paid are one too many."""
        found = self.page.headers.get("Location", "") + self.page.text
        homes = "|".join(self.sandbox.settings.pay_origins())
        for number in re.findall(rf"(?:{homes})/([A-Z0-9]{{8}})\b", found):
            if number not in self.shown:
                self.shown.append(number)
        live = [number for number in self.shown if self.sandbox.get(number).status in PAYABLE]
        if len(live) > 1:
            self.complaints.append(f"doubled: two pay links are live at once: {live}")
        return self.page


class Stage:
    """Everything there is in one scene, and the clock that all of it goes by."""

    def __init__(
        self,
        app: Flask,
        settings: Settings,
        sandbox: Sandbox,
        living: Nursery,
    ) -> None:
        self.app, self.settings, self.sandbox, self.living = app, settings, sandbox, living
        self.clock = Clock()

    def begin(self, doomed: Nursery | Fresh, api: str) -> None:
        """An empty shop with two products, one of them with keys; nothing has happened yet."""
        self.doomed, self.api = doomed, api
        speak(self.app, api)
        self.clock.ahead = timedelta(0)
        self.sandbox.reset()
        self.sandbox.clock = self.clock.now
        self.kills = 0
        self.taken: set[str] = set()
        forget_everything(self.app)
        with self.app.app_context():
            text = make_product(stock=STOCK, title="A story")
            keys = make_product(kind=DeliveryKind.KEY, keys=KEYS, title="A game")
            self.slugs = [text.slug, keys.slug]
        self.buyer = Shopper(self.app, self.sandbox)

    def waits(self, minutes: float) -> None:
        """Let time pass, for everybody."""
        self.clock.ahead += timedelta(minutes=minutes)

    # What processes do, and where they die

    def dies(self, task: Task, point: str) -> None:
        """Have a process do this, and die at `point` by SIGKILL."""
        end = self.doomed.run(self._now(task, point))
        assert end.killed, f"it lived through {point}: {end}"
        self.kills += 1

    def lives(self, *command: str) -> End:
        """Have a process carry out a command to its end."""
        return self.living.run(self._now(Task(command=command), ""))

    def sweeps(self, minutes: float = 0) -> None:
        """One sweep, so much later."""
        self.waits(minutes)
        end = self.lives("jobs", "run", "sweep")
        assert end.code == 0, f"the sweep broke: {end}"

    def _now(self, task: Task, point: str) -> Task:
        ahead = self.clock.ahead.total_seconds()
        return replace(task, point=point, ahead=ahead, api=self.api)

    # What the buyer does

    def fills_the_form(self) -> Task:
        """A full cart, and a checkout form that only needs to be sent."""
        for slug in self.slugs:
            self.buyer.puts_into_cart(slug)
        self.buyer.opens("/checkout")
        self.form = dict(self.buyer.fills_in("/checkout").data or {})  # type: ignore[arg-type]
        return Task("/checkout", self.form, self.buyer.cookie)

    def sends_the_form(self) -> None:
        """Send the form; a second time it leads to what it led to the first time."""
        self.buyer.page = self.buyer.browser.post("/checkout", data=self.form)
        self.buyer._looks()

    def fills_the_form_for_nothing(self) -> Task:
        """The same with a cart that costs nothing: a licence key and a story."""
        with self.app.app_context():
            story = make_product(price=0, title="A free story")
            key = make_product(price=0, kind=DeliveryKind.KEY, keys=KEYS, title="A free game")
            self.slugs = [story.slug, key.slug]
        return self.fills_the_form()

    def orders(self) -> str:
        """Order, and be at the pay page; the invoice's id."""
        self.fills_the_form()
        self.sends_the_form()
        return self.buyer.shown[-1]

    def looks(self) -> str:
        """Open the order's page; what it says, in one word."""
        with self.app.app_context():
            address = order_url(db.session.scalars(select(Order)).one())
        text = self.buyer.opens(urlsplit(address).path).text
        found = re.search(r'data-state="(\w+)"', text)
        assert found, text
        return found[1]

    def goes_on(self) -> str:
        """Do what the order page asks for until it asks for nothing; what it says then."""
        for _ in range(3):
            page = self.looks()
            if page in ("failed", "busy", "expired"):
                self.buyer.presses("pay")
            elif page in ("waiting", "partial"):
                link = self._link()
                self.pays(link, Action.REST if page == "partial" else Action.PAY)
                self.tells(link)
            else:
                break
        return page

    def lies(self) -> list[str]:
        """What the order page, as the buyer sees it now, says that is not so."""
        page = self.looks()
        paid = {i.id for i in self.sandbox.invoices() if i.status.value in PAID}
        if page in ("waiting", "partial") and self.sandbox.get(self._link()).status not in PAYABLE:
            return ["lost: the order page leads to an invoice that cannot be paid"]
        if page in ("opening", "waiting", "failed", "busy", "expired", "cancelled"):
            found = paid & set(self.buyer.shown)
            return [f"lost: the order page says {page!r}, and {found} is paid"] if found else []
        if page in ("paid", "delivered"):
            vouched = select(Payment.id).where(Payment.confirmed_by != "")
            free = select(Order.id).where(Order.total_minor == 0)
            with self.app.app_context():
                known = paid or db.session.scalars(vouched.union_all(free)).all()
            return [] if known else [f"doubled: the order page says {page!r}, and nobody has paid"]
        return []

    def _link(self) -> str:
        return [n for n in self.buyer.shown if f"/{n}" in self.buyer.page.text][-1]

    def presses(self, button: str) -> Task:
        """The order page's button, as a task."""
        self.looks()
        action = re.search(rf'action="(/orders/[^"/]+/{button})"', self.buyer.page.text)
        assert action, self.buyer.page.text
        return self.buyer.fills_in(action[1])

    # What the provider does

    def pays(self, invoice_id: str, action: Action = Action.PAY) -> None:
        """Somebody pays; the provider's postback is lost."""
        self.sandbox.act(invoice_id, action)

    def postback(self, invoice_id: str, **fields: str) -> Task:
        """The provider's postback about an invoice, as a task."""
        fields = {
            "status": "success",
            "invoice_id": invoice_id,
            "order_id": self.sandbox.get(invoice_id).order_id or "",
            "token": make_token(
                self.settings, invoice_id, exp=int(self.clock.now().timestamp()) + 300
            ),
        } | fields
        return Task("/payments/cryptocloud/postback", json.dumps(fields))

    def tells(self, invoice_id: str) -> None:
        """The provider's postback arrives."""
        task = self.postback(invoice_id)
        kind = "application/json"
        answer = self.app.test_client().post(task.path, data=task.data, content_type=kind)
        assert answer.status_code == 200, answer.text
        self.taken.add(invoice_id)

    # What is there

    def state(self) -> str:
        """Where order and newest payment stand, such as "pending creating"; "-" for none, "free" for no payment."""
        with self.app.app_context():
            order = db.session.scalar(select(Order))
            if order is None:
                return "-"
            payments = payments_of(order.id)
            return f"{order.status} {payments[-1].state if payments else 'free'}"

    def attention(self) -> set[str]:
        """What waits for a person, by its kind."""
        with self.app.app_context():
            waiting = select(AttentionItem.kind).where(AttentionItem.resolved_at.is_(None))
            return set(db.session.scalars(waiting).all())

    def number(self) -> str:
        """The order's number, for a command."""
        with self.app.app_context():
            return db.session.scalars(select(Order.number)).one()

    def unsent(self) -> list[str]:
        """Mails that are still in the outbox."""
        with self.app.app_context():
            waiting = select(OutboxMail.dedupe_key).where(UNSENT)
            return list(db.session.scalars(waiting))

    def found(self) -> list[str]:
        """What is wrong after the sweeps; each sentence begins with "lost:" or "doubled:"."""
        truth = Truth({i.id: i.status.value for i in self.sandbox.invoices()}, self.taken)
        now = self.clock.now()
        return [
            *violations(self.app, truth, settled=True, now=now),
            *charges(self.app, self.sandbox),
            *self.buyer.complaints,
        ]


def charges(app: Flask, sandbox: Sandbox) -> Iterator[str]:
    """No double charge: every second payment for an order is before a person, whom a mail has told; no other is."""
    paid: dict[str, list[str]] = {}
    for invoice in sandbox.invoices():
        if invoice.status.value in PAID:
            paid.setdefault(invoice.order_id or "", []).append(invoice.id)
    with app.app_context():
        for order in db.session.scalars(select(Order)).all():
            references = [payment.reference for payment in payments_of(order.id)]
            ids = [id_ for reference in references for id_ in paid.get(reference, [])]
            yield from _second_payments(order, references, ids)
            if not references and not order.is_free:
                yield f"lost: order {order.number} has no payment, so nobody can pay it"


def _second_payments(order: Order, references: list[str], paid: list[str]) -> Iterator[str]:
    twice = _items("paid_twice", references)
    unmatched = _items("unmatched_invoice", paid)
    if len(paid) > 1 + len(twice) + len(unmatched):
        yield f"lost: order {order.number} was paid {len(paid)} times, and no person was told"
    if len(twice) > max(len(paid) - 1, 0):
        yield f"doubled: order {order.number} was paid {len(paid)} times, not {len(twice) + 1}"
    for item in (*twice, *unmatched):
        mail = select(OutboxMail.state).where(OutboxMail.dedupe_key == item.alert_key)
        if db.session.scalar(mail) is not MailState.SENT:
            yield f"lost: no mail told the operator of {item.kind} {item.reference}"


def _items(kind: str, references: list[str]) -> Sequence[AttentionItem]:
    query = select(AttentionItem).where(AttentionItem.kind == kind)
    return db.session.scalars(query.where(AttentionItem.reference.in_(references))).all()
