"""What is limited is limited by every way to it: another link, language, method, spelling or address."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, update

from shop.because import Because
from shop.db import db, end_read, transaction, utcnow
from shop.fulfilment.models import Delivery
from shop.fulfilment.reissue import renew_link
from shop.ops.rations import UsedUp
from shop.orders.models import Order
from shop.outbox.models import MailState, OutboxMail
from shop.outbox.on_request import (
    AGAIN,
    PAUSE,
    SEARCHES,
    TO_AN_ADDRESS,
    correct_address,
    mail_link,
    send_again,
)
from tests.factories import make_buyer, make_cart, make_open_order, make_product, place_order
from tests.support.sold import download_link, mail_kinds, press, sell_file

CONTENT = b"0123456789"

Ask = Callable[[FlaskClient, str], "tuple[int, bytes]"]


def asked(method: str = "GET", prefix: str = "", **headers: str) -> Ask:
    """Ask for a file in this way; the status and what came."""

    def ask(client: FlaskClient, link: str) -> tuple[int, bytes]:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        with client.open(f"{prefix}{link}/file", method=method, headers=named) as response:
            return response.status_code, response.data

    return ask


WAYS = {
    "as before": asked(),
    "in Russian": asked(prefix="/ru"),
    "in Ukrainian": asked(prefix="/uk"),
    "HEAD": asked("HEAD"),
    "POST": asked("POST"),
    "what has changed": asked(If_Modified_Since="Thu, 01 Jan 1970 00:00:00 GMT"),
    "another than that": asked(If_None_Match='"another"'),
    "the first bytes": asked(Range="bytes=0-8"),
    "the last bytes": asked(Range="bytes=-10"),
    "several parts": asked(Range="bytes=0-3,4-9"),
    "a part of another": asked(Range="bytes=5-", If_Range='"another"'),
}


@pytest.mark.parametrize("way", WAYS)
def test_a_file_whose_downloads_are_used_up_is_had_in_no_way(
    app: Flask, client: FlaskClient, way: str
) -> None:
    with app.app_context():
        _, link = sell_file(app, content=CONTENT, max_downloads=1)
    assert press(client, link).data == CONTENT

    status, data = WAYS[way](client, link)

    assert CONTENT[:4] not in data
    assert status in ((200,) if way == "HEAD" else (405,) if way == "POST" else (410, 416))


def test_all_links_of_a_delivery_share_its_downloads(app: Flask, client: FlaskClient) -> None:
    with app.app_context():
        order, first = sell_file(app, content=CONTENT, max_downloads=3)
        second = download_link(order)
        order = renew_link(order, Because("a test", "Ann"))
        third = download_link(order)

    statuses = [asked()(client, link)[0] for link in (first, second, third) * 2]

    assert statuses == [410, 410, 200] * 2, "those of an older order link are dead"
    with app.app_context():
        assert db.session.scalar(select(Delivery.downloads)) == 2


def arrived() -> None:
    """Every mail has been sent, and a while ago."""
    with transaction() as session:
        session.execute(
            update(OutboxMail).values(state=MailState.SENT, sent_at=utcnow() - 2 * PAUSE)
        )


def sent_again(order: Order) -> int:
    """How often an order's mail is sent again before it is refused."""
    for times in range(20):
        arrived()
        end_read()
        try:
            send_again(order.id)
        except UsedUp:
            return times
    return 20


def test_a_mail_is_sent_again_no_oftener_for_a_new_link_or_address(app: Flask) -> None:
    with app.app_context():
        order, _ = make_open_order(app)
        assert sent_again(order) == AGAIN

        renew_link(order, Because("a test", "Ann"))
        assert sent_again(order) == 0
        correct_address(order.id, "another@example.com")
        assert sent_again(order) == 0


SPELT = (
    "anna.b@gmail.com",
    "annab@gmail.com",
    "Anna.B@GMAIL.com",
    "a.n.n.a.b+shop@googlemail.com",
)


@pytest.mark.parametrize("spelt", SPELT)
def test_a_mailbox_is_searched_for_no_oftener_by_another_spelling(app: Flask, spelt: str) -> None:
    with app.app_context():
        for number in range(SEARCHES):
            mail_link(SPELT[number % len(SPELT)], f"2222-333{number + 2}")

        with pytest.raises(UsedUp):
            mail_link(spelt, "4444-5555")


def test_the_mails_to_a_mailbox_are_counted_together(app: Flask) -> None:
    with app.app_context():
        cart = make_cart(app, make_product())
        for number in range(TO_AN_ADDRESS + 2):
            place_order(cart, make_buyer(cart, email=SPELT[number % len(SPELT)]))

        assert mail_kinds() == ["order-placed"] * TO_AN_ADDRESS
