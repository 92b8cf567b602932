"""What costs nothing is ordered by email alone and handed over without the provider; and not without end."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskCliRunner
from sqlalchemy import select, text, update
from sqlalchemy.exc import IntegrityError

from shop import jobs
from shop.attention.queries import open_attention
from shop.because import Because
from shop.books.checks import discrepancies
from shop.books.service import compare
from shop.catalogue.models import DeliveryKind, Product
from shop.config import Settings
from shop.db import db, end_read, transaction, utcnow
from shop.fulfilment.models import Delivery, LicenceKey
from shop.fulfilment.service import deliver_order
from shop.limits.models import Placement
from shop.limits.refusals import words_for
from shop.limits.service import HasItAlready, HoldsTooMuch, TooManyOrders, forget_placements
from shop.mail import MailRefused
from shop.orders.links import order_path
from shop.orders.models import IllegalTransition, Order, OrderStatus
from shop.outbox.models import OutboxMail
from shop.outbox.on_request import TO_AN_ADDRESS
from shop.payments.by_hand import NotPossible, cancel_order, confirm_order, refund_order
from shop.payments.models import Payment
from shop.payments.settling import settle_free
from shop.payments.sweep import sweep
from shop.schema import migrations
from tests.buyer import Buyer, Form
from tests.conftest import make_settings
from tests.factories import (
    Provider,
    add_keys,
    gateway,
    make_buyer,
    make_cart,
    make_order,
    make_product,
    place_order,
    provider,
)
from tests.journeys.books import Books
from tests.support.copies import Copy
from tests.support.crowd import at_once, fill_in

ASKED = Because("asked", "Ann")


@pytest.fixture
def settings(tmp_path: Path, database_url: str) -> Settings:
    """With the limits that a shop has when nothing is set."""
    fields = Settings.model_fields
    defaults = {name: fields[name].default for name in ("shop_unpaid_orders", "shop_unpaid_share")}
    return make_settings(tmp_path / "data", database_url, **defaults)


@pytest.fixture
def books(app: Flask) -> Books:
    return Books(app)


@pytest.fixture
def nobody(app: Flask) -> Iterator[Provider]:
    """A provider that is away: every call to it fails, and none may be made."""
    with provider(app) as calls:
        yield calls
        assert not calls.calls, "the provider was called"


def main(page: str) -> str:
    """The page without the header and the footer that all pages have."""
    return page.partition("<main")[2].partition("</main>")[0]


def free(**values: object) -> Product:
    values = {"price": 0} | values
    return make_product(**values)  # type: ignore[arg-type]


def slug_of(app: Flask, **values: object) -> str:
    with app.app_context():
        slug = free(**values).slug
        end_read()
    return slug


def order(app: Flask, *products: Product, quantity: int = 1, **buyer: str) -> Order:
    cart = make_cart(app, *products, quantity=quantity)
    return place_order(cart, make_buyer(cart, **buyer))[0]


def keys_sold(app: Flask) -> list[str]:
    with app.app_context():
        handed = select(LicenceKey.value).where(LicenceKey.delivery_id.is_not(None))
        return list(db.session.scalars(handed))


def wrong(app: Flask) -> list[str]:
    """What the check of the books finds."""
    with app.app_context():
        found = [finding.note for finding in discrepancies(newest=None)]
        end_read()
    return found


def test_a_free_product_is_on_the_order_page_and_in_the_mail_at_once_by_an_address_alone(
    app: Flask, books: Books, nobody: Provider
) -> None:
    buyer = Buyer(app)
    buyer.puts_into_cart(slug_of(app, title="A sampler", delivery_text="Read this."))

    page = main(buyer.opens("/checkout").text)
    assert "Get it free" in page
    assert "Continue to payment" not in page
    assert 'type="radio"' not in page, "there is no currency to choose"
    assert "Trybit" not in page
    assert ">Payment<" not in page, "nor a step of that name"
    answer = buyer.sends("/checkout", email=buyer.email)

    assert answer.headers["Location"].startswith("/orders/")
    shown = main(buyer.opens(answer.headers["Location"]).text)
    assert 'data-state="delivered"' in shown
    assert "Thank you for your order" in shown
    assert "There is nothing to pay for this order." in shown
    assert "Nothing to pay" in shown, "in what has happened so far"
    assert "Read this." in shown
    assert not re.search("payment|Paid|USD|Trybit", shown)
    (mail,) = books.mails()
    words = mail.get_body(("plain",)).get_content()  # type: ignore[union-attr]
    assert "Read this." in words
    assert "A sampler: Free" in words
    assert not re.search("paid|Paid|payment|USD", f"{words} {mail['Subject']}")
    assert books.state() == ("fulfilled", "none")
    assert books.payments() == []
    assert "there is nothing to pay" in [event.note for event in events(app)]
    assert wrong(app) == []


def events(app: Flask) -> list[object]:
    with app.app_context():
        return list(db.session.scalars(select(Order)).one().events)  # type: ignore[arg-type]


def test_nothing_that_is_done_with_a_free_order_calls_the_provider(
    app: Flask, books: Books, nobody: Provider, runner: FlaskCliRunner
) -> None:
    buyer = Buyer(app)
    buyer.puts_into_cart(slug_of(app))
    path = buyer.checks_out().headers["Location"]
    with app.test_client() as stranger:
        for address in ("", "/status", "/status?returned=1"):
            assert stranger.get(path + address).status_code == 200
    for button in ("check", "pay", "change"):
        token = re.search(r'name="csrf_token" value="([^"]+)"', buyer.opens("/cart").text)
        fields = {"csrf_token": token[1]} if token else {}
        buyer.browser.post(f"{path}/{button}", data=fields)
    with app.app_context():
        number = db.session.scalars(select(Order.number)).one()
        sweep(gateway(app), utcnow() + timedelta(days=9))
        jobs.sweep()
        for decide in (cancel_order, confirm_order):
            more = {"transaction_id": "x"} if decide is confirm_order else {}
            with pytest.raises(NotPossible):
                decide(db.session.scalars(select(Order)).one(), gateway(app), ASKED, **more)  # type: ignore[operator]
        with pytest.raises(NotPossible, match="no money to pay back"):
            refund_order(db.session.scalars(select(Order)).one(), ASKED)
    assert "no invoice" in runner.invoke(args=["orders", "refresh", number]).output

    assert books.state() == ("fulfilled", "none")
    assert wrong(app) == []


def test_the_same_form_sent_many_times_at_once_makes_one_order_and_gives_one_key(
    app: Flask, books: Books, nobody: Provider
) -> None:
    slug = slug_of(app, kind=DeliveryKind.KEY, keys=20)
    form = fill_in(app, slug)

    answers = at_once(8, lambda _: form.insist())

    places = {answer.headers.get("Location", answer.text) for answer in answers}
    assert len(places) == 1
    assert len(books.orders()) == 1
    assert len(keys_sold(app)) == 1
    assert len(books.mails()) == 1


@pytest.mark.parametrize("again", ["buyer@example.com", "BUYER+2@example.com"])
def test_an_address_gets_of_a_free_product_one_however_it_is_spelt(
    app: Flask, nobody: Provider, again: str
) -> None:
    with app.app_context():
        product = free(kind=DeliveryKind.KEY, keys=20)
        deliver_order(order(app, product).id)

        with pytest.raises(HasItAlready):
            order(app, product, email=again)

        order(app, product, email="another@example.com")
        order(app, free(title="Another one"))


def test_one_address_many_times_at_once_gets_one(
    app: Flask, books: Books, nobody: Provider
) -> None:
    slug = slug_of(app, kind=DeliveryKind.KEY, keys=20)
    form = fill_in(app, slug)
    keys = [f"{form.fields['checkout_key']}{n}" for n in range(8)]

    def send(number: int) -> int:
        browser = app.test_client()
        browser.set_cookie("session", form.cookie)
        fields = form.fields | {"checkout_key": keys[number]}
        return browser.post("/checkout", data=fields).status_code

    assert Counter(at_once(8, send)) == {303: 1, 409: 7}
    assert len(keys_sold(app)) == 1
    assert wrong(app) == []


def test_who_has_it_is_told_so_and_may_go_on_as_the_owner(app: Flask, nobody: Provider) -> None:
    slug = slug_of(app, title="A sampler")
    buyer = Buyer(app)
    for _ in range(2):
        buyer.puts_into_cart(slug)
        page = buyer.checks_out()

    assert page.status_code == 409
    assert "A sampler is free, once for each email address" in page.text
    assert "Mail me a link that lets me go on" in page.text
    with app.app_context():
        cart = make_cart(app, db.session.scalars(select(Product)).one())
        place_order(cart, make_buyer(cart, proven=True))  # type: ignore[arg-type]


def test_who_has_ordered_something_free_is_not_taken_for_the_owner_of_the_address(
    app: Flask, nobody: Provider
) -> None:
    """Paying is taken for it; but anybody can order for anybody what costs nothing."""
    buyer = Buyer(app, "victim@example.com")
    buyer.puts_into_cart(slug_of(app))
    buyer.checks_out()
    buyer.puts_into_cart(slug_of(app))
    buyer.checks_out()

    with app.app_context():
        assert list(db.session.scalars(select(Placement.proven))) == [False, False]


def test_a_free_order_for_an_address_that_takes_no_mail_troubles_nobody(
    app: Flask, nobody: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A robot would fill the list of what a person must look at with addresses that it made up."""

    def refuse(mail: object) -> None:
        raise MailRefused("no such mailbox")

    monkeypatch.setattr("shop.outbox.sending.send", refuse)
    with app.app_context():
        deliver_order(order(app, free()).id)
        jobs.mails()

        assert db.session.scalars(select(OutboxMail.state)).one() == "refused"
        assert not open_attention()


