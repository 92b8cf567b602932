"""Files for sale may lie in a bucket: buyers get them from there, by a link that ends soon."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from html import escape
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from flask import Flask
from flask.testing import FlaskClient, FlaskCliRunner
from sqlalchemy import select, update
from werkzeug.test import TestResponse

from shop.attention.queries import open_attention
from shop.catalogue.models import Product
from shop.catalogue.service import import_catalogue
from shop.catalogue.storage import BUCKET_LINK_SECONDS, Bucket, StorageFailed, storage
from shop.config import Settings
from shop.db import db, transaction
from shop.fulfilment.goods import goods_of
from shop.fulfilment.models import Delivery
from shop.orders.models import Order, OrderLine
from tests.conftest import make_settings
from tests.support.bucket import RCLONE, SECRET, BucketServer, bucket_server
from tests.support.crowd import at_once
from tests.support.sold import download_link, sell

pytestmark = pytest.mark.skipif(
    not RCLONE or not find_spec("boto3"), reason="no boto3 and rclone: pip install -e '.[dev]'"
)

NAME = "дождь и ветер.zip"
CONTENT = b"PK 0123456789"
CATALOGUE = f"""
products:
- slug: rain
  title: Rain
  summary: Forty minutes of rain.
  prices: {{USD: 12.00}}
  delivery: {{file: {NAME}, downloads: 2}}
"""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[BucketServer]:
    with bucket_server(tmp_path / "buckets") as server:
        yield server


@pytest.fixture
def settings(tmp_path: Path, database_url: str, server: BucketServer) -> Settings:
    return make_settings(tmp_path / "data", database_url, **server.settings())


@pytest.fixture
def catalogue(tmp_path: Path) -> Path:
    (tmp_path / NAME).write_bytes(CONTENT)
    path = tmp_path / "catalogue.yaml"
    path.write_text(CATALOGUE, "utf-8")
    return path


@pytest.fixture
def order(app: Flask, catalogue: Path) -> Order:
    with app.app_context():
        import_catalogue(catalogue)
        return sell(app, db.session.scalars(select(Product)).one())


@pytest.fixture
def link(app: Flask, order: Order) -> str:
    with app.app_context():
        return download_link(order)


def press(client: FlaskClient, link: str, **headers: str) -> requests.Response:
    """Press the button of the page, and go where it leads, as a browser does."""
    answer = client.post(link, headers=headers)
    assert answer.status_code == 200, answer.text
    return requests.get(led_to(answer), headers=headers, timeout=10)


def led_to(answer: TestResponse) -> str:
    """The bucket's address, to which a page leads on by itself."""
    address = answer.headers["Refresh"].removeprefix("0; url=")
    assert f'href="{escape(address)}"' in answer.text, "and by a link where it does not"
    return address


def test_an_import_brings_the_file_there_once_and_keeps_nothing_here(
    app: Flask, server: BucketServer, settings: Settings, catalogue: Path
) -> None:
    with app.app_context():
        import_catalogue(catalogue)
        (stored,) = server.files()
        before = stored.stat().st_mtime_ns
        report = import_catalogue(catalogue)
        product = db.session.scalars(select(Product)).one()

    assert report.unchanged == ["rain"]
    assert stored.read_bytes() == CONTENT
    assert stored.stat().st_mtime_ns == before
    assert stored == server.folder / "our/goods" / product.delivery_file
    assert product.delivery_size == len(CONTENT)
    assert not (settings.shop_data_dir / "goods").exists()


