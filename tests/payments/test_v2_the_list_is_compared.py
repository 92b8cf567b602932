"""API v2 has a list of all invoices: money in it that no order has is before a person within a day."""

from __future__ import annotations

from datetime import timedelta

import pytest
import responses
from flask import Flask

from shop.attention.kinds import AttentionKind
from shop.attention.queries import open_attention
from shop.attention.service import raise_attention, resolve_attention
from shop.because import Because
from shop.books.service import compare
from shop.config import Settings
from shop.db import db, end_read, transaction, utcnow
from shop.ops import journal
from shop.payments.models import Payment, PaymentState
from tests.factories import ProviderV2, gateway, make_open_order, make_order, make_product, provider
from tests.support.copies import Copy

DAY = timedelta(days=1)


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"cryptocloud_api_version": "2"})


def told(app: Flask, invoice_id: str, status: str, *, days: int = 0) -> list[tuple[str, str]]:
    """What waits for a person after the list with this one invoice was compared."""
    end_read()
    with provider(app) as calls:
        assert isinstance(calls, ProviderV2)
        calls.made[invoice_id]["status"] = status
        calls.invoices_are_listed(invoice_id)
        compare(gateway(app), utcnow() + days * DAY)
    end_read()
    return [(item.kind, item.reference) for item in open_attention()]


@pytest.fixture
def no_journal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "note", lambda *_: True)


@pytest.mark.usefixtures("no_journal")
def test_money_for_an_invoice_that_the_database_forgot_is_found_without_the_journal(
    app: Flask,
) -> None:
    with app.app_context():
        product = make_product()
        copy = Copy()
        invoice_id = str(make_open_order(app, product)[1].invoice_id)
        copy.put_back()

        assert told(app, invoice_id, "created") == []
        assert told(app, invoice_id, "paid") == [], "once a day"
        assert told(app, invoice_id, "paid", days=1) == [("unmatched_invoice", invoice_id)]
        assert told(app, invoice_id, "paid", days=2) == [("unmatched_invoice", invoice_id)]


@pytest.mark.usefixtures("no_journal")
def test_money_in_the_list_that_a_person_has_seen_to_is_not_told_again(app: Flask) -> None:
    with app.app_context():
        copy = Copy()
        seen, other = (str(make_open_order(app, make_product())[1].invoice_id) for _ in range(2))
        copy.put_back()
        assert told(app, seen, "partial") == [("unmatched_invoice", seen)]
        see_to(seen)

        assert told(app, seen, "partial", days=1) == []
        assert told(app, other, "partial", days=2) == [("unmatched_invoice", other)]


@pytest.mark.usefixtures("no_journal")
def test_the_rest_of_a_part_payment_that_a_person_has_seen_to_is_told(app: Flask) -> None:
    with app.app_context():
        copy = Copy()
        invoice_id = str(make_open_order(app, make_product())[1].invoice_id)
        copy.put_back()
        told(app, invoice_id, "partial")
        see_to(invoice_id)

        assert told(app, invoice_id, "paid", days=1) == [("unmatched_invoice", invoice_id)]


def test_money_that_a_person_knows_of_by_the_journal_is_not_told_again_by_the_list(
    app: Flask,
) -> None:
    with app.app_context():
        copy = Copy()
        invoice_id = str(make_open_order(app, make_product())[1].invoice_id)
        copy.put_back()
        with provider(app) as calls:
            calls.invoice_is("paid")
            for hours in (1, 2):
                compare(gateway(app), utcnow() + timedelta(hours=hours))
                end_read()
        assert [item.kind for item in open_attention()] == ["unmatched_invoice"]
        see_to(invoice_id)

        assert told(app, invoice_id, "paid", days=1) == []


@pytest.mark.usefixtures("no_journal")
def test_an_item_of_another_kind_about_the_same_invoice_silences_nothing(app: Flask) -> None:
    with app.app_context():
        copy = Copy()
        invoice_id = str(make_open_order(app, make_product())[1].invoice_id)
        copy.put_back()
        with transaction() as session:
            kind = AttentionKind.NOT_CONFIRMED
            raise_attention(session, kind, invoice_id, "A postback says that it is paid.")

        found = told(app, invoice_id, "paid")

        assert found == [("not_confirmed", invoice_id), ("unmatched_invoice", invoice_id)]


def see_to(invoice_id: str) -> None:
    """What a person does who gives the money back."""
    with transaction() as session:
        kinds = ["unmatched_invoice"]
        resolve_attention(session, [invoice_id], Because("given back", "ann"), kinds=kinds)


def test_an_invoice_of_ours_in_the_list_is_no_news(app: Flask) -> None:
    with app.app_context():
        invoice_id = str(make_open_order(app)[1].invoice_id)

        assert told(app, invoice_id, "paid") == []


def test_an_invoice_in_the_list_whose_process_died_is_watched(app: Flask) -> None:
    with app.app_context():
        _, payment = make_order(app)
        payment_id = payment.id
        ProviderV2.made["LOST0002"] = {"uuid": "INV-LOST0002", "order_id": payment.reference}
        for state in (PaymentState.UNKNOWN, PaymentState.ABANDONED):
            with transaction() as session:
                session.get_one(Payment, payment_id).move(state)

        assert told(app, "LOST0002", "partial") == []
        assert db.session.get_one(Payment, payment_id).invoice_id == "LOST0002"


def test_a_list_that_cannot_be_had_is_asked_for_again(app: Flask) -> None:
    with app.app_context():
        invoice_id = str(make_open_order(app)[1].invoice_id)
        with provider(app) as calls:
            assert isinstance(calls, ProviderV2)
            calls.add(responses.POST, calls.list_url, status=502)
            compare(gateway(app))
        with provider(app) as calls:
            assert isinstance(calls, ProviderV2)
            calls.invoices_are_listed(invoice_id)
            compare(gateway(app))

            assert len(calls.calls) == 1
