"""`flask orders reissue|relink`: downloads, keys and links that a buyer gets anew."""

from __future__ import annotations

import pytest
from flask import Flask
from flask.testing import FlaskClient, FlaskCliRunner
from sqlalchemy import select

from shop.attention.queries import open_attention
from shop.books.checks import discrepancies
from shop.catalogue.models import DeliveryKind, Product
from shop.db import db, end_read
from shop.fulfilment.goods import goods_of
from shop.fulfilment.models import Delivery, LicenceKey
from shop.orders.links import order_path
from shop.orders.queries import find_order
from tests.factories import add_keys, make_open_order, make_product, send_due_mails
from tests.support.crowd import at_once
from tests.support.deciding import BY, does, found, history, letters
from tests.support.sold import download_link, make_file, press, sell, sell_file, unsold_keys


@pytest.fixture
def keyed(app: Flask) -> str:
    """An order of two licence keys, of which three more are in stock."""
    with app.app_context():
        product = make_product(kind=DeliveryKind.KEY, keys=5, low_stock=3)
        return sell(app, product, quantity=2).number


def keys_of(app: Flask, number: str) -> list[str]:
    with app.app_context():
        return [key[-3:] for key in goods_of(found(number))[0].keys]


def stock(app: Flask) -> tuple[int, int | None]:
    """Keys nobody has, and units on sale."""
    with app.app_context():
        product = db.session.scalars(select(Product)).one()
        return unsold_keys(product.id), product.available


def wrong(app: Flask) -> list[str]:
    with app.app_context():
        return [finding.kind for finding in discrepancies()]


def test_downloads_are_given_anew_and_mailed(
    app: Flask, client: FlaskClient, runner: FlaskCliRunner
) -> None:
    with app.app_context():
        order, link = sell_file(app, max_downloads=1, download_days=3)
        send_due_mails()
        number = order.number
    assert press(client, link).status_code == 200
    assert press(client, link).status_code == 410

    result = does(runner, "orders", "reissue", number, *BY)

    assert result.exit_code == 0
    assert result.stdout.startswith(f"{number}: downloads of ")
    assert press(client, link).status_code == 200
    assert press(client, link).status_code == 410, "one more, not as many as they like"
    ((kind, note, who),) = history(app, number)
    assert (kind, who) == ("reissued", "Ann")
    assert note.endswith("given anew after 1: The buyer wrote to us")
    assert letters(app) == ["order-placed", "order-delivered", "order-delivered"]
    with app.app_context():
        delivery = db.session.scalars(select(Delivery)).one()
        assert delivery.renewed_at
        assert delivery.downloads_end_at
        assert (delivery.downloads_end_at - delivery.renewed_at).days == 3
        assert send_due_mails() == 1


def test_a_bad_key_is_replaced_and_never_sold_again(
    app: Flask, runner: FlaskCliRunner, keyed: str
) -> None:
    assert keys_of(app, keyed) == ["000", "001"]

    result = does(runner, "orders", "reissue", keyed, "--unit", "2", *BY)

    assert result.exit_code == 0
    assert keys_of(app, keyed) == ["000", "002"]
    assert stock(app) == (2, 2)
    assert wrong(app) == []
    with app.app_context():
        bad = db.session.scalars(select(LicenceKey).where(LicenceKey.withdrawn_at.is_not(None)))
        assert [key.value[-3:] for key in bad] == ["001"]
        product = db.session.scalars(select(Product)).one()
        assert add_keys(product, [key_ending(product, "001")]) == (0, 1), "nor added again"
        last = sell(app, product, quantity=2)
        end_read()
        assert [key[-3:] for key in goods_of(last)[0].keys] == ["003", "004"]
    assert "001" not in result.output
    assert not any("KEY-" in note for _, note, _ in history(app, keyed))


def key_ending(product: Product, ending: str) -> str:
    values = db.session.scalars(select(LicenceKey.value).where(LicenceKey.value.endswith(ending)))
    return values.one()


