"""A shop that sells and was told of no mail server: mails wait, and everybody is told. Nothing counts as sent."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from pydantic import SecretStr
from sqlalchemy import select

import shop.outbox.sending as outbox
from shop import create_app
from shop.attention.models import AttentionItem
from shop.attention.queries import open_attention
from shop.because import Because
from shop.catalogue.models import DeliveryKind, Product
from shop.config import Settings
from shop.db import db, end_read, transaction, utcnow
from shop.doctor.mail import mail as look_at_mail
from shop.doctor.mail import send_test_mail
from shop.mail import Mail, MailNotSent, send
from shop.orders.links import order_token
from shop.orders.models import Order, OrderStatus
from shop.orders.service import lock_order
from shop.outbox.kinds import TRUE_WHILE, MailKind
from shop.outbox.models import MailState, OutboxMail
from shop.outbox.on_request import send_again
from shop.outbox.queries import TRIES_IN_AN_HOUR
from shop.outbox.sending import TRIES
from shop.outbox.service import plan_mail
from tests.buyer import Buyer
from tests.conftest import make_settings
from tests.factories import make_open_order, make_order, make_product, send_due_mails
from tests.support.sold import goods_mails, mail_kinds, sell
from tests.web.conftest import AtItsOwnAddress, production

only_sqlite = pytest.mark.parametrize("engine", ["sqlite"])
A_WEEK = timedelta(days=7)
SAID = "We cannot send mails at the moment"


@pytest.fixture
def settings(tmp_path: Path, database_url: str) -> Settings:
    hosts = ("localhost",)  # where carts are made
    return production(tmp_path / "data", database_url=database_url, shop_trusted_hosts=hosts)


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[Mail]:
    """What a mail server would have got."""
    taken: list[Mail] = []
    monkeypatch.setattr(outbox, "send", taken.append)
    return taken


def gets_a_server(app: Flask) -> None:
    url = SecretStr("smtp://mail.example")
    app.config["SETTINGS"] = app.config["SETTINGS"].model_copy(update={"smtp_url": url})


def kinds() -> list[str]:
    end_read()
    return [item.kind for item in open_attention()]


def test_mails_wait_without_using_up_their_tries_and_go_out_once_there_is_a_server(
    app: Flask, settings: Settings, sent: list[Mail]
) -> None:
    with app.app_context():
        sell(app)
        for minutes in range(TRIES + 1):
            assert send_due_mails(utcnow() + timedelta(minutes=minutes)) == 0

        (mail,) = goods_mails()
        assert (mail.state, mail.tries) == (MailState.QUEUED, 0)
        assert sent == []
        assert not (settings.shop_data_dir / "outbox").exists()

        gets_a_server(app)
        send_due_mails(utcnow() + A_WEEK)

        assert goods_mails()[0].state is MailState.SENT
        assert "buyer@example.com" in [mail.to for mail in sent]


def test_a_person_is_told_until_there_is_a_server(app: Flask, sent: list[Mail]) -> None:
    with app.app_context():
        send_due_mails()
        send_due_mails()
        assert kinds() == ["no_mail_server"]

        gets_a_server(app)
        send_due_mails()

        assert kinds() == []
        (item,) = db.session.scalars(select(AttentionItem)).all()
        assert item.resolved_by == "shop"
        assert sent == [], "what is over need not be mailed"


def test_a_week_later_nobody_is_told_how_to_pay_what_is_over(app: Flask, sent: list[Mail]) -> None:
    with app.app_context():
        order, _ = make_order(app)
        send_due_mails()
        with transaction() as session:
            lock_order(session, order.id).move(OrderStatus.EXPIRED, Because("nobody paid"))
        gets_a_server(app)

        send_due_mails(utcnow() + A_WEEK)

        assert sent == []
        assert db.session.scalars(select(OutboxMail.state)).all() == [MailState.SKIPPED]


@only_sqlite
@pytest.mark.parametrize("template", sorted(set(TRUE_WHILE) - {MailKind.ORDER_PLACED}))
def test_no_mail_says_what_has_not_been_true_for_a_week(
    app: Flask, sent: list[Mail], template: str
) -> None:
    """Such as "pay the rest" about an order whose goods are there."""
    with app.app_context():
        order = sell(app)
        assert order.status is OrderStatus.FULFILLED
        with transaction() as session:
            plan_mail(session, order, template)
            plan_mail(session, order, MailKind.ORDER_LINK)
        gets_a_server(app)

        send_due_mails(utcnow() + A_WEEK)

        states = {mail.kind: mail.state for mail in db.session.scalars(select(OutboxMail))}
        assert states[template] is MailState.SKIPPED
        assert states[MailKind.ORDER_LINK] is MailState.SENT


@only_sqlite
def test_nothing_can_be_sent_past_the_outbox_either(app: Flask, settings: Settings) -> None:
    with app.app_context():
        with pytest.raises(MailNotSent, match="SMTP_URL"):
            send(Mail("a@example.com", "s", "t", "h", "<id@shop.example>"))
        finding = send_test_mail(settings, "a@example.com")

    assert (finding.level, "SMTP_URL is not set" in finding.text) == ("fail", True)
    assert not (settings.shop_data_dir / "outbox").exists()


def test_a_trial_says_nothing_about_mails(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    create_app(make_settings(tmp_path))

    assert "SMTP_URL" not in capsys.readouterr().err


@only_sqlite
class TestTheOperator:
    def test_reads_one_line_at_each_start_and_before_each_command(
        self, settings: Settings, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """Every command starts the shop, too."""
        create_app(settings)

        said = [line for line in capsys.readouterr().err.splitlines() if "SMTP_URL" in line]
        assert len(said) == 1
        assert '"level": "warning"' in said[0]

    def test_is_told_by_the_health_check(self, app: Flask) -> None:
        answer = app.test_client().get("/readyz", base_url="https://shop.example")

        assert answer.status_code == 200
        assert answer.json["mail"] == "all wait, because SMTP_URL is not set"

    def test_is_told_by_the_doctor(self, settings: Settings) -> None:
        finding = look_at_mail(settings)

        assert finding.level == "fail"
        assert finding.text.startswith("SMTP_URL is not set, so no mail leaves")

    def test_is_told_that_a_mail_to_be_sent_again_waits(self, app: Flask) -> None:
        with app.app_context():
            order = sell(app)

        answer = app.test_cli_runner().invoke(args=["mails", "resend", order.number])

        assert "waits for the mail server" in answer.output


PROMISES = re.compile(
    r"go(?:es)? to (?:buyer@|your email)|on (?:its|their) way|have it sent again|Mail me|mailed to you|We mail you"
)


def read(page: str) -> str:
    """A page as a person reads it."""
    main = page.partition("<main")[2]
    return " ".join(re.sub(r"<[^>]*>", " ", main).split())


@only_sqlite
class TestTheBuyer:
    @pytest.fixture
    def buyer(self, app: Flask) -> Buyer:
        app.test_client_class = AtItsOwnAddress
        return Buyer(app)

    def opens(self, app: Flask, buyer: Buyer, order: Order, more: str = "") -> str:
        with app.app_context():
            end_read()
            address = f"/orders/{order_token(db.session.get_one(Order, order.id))}{more}"
        return read(buyer.opens(address).text)

    def check(self, page: str) -> None:
        assert SAID in page
        assert not PROMISES.search(page), PROMISES.search(page)

    def test_is_told_at_checkout(self, app: Flask, buyer: Buyer) -> None:
        with app.app_context():
            slug = make_product().slug
        buyer.puts_into_cart(slug)

        self.check(read(buyer.opens("/checkout").text))

    def test_is_told_on_the_page_of_an_unpaid_order(self, app: Flask, buyer: Buyer) -> None:
        with app.app_context():
            order, _ = make_open_order(app)

        self.check(self.opens(app, buyer, order))

    def test_is_told_on_the_page_with_the_goods(self, app: Flask, buyer: Buyer) -> None:
        with app.app_context():
            order = sell(app)

        page = self.opens(app, buyer, order)

        self.check(page)
        assert "Your goods are below." in page

    def test_is_told_while_a_key_is_waited_for(self, app: Flask, buyer: Buyer) -> None:
        with app.app_context():
            keyed = make_product(kind=DeliveryKind.KEY)
            with transaction() as session:
                session.get_one(Product, keyed.id).available = 1
            order = sell(app, keyed)

        page = self.opens(app, buyer, order)

        self.check(page)
        assert "It appears here as soon as it is; you need not do anything." in page

    def test_is_not_promised_that_it_is_sent_again(self, app: Flask, buyer: Buyer) -> None:
        with app.app_context():
            order = sell(app)
            with transaction() as session:  # before the server was taken out of the settings
                mail = session.get_one(OutboxMail, goods_mails()[0].id)
                mail.state, mail.sent_at = MailState.SENT, utcnow() - timedelta(hours=1)
            order_id, address = order.id, f"/orders/{order_token(order)}"

        self.check(read(buyer.opens(address).text))
        with app.app_context():
            assert not send_again(order_id)
            assert [mail.state for mail in goods_mails()] == [MailState.SENT, MailState.QUEUED]

    def test_is_told_before_giving_another_address(self, app: Flask, buyer: Buyer) -> None:
        with app.app_context():
            order, _ = make_open_order(app)

        assert SAID in self.opens(app, buyer, order, "/address")

    def test_is_told_where_orders_are_found_that_none_can_be(
        self, app: Flask, buyer: Buyer
    ) -> None:
        page = read(buyer.opens("/orders/find").text)
        self.check(page)
        assert "write to help@shop.example" in page
        assert "<form" not in buyer.page.text.partition("<main")[2]

    def test_causes_no_mail_by_looking_for_an_order(
        self, app: Flask, buyer: Buyer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The form may be open from before."""
        monkeypatch.setitem(app.config, "WTF_CSRF_ENABLED", False)
        with app.app_context():
            number = make_order(app)[0].number
        buyer.page = buyer.browser.post(
            "/orders/find", data={"email": "buyer@example.com", "number": number}
        )

        assert buyer.page.status_code == 503
        self.check(read(buyer.page.text))
        with app.app_context():
            assert MailKind.ORDER_LINK not in mail_kinds()

    def test_is_told_when_another_browser_comes_back(self, buyer: Buyer) -> None:
        self.check(read(buyer.comes_back("/payment/success?order_id=X-1-abc&invoice_uuid=A")))

    def test_is_led_to_no_search_that_cannot_work(self, client: FlaskClient) -> None:
        answer = client.get("/orders/nothing", base_url="https://shop.example")

        assert answer.status_code == 404
        assert "/orders/find" not in answer.text.partition("<main")[2].partition("</main")[0]


