"""What was bought reaches the buyer: keys and files on the order page and in the mail, and only there."""

from __future__ import annotations

import re
import time
from datetime import datetime, timedelta
from email.message import EmailMessage
from types import SimpleNamespace

import pytest
from flask import Flask
from sqlalchemy import update

from shop import jobs
from shop.catalogue.models import DeliveryKind, Product
from shop.columns import UtcDateTime
from shop.db import Base, transaction, utcnow
from shop.orders.models import Order
from tests.buyer import Buyer
from tests.factories import add_keys, make_product
from tests.journeys.books import Books
from tests.journeys.till import Till

DAY = 24 * 3600
BYTES = b"PK harbour rain \x00\xff"


@pytest.fixture
def file(app: Flask) -> Product:
    """A product that is a file."""
    goods = app.config["SETTINGS"].shop_data_dir / "goods"
    goods.mkdir(parents=True, exist_ok=True)
    (goods / "harbour-rain.zip").write_bytes(BYTES)
    with app.app_context():
        return make_product(kind=DeliveryKind.FILE, delivery_file="harbour-rain.zip")


@pytest.fixture
def keyed(app: Flask) -> Product:
    """A product that is a licence key, of which there are three."""
    with app.app_context():
        return make_product(kind=DeliveryKind.KEY, keys=3)


def keys_on(page: str) -> list[str]:
    return re.findall(r'<code class="goods__code">([^<]+)</code>', page)


def download_on(page: str) -> str:
    link = re.search(r'href="([^"]+/downloads/[^"]+)"', page)
    assert link, "the page has no download"
    return link[1]


def parts_of(mail: EmailMessage) -> list[str]:
    """The mail's text and HTML."""
    bodies = [mail.get_body((kind,)) for kind in ("plain", "html")]
    return [body.get_content() for body in bodies if body]


def test_every_unit_gets_a_key_of_its_own_on_the_page_and_in_the_mail(
    buyer: Buyer, till: Till, books: Books, keyed: Product
) -> None:
    invoice = till.does("pay", buyer.buys(keyed.slug, 2))

    keys = keys_on(buyer.comes_back(invoice["return_url"]))

    assert len(set(keys)) == 2
    (mail,) = books.mails()
    for part in parts_of(mail):
        assert all(key in part for key in keys)
    assert books.left(keyed.slug) == 1


def test_no_two_buyers_get_the_same_key(
    app: Flask, buyer: Buyer, till: Till, keyed: Product
) -> None:
    other = Buyer(app, "other@example.com")

    mine = buyer.comes_back(till.does("pay", buyer.buys(keyed.slug, 2))["return_url"])
    theirs = other.comes_back(till.does("pay", other.buys(keyed.slug))["return_url"])

    assert len({*keys_on(mine), *keys_on(theirs)}) == 3


def test_nothing_is_shown_before_it_is_paid(buyer: Buyer, keyed: Product, file: Product) -> None:
    buyer.puts_into_cart(file.slug)
    buyer.buys(keyed.slug)

    page = buyer.looks_at_order()

    assert keys_on(page) == []
    assert "/downloads/" not in page
    assert keyed.delivery_text not in page


def test_a_paid_order_waits_for_keys_that_an_operator_adds_later(
    app: Flask, buyer: Buyer, till: Till, books: Books
) -> None:
    with app.app_context():
        short = make_product(kind=DeliveryKind.KEY, keys=1)
        with transaction() as session:
            session.get_one(Product, short.id).available = 2
    invoice = till.does("pay", buyer.buys(short.slug, 2))
    page = buyer.comes_back(invoice["return_url"])
    assert "Your licence key is not here yet." in page
    assert books.state() == ("paid", "none")
    assert books.attention() == ["keys_short"]

    with app.app_context():
        add_keys(short, ["ADDED-LATER"])
        app.extensions["jobs"]("deliveries")

    assert "ADDED-LATER" in keys_on(buyer.comes_back(invoice["return_url"]))
    assert books.state() == ("fulfilled", "none")


def test_a_file_is_downloaded_as_it_is_from_the_page_and_from_the_mail(
    buyer: Buyer, till: Till, books: Books, file: Product
) -> None:
    invoice = till.does("pay", buyer.buys(file.slug))
    page = buyer.comes_back(invoice["return_url"])

    (mail,) = books.mails()
    text, html = parts_of(mail)
    in_text = re.search(r"Download: (\S+)", text)
    assert in_text
    for link in (download_on(page), download_on(html), in_text[1]):
        download = buyer.opens(link)
        assert download.status_code == 200
        assert download.data == BYTES
        assert download.headers["Content-Disposition"] == "attachment; filename=harbour-rain.zip"


