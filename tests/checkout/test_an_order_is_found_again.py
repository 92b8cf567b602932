"""Email address and order number bring the link by mail; the page itself tells nothing to anybody."""

from __future__ import annotations

import re
from email.message import EmailMessage

import pytest
from flask import Flask

from shop.db import transaction
from shop.ops.rations import ration_subject, use_ration
from shop.orders.models import Order
from shop.outbox.on_request import SEARCHES, TO_AN_ADDRESS
from tests.buyer import Buyer
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

SAID = "If this order number and this email address belong together"


@pytest.fixture
def order(app: Flask) -> Order:
    with app.app_context():
        return sell(app)


@pytest.fixture
def stranger(app: Flask) -> Buyer:
    return Buyer(app)


def asks(who: Buyer, email: str, number: str) -> tuple[int, str]:
    """Send the form: its status, and what the page says then, without what is different each time."""
    who.opens("/orders/find")
    status = who.sends("/orders/find", email=email, number=number).status_code
    if status == 303:
        who.reads_answer()
    return status, re.sub(r'value="[^"]*"|reference \w+', "", who.page.text).replace(email, "…")


def link_mails(app: Flask) -> list[EmailMessage]:
    with app.app_context():
        send_due_mails()
    return [mail for mail in written(app) if "the link to your order" in mail["Subject"]]


@pytest.mark.parametrize("email", ["buyer@example.com", " Buyer@Example.COM "])
@pytest.mark.parametrize(
    "spelt",
    [str, str.lower, lambda n: n.replace("-", ""), lambda n: f" {n} ", lambda n: f"№ {n}.\u200b"],
)
@pytest.mark.parametrize("engine", ["sqlite"])
def test_the_link_is_mailed_and_opens_the_order(
    app: Flask, order: Order, stranger: Buyer, email: str, spelt: type[str]
) -> None:
    status, page = asks(stranger, email, spelt(order.number))

    assert (status, SAID in page) == (303, True)
    assert f"/orders/{order.number}" not in page
    (mail,) = link_mails(app)
    assert mail["To"] == "buyer@example.com"
    link = re.search(r"Your order page: (\S+)", part(mail, "plain"))
    assert link
    assert link[1] in part(mail, "html")
    assert "Paid, thank you" in stranger.opens(link[1]).text


def test_the_answer_is_the_same_when_there_is_nothing_to_find(
    app: Flask, order: Order, stranger: Buyer
) -> None:
    right = asks(stranger, order.email, order.number)

    wrong_address = asks(Buyer(app), "else@example.com", order.number)
    wrong_number = asks(Buyer(app), order.email, "2222-2222")

    assert right == wrong_address == wrong_number
    assert len(link_mails(app)) == 1
    with app.app_context():
        assert mail_kinds() == ["order-placed", "order-delivered", "order-link"], "nothing is left"


def test_who_has_had_no_luck_is_limited_in_the_same_words_as_who_has(
    app: Flask, order: Order, stranger: Buyer
) -> None:
    """By the address, and by the number: neither can be tried through."""
    with app.app_context():
        cart = make_cart(app, make_product())
        other, _ = place_order(cart, make_buyer(cart, email="other@example.com"))
    for n in range(SEARCHES):
        assert asks(stranger, order.email, order.number)[0] == 303
        assert asks(stranger, f"guess-{n}@example.com", other.number)[0] == 303
        assert asks(stranger, "nobody@example.com", f"2222-333{n + 4}")[0] == 303

    answers = {
        asks(stranger, email, number)
        for email, number in (
            (order.email, other.number),
            ("other@example.com", other.number),
            ("nobody@example.com", "2222-2222"),
        )
    }

    ((status, page),) = answers
    assert status == 429
    assert "You can try again in " in page
    assert int(stranger.page.headers["Retry-After"]) > 0
    assert len(link_mails(app)) == SEARCHES


@pytest.mark.parametrize("engine", ["sqlite"])
def test_an_address_that_has_had_enough_gets_no_more_and_nobody_can_tell(
    app: Flask, order: Order, stranger: Buyer
) -> None:
    with app.app_context(), transaction() as session:
        for _ in range(TO_AN_ADDRESS - 1):  # one went with the order
            use_ration(session, ration_subject("mail", order.email), TO_AN_ADDRESS)

    assert SAID in asks(stranger, order.email, order.number)[1]

    assert link_mails(app) == []


@pytest.mark.parametrize("engine", ["sqlite"])
@pytest.mark.parametrize(
    ("email", "number", "said"),
    [
        ("", "2222-2222", "Enter the email address that you ordered with"),
        ("buyer@", "2222-2222", "Enter an email address in the correct format"),
        ("a@example.com", "", "Enter the order number as you find it"),
        ("a@example.com", "2222-222", "Enter the order number as you find it"),
        ("a@example.com", "0000-1111", "Enter the order number as you find it"),
        ("a@example.com", "2222-2222\0", "Enter the order number as you find it"),
    ],
)
def test_what_cannot_be_meant_is_shown_at_its_field(
    stranger: Buyer, email: str, number: str, said: str
) -> None:
    stranger.opens("/orders/find")

    answer = stranger.sends("/orders/find", email=email, number=number)

    assert answer.status_code == 422
    assert "<title>Error: Find your order" in answer.text
    assert answer.text.count(said) == 2, "in the summary and at the field"


@pytest.mark.parametrize("engine", ["sqlite"])
def test_the_page_is_for_no_search_engine_and_is_found_from_every_page(stranger: Buyer) -> None:
    assert 'content="noindex, nofollow"' in stranger.opens("/orders/find").text
    for address in ("/", "/none", "/downloads/none", "/payment/success", "/ru/"):
        assert "/orders/find" in stranger.opens(address).text


@pytest.mark.parametrize("engine", ["sqlite"])
def test_a_page_that_was_open_too_long_keeps_what_was_typed(
    app: Flask, order: Order, stranger: Buyer
) -> None:
    stranger.opens("/orders/find")

    answer = stranger.sends(
        "/orders/find", csrf_token="old", email=order.email, number=order.number
    )

    assert answer.status_code == 400
    assert "open too long" in answer.text
    assert order.number in answer.text
    assert link_mails(app) == []


@pytest.mark.parametrize("engine", ["sqlite"])
def test_neither_address_nor_number_of_a_failed_search_is_logged(
    app: Flask, order: Order, stranger: Buyer, caplog: pytest.LogCaptureFixture
) -> None:
    asks(stranger, "nobody@example.com", order.number)
    asks(stranger, "nobody@example.com", "2222-2222")

    said = " ".join(record.getMessage() for record in caplog.records)
    assert "order_looked_for" in said
    assert "nobody@" not in said
    assert "2222-2222" not in said


@pytest.mark.parametrize("engine", ["sqlite"])
def test_an_order_of_nobody_is_found_by_nobody(app: Flask, stranger: Buyer) -> None:
    with app.app_context():
        order, _ = make_order(app)
        with transaction() as session:
            session.get_one(Order, order.id).email = ""  # erased

    asks(stranger, "buyer@example.com", order.number)

    assert link_mails(app) == []
