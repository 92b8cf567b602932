"""A download link is signed, ends, belongs to one order, and only ever hands out a file."""

from __future__ import annotations

import time
from urllib.parse import quote, unquote

import pytest
from flask import Flask
from flask.testing import FlaskClient
from itsdangerous import URLSafeTimedSerializer
from sqlalchemy import select

from shop.attention.queries import open_attention
from shop.because import Because
from shop.catalogue.models import DeliveryKind
from shop.db import db, end_read, transaction
from shop.fulfilment.goods import LINK_SECONDS, find_download
from shop.fulfilment.models import Delivery
from shop.fulfilment.reissue import renew_link
from shop.orders.models import Order
from tests.factories import make_open_order, make_product
from tests.support.mutants import Killed, dies_here
from tests.support.sold import download_link, goods_file, make_file, press, sell, sell_file


def downloads(app: Flask) -> list[int]:
    with app.app_context():
        return list(db.session.scalars(select(Delivery.downloads).order_by(Delivery.id)))


def test_the_link_hands_out_the_file(app: Flask, client: FlaskClient) -> None:
    with app.app_context():
        _, link = sell_file(app, content=b"PK goods")

    with client.get(link) as response:
        assert response.status_code == 200
        assert response.data == b"PK goods"


def test_the_file_is_an_attachment_and_never_a_page_of_the_shop(
    app: Flask, client: FlaskClient
) -> None:
    with app.app_context():
        _, link = sell_file(app, "evil.html", b"<script>alert(1)</script>")

    with client.get(link) as response:
        headers = response.headers
    assert headers["Content-Disposition"] == "attachment; filename=evil.html"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Content-Security-Policy"] == "sandbox; default-src 'none'"
    assert headers["Cache-Control"] == "private, no-store"
    assert "Set-Cookie" not in headers


@pytest.mark.parametrize("name", ["two\r\nlines: evil.zip", "before the bell\a.zip", "дождь\n.zip"])
def test_control_characters_in_a_name_are_left_out_of_the_header(
    app: Flask, client: FlaskClient, name: str
) -> None:
    with app.app_context():
        _, link = sell_file(app, name)

    with client.get(link) as response:
        assert response.status_code == 200
        disposition = response.headers["Content-Disposition"]
    assert disposition.startswith("attachment; ")
    assert disposition.isprintable()


@pytest.mark.parametrize(
    "name", ['say "hi"; rm.zip', "дождь и ветер.zip", "a, b.zip", "a%2fb c.zip", "x;filename=y.exe"]
)
def test_odd_names_arrive_whole_and_break_no_header(
    app: Flask, client: FlaskClient, name: str
) -> None:
    with app.app_context():
        _, link = sell_file(app, name)

    with client.get(link) as response:
        disposition = response.headers["Content-Disposition"]
    assert disposition.startswith("attachment; ")
    assert "\n" not in disposition
    assert disposition.isascii()
    assert response.status_code == 200
    if "filename*=" in disposition:
        assert unquote(disposition.partition("filename*=UTF-8''")[2]) == name
    else:
        assert disposition == f'attachment; filename="{name}"'.replace('"hi"', '\\"hi\\"')


@pytest.mark.parametrize(
    ("name", "plain"),
    [("дождь.zip", "download.zip"), ("дождь", "download"), ("été 2.pdf", '"ete 2.pdf"')],
)
def test_programs_that_know_no_other_script_get_a_name_too(
    app: Flask, client: FlaskClient, name: str, plain: str
) -> None:
    with app.app_context():
        _, link = sell_file(app, name)

    with client.get(link) as response:
        assert response.headers["Content-Disposition"].startswith(f"attachment; filename={plain};")


def test_a_file_in_a_folder_is_named_without_it(app: Flask, client: FlaskClient) -> None:
    with app.app_context():
        _, link = sell_file(app, "private/2026/rain.zip")

    with client.get(link) as response:
        assert response.headers["Content-Disposition"] == "attachment; filename=rain.zip"


def test_downloads_are_counted(app: Flask, client: FlaskClient) -> None:
    with app.app_context():
        _, link = sell_file(app)

    for _ in range(3):
        with client.get(link) as response:
            assert response.data

    assert downloads(app) == [3]


