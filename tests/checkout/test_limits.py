"""Nobody can order without end and not pay; who pays, or orders as people do, never meets a limit."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import timedelta
from functools import partial
from pathlib import Path
from threading import Barrier, BrokenBarrierError
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import func, select, update

from shop import create_app
from shop.because import Because
from shop.catalogue.models import Product
from shop.config import Settings
from shop.db import db, end_read, transaction, utcnow
from shop.limits import service as limits
from shop.limits.models import Placement
from shop.limits.service import HoldsTooMuch, TooManyOrders, check_limits_again, forget_placements
from shop.orders.links import order_path
from shop.orders.models import Order, OrderStatus
from shop.orders.service import release_holds
from shop.payments.models import PaymentState
from shop.payments.opening import open_invoice, start_payment
from shop.payments.queries import payments_of
from shop.web.network import client_key, mailbox_key
from tests.buyer import Buyer
from tests.conftest import make_settings
from tests.factories import (
    confirm,
    gateway,
    make_buyer,
    make_cart,
    make_order,
    make_product,
    place_order,
    provider,
)
from tests.support.crowd import at_once

Kind = Callable[[Flask, Product], list[Callable[[], object]]]

PUBLIC = "1.2.3.4"
"""An address of the internet; those set aside for examples say as little as a proxy's own."""


@pytest.fixture
def settings(tmp_path: Path, database_url: str) -> Settings:
    """With the limits that a shop has when nothing is set."""
    fields = Settings.model_fields
    defaults = {name: fields[name].default for name in ("shop_unpaid_orders", "shop_unpaid_share")}
    return make_settings(tmp_path / "data", database_url, **defaults)


@pytest.fixture
def product(app: Flask) -> Iterator[Product]:
    with app.app_context():
        yield make_product()


def order(app: Flask, *products: Product, quantity: int = 1, **buyer: str) -> Order:
    cart = make_cart(app, *products, quantity=quantity)
    return place_order(cart, make_buyer(cart, **buyer))[0]


def pays(app: Flask, placed: Order) -> None:
    with provider(app) as calls:
        calls.invoice_is_made()
        open_invoice(payments_of(placed.id)[0], gateway(app))
    confirm(app, placed)


def orders() -> int:
    end_read()
    return db.session.scalar(select(func.count()).select_from(Order)) or 0


def test_one_address_may_have_ten_unpaid_orders(app: Flask, product: Product) -> None:
    for _ in range(10):
        order(app, product)

    with pytest.raises(TooManyOrders) as refused:
        order(app, product)

    assert refused.value.whose == "buyer"
    assert orders() == 10
    order(app, product, email="another@example.com")


@pytest.mark.parametrize("same", ["BUYER@Example.com", "buyer+1@example.com"])
def test_the_same_mailbox_is_the_same_buyer(app: Flask, product: Product, same: str) -> None:
    for _ in range(10):
        order(app, product)

    with pytest.raises(TooManyOrders):
        order(app, product, email=same)


def test_who_pays_may_go_on_ordering(app: Flask, product: Product) -> None:
    placed = [order(app, product) for _ in range(10)]

    pays(app, placed[3])

    order(app, product)


def test_a_cancelled_order_counts_no_more(app: Flask, product: Product) -> None:
    placed = [order(app, product) for _ in range(10)]
    with transaction() as session:  # whoever was to open its invoice is gone
        found = session.get_one(Order, placed[0].id)
        found.move(OrderStatus.CANCELLED, Because("a test"))

    order(app, product)


def test_one_network_may_have_five_times_as_many(app: Flask, product: Product) -> None:
    for number in range(50):
        order(app, product, email=f"buyer{number}@example.com", client="a network")

    with pytest.raises(TooManyOrders) as refused:
        order(app, product, email="one-more@example.com", client="a network")

    assert refused.value.whose == "client"
    order(app, product, email="one-more@example.com", client="another network")


def test_one_network_may_place_ten_times_as_many_in_an_hour(app: Flask, product: Product) -> None:
    """Even if all of them are paid or given up at once."""
    placed = order(app, product, client="a network")
    with transaction() as session:
        session.execute(update(Order).values(status=OrderStatus.CANCELLED))
        row = {"client": "a network", "buyer": "", "placed_at": utcnow()}
        copies = [copy_of(session, placed.id) for _ in range(99)]
        session.add_all(Placement(order_id=copy, **row) for copy in copies)

    with pytest.raises(TooManyOrders) as refused:
        order(app, product, client="a network")

    assert refused.value.whose == "pace"
    assert timedelta(minutes=58) < refused.value.until - utcnow() <= timedelta(hours=1)
    order(app, product, client="another network")
    with transaction() as session:
        hour_ago = utcnow() - timedelta(hours=1)
        session.execute(update(Placement).values(placed_at=hour_ago))
    order(app, product, client="a network")


