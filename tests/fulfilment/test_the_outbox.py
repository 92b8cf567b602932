"""Mails leave by SMTP, as often as it takes, and a person is told when it never works."""

from __future__ import annotations

import itertools
import socket
import ssl
import threading
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session
from flask import Flask

import shop.mail
import shop.outbox.sending
from shop.attention.queries import open_attention
from shop.config import Settings
from shop.db import transaction, utcnow
from shop.fulfilment import letters
from shop.orders.models import Order
from shop.outbox.models import MailState, OutboxMail
from shop.outbox.queries import mails_of
from shop.outbox.sending import LEASE, TRIES, _claim
from tests.conftest import make_settings
from tests.factories import make_open_order, send_due_mails
from tests.support.sold import goods_mails, sell


class Post:
    """A mail server that takes what it is given, or answers what it was told to."""

    def __init__(self) -> None:
        self.answer = "250 OK"
        self.refusal = ""
        """What every recipient is refused with."""
        self.taken: list[Envelope] = []

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if not self.refusal:
            envelope.rcpt_tos.append(address)
        return self.refusal or "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        if self.answer.startswith("250"):
            self.taken.append(envelope)
        return self.answer

    @property
    def ids(self) -> list[bytes]:
        lines = [line for mail in self.taken for line in (mail.content or b"").splitlines()]
        return [line for line in lines if line.lower().startswith(b"message-id:")]


@pytest.fixture
def post() -> Post:
    return Post()


@pytest.fixture
def smtp_url(post: Post) -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    controller = Controller(post, hostname="127.0.0.1", port=port)
    controller.start()
    yield f"smtp://127.0.0.1:{port}"
    controller.stop()


@pytest.fixture
def settings(tmp_path: Path, database_url: str, smtp_url: str) -> Settings:
    return make_settings(tmp_path / "data", database_url, smtp_url=smtp_url)


def mail() -> OutboxMail:
    """The mail with the goods."""
    (found,) = goods_mails()
    return found


def test_a_mail_server_gets_the_mail(app: Flask, post: Post) -> None:
    with app.app_context():
        number = sell(app).number

        assert send_due_mails() == 1

        assert mail().state is MailState.SENT
        assert mail().sent_at is not None
    (envelope,) = post.taken
    assert envelope.mail_from == "help@shop.example"
    assert envelope.rcpt_tos == ["buyer@example.com"]
    assert number.encode() in (envelope.content or b"")


