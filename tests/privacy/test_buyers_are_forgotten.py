"""After its time, or when asked to, the shop forgets who bought; what was bought and paid stays."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import event, make_url, select, update

from shop import create_app, jobs
from shop.attention.kinds import AttentionKind
from shop.attention.models import AttentionItem
from shop.attention.service import raise_attention
from shop.because import Because
from shop.books.checks import discrepancies
from shop.catalogue.models import DeliveryKind
from shop.config import Settings
from shop.db import Base, db, end_read, transaction, utcnow
from shop.limits.models import Placement
from shop.orders.links import order_url
from shop.orders.models import Order, OrderEvent, OrderStatus
from shop.outbox.kinds import MailKind
from shop.outbox.models import MailState, OutboxMail
from shop.payments.by_hand import cancel_order, refund_order
from shop.payments.checking import refresh
from shop.payments.models import Payment
from shop.payments.opening import NotPayable, can_start_again, start_payment
from shop.privacy.queries import erasable_orders, why_kept
from shop.privacy.service import StillNeeded, erase_due, erase_order
from tests.buyer import Buyer
from tests.conftest import make_settings
from tests.factories import (
    confirm,
    gateway,
    make_open_order,
    make_product,
    provider,
    send_due_mails,
)
from tests.support.sold import sell

ADDRESS = "buyer@example.com"
LATER = timedelta(days=731)


def mails_go() -> int:
    """Send what waits, the mail too that waits two minutes for the buyer to pay."""
    return send_due_mails(utcnow() + timedelta(minutes=3))


def close(app: Flask) -> Order:
    """An order that was paid, delivered and mailed, of a licence key."""
    order = sell(app, make_product(kind=DeliveryKind.KEY, keys=2))
    mails_go()
    return order


def expire(app: Flask) -> Order:
    """An order that nobody paid, and about which the provider is asked no more."""
    order, payment = make_open_order(app)
    with provider(app) as calls:
        calls.invoice_is("canceled")
        refresh(payment, gateway(app))
    with transaction() as session:
        session.execute(update(Payment).values(next_check_at=None))
    mails_go()
    return order


def erase(order: Order) -> bool:
    return erase_order(order.id, Because("asked to", "Ann"))


def everything(folder: Path) -> str:
    """All that the database and the data folder hold, as one text."""
    rows = [
        str(tuple(row))
        for table in Base.metadata.sorted_tables
        for row in db.session.execute(select(table))
    ]
    files = [path.read_bytes().decode(errors="replace") for path in folder.rglob("*.eml")]
    return "\n".join(rows + files).lower()


def test_the_sweep_erases_the_address_of_an_order_closed_long_ago(app: Flask) -> None:
    with app.app_context():
        order = close(app)

        erase_due(utcnow() + LATER)

        order = db.session.get_one(Order, order.id)
        assert (order.email, order.cart_hash) == ("", "")
        assert order.erased_at
        assert order.events[-1].kind == "erased"
        assert order.events[-1].who == "shop"


def test_an_address_is_kept_until_its_time_has_come(app: Flask) -> None:
    """The clock starts anew with everything that happens to the order."""
    with app.app_context():
        order = close(app)
        with transaction() as session:
            long_ago = utcnow() - LATER
            session.execute(update(Order).values(created_at=long_ago))

        erase_due()

        assert db.session.get_one(Order, order.id).email == ADDRESS


def test_a_shop_may_keep_addresses_for_ever(tmp_path: Path, database_url: str) -> None:
    app = create_app(make_settings(tmp_path, database_url, shop_retention_days=0))
    with app.app_context():
        order = close(app)

        erase_due(utcnow() + 50 * LATER)

        assert db.session.get_one(Order, order.id).email == ADDRESS
        end_read()
        db.engine.dispose()


def test_the_sweep_is_what_erases(app: Flask) -> None:
    with app.app_context():
        order = close(app)
        with transaction() as session:
            long_ago = utcnow() - LATER
            session.execute(update(Order).values(created_at=long_ago))
            session.execute(update(OrderEvent).values(at=long_ago))

        jobs.run("sweep")

        assert db.session.get_one(Order, order.id).email == ""


def test_an_erased_address_is_nowhere_any_more(app: Flask, settings: Settings) -> None:
    """Not in what people or the provider wrote, nor in mails that lie in a folder, in whatever capitals."""
    with app.app_context():
        order, _ = make_open_order(app)
        with transaction() as session:
            session.get_one(Order, order.id).email = "Buyer@Example.com"
            raise_attention(session, "seen", "a", "buyer@example.com wrote to us")
            item = session.query(AttentionItem).one()
            item.resolved_at, item.resolution = utcnow(), "answered BUYER@example.COM"
            for spelt in (ADDRESS, ADDRESS.upper()):  # else alike, and both open
                raise_attention(session, "refused", f"no {spelt}", "refused")
        confirm(app, order)
        with transaction() as session:
            session.get_one(Order, order.id).record("note", f"says {ADDRESS}", who=f"for {ADDRESS}")
            said = f"{ADDRESS} is refused"
            words = {"error": said, "unclear_because": said}
            session.execute(update(Payment).values(next_check_at=None, **words))
        mails_go()
        assert ADDRESS in everything(settings.shop_data_dir)

        erase(order)

        assert ADDRESS not in everything(settings.shop_data_dir)
        events = db.session.get_one(Order, order.id).events
        assert any("says [erased address]" in event.note for event in events)


@pytest.mark.parametrize("engine", ["sqlite"])
@pytest.mark.parametrize("overwritten", [True, False])
def test_the_database_file_does_not_keep_what_was_erased(
    app: Flask, settings: Settings, overwritten: bool
) -> None:
    """The second case is the control: SQLite by itself only marks the place as free."""

    def leave_it(connection: Any, record: object) -> None:
        connection.execute("PRAGMA secure_delete=OFF")

    with app.app_context():
        if not overwritten:
            event.listen(db.engine, "connect", leave_it)
            db.engine.dispose()
        for order in [close(app) for _ in range(8)]:
            erase(order)
        db.engine.dispose()  # the last to leave empties the log of changes into the file

    file = Path(str(make_url(settings.database_url).database))
    assert (ADDRESS.encode() in file.read_bytes().lower()) is not overwritten


def test_the_books_stay_whole(app: Flask) -> None:
    with app.app_context():
        order = close(app)
        lines, total, count = list(order.lines), order.total, len(order.events)

        erase(order)

        order = db.session.get_one(Order, order.id)
        assert (list(order.lines), order.total) == (lines, total)
        assert len(order.events) == count + 1
        assert list(discrepancies(newest=None)) == []


def test_the_page_of_an_erased_order_shows_the_goods_and_says_so(app: Flask) -> None:
    with app.app_context():
        order = close(app)
        erase(order)
        address = order_url(order)

    page = Buyer(app).opens(address).text

    assert "Your email address was erased from this order on" in page
    assert "KEY-" in page
    assert "on their way to" not in page
    assert ADDRESS not in page


def test_an_address_is_erased_once(app: Flask) -> None:
    with app.app_context():
        order = close(app)

        assert erase(order)
        assert not erase(order)

        kinds = [event.kind for event in db.session.get_one(Order, order.id).events]
        assert kinds.count("erased") == 1


def pending(app: Flask) -> Order:
    return make_open_order(app)[0]


def watched(app: Flask) -> Order:
    """Cancelled by hand; its invoice is asked about for a while."""
    order, _ = make_open_order(app)
    with provider(app) as calls:
        calls.invoice_is("created")
        return cancel_order(order, gateway(app), Because("asked to", "Ann"))


def mailed_later(app: Flask) -> Order:
    """Delivered, and its mail has still to go out."""
    return sell(app)


def noticed(app: Flask) -> Order:
    """Something about it waits for a person."""
    order = close(app)
    with transaction() as session:
        raise_attention(session, AttentionKind.PAID_TWICE, "2-beef", "look", order_id=order.id)
    return order


def owed(app: Flask) -> Order:
    """A refund is due."""
    order = close(app)
    refund_order(order, Because("asked to", "Ann"))
    mails_go()
    return order


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (pending, "it is not closed"),
        (watched, "money may still come for it"),
        (mailed_later, "a mail is on its way"),
        (noticed, "something about it waits for a person"),
        (owed, "it is not closed"),
    ],
)
def test_an_order_that_waits_for_something_keeps_its_buyer(
    app: Flask, made: Callable[[Flask], Order], words: str
) -> None:
    with app.app_context():
        order = made(app)

        with pytest.raises(StillNeeded) as refused:
            erase(order)
        erase_due(utcnow() + LATER)

        assert words in refused.value.reasons
        assert words in why_kept(order.id)
        assert db.session.get_one(Order, order.id).email == ADDRESS


def test_an_order_that_waits_does_not_hold_up_the_others(app: Flask) -> None:
    with app.app_context():
        noticed(app)
        last = close(app)

        assert list(erasable_orders(utcnow() + LATER, limit=1)) == [last.id]


def test_money_that_comes_after_all_buys_the_goods_and_no_mail_is_sent(app: Flask) -> None:
    """The buyer finds them by the order's link; a person is told that they could not be written to."""
    with app.app_context():
        order = expire(app)
        erase(order)

        confirm(app, order)
        sent = mails_go()

        order = db.session.get_one(Order, order.id)
        mail = (
            db.session.query(OutboxMail)
            .filter_by(order_id=order.id, kind=MailKind.ORDER_DELIVERED)
            .one()
        )
        assert order.status is OrderStatus.FULFILLED
        assert mail.state is MailState.SKIPPED
        assert sent == 0
        item = db.session.query(AttentionItem).one()
        assert item.kind == "mail_failed"
        assert "the buyer's address was erased" in item.note
        assert list(discrepancies(newest=None)) == []


def test_an_erased_order_is_not_paid_anew(app: Flask) -> None:
    with app.app_context():
        order = expire(app)
        assert can_start_again(order, utcnow())

        erase(order)

        with pytest.raises(NotPayable):
            start_payment(order.id)


def test_erasing_takes_the_note_of_who_placed_the_order_along(app: Flask) -> None:
    with app.app_context():
        order = close(app)
        assert db.session.get(Placement, order.id)

        erase(order)

        assert db.session.get(Placement, order.id) is None
