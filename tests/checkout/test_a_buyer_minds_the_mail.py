"""The order page tells what became of its mail, sends it again, and takes another address once."""

from __future__ import annotations

import contextlib
import re
import threading
from collections.abc import Callable
from datetime import timedelta
from email.message import EmailMessage

import pytest
from flask import Flask
from flask.testing import FlaskCliRunner
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

import shop.outbox.on_request as on_request
from shop.because import Because
from shop.catalogue.models import DeliveryKind, Product
from shop.cli.limits import lift
from shop.db import db, end_read, transaction, utcnow
from shop.fulfilment.service import deliver_order
from shop.mail import MailNotSent, MailRefused
from shop.ops.models import Ration
from shop.ops.rations import UsedUp, ration_subject, use_ration
from shop.orders.links import order_token
from shop.orders.models import Order, OrderStatus
from shop.outbox.models import MailState, OutboxMail
from shop.outbox.on_request import (
    AGAIN,
    FIRST_MAIL_WAITS,
    TO_AN_ADDRESS,
    NotCorrectable,
    correct_address,
    mail_link,
    send_again,
)
from shop.outbox.proofs import mail_proof
from shop.outbox.queries import mail_of
from shop.outbox.sending import note_bounce
from tests.buyer import Buyer
from tests.factories import add_keys, make_open_order, make_product, send_due_mails
from tests.fulfilment.test_mails import part, written
from tests.support.crowd import at_once
from tests.support.mutants import Killed, dies_here
from tests.support.sold import mail_kinds, sell

only_sqlite = pytest.mark.parametrize("engine", ["sqlite"])
OLD, NEW = "buyer@example.com", "right@example.com"


@pytest.fixture
def order(app: Flask) -> Order:
    """One whose invoice is open."""
    with app.app_context():
        return make_open_order(app)[0]


@pytest.fixture
def sold(app: Flask) -> Order:
    with app.app_context():
        return sell(app)


@pytest.fixture
def buyer(app: Flask) -> Buyer:
    return Buyer(app)


def waits_for_keys(app: Flask) -> tuple[Order, Product]:
    """An order that is paid and cannot be delivered yet."""
    keyed = make_product(kind=DeliveryKind.KEY)
    with transaction() as session:
        session.get_one(Product, keyed.id).available = 1
    return sell(app, keyed), keyed


def path(order: Order) -> str:
    return f"/orders/{order_token(order)}"


def opens(app: Flask, buyer: Buyer, order: Order) -> str:
    """The order's page as a person reads it."""
    with app.app_context():
        end_read()
        address = path(db.session.get_one(Order, order.id))
    main = buyer.opens(address).text.partition("<main")[2]
    return " ".join(re.sub(r"<[^>]*>", "", main).split())


def sends(app: Flask, after: timedelta = FIRST_MAIL_WAITS) -> list[EmailMessage]:
    with app.app_context():
        send_due_mails(utcnow() + after)
    return written(app)


def fails(error: Exception) -> Callable[[object], None]:
    def fail(mail: object) -> None:
        raise error

    return fail