def copy_of(session: Any, order_id: int) -> int:
    """Another order like this one, made fast."""
    columns = [c for c in Order.__table__.columns if c.name != "id"]
    row = session.execute(select(*columns).where(Order.id == order_id)).one()
    n = session.scalar(select(func.count()).select_from(Order))
    values = dict(row._mapping) | {"number": f"X-{n}", "checkout_key": f"copy-{n}"}
    made = Order(**values)
    session.add(made)
    session.flush()
    return made.id


def test_nobody_takes_more_than_half_of_a_stock_off_sale_unpaid(app: Flask) -> None:
    with app.app_context():
        few = make_product(stock=9)

        order(app, few, quantity=3)
        with pytest.raises(HoldsTooMuch) as refused:
            order(app, few, quantity=3)

        assert refused.value.left == 2
        order(app, few, quantity=2)
        with pytest.raises(HoldsTooMuch) as refused:
            order(app, few)
        assert refused.value.left == 0
        assert db.session.get_one(Product, few.id).available == 4


def test_another_address_of_the_same_network_holds_for_the_same_buyer(app: Flask) -> None:
    with app.app_context():
        few = make_product(stock=4)
        order(app, few, quantity=2, client="a network")

        with pytest.raises(HoldsTooMuch):
            order(app, few, email="else@example.com", client="a network")

        order(app, few, email="else@example.com", client="another network")


def test_a_whole_stock_can_be_bought_by_paying_in_between(app: Flask) -> None:
    with app.app_context():
        few = make_product(stock=3)
        for _ in range(3):
            pays(app, order(app, few))

        assert db.session.get_one(Product, few.id).available == 0


def test_the_last_unit_can_always_be_bought(app: Flask) -> None:
    with app.app_context():
        order(app, make_product(stock=1))


def expires(placed: Order) -> Order:
    """Its time passes without money."""
    with transaction() as session:
        found = session.get_one(Order, placed.id)
        payments_of(found.id)[-1].move(PaymentState.FAILED)
        release_holds(session, found)
        found.move(OrderStatus.EXPIRED, Because("a test"))
    return found


def test_an_expired_order_that_is_paid_anew_holds_no_more_than_a_new_one_could(app: Flask) -> None:
    with app.app_context():
        few = make_product(stock=9)
        expired = order_path(expires(order(app, few, quantity=5)))
        order(app, few, quantity=3)
        held = db.session.get_one(Product, few.id).available
    buyer = Buyer(app)
    buyer.opens(expired)

    buyer.presses("pay")

    page = buyer.reads_answer()
    assert f"You can order 2 more of {few.title} now." in page
    assert "Payment time is over" in page
    with app.app_context():
        assert db.session.get_one(Product, few.id).available == held


def test_an_expired_order_that_is_paid_anew_counts_as_one_more_unpaid(
    app: Flask, product: Product
) -> None:
    expired = expires(order(app, product))
    placed = [order(app, product) for _ in range(10)]

    with pytest.raises(TooManyOrders):
        start_payment(expired.id, check_limits_again)

    pays(app, placed[0])
    assert start_payment(expired.id, check_limits_again)[1]


def test_what_there_is_no_end_of_can_be_ordered_in_any_number(app: Flask, product: Product) -> None:
    order(app, product, quantity=50)


def test_a_form_sent_again_at_the_limit_is_still_the_same_order(
    app: Flask, product: Product
) -> None:
    for _ in range(9):
        order(app, product)
    cart = make_cart(app, product)
    last = make_buyer(cart)
    placed, _ = place_order(cart, last)

    again, payment = place_order(cart, last)

    assert (again.id, payment) == (placed.id, None)


def test_one_form_sent_twice_at_once_at_the_limit_is_one_order_for_both(
    app: Flask, product: Product
) -> None:
    """The slower of the two finds the limit reached, by the order that it asks for itself."""
    for _ in range(9):
        order(app, product)
    cart = make_cart(app, product)
    last = make_buyer(cart)

    def send(number: int) -> int:
        with app.app_context():
            return place_order(cart, last)[0].id

    assert len(set(at_once(8, send))) == 1


