"""Whatever CryptoCloud does, at checkout or when asked: no order is lost, and no page is broken.

36 faults, of which 28 fit a question about an invoice. A reply whose fields are missing, null or of another type
is three of them.
"""

from __future__ import annotations

import dataclasses
import re
import secrets
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
import requests
from flask import Flask
from sqlalchemy import func, select, update

from shop import create_app
from shop.attention.queries import open_attention
from shop.attention.service import resolve_attention_item
from shop.because import Because
from shop.db import db, end_read, transaction, utcnow
from shop.orders.links import find_order_by_token
from shop.orders.models import Order, OrderStatus
from shop.payments import opening
from shop.payments.cryptocloud import CryptoCloud, InvoiceInfo, InvoiceStatus
from shop.payments.cryptocloud.transport import CONNECT_SECONDS
from shop.payments.models import Payment, PaymentState
from shop.payments.queries import payments_of
from shop.payments.sweep import sweep
from shop.sandbox.invoices import Action
from shop.sandbox.state import Sandbox
from tests.buyer import Buyer
from tests.conftest import make_settings
from tests.factories import make_postback, make_product
from tests.payments.wire import serving
from tests.support.ledger import tally, truth_of, violations
from tests.support.live_sandbox import running_sandbox
from tests.support.misbehaviour import (
    ERROR,
    HTML,
    PAY_HOST,
    Address,
    Scene,
    another_host,
    bomb,
    done_then,
    done_then_reset,
    done_then_silence,
    drips,
    floods,
    no_handshake,
    no_such_name,
    nobody_listens,
    nobody_takes_up,
    redirects,
    replies,
    says_made,
    server,
    silence,
    untrusted,
)
from tests.support.mutants import mutant as mutated
from tests.support.postgres import postgres_database
from tests.support.promises import Promise

NO_ANSWER = "Trybit does not answer at the moment"
THANKS = "Paid, thank you"
DID_NOT_OPEN = "The payment page did not open"
PAGES = {
    "failed": DID_NOT_OPEN,
    "unknown": DID_NOT_OPEN,
    "abandoned": DID_NOT_OPEN,
    "busy": "Payment is busy, your order is kept",
}
PATIENCE = 8.0
"""How long the shop waits for the provider; a page may take a second more."""


@dataclass(frozen=True)
class Fault:
    """What becomes of a payment at checkout, and what a buyer is told who asks; None: it cannot be."""

    name: str
    outcome: str
    told: str | None
    address: Address
    hangs: bool = False
    """Whether it ends by the shop's patience and not by an answer."""
    unreachable: bool = False
    """Whether it ends by the patience for a connection."""
    astray: bool = False
    """Whether buyer or money would be led astray: that is put before a person, and so is UNREAD."""

    @property
    def state(self) -> str:
        return "failed" if self.outcome == "busy" else self.outcome