def test_the_buyer_is_led_to_the_file_and_gets_it_whole_under_its_name(
    client: FlaskClient, link: str, server: BucketServer
) -> None:
    answer = client.post(link)

    assert answer.status_code == 200, "no redirect: browsers would hold it against the form"
    assert answer.headers["Cache-Control"] == "private, no-store"
    assert answer.headers["Referrer-Policy"] == "same-origin", "the bucket learns no link of ours"
    address = led_to(answer)
    assert address.startswith(f"{server.url}/for-sale/our/goods/")
    assert parse_qs(urlsplit(address).query)["X-Amz-Expires"] == [str(BUCKET_LINK_SECONDS)]
    assert SECRET not in address
    got = requests.get(address, timeout=10)
    assert (got.status_code, got.content) == (200, CONTENT)
    disposition = got.headers["Content-Disposition"]
    assert disposition.startswith("attachment; filename=download.zip; filename*=UTF-8''%D0%B4")
    assert got.headers["Content-Type"] == "application/zip"


def test_a_link_into_the_bucket_opens_nothing_else_and_ends(client: FlaskClient, link: str) -> None:
    address = led_to(client.post(link))
    path = urlsplit(address).path

    for forged in (
        address.partition("?")[0],
        address.replace(path, "/for-sale/our/goods/another.zip"),
        re.sub(r"X-Amz-Expires=\d+", "X-Amz-Expires=604800", address),
        address.replace("download.zip", "download.exe"),
        address[:-4] + "0000",
    ):
        assert forged != address
        assert requests.get(forged, timeout=10).status_code in (400, 403), forged


def left(app: Flask) -> int | None:
    with app.app_context():
        return db.session.scalars(select(Delivery)).one().downloads_left


def passes(app: Flask, seconds: int) -> None:
    """So much time since the file was given last."""
    with app.app_context(), transaction() as session:
        then = Delivery.last_download_at
        (at,) = session.scalars(select(then))
        assert at
        session.execute(update(Delivery).values(last_download_at=at - timedelta(seconds=seconds)))


def test_the_button_counts_one_download_for_as_long_as_the_buckets_link_lives(
    app: Flask, client: FlaskClient, link: str
) -> None:
    """What the bucket gives nobody counts: it is the whole file, to whoever was led there."""
    for look in (client.get, client.head):
        assert "Refresh" not in look(link).headers
        assert look(f"{link}/file").headers["Location"] == link, "the page, and not the bucket"
    assert left(app) == 2

    assert press(client, link).content == CONTENT
    assert press(client, link, Range="bytes=3-").content == CONTENT[3:]
    assert left(app) == 1
    passes(app, BUCKET_LINK_SECONDS - 60)
    life = parse_qs(urlsplit(led_to(client.post(link))).query)["X-Amz-Expires"]
    assert 50 <= int(life[0]) <= 60, "it ends with the first one"
    assert left(app) == 1
    passes(app, 60)
    assert press(client, link).content == CONTENT
    assert left(app) == 0
    passes(app, BUCKET_LINK_SECONDS)

    for asked in ({}, {"Range": "bytes=1-"}):
        assert client.post(link, headers=asked).status_code == 410
    assert client.get(link).status_code == 410


def test_many_who_press_at_once_are_counted_once_and_led_by_links_that_end_together(
    app: Flask, link: str
) -> None:
    lives = {
        parse_qs(urlsplit(led_to(answer)).query)["X-Amz-Expires"][0]
        for answer in at_once(8, lambda _: app.test_client().post(link))
    }

    assert left(app) == 1
    assert min(map(int, lives)) > BUCKET_LINK_SECONDS - 60


def test_where_nothing_can_be_used_up_the_link_leads_straight_to_the_bucket(
    app: Flask, client: FlaskClient, link: str
) -> None:
    with app.app_context(), transaction() as session:
        session.execute(update(OrderLine).values(max_downloads=None))

    for headers in ({}, {}, {"Range": "bytes=9-"}):
        answer = client.get(link, headers=headers)
        assert answer.status_code == 303
        got = requests.get(answer.headers["Location"], headers=headers, timeout=10)
        assert got.content == CONTENT[9 if headers else 0 :]
    asked = client.head(link)

    assert (asked.status_code, "Location" in asked.headers) == (200, False)
    with app.app_context():
        assert db.session.scalar(select(Delivery.downloads)) == 2


