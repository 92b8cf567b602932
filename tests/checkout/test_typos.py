"""A likely slip in an email address is asked about once, and never in the way."""

from __future__ import annotations

import re

import pytest
from flask import Flask

from shop.db import db
from shop.mailbox import mailable
from shop.orderpage.typos import likely_meant
from shop.orders.models import Order
from tests.buyer import Buyer
from tests.factories import make_product, provider


@pytest.mark.parametrize(("typed", "meant"), [
    ("anna@gmial.com", "anna@gmail.com"), ("anna@gmail.co", "anna@gmail.com"),
    ("anna@gnail.com", "anna@gmail.com"), ("anna@GMAIL.CON", "anna@gmail.com"),
    ("anna@hotmial.com", "anna@hotmail.com"), ("anna@outlok.com", "anna@outlook.com"),
    ("anna@yandx.ru", "anna@yandex.ru"), ("anna@mial.ru", "anna@mail.ru"),
    ("anna@ukr.ent", "anna@ukr.net"), ("a@b@gmial.com", "a@b@gmail.com"),
    ("anna@gmial.con", "anna@gmail.com"), ("anna@hotmial.cmo", "anna@hotmail.com"), ("anna@gmial.co", "anna@gmail.com"),
    ("anna@yandx.ry", "anna@yandex.ru"), ("anna@urk.nte", "anna@ukr.net"), ("anna@outlok.cm", "anna@outlook.com"),
    ("anna@company.con", "anna@company.com"),  # nobody has a mailbox at that ending
    (mailable("anna@gmаil.com"), "anna@gmail.com"), (mailable("anna@shop.сom"), "anna@shop.com"),
])  # fmt: skip
def test_a_slip_in_a_well_known_address_is_seen(typed: str, meant: str) -> None:
    assert likely_meant(typed) == meant


@pytest.mark.parametrize("domain", [
    "mail.ua", "email.ua", "mail.kz", "gmx.at", "outlook.de", "yahoo.fr", "yandex.kz", "live.ru", "hotmail.it",
    "xn--80aairftm.xn--p1ai", "xn--.com",
    "gmail.com", "GMail.com", "mail.com", "mail.ru", "ya.ru", "me.com", "ukr.net", "shop.example",
    "company.co", "company.cm", "mali.co", "con.com", "con", "ukr.de",
    "example.com", "gmail.example.com", "maildrop.cc", "company.ru", "xn--80ak6aa92e.com", "",
])  # fmt: skip
def test_an_address_of_ones_own_is_left_alone(domain: str) -> None:
    assert likely_meant(f"anna@{domain}") == ""


@pytest.fixture
def at_checkout(app: Flask) -> Buyer:
    with app.app_context():
        slug = make_product().slug
    buyer = Buyer(app, "anna@gmial.com")
    buyer.puts_into_cart(slug)
    return buyer


def test_the_buyer_is_asked_with_the_address_that_was_likely_meant(at_checkout: Buyer) -> None:
    answer = at_checkout.checks_out()

    assert answer.status_code == 422
    assert "Did you mean anna@gmail.com?" in answer.text
    assert 'value="anna@gmial.com"' in answer.text


def test_the_suggestion_is_taken_by_one_press_of_its_button(app: Flask, at_checkout: Buyer) -> None:
    asked = at_checkout.checks_out().text

    assert re.search(r'<button[^>]* name="meant" value="anna@gmail.com">[^<]*anna@gmail.com', asked)
    with provider(app) as calls:
        calls.invoice_is_made()
        answer = at_checkout.sends("/checkout", meant="anna@gmail.com")

    assert answer.status_code == 303
    with app.app_context():
        assert db.session.query(Order).one().email == "anna@gmail.com"


def test_enter_in_the_field_does_not_press_the_suggestion(at_checkout: Buyer) -> None:
    form = at_checkout.checks_out().text.partition('action="/checkout"')[2]

    first = re.search(r"<button[^>]*>", form)  # the one that a browser takes for Enter

    assert first
    assert "meant" not in first[0]


def test_no_other_address_is_taken_than_the_one_that_was_suggested(at_checkout: Buyer) -> None:
    at_checkout.checks_out()

    answer = at_checkout.sends("/checkout", meant="else@example.com", email="anna@gmaul.com")

    assert answer.status_code == 422
    assert "else@example.com" not in answer.text


def test_a_suggestion_is_offered_only_where_it_is_asked_about(at_checkout: Buyer) -> None:
    at_checkout.checks_out()

    answer = at_checkout.sends("/checkout", email="anna@")

    assert 'name="meant"' not in answer.text


def test_who_sends_the_same_address_again_is_believed(app: Flask, at_checkout: Buyer) -> None:
    at_checkout.checks_out()
    with provider(app) as calls:
        calls.invoice_is_made()
        answer = at_checkout.sends("/checkout", email="anna@gmial.com")

    assert answer.status_code == 303
    with app.app_context():
        assert db.session.query(Order).one().email == "anna@gmial.com"


def test_another_slip_is_asked_about_again(at_checkout: Buyer) -> None:
    at_checkout.checks_out()

    answer = at_checkout.sends("/checkout", email="anna@gmaul.com")

    assert answer.status_code == 422


@pytest.mark.parametrize(("typed", "said"), [
    ("анна@example.com", "these characters before the @: ан."),
    ("аnna@example.com", "these characters before the @: а."),  # the first letter is Cyrillic
    ("anna@example.com, ben@example.com", "Enter one email address only"),
    ("anna", "correct format"),
])  # fmt: skip
def test_an_address_that_cannot_be_taken_is_refused_by_what_is_wrong_with_it(
    at_checkout: Buyer, typed: str, said: str
) -> None:
    at_checkout.opens("/checkout")

    answer = at_checkout.sends("/checkout", email=typed)

    assert answer.status_code == 422
    assert said in answer.text


@pytest.mark.parametrize("typed", [
    "anna@gmail.com\u200b", "mailto:anna@gmail.com", "anna@gmail.com.", "anna@ｇmail.com", " anna@GMAIL.com ",
    "anna@gmail。com",
])  # fmt: skip
def test_an_address_is_stored_in_the_one_spelling_that_is_counted(
    app: Flask, at_checkout: Buyer, typed: str
) -> None:
    at_checkout.opens("/checkout")
    with provider(app) as calls:
        calls.invoice_is_made()
        at_checkout.sends("/checkout", email=typed)

    with app.app_context():
        assert db.session.query(Order).one().email == "anna@gmail.com"
