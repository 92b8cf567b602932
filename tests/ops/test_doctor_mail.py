"""The doctor tries the mail server: it logs in and leaves again, or sends one mail when told to."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from flask import Flask

import shop.mail
from shop.config import Settings
from shop.doctor.mail import mail, send_test_mail
from tests.conftest import make_settings

CERTIFICATE = Path(__file__).parent.parent / "payments" / "self_signed.pem"


class Post:
    """A mail server's memory."""

    def __init__(self) -> None:
        self.taken: list[Envelope] = []
        self.answer = "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        self.taken.append(envelope)
        return self.answer


def only_the_right_one(
    server: SMTP, session: Session, envelope: Envelope, mechanism: str, given: LoginPassword
) -> AuthResult:
    good = (given.login, given.password) == (b"shop", b"right")
    return AuthResult(success=good, handled=False)


@contextmanager
def listening(post: Post, **options: object) -> Iterator[int]:
    """The mail server's port."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = int(free.getsockname()[1])
    controller = Controller(post, hostname="127.0.0.1", port=port, **options)
    controller.start()
    try:
        yield port
    finally:
        controller.stop()


def earnest(folder: Path, url: str, **values: object) -> Settings:
    """A shop on the internet that sends its mails to `url`."""
    settings = make_settings(folder, smtp_url=url, **values)
    return settings.model_copy(update={"shop_development": False})


@pytest.fixture
def post() -> Post:
    return Post()


@pytest.fixture
def trusting(monkeypatch: pytest.MonkeyPatch) -> ssl.SSLContext:
    """The machine trusts the tests' certificate, which is for `localhost`; the server's side of it."""
    trusting = ssl.create_default_context(cafile=str(CERTIFICATE))
    monkeypatch.setattr(shop.mail.ssl, "create_default_context", lambda: trusting)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATE)
    return context


def test_a_server_that_lets_us_in_is_good_and_gets_no_mail(tmp_path: Path, post: Post) -> None:
    with listening(post) as port:
        finding = mail(earnest(tmp_path, f"smtp://127.0.0.1:{port}"))

    assert finding.level == "ok"
    assert post.taken == []


def test_a_log_in_over_starttls_is_tried(
    tmp_path: Path, post: Post, trusting: ssl.SSLContext
) -> None:
    options = {"tls_context": trusting, "authenticator": only_the_right_one}
    with listening(post, **options) as port:
        right = mail(earnest(tmp_path, f"smtp://shop:right@localhost:{port}"))
        wrong = mail(earnest(tmp_path, f"smtp://shop:wr0ng@localhost:{port}"))

    assert right.level == "ok"
    assert (wrong.level, wrong.mend) == ("fail", "Correct them in SMTP_URL.")
    assert "wr0ng" not in wrong.text
    assert post.taken == []


def test_a_certificate_that_nobody_vouches_for_is_a_failure(tmp_path: Path, post: Post) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATE)
    with listening(post, tls_context=context) as port:
        finding = mail(earnest(tmp_path, f"smtp://localhost:{port}"))

    assert finding.level == "fail"
    assert "certificate" in finding.text


def test_a_server_that_does_not_encrypt_is_a_warning(
    tmp_path: Path, post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shop.doctor.mail.LOOPBACK", set())
    with listening(post) as port:
        finding = mail(earnest(tmp_path, f"smtp://127.0.0.1:{port}"))

    assert finding.level == "warn"
    assert "without encryption" in finding.text


def test_a_password_is_not_sent_in_the_clear_to_find_out(
    tmp_path: Path, post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shop.mail, "LOOPBACK", set())
    with listening(post) as port:
        finding = mail(earnest(tmp_path, f"smtp://shop:right@127.0.0.1:{port}"))

    assert (finding.level, finding.text) == ("fail", "no STARTTLS, so the password was kept back")


def test_a_server_that_is_not_there_is_a_failure_and_in_a_trial_a_warning(tmp_path: Path) -> None:
    settings = earnest(tmp_path, "smtp://127.0.0.1:1")
    trial = settings.model_copy(update={"shop_development": True})

    assert (mail(settings).level, mail(trial).level) == ("fail", "warn")
    assert mail(settings).text == "127.0.0.1 cannot be reached"


def test_a_server_that_hangs_is_a_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shop.mail, "SMTP_SECONDS", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        finding = mail(earnest(tmp_path, f"smtp://127.0.0.1:{silent.getsockname()[1]}"))

    assert finding.level == "fail"


def test_mails_that_are_only_written_down_are_a_failure_outside_a_trial(tmp_path: Path) -> None:
    assert mail(earnest(tmp_path, "")).level == "fail"
    assert mail(make_settings(tmp_path)).level == "warn"


def test_mails_that_nobody_can_answer_are_a_warning(tmp_path: Path, post: Post) -> None:
    with listening(post) as port:
        finding = mail(earnest(tmp_path, f"smtp://127.0.0.1:{port}", shop_support_email=""))

    assert (finding.level, finding.mend) == ("warn", "Set SHOP_SUPPORT_EMAIL.")


@pytest.mark.parametrize("engine", ["sqlite"])
class TestTheTestMail:
    def use(self, app: Flask, url: str) -> Settings:
        settings = make_settings(app.config["SETTINGS"].shop_data_dir, smtp_url=url)
        app.config["SETTINGS"] = settings
        return settings

    def test_it_is_really_sent(self, app: Flask, post: Post) -> None:
        with listening(post) as port, app.app_context():
            settings = self.use(app, f"smtp://127.0.0.1:{port}")
            finding = send_test_mail(settings, "me@example.com")

        (mail,) = post.taken
        assert finding.level == "ok"
        assert mail.rcpt_tos == ["me@example.com"]
        assert "me@example.com" not in finding.text

    def test_a_server_that_does_not_take_it_is_a_failure(self, app: Flask, post: Post) -> None:
        post.answer = "554 we do not like you"
        with listening(post) as port, app.app_context():
            settings = self.use(app, f"smtp://127.0.0.1:{port}")

            assert send_test_mail(settings, "me@example.com").level == "fail"

    def test_without_a_server_it_is_written_down(self, app: Flask) -> None:
        with app.app_context():
            finding = send_test_mail(self.use(app, ""), "me@example.com")

        assert finding.level == "warn"
        (file,) = (app.config["SETTINGS"].shop_data_dir / "outbox").iterdir()
        assert "A test mail from Storefront" in file.read_text()
