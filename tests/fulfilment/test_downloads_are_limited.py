"""A product may limit how often and how long its file is downloaded; the limit is kept to the letter."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, update
from werkzeug.test import TestResponse

from shop.catalogue.models import Product
from shop.db import DatabaseBusy, db, end_read, transaction, utcnow
from shop.fulfilment.downloads import Giving, UsedUp
from shop.fulfilment.given import blocks
from shop.fulfilment.goods import Goods, goods_of
from shop.fulfilment.models import Delivery
from shop.i18n import speaking
from shop.orders.models import Order
from shop.web.attachments import DOWNLOADS_AT_ONCE
from tests.factories import send_due_mails
from tests.fulfilment.test_mails import part, written
from tests.support.crowd import at_once
from tests.support.sold import download_link, make_file, press, sell_file

CONTENT = b"0123456789"
ONCE = "A download that breaks off and is continued counts once."


def counted(app: Flask) -> int | None:
    with app.app_context():
        return db.session.scalar(select(Delivery.downloads))


def get(client: FlaskClient, link: str, stretch: str = "") -> TestResponse:
    with client.get(link, headers={"Range": stretch} if stretch else {}) as response:
        response.get_data()
        return response


def shown(app: Flask, order: Order, language: str = "en") -> Goods:
    with app.test_request_context(), speaking(language):
        (goods,) = goods_of(order)
        return goods


def later(monkeypatch: pytest.MonkeyPatch, **time: int) -> None:
    then = utcnow() + timedelta(**time)
    for module in ("views", "goods"):
        monkeypatch.setattr(f"shop.fulfilment.{module}.utcnow", lambda: then)


def moment(at: datetime) -> str:
    return f"{at.day} {at:%B %Y, %H:%M} UTC"


def test_without_terms_a_file_is_downloaded_as_often_as_the_buyer_likes(
    app: Flask, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    with app.app_context():
        order, link = sell_file(app)

    assert {get(client, link).status_code for _ in range(12)} == {200}
    later(monkeypatch, days=6)  # a link's own week is another matter
    assert get(client, link).status_code == 200
    goods = shown(app, order)
    assert (goods.terms, goods.download_url is None) == ("", False)


def test_a_file_is_downloaded_as_often_as_was_agreed_and_then_the_page_says_what_to_do(
    app: Flask, client: FlaskClient
) -> None:
    with app.app_context():
        order, link = sell_file(app, max_downloads=2)
    assert shown(app, order).terms == f"2 downloads are left. {ONCE}"

    assert press(client, link).data == b"the goods"
    assert shown(app, order).terms == f"1 download is left. {ONCE}"
    assert press(client, link).status_code == 200
    refused = press(client, link)

    assert refused.status_code == 410
    assert "downloaded as often as was agreed" in refused.text
    assert "It could be downloaded 2 times." in refused.text
    assert f"write to us with the order number {order.number}" in refused.text
    assert counted(app) == 2
    goods = shown(app, order)
    assert goods.download_url is None
    assert (
        goods.terms == "This file cannot be downloaded any more. Write to us if you need it again."
    )


def test_a_file_is_downloaded_for_as_many_days_as_was_agreed(
    app: Flask, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    with app.app_context():
        order, link = sell_file(app, download_days=3)
        delivered = db.session.scalars(select(Delivery)).one().delivered_at
    assert delivered
    end = delivered + timedelta(days=3)
    assert shown(app, order).terms == f"You can download it until {moment(end)}."

    later(monkeypatch, days=3, minutes=-1)
    assert get(client, link).status_code == 200
    later(monkeypatch, days=3, minutes=1)
    refused = get(client, link)

    assert refused.status_code == 410
    assert "The time for downloading this file is over" in refused.text
    assert f"It could be downloaded until {moment(end)}." in refused.text
    assert counted(app) == 1
    assert shown(app, order).download_url is None


def test_the_terms_are_those_of_the_purchase_whatever_the_catalogue_says_since(
    app: Flask, client: FlaskClient
) -> None:
    with app.app_context():
        _, link = sell_file(app, max_downloads=2)
        with transaction() as session:
            session.execute(update(Product).values(max_downloads=1, download_days=1))

    assert [press(client, link).status_code for _ in range(3)] == [200, 200, 410]


def test_going_on_with_a_download_is_not_another_one(app: Flask, client: FlaskClient) -> None:
    with app.app_context():
        _, link = sell_file(app, content=CONTENT, max_downloads=1)

    assert press(client, link, Range="bytes=0-3").data == b"0123"
    assert press(client, link, Range="bytes=4-6").data == b"456", "also when it was the last one"
    assert press(client, link, Range="bytes=7-").data == b"789"

    assert counted(app) == 1
    assert press(client, link, Range="bytes=0-").status_code == 410
    assert press(client, link).status_code == 410


def test_nobody_downloads_a_file_uncounted_by_asking_for_all_but_its_first_byte(
    app: Flask, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    with app.app_context():
        _, link = sell_file(app, content=CONTENT, max_downloads=2)

    for count in (1, 2):
        assert press(client, link, Range="bytes=1-").status_code == 206
        assert counted(app) == count
    assert press(client, link, Range="bytes=1-").status_code == 410
    later(monkeypatch, hours=25)
    assert press(client, link, Range="bytes=1-").status_code == 410, "nor on another day"


def test_a_download_that_cannot_be_counted_gives_its_place_back(
    app: Flask, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once for each of the places, and once more: the shop is busy, and it must not stay so."""

    def busy(*_: object) -> None:
        raise DatabaseBusy

    with app.app_context():
        _, link = sell_file(app)
    with monkeypatch.context() as patch:
        patch.setattr("shop.fulfilment.views.Giving", busy)
        assert {get(client, link).status_code for _ in range(DOWNLOADS_AT_ONCE + 1)} == {503}

    assert get(client, link).status_code == 200


