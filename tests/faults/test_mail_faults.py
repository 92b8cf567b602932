"""A mail server that refuses, hangs and dies, and senders that die too: each mail arrives, under one id."""

from __future__ import annotations

import asyncio
import random
import re
import socket
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session
from flask import Flask
from sqlalchemy import select

import shop.mail
import shop.outbox.sending as outbox
from shop.config import Settings
from shop.db import db, end_read, utcnow
from shop.fulfilment.letters import compose
from shop.mail import Mail
from shop.orders.models import Order, OrderStatus
from shop.outbox.kinds import MailKind
from shop.outbox.models import MailState, OutboxMail
from shop.outbox.service import new_message_id
from shop.payments.models import Payment
from shop.sandbox.invoices import Action
from shop.sandbox.state import Sandbox
from tests.buyer import Buyer
from tests.conftest import settings_for
from tests.factories import as_json, make_postback, make_product, send_due_mails
from tests.support.crashing import Nursery, Task
from tests.support.ledger import tally
from tests.support.mutants import Killed, dies_here, mutant
from tests.support.promises import Promise
from tests.support.sold import goods_mails, sell

FAULTS = {"refuses": 0.3, "hangs": 0.03, "dies": 0.12}
"""How often each of the server's faults happens; otherwise it takes the mail and says so."""
CHANCE = 0.04
DEADLY = " ".join(
    f"{point}={CHANCE}"
    for point in (
        *("before_mail_claim", "inside_mail_claim", "after_mail_claim", "before_send"),
        *("after_send", "before_mail_sent", "inside_mail_sent", "after_mail_sent"),
    )
)
ROUND = timedelta(hours=2, minutes=5)  # longer than any lease, and than the longest pause
ROUNDS = 40


only_sqlite = pytest.mark.parametrize("engine", ["sqlite"], indirect=True)


class BadPost:
    """A mail server with faults, by dice that fall the same each time."""

    def __init__(self) -> None:
        self.dice = random.Random(21)
        self.faults: dict[str, float] = {}
        self.happened: Counter[str] = Counter()
        self.connections = 0
        self.taken: list[str] = []  # Message-IDs
        self.loses_patience: Callable[[], None] = lambda: None  # whoever waits for an answer

    async def handle_EHLO(
        self, server: SMTP, session: Session, envelope: Envelope, name: str, responses: list[str]
    ) -> list[str]:
        self.connections += 1
        session.host_name = name  # type: ignore[assignment]
        return responses

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        fault = self._throws()
        self.happened[fault] += 1
        if fault == "refuses":
            return "451 later"
        if fault == "hangs":
            self.loses_patience()
            await asyncio.sleep(3600)
        found = re.search(rb"^Message-ID: *(<[^>]+>)", envelope.content or b"", re.MULTILINE)  # type: ignore[arg-type]
        assert found
        self.taken.append(found[1].decode())
        if fault == "dies" and server.transport:
            server.transport.abort()  # type: ignore[attr-defined]
        return "250 OK"

    def _throws(self) -> str:
        thrown = self.dice.random()
        for fault, chance in self.faults.items():
            if thrown < chance:
                return fault
            thrown -= chance
        return "takes"


@pytest.fixture
def post() -> BadPost:
    return BadPost()


@pytest.fixture
def smtp_url(post: BadPost) -> Iterator[str]:
    with closing(socket.create_server(("127.0.0.1", 0))) as free:
        port = free.getsockname()[1]
    controller = Controller(post, hostname="127.0.0.1", port=port)
    controller.start()
    yield f"smtp://127.0.0.1:{port}"
    controller.stop()


@pytest.fixture
def settings(tmp_path: Path, database_url: str, sandbox: Sandbox, smtp_url: str) -> Settings:
    return settings_for(
        sandbox,
        tmp_path / "data",
        database_url,
        smtp_url=smtp_url,
    )


def _waits(mail: OutboxMail) -> bool:
    """A first mail that nobody has tried to send yet, or need not any more: the goods have come."""
    return mail.kind == MailKind.ORDER_PLACED and mail.state in (
        MailState.QUEUED,
        MailState.SKIPPED,
    )


def wrong(app: Flask, post: BadPost, deaths: int) -> list[str]:
    """What is wrong when all is over; `deaths` are those of senders, and of the server after DATA."""
    with app.app_context():
        mails = db.session.scalars(select(OutboxMail)).all()
        states = {mail.message_id: mail.state for mail in mails if not _waits(mail)}
        end_read()
    spare = len(post.taken) - len(set(post.taken))
    found = [f"lost: {id_} is {at}" for id_, at in states.items() if at is not MailState.SENT]
    found += [f"lost: {id_} never arrived" for id_ in states if id_ not in post.taken]
    found += [f"doubled: {id_} is no mail of ours" for id_ in post.taken if id_ not in states]
    if spare > deaths:
        found.append(f"doubled: {spare} mails came twice after {deaths} deaths")
    return found


