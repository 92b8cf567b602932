"""An unpaid order is closed and its products are in the cart again; money that comes all the same is not lost."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from flask import Flask

from shop.catalogue.models import Price, Product
from shop.db import db, transaction, utcnow
from shop.orders.links import order_path
from shop.orders.models import Order, OrderStatus
from shop.payments.checking import refresh
from shop.payments.models import Payment
from tests.buyer import Buyer
from tests.factories import gateway, make_order, make_product, provider
from tests.support.mutants import Killed, dies_here


@pytest.fixture
def slug(app: Flask) -> str:
    with app.app_context():
        prices = [Price(currency="USD", minor=1000), Price(currency="EUR", minor=900)]
        return make_product(title="Rain", stock=2, prices=prices).slug


@pytest.fixture
def buyer(app: Flask, slug: str) -> Buyer:
    """Sent to the pay page for two of it, in euros."""
    buyer = Buyer(app)
    with provider(app) as calls:
        calls.invoice_is_made()
        buyer.puts_into_cart(slug, 2, "EUR")
        buyer.checks_out()
    assert buyer.page.status_code == 303
    return buyer


def left(app: Flask, slug: str) -> int | None:
    with app.app_context():
        return db.session.query(Product).filter_by(slug=slug).one().available


def changes(app: Flask, buyer: Buyer, provider_says: str = "created") -> str:
    """Press the button in the cart; the page that it leads to."""
    buyer.opens("/cart")
    with provider(app) as calls:
        calls.invoice_is(provider_says)
        buyer.presses("change")
        return buyer.reads_answer()


def test_the_cart_is_filled_again_and_the_order_closed(app: Flask, buyer: Buyer, slug: str) -> None:
    page = changes(app, buyer)

    assert "is in your cart again" in page
    assert "2 × <span>Rain" in page
    assert "EUR\xa018.00" in page
    assert left(app, slug) == 2
    with app.app_context():
        order = db.session.query(Order).one()
        assert order.status is OrderStatus.CANCELLED
        assert order.events[-1].who == "buyer"
    assert "This order was cancelled" in buyer.opens(last_order(buyer)).text
    with provider(app) as calls:
        calls.invoice_is_made()
        assert buyer.checks_out(currency="EUR").status_code == 303
    assert left(app, slug) == 0


@pytest.mark.parametrize("ends", ["before_cancel", "inside_cancel", "after_cancel"])
@pytest.mark.parametrize("way", ["the same form again", "the cart", "the order page"])
def test_a_death_between_order_and_cart_leaves_the_way_into_the_cart_open(
    app: Flask, buyer: Buyer, slug: str, monkeypatch: pytest.MonkeyPatch, ends: str, way: str
) -> None:
    """The cart is a cookie: the answer that would have brought it has not come."""
    buyer.opens("/cart")
    with provider(app) as calls:
        calls.invoice_is("created")
        dies_here(monkeypatch, ends)
        with pytest.raises(Killed):
            buyer.presses("change")
        closed = ends == "after_cancel"
        assert left(app, slug) == (2 if closed else 0)

        if way != "the same form again":
            assert "Your cart is empty" in buyer.opens("/cart").text
        if way == "the order page":
            buyer.opens(last_order(buyer))
        if way != "the same form again":
            assert ("Put what was in it into the cart again" in buyer.page.text) is closed
        buyer.presses("change")
        page = buyer.reads_answer()

    assert "is in your cart again" in page
    assert "2 × <span>Rain" in page
    assert left(app, slug) == 2
    assert "Put what was in it" not in page
    with app.app_context():
        closings = [
            each.who for each in db.session.query(Order).one().events if each.who == "buyer"
        ]
    assert len(closings) == 1


@pytest.mark.parametrize("engine", ["sqlite"])
def test_a_closed_order_fills_the_cart_of_no_other_browser(app: Flask, buyer: Buyer) -> None:
    changes(app, buyer)
    path = last_order(buyer)
    stranger = Buyer(app, "stranger@example.com")

    assert "Put what was in it" not in stranger.opens(path).text
    token = re.search(r'name="csrf_token" value="([^"]+)"', stranger.page.text)
    if token:
        stranger.browser.post(f"{path}/change", data={"csrf_token": token[1]})
    assert "Your cart is empty" in stranger.opens("/cart").text
    assert "Put what was in it" in buyer.opens(path).text


def last_order(buyer: Buyer) -> str:
    page = buyer.opens("/cart").text.split("Ordered in this browser")[1]
    found = re.search(r'href="(/orders/[^"]+)"', page)
    assert found
    return found[1]


def test_what_was_put_in_since_stays_as_it_is(app: Flask, buyer: Buyer, slug: str) -> None:
    with app.app_context():
        other = make_product(title="Snow").slug
    buyer.puts_into_cart(other, 3)

    page = changes(app, buyer)

    assert "3 × <span>Snow" in page
    assert "2 × <span>Rain" in page


@pytest.mark.parametrize("says", ["paid", "partial"])
def test_an_order_whose_money_has_come_is_not_closed(app: Flask, buyer: Buyer, says: str) -> None:
    page = changes(app, buyer, says)

    assert "cannot be changed at the moment" in page
    assert ("Paid, thank you" if says == "paid" else "Part of the amount has arrived") in page
    assert "Your cart is empty" in buyer.opens("/cart").text


@pytest.mark.parametrize(
    ("hours", "stock", "status"), [(1, 2, "fulfilled"), (100, 2, "review"), (1, 0, "review")]
)
def test_money_that_comes_all_the_same_is_honoured_or_before_a_person(
    app: Flask, buyer: Buyer, slug: str, hours: int, stock: int, status: str
) -> None:
    """As for every cancelled order: within its hours and while there is stock."""
    changes(app, buyer)
    with app.app_context():
        if not stock:
            make_order(app, db.session.query(Product).filter_by(slug=slug).one(), quantity=2)
        payment = db.session.query(Payment).order_by(Payment.id).first()
        assert payment
        with transaction() as session:
            order = session.get_one(Order, payment.order_id)
            order.expires_at = utcnow() - timedelta(hours=hours)
        with provider(app) as calls:
            calls.invoice_is("paid")
            refresh(payment, gateway(app))

        db.session.expire_all()
        assert db.session.get_one(Order, payment.order_id).status == status


@pytest.mark.parametrize("engine", ["sqlite"])
def test_another_browser_with_the_link_cannot_close_the_order(app: Flask, buyer: Buyer) -> None:
    with app.app_context():
        path = order_path(db.session.query(Order).one())
    stranger = Buyer(app, "stranger@example.com")
    assert "Change this order" not in stranger.opens(path).text
    token = re.search(r'name="csrf_token" value="([^"]+)"', stranger.page.text)
    assert token

    stranger.browser.post(f"{path}/change", data={"csrf_token": token[1]})

    with app.app_context():
        assert db.session.query(Order).one().status is OrderStatus.PENDING
    assert "Change this order" in buyer.opens(path).text


@pytest.mark.parametrize("engine", ["sqlite"])
def test_a_browsers_last_orders_are_offered_to_it_alone(app: Flask, buyer: Buyer) -> None:
    with app.app_context():
        number = db.session.query(Order).one().number
    for address in ("/cart", "/orders/find"):
        assert number in buyer.opens(address).text.split("Ordered in this browser")[1]
        assert "Ordered in this browser" not in Buyer(app).opens(address).text


@pytest.mark.parametrize("engine", ["sqlite"])
def test_each_of_the_last_orders_says_in_words_where_it_stands(app: Flask, buyer: Buyer) -> None:
    def said(address: str) -> str:
        found = buyer.opens(address).text.split('<h2 id="last-orders">')[1].split("</section>")[0]
        return " ".join(re.sub(r"<[^>]+>", " ", found).split())

    assert "State: Waiting for payment" in said("/cart")
    changes(app, buyer)

    for address in ("/cart", "/orders/find"):
        assert "State: Cancelled" in said(address)
    assert "Отменён" in said("/ru/cart")


@pytest.mark.parametrize("engine", ["sqlite"])
def test_a_page_that_answers_a_form_names_the_address_to_go_back_to(app: Flask, slug: str) -> None:
    """Its script puts it in place of the answer, so that Back asks for no form to be sent again."""
    buyer = Buyer(app)
    buyer.puts_into_cart(slug)
    assert "data-again" not in buyer.opens("/checkout").text
    assert 'data-again="/checkout"' in buyer.checks_out(email="not one").text

    buyer.opens("/orders/find")
    assert 'data-again="/orders/find"' in buyer.sends("/orders/find", email="x").text