def places(app: Flask, product: Product) -> list[Callable[[], object]]:
    """Two orders of one buyer."""
    cart = make_cart(app, product)
    return [lambda: place_order(cart, make_buyer(cart))] * 2


def pays_anew(app: Flask, product: Product) -> list[Callable[[], object]]:
    """Two expired orders of one buyer, each paid anew."""
    ids = [expires(order(app, product)).id for _ in range(2)]
    return [partial(start_payment, each, check_limits_again) for each in ids]


def last_two_at_once(
    app: Flask,
    monkeypatch: pytest.MonkeyPatch,
    product: Product,
    kind: Kind,
    patience: float = 1.5,
) -> list[object]:
    """Where one may be unpaid more; each counts and, if it can, waits until the other has counted."""
    works = kind(app, product)
    for _ in range(9):
        order(app, product)
    met = Barrier(2)
    count = limits._limit_unpaid

    def count_and_wait(*args: Any) -> None:
        count(*args)
        with suppress(BrokenBarrierError):  # the other waits its turn, as it should
            met.wait(patience)

    monkeypatch.setattr(limits, "_limit_unpaid", count_and_wait)

    def work(number: int) -> object:
        with app.app_context():
            try:
                return works[number]()
            except TooManyOrders as refused:
                return refused

    return at_once(2, work)


def unpaid() -> int:
    end_read()
    query = select(func.count()).where(Order.status == OrderStatus.PENDING)
    return db.session.scalar(query) or 0


both_kinds = pytest.mark.parametrize("kind", [places, pays_anew])


@both_kinds
def test_two_at_once_do_not_slip_past_a_limit(
    app: Flask, monkeypatch: pytest.MonkeyPatch, product: Product, kind: Kind
) -> None:
    outcomes = last_two_at_once(app, monkeypatch, product, kind)

    assert sum(isinstance(outcome, TooManyOrders) for outcome in outcomes) == 1
    assert unpaid() == 10


@both_kinds
@pytest.mark.parametrize("engine", ["postgresql"])
def test_without_its_lock_two_at_once_would_slip_past(
    app: Flask, monkeypatch: pytest.MonkeyPatch, product: Product, kind: Kind
) -> None:
    """The control: on SQLite every write waits for the one before; here the lock does that."""
    monkeypatch.setattr(limits, "lock_buyer", lambda *_: None)

    last_two_at_once(app, monkeypatch, product, kind, patience=30)  # here they do meet

    assert unpaid() == 11


def test_the_checkout_says_how_long_to_wait_and_keeps_what_was_typed(
    app: Flask, product: Product
) -> None:
    for _ in range(10):
        order(app, product)
    buyer = Buyer(app)
    buyer.puts_into_cart(product.slug)

    page = buyer.checks_out()

    assert page.status_code == 429
    assert 23 * 3600 < int(page.headers["Retry-After"]) <= 24 * 3600
    assert "Too many orders for this email address wait for payment" in page.text
    assert "try again in 24 hours" in page.text
    assert f'value="{buyer.email}"' in page.text
    assert product.title in buyer.opens("/cart").text


def test_the_checkout_says_how_many_may_be_ordered(app: Flask) -> None:
    with app.app_context():
        few = make_product(stock=6)
    buyer = Buyer(app)
    buyer.puts_into_cart(few.slug, quantity=5)

    page = buyer.checks_out()

    assert page.status_code == 409
    assert f"You can order 3 more of {few.title} now." in page.text
    assert orders_in(app) == 0


def orders_in(app: Flask) -> int:
    with app.app_context():
        return orders()


def test_an_order_notes_its_network_and_buyer_as_hashes_only(app: Flask, product: Product) -> None:
    buyer = Buyer(app)
    buyer.browser.environ_base["REMOTE_ADDR"] = PUBLIC
    buyer.puts_into_cart(product.slug)
    with provider(app) as calls:
        calls.invoice_is_made()
        buyer.checks_out()

    placement = db.session.query(Placement).one()
    assert placement.buyer == mailbox_key(buyer.email)
    assert placement.client == client_key(PUBLIC)
    assert re.fullmatch("[0-9a-f]{32}", placement.client)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("2a00:1450:4001:81b::200e", "2a00:1450:4001:81b:ffff::1"),
        ("1.2.3.4", "::ffff:1.2.3.4"),
    ],
)
def test_these_are_one_network(app: Flask, one: str, other: str) -> None:
    with app.app_context():
        assert client_key(one) == client_key(other) != ""


