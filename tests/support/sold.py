"""Orders that have been paid, for tests of what comes after."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select
from werkzeug.test import TestResponse

from shop.catalogue.models import DeliveryKind, Product
from shop.config import Settings
from shop.db import db, end_read
from shop.fulfilment.goods import goods_of
from shop.fulfilment.queries import in_stock
from shop.orders.models import Order
from shop.outbox.kinds import MailKind
from shop.outbox.models import OutboxMail
from shop.payments.checking import refresh
from tests.factories import gateway, make_open_order, make_product, provider


def sell(app: Flask, *products: Product, quantity: int = 1) -> Order:
    """A paid order, its goods handed out and its mail in the outbox."""
    order, payment = make_open_order(app, *products, quantity=quantity)
    with provider(app) as calls:
        calls.invoice_is("paid")
        refresh(payment, gateway(app))
    return order


def mail_kinds() -> list[str]:
    """What the mails in the outbox are, the oldest first."""
    end_read()
    return list(db.session.scalars(select(OutboxMail.kind).order_by(OutboxMail.id)))


def goods_mails() -> list[OutboxMail]:
    """The mails with goods, as they stand now."""
    end_read()
    query = (
        select(OutboxMail)
        .where(OutboxMail.kind == MailKind.ORDER_DELIVERED)
        .order_by(OutboxMail.id)
    )
    return list(db.session.scalars(query.execution_options(populate_existing=True)))


def make_file(
    settings: Settings, name: str, content: bytes = b"the goods", **terms: int | None
) -> Product:
    """A product whose goods are this file, to be downloaded on these terms."""
    path = settings.shop_data_dir / "goods" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return make_product(kind=DeliveryKind.FILE, delivery_file=name, **terms)


def sell_file(
    app: Flask, name: str = "rain.zip", content: bytes = b"the goods", **terms: int | None
) -> tuple[Order, str]:
    """A paid order for a file, and the path of its download link."""
    order = sell(app, make_file(app.config["SETTINGS"], name, content, **terms))
    return order, download_link(order)


def download_link(order: Order) -> str:
    """Where the order's first file is, as its page says now."""
    address = goods_of(order)[0].download_url
    assert address
    return urlsplit(address).path


def press(client: FlaskClient, link: str, **headers: str) -> TestResponse:
    """The answer with the file, to whoever presses the button behind the link of a limited download."""
    led = client.post(link)
    assert led.status_code == 303, led.text
    with client.get(led.headers["Location"], headers=headers) as response:
        response.get_data()
        return response


def goods_file(app: Flask, name: str) -> Path:
    """The file behind a product."""
    folder: Path = app.config["SETTINGS"].shop_data_dir
    return folder / "goods" / name


def unsold_keys(product_id: int) -> int:
    """How many licence keys of a product nobody has got yet (those held for orders included)."""
    return db.session.scalar(select(func.count()).where(in_stock(product_id))) or 0