def test_a_stranger_is_mailed_only_so_many_free_goods_in_a_day(
    app: Flask, books: Books, nobody: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shop.outbox.on_request.TO_AN_ADDRESS", 3)
    with app.app_context():
        products = [free() for _ in range(5)]
        slug = products[4].slug
        for product in products[:3]:
            deliver_order(order(app, product, email="victim@example.com").id)

        with pytest.raises(TooManyOrders) as refused:
            order(app, products[3], email="victim+1@example.com")

        assert refused.value.whose == "mails"
        deliver_order(order(app, products[3], email="another@example.com").id)
    assert TO_AN_ADDRESS == 10
    assert len([m for m in books.mails() if m["To"] == "victim@example.com"]) == 3
    buyer = Buyer(app, "victim@example.com")
    buyer.puts_into_cart(slug)
    page = buyer.checks_out()
    assert page.status_code == 429
    assert "as many mails today as can be sent without a payment" in page.text
    assert "Mail me a link that lets me go on" in page.text


def test_free_orders_count_for_a_day_as_unpaid_ones_do(
    app: Flask, nobody: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shop.outbox.on_request.TO_AN_ADDRESS", 1000)
    with app.app_context():
        for _ in range(10):
            last = order(app, free())

        with pytest.raises(TooManyOrders) as refused:
            order(app, free())
        assert (refused.value.whose, refused.value.until) == ("mails", first_end())
        make_order(app)  # they keep nobody from buying

        with transaction() as session:
            session.execute(update(Order).values(expires_at=utcnow()))
        order(app, free())
        assert last.status is OrderStatus.PAID


def first_end() -> object:
    end_read()
    return min(db.session.scalars(select(Order.expires_at)))


def test_one_network_gets_no_more_than_its_share_of_a_free_stock(
    app: Flask, nobody: Provider
) -> None:
    with app.app_context():
        product = free(kind=DeliveryKind.KEY, keys=10)
        for number in range(5):
            order(app, product, email=f"robot{number}@example.com", client="a network")

        with pytest.raises(HoldsTooMuch) as refused:
            order(app, product, email="robot5@example.com", client="a network")
        with app.test_request_context():
            assert "has had its share of it for today" in words_for(refused.value)

        order(app, product, email="a-person@example.com", client="another network")


def test_a_network_may_have_fifty_free_orders(
    app: Flask, nobody: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shop.limits.service.UNPAID_PER_CLIENT", 1)
    with app.app_context():
        product = free()
        for number in range(10):
            order(app, product, email=f"robot{number}@example.com", client="a network")

        with pytest.raises(TooManyOrders) as refused:
            order(app, product, email="robot10@example.com", client="a network")
        assert refused.value.whose == "pace"
        order(app, make_product(), email="buys@example.com", client="a network")


def test_who_has_had_what_is_remembered_for_eight_days_and_can_be_lifted(
    app: Flask, nobody: Provider, runner: FlaskCliRunner
) -> None:
    with app.app_context():
        product = free()
        order(app, product)
        forget_placements(utcnow() + timedelta(days=7, hours=23))
        with pytest.raises(HasItAlready):
            order(app, product)

        with transaction() as session:  # neither young nor of the last hour
            session.execute(update(Order).values(expires_at=utcnow()))
            session.execute(update(Placement).values(placed_at=utcnow() - timedelta(days=1)))
        assert "  paid  " in runner.invoke(args=["limits", "show", "buyer@example.com"]).output
        assert runner.invoke(args=["limits", "lift", "buyer@example.com"]).exit_code == 0
        order(app, product)

        forget_placements(utcnow() + timedelta(days=8, hours=1))
        order(app, product)


def test_a_cart_holds_one_of_a_free_product(app: Flask, nobody: Provider) -> None:
    slug = slug_of(app, title="A sampler")
    buyer = Buyer(app)
    for _ in range(3):
        buyer.puts_into_cart(slug, quantity=2)

    page = buyer.opens("/cart").text

    assert "A sampler: only one can be bought in one order." in page
    assert "<label" not in page, "there is no quantity to choose"
    assert page.count("Update quantities") == 1, (
        "but for Enter, nothing updates what cannot be changed"
    )


def test_a_mixed_cart_charges_the_rest_and_gives_the_free_with_it(app: Flask, books: Books) -> None:
    with app.app_context():
        gift = free(kind=DeliveryKind.KEY, keys=2, title="A gift")
        game = make_product(title="A game", price=1500)
        slugs = gift.slug, game.slug
        end_read()
    buyer = Buyer(app)
    for slug in slugs:
        buyer.puts_into_cart(slug)
    with provider(app) as calls:
        calls.invoice_is_made()
        page = buyer.opens("/checkout").text
        assert "Get it free" not in page
        buyer.sends("/checkout", email=buyer.email)
        asked = calls.calls[0].request.body
        assert b"15.00" in asked if isinstance(asked, bytes) else "15.00" in str(asked)
        assert len(calls.calls) == 1
        shown = buyer.looks_at_order()
        assert 'data-state="waiting"' in shown
        assert keys_sold(app) == []
        calls.invoice_is("paid")
        with app.app_context():
            payment = db.session.scalars(select(Payment)).one()
            assert payment.amount_minor == 1500
        buyer.presses("check")
    shown = buyer.reads_answer()

    assert 'data-state="delivered"' in shown
    assert keys_sold(app)[0] in shown
    assert ">Free<" in shown
    assert "We have your payment of" in shown
    assert wrong(app) == []


def test_a_free_order_whose_process_died_is_handed_over_by_the_sweep(
    app: Flask, books: Books, nobody: Provider
) -> None:
    with app.app_context():
        placed = order(app, free(kind=DeliveryKind.KEY, keys=1))
        assert placed.status is OrderStatus.PAID

        jobs.sweep()

    assert books.state() == ("fulfilled", "none")
    assert len(keys_sold(app)) == 1
    assert wrong(app) == []


def test_a_free_order_waits_for_its_key_and_its_buyer_is_not_told_of_a_payment(
    app: Flask, books: Books, nobody: Provider
) -> None:
    with app.app_context():
        product = free(kind=DeliveryKind.KEY, keys=1)
        placed = order(app, product)
        with transaction() as session:
            session.execute(update(LicenceKey).values(withdrawn_at=utcnow()))
        deliver_order(placed.id)
        path = order_path(placed)
    page = app.test_client().get(path).text
    assert 'data-state="paid"' in page
    assert "Your licence key is not here yet" in page
    (mail,) = books.mails()
    words = mail.get_body(("plain",)).get_content()  # type: ignore[union-attr]
    assert "not in stock at this moment" in words
    assert not re.search("paid|Paid|pay", f"{words} {mail['Subject']}")

    with app.app_context():
        add_keys(db.session.get_one(Product, product.id), ["A-NEW-KEY"])
        jobs.deliveries()

    assert "A-NEW-KEY" in app.test_client().get(path).text


def test_a_key_given_away_is_not_given_again_when_an_older_copy_is_put_back(
    app: Flask, nobody: Provider
) -> None:
    with app.app_context():
        product = free(kind=DeliveryKind.KEY, keys=3)
        copy = Copy()
        deliver_order(order(app, product).id)
        (given,) = db.session.scalars(
            select(LicenceKey.value).where(LicenceKey.delivery_id.is_not(None))
        ).all()
        copy.put_back()

        for number in range(2):
            deliver_order(order(app, product, email=f"{number}@example.com").id)
            compare(gateway(app), utcnow() + timedelta(minutes=3))

    assert len(keys_sold(app)) == 2
    assert given not in keys_sold(app)


def test_the_database_and_the_model_know_a_free_order_only_as_given_away(app: Flask) -> None:
    with app.app_context():
        given = order(app, free())
        db.session.refresh(given)
        for status in set(OrderStatus) - {OrderStatus.FULFILLED}:
            with pytest.raises(IllegalTransition):
                given.move(status, Because("a test"))
        end_read()
        for bad in ("refund_due", "review", "expired", "cancelled", "refunded"):
            with db.engine.connect() as connection, pytest.raises(IntegrityError):
                connection.execute(text("UPDATE orders SET status = :bad"), {"bad": bad})
        with db.engine.connect() as connection, pytest.raises(IntegrityError):
            connection.execute(text("UPDATE orders SET total_minor = -1"))
        sold, _ = make_order(app)
        with pytest.raises(IllegalTransition), transaction() as session:
            settle_free(session, session.get_one(Order, sold.id), utcnow())


def test_an_upgrade_and_the_way_back_leave_orders_and_their_guards(app: Flask) -> None:
    with app.app_context():
        sold, _ = make_order(app)
        given = order(app, free())
        end_read()
        migrations().downgrade("1796010200")
        migrations().upgrade()

        assert order(app, free(), email="else@example.com").status is OrderStatus.PAID
        assert db.session.get_one(Order, given.id).is_free
        end_read()
        for number, status in ((sold.number, "refunded"), (given.number, "expired")):
            bad = {"number": number, "status": status}
            with db.engine.connect() as connection, pytest.raises(IntegrityError):
                connection.execute(
                    text("UPDATE orders SET status = :status WHERE number = :number"), bad
                )
        with db.engine.connect() as connection, pytest.raises(IntegrityError):
            connection.execute(text("UPDATE prices SET minor = -1"))


def test_a_free_order_that_is_charged_for_is_refused_by_the_database(app: Flask) -> None:
    with app.app_context():
        _, payment = make_order(app)
        with pytest.raises(IntegrityError), transaction() as session:
            session.get_one(Payment, payment.id).amount_minor = 0


def test_a_browser_without_cookies_gets_a_free_product_too(app: Flask, nobody: Provider) -> None:
    slug = slug_of(app, delivery_text="Read this.")
    browser = app.test_client(use_cookies=False)
    address = browser.post("/cart", data={"product": slug}).headers["Location"]
    page = browser.get(address).text
    assert "Buy this product all the same" in page
    form = browser.get(f"/checkout?product={slug}&quantity=1").text
    fields = Form(form, "/checkout/one").fields | {"email": "buyer@example.com"}

    answer = browser.post("/checkout/one", data=fields)

    assert "Read this." in browser.get(answer.headers["Location"]).text


@pytest.mark.parametrize(
    ("prefix", "words"),
    [
        ("", ("Free", "Nothing to pay. One for each email address.")),
        ("/ru", ("Бесплатно",)),
        ("/uk", ("Безкоштовно",)),
    ],
)
def test_the_product_page_says_that_it_is_free_in_each_language(
    app: Flask, prefix: str, words: tuple[str, ...]
) -> None:
    slug = slug_of(app)

    text = app.test_client().get(f"{prefix}/products/{slug}").text
    page = main(text)

    for expected in words:
        assert expected in page
    assert "USDT" not in page
    assert '"price": "0.00"' in text
    assert words[0] in app.test_client().get(f"{prefix}/").text


def test_mails_that_a_free_order_causes_are_one(app: Flask, books: Books) -> None:
    """No second one with the link alone, as orders that wait for money get."""
    with app.app_context():
        deliver_order(order(app, free()).id)
        templates = list(db.session.scalars(select(OutboxMail.kind)))
        assert not open_attention()
        assert len(db.session.scalars(select(Delivery)).all()) == 1
    assert templates == ["order-delivered"]