@pytest.mark.parametrize(
    ("one", "other"),
    [("2a00:1450:4001:81b::1", "2a00:1450:4001:81c::1"), ("1.2.3.4", "1.2.3.5")],
)
def test_these_are_two(app: Flask, one: str, other: str) -> None:
    with app.app_context():
        assert client_key(one) != client_key(other)


@pytest.mark.parametrize("address", ["127.0.0.1", "10.0.0.7", "172.17.0.1", "::1", "", "x", None])
def test_an_address_that_stands_for_everybody_is_counted_for_nobody(
    app: Flask, address: str | None
) -> None:
    """A forgotten SHOP_TRUSTED_PROXIES must not close the shop after fifty orders."""
    with app.app_context():
        assert client_key(address) == ""


def test_another_secret_key_makes_other_hashes(app: Flask, tmp_path: Path) -> None:
    other = create_app(make_settings(tmp_path / "other", secret_key="y" * 40))
    with app.app_context():
        here = client_key(PUBLIC)

    with other.app_context():
        assert client_key(PUBLIC) != here


def test_behind_a_trusted_proxy_the_buyers_own_network_counts(
    tmp_path: Path, database_url: str
) -> None:
    app = create_app(make_settings(tmp_path, database_url, shop_trusted_proxies=1))
    with app.app_context():
        product = make_product()
        buyer = Buyer(app)
        buyer.browser.environ_base["HTTP_X_FORWARDED_FOR"] = f"8.8.8.8, {PUBLIC}"
        buyer.puts_into_cart(product.slug)
        with provider(app) as calls:
            calls.invoice_is_made()
            buyer.checks_out()

        # What stands before the proxy's own entry, anybody can write.
        assert db.session.query(Placement).one().client == client_key(PUBLIC)
        end_read()
        db.engine.dispose()


def test_notes_are_deleted_after_eight_days_unless_the_order_still_waits(
    app: Flask, product: Product
) -> None:
    over, waiting = order(app, product), make_order(app, product)[0]
    with transaction() as session:
        session.get_one(Order, over.id).move(OrderStatus.EXPIRED, Because("a test"))

    forget_placements(utcnow() + timedelta(days=7))
    assert db.session.query(Placement).count() == 2
    forget_placements(utcnow() + timedelta(days=9))

    assert [p.order_id for p in db.session.query(Placement)] == [waiting.id]


@pytest.mark.parametrize("text", ["spam", " "])
def test_a_program_that_fills_in_every_field_makes_no_order(
    app: Flask, product: Product, text: str
) -> None:
    buyer = Buyer(app)
    buyer.puts_into_cart(product.slug)

    page = buyer.checks_out(comment=text)

    assert page.status_code == 422
    assert "please press the button once more" in page.text
    assert orders_in(app) == 0


def test_a_person_whose_browser_filled_in_the_trap_only_presses_again(
    app: Flask, product: Product
) -> None:
    buyer = Buyer(app)
    buyer.puts_into_cart(product.slug)
    buyer.checks_out(comment="spam")

    with provider(app) as calls:
        calls.invoice_is_made()
        answer = buyer.sends("/checkout", email=buyer.email)

    assert answer.status_code == 303
    assert orders_in(app) == 1


def test_nobody_sees_hears_or_reaches_the_trap(app: Flask, product: Product) -> None:
    buyer = Buyer(app)
    buyer.puts_into_cart(product.slug)

    page = buyer.opens("/checkout").text

    trap = re.search(r'<div class="visually-hidden" aria-hidden="true">(.*?)</div>', page, re.S)
    assert trap
    assert 'name="comment"' in trap[1]
    assert 'autocomplete="off"' in trap[1]
    assert 'tabindex="-1"' in trap[1]


def test_the_provider_is_never_limited(app: Flask) -> None:
    """However many postbacks come from one address: each may be somebody's money."""
    client = app.test_client()
    client.environ_base["REMOTE_ADDR"] = PUBLIC

    answers = {
        client.post("/payments/cryptocloud/postback", json={}).status_code for _ in range(120)
    }

    assert 429 not in answers
