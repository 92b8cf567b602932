"""A file that is sold is looked at when it is handed over: what is not there waits, and everybody knows."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, update

from shop import jobs
from shop.attention.models import AttentionItem
from shop.attention.queries import open_attention
from shop.because import Because
from shop.books.checks import discrepancies
from shop.catalogue.images import media
from shop.catalogue.models import DeliveryKind, Product, ProductImage
from shop.catalogue.storage import Bucket, StorageFailed, storage
from shop.db import db, end_read, transaction, utcnow
from shop.doctor import examine
from shop.doctor.files import goods_files, pictures
from shop.fulfilment.files import Looks, look_at_some
from shop.fulfilment.models import Delivery, DeliveryState
from shop.fulfilment.service import deliver_order
from shop.orders.links import order_path
from shop.orders.models import Order, OrderStatus
from shop.payments.by_hand import refund_order
from tests.factories import make_product, send_due_mails
from tests.support.sold import download_link, goods_file, mail_kinds, make_file, sell, sell_file

NAME, CONTENT = "rain.zip", b"the goods"


def pipe(path: Path) -> None:
    os.mkfifo(path)


def folder(path: Path) -> None:
    path.mkdir()


def link_out(path: Path) -> None:
    goods = next(folder for folder in path.parents if folder.name == "goods")
    outside = goods.parent / "passwords"
    outside.write_bytes(CONTENT)
    path.symlink_to(outside)


def link_to_itself(path: Path) -> None:
    path.symlink_to(path)


def cut_off(path: Path) -> None:
    path.write_bytes(CONTENT[:4])


FAULTS = {
    lambda path: None: "is not in the goods folder",
    pipe: "is not a plain file",
    folder: "is not a plain file",
    link_out: "is a link that leads out of the goods folder",
    link_to_itself: "cannot be read (",
    cut_off: "has 4 bytes instead of 9",
}


def make_broken(app: Flask, fault: object = None) -> Product:
    """A file that is for sale, with something the matter with it."""
    product = make_file(app.config["SETTINGS"], NAME, CONTENT, delivery_size=len(CONTENT))
    goods_file(app, NAME).unlink()
    if callable(fault):
        fault(goods_file(app, NAME))
    return product


def mend(app: Flask) -> None:
    path = goods_file(app, NAME)
    if path.is_dir():
        shutil.rmtree(path)
    path.unlink(missing_ok=True)
    path.write_bytes(CONTENT)


def again(order: Order) -> OrderStatus:
    end_read()
    return order.status


@pytest.mark.parametrize(
    ("fault", "words"), FAULTS.items(), ids=lambda each: getattr(each, "__name__", "")
)
def test_an_order_whose_file_is_not_there_waits_until_it_is(
    app: Flask, client: FlaskClient, fault: object, words: str
) -> None:
    with app.app_context():
        order = sell(app, make_broken(app, fault), make_product())

        assert again(order) is OrderStatus.PAID
        assert [d.state for d in db.session.scalars(select(Delivery).order_by(Delivery.id))] == [
            DeliveryState.WAITING,
            DeliveryState.DELIVERED,
        ]
        (item,) = open_attention()
        assert (item.kind, item.reference) == ("file_missing", NAME)
        assert f"Order {order.number} is paid and waits for its file: {NAME} {words}" in item.note
        page = client.get(order_path(order)).text
        assert "Your file is on its way" in page
        assert "/downloads/" not in page

        jobs.deliveries()
        assert (again(order), len(open_attention())) == (OrderStatus.PAID, 1), "told once"
        mend(app)
        jobs.deliveries()

        assert (again(order), open_attention()) == (OrderStatus.FULFILLED, [])
        with client.get(download_link(order)) as response:
            assert response.data == CONTENT
        assert list(discrepancies()) == []


def test_the_buyer_gets_the_link_by_a_mail_that_promises_the_file_and_then_the_file(
    app: Flask,
) -> None:
    with app.app_context():
        order = sell(app, make_broken(app))
        assert send_due_mails() == 2, "to the operator, and to the buyer"
        deliver_order(order.id)
        mend(app)
        jobs.deliveries()
        assert send_due_mails() == 1
        assert mail_kinds() == ["order-placed", "order-delivered", "file-waiting", "attention"]


def test_an_order_that_waits_for_its_file_is_no_riddle_and_can_be_refunded(app: Flask) -> None:
    with app.app_context():
        order = sell(app, make_broken(app))
        later = utcnow() + timedelta(hours=2)
        assert list(discrepancies(later)) == []
        with transaction() as session:
            session.execute(update(AttentionItem).values(resolved_at=utcnow()))
        assert [finding.kind for finding in discrepancies(later)] == ["not_delivered"], (
            "nobody knows"
        )

        refund_order(order, Because("a test", "Ann"), transaction_id="0xfeed")
        mend(app)
        jobs.deliveries()

        assert db.session.scalars(select(Delivery.state)).all() == [DeliveryState.WAITING]


def test_a_file_that_an_import_names_while_it_is_looked_at_is_looked_at_the_next_time(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    with app.app_context():
        product = make_file(app.config["SETTINGS"], NAME, CONTENT)
        look = Looks.at

        def import_meanwhile(looks: Looks, file: str, size: int | None) -> str:
            with transaction() as session:
                session.execute(update(Product).values(delivery_file="gone.zip"))
            return look(looks, file, size)

        with monkeypatch.context() as patch:
            patch.setattr(Looks, "at", import_meanwhile)
            order = sell(app, product)
        assert (again(order), open_attention()) == (OrderStatus.PAID, [])

        jobs.deliveries()
        (item,) = open_attention()
        assert "gone.zip is not in the goods folder" in item.note


@pytest.mark.parametrize("fault", [lambda path: None, pipe, link_out, cut_off])
def test_an_import_puts_back_what_is_not_there_or_not_whole(
    app: Flask, tmp_path: Path, fault: Callable[[Path], None]
) -> None:
    source = tmp_path / NAME
    source.write_bytes(CONTENT)
    with app.app_context():
        place = storage()
        stored = place.store(source)
        path = goods_file(app, stored.name)
        path.unlink()
        fault(path)
        assert place.problem(stored.name, stored.size)

        assert place.store(source) == stored

        assert place.problem(stored.name, stored.size) == ""
        assert path.read_bytes() == CONTENT


class AwayClient:
    """A bucket that nobody reaches, and how often it was tried."""

    tries = 0

    def head_object(self, **_: object) -> dict[str, int]:
        self.tries += 1
        assert not db.session.info.get("writing"), "no network inside a transaction"
        raise StorageFailed("the bucket fails: EndpointConnectionError")


def test_while_the_bucket_is_away_goods_wait_and_a_sweep_asks_it_once(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    with app.app_context():
        client = AwayClient()
        settings = app.config["SETTINGS"]
        with monkeypatch.context() as patch:
            patch.setattr("shop.fulfilment.files.storage", lambda: Bucket(client, "for-sale", ""))
            orders = [sell(app, make_file(settings, f"{n}.zip")) for n in range(3)]
            assert {again(order) for order in orders} == {OrderStatus.PAID}
            assert "0.zip cannot be looked at: the bucket fails" in open_attention()[0].note
            client.tries = 0

            jobs.deliveries()
            jobs.files()

            assert client.tries == 2, "once for each of the two"
        jobs.deliveries()

        assert {again(order) for order in orders} == {OrderStatus.FULFILLED}
        assert open_attention() == []


def test_a_file_that_is_gone_after_it_was_handed_over_is_found_before_anybody_asks(
    app: Flask,
) -> None:
    with app.app_context():
        sell_file(app)
        with transaction() as session:
            session.execute(update(Product).values(active=False))
        jobs.files()
        assert open_attention() == []
        goods_file(app, NAME).unlink()

        jobs.files()
        jobs.files()

        (item,) = open_attention()
        assert item.note == f"{NAME}, which is for sale or was sold, is not in the goods folder."
        goods_file(app, NAME).write_bytes(CONTENT)
        jobs.deliveries()
        assert open_attention() == []


def test_a_file_that_was_cut_off_after_it_was_handed_over_is_found_and_stays_before_a_person(
    app: Flask,
) -> None:
    with app.app_context():
        sell(app, make_file(app.config["SETTINGS"], NAME, CONTENT, delivery_size=len(CONTENT)))
        cut_off(goods_file(app, NAME))

        jobs.files()
        jobs.deliveries()

        (item,) = open_attention()
        assert item.note.endswith("has 4 bytes instead of 9.")


@pytest.mark.parametrize("terms", [{"max_downloads": 1}, {"download_days": 3}])
def test_a_file_that_nobody_may_download_any_more_is_not_looked_for(
    app: Flask, client: FlaskClient, terms: dict[str, int]
) -> None:
    with app.app_context():
        _, link = sell_file(app, **terms)
        with client.get(f"{link}/file") as response:
            assert response.data
        with transaction() as session:
            session.execute(update(Product).values(active=False))
        goods_file(app, NAME).unlink()

        look_at_some(Looks(), utcnow() + timedelta(days=4))

        assert open_attention() == []


def test_every_file_has_its_turn(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shop.fulfilment.files.LOOKED_AT", 3)
    with app.app_context():
        for number in range(7):
            make_product(kind=DeliveryKind.FILE, delivery_file=f"{number}.zip")

        for minute in range(3):
            look_at_some(Looks(), utcnow() + timedelta(minutes=minute))

        assert len(open_attention()) == 7


@pytest.mark.parametrize("fault", [pipe, folder, link_out, cut_off])
def test_what_is_no_longer_the_file_is_not_handed_out(
    app: Flask, client: FlaskClient, fault: object
) -> None:
    with app.app_context():
        order = sell(app, make_file(app.config["SETTINGS"], NAME, CONTENT, delivery_size=9))
        link = download_link(order)
        goods_file(app, NAME).unlink()
        assert callable(fault)
        fault(goods_file(app, NAME))

        assert client.get(link).status_code == 503

        assert [item.kind for item in open_attention()] == ["file_missing"]
        assert db.session.scalar(select(Delivery.downloads)) == 0


def test_a_file_that_we_may_not_read_is_said_to_be_so(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By what the system answers: root, as whom tests may run, reads everything."""

    def refuse(*_: object) -> int:
        raise PermissionError(errno.EACCES, "Permission denied")

    with app.app_context():
        make_file(app.config["SETTINGS"], NAME)
        monkeypatch.setattr("shop.catalogue.storage.os.open", refuse)

        assert Looks().at(NAME, None) == "cannot be read (Permission denied)"