def test_a_mail_server_that_hangs_does_not_hold_up_the_sweep(
    app: Flask, post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With each mail taking as long as a server may keep us waiting; the others have their turn later."""
    clock = itertools.count(step=int(shop.mail.SMTP_SECONDS))
    monkeypatch.setattr(shop.outbox.sending, "monotonic", lambda: next(clock))
    with app.app_context():
        for _ in range(4):
            sell(app)
        rounds = [send_due_mails() for _ in range(4)]

    assert rounds == [1, 1, 1, 1]
    assert len(post.taken) == 4


def test_a_refused_mail_is_tried_again_later_and_later(app: Flask, post: Post) -> None:
    post.answer = "550 no"
    with app.app_context():
        sell(app)
        now, pauses = utcnow(), []
        for _ in range(9):
            send_due_mails(now)
            assert mail().state is MailState.QUEUED
            assert mail().last_error == "SMTPDataError"
            assert send_due_mails(now) == 0, "not again at once"
            pauses.append(mail().next_try_at - now)
            now = mail().next_try_at

        assert pauses == [timedelta(minutes=m) for m in (2, 4, 8, 16, 32, 64, 120, 120, 120)]
        assert mail().tries == 9


def test_it_arrives_when_the_server_has_recovered_under_the_same_id(app: Flask, post: Post) -> None:
    post.answer = "451 later"
    with app.app_context():
        sell(app)
        send_due_mails()
        post.answer = "250 OK"

        assert send_due_mails(mail().next_try_at) == 1

        assert mail().state is MailState.SENT
        assert mail().last_error == ""
        assert post.ids == [f"Message-ID: {mail().message_id}".encode()]


def test_sent_twice_after_a_crash_it_has_the_same_id(app: Flask, post: Post) -> None:
    """Mail programs then show it once."""
    with app.app_context():
        sell(app)
        send_due_mails()
        sent = mail().id
        with transaction() as session:  # as if we had died before noting that it was sent
            lost = session.get_one(OutboxMail, sent)
            lost.state, lost.lease_until = MailState.SENDING, utcnow() - timedelta(seconds=1)

        assert send_due_mails() == 1

    assert len(post.ids) == 2
    assert len(set(post.ids)) == 1


def test_a_mail_that_never_gets_through_is_put_before_a_person(app: Flask, post: Post) -> None:
    post.answer = "550 no"
    with app.app_context():
        order = sell(app)
        now: datetime = utcnow()
        for _ in range(TRIES):
            send_due_mails(now)
            now += timedelta(hours=3)

        assert mail().state is MailState.FAILED
        assert send_due_mails(now) == 0
        refusals, item = open_attention()
        assert (refusals.kind, item.kind) == ("mails_refused", "mail_failed")
        assert order.number in item.note
        assert "buyer@example.com" not in item.note


@pytest.mark.parametrize(
    "said", ["550 no such user", "550 5.1.1 <buyer@example.com>: unknown", "556 never"]
)
def test_an_address_that_the_server_refuses_is_told_of_at_once(
    app: Flask, post: Post, said: str
) -> None:
    """It was asked twenty times before, for a day and a half, and the buyer's page said nothing."""
    post.refusal = said
    with app.app_context():
        order = sell(app)

        send_due_mails()

        assert mail().state is MailState.REFUSED
        assert mail().last_error == f"the server refused the recipient with {said[:3]}"
        (item,) = open_attention()
        assert (item.kind, order.number in item.note) == ("mail_failed", True)
        post.refusal = ""
        assert send_due_mails(utcnow() + timedelta(days=1)) == 1, "only the alert to the operator"


@pytest.mark.parametrize(
    "said", ["550 5.7.1 relaying denied", "554 5.7.1 <buyer@example.com>: Relay access denied",
             "530 authentication required", "450 4.2.0 greylisted", "452 4.2.2 mailbox full"]
)  # fmt: skip
def test_a_server_that_refuses_us_and_not_the_address_is_tried_again(
    app: Flask, post: Post, said: str
) -> None:
    """A password that was lost must not cost every buyer of that hour their mail."""
    post.refusal = said
    with app.app_context():
        sell(app)
        send_due_mails()
        assert mail().state is MailState.QUEUED
        post.refusal = ""

        assert send_due_mails(mail().next_try_at) >= 1

        assert mail().state is MailState.SENT


def test_an_address_that_nobody_paid_for_is_no_persons_business(app: Flask, post: Post) -> None:
    """Anybody can type any address into the checkout, as often as they like."""
    post.refusal = "550 no such user"
    with app.app_context():
        order, _ = make_open_order(app)

        send_due_mails(utcnow() + timedelta(minutes=3))

        assert [each.state for each in mails_of(order.id)] == [MailState.REFUSED]
        assert open_attention() == []


def test_after_a_day_without_a_mail_server_the_goods_arrive_once(
    app: Flask, post: Post, smtp_url: str
) -> None:
    with app.app_context():
        order = sell(app)
        use(app, "smtp://127.0.0.1:1")
        now = utcnow()
        for hour in range(0, 24, 2):
            send_due_mails(now + timedelta(hours=hour))
        use(app, smtp_url)

        for hour in range(24, 48, 2):
            send_due_mails(now + timedelta(hours=hour))

        assert mail().state is MailState.SENT
        to_the_buyer = [each for each in post.taken if each.rcpt_tos == [order.email]]
        assert len(to_the_buyer) == 1, "and the first mail, which has nothing to say any more, not"
        assert order.number.encode() in (to_the_buyer[0].content or b"")


def test_a_server_that_hangs_is_given_up_and_tried_again(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shop.mail, "SMTP_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        use(app, f"smtp://127.0.0.1:{silent.getsockname()[1]}")
        with app.app_context():
            sell(app)

            assert send_due_mails() == 0

            assert mail().state is MailState.QUEUED
            assert mail().last_error == "SMTPServerDisconnected"


def test_a_server_that_is_not_there_is_tried_again(app: Flask) -> None:
    use(app, "smtp://127.0.0.1:1")
    with app.app_context():
        sell(app)

        assert send_due_mails() == 0

        assert mail().state is MailState.QUEUED
        assert mail().last_error == "ConnectionRefusedError"


CERTIFICATE = Path(__file__).parent.parent / "payments" / "self_signed.pem"


@pytest.fixture
def secure_post(post: Post) -> Iterator[int]:
    """The same server, which takes mail after STARTTLS only; its port."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATE)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    controller = Controller(
        post, hostname="127.0.0.1", port=port, tls_context=context, require_starttls=True
    )
    controller.start()
    yield int(port)
    controller.stop()


@pytest.mark.parametrize("engine", ["sqlite"])
def test_a_server_that_can_encrypt_is_made_to(
    app: Flask, post: Post, secure_post: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """STARTTLS was never used once, because nothing had asked the server whether it can."""
    trusting = ssl.create_default_context(cafile=str(CERTIFICATE))
    monkeypatch.setattr(shop.mail.ssl, "create_default_context", lambda: trusting)
    use(app, f"smtp://localhost:{secure_post}")
    with app.app_context():
        sell(app)

        assert send_due_mails() == 1

    assert len(post.taken) == 1


@pytest.mark.parametrize("engine", ["sqlite"])
def test_a_server_that_nobody_vouches_for_gets_nothing(
    app: Flask, post: Post, secure_post: int
) -> None:
    use(app, f"smtp://user:tell-nobody@localhost:{secure_post}")
    with app.app_context():
        sell(app)

        assert send_due_mails() == 0

        assert mail().last_error == "SSLCertVerificationError"
    assert post.taken == []


@pytest.mark.parametrize("engine", ["sqlite"])
def test_a_password_is_not_sent_in_the_clear(
    app: Flask, post: Post, smtp_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shop.mail, "LOOPBACK", set())  # as if the server were far away
    use(app, smtp_url.replace("//", "//user:tell-nobody@"))
    with app.app_context():
        sell(app)

        assert send_due_mails() == 0

        assert "the password was kept back" in mail().last_error
    assert post.taken == []


def use(app: Flask, smtp_url: str) -> None:
    """Have the app send its mails there."""
    settings = app.config["SETTINGS"]
    wanted = make_settings(settings.shop_data_dir, smtp_url=smtp_url).smtp_url
    app.config["SETTINGS"] = settings.model_copy(update={"smtp_url": wanted})


def test_one_mail_that_cannot_be_made_does_not_hold_up_the_others(
    app: Flask, post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It once stopped the round, and came first again in the next."""
    with app.app_context():
        broken = sell(app).id
        sell(app)
        render = letters.render_mail

        def fail(template: str, **values: object) -> object:
            order = values["order"]
            if isinstance(order, Order) and order.id == broken:
                raise ValueError("tell-nobody-4711")
            return render(template, **values)  # type: ignore[arg-type]

        monkeypatch.setattr(letters, "render_mail", fail)

        assert send_due_mails() == 1

        first, second = goods_mails()
        assert (first.state, second.state) == (MailState.QUEUED, MailState.SENT)
        assert first.last_error == "ValueError"
    assert len(post.taken) == 1


def test_two_senders_send_it_once(app: Flask, post: Post) -> None:
    with app.app_context():
        sell(app)

    def work() -> None:
        with app.app_context():
            send_due_mails()

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(post.taken) == 1


def test_a_mail_in_work_is_left_alone_until_its_sender_must_be_dead(app: Flask, post: Post) -> None:
    with app.app_context():
        sell(app)
        now = utcnow()
        assert _claim(mail().id, now)
        assert not _claim(mail().id, now), "nobody else gets it, though they read that it was due"

        assert send_due_mails(now + LEASE - timedelta(seconds=1)) == 0
        assert send_due_mails(now + LEASE + timedelta(seconds=1)) == 1


def test_no_address_is_logged(app: Flask, post: Post, caplog: pytest.LogCaptureFixture) -> None:
    with app.app_context():
        sell(app)
        post.answer = "550 <buyer@example.com> no such user"
        send_due_mails()
        send_due_mails(utcnow() + timedelta(hours=1))

    ours = [r.getMessage() for r in caplog.records if not r.name.startswith("mail.log")]
    assert "mail_" in str(ours)
    assert "buyer@" not in str(ours)
