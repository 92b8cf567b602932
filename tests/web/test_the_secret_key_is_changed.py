"""After SECRET_KEY is changed, what the key before has signed works until the operator's date, and then not."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from flask import Flask

import shop.signing
from shop import create_app
from shop.db import db, utcnow
from shop.orders.links import order_path, order_token
from shop.queue import connect
from shop.web.network import keyed_hash, keyed_hashes
from tests.buyer import Buyer
from tests.factories import make_open_order, make_product
from tests.support.sold import sell_file

NEW_KEY = "n" * 40

Changed = Callable[..., Flask]


@pytest.fixture
def changed(app: Flask) -> Changed:
    """The same shop, started again with another key."""

    def start(*, remembers: bool = True) -> Flask:
        before = app.config["SETTINGS"]
        values: dict[str, object] = {"secret_key": NEW_KEY}
        if remembers:
            values["secret_key_previous"] = before.secret_key.get_secret_value()
            values["secret_key_previous_until"] = utcnow() + timedelta(days=30)
        given = {name: getattr(before, name) for name in before.model_fields_set}
        return create_app(type(before).model_validate(given | values))

    return start


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """The previous key's end comes while the shop runs."""

    def pass_the_end() -> None:
        def after() -> datetime:
            return utcnow() + timedelta(days=31)

        monkeypatch.setattr(shop.signing, "utcnow", after)

    return pass_the_end


def test_order_and_download_links_work_until_the_previous_key_ends(
    app: Flask, changed: Changed, later: Callable[[], None]
) -> None:
    with app.app_context():
        order, download = sell_file(app)
        page = order_path(order)
    client = changed().test_client()

    assert client.get(page).status_code == 200
    assert client.head(download).status_code == 200

    later()
    assert client.get(page).status_code == 404
    assert client.head(download).status_code == 410


def test_without_the_previous_key_they_are_dead_at_once(app: Flask, changed: Changed) -> None:
    """The control, and what a key that was stolen calls for."""
    with app.app_context():
        order, download = sell_file(app)
        page = order_path(order)
    client = changed(remembers=False).test_client()

    assert client.get(page).status_code == 404
    assert client.head(download).status_code == 410


def test_what_is_new_is_signed_with_the_new_key(app: Flask, changed: Changed) -> None:
    with app.app_context():
        order = make_open_order(app)[0]
        before = order_token(order)
    both, new = changed(), changed(remembers=False)
    with both.app_context():
        token = order_token(order)

    assert token != before
    assert new.test_client().get(f"/orders/{token}").status_code == 200
    assert app.test_client().get(f"/orders/{token}").status_code == 404


def test_a_cart_and_an_open_form_outlive_the_change(app: Flask, changed: Changed) -> None:
    with app.app_context():
        product = make_product()
    buyer = Buyer(app)
    buyer.puts_into_cart(product.slug)
    buyer.opens("/checkout")
    form = buyer.page

    for shop_now, kept in ((changed(), True), (changed(remembers=False), False)):
        after = Buyer(shop_now, email="nobody")
        after.browser.set_cookie("session", buyer.browser.get_cookie("session").value)  # type: ignore[union-attr]
        after.page = form
        answer = after.sends("/checkout", email="nobody")
        assert ("Enter an email address in the correct format" in answer.text) == kept
        assert (product.title in after.opens("/cart").text) == kept


def test_a_wake_up_of_a_process_with_the_previous_key_is_understood(
    app: Flask, changed: Changed, later: Callable[[], None]
) -> None:
    with app.app_context():
        message = connect().serializer.serialize("sweep")
    with changed().app_context():
        queue = connect()
        assert queue.serializer.deserialize(message) == "sweep"
        assert queue.serializer.deserialize(queue.serializer.serialize("mails")) == "mails"

        later()
        with pytest.raises(Exception, match="does not match"):
            queue.serializer.deserialize(message)
    with changed(remembers=False).app_context(), pytest.raises(Exception, match="does not match"):
        connect().serializer.deserialize(message)


def test_what_was_stored_as_a_hash_is_found_under_each_accepted_key(
    app: Flask, changed: Changed, later: Callable[[], None]
) -> None:
    with app.app_context():
        before = keyed_hash("key", "AAAA")
    with changed().app_context():
        now, old = keyed_hashes("key", "AAAA")
        assert (now, old) == (keyed_hash("key", "AAAA"), before)
        assert now != old

        later()
        assert keyed_hashes("key", "AAAA") == [now]
        db.engine.dispose()