# `failed`: surely there is no invoice; `busy`: nor now, but in a moment. `unknown`: there may be one,
# whatever was answered; UNSHOWN: there is one, and nobody may be shown it. `open`: the answer can be
# trusted, and the buyer goes to the pay page.
UNSHOWN = "abandoned"
FAULTS = [
    Fault("name not found", "failed", NO_ANSWER, no_such_name),
    Fault("connection refused", "failed", NO_ANSWER, nobody_listens),
    Fault("connect timeout", "failed", NO_ANSWER, nobody_takes_up, unreachable=True),
    Fault("certificate nobody vouches for", "failed", NO_ANSWER, untrusted),
    Fault("certificate of another host", "failed", NO_ANSWER, another_host),
    Fault("TLS handshake hangs", "unknown", NO_ANSWER, no_handshake, hangs=True),
    Fault("timeout, not done", "unknown", None, server(lambda scene: silence), hangs=True),
    Fault("timeout, done", "unknown", NO_ANSWER, server(done_then_silence), hangs=True),
    Fault("reset, done", "unknown", NO_ANSWER, server(done_then_reset)),
    Fault("400", "failed", NO_ANSWER, replies("400 Bad Request", ERROR)),
    Fault("401", "failed", NO_ANSWER, replies("401 Unauthorized", '{"message":"Unauthenticated."}')),
    Fault("403", "failed", NO_ANSWER, replies("403 Forbidden", HTML)),
    Fault("406", "busy", NO_ANSWER, replies("406 Not Acceptable", ERROR)),
    Fault("429", "busy", NO_ANSWER, replies("429 Too Many Requests")),
    Fault("429, later", "busy", NO_ANSWER, replies("429 Too Many Requests", "", "Retry-After: 90")),
    Fault("500", "unknown", NO_ANSWER, replies("500 Internal Server Error", '{"message":"Oh"}')),
    Fault("502, done", "unknown", NO_ANSWER, done_then(lambda answer: b"HTTP/1.1 502 Bad Gateway\r\n\r\n" + HTML)),
    Fault("503", "unknown", NO_ANSWER, replies("503 Service Unavailable", "busy")),
    Fault("200 with a page", "unknown", NO_ANSWER, replies("200 OK", HTML)),
    Fault("200 cut off, done", "unknown", NO_ANSWER, done_then(lambda answer: answer[:-10])),
    Fault("200 that says error", "failed", NO_ANSWER, replies("200 OK", ERROR)),
    Fault("200 without fields", "unknown", NO_ANSWER, replies("200 OK", '{"status":"success"}')),
    Fault("200 with null", "unknown", NO_ANSWER, says_made(invoice_id=None, pay_url=None, status_invoice=None)),
    Fault("200 with lists", "unknown", NO_ANSWER, says_made(invoice_id=["A"], pay_url=["B"], status_invoice=["paid"])),
    Fault("200 labelled as a page", "open", THANKS, done_then(lambda answer: answer.replace(b"/json", b"/html"))),
    Fault("302 to another host", "unknown", NO_ANSWER, server(redirects)),
    Fault("slow drip, done", "unknown", NO_ANSWER, server(drips), hangs=True),
    Fault("64 MB", "unknown", NO_ANSWER, server(lambda scene: floods)),
    Fault("gzip bomb", "unknown", NO_ANSWER, replies("200 OK", bomb(), "Content-Encoding: gzip")),
    Fault("invoice of another order", "unknown", None, says_made(invoice_id="{taken}"), astray=True),
    Fault("pay_url of another host", UNSHOWN, None, says_made(pay_url="https://evil.example/FAULTY01"), astray=True),
    Fault("pay_url by http", UNSHOWN, None, says_made(pay_url=f"{PAY_HOST}/X".replace("https", "http")), astray=True),
    Fault("pay_url of a script", UNSHOWN, None, says_made(pay_url=f"javascript:alert(1)//{PAY_HOST}"), astray=True),
    Fault("pay_url with a user", UNSHOWN, None, says_made(pay_url=f"{PAY_HOST}@evil.example/"), astray=True),
    Fault("pay_url that looks alike", UNSHOWN, None, says_made(pay_url="https://pay.cryptoc1oud.plus"), astray=True),
    Fault("pay_url with another port", UNSHOWN, None, says_made(pay_url=f"{PAY_HOST}:8443/X"), astray=True),
]  # fmt: skip
UNREAD = ("200 with a page", "200 without fields", "200 with null", "200 with lists")
BY_NAME = {fault.name: fault for fault in FAULTS}
ENGINES = ("sqlite", "postgresql")


def each(faults: list[Fault]) -> pytest.MarkDecorator:
    """Every fault on both engines, with all the patience there is; in a hurry, on the two in turn."""
    quick, full = [], []
    for engine in ENGINES:
        for fault in faults[ENGINES.index(engine) :: 2]:
            quick.append(pytest.param(engine, fault, 0.2, id=f"{engine}-{fault.name}"))
        for fault in faults:
            name = f"{engine}-{fault.name}-in full"
            full.append(pytest.param(engine, fault, PATIENCE, id=name, marks=pytest.mark.long))
    names = ("engine", "fault", "deadline")
    return pytest.mark.parametrize(names, quick + full)