class TestWhatBecameOfIt:
    pytestmark = only_sqlite

    def test_it_is_on_its_way_and_then_sent(self, app: Flask, buyer: Buyer, order: Order) -> None:
        assert "The link to this page is on its way to buyer@example.com" in opens(
            app, buyer, order
        )

        sends(app)

        assert "The link to this page was mailed to buyer@example.com on " in opens(
            app, buyer, order
        )

    def test_the_goods_are(self, app: Flask, buyer: Buyer, sold: Order) -> None:
        assert "Your goods and your receipt are on their way to" in opens(app, buyer, sold)

        sends(app)

        assert "Your goods and your receipt were mailed to" in opens(app, buyer, sold)

    def test_the_first_words_of_the_page_call_sent_goods_sent(
        self, app: Flask, buyer: Buyer, sold: Order
    ) -> None:
        assert f"Your goods are below and on their way to {OLD}." in opens(app, buyer, sold)

        sends(app)

        page = opens(app, buyer, sold)
        assert f"Your goods are below, and were mailed to {OLD}." in page
        assert "on their way" not in page

    @pytest.mark.parametrize(
        ("error", "said"),
        [
            (MailNotSent("away"), "no mail server has taken it yet"),
            (MailRefused("550"), "did not accept our mail"),
        ],
    )
    def test_it_did_not_get_through(
        self,
        app: Flask,
        buyer: Buyer,
        sold: Order,
        error: Exception,
        said: str,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr("shop.outbox.sending.send", fails(error))

        sends(app)

        page = opens(app, buyer, sold)
        assert said in page
        assert "all that you bought is" in page

    def test_a_refused_first_mail_leads_to_the_address(
        self, app: Flask, buyer: Buyer, order: Order, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("shop.outbox.sending.send", fails(MailRefused("550")))

        sends(app)

        assert "You can change it below." in opens(app, buyer, order)
        assert "/address" in buyer.page.text

    def test_a_bounce_is_noted_by_a_person(
        self, app: Flask, buyer: Buyer, sold: Order, runner: FlaskCliRunner
    ) -> None:
        command = ["mails", "bounced", sold.number, "--reason", "mailbox full", "--who", "Ann"]
        early = runner.invoke(args=command)
        sends(app)

        result = runner.invoke(args=command)

        assert (early.exit_code, result.exit_code) == (1, 0)
        assert "Our mail to buyer@example.com came back." in opens(app, buyer, sold)
        shown = runner.invoke(args=["orders", "show", sold.number]).stdout
        assert "order-delivered  bounced" in shown
        assert "mail_bounced  mailbox full  Ann" in shown


class TestAgain:
    @only_sqlite
    def test_goods_that_were_mailed_are_mailed_again_word_for_word(
        self, app: Flask, buyer: Buyer, sold: Order
    ) -> None:
        with app.app_context():
            send_due_mails(utcnow())
            _long_ago(sold)
        opens(app, buyer, sold)

        buyer.presses("mail")

        assert "The mail goes to buyer@example.com now." in buyer.reads_answer()
        first, second = sends(app)
        assert first["Subject"] == second["Subject"]
        assert first["Message-ID"] != second["Message-ID"]
        assert (
            part(first, "plain").partition("Download")[0]
            == (part(second, "plain").partition("Download")[0])
        )
        with app.app_context():
            assert mail_kinds() == ["order-placed", "order-delivered", "order-delivered"]

    @only_sqlite
    def test_right_after_it_was_sent_the_buyer_is_told_how_long_to_wait(
        self, app: Flask, buyer: Buyer, sold: Order
    ) -> None:
        sends(app, timedelta(0))
        opens(app, buyer, sold)

        buyer.presses("mail")

        assert re.search("You can have it sent again in [12] minutes?", buyer.reads_answer())
        with app.app_context():
            assert mail_kinds().count("order-delivered") == 1

    def test_an_order_gets_it_so_many_times_a_day_however_often_it_is_asked_for_at_once(
        self, app: Flask, sold: Order
    ) -> None:
        def ask(_: int) -> None:
            with app.app_context(), contextlib.suppress(UsedUp):
                send_again(sold.id)

        for _ in range(AGAIN + 1):
            with app.app_context():
                send_due_mails()
                _long_ago(sold)
            at_once(6, ask)

        with app.app_context():
            assert mail_kinds().count("order-delivered") == 1 + AGAIN

    @only_sqlite
    def test_one_that_waits_is_not_doubled_and_the_first_need_not_wait(
        self, app: Flask, order: Order
    ) -> None:
        with app.app_context():
            assert send_due_mails() == 0

            assert send_again(order.id)

            assert send_due_mails() == 1
            assert mail_kinds() == ["order-placed"]

    @only_sqlite
    def test_one_that_the_server_keeps_waiting_is_not_hurried_to_its_end(
        self, app: Flask, buyer: Buyer, sold: Order, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """It is given up after so many tries: pressing a button must not use them up."""
        monkeypatch.setattr("shop.outbox.sending.send", fails(MailNotSent("away")))
        with app.app_context():
            send_due_mails()
            due = mail_of(sold).next_try_at  # type: ignore[union-attr]

            assert not send_again(sold.id)

            end_read()
            assert mail_of(sold).next_try_at == due  # type: ignore[union-attr]
            assert mail_kinds().count("order-delivered") == 1

    @only_sqlite
    def test_the_operator_is_not_limited(
        self, app: Flask, sold: Order, runner: FlaskCliRunner
    ) -> None:
        for _ in range(AGAIN + 2):
            with app.app_context():
                send_due_mails()
            assert runner.invoke(args=["mails", "resend", sold.number]).exit_code == 0

        with app.app_context():
            assert mail_kinds().count("order-delivered") == 1 + AGAIN + 2


class TestAnotherAddress:
    def corrects(self, app: Flask, buyer: Buyer, order: Order, email: str = NEW) -> int:
        opens(app, buyer, order)
        address = f"{buyer.page.request.path}/address"
        buyer.opens(address)
        return buyer.sends(address, email=email).status_code

    def test_mails_go_there_and_the_old_address_is_told_so_and_no_more(
        self, app: Flask, buyer: Buyer, order: Order
    ) -> None:
        sends(app)
        with app.app_context():
            old_link = path(order)

        assert self.corrects(app, buyer, order) == 303

        assert NEW in buyer.reads_answer()
        mails = {mail["Subject"].partition(": ")[2]: mail for mail in sends(app)}
        placed = mails[f"your order {order.number}"]
        told = mails[f"order {order.number} has another email address now"]
        assert {mail["To"] for mail in written(app)} == {OLD, NEW}
        assert told["To"] == OLD
        for kind in ("plain", "html"):
            assert NEW not in part(told, kind)
            assert "/orders/" not in part(told, kind)
            assert order.number in part(told, kind)
        assert placed
        assert Buyer(app).opens(old_link).status_code == 404, "it was mailed to somebody else"
        with app.app_context():
            found = db.session.get_one(Order, order.id)
            assert [event.kind for event in found.events][-1] == "address_corrected"
            assert not any("@" in event.note for event in found.events)
            stored = db.session.scalars(select(OutboxMail.address)).all()
            assert set(stored) == {""}, "the old address is kept nowhere once it has been told"

    @only_sqlite
    def test_the_browser_that_ordered_is_led_from_the_old_link_to_the_new(
        self, app: Flask, order: Order
    ) -> None:
        with app.app_context():
            old = path(order)
            correct_address(order.id, NEW)
        known = Buyer(app)
        with known.browser.session_transaction() as cookie:
            cookie["orders"] = [order.number]

        assert NEW in known.comes_back(old)

    @only_sqlite
    def test_it_can_be_done_once(self, app: Flask, buyer: Buyer, order: Order) -> None:
        self.corrects(app, buyer, order)
        page = buyer.reads_answer()
        assert "/address" not in page

        again = buyer.browser.get(f"{buyer.page.request.path}/address")

        assert again.status_code == 303
        with app.app_context(), pytest.raises(NotCorrectable):
            correct_address(order.id, "third@example.com")

    @only_sqlite
    def test_it_cannot_be_done_when_the_goods_have_gone_out(self, app: Flask, sold: Order) -> None:
        with app.app_context():
            with pytest.raises(NotCorrectable):
                correct_address(sold.id, NEW)
            assert mail_kinds() == ["order-placed", "order-delivered"]

    @only_sqlite
    @pytest.mark.parametrize(
        ("email", "said"),
        [
            ("", "Enter the email address that your goods shall go to"),
            ("right@", "Enter an email address in the correct format"),
            ("Buyer@example.com", "The order has this address already"),
        ],
    )
    def test_what_is_no_other_address_is_shown_at_the_field(
        self, app: Flask, buyer: Buyer, order: Order, email: str, said: str
    ) -> None:
        assert self.corrects(app, buyer, order, email) == 422

        assert buyer.page.text.count(said) == 2

    @only_sqlite
    @pytest.mark.parametrize("full", [OLD, NEW])
    def test_nothing_is_changed_when_one_of_the_two_cannot_be_told(
        self, app: Flask, buyer: Buyer, order: Order, full: str
    ) -> None:
        """Else somebody could use up the mails of the old address first, and it would never hear."""
        with app.app_context(), transaction() as session:
            for _ in range(TO_AN_ADDRESS - (full == OLD)):  # one went with the order
                use_ration(session, ration_subject("mail", full), TO_AN_ADDRESS)

        assert self.corrects(app, buyer, order) == 429

        assert "You can change it in " in buyer.page.text
        with app.app_context():
            assert db.session.get_one(Order, order.id).email == OLD
            assert mail_kinds() == ["order-placed"]

    def test_of_two_at_once_one_wins(self, app: Flask, order: Order) -> None:
        def correct(number: int) -> str:
            with app.app_context():
                try:
                    correct_address(order.id, f"new-{number}@example.com")
                except NotCorrectable:
                    return ""
                return f"new-{number}@example.com"

        winners = [address for address in at_once(8, correct) if address]

        with app.app_context():
            assert winners == [db.session.get_one(Order, order.id).email]
            assert mail_kinds() == ["order-placed", "address-corrected", "order-placed"]

    @pytest.mark.parametrize("engine", ["postgresql"])
    def test_control_without_the_lock_only_the_history_stops_the_second(
        self, app: Flask, order: Order, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        barrier = threading.Barrier(2)

        def unlocked(session: object, order_id: int) -> Order:
            found = db.session.get_one(Order, order_id, populate_existing=True)
            assert found.corrected_at is None
            barrier.wait(10)
            return found

        monkeypatch.setattr(on_request, "lock_order", unlocked)

        def correct(number: int) -> str:
            with app.app_context():
                try:
                    correct_address(order.id, f"new-{number}@example.com")
                except IntegrityError:
                    return "torn"
                return "won"

        assert sorted(at_once(2, correct)) == ["torn", "won"]

    def test_the_goods_go_to_the_address_that_the_order_has_when_they_are_ready(
        self, app: Flask
    ) -> None:
        with app.app_context():
            order, keyed = waits_for_keys(app)
            send_due_mails(utcnow() + FIRST_MAIL_WAITS)
            correct_address(order.id, NEW)
            add_keys(keyed, ["KEY-1"])
            deliver_order(order.id)
            send_due_mails()

        (goods,) = [mail for mail in written(app) if "KEY-1" in mail.as_string()]
        assert goods["To"] == NEW

    def test_a_correction_and_the_delivery_at_once_agree_on_the_address(self, app: Flask) -> None:
        for _ in range(4):
            with app.app_context():
                order, keyed = waits_for_keys(app)
                order_id, number = order.id, order.number
                add_keys(keyed, [f"KEY-{number}"])

            def act(turn: int, order_id: int = order_id) -> bool:
                with app.app_context():
                    if turn:
                        deliver_order(order_id)
                        send_due_mails()
                        return True
                    try:
                        correct_address(order_id, NEW)
                    except NotCorrectable:
                        return False
                    return True

            corrected, _ = at_once(2, act)

            with app.app_context():
                found = db.session.get_one(Order, order_id, populate_existing=True)
                assert found.status is OrderStatus.FULFILLED
                assert found.email == (NEW if corrected else OLD)
            goods = [
                mail["To"]
                for mail in written(app)
                if f"your order {number} is paid" in mail["Subject"]
            ]
            assert goods == [NEW if corrected else OLD]


ASKED = {
    "mail_again": lambda order: send_again(order.id),
    "mail_link": lambda order: mail_link(OLD, order.number),
    "address": lambda order: correct_address(order.id, NEW),
    "bounce": lambda order: note_bounce(order.id, Because("full", "Ann")),
    "proof": lambda order: mail_proof(OLD, ""),
    "limits": lambda order: lift.main([OLD], standalone_mode=False),
}


@pytest.mark.parametrize("name", ASKED)
@pytest.mark.parametrize("when", ["before", "inside", "after"])
def test_what_dies_on_the_way_is_done_or_not_done(
    app: Flask, order: Order, name: str, when: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And can be asked for again, as a buyer would who has seen an error page."""
    with app.app_context():
        send_due_mails(utcnow() + FIRST_MAIL_WAITS)
        _long_ago(order)
        before = _written()
        dies_here(monkeypatch, f"{when}_{name}")

        with pytest.raises(Killed):
            ASKED[name](order)

        assert (_written() != before) is (when == "after")
        if when != "after":
            ASKED[name](order)
            assert _written() != before


def _written() -> tuple[list[object], ...]:
    """All that these do: orders, mails, and what was counted."""
    end_read()
    mails = select(OutboxMail.kind, OutboxMail.state, OutboxMail.address)
    orders, counted = select(Order.email, Order.version, Order.link_version), select(Ration.subject)
    return tuple([tuple(row) for row in db.session.execute(q)] for q in (orders, mails, counted))


def _long_ago(order: Order) -> None:
    """As if its mail had been sent a while ago."""
    with transaction() as session:
        mail = mail_of(session.get_one(Order, order.id))
        if mail and mail.state is MailState.SENT and mail.sent_at:
            mail.sent_at -= timedelta(minutes=10)