@pytest.mark.parametrize(("last", "copies"), [(5, 0), (13, 1), (14, 1), (10**15, 1)])
def test_the_last_bytes_of_a_file_may_be_asked_for(
    app: Flask, client: FlaskClient, link: str, last: int, copies: int
) -> None:
    with app.app_context(), transaction() as session:
        session.execute(update(OrderLine).values(max_downloads=None))

    answer = client.get(link, headers={"Range": f"bytes=-{last}"})

    assert answer.status_code == 303
    with app.app_context():
        delivery = db.session.scalars(select(Delivery)).one()
        assert delivery.downloads == copies
        assert sum(delivery.given or ()) == min(last, len(CONTENT))


def test_pages_tell_the_size_without_asking_the_bucket(
    app: Flask, client: FlaskClient, order: Order, monkeypatch: pytest.MonkeyPatch
) -> None:
    with app.app_context():
        monkeypatch.setattr(storage(), "client", None)
    with app.test_request_context():
        (goods,) = goods_of(order)

    assert (goods.file_name, goods.file_size) == (NAME, f"{len(CONTENT)} bytes")
    assert f"(ZIP, {len(CONTENT)} bytes)" in client.get("/products/rain").text


def test_a_file_that_is_gone_is_reported_as_a_missing_file_here_would_be(
    app: Flask, client: FlaskClient, link: str, server: BucketServer
) -> None:
    with app.app_context():
        bucket = storage()
        assert isinstance(bucket, Bucket)
        file = db.session.scalars(select(Delivery.file)).one()
        bucket.client.delete_object(Bucket="for-sale", Key=f"our/goods/{file}")
    assert server.files() == []

    assert client.post(link).status_code == 503

    with app.app_context():
        assert [item.kind for item in open_attention()] == ["file_missing"]
        assert db.session.scalar(select(Delivery.downloads)) == 0


def test_a_bucket_that_refuses_is_no_missing_file_and_its_secret_stays_ours(
    app: Flask, client: FlaskClient, link: str, caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    with app.app_context():
        credentials = storage().client._request_signer._credentials  # type: ignore[union-attr]
        monkeypatch.setattr(credentials, "secret_key", "wrong-secret")

    assert client.post(link).status_code == 503

    with app.app_context():
        assert open_attention() == []
    assert "storage_failed" in caplog.text
    assert SECRET not in caplog.text
    assert "X-Amz" not in caplog.text


def test_an_import_that_cannot_reach_the_bucket_changes_nothing(
    tmp_path: Path, settings: Settings, app: Flask, runner: FlaskCliRunner, catalogue: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    def fail(*_: object) -> None:
        raise StorageFailed("the bucket fails: EndpointConnectionError")

    monkeypatch.setattr("shop.catalogue.storage.Bucket.store", fail)

    result = runner.invoke(args=["products", "import", str(catalogue)])

    assert result.exit_code == 1
    assert "Nothing was changed: the bucket fails" in result.stderr
    with app.app_context():
        assert db.session.scalars(select(Product)).all() == []


def test_an_export_has_the_file_again(
    app: Flask, runner: FlaskCliRunner, catalogue: Path, tmp_path: Path
) -> None:
    with app.app_context():
        import_catalogue(catalogue)

    result = runner.invoke(args=["products", "export", str(tmp_path / "copy" / "all.yaml")])

    assert result.exit_code == 0, result.output
    (copy,) = (tmp_path / "copy").rglob(NAME)
    assert copy.read_bytes() == CONTENT


def test_sizes_of_an_older_shop_are_simply_not_told(app: Flask, order: Order) -> None:
    with app.app_context(), transaction() as session:
        session.execute(update(Delivery).values(file_size=None))
    with app.test_request_context():
        assert goods_of(order)[0].file_size is None
