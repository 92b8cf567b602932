"""What a page weighs on its way to a phone: the budget of the shop's pages, without pictures."""

from __future__ import annotations

import gzip
import random
import re

import pytest
from flask import Flask
from flask.testing import FlaskClient

from shop.orders.links import order_path
from tests.buyer import Buyer
from tests.factories import make_open_order, make_product

PAGE = 14 * 1024
"""HTML and style sheet, compressed: what arrives with a connection's first round trip."""
SCRIPTS = 5 * 1024


def packed(client: FlaskClient, address: str) -> int:
    answer = client.get(address, buffered=True)
    assert answer.status_code == 200, address
    return len(gzip.compress(answer.data))


def weigh(client: FlaskClient, address: str) -> tuple[int, int]:
    """The page with its style sheets, and its scripts, in bytes."""
    html = client.get(address).text
    styles = re.findall(r'<link rel="stylesheet" href="([^"]+)"', html)
    scripts = re.findall(r'<script src="([^"]+)"', html)
    assert len(styles) == 1
    page = packed(client, address) + sum(packed(client, each) for each in styles)
    return page, sum(packed(client, each) for each in scripts)


@pytest.mark.parametrize("prefix", ["", "/ru", "/uk"])
def test_every_page_stays_within_its_budget(app: Flask, prefix: str) -> None:
    with app.app_context():
        for _ in range(24):
            product = make_product(description="A paragraph of some length. " * 40)
        order, _ = make_open_order(app, product)
        paths = ["/", f"/products/{product.slug}", "/cart", "/checkout", order_path(order)]
    buyer = Buyer(app)
    buyer.puts_into_cart(product.slug)

    weights = {path: weigh(buyer.browser, prefix + path) for path in paths}

    assert {path: page for path, (page, _) in weights.items() if page > PAGE} == {}
    assert {path: script for path, (_, script) in weights.items() if script > SCRIPTS} == {}
    assert [path for path, (_, script) in weights.items() if not script] == paths[:2]


@pytest.mark.parametrize("prefix", ["", "/ru", "/uk"])
def test_lists_and_products_of_a_shop_with_long_texts_stay_within_it(
    app: Flask, prefix: str
) -> None:
    """Words that do not repeat, as people write them: no two of them help each other to become small."""
    chance = random.Random(13)

    def words(length: int) -> str:
        text = ""
        while len(text) < length:
            text += "".join(chance.choices("оеаинтсрвлкмдпу", k=chance.randint(2, 9))) + " "
        return text[:length].strip().capitalize()

    with app.app_context():
        for _ in range(24):
            product = make_product(title=words(70), summary=words(160), description=words(3000))

    for path in ("/", f"/products/{product.slug}"):
        assert weigh(app.test_client(), prefix + path)[0] <= PAGE, path


def test_nothing_keeps_a_page_from_showing(app: Flask) -> None:
    with app.app_context():
        order, _ = make_open_order(app)
        path = order_path(order)

    for address in ("/", path):
        html = app.test_client().get(address).text
        assert re.findall(r"<script(?![^>]* defer)", html) == []
        assert "<style" not in html