@dataclass
class Shop:
    """The shop, a provider that works, and a place where the shop has no business."""

    app: Flask
    sandbox: Sandbox
    scene: Scene
    slug: str
    visits: list[bytes]
    placed: int = field(default=1)

    @contextmanager
    def led_to(self, fault: Fault, deadline: float) -> Iterator[None]:
        """Let the provider misbehave; only what hangs is given up sooner than in earnest.

        All else would come to an end by itself, and on a busy machine it takes longer than that.
        """
        works = self.app.extensions["cryptocloud"]
        connects = min(deadline, CONNECT_SECONDS) if fault.unreachable else CONNECT_SECONDS
        short = patch("shop.payments.cryptocloud.transport.CONNECT_SECONDS", connects)
        seconds = deadline if fault.hangs else PATIENCE
        with fault.address(self.scene) as url, short:
            misled = dataclasses.replace(works, url=url, call_seconds=seconds)
            self.app.extensions["cryptocloud"] = misled
            try:
                yield
            finally:
                self.app.extensions["cryptocloud"] = works

    def sweeps(self, **later: float) -> None:
        with self.app.app_context():
            sweep(self.app.extensions["cryptocloud"], utcnow() + timedelta(**later))

    def order(self, address: str) -> tuple[OrderStatus, list[PaymentState]]:
        """The status of the order behind a link, and the states of its payments."""
        with self.app.app_context():
            order = find_order_by_token(re.split(r"[/?]", address)[2])
            assert order is not None
            return order.status, [payment.state for payment in payments_of(order.id)]

    def asks_for_a_person(self) -> bool:
        """Whether an answer was refused for good; the person sees to it at once."""
        with self.app.app_context():
            items = [item for item in open_attention() if item.kind == "reply_refused"]
            end_read()
            for item in items:
                resolve_attention_item(item.id, Because("seen", "test"))
        return bool(items)

    def orders(self) -> int:
        with self.app.app_context():
            return db.session.scalar(select(func.count()).select_from(Order)) or 0

    def pays(self, pay_url: str) -> None:
        """The money arrives at the provider, and its postback gets lost."""
        self.sandbox.act(pay_url.rpartition("/")[2], Action.PAY)

    def is_told_of(self, pay_url: str) -> None:
        """The provider's postback arrives."""
        invoice_id = pay_url.rpartition("/")[2]
        with self.app.app_context():
            payment = db.session.scalars(select(Payment).filter_by(invoice_id=invoice_id)).one()
            postback = make_postback(self.app.config["SETTINGS"], payment)
        answer = self.app.test_client().post("/payments/cryptocloud/postback", data=postback)
        assert answer.status_code == 200

    def lets_time_pass(self) -> None:
        """What was only busy may be tried again."""
        with self.app.app_context(), transaction() as session:
            busy = update(Payment).where(Payment.retry_at.is_not(None))
            session.execute(busy.values(retry_at=utcnow() - timedelta(seconds=1)))


@contextmanager
def open_shop(folder: Path, database_url: str) -> Iterator[Shop]:
    visits: list[bytes] = []
    with running_sandbox() as sandbox, serving(lambda c: visits.append(c.recv(9))) as elsewhere:
        origin = sandbox.settings.public_url
        settings = make_settings(
            folder,
            database_url,
            cryptocloud_api_url=origin,
            cryptocloud_pay_hosts=(PAY_HOST, *sandbox.settings.pay_origins()),
        )
        app = create_app(settings)
        with app.app_context():
            slug = make_product(stock=1000).slug
        taken = Buyer(app).buys(slug).rpartition("/")[2]
        yield Shop(app, sandbox, Scene(origin, elsewhere, taken), slug, visits)
        with app.app_context():
            db.engine.dispose()