def take_many(app: Flask, link: str) -> list[int]:
    """Sixteen browsers at the same moment."""
    return at_once(16, lambda _: get(app.test_client(), f"{link}/file").status_code)


def test_sixteen_at_once_get_exactly_as_many_downloads_as_are_left(app: Flask) -> None:
    with app.app_context():
        _, link = sell_file(app, max_downloads=5)

    answers = take_many(app, link)

    assert sorted(answers) == [200] * 5 + [410] * 11
    assert counted(app) == 5


def test_a_count_that_is_read_before_it_is_written_lets_everybody_in(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control: what the row is locked for while it is read and written."""

    def naive(self: Giving, need: int = 0) -> None:
        delivery = db.session.get_one(Delivery, self.id)
        given = delivery.given_of(self.size)
        if delivery.downloads_left == 0:
            raise UsedUp
        self.next = blocks(0, self.size, self.size).stop
        with transaction() as session:
            values = {"given": [times + 1 for times in given], "downloads": Delivery.downloads + 1}
            session.execute(update(Delivery).values(values))

    with app.app_context():
        _, link = sell_file(app, max_downloads=5)
        end_read()
    monkeypatch.setattr(Giving, "_take", naive)

    assert take_many(app, link).count(200) > 5


def test_the_mail_says_what_is_left(app: Flask) -> None:
    with app.app_context():
        sell_file(app, max_downloads=3, download_days=30)
        assert send_due_mails() == 1

    (message,) = written(app)
    for kind in ("plain", "html"):
        assert "3 downloads are left, until " in part(message, kind)
        assert "/downloads/" in part(message, kind)


@pytest.mark.parametrize(("code", "path"), [("en", "/downloads/"), ("uk", "/uk/downloads/")])
def test_a_link_speaks_the_language_of_its_order(app: Flask, code: str, path: str) -> None:
    with app.app_context():
        order, _ = sell_file(app)
        with transaction() as session:
            session.merge(order).language = code
        assert download_link(order).startswith(path)


def test_the_product_page_tells_the_terms_before_anybody_pays(
    app: Flask, client: FlaskClient
) -> None:
    with app.app_context():
        settings = app.config["SETTINGS"]
        limited = make_file(settings, "a.zip", max_downloads=5, download_days=30).slug
        unlimited = make_file(settings, "b.zip").slug

    told = client.get(f"/products/{limited}").text
    assert f"It can be downloaded 5 times, within 30 days. {ONCE}" in told
    assert "It can be downloaded" not in client.get(f"/products/{unlimited}").text
