"""What strangers do in somebody's name does not stop that somebody: a link in their mailbox leads on."""

from __future__ import annotations

import re
import time
from datetime import timedelta
from email.message import EmailMessage
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import update

from shop.catalogue.models import Product
from shop.config import Settings
from shop.db import db, end_read, transaction, utcnow
from shop.limits.models import Placement
from shop.limits.service import HoldsTooMuch, TooManyOrders, check_limits_again
from shop.ops.rations import ration_subject, use_ration
from shop.orders.links import order_path
from shop.orders.models import Order
from shop.outbox.models import MailState, OutboxMail
from shop.outbox.on_request import SEARCHES, TO_AN_ADDRESS
from shop.outbox.proofs import LINK_LASTS, LINKS_A_DAY, LINKS_OF_CLIENT, proof_url
from shop.payments.opening import start_payment
from shop.web.remembered import REMEMBERED_SECONDS
from tests.buyer import Buyer
from tests.checkout.test_limits import expires
from tests.conftest import make_settings
from tests.factories import (
    make_buyer,
    make_cart,
    make_product,
    place_order,
    provider,
    send_due_mails,
)
from tests.fulfilment.test_mails import part, written
from tests.support.sold import mail_kinds, sell

VICTIM = "buyer@example.com"
OFFER = "Mail me a link that lets me go on"


@pytest.fixture
def settings(tmp_path: Path, database_url: str) -> Settings:
    fields = Settings.model_fields
    return make_settings(
        tmp_path / "data",
        database_url,
        shop_unpaid_orders=2,
        shop_unpaid_share=fields["shop_unpaid_share"].default,
    )


@pytest.fixture
def product(app: Flask) -> Product:
    with app.app_context():
        return make_product()


def order(app: Flask, product: Product, **buyer: object) -> Order:
    cart = make_cart(app, product)
    return place_order(cart, make_buyer(cart, **buyer))[0]


@pytest.fixture
def locked_out(app: Flask, product: Product) -> Buyer:
    """Whose address a stranger has put into as many orders as may wait for money."""
    with app.app_context():
        for _ in range(2):
            order(app, product)
        end_read()
    owner = Buyer(app, VICTIM)
    owner.puts_into_cart(product.slug)
    return owner


def proof_mails(app: Flask) -> list[EmailMessage]:
    with app.app_context():
        send_due_mails()
    return [mail for mail in written(app) if "is this address yours?" in mail["Subject"]]


def proves(app: Flask, who: Buyer) -> None:
    """Ask for the link on the page at hand, and open it in the same browser."""
    who.sends("/mailbox")
    assert "A link is on its way to buyer@example.com" in who.reads_answer()
    link = re.search(r"https?://\S+/mailbox/\S+", part(proof_mails(app)[-1], "plain"))
    assert link
    who.opens(link[0])
    assert "Your address is confirmed" in who.reads_answer()


def test_the_mailed_link_opens_the_checkout_for_the_owner(app: Flask, locked_out: Buyer) -> None:
    page = locked_out.checks_out()
    assert page.status_code == 429
    assert OFFER in page.text

    proves(app, locked_out)
    with provider(app) as calls:
        for _ in range(2):
            calls.invoice_is_made()
            locked_out.puts_into_cart(db_slug(app))
            assert locked_out.checks_out().status_code == 303
        locked_out.puts_into_cart(db_slug(app))
        last = locked_out.checks_out()

    assert last.status_code == 429, "their own orders count"
    assert OFFER not in last.text, "a link would not help"


def db_slug(app: Flask) -> str:
    with app.app_context():
        return str(db.session.query(Product.slug).first()[0])  # type: ignore[index]


def test_a_stranger_without_the_mail_stays_out(app: Flask, locked_out: Buyer) -> None:
    """The control: asking is not proving, nor is another mailbox's link, nor a forged or old one."""
    locked_out.checks_out()
    locked_out.sends("/mailbox")
    with app.app_context():
        other = proof_url("else@example.com", "en")
        mine = proof_url(VICTIM, "en")
    for link in (other, mine[:-3] + "AAA", mine.replace("mailbox/", "mailbox/x")):
        locked_out.opens(link)
    assert locked_out.checks_out().status_code == 429