def test_a_download_link_expires_and_the_order_page_makes_a_new_one(
    buyer: Buyer, till: Till, file: Product, monkeypatch: pytest.MonkeyPatch
) -> None:
    invoice = till.does("pay", buyer.buys(file.slug))
    link = download_on(buyer.comes_back(invoice["return_url"]))
    later = int(time.time())
    monkeypatch.setattr("itsdangerous.timed.TimestampSigner.get_timestamp", lambda _: later)
    monkeypatch.setattr("shop.fulfilment.goods.time", SimpleNamespace(time=lambda: later))

    later += 6 * DAY
    assert buyer.opens(link).status_code == 200
    later += 2 * DAY
    expired = buyer.opens(link)

    assert expired.status_code == 410
    assert "Open your order page: it makes a new one" in expired.text
    fresh = download_on(buyer.comes_back(invoice["return_url"]))
    assert buyer.opens(fresh).data == BYTES


def test_years_later_the_order_page_still_has_the_goods(
    app: Flask, buyer: Buyer, till: Till, file: Product, keyed: Product
) -> None:
    buyer.puts_into_cart(file.slug)
    invoice = till.does("pay", buyer.buys(keyed.slug))
    (key,) = keys_on(buyer.comes_back(invoice["return_url"]))
    link = buyer.page.request.path
    with app.app_context():
        jobs.mails()
        make_everything_old(utcnow() - timedelta(days=3650))

        jobs.sweep()

    page = Buyer(app).opens(link)
    assert page.status_code == 200
    assert "Paid, thank you" in page.text
    assert buyer.email not in page.text, "it was erased long ago"
    assert keys_on(page.text) == [key]
    assert buyer.opens(download_on(page.text)).data == BYTES


def make_everything_old(then: datetime) -> None:
    """As if all that is written down had happened then."""
    with transaction() as session:
        for table in Base.metadata.tables.values():
            dates = [each.name for each in table.columns if isinstance(each.type, UtcDateTime)]
            for name in dates:
                column = table.columns[name]
                session.execute(update(table).where(column.is_not(None)).values({name: then}))


def test_a_download_link_opens_nothing_when_altered_or_taken_from_elsewhere(
    app: Flask, buyer: Buyer, till: Till, file: Product
) -> None:
    other = Buyer(app, "other@example.com")
    theirs = other.comes_back(till.does("pay", other.buys(file.slug))["return_url"])
    mine = buyer.comes_back(till.does("pay", buyer.buys(file.slug))["return_url"])
    my_order = buyer.page.request.path.rpartition("/")[2]
    body, _, signature = download_on(mine).rpartition("/")[2].partition(".")
    their_body = download_on(theirs).rpartition("/")[2].partition(".")[0]
    assert body != their_body

    for token in (f"{their_body}.{signature}", f"{body}.{signature}x", my_order, "none"):
        assert buyer.opens(f"/downloads/{token}").status_code == 410


def test_links_that_were_called_in_open_nothing(
    app: Flask, buyer: Buyer, till: Till, books: Books, file: Product
) -> None:
    invoice = till.does("pay", buyer.buys(file.slug))
    link = download_on(buyer.comes_back(invoice["return_url"]))
    page = buyer.page.request.path

    with app.app_context(), transaction() as session:
        session.get_one(Order, books.order().id).link_version += 1

    assert buyer.opens(link).status_code == 410
    assert Buyer(app, "stranger@example.com").opens(page).status_code == 404
    assert "Paid, thank you" in buyer.comes_back(page), "the browser that ordered is led to the new"


def test_the_mail_is_a_receipt_with_a_link_to_the_order(
    buyer: Buyer, till: Till, books: Books, keyed: Product
) -> None:
    till.does("pay", buyer.buys(keyed.slug, 2))

    (mail,) = books.mails()

    number = books.order().number
    assert number in mail["Subject"]
    assert mail["To"] == buyer.email
    text, html = parts_of(mail)
    link = re.search(r"Your order page: (\S+)", text)
    assert link
    assert link[1] in html
    assert f"2 × {keyed.title}" in text
    assert "Total: USD\u00a020.00" in text
    assert "Paid, thank you" in buyer.opens(link[1]).text
