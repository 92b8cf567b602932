"""The provider was CryptoCloud and is Trybit: a buyer who has read one name meets a page with the other.

Whoever does not know that they are one company takes the second for a fraud, and does not pay.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from shop import create_app
from shop.config import LANGUAGES
from shop.db import utcnow
from shop.i18n import speaking
from shop.orders.links import order_path
from shop.outbox.on_request import FIRST_MAIL_WAITS
from shop.web.filters import either
from tests.buyer import Buyer
from tests.conftest import make_settings
from tests.factories import make_product, send_due_mails
from tests.fulfilment.test_mails import part, written
from tests.web.test_languages import order_in

PREFIXES = [("" if code == "en" else f"/{code}") for code in LANGUAGES]
BOTH = re.compile(r"Trybit( \(|, )(formerly|ранее|раніше) CryptoCloud")


def main(page: str) -> str:
    return page.partition("<main")[2].partition("</main>")[0]


def footer(page: str) -> str:
    return page.partition('<footer class="site-footer">')[2]


@pytest.mark.parametrize("prefix", PREFIXES)
@pytest.mark.parametrize("path", ["/", "/terms", "/privacy"])
def test_pages_for_everybody_name_both(client: FlaskClient, prefix: str, path: str) -> None:
    page = client.get(prefix + path).text

    assert BOTH.search(main(page))
    assert BOTH.search(footer(page))


@pytest.mark.parametrize("code", LANGUAGES)
def test_an_orders_page_and_its_first_mail_name_both(
    app: Flask, client: FlaskClient, code: str
) -> None:
    with app.app_context():
        order = order_in(app, code)
        path = order_path(order)
        send_due_mails(utcnow() + FIRST_MAIL_WAITS)
        (mail,) = written(app)

    assert BOTH.search(main(client.get(path).text))
    for kind in ("plain", "html"):
        assert BOTH.search(part(mail, kind))


@pytest.mark.parametrize("prefix", PREFIXES)
@pytest.mark.parametrize(
    ("hosts", "said"),
    [
        ("pay.example", "<strong>pay.example</strong>"),
        (
            "pay.trybit.com, pay.cryptocloud.plus",
            "<strong>pay.trybit.com</strong> OR <strong>pay.cryptocloud.plus</strong>",
        ),
    ],
)
def test_the_checkout_names_both_and_every_host_that_may_be_met(
    tmp_path: Path, database_url: str, prefix: str, hosts: str, said: str
) -> None:
    settings = make_settings(tmp_path / "data", database_url, cryptocloud_pay_hosts=hosts)
    app = create_app(settings)
    with app.app_context():
        slug = make_product().slug
    buyer = Buyer(app)
    buyer.puts_into_cart(slug)

    page = main(buyer.opens(f"{prefix}/checkout").text)

    assert BOTH.search(page)
    assert said.replace("OR", {"": "or", "/ru": "или", "/uk": "або"}[prefix]) in page


def test_names_are_joined_as_the_language_does_and_stay_text(app: Flask) -> None:
    with app.test_request_context():
        assert either(["a", "b", "c"]) == (
            "<strong>a</strong>, <strong>b</strong>, or <strong>c</strong>"
        )
        assert either(["<i>{0}"]) == "<strong>&lt;i&gt;{0}</strong>"
        with speaking("ru"):
            assert either(["{1}", "<b>"]) == ("<strong>{1}</strong> или <strong>&lt;b&gt;</strong>")
