"""An older copy of the database is put back, and what it has forgotten is not lost, sold again or open again."""

from __future__ import annotations

from datetime import timedelta
from types import SimpleNamespace

import pytest
from flask import Flask
from sqlalchemy import select

from shop import failpoints
from shop.attention.models import AttentionItem
from shop.attention.queries import open_attention
from shop.because import Because
from shop.books.checks import discrepancies
from shop.books.service import compare
from shop.books.with_journal import SETTLED_AFTER
from shop.catalogue.models import DeliveryKind, Product
from shop.db import db, end_read, transaction, utcnow
from shop.fulfilment.copies import KeysRefused
from shop.fulfilment.models import Delivery, LicenceKey, SpentKey
from shop.fulfilment.queries import keys_in_stock
from shop.fulfilment.reissue import renew_link
from shop.fulfilment.service import deliver_order, withdraw_keys
from shop.ops import journal
from shop.orders.links import find_order_by_token, order_token
from shop.orders.models import Order
from shop.outbox.on_request import correct_address
from shop.payments.checking import refresh
from shop.payments.cryptocloud import InvoiceInfo, InvoiceStatus, ProvenPostback
from shop.payments.inbox import receive_postback
from shop.payments.models import Payment, PaymentState
from shop.payments.queries import find_payment_by_invoice
from shop.payments.settling import settle
from shop.privacy.service import erase_order
from tests.factories import add_keys, gateway, make_open_order, make_order, make_product, provider
from tests.support.copies import Copy
from tests.support.sold import sell

LATER = SETTLED_AFTER + timedelta(seconds=2)
ASKED = Because("asked", "Ann")


def compare_later(app: Flask, status: str = "created", *, hours: int = 0) -> None:
    """What a sweep does once the journal's youngest lines are settled."""
    end_read()
    with provider(app) as calls:
        calls.invoice_is(status)
        compare(gateway(app), utcnow() + LATER + timedelta(hours=hours))
    end_read()
    db.session.expire_all()


def kinds() -> list[str]:
    end_read()
    return [item.kind for item in open_attention()]


def keys_of(order: Order) -> list[str]:
    end_read()
    delivery = db.session.scalar(select(Delivery).where(Delivery.order_id == order.id))
    assert delivery is not None
    return [key.value for key in delivery.keys]


def make_key_product(*values: str, slug: str = "rain-licence") -> Product:
    product = make_product(slug=slug, kind=DeliveryKind.KEY, available=0)
    add_keys(product, values)
    end_read()
    return db.session.get_one(Product, product.id, populate_existing=True)


def test_an_invoice_that_the_database_forgot_is_before_a_person_and_asked_about(app: Flask) -> None:
    with app.app_context():
        product = make_product()
        copy = Copy()
        _, payment = make_open_order(app, product)
        invoice_id = payment.invoice_id
        copy.put_back()
        assert find_payment_by_invoice(invoice_id) is None

        compare_later(app)
        assert kinds() == ["unknown_invoice"]
        compare_later(app)
        assert kinds() == ["unknown_invoice"], "told once"

        compare_later(app, "paid", hours=1)

        item = open_attention()[-1]
        assert (item.kind, item.reference) == ("unmatched_invoice", invoice_id)
        assert kinds() == ["unmatched_invoice"]
        assert resolutions() == ["money came"]


def unwatched(app: Flask) -> Payment:
    """One whose invoice nobody asks about any more."""
    _, payment = make_open_order(app)
    with transaction() as session:
        session.get_one(Payment, payment.id).next_check_at = None
    end_read()
    return db.session.get_one(Payment, payment.id)


def is_due(payment_id: int) -> bool:
    due = db.session.get_one(Payment, payment_id, populate_existing=True).next_check_at
    return due is not None and due <= utcnow()


def test_money_that_an_older_copy_forgot_is_asked_for_even_if_its_watch_was_over(
    app: Flask,
) -> None:
    with app.app_context():
        payment_id = unwatched(app).id
        copy = Copy()
        with provider(app) as calls:
            calls.invoice_is("paid")
            refresh(db.session.get_one(Payment, payment_id), gateway(app))
        copy.put_back()

        compare_later(app)

        assert is_due(payment_id)