@pytest.fixture(scope="module")
def shops(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[str], Shop]]:
    """One on each engine for all the faults, so that each meets what the others have left behind."""
    with ExitStack() as stack:

        @cache
        def shop_on(engine: str) -> Shop:
            folder = tmp_path_factory.mktemp("shop")
            if engine == "sqlite":
                shutil.copyfile(request.getfixturevalue("sqlite_template"), folder / "shop.db")
                url = f"sqlite:///{folder / 'shop.db'}"
            else:
                given = request.getfixturevalue("postgres_template")
                url = stack.enter_context(postgres_database(*given))
            return stack.enter_context(open_shop(folder, url))

        yield shop_on


@pytest.fixture
def shop(engine: str, shops: Callable[[str], Shop]) -> Shop:
    return shops(engine)


def address_of(buyer: Buyer) -> str:
    buyer.looks_at_order()
    return buyer.page.request.path


def misbehaves_at_checkout(shop: Shop, fault: Fault, deadline: float = 0.3) -> None:
    """Check out while it misbehaves, then pay when it works again; AssertionError if anything is lost."""
    buyer = Buyer(shop.app, email=f"{secrets.token_hex(8)}@example.com")
    buyer.puts_into_cart(shop.slug)
    with shop.led_to(fault, deadline):
        form, started = buyer.opens("/checkout"), time.monotonic()
        answer = buyer.sends("/checkout", email=buyer.email)
        shop.placed += 1
        assert time.monotonic() - started < PATIENCE + 1
        assert answer.status_code == 303
        where = answer.headers["Location"]
        buyer.page = form  # sent again, by the button or by reloading
        assert buyer.sends("/checkout", email=buyer.email).headers["Location"] == where
        address = address_of(buyer)
        assert shop.order(address) == ("pending", [fault.state])
        assert shop.asks_for_a_person() is (fault.astray or fault.name in UNREAD)
        assert where == address or (
            fault.outcome == "open" and where.startswith(shop.sandbox.settings.pay_origins())
        )
        if fault.outcome != "open":
            page = buyer.opens(address).text
            assert PAGES[fault.outcome] in page
            assert "Nothing was charged" in page
            assert "evil" not in page
        shop.sweeps(minutes=1)
    assert shop.visits == []

    shop.sweeps(minutes=10)
    shop.lets_time_pass()
    if fault.outcome != "open":
        buyer.opens(address)
        where = buyer.presses("pay").headers["Location"]
    shop.pays(where)
    shop.sweeps(hours=1)
    assert THANKS in buyer.opens(address).text
    assert shop.order(address)[0] is OrderStatus.FULFILLED
    assert shop.orders() == shop.placed


def misbehaves_when_asked(shop: Shop, fault: Fault, deadline: float = 0.3) -> None:
    """Pay, and ask in every way while it misbehaves; AssertionError if that does harm or money is lost."""
    buyer = Buyer(shop.app)
    pay_url = buyer.buys(shop.slug)
    shop.placed += 1
    address = address_of(buyer)
    shop.pays(pay_url)
    with shop.led_to(fault, deadline):
        started = time.monotonic()
        buyer.opens(address)
        buyer.presses("check")
        assert time.monotonic() - started < PATIENCE + 1
        page = buyer.reads_answer()
        assert str(fault.told) in page
        if fault.told != THANKS:
            shop.is_told_of(pay_url)
            shop.sweeps(minutes=1)
            assert "Waiting for your payment" in page
            assert f'href="{pay_url}"' in page
            assert shop.order(address) == ("pending", ["open"])
    assert shop.visits == []

    shop.sweeps(hours=1)
    assert THANKS in buyer.opens(address).text
    assert shop.order(address) == ("fulfilled", ["paid"])
    assert shop.orders() == shop.placed


