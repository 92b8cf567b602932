"""A product may be several files: each is counted and given anew by itself, and none goes without the others."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

import pytest
from flask import Flask
from flask.testing import FlaskClient, FlaskCliRunner
from sqlalchemy import func, select, text, update
from sqlalchemy.exc import IntegrityError

from shop import jobs
from shop.attention.queries import open_attention
from shop.because import Because
from shop.books.checks import discrepancies
from shop.catalogue.files.exporting import export_text, export_to
from shop.catalogue.files.reading import CatalogueFileError
from shop.catalogue.models import DeliveryKind, Product, ProductFile
from shop.catalogue.product_draft import MOST_FILES
from shop.catalogue.service import import_catalogue
from shop.config import Settings
from shop.db import db, end_read, transaction
from shop.fulfilment.goods import goods_of
from shop.fulfilment.models import Delivery, DeliveryState, LicenceKey
from shop.fulfilment.queries import deliveries_of
from shop.fulfilment.reissue import NotReissued, reissue, renew_link
from shop.fulfilment.service import deliver_order
from shop.orders.links import order_path
from shop.orders.models import Order, OrderStatus
from shop.orders.queries import find_order
from shop.outbox.queries import mails_of
from shop.privacy.export import known_about
from shop.schema import migrations
from tests.factories import make_product, send_due_mails
from tests.fulfilment.test_mails import part, written
from tests.support.sold import goods_file, press, sell

NAMES = ("rain.zip", "notes.pdf", "cover.png")
ASKED = Because("asked", "Ann")
CATALOGUE = """
products:
- slug: rain
  title: Rain
  summary: Forty minutes of rain.
  prices: {USD: 12.00}
  delivery: {files: [files/rain.zip, files/notes.pdf, more/cover.png], text: Enjoy., downloads: 2}
