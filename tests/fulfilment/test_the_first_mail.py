"""An order's first mail brings its link before anything is paid, and is left out when it would only confuse."""

from __future__ import annotations

import secrets
from email.message import EmailMessage

import pytest
from flask import Flask

from shop.because import Because
from shop.catalogue.models import DeliveryKind, Product
from shop.checkout.service import place_test_order
from shop.db import db, transaction, utcnow
from shop.money import Money
from shop.orders.links import order_url
from shop.orders.models import Order, OrderStatus
from shop.outbox.models import MailState, OutboxMail
from shop.outbox.on_request import FIRST_MAIL_WAITS, TO_AN_ADDRESS
from shop.outbox.queries import mails_of
from tests.factories import (
    make_buyer,
    make_cart,
    make_order,
    make_product,
    place_order,
    send_due_mails,
)
from tests.fulfilment.test_mails import part, written
from tests.support.sold import mail_kinds, sell


def first(order: Order) -> OutboxMail:
    return db.session.get_one(OutboxMail, mails_of(order.id)[0].id, populate_existing=True)


def sent(app: Flask) -> list[EmailMessage]:
    """What has been sent when the first mail's turn has come."""
    send_due_mails(utcnow() + FIRST_MAIL_WAITS)
    return written(app)


def test_it_waits_a_moment_and_then_brings_the_link_and_the_total(app: Flask) -> None:
    with app.app_context():
        order, _ = make_order(app, make_product(title="Rain & <Wind>"))
        assert send_due_mails() == 0, "the buyer is still on the way to the pay page"

        (mail,) = sent(app)

        link = order_url(order)
    assert mail["To"] == "buyer@example.com"
    assert mail["Subject"] == f"Storefront: your order {order.number}"
    for kind in ("plain", "html"):
        for words in (link, "USD\u00a010.00", "UTC", "do not pay twice", "http://localhost"):
            assert words in part(mail, kind)
    assert "1 × Rain & <Wind>" in part(mail, "plain")
    assert "Rain &amp; &lt;Wind&gt;" in part(mail, "html")
    assert "goods of product" not in part(mail, "plain")


def test_it_is_left_out_when_the_goods_have_come_meanwhile(app: Flask) -> None:
    with app.app_context():
        order = sell(app)

        (mail,) = sent(app)

        assert "is paid" in mail["Subject"]
        assert first(order).state is MailState.SKIPPED


def test_it_is_left_out_when_the_order_is_paid_and_its_keys_are_promised(app: Flask) -> None:
    with app.app_context():
        keyed = make_product(kind=DeliveryKind.KEY)
        with transaction() as session:
            session.get_one(Product, keyed.id).available = 1
        order = sell(app, keyed)

        (mail,) = [each for each in sent(app) if each["To"] == order.email]

        assert "its licence key will follow" in mail["Subject"]
        assert order_url(order) in part(mail, "plain")
        assert first(order).state is MailState.SKIPPED


def test_it_is_left_out_when_the_order_is_closed(app: Flask) -> None:
    with app.app_context():
        order, _ = make_order(app)
        with transaction() as session:
            session.get_one(Order, order.id).move(OrderStatus.CANCELLED, Because("a test"))

        assert sent(app) == []

        assert first(order).state is MailState.SKIPPED


def test_it_speaks_the_language_of_the_order(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is translated: dates are, by a library's own words."""
    with app.app_context():
        cart = make_cart(app, make_product())
        order, _ = place_order(cart, make_buyer(cart, language="uk"))

        (mail,) = sent(app)

        assert f"http://localhost/uk/orders/{order_url(order).rpartition('/')[2]}" in part(
            mail, "plain"
        )
        assert '<html lang="uk">' in part(mail, "html")
        assert "10,00\u00a0USD" in part(mail, "html")


def test_a_test_invoice_of_the_command_line_mails_nobody(app: Flask) -> None:
    with app.app_context():
        place_test_order(Money(1000, "EUR"), "a@example.com")

        assert mail_kinds() == []


def test_an_order_that_was_not_made_mails_nobody(app: Flask) -> None:
    with app.app_context():
        product = make_product(stock=1)
        cart = make_cart(app, product)
        place_order(cart, make_buyer(cart))

        with pytest.raises(Exception, match="sold out"):
            place_order(cart, make_buyer(cart, checkout_key=secrets.token_urlsafe(24)))

        assert mail_kinds() == ["order-placed"]


def test_an_address_gets_only_so_many_of_them_and_every_order_is_made(app: Flask) -> None:
    """Else a stranger could fill anybody's mailbox by ordering and never paying."""
    with app.app_context():
        for n in range(TO_AN_ADDRESS + 3):
            cart = make_cart(app, make_product())
            order, _ = place_order(cart, make_buyer(cart, email=f"{'Bb'[n % 2]}uyer@example.com"))
            assert order.status is OrderStatus.PENDING
        cart = make_cart(app, make_product())
        place_order(cart, make_buyer(cart, email="else@example.com"))

        sent(app)

    to = [mail["To"].lower() for mail in written(app)]
    assert (to.count("buyer@example.com"), to.count("else@example.com")) == (TO_AN_ADDRESS, 1)


def test_it_goes_nowhere_when_the_address_has_been_erased(app: Flask) -> None:
    with app.app_context():
        order, _ = make_order(app)
        with transaction() as session:
            session.get_one(Order, order.id).email = ""

        assert sent(app) == []
        assert first(order).state is MailState.SKIPPED
