"""One mailbox has one spelling: what is stored is what is counted, and what the mail server is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from shop.mail import Mail, _message
from shop.mailbox import NotAnAddress, mailable, mailbox
from tests.conftest import make_settings


@pytest.mark.parametrize(("typed", "stored"), [
    ("anna@example.com", "anna@example.com"), (" Anna.B@EXAMPLE.com ", "Anna.B@example.com"),
    ("anna@ｇmail.com", "anna@gmail.com"), ("anna@ⓖmail.com", "anna@gmail.com"),
    ("anna@gmail。com", "anna@gmail.com"), ("anna@straße.de", "anna@xn--strae-oqa.de"),
    ("anna@bücher.de", "anna@xn--bcher-kva.de"), ("anna@BÜCHER.de", "anna@xn--bcher-kva.de"),
    ("anna@магазин.рф", "anna@xn--80aairftm.xn--p1ai"),
])  # fmt: skip
def test_a_domain_is_stored_as_mail_servers_take_it(typed: str, stored: str) -> None:
    assert mailable(typed) == stored


@pytest.mark.parametrize("typed", [
    "", "anna", "anna@", "@example.com", "a@b@example.com", "анна@example.com",
    "=?utf-8?q?=76ictim?=@example.com", "=?utf-8?q?a=00?=@example.com", "a=?b@example.com",
    "anna@example.com\r\nBcc: b@example.com", "anna <anna@example.com>",
])  # fmt: skip
def test_what_no_mail_can_be_sent_to_is_refused(typed: str) -> None:
    with pytest.raises(NotAnAddress):
        mailable(typed)


def test_a_mailbox_is_the_same_in_capitals_and_with_a_tag() -> None:
    assert mailbox("Anna+shop@Example.com") == mailbox(" anna@example.com") == "anna@example.com"


@pytest.mark.parametrize(("typed", "counted"), [
    ("a.n.n.a+x@gmail.com", "anna@gmail.com"), ("Anna@GoogleMail.com", "anna@gmail.com"),
    ("anna-b@ya.ru", "anna.b@yandex.ru"), ("anna.b@yandex.kz", "anna.b@yandex.ru"),
    ("an_na-b@protonmail.com", "annab@proton.me"), ("an.na.b@pm.me", "annab@proton.me"),
    ("a.n-n_a@example.com", "a.n-n_a@example.com"), ("a.b@mail.ru", "a.b@mail.ru"),
])  # fmt: skip
def test_what_a_provider_takes_for_the_same_mailbox_is_counted_as_one(
    typed: str, counted: str
) -> None:
    assert mailbox(typed) == counted


@pytest.mark.parametrize(("to", "header"), [
    ("anna@example.com", "anna@example.com"),
    ("=?utf-8?q?=76ictim?=@example.com", "=?utf-8?q?=76ictim?=@example.com"),
    ("help@straße.de", "help@xn--strae-oqa.de"),
])  # fmt: skip
def test_the_mail_server_is_told_the_address_as_it_is(tmp_path: Path, to: str, header: str) -> None:
    mail = Mail(to=to, subject="s", text="t", html="<p>t</p>", message_id="<1@example.com>")

    (address,) = _message(mail, make_settings(tmp_path))["To"].addresses

    assert address.addr_spec == header
