"""One mail: what it says, how it is built, and how it leaves."""

from __future__ import annotations

import email
import email.policy
from email.message import EmailMessage
from pathlib import Path

import pytest
from flask import Flask

from shop import create_app
from shop.catalogue.models import DeliveryKind
from shop.config import ConfigurationError, Settings, load
from shop.db import db, transaction
from shop.fulfilment.models import LicenceKey
from shop.fulfilment.service import deliver_order
from shop.mail import Mail, _message
from shop.orders.links import order_path
from shop.orders.models import Order
from shop.outbox.kinds import MailKind
from shop.payments.checking import refresh
from tests.conftest import make_settings
from tests.factories import (
    add_keys,
    gateway,
    make_open_order,
    make_product,
    provider,
    send_due_mails,
)
from tests.support.deciding import product_named
from tests.support.sold import goods_mails, make_file, sell

TEMPLATES = Path(__file__).parents[2] / "templates"


def written(app: Flask) -> list[EmailMessage]:
    """The mails in the development folder."""
    folder: Path = app.config["SETTINGS"].shop_data_dir / "outbox"
    found = []
    for path in sorted(folder.glob("*")):
        message = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
        assert isinstance(message, EmailMessage)
        found.append(message)
    return found


def part(message: EmailMessage, kind: str) -> str:
    body = message.get_body((kind,))
    assert body
    return str(body.get_content())


@pytest.fixture
def order(app: Flask) -> Order:
    """An order of every kind of goods, paid."""
    with app.app_context():
        return sell(
            app,
            make_product(title="Rain & <Wind>", delivery_text="Use **this** code: 4711"),
            make_file(app.config["SETTINGS"], "rain.zip"),
            make_product(kind=DeliveryKind.KEY, keys=1),
        )


@pytest.fixture
def message(app: Flask, order: Order) -> EmailMessage:
    with app.app_context():
        assert send_due_mails() == 1
    (message,) = written(app)
    return message


def test_in_development_it_is_written_into_a_folder(message: EmailMessage) -> None:
    assert message["To"] == "buyer@example.com"


def test_it_has_a_text_and_a_page(message: EmailMessage) -> None:
    assert message.get_content_type() == "multipart/alternative"
    kinds = [part.get_content_type() for part in message.iter_parts()]
    assert kinds == ["text/plain", "text/html"]


def test_its_headers_are_complete(message: EmailMessage, order: Order) -> None:
    assert message["Subject"] == f"Storefront: your order {order.number} is paid"
    assert message["From"] == "Storefront <help@shop.example>"
    assert message["Reply-To"] == "help@shop.example"
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["Message-ID"].endswith("@localhost>")
    assert message["Date"].datetime.tzinfo is not None


@pytest.mark.parametrize("kind", ["plain", "html"])
def test_both_parts_say_everything(message: EmailMessage, order: Order, kind: str) -> None:
    text = part(message, kind)

    for word in (order.number, "4711", "KEY-", "rain.zip", "http://localhost/orders/"):
        assert word in text
    assert "http://localhost/downloads/" in text
    assert "help@shop.example" in text
    assert "30.00" in text
    assert "UTC" in text


@pytest.mark.parametrize("engine", ["sqlite"])
def test_it_is_a_receipt(app: Flask) -> None:
    """Items, quantity, unit price, total with its currency, coin, date with its zone, link, contact, seller."""
    with app.app_context():
        order = sell(app, make_product(title="Rain", price=1250))
        with transaction() as session:
            session.get_one(Order, order.id).paid_with = "12.50 USDT TRC20"
        send_due_mails()

    (message,) = written(app)
    for kind in ("plain", "html"):
        text = part(message, kind)
        for word in (
            *("Rain", "USD\u00a012.50", "Total", "Paid with 12.50 USDT TRC20", "Confirmed on"),
            *("UTC", "/orders/", "help@shop.example", "Storefront, http://localhost"),
        ):
            assert word in text, (kind, word)


def test_the_page_escapes_what_the_text_shows_plainly(message: EmailMessage) -> None:
    assert "Rain & <Wind>" in part(message, "plain")
    assert "Rain &amp; &lt;Wind&gt;" in part(message, "html")
    assert "<strong>this</strong>" in part(message, "html")


def test_it_fetches_nothing(message: EmailMessage) -> None:
    page = part(message, "html")

    for word in ("<img", "<script", "<link", "url(", "@import"):
        assert word not in page


def test_a_mail_is_sent_once(app: Flask, message: EmailMessage) -> None:
    with app.app_context():
        assert send_due_mails() == 0
    assert len(written(app)) == 1


def test_its_id_was_chosen_when_the_money_came(
    app: Flask, order: Order, message: EmailMessage
) -> None:
    with app.app_context():
        (mail,) = goods_mails()
        assert message["Message-ID"] == mail.message_id


