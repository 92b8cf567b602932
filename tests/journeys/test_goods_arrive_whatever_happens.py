"""Whatever goes wrong between paying and having: the goods come once, by mail and on the order page."""

from __future__ import annotations

import email
import email.policy
import re
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from aiosmtpd.controller import Controller
from flask import Flask

from shop.catalogue.models import DeliveryKind
from shop.config import Settings
from shop.db import utcnow
from shop.sandbox.state import Sandbox
from tests.buyer import Buyer
from tests.conftest import settings_for
from tests.factories import make_product, send_due_mails
from tests.fulfilment.test_the_outbox import Post
from tests.journeys.books import Books
from tests.journeys.test_goods_arrive import keys_on
from tests.journeys.till import Till

MISTYPED, RIGHT = "buyre@example.com", "buyer@example.com"


@dataclass
class Sale:
    """One key to be sold, everybody who takes part in it, and what time it is for the worker."""

    buyer: Buyer
    till: Till
    books: Books
    slug: str
    port: int
    post: Post = field(default_factory=Post)
    now: datetime = field(default_factory=utcnow)

    def orders(self) -> str:
        """The pay page."""
        return self.buyer.buys(self.slug)

    def orders_with_a_mistyped_address(self) -> str:
        """The same, by somebody who will have to correct it."""
        self.buyer.email = MISTYPED
        return self.orders()

    def corrects_the_address(self) -> None:
        """On the order page."""
        self.buyer.looks_at_order()
        page = f"{self.buyer.page.request.path}/address"
        self.buyer.opens(page)
        assert self.buyer.sends(page, email=RIGHT).status_code == 303

    def hours_pass(self, hours: int) -> None:
        """The worker makes its round every hour, and sends what it can."""
        for _ in range(hours):
            self.now += timedelta(hours=1)
            self.books.sweeps(seconds=(self.now - utcnow()).total_seconds())
            with self.books.app.app_context():
                send_due_mails(self.now)

    @contextmanager
    def post_is_open(self) -> Iterator[None]:
        """The mail server takes what it is given."""
        server = Controller(self.post, hostname="127.0.0.1", port=self.port)
        server.start()
        yield
        server.stop()

    def goods_mail(self) -> str:
        """The text of the one mail with the goods."""
        found = [
            email.message_from_bytes(envelope.content or b"", policy=email.policy.default)
            for envelope in self.post.taken
            if envelope.rcpt_tos == [RIGHT]
        ]
        bodies = [body.get_content() for mail in found if (body := mail.get_body(("plain",)))]
        (goods,) = [body for body in bodies if "KEY-" in body]
        return str(goods)


@pytest.fixture
def port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


@pytest.fixture
def settings(
    tmp_path: Path, database_url: str, sandbox: Sandbox, door: socket.socket, port: int
) -> Settings:
    return settings_for(
        sandbox,
        tmp_path / "data",
        database_url,
        shop_public_url=f"http://127.0.0.1:{door.getsockname()[1]}",
        smtp_url=f"smtp://127.0.0.1:{port}",
    )


@pytest.fixture
def sale(app: Flask, buyer: Buyer, till: Till, books: Books, port: int) -> Sale:
    with app.app_context():
        slug = make_product(kind=DeliveryKind.KEY, keys=3).slug
    return Sale(buyer, till, books, slug, port)


def mail_server_is_down_for_a_day(sale: Sale) -> None:
    sale.till.does("pay", sale.orders())
    sale.hours_pass(24)


def tab_is_closed(sale: Sale) -> None:
    sale.till.does("pay", sale.orders())


def postback_is_lost_and_tab_is_closed(sale: Sale) -> None:
    sale.till.does("pay", sale.orders(), postback="lose")


def address_is_corrected(sale: Sale) -> None:
    pay_url = sale.orders_with_a_mistyped_address()
    sale.corrects_the_address()
    sale.till.does("pay", pay_url)


def address_is_corrected_after_the_first_mail(sale: Sale) -> None:
    with sale.post_is_open():
        pay_url = sale.orders_with_a_mistyped_address()
        sale.hours_pass(1)
    assert [envelope.rcpt_tos for envelope in sale.post.taken] == [[MISTYPED]]
    sale.corrects_the_address()
    sale.till.does("pay", pay_url)


def money_comes_late(sale: Sale) -> None:
    pay_url = sale.orders()
    sale.till.does("expire", pay_url)
    sale.hours_pass(1)
    assert sale.books.state() == ("expired", "none")
    sale.till.does("late", pay_url, postback="lose")


@pytest.mark.parametrize(
    "misfortune",
    [
        # In small: test_after_a_day_without_a_mail_server_the_goods_arrive_once
        pytest.param(mail_server_is_down_for_a_day, marks=pytest.mark.long),
        tab_is_closed,
        postback_is_lost_and_tab_is_closed,
        address_is_corrected,
        address_is_corrected_after_the_first_mail,
        money_comes_late,
    ],
)
def test_the_goods_arrive(app: Flask, sale: Sale, misfortune: Callable[[Sale], None]) -> None:
    misfortune(sale)

    with sale.post_is_open():
        sale.hours_pass(3)
        sale.hours_pass(24)  # in which nothing may come twice

    assert sale.books.state()[0] == "fulfilled"
    mail = sale.goods_mail()
    (key,) = set(re.findall(r"KEY-[\w-]+", mail))
    (link,) = set(re.findall(r"https?://\S+/orders/\S+", mail))
    page = Buyer(app, RIGHT).opens(urlsplit(link).path)
    assert page.status_code == 200
    assert keys_on(page.text) == [key]
    assert sale.books.left(sale.slug) == 2
    to_the_mistyped = [mail for mail in sale.post.taken if mail.rcpt_tos == [MISTYPED]]
    assert not any(key.encode() in (mail.content or b"") for mail in to_the_mistyped)