"""


def make_files(app: Flask, *names: str, **values: object) -> Product:
    """A product of these files, each with its name for its content."""
    settings: Settings = app.config["SETTINGS"]
    for name in names:
        path = settings.shop_data_dir / "goods" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())
    more = [
        ProductFile(position=at, name=name, size=len(name))
        for at, name in enumerate(names[1:], start=2)
    ]
    terms = {"delivery_size": len(names[0]), "delivery_text": "Enjoy.", "title": "Rain"}
    given: dict[str, object] = {"delivery_file": names[0], "more_files": more} | terms | values
    return make_product(kind=DeliveryKind.FILE, **given)  # type: ignore[arg-type]


def links(order: Order) -> list[str]:
    return [urlsplit(str(goods.download_url)).path for goods in goods_of(order)]


def fetch(client: FlaskClient, link: str) -> bytes:
    with client.get(link) as response:
        assert response.status_code == 200, response.status
        return response.get_data()


def wrong() -> list[str]:
    end_read()
    return [finding.note for finding in discrepancies(newest=None)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("files/rain.zip", "files/notes.pdf", "more/cover.png", "other/notes.pdf"):
        path = tmp_path / "catalogue" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())
    return tmp_path / "catalogue"


def bring(folder: Path, content: str = CATALOGUE) -> object:
    file = folder / "catalogue.yaml"
    file.write_text(content)
    return import_catalogue(file)


def test_each_file_is_a_download_of_its_own_on_the_page_and_in_the_mail(
    app: Flask, client: FlaskClient
) -> None:
    with app.app_context():
        order = sell(app, make_files(app, *NAMES))
        path = order_path(order)
        assert [fetch(client, link) for link in links(order)] == [n.encode() for n in NAMES]
        assert order.status is OrderStatus.FULFILLED
        send_due_mails()
        (mail,) = (m for m in written(app) if "is paid" in m["Subject"])
        assert wrong() == []

    page = client.get(path).text
    for words in (page, part(mail, "plain"), part(mail, "html")):
        assert words.count("/downloads/") == 3
        assert words.count("Enjoy.") == 1
        assert [words.index(name) for name in NAMES] == sorted(words.index(name) for name in NAMES)
    assert page.count('class="goods__title"') == 1
    assert "\n\n\n" not in part(mail, "plain").replace("\r", ""), "one line between two files"


def test_each_file_is_counted_and_ends_by_itself(app: Flask, client: FlaskClient) -> None:
    with app.app_context():
        order = sell(app, make_files(app, *NAMES, max_downloads=2))
        first, second, _ = links(order)
        deliveries = [each.id for each in deliveries_of(order.id)]
        end_read()
        for link, count in ((first, 2), (second, 1)):
            for _ in range(count):
                begin(client, link)

        counts = [db.session.get_one(Delivery, id_).downloads for id_ in deliveries]
        assert counts == [2, 1, 0]
        goods = goods_of(order)
        assert [item.download_url is not None for item in goods] == [False, True, True]
        assert "cannot be downloaded any more" in goods[0].terms
        assert "1 download is left" in goods[1].terms
    assert client.get(first).status_code == 410


def begin(client: FlaskClient, link: str) -> None:
    """Have the whole file, whichever way the link leads to it."""
    assert press(client, link).status_code == 200


def test_the_downloads_of_all_files_are_given_anew_or_of_one(
    app: Flask, client: FlaskClient, runner: FlaskCliRunner
) -> None:
    with app.app_context():
        order = sell(app, make_files(app, *NAMES, max_downloads=1))
        number, paths = order.number, links(order)
        end_read()
    for path in paths:
        begin(client, path)

    command = ["orders", "reissue", number, "--reason", "lost", "--who", "Ann"]
    one = runner.invoke(args=[*command, "--unit", "2"])
    assert "downloads of file 2 of Rain given anew after 1" in one.output
    assert [left(app, number)] == [[0, 1, 0]]

    every = runner.invoke(args=command)
    assert "downloads of Rain given anew after 1, 0, 1" in every.output
    assert left(app, number) == [1, 1, 1]
    with app.app_context():
        end_read()
        found = find_order(number)
        assert found
        with pytest.raises(NotReissued, match="3 files: there is no file 4"):
            reissue(found, ASKED, position=1, unit=4)
        assert wrong() == []
    shown = runner.invoke(args=["orders", "show", number]).output
    assert all(name in shown for name in NAMES)


def left(app: Flask, number: str) -> list[int | None]:
    with app.app_context():
        end_read()
        order = find_order(number)
        assert order
        return [delivery.downloads_left for delivery in deliveries_of(order.id)]


def test_links_that_were_called_in_open_none_of_the_files(app: Flask, client: FlaskClient) -> None:
    with app.app_context():
        order = sell(app, make_files(app, *NAMES))
        old = links(order)
        renewed = renew_link(order, ASKED)

        assert [client.get(link).status_code for link in old] == [410, 410, 410]
        assert [fetch(client, link) for link in links(renewed)] == [n.encode() for n in NAMES]


@pytest.mark.parametrize("missing", NAMES)
def test_an_order_waits_for_all_its_files_while_one_is_missing(
    app: Flask, client: FlaskClient, missing: str
) -> None:
    with app.app_context():
        product = make_files(app, *NAMES)
        goods_file(app, missing).rename(goods_file(app, "hidden"))
        order = sell(app, product)
        assert order.status is OrderStatus.PAID
        assert [item.download_url for item in goods_of(order)] == [None]
        (item,) = open_attention()
        assert (item.kind, item.reference) == ("file_missing", missing)
        assert "file-waiting" in mails(order)
        assert wrong() == []
        path = order_path(order)
    assert "Your file is on its way" in client.get(path).text

    with app.app_context():
        goods_file(app, "hidden").rename(goods_file(app, missing))
        jobs.deliveries()
        jobs.sweep()
        end_read()

        assert [item.kind for item in open_attention()] == []
        assert db.session.get_one(Order, order.id).status is OrderStatus.FULFILLED
        assert len(links(db.session.get_one(Order, order.id))) == 3


def mails(order: Order) -> list[str]:
    return [mail.kind for mail in mails_of(order.id)]


def test_a_sweep_sees_that_a_further_file_of_what_is_for_sale_or_sold_is_gone(app: Flask) -> None:
    with app.app_context():
        sell(app, make_files(app, *NAMES))
        goods_file(app, "cover.png").unlink()

        jobs.sweep()

        assert [(i.kind, i.reference) for i in open_attention()] == [("file_missing", "cover.png")]


def test_nothing_is_handed_over_twice_however_often_it_is_tried(app: Flask) -> None:
    with app.app_context():
        order = sell(app, make_files(app, *NAMES))
        for _ in range(2):
            deliver_order(order.id)
            jobs.deliveries()
        (first, *_) = deliveries_of(order.id)
        assert db.session.scalar(select(func.count()).select_from(Delivery)) == 3
        with pytest.raises(IntegrityError), transaction() as session:
            session.add(
                Delivery(
                    order_id=first.order_id,
                    order_line_id=first.order_line_id,
                    part=2,
                    kind=first.kind,
                )
            )


def test_an_order_keeps_the_files_that_it_was_given(
    app: Flask, client: FlaskClient, folder: Path
) -> None:
    with app.app_context():
        bring(folder)
        order = sell(app, db.session.scalars(select(Product)).one())
        before = links(order)
        bring(
            folder,
            CATALOGUE.replace(
                "[files/rain.zip, files/notes.pdf, more/cover.png]", "[files/rain.zip]"
            ),
        )
        later = sell(app, db.session.scalars(select(Product)).one())

        assert len(links(later)) == 1
        assert [press(client, link).data for link in before] == [
            b"files/rain.zip",
            b"files/notes.pdf",
            b"more/cover.png",
        ]
        states = select(Delivery.state).where(Delivery.order_id == order.id)
        assert set(db.session.scalars(states)) == {DeliveryState.DELIVERED}


def test_a_catalogue_names_several_files_and_its_export_does_so_again(
    app: Flask, client: FlaskClient, folder: Path, tmp_path: Path
) -> None:
    with app.app_context():
        assert bring(folder).added == ["rain"]  # type: ignore[attr-defined]
        assert bring(folder).unchanged == ["rain"]  # type: ignore[attr-defined]
        exported = tmp_path / "copy" / "catalogue.yaml"
        export_to(exported)
        assert import_catalogue(exported).unchanged == ["rain"]
        assert export_text() == exported.read_text()
        assert exported.read_text().count("- files/rain-") == 3

        changed = CATALOGUE.replace("files/notes.pdf, more/cover.png", "more/cover.png")
        assert bring(folder, changed).changed == ["rain"]  # type: ignore[attr-defined]
        product = db.session.scalars(select(Product)).one()
        assert [name.partition("/")[2] for name, _ in product.files] == ["rain.zip", "cover.png"]
    page = client.get("/products/rain").text
    assert "2 files (ZIP, PNG, 28 bytes)" in page
    assert "Each can be downloaded 2 times" in page


@pytest.mark.parametrize(
    ("delivery", "problem"),
    [
        (
            "{file: files/rain.zip, files: [files/notes.pdf]}",
            "delivery has both file and files; put all into files",
        ),
        ("{files: []}", f"files has 0 files; it takes from 1 to {MOST_FILES}"),
        ("{files: ~}", f"files has 0 files; it takes from 1 to {MOST_FILES}"),
        (
            f"{{files: [{', '.join(['files/rain.zip'] * (MOST_FILES + 1))}]}}",
            f"files has {MOST_FILES + 1} files; it takes from 1 to {MOST_FILES}",
        ),
        (
            "{files: [files/notes.pdf, other/notes.pdf]}",
            "goods file 'notes.pdf' is there twice by this name",
        ),
        ("{files: [files/rain.zip], keys: yes}", "delivery has both a file and keys"),
        ("{files: [files/rain.zip, files/none.zip]}", "goods file 'files/none.zip' does not exist"),
        ("{files: files/rain.zip}", "files must be a list, each item after a `- `"),
    ],
)
def test_a_list_of_files_that_cannot_be_is_refused_by_its_line(
    app: Flask, folder: Path, delivery: str, problem: str
) -> None:
    start = CATALOGUE.partition("  delivery:")[0]
    with app.app_context(), pytest.raises(CatalogueFileError) as refused:
        bring(folder, f"{start}  delivery: {delivery}\n")

    assert any(p.line == 7 and problem in p.text for p in refused.value.problems)


def test_an_upgrade_leaves_downloads_and_keys_with_whom_they_are(app: Flask) -> None:
    """On SQLite the table that keys point at is built anew."""
    with app.app_context():
        keyed = sell(app, make_product(kind=DeliveryKind.KEY, keys=5), quantity=2)
        filed = sell(app, make_files(app, *NAMES, max_downloads=3))
        with transaction() as session:
            session.execute(update(Delivery).where(Delivery.part == 1).values(downloads=1))
        before = owners()
        end_read()
        migrations().downgrade("1796010400")
        migrations().upgrade()

        assert owners() == before
        assert len(goods_of(db.session.get_one(Order, keyed.id))[0].keys) == 2
        (kept,) = deliveries_of(filed.id)
        assert (kept.file, kept.downloads) == ("rain.zip", 1)
        with pytest.raises(IntegrityError), transaction() as session:
            session.add(Delivery(order_id=filed.id, order_line_id=kept.order_line_id, kind="file"))
        with pytest.raises(IntegrityError), transaction() as session:
            session.execute(text("DELETE FROM deliveries"))  # keys point at some
        assert wrong() == []
        sell(app, make_files(app, *NAMES))


def owners() -> list[tuple[int, int | None, int | None]]:
    end_read()
    rows = select(LicenceKey.id, LicenceKey.delivery_id, LicenceKey.unit).order_by(LicenceKey.id)
    return [tuple(row) for row in db.session.execute(rows)]  # type: ignore[misc]


def test_privacy_export_names_each_file_with_its_downloads(app: Flask, client: FlaskClient) -> None:
    with app.app_context():
        order = sell(app, make_files(app, *NAMES))
        begin(client, links(order)[1])
        end_read()

        (found,) = known_about("buyer@example.com")["orders"]

        assert [(d["file"], d["downloads"]) for d in found["deliveries"]] == [
            ("rain.zip", 0),
            ("notes.pdf", 1),
            ("cover.png", 0),
        ]
