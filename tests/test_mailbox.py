"""One mailbox has one spelling: what is stored is what is counted, and what the mail server is told."""

from __future__ import annotations

from pathlib import Path
from typing import NoReturn

import pytest
from email_validator import EmailNotValidError

from shop.mail import Mail, _message
from shop.mailbox import LONGEST, NotAnAddress, OtherLetters, SeveralAddresses, mailable, mailbox
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
    "anna@example.com\r\nBcc: b@example.com",
    "anna@example.com\r\nben", "anna@example.com\u200b\nben", "<anna@example.com> ben", "anna@example.com..com",
])  # fmt: skip
def test_what_no_mail_can_be_sent_to_is_refused(typed: str) -> None:
    with pytest.raises(NotAnAddress):
        mailable(typed)


INVISIBLE = (
    "\u00ad\u034f\u061c\u115f\u180e\u200b\u200c\u200d\u200e\u200f\u202a"
    "\u202c\u202e\u2060\u2066\u2069\u2800\u3164\ufe0f\ufeff"
)


@pytest.mark.parametrize("char", INVISIBLE)
def test_what_nobody_can_see_is_no_part_of_an_address(char: str) -> None:
    for typed in (
        "{}anna@example.com",
        "anna@example.com{}",
        "an{}na@exam{}ple.com",
        " {} anna@example.com {} ",
    ):
        assert mailable(typed.replace("{}", char)) == "anna@example.com"


@pytest.mark.parametrize("pasted", [
    "mailto:anna@example.com", "MailTo:anna@example.com?subject=Hi", "mailto:anna%40example.com",
    "anna@example.com.", "anna@example.com,", "anna@example.com;", "anna@example.com。", "<anna@example.com>",
    "Anna B. <anna@example.com>", "“Anna” <anna@example.com>,", "(anna@example.com)", "'anna@example.com'",
    "«anna@example.com»", "anna＠example.com", "\u00a0anna@example.com\u3000",
])  # fmt: skip
def test_what_is_pasted_around_an_address_is_no_part_of_it(pasted: str) -> None:
    assert mailable(pasted) == "anna@example.com"


def test_no_letter_is_taken_out_of_a_persian_domain() -> None:
    """It would be another one: the goods would go to a stranger."""
    with pytest.raises(NotAnAddress):
        mailable("anna@نامه\u200cای.com")

    assert mailable("anna@نامهای.com") == "anna@xn--mgba3gch31f.com"


@pytest.mark.parametrize("name", ["o'neil", "'anna", "{anna}", "anna+shop", "anna.b", "!anna"])
def test_signs_that_a_name_may_have_stay(name: str) -> None:
    assert mailable(f"{name}@example.com") == f"{name}@example.com"


def test_an_address_that_not_every_server_takes_is_told_from_none_by_its_letters() -> None:
    with pytest.raises(OtherLetters) as refused:
        mailable("анна@почта.рф")

    assert refused.value.letters == "ан"


def test_two_addresses_are_told_from_none() -> None:
    with pytest.raises(SeveralAddresses):
        mailable("anna@example.com; ben@example.com")


@pytest.mark.parametrize(
    "typed",
    [
        "a" * 60_000,
        "mailto:" * 8_000,
        "(a" * 30_000,
        "a" + "\u0300\u0316" * 15_000 + "@example.com",
        "a@b.co," * 8_000,
    ],
    ids=lambda typed: typed[:7].encode("ascii", "replace").decode(),
)
def test_as_much_as_a_form_may_hold_is_refused_before_it_is_looked_at_closely(
    typed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of some texts the validator takes four times as long where they are twice as long."""
    checked: list[int] = []

    def check(text: str, **how: object) -> NoReturn:
        checked.append(len(text))
        raise EmailNotValidError

    monkeypatch.setattr("email_validator.validate_email", check)

    with pytest.raises(NotAnAddress):
        mailable(typed)

    assert not checked or max(checked) <= LONGEST


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


@pytest.mark.parametrize("setting", ["shop_support_email", "shop_mail_from"])
def test_every_header_names_the_operator_in_ascii(tmp_path: Path, setting: str) -> None:
    """With other letters in one, no mail ever left: few servers take it."""
    settings = make_settings(tmp_path, **{setting: "info@магазин.рф", "shop_name": "Магазин"})
    mail = Mail(to="a@example.com", subject="s", text="t", html="t", message_id="<1@example.com>")

    message = _message(mail, settings)

    message.as_bytes().decode("ascii")
    header = "Reply-To" if setting == "shop_support_email" else "From"
    (address,) = message[header].addresses
    assert address.addr_spec == "info@xn--80aairftm.xn--p1ai"
    assert message["From"].addresses[0].display_name == "Магазин"
