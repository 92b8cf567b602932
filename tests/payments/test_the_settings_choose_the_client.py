"""The shop speaks the version of the API that its settings name, with all that they say about it."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from shop import create_app
from shop.db import db
from shop.payments.checking import refresh
from shop.payments.cryptocloud import CryptoCloud, CryptoCloudV2
from shop.payments.gateway import open_gateway
from shop.payments.models import PaymentState
from shop.payments.opening import open_invoice
from tests.conftest import make_settings
from tests.factories import ProviderV2, make_open_order, make_order, provider


@pytest.mark.parametrize(("version", "client"), [("1", CryptoCloud), ("2", CryptoCloudV2)])
def test_the_version_chooses_the_client(
    tmp_path: Path, version: str, client: type[CryptoCloud]
) -> None:
    assert type(open_gateway(make_settings(tmp_path, cryptocloud_api_version=version))) is client


def test_the_previous_secret_and_the_time_to_pay_reach_the_client(tmp_path: Path) -> None:
    end = datetime(2027, 1, 31, 12, tzinfo=UTC)
    settings = make_settings(
        tmp_path,
        cryptocloud_api_version="2",
        cryptocloud_invoice_hours=6,
        cryptocloud_previous_secret_key="the-secret-before-this-one-0123456789",
        cryptocloud_previous_secret_until=end,
    )

    client = open_gateway(settings)

    assert client.previous_secret_key == "the-secret-before-this-one-0123456789"
    assert (client.previous_until, client.invoice_life) == (end, timedelta(hours=6))


def test_a_client_shows_neither_of_its_secrets(tmp_path: Path) -> None:
    settings = make_settings(
        tmp_path,
        cryptocloud_previous_secret_key="the-secret-before-this-one-0123456789",
        cryptocloud_previous_secret_until=datetime(2027, 1, 31, 12, tzinfo=UTC),
    )

    assert "secret" not in repr(open_gateway(settings))


def test_a_shop_that_speaks_v2_sells(tmp_path: Path, database_url: str) -> None:
    settings = make_settings(tmp_path / "data", database_url, cryptocloud_api_version="2")
    app = create_app(settings)
    with app.app_context():
        _, payment = make_open_order(app)

        with provider(app) as calls:
            assert isinstance(calls, ProviderV2)
            calls.invoice_is("paid", amount_paid=0.5, amount_to_pay=0.5)
            refresh(payment, open_gateway(settings))

        assert payment.state is PaymentState.PAID
    with app.app_context():
        db.engine.dispose()


@pytest.mark.parametrize("sent", [True, False])
def test_the_provider_gets_the_address_of_the_buyer_unless_the_settings_say_no(
    tmp_path: Path, database_url: str, sent: bool
) -> None:
    settings = make_settings(tmp_path / "data", database_url, cryptocloud_send_email=sent)
    app = create_app(settings)
    with app.app_context():
        order, payment = make_order(app)
        with provider(app) as calls:
            calls.invoice_is_made()
            open_invoice(payment, open_gateway(settings))
            body = json.loads(calls.calls[0].request.body or "")

        assert body.get("email") == (order.email if sent else None)
    with app.app_context():
        db.engine.dispose()
