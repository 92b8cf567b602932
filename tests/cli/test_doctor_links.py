"""The doctor opens what buyers have in their mailboxes, and uses nothing up by it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import update
from werkzeug import Response

from shop import create_app
from shop.config import Settings
from shop.db import db, transaction
from shop.doctor import Finding
from shop.doctor.address import end_of
from shop.doctor.links import former_hosts, mailed_links
from shop.fulfilment.models import Delivery
from shop.orders.models import Order
from shop.outbox.models import OutboxMail
from tests.conftest import make_settings
from tests.factories import send_due_mails
from tests.ops.test_doctor_address import Web, running
from tests.support.sold import sell_file


@pytest.fixture
def engine() -> str:
    """The doctor only reads; the rest is about the network."""
    return "sqlite"


@pytest.fixture
def web() -> Iterator[Web]:
    web = Web()
    with running(web.server):
        yield web


@pytest.fixture
def settings(tmp_path: Path, database_url: str, web: Web) -> Settings:
    return make_settings(tmp_path / "data", database_url, shop_public_url=web.url)


def look(app: Flask, **changed: object) -> Finding:
    """What the doctor finds, were this no trial."""
    with app.app_context():
        settings = app.config["SETTINGS"].model_copy(update={"shop_development": False} | changed)
        return mailed_links(settings)


@pytest.mark.parametrize("languages", ["en,ru,uk", "uk", "ru,en"])
def test_links_of_the_newest_mails_are_tried_and_no_download_is_used_up(
    app: Flask, web: Web, settings: Settings, languages: str
) -> None:
    with app.app_context():
        sell_file(app, max_downloads=1)
        send_due_mails()
    web.behind = now = create_app(
        settings.model_copy(update={"shop_languages": tuple(languages.split(","))})
    )

    found = look(now)

    assert (found.level, found.text) == ("ok", "2 links of the newest mails were tried, and answer")
    asked = {asked.split("/")[-2] for asked in web.asked}
    assert asked == {"orders", "downloads"}
    assert all(asked.startswith("HEAD /") for asked in web.asked)
    with app.app_context():
        assert db.session.query(Delivery).one().downloads == 0


def test_a_link_that_is_dead_is_named_without_its_secret(
    app: Flask, web: Web, settings: Settings
) -> None:
    with app.app_context():
        order, _ = sell_file(app)
        send_due_mails()
        number = order.number
    web.behind = create_app(
        settings.model_copy(update={"secret_key": type(settings.secret_key)("z" * 40)})
    )

    found = look(app)

    assert found.level == "fail"
    assert found.text == f"the order link that was mailed for order {number} answers 404"
    assert "SECRET_KEY_PREVIOUS" in found.mend


def test_a_redirect_to_somebody_else_is_not_followed(
    app: Flask, web: Web, settings: Settings
) -> None:
    """The link is a secret."""
    other = Web()
    with running(other.server):
        web.behind = Response("", 302, {"Location": f"{other.url}/orders/secret"})

        assert end_of(settings, f"{web.url}/orders/secret") == 302

    assert other.asked == []


def test_without_mails_there_is_nothing_to_try(app: Flask, web: Web) -> None:
    assert look(app).level == "ok"
    assert web.asked == []


def test_a_public_address_that_is_away_is_told_elsewhere(app: Flask) -> None:
    with app.app_context():
        sell_file(app)
        send_due_mails()
        away = "http://127.0.0.1:9"

    found = look(app, shop_public_url=away)

    assert found.level == "warn"
    assert "public address" in found.mend


def test_a_host_that_mails_have_named_is_proposed(app: Flask) -> None:
    with app.app_context():
        sell_file(app)
        send_due_mails()
        settings = app.config["SETTINGS"]
        assert former_hosts(settings).level == "ok"
        with transaction() as session:
            old = update(OutboxMail).where(OutboxMail.order_id.in_(db.session.query(Order.id)))
            session.execute(old.values(message_id=OutboxMail.kind + "@old.example>"))

        found: Any = former_hosts(settings)
        assert found.level == "warn"
        assert "old.example" in found.text
        assert "SHOP_FORMER_HOSTS" in found.mend
        known = settings.model_copy(update={"shop_former_hosts": ("old.example",)})
        assert former_hosts(known).level == "ok"