def test_which_of_several_keys_and_lines_is_meant_must_be_said(
    app: Flask, runner: FlaskCliRunner, keyed: str
) -> None:
    for words, answer in (
        ((), "The line has 2 keys: say which one is bad by --unit."),
        (("--unit", "3"), "The line has no key 3."),
        (("--line", "2"), f"Order {keyed} hands nothing over in line 2."),
    ):
        result = does(runner, "orders", "reissue", keyed, *words, *BY)
        assert (result.exit_code, result.stderr.strip()) == (1, f"Error: {answer}")
    with app.app_context():
        settings = app.config["SETTINGS"]
        two = sell(app, make_file(settings, "a.zip"), make_file(settings, "b.zip")).number
    result = does(runner, "orders", "reissue", two, *BY)
    assert result.exit_code == 1
    assert "choose by --line:\n  1  Product" in result.stderr
    assert does(runner, "orders", "reissue", two, "--line", "2", *BY).exit_code == 0


def test_what_is_not_handed_over_or_does_not_run_out_is_not_given_anew(
    app: Flask, runner: FlaskCliRunner
) -> None:
    with app.app_context():
        text = sell(app, make_product()).number
        unpaid = make_open_order(app, make_product())[0].number

    assert "stays on the order page" in does(runner, "orders", "reissue", text, *BY).stderr
    assert "hands over 0 lines" in does(runner, "orders", "reissue", unpaid, *BY).stderr
    does(runner, "orders", "refund", text, *BY)
    assert "its money goes back" in does(runner, "orders", "reissue", text, *BY).stderr


def test_a_key_that_somebody_has_ordered_is_not_given_to_another(
    app: Flask, runner: FlaskCliRunner, keyed: str
) -> None:
    with app.app_context():
        make_open_order(app, db.session.scalars(select(Product)).one(), quantity=3)

    result = does(runner, "orders", "reissue", keyed, "--unit", "1", *BY)

    assert result.exit_code == 1
    assert "No key is left that nobody has ordered" in result.stderr
    assert keys_of(app, keyed) == ["000", "001"]
    assert stock(app) == (3, 0)


def test_eight_people_who_replace_the_same_key_at_once_give_each_key_once(
    app: Flask, keyed: str
) -> None:
    at_once(
        8, lambda _: does(app.test_cli_runner(), "orders", "reissue", keyed, "--unit", "1", *BY)
    )

    assert keys_of(app, keyed) == ["004", "001"], "three were in stock, and three were given"
    assert stock(app) == (0, 0)
    assert wrong(app) == []


def test_few_keys_are_told_of_once_until_there_are_more(
    app: Flask, runner: FlaskCliRunner, keyed: str
) -> None:
    """`keyed` has left three, and fewer than three are few."""
    with app.app_context():
        assert open_attention() == []
        product = db.session.scalars(select(Product)).one()

        sell(app, product)
        sell(app, product)

        (item,) = open_attention()
        assert item.kind == "keys_low"
        assert f"Fewer than 3 keys of {product.slug} are left for sale" in item.note
        end_read()
        add_keys(product, ["NEW-1"])
        assert [item.kind for item in open_attention()] == ["keys_low"], "two are still few"
        end_read()
        add_keys(product, ["NEW-2"])
        assert open_attention() == []


def test_without_a_figure_nobody_is_told_of_few_keys(app: Flask) -> None:
    with app.app_context():
        sell(app, make_product(kind=DeliveryKind.KEY, keys=1))

        assert open_attention() == []


def test_an_order_gets_another_link_and_the_old_ones_stop_working(
    app: Flask, client: FlaskClient, runner: FlaskCliRunner
) -> None:
    with app.app_context():
        order, download = sell_file(app)
        number, page = order.number, order_path(order)
    assert client.get(page).status_code == 200

    result = does(runner, "orders", "relink", number, *BY)

    assert client.get(page).status_code == 404
    assert client.get(download).status_code == 410
    assert history(app, number) == [("link_renewed", "The buyer wrote to us", "Ann")]
    with app.app_context():
        renewed = find_order(number)
        assert renewed
        assert order_path(renewed) in result.stdout
        assert client.get(order_path(renewed)).status_code == 200
        client.get(download_link(renewed)).close()