def test_a_postback_that_an_older_copy_forgot_has_its_invoice_asked_about(app: Flask) -> None:
    """It was answered with 200, so it does not come again; nobody had asked about it yet."""
    with app.app_context():
        payment, other_id = unwatched(app), unwatched(app).id
        payment_id = payment.id
        copy = Copy()
        receive_postback(told_of(payment.invoice_id))
        receive_postback(told_of("WHOSE123"))
        copy.put_back()

        compare_later(app)

        assert (is_due(payment_id), is_due(other_id)) == (True, False)
        assert [(item.kind, item.reference) for item in open_attention()] == [
            ("unknown_invoice", "WHOSE123")
        ]


def test_a_postback_of_an_unknown_invoice_is_the_inboxs_while_that_has_it(app: Flask) -> None:
    with app.app_context():
        receive_postback(told_of("WHOSE123"))

        compare_later(app)

        assert kinds() == []


def told_of(invoice_id: str | None) -> ProvenPostback:
    assert invoice_id
    return ProvenPostback(invoice_id, None, "success", "10.01", "USDT_TRC20")


def test_an_unknown_invoice_that_nobody_paid_waits_for_nobody(app: Flask) -> None:
    with app.app_context():
        product = make_product()
        copy = Copy()
        make_open_order(app, product)
        copy.put_back()

        compare_later(app, "canceled")

        assert kinds() == []
        assert resolutions() == ["it was not paid"]


def resolutions() -> list[str]:
    """Why items are resolved, as the list of resolved ones says it."""
    closed = AttentionItem.resolved_at.is_not(None)
    return list(db.session.scalars(select(AttentionItem.resolution).where(closed)))


def test_what_the_database_knows_is_told_to_nobody(app: Flask) -> None:
    with app.app_context():
        order = sell(app, make_key_product("AAAA-1111", "BBBB-2222"))
        renew_link(order, ASKED)
        make_open_order(app)

        compare_later(app)

        assert kinds() == []
        assert order.link_version == 2
        assert db.session.scalars(select(SpentKey)).all() == [], "no key is spent but by its owner"


def test_an_invoice_whose_process_died_before_it_was_stored_is_watched(app: Flask) -> None:
    """Under API v1, too, where no list of invoices can be looked through."""
    with app.app_context():
        _, payment = make_order(app)
        payment_id, reference = payment.id, payment.reference
        journal.note("invoice", ("LOST0001", reference))
        with transaction():
            payment.move(PaymentState.UNKNOWN)

        compare_later(app)

        end_read()
        payment = db.session.get_one(Payment, payment_id)
        assert payment.invoice_id == "LOST0001"
        assert payment.next_check_at is not None
        assert kinds() == []


@pytest.mark.parametrize("swept", [False, True], ids=["at once", "after a sweep"])
def test_a_key_that_was_handed_out_is_not_sold_again(app: Flask, *, swept: bool) -> None:
    with app.app_context():
        product = make_key_product("AAAA-1111", "BBBB-2222", "CCCC-3333")
        copy = Copy()
        first = sell(app, product)
        assert keys_of(first) == ["AAAA-1111"]
        copy.put_back()
        if swept:
            compare_later(app)
            assert kinds() == ["unknown_invoice", "key_sold_before"]

        second = sell(app, product)

        assert keys_of(second) == ["BBBB-2222"]
        compare_later(app)
        assert "key_sold_before" in kinds()
        shelf = db.session.get_one(Product, product.id, populate_existing=True)
        assert (shelf.available, shelf.taken) == (1, 1)
        assert [f.kind for f in discrepancies()] == []


@pytest.mark.parametrize("swept", [False, True], ids=["at once", "after a sweep"])
def test_a_key_that_was_withdrawn_is_not_sold_by_an_older_copy(app: Flask, *, swept: bool) -> None:
    with app.app_context():
        product = make_key_product("AAAA-1111", "BBBB-2222", "CCCC-3333")
        copy = Copy()
        first = db.session.scalar(select(LicenceKey.id).where(LicenceKey.value == "AAAA-1111"))
        assert withdraw_keys(product, [first or 0], ASKED) == 1
        compare_later(app)
        assert kinds() == [], "the database knows it, too"
        copy.put_back()
        if swept:
            compare_later(app)
            assert kinds() == ["key_sold_before"]

        assert keys_of(sell(app, product)) == ["BBBB-2222"]