@pytest.mark.promise(6)
@each(FAULTS)
def test_at_checkout_the_order_is_kept_and_paid_by_trying_again(
    shop: Shop, fault: Fault, deadline: float, promise: Promise
) -> None:
    misbehaves_at_checkout(shop, fault, deadline)

    promise.cases += 1
    assert tally(promise, violations(shop.app, truth_of(shop.sandbox), settled=True)) == []


@pytest.mark.promise(6)
@each([fault for fault in FAULTS if fault.told])
def test_when_asked_nothing_is_believed_and_the_money_is_found_later(
    shop: Shop, fault: Fault, deadline: float, promise: Promise
) -> None:
    misbehaves_when_asked(shop, fault, deadline)

    promise.cases += 1
    assert tally(promise, violations(shop.app, truth_of(shop.sandbox), settled=True)) == []


class Follows(requests.Session):
    """What the client's own session is there to prevent."""

    def request(self, *asked: Any, **how: Any) -> requests.Response:
        return super().request(*asked, **how | {"allow_redirects": True})


class NeverRaised(Exception):
    pass


def believes(client: CryptoCloud, ids: list[str], **how: Any) -> dict[str, InvoiceInfo]:
    return dict.fromkeys(ids, InvoiceInfo(InvoiceStatus.PAID))


def none(*given: Any) -> list[Any]:
    return []


PARTS = "shop.payments"
BINDS_ANY = mutated(opening.bind, "stands.invoice_id or stands.bound_to", "stands.invoice_id")
LEADS_AWAY = {f"{PARTS}.cryptocloud.v1.checked_pay_url": lambda pay_url, origins: pay_url}
CONTROLS = [
    ("302 to another host", {f"{PARTS}.cryptocloud.transport._Session": Follows}),
    ("pay_url of another host", LEADS_AWAY),
    ("502, done", {f"{PARTS}.opening.Unclear": NeverRaised}),
    ("429", {f"{PARTS}.opening.Unavailable": NeverRaised}),
    ("invoice of another order", {f"{PARTS}.opening.bind": BINDS_ANY}),
    ("pay_url by http", {f"{PARTS}.opening.Untrusted": NeverRaised}),
    ("503", {f"{PARTS}.sweep.past_their_lease": none, f"{PARTS}.sweep.due_checks": none}),
]
MORE_CONTROLS = [(name, LEADS_AWAY) for name in BY_NAME if name.startswith("pay_url")]
WHEN_ASKED_CONTROLS = [
    ("503", {f"{PARTS}.cryptocloud.CryptoCloud.invoice_infos": believes}),
    ("503", {f"{PARTS}.sweep.due_checks": none}),
]


@pytest.fixture(scope="module")
def spoilt(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    folder = tmp_path_factory.mktemp("spoilt")
    shutil.copyfile(sqlite_template, folder / "shop.db")
    with open_shop(folder, f"sqlite:///{folder / 'shop.db'}") as shop:
        yield shop


@pytest.mark.parametrize(
    ("scenario", "fault", "mutant"),
    [(misbehaves_at_checkout, *control) for control in CONTROLS]
    + [(misbehaves_when_asked, *control) for control in WHEN_ASKED_CONTROLS]
    + [
        pytest.param(misbehaves_at_checkout, *control, marks=pytest.mark.long)
        for control in MORE_CONTROLS
    ],
)
def test_a_shop_without_the_protection_is_found_out(
    spoilt: Shop, scenario: Callable[[Shop, Fault], None], fault: str, mutant: dict[str, Any]
) -> None:
    """The control: the same scenario fails with the mutant, and passes without it right afterwards."""
    with ExitStack() as patches:
        for name, replacement in mutant.items():
            patches.enter_context(patch(name, replacement))
        with pytest.raises(AssertionError):
            scenario(spoilt, BY_NAME[fault])

    spoilt.visits.clear()
    scenario(spoilt, BY_NAME[fault])