@pytest.mark.parametrize(
    ("asked", "got", "content_range"),
    [
        ("bytes=4-", b"456789", "bytes 4-9/10"),
        ("bytes=0-", b"0123456789", "bytes 0-9/10"),
        ("bytes=2-4", b"234", "bytes 2-4/10"),
        ("bytes=-3", b"789", "bytes 7-9/10"),
        ("bytes=7-99", b"789", "bytes 7-9/10"),
    ],
)
def test_a_part_of_the_file_can_be_had(
    app: Flask, client: FlaskClient, asked: str, got: bytes, content_range: str
) -> None:
    with app.app_context():
        _, link = sell_file(app, content=b"0123456789")

    with client.get(link, headers={"Range": asked}) as response:
        assert (response.status_code, response.data) == (206, got)
        assert response.headers["Content-Range"] == content_range
        assert response.headers["Content-Length"] == str(len(got))


@pytest.mark.parametrize("asked", ["bytes=10-", "bytes=99-100", "bytes=5-2", "lines=1-2"])
def test_a_part_that_is_not_there_is_refused_with_the_files_size_and_not_counted(
    app: Flask, client: FlaskClient, asked: str
) -> None:
    with app.app_context():
        _, link = sell_file(app, content=b"0123456789")

    response = client.get(link, headers={"Range": asked})

    assert response.status_code == 416
    assert response.headers["Content-Range"] == "bytes */10"
    assert downloads(app) == [0]


def test_a_continued_download_goes_on_only_with_the_same_file(
    app: Flask, client: FlaskClient
) -> None:
    with app.app_context():
        _, link = sell_file(app, content=b"0123456789")
    with client.get(link) as response:
        etag = response.headers["ETag"]
        assert response.headers["Accept-Ranges"] == "bytes"

    with client.get(link, headers={"Range": "bytes=4-", "If-Range": etag}) as response:
        assert (response.status_code, response.data) == (206, b"456789")
    with client.get(link, headers={"Range": "bytes=4-", "If-Range": '"another"'}) as response:
        assert (response.status_code, response.data) == (200, b"0123456789")
    with client.get(link, headers={"If-None-Match": etag}) as response:
        assert (response.status_code, response.data) == (304, b"")
    assert downloads(app) == [3], "of 26 bytes: by what was given, not by where it began"


def test_asking_about_a_file_is_not_downloading_it(app: Flask, client: FlaskClient) -> None:
    with app.app_context():
        _, link = sell_file(app, content=b"0123456789")

    response = client.head(link)

    assert (response.status_code, response.data) == (200, b"")
    assert response.headers["Content-Length"] == "10"
    assert response.headers["Accept-Ranges"] == "bytes"
    assert downloads(app) == [0]


def test_a_forged_link_opens_nothing(app: Flask, client: FlaskClient) -> None:
    with app.app_context():
        _, link = sell_file(app)
        token = link.rpartition("/")[2]
        payload, stamp, signature = token.split(".")
        another_key = URLSafeTimedSerializer("another-key-entirely", salt="download-link")
        another_use = URLSafeTimedSerializer(str(app.secret_key), salt="order-link")
        forged = [
            another_key.dumps([1, 1]),
            another_use.dumps([1, 1]),
            f"{payload}.{stamp}.",
            f"{payload}.{signature}",
            f"{payload}.{stamp}.{signature[:-4]}AAAA",
            f"A{token}",
            f"{token}A",
            token.swapcase(),
            "1",
            "...",
            "é",
            "%00",
            "x" * 4000,
            quote("../../shop.db", safe=""),
        ]

    for wrong in forged:
        response = client.get(f"/downloads/{wrong}")
        assert response.status_code in (404, 410), wrong
        assert "the goods" not in response.text
    assert downloads(app) == [0]