def test_without_the_journal_a_key_is_sold_again(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control."""
    monkeypatch.setattr(journal, "note", lambda *_: True)
    with app.app_context():
        product = make_key_product("AAAA-1111", "BBBB-2222")
        copy = Copy()
        first = keys_of(sell(app, product))
        copy.put_back()

        assert keys_of(sell(app, product)) == first


def test_an_order_that_had_its_keys_already_gets_the_same_ones(app: Flask) -> None:
    """The copy was made between the payment and the hand-over."""
    with app.app_context():
        product = make_key_product("AAAA-1111", "BBBB-2222", "CCCC-3333")
        orders = [make_open_order(app, product) for _ in range(2)]
        for order, payment in orders:
            settle(order.id, payment.id, InvoiceInfo(InvoiceStatus.PAID))
        copy = Copy()
        for order, _ in reversed(orders):
            deliver_order(order.id)
        first, second = (keys_of(order) for order, _ in orders)
        copy.put_back()

        deliver_order(orders[0][0].id)
        compare_later(app)
        deliver_order(orders[1][0].id)

        assert (keys_of(orders[0][0]), keys_of(orders[1][0])) == (first, second)
        assert (first, second) == (["BBBB-2222"], ["AAAA-1111"])
        assert kinds() == []


def test_a_link_that_was_called_in_stays_so(app: Flask) -> None:
    with app.app_context():
        order, _ = make_open_order(app)
        other, _ = make_open_order(app)
        old, others = order_token(order), order_token(other)
        copy = Copy()
        renew_link(order, ASKED)
        correct_address(other.id, "right@example.com")
        copy.put_back()
        assert find_order_by_token(old) is not None

        compare_later(app)

        assert find_order_by_token(old) is None
        assert find_order_by_token(others) is None


def test_an_address_that_was_erased_is_erased_again(app: Flask) -> None:
    with app.app_context():
        order = sell(app, make_product())
        with db.engine.begin() as connection:
            connection.exec_driver_sql("UPDATE outbox_mails SET state = 'sent'")
        end_read()
        copy = Copy()
        erase_order(order.id, ASKED)
        copy.put_back()
        assert db.session.get_one(Order, order.id, populate_existing=True).email

        compare_later(app)

        assert db.session.get_one(Order, order.id, populate_existing=True).email == ""
        assert kinds() == []


def test_an_address_that_cannot_be_erased_again_yet_is_before_a_person(app: Flask) -> None:
    with app.app_context():
        order = sell(app, make_product())
        number = order.number
        copy = Copy()
        with db.engine.begin() as connection:
            connection.exec_driver_sql("UPDATE outbox_mails SET state = 'sent'")
        end_read()
        erase_order(order.id, ASKED)
        copy.put_back()

        compare_later(app)

        item = open_attention()[-1]
        assert (item.kind, item.reference) == ("erase_again", number)
        assert number in item.note
        assert "mail" in item.note, "what it waits for"
        assert item.order_id == order.id
        with db.engine.begin() as connection:
            connection.exec_driver_sql("UPDATE outbox_mails SET state = 'sent'")
        end_read()
        assert erase_order(order.id, ASKED), (
            "the item itself keeps nobody from doing what it asks for"
        )
        assert [item.kind for item in open_attention()] == []


@pytest.fixture
def mortal(monkeypatch: pytest.MonkeyPatch) -> None:
    """At the point that is armed the test's own process goes on, with SystemExit."""

    def die(*_: object) -> None:
        failpoints.arm("")
        raise SystemExit

    monkeypatch.setattr(failpoints, "os", SimpleNamespace(kill=die, getpid=lambda: 0))


@pytest.mark.parametrize("when", ["before", "inside", "after"])
@pytest.mark.usefixtures("mortal")
def test_a_withdrawal_that_dies_is_made_whole_by_the_next_or_by_the_journal(
    app: Flask, when: str
) -> None:
    with app.app_context():
        product = make_key_product("AAAA-1111", "BBBB-2222")
        failpoints.arm(f"{when}_withdraw_keys")
        with pytest.raises(SystemExit):
            withdraw_keys(product, None, ASKED)
        if when != "before":
            compare_later(app)
        else:
            withdraw_keys(product, None, ASKED)

        end_read()
        assert keys_in_stock(product.id) == []
        assert db.session.get_one(Product, product.id, populate_existing=True).available == 0
        assert [f.kind for f in discrepancies()] == []


@pytest.mark.parametrize("when", ["before", "inside", "after"])
@pytest.mark.usefixtures("mortal")
@pytest.mark.parametrize("name", ["spent_key", "link", "erase", "attention", "journal_mark"])
def test_a_comparison_that_dies_is_made_again(app: Flask, when: str, name: str) -> None:
    with app.app_context():
        product = make_key_product("AAAA-1111", "BBBB-2222")
        order = sell(app, make_product())
        with db.engine.begin() as connection:
            connection.exec_driver_sql("UPDATE outbox_mails SET state = 'sent'")
        copy = Copy()
        sell(app, product)
        renew_link(order, ASKED)
        erase_order(order.id, ASKED)
        copy.put_back()

        failpoints.arm(f"{when}_{name}")
        with pytest.raises(SystemExit):
            compare_later(app)
        compare_later(app)

        assert kinds() == ["unknown_invoice", "key_sold_before"]
        order = db.session.get_one(Order, order.id, populate_existing=True)
        assert (order.link_version, order.email) == (2, "")
        assert [event.kind for event in order.events].count("link_renewed") == 1


def test_a_key_that_was_handed_out_and_forgotten_is_not_added_again(app: Flask) -> None:
    with app.app_context():
        product = make_key_product("AAAA-1111")
        copy = Copy()
        add_keys(product, ["BBBB-2222"])
        sell(app, product, quantity=2)
        assert add_keys(product, ["BBBB-2222"]) == (0, 1), "what the database has is no trouble"
        copy.put_back()

        for _ in range(2):
            with pytest.raises(KeysRefused, match=r"line 2\.$"):
                add_keys(product, ["CCCC-3333", "BBBB-2222"])
            compare_later(app)

        assert add_keys(product, ["CCCC-3333"]) == (1, 0)


@pytest.mark.parametrize(
    ("first", "then", "refused"),
    [
        (False, False, True),  # capitals make no other key
        (True, False, False),  # unless the operator says so, of either
        (False, True, False),
    ],
    ids=["case does not count", "it did", "it does now"],
)
@pytest.mark.parametrize("typed", ["bbbb\N{NON-BREAKING HYPHEN}2222", "bbbb 2222"])
def test_a_key_that_was_handed_out_and_forgotten_is_known_however_it_is_typed(
    app: Flask, typed: str, *, first: bool, then: bool, refused: bool
) -> None:
    with app.app_context():
        product = make_key_product()
        copy = Copy()
        add_keys(product, ["BBBB-2222"], case_sensitive=first)
        sell(app, product)
        copy.put_back()

        for _ in range(2):
            if refused:
                with pytest.raises(KeysRefused, match=r"line 1\.$"):
                    add_keys(product, [typed], case_sensitive=then)
            else:
                assert sum(add_keys(product, [typed], case_sensitive=then)) == 1
            compare_later(app)

        with pytest.raises(KeysRefused, match=r"line 1\.$"):
            add_keys(product, ["BBBB 2222"], case_sensitive=True)


def test_a_key_typed_otherwise_while_the_journal_could_not_be_read_is_taken_off_sale_once(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    with app.app_context():
        product = make_key_product("CCCC-3333")
        copy = Copy()
        add_keys(product, ["AAAA-1111"])
        sell(app, product, quantity=2)
        copy.put_back()
        with monkeypatch.context() as patch:
            patch.setattr(journal, "files", lambda: {})
            add_keys(product, ["aaaa 1111", "DDDD-4444"])

        compare_later(app)

        assert db.session.get_one(Product, product.id, populate_existing=True).available == 1
        assert keys_of(sell(app, product)) == ["DDDD-4444"]


def test_a_key_put_in_anew_while_the_journal_could_not_be_read_is_taken_off_sale(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has another number now than the one in the journal."""

    def unreadable() -> None:
        raise PermissionError

    with app.app_context():
        product = make_key_product()
        copy = Copy()
        add_keys(product, ["AAAA-1111", "BBBB-2222"])
        assert keys_of(sell(app, product)) == ["AAAA-1111"]
        copy.put_back()
        with monkeypatch.context() as patch:
            patch.setattr(journal, "files", unreadable)
            add_keys(product, ["BBBB-2222", "AAAA-1111"])

        compare_later(app)

        assert "key_sold_before" in kinds()
        assert db.session.get_one(Product, product.id, populate_existing=True).available == 1
        assert keys_of(sell(app, product)) == ["BBBB-2222"]