def doctor(app: Flask) -> dict[str, dict[str, str]]:
    with app.app_context():
        checks = examine(app.config["SETTINGS"], [goods_files, pictures])
        return {finding.name: vars(finding) for finding in checks}


def test_the_doctor_looks_at_every_file_and_names_several(app: Flask) -> None:
    with app.app_context():
        settings = app.config["SETTINGS"]
        sell(app, make_file(settings, NAME, CONTENT, delivery_size=9))
        with transaction() as session:
            session.execute(update(Product).values(active=False))
        for number in range(8):
            make_file(settings, f"{number}.zip")
    assert doctor(app)["goods files"]["text"] == "9 looked at, and all is there"
    for number in range(7):
        goods_file(app, f"{number}.zip").unlink()
    cut_off(goods_file(app, NAME))

    found = doctor(app)["goods files"]

    assert found["level"] == "warn", "as in a trial; in a shop it fails"
    assert found["text"].startswith("8 of 9 looked at cannot be handed out: 0.zip is not in the")
    assert found["text"].endswith(", and 3 more")
    with app.app_context():
        assert open_attention() == [], "the doctor changes nothing"


def test_the_doctor_looks_at_files_for_some_seconds_and_says_at_how_many(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    with app.app_context():
        for number in range(3):
            make_file(app.config["SETTINGS"], f"{number}.zip")
    monkeypatch.setattr("shop.doctor.files.SECONDS", -1)

    assert doctor(app)["goods files"]["text"].startswith("0 of 3, in -1 s, looked at")


def test_the_doctor_says_once_that_a_bucket_is_away(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    with app.app_context():
        for number in range(3):
            make_file(app.config["SETTINGS"], f"{number}.zip")
    client = AwayClient()
    monkeypatch.setattr("shop.fulfilment.files.storage", lambda: Bucket(client, "for-sale", ""))

    found = doctor(app)["goods files"]

    assert (found["level"], client.tries) == ("warn", 1)
    assert found["text"].startswith("the goods storage cannot be looked at: the bucket fails")


def test_a_picture_that_is_gone_is_named_and_its_page_still_opens(
    app: Flask, client: FlaskClient
) -> None:
    with app.app_context():
        image = ProductImage(position=0, name="a" * 32, alt="Rain", width=900, height=600)
        slug = make_product(images=[image]).slug

    assert client.get(f"/products/{slug}").status_code == 200
    found = doctor(app)["pictures"]

    assert found["level"] == "warn"
    assert found["text"].endswith(f"of 1 products: {slug}")
    with app.app_context():
        folder = media(app.config["SETTINGS"].shop_data_dir)
    folder.mkdir(parents=True)
    for width in (400, 800, 900):
        (folder / f"{'a' * 32}-{width}.webp").touch()
    assert doctor(app)["pictures"]["text"] == "all 1 are there"