def test_a_link_ends_after_a_week_and_the_order_page_has_a_new_one(
    app: Flask, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    with app.app_context():
        order, link = sell_file(app)

    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + LINK_SECONDS - 60)
    with client.get(link) as response:
        assert response.status_code == 200
    monkeypatch.setattr(time, "time", lambda: now + LINK_SECONDS + 60)
    response = client.get(link)
    assert response.status_code == 410
    assert "Open your order page: it makes a new one." in response.text
    with app.app_context():
        new = download_link(db.session.get_one(Order, order.id))
    with client.get(new) as response:
        assert response.status_code == 200


def test_a_link_is_for_its_own_orders_file(app: Flask, client: FlaskClient) -> None:
    with app.app_context():
        settings = app.config["SETTINGS"]
        first = sell(app, make_file(settings, "first.zip", b"first"))
        second = sell(app, make_file(settings, "second.zip", b"second"))
        links = [download_link(first), download_link(second)]

    assert links[0] != links[1]
    for link, content in zip(links, (b"first", b"second"), strict=True):
        with client.get(link) as response:
            assert response.data == content


def test_calling_in_the_orders_links_calls_in_its_downloads(
    app: Flask, client: FlaskClient
) -> None:
    with app.app_context():
        order, link = sell_file(app)
        with transaction() as session:
            session.merge(order).link_version += 1

    assert client.get(link).status_code == 410


def test_there_is_no_link_before_the_money(app: Flask, client: FlaskClient) -> None:
    with app.app_context():
        product = make_file(app.config["SETTINGS"], "rain.zip")
        order, _ = make_open_order(app, product)
        serializer = URLSafeTimedSerializer(str(app.secret_key), salt="download-link")
        guesses = [serializer.dumps([n, order.link_version]) for n in range(3)]

    for token in guesses:  # even with a genuine signature there is nothing to open
        assert client.get(f"/downloads/{token}").status_code == 410


def test_a_delivery_without_file_has_nothing_to_download(app: Flask, client: FlaskClient) -> None:
    with app.app_context():
        order = sell(app, make_product(kind=DeliveryKind.TEXT))
        serializer = URLSafeTimedSerializer(str(app.secret_key), salt="download-link")
        delivery = db.session.scalar(select(Delivery.id))
        token = serializer.dumps([delivery, order.link_version])

    assert client.get(f"/downloads/{token}").status_code == 410


def test_a_missing_file_is_our_fault_is_logged_and_is_not_counted(
    app: Flask, client: FlaskClient, caplog: pytest.LogCaptureFixture
) -> None:
    with app.app_context():
        order, link = sell_file(app)
    goods_file(app, "rain.zip").unlink()

    response = client.get(link)

    assert response.status_code == 503
    assert int(response.headers["Retry-After"]) > 0
    assert "rain.zip" not in response.text
    assert downloads(app) == [0]
    (record,) = [record for record in caplog.records if record.levelname == "ERROR"]
    assert "goods_missing" in str(record.msg)
    assert order.number in str(record.msg)
    assert link.rpartition("/")[2] not in caplog.text
    client.get(link)
    with app.app_context():
        assert [item.kind for item in open_attention()] == ["file_missing"], "once"
        end_read()


@pytest.mark.parametrize("when", ["before", "inside", "after"])
def test_a_download_that_dies_while_it_is_counted_can_be_begun_again(
    app: Flask, client: FlaskClient, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    with app.app_context():
        _, link = sell_file(app, max_downloads=2)
    dies_here(monkeypatch, f"{when}_download")

    with pytest.raises(Killed):
        client.get(f"{link}/file")

    assert downloads(app) == [int(when == "after")]
    assert press(client, link).status_code == 200


@pytest.mark.parametrize("when", ["before", "inside", "after"])
def test_a_new_link_that_dies_on_the_way_is_there_or_can_be_had_again(
    app: Flask, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    with app.app_context():
        order, link = sell_file(app)
        dies_here(monkeypatch, f"{when}_link")

        with pytest.raises(Killed):
            renew_link(order, Because("a test", "tester"))

        assert _opens(link) is (when != "after")
        renew_link(order, Because("a test", "tester"))
        assert not _opens(link)
        assert _opens(download_link(order))


def _opens(link: str) -> bool:
    """Whether the link is good; two of one version differ by the second in which they are made."""
    end_read()
    return find_download(link.rpartition("/")[2]) is not None