def built(settings: Settings, **values: str) -> EmailMessage:
    given = {"to": "a@example.com", "subject": "s", "text": "t", "html": "h", "message_id": "<1@x>"}
    return _message(Mail(**given | values), settings)


@pytest.mark.parametrize("engine", ["sqlite"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("name", ["to", "subject", "message_id"])
def test_a_line_end_in_a_header_is_refused_and_makes_no_header(
    settings: Settings, name: str, end: str
) -> None:
    with pytest.raises(ValueError, match=r"linefeed|carriage|invalid|line|@-sign|email"):
        built(settings, **{name: f"a@example.com{end}Bcc: x@evil.example"})


@pytest.mark.parametrize("engine", ["sqlite"])
def test_a_title_with_line_ends_makes_no_header(app: Flask) -> None:
    with app.app_context():
        sell(app, make_product(title="Rain\r\nBcc: x@evil.example"))
        send_due_mails()

    (message,) = written(app)
    assert message["Bcc"] is None
    assert message["To"] == "buyer@example.com"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SHOP_NAME", "Shop\nBcc: x@evil.example"),
        ("SHOP_SUPPORT_EMAIL", "help@shop.example\r\nBcc: x@evil.example"),
        ("SHOP_SUPPORT_EMAIL", "no address"),
        ("SHOP_MAIL_FROM", "a@shop.example\nBcc: x@evil.example"),
        ("SHOP_MAIL_FROM", "Shop <a@shop.example>"),
    ],
)
def test_settings_that_no_header_can_hold_are_refused_at_the_start(
    tmp_path: Path, name: str, value: str
) -> None:
    """Else the first sale would find out, and its mail could never be sent."""
    environ = {"SHOP_DEVELOPMENT": "1", "SHOP_DATA_DIR": str(tmp_path), name: value}

    with pytest.raises(ConfigurationError, match=name):
        load(environ, tmp_path / "none.env")


@pytest.mark.parametrize("engine", ["sqlite"])
@pytest.mark.parametrize("shop_name", ['Say "hi", Ltd.', "Магазин №1", "A <b>", "O'Neil & Co"])
def test_a_shop_may_be_called_anything_else(
    tmp_path: Path, database_url: str, shop_name: str
) -> None:
    settings = make_settings(tmp_path / "d", database_url, shop_name=shop_name)
    app = create_app(settings)
    with app.app_context():
        sell(app)
        send_due_mails()
    with app.app_context():
        db.engine.dispose()

    (message,) = written(app)
    (sender,) = message["From"].addresses
    assert (sender.display_name, sender.addr_spec) == (shop_name, "help@shop.example")
    assert message["Subject"].startswith(f"{shop_name}: your order ")


@pytest.mark.parametrize("engine", ["sqlite"])
def test_an_address_in_an_international_domain_is_written_as_every_server_takes_it(
    app: Flask,
) -> None:
    with app.app_context():
        order = sell(app)
        with transaction() as session:
            session.merge(order).email = "buyer@bücher.example"
        send_due_mails()

    (message,) = written(app)
    assert message["To"] == "buyer@xn--bcher-kva.example"


def test_who_waits_for_a_key_is_told_by_page_and_mail_and_then_gets_it(app: Flask) -> None:
    """Keys that have gone since they were sold: the money is there, and the buyer must know what happens."""
    with app.app_context():
        product = make_product(kind=DeliveryKind.KEY, keys=1)
        order, payment = make_open_order(app, product)
        with transaction() as session:
            session.query(LicenceKey).delete()
        with provider(app) as calls:
            calls.invoice_is("paid")
            refresh(payment, gateway(app))
        deliver_order(order.id)  # again, as every sweep does
        page, slug, order_id = order_path(order), product.slug, order.id
        send_due_mails()

    text = app.test_client().get(page).text
    assert "Your licence key is not here yet." in text
    assert "goes to buyer@example.com as soon as it is" in text
    (told,) = [mail for mail in written(app) if mail["To"] == "buyer@example.com"]
    assert "its licence key will follow" in told["Subject"]
    for kind in ("plain", "html"):
        assert "Please do not pay again" in part(told, kind)
        assert page in part(told, kind)

    with app.app_context():
        add_keys(product_named(slug), ["LATE-KEY"])
        deliver_order(order_id)
        send_due_mails()
    assert "LATE-KEY" in app.test_client().get(page).text
    assert any(
        "LATE-KEY" in part(mail, "plain")
        for mail in written(app)
        if mail["To"] == "buyer@example.com"
    )


def test_each_kind_of_mail_has_its_texts_and_each_text_its_kind() -> None:
    folders = [path.name for path in (TEMPLATES / "email").iterdir() if path.is_dir()]

    assert sorted(folders) == sorted(MailKind)