@pytest.mark.promise(21)
@pytest.mark.parametrize(
    ("engine", "orders"),
    [
        ("sqlite", 6),
        pytest.param("sqlite", 300, marks=pytest.mark.long),
        pytest.param("postgresql", 300, marks=pytest.mark.long),
    ],
    indirect=["engine"],
)
def test_each_mail_arrives_and_comes_twice_only_where_somebody_died(
    app: Flask,
    settings: Settings,
    sandbox: Sandbox,
    post: BadPost,
    tmp_path: Path,
    orders: int,
    promise: Promise,
) -> None:
    kills, ahead = 0, timedelta(0)
    with Nursery(settings, tmp_path / "nursery.log") as nursery:
        with app.app_context():
            for _ in range(orders):
                sell(app)
            end_read()
        # A mail that was taken must not be given up, however slowly a busy machine says so: it would
        # come twice though nobody died. So the sender has all its patience, but where it is no use.
        post.faults, post.loses_patience = FAULTS, nursery.loses_patience
        # Until a round finds nothing to do. A killed sender leaves the rest of its round to the next.
        for _ in range(ROUNDS + orders):
            before = post.connections, kills
            task = Task(command=("jobs", "run", "mails"), point=DEADLY)
            end = nursery.run(replace(task, ahead=ahead.total_seconds()))
            kills += end.killed
            ahead += ROUND
            if (post.connections, kills) == before:
                break

    promise.cases += orders
    assert tally(promise, wrong(app, post, kills + post.happened["dies"])) == []
    with app.app_context():
        first = select(OutboxMail.state).where(OutboxMail.kind == MailKind.ORDER_PLACED)
        assert set(db.session.scalars(first)) == {MailState.SKIPPED}
    assert post.happened["refuses"] > 0


def test_a_sale_never_waits_for_the_mail_server(
    app: Flask, settings: Settings, sandbox: Sandbox, post: BadPost
) -> None:
    """A server that hangs has no part in it: from the form to the goods nobody opens a connection."""
    post.faults = {"hangs": 1}
    with app.app_context():
        slug = make_product().slug
        end_read()
    buyer = Buyer(app)

    link = buyer.buys(slug)
    sandbox.act(link.rpartition("/")[2], Action.PAY)
    with app.app_context():
        (payment,) = db.session.scalars(select(Payment)).all()
        postback = make_postback(settings, payment)
        end_read()
    assert (
        app.test_client().post("/payments/cryptocloud/postback", **as_json(postback)).status_code
        == 200
    )

    assert post.connections == 0
    with app.app_context():
        assert db.session.scalars(select(Order.status)).one() is OrderStatus.FULFILLED
        assert [mail.state for mail in goods_mails()] == [MailState.QUEUED]


@only_sqlite
def test_control_a_mail_noted_as_sent_before_it_is_sent_is_found_missing(
    app: Flask, post: BadPost, monkeypatch: pytest.MonkeyPatch
) -> None:
    hasty = mutant(outbox._send, "    try:\n", "    _note_outcome(mail_id, now, error)\n    try:\n")
    monkeypatch.setattr(outbox, "_send", hasty)
    with app.app_context():
        sell(app)
        dies_here(monkeypatch, "before_send")
        with pytest.raises(Killed):
            send_due_mails()
        send_due_mails(utcnow() + ROUND)

    assert "never arrived" in str(wrong(app, post, deaths=1))


@only_sqlite
def test_control_a_mail_with_a_new_id_each_time_is_found(
    app: Flask, post: BadPost, monkeypatch: pytest.MonkeyPatch
) -> None:
    def renamed(mail: OutboxMail) -> Mail:
        return replace(compose(mail), message_id=new_message_id())

    monkeypatch.setattr("tests.factories.compose", renamed)
    with app.app_context():
        sell(app)
        send_due_mails()

    assert "is no mail of ours" in str(wrong(app, post, deaths=0))


@only_sqlite
def test_control_a_mail_that_comes_twice_without_a_death_is_found(
    app: Flask, post: BadPost
) -> None:
    with app.app_context():
        sell(app)
        send_due_mails()
        assert wrong(app, post, deaths=0) == []
        (mail,) = goods_mails()
        shop.mail.send(compose(mail))

    assert post.connections == 2, "the count of connections counts"
    assert "came twice after 0 deaths" in str(wrong(app, post, deaths=0))
    assert wrong(app, post, deaths=1) == []