@pytest.mark.parametrize("engine", ["sqlite"])
def test_the_link_lasts_two_days_and_the_proof_a_week(
    app: Flask, locked_out: Buyer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with app.app_context():
        link = proof_url(VICTIM, "en")
    real = time.time

    def shift(seconds: float) -> None:
        monkeypatch.setattr(time, "time", lambda: real() + seconds)

    shift(LINK_LASTS.total_seconds() + 10)
    locked_out.opens(link)
    assert "This link does not work any more" in locked_out.reads_answer()

    shift(LINK_LASTS.total_seconds() - 60)
    locked_out.opens(link)
    with provider(app) as calls:
        calls.invoice_is_made()
        assert locked_out.checks_out().status_code == 303

    shift(REMEMBERED_SECONDS + LINK_LASTS.total_seconds())
    locked_out.puts_into_cart(db_slug(app))
    assert locked_out.checks_out().status_code == 429


def test_an_order_of_the_address_that_this_browser_paid_is_a_proof(
    app: Flask, product: Product
) -> None:
    with app.app_context():
        paid = sell(app, product)
        for _ in range(2):
            order(app, product)
        number = paid.number
        end_read()
    owner = Buyer(app, VICTIM)
    with owner.browser.session_transaction() as cookie:
        cookie["orders"] = [number]
    owner.puts_into_cart(product.slug)

    with provider(app) as calls:
        calls.invoice_is_made()
        assert owner.checks_out().status_code == 303


def test_an_unpaid_order_of_the_address_is_none(app: Flask, product: Product) -> None:
    """Its placer may have typed anybody's."""
    stranger = Buyer(app, VICTIM)
    with provider(app) as calls:
        for _ in range(2):
            calls.invoice_is_made()
            stranger.puts_into_cart(product.slug)
            stranger.checks_out()
    stranger.puts_into_cart(product.slug)

    assert stranger.checks_out().status_code == 429


def test_links_are_rationed_and_a_stranger_who_uses_them_up_has_them_mailed_to_the_owner(
    app: Flask, locked_out: Buyer
) -> None:
    stranger = Buyer(app, VICTIM)
    stranger.puts_into_cart(db_slug(app))
    for _ in range(LINKS_A_DAY + 3):
        stranger.checks_out()
        assert stranger.sends("/mailbox").status_code == 303

    assert len(proof_mails(app)) == LINKS_A_DAY
    locked_out.checks_out()
    proves(app, locked_out)
    assert len(proof_mails(app)) == LINKS_A_DAY


@pytest.mark.parametrize("engine", ["sqlite"])
def test_one_network_cannot_have_links_mailed_to_everybody(app: Flask, locked_out: Buyer) -> None:
    locked_out.browser.environ_base["REMOTE_ADDR"] = "1.2.3.4"
    locked_out.checks_out()

    for n in range(LINKS_OF_CLIENT):
        page = locked_out.page
        assert locked_out.sends("/mailbox", email=f"n{n}@example.com").status_code == 303
        locked_out.page = page

    answer = locked_out.sends("/mailbox", email="one@example.com")
    assert answer.status_code == 429
    assert "You can try again in" in answer.text


def test_the_owner_holds_stock_beside_what_strangers_hold_in_their_name(app: Flask) -> None:
    with app.app_context():
        few = make_product(stock=2)
        order(app, few)
        with pytest.raises(HoldsTooMuch):
            order(app, few)

        order(app, few, proven=True)


def test_an_expired_order_can_be_paid_by_the_owner(app: Flask, product: Product) -> None:

    with app.app_context():
        expired = expires(order(app, product))
        for _ in range(2):
            order(app, product)
        with pytest.raises(TooManyOrders):
            start_payment(expired.id, check_limits_again)
        path, product_left = order_path(expired), db.session.query(Placement).count()
        end_read()
    assert product_left == 3
    owner = Buyer(app, VICTIM)
    owner.opens(path)
    page = owner.presses("pay")
    assert page.status_code == 429
    assert OFFER in page.text
    proves(app, owner)

    owner.opens(path)
    with provider(app) as calls:
        calls.invoice_is_made()
        answer = owner.presses("pay")

    assert answer.headers["Location"].startswith(calls.pay_origin)


def test_five_searches_by_others_do_not_close_the_owners_search(
    app: Flask, product: Product
) -> None:
    with app.app_context():
        number = sell(app, product).number
        with transaction() as session:
            for _ in range(TO_AN_ADDRESS - 1):
                use_ration(session, ration_subject("mail", VICTIM), TO_AN_ADDRESS)
            for _ in range(SEARCHES):
                use_ration(session, ration_subject("search", VICTIM), SEARCHES)
                use_ration(session, ration_subject("search", number), SEARCHES)
    owner = Buyer(app, VICTIM)
    owner.opens("/orders/find")
    page = owner.sends("/orders/find", email=VICTIM, number=number)
    assert page.status_code == 429
    assert OFFER in page.text
    proves(app, owner)

    assert "<h1>Find your order</h1>" in owner.page.text, "where the search was stopped"
    assert owner.sends("/orders/find", email=VICTIM, number=number).status_code == 303

    with app.app_context():
        assert mail_kinds()[-1] == "order-link"


def test_mails_that_others_have_caused_do_not_keep_the_owners_from_being_sent_again(
    app: Flask, product: Product
) -> None:
    with app.app_context():
        path = order_path(order(app, product))
        send_due_mails()
        send_due_mails(utcnow() + timedelta(minutes=3))
        with transaction() as session:
            session.execute(update(OutboxMail).values(sent_at=utcnow() - timedelta(hours=1)))
            for _ in range(TO_AN_ADDRESS - 1):
                use_ration(session, ration_subject("mail", VICTIM), TO_AN_ADDRESS)
    owner = Buyer(app, VICTIM)
    owner.opens(path)
    assert owner.presses("mail").status_code == 429
    assert OFFER in owner.page.text
    proves(app, owner)

    owner.opens(path)
    owner.presses("mail")

    assert "The mail goes to buyer@example.com now" in owner.reads_answer()


def test_mails_that_others_have_caused_do_not_keep_the_owner_from_free_goods(app: Flask) -> None:
    with app.app_context():
        free = make_product(price=0)
        with transaction() as session:
            for _ in range(TO_AN_ADDRESS):
                use_ration(session, ration_subject("mail", VICTIM), TO_AN_ADDRESS)
        with pytest.raises(TooManyOrders):
            order(app, free)

        order(app, free, proven=True)


@pytest.mark.parametrize("engine", ["sqlite"])
def test_asking_for_the_link_tells_nothing_about_the_address(app: Flask, locked_out: Buyer) -> None:
    locked_out.checks_out()
    page, answers = locked_out.page, set[str]()
    for email in (VICTIM, "nobody@example.com"):
        locked_out.page = page
        locked_out.sends("/mailbox", email=email)
        text = locked_out.reads_answer().replace(email, "…")
        answers.add(re.sub(r'value="[^"]*"|reference \w+', "", text))

    assert len(answers) == 1
    locked_out.page = page
    assert locked_out.sends("/mailbox", email="no address").status_code == 422


@pytest.mark.parametrize("engine", ["sqlite"])
def test_neither_the_link_nor_the_address_is_logged_and_the_address_is_not_kept(
    app: Flask, locked_out: Buyer, caplog: pytest.LogCaptureFixture
) -> None:
    locked_out.checks_out()
    proves(app, locked_out)

    assert "mailbox/" not in caplog.text.replace("mailbox/<token>", "")
    assert VICTIM not in caplog.text
    with app.app_context():
        mail = db.session.query(OutboxMail).filter_by(kind="mailbox-link").one()
        assert (mail.state, mail.address) == (MailState.SENT, "")