def fails(mail: Mail) -> None:
    raise MailNotSent("SMTPDataError")


class TestAServerThatTakesNothing:
    def rounds(self, count: int) -> None:
        for hours in range(count):
            send_due_mails(utcnow() + timedelta(hours=3 * hours))

    def test_is_before_a_person_until_it_takes_a_mail(
        self, app: Flask, sent: list[Mail], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        gets_a_server(app)
        with app.app_context():
            sell(app)
            with monkeypatch.context() as broken:
                broken.setattr(outbox, "send", fails)
                self.rounds(TRIES_IN_AN_HOUR)
                assert kinds() == []
                self.rounds(TRIES_IN_AN_HOUR + 1)
                assert kinds() == ["mails_refused"]
                for day in range(TRIES):
                    send_due_mails(utcnow() + timedelta(days=1 + day))
                assert "mails_refused" in kinds(), "to give a mail up mends nothing"

            later = utcnow() + timedelta(days=60)
            send_due_mails(later)
            assert sent
            send_due_mails(later + timedelta(minutes=1))
            assert set(kinds()) == {"mail_failed"}

    @only_sqlite
    def test_no_alarm_is_raised_while_others_mails_get_through(
        self, app: Flask, sent: list[Mail]
    ) -> None:
        gets_a_server(app)
        with app.app_context():
            sell(app)
            sell(app)
            with transaction() as session:
                slow, fine = (session.get_one(OutboxMail, mail.id) for mail in goods_mails())
                slow.tries, slow.next_try_at = TRIES_IN_AN_HOUR, utcnow() + A_WEEK
                fine.state, fine.sent_at = MailState.SENT, utcnow()

            send_due_mails()

            assert kinds() == []

    @only_sqlite
    def test_the_page_does_not_say_that_the_goods_are_on_their_way(
        self, app: Flask, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        gets_a_server(app)
        monkeypatch.setattr(outbox, "send", fails)
        app.test_client_class = AtItsOwnAddress
        with app.app_context():
            order = sell(app)
            send_due_mails()
            end_read()
            address = f"/orders/{order_token(order)}"

        page = read(
            create_app(app.config["SETTINGS"])
            .test_client()
            .get(address, base_url="https://shop.example")
            .text
        )

        assert "no mail server has taken it yet" in page
        assert "Your goods are below." in page
        assert "on their way" not in page
