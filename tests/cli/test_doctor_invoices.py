"""The doctor on invoices: are they made, and do the provider's addresses lead where the settings say?"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
import responses
from flask import Flask

from shop.config import Settings
from shop.db import transaction, utcnow
from shop.doctor import payments as checks
from shop.payments.models import Payment
from shop.payments.opening import open_invoice
from tests.factories import gateway, make_open_order, make_order, provider


@pytest.fixture(autouse=True)
def _at_work(app: Flask) -> Iterator[None]:
    with app.app_context():
        yield


def is_refused(app: Flask, **says: object) -> None:
    """An order whose invoice the provider does not make."""
    _, payment = make_order(app)
    with provider(app) as calls:
        calls.post(calls.create_url, **says)  # type: ignore[arg-type]
        open_invoice(payment, gateway(app))


WRONG_SHOP = {"status": 400, "json": {"status": "error", "result": {"shop_id": "Unknown"}}}


def test_a_shop_id_that_is_refused_fails_in_the_providers_words(
    app: Flask, settings: Settings
) -> None:
    is_refused(app, **WRONG_SHOP)

    found = checks.invoices(settings)

    assert found.level == "fail"
    assert "1 of 1 could not be made" in found.text
    assert "shop_id: Unknown" in found.text
    assert "invoices create" in found.mend


@pytest.mark.parametrize("engine", ["sqlite"])
class TestInvoices:
    def test_one_that_was_made_shows_that_all_is_well(self, app: Flask, settings: Settings) -> None:
        make_open_order(app)

        assert checks.invoices(settings).level == "ok"

    def test_one_that_was_made_since_is_a_warning_only(
        self, app: Flask, settings: Settings
    ) -> None:
        is_refused(app, **WRONG_SHOP)
        make_open_order(app)

        found = checks.invoices(settings)

        assert (found.level, "one was made since" in found.text) == ("warn", True)

    def test_one_that_may_work_next_time_is_a_warning_only(
        self, app: Flask, settings: Settings
    ) -> None:
        is_refused(app, status=503)

        found = checks.invoices(settings)

        assert found.level == "warn"
        assert "attention list" not in found.mend  # it is not there

    def test_without_any_nothing_is_known(self, app: Flask, settings: Settings) -> None:
        found = checks.invoices(settings)

        assert found.level == "warn"
        assert "invoices create" in found.mend

    def test_a_quiet_week_is_no_warning(self, app: Flask, settings: Settings) -> None:
        _, payment = make_open_order(app)
        with transaction() as session:
            session.get_one(Payment, payment.id).created_at = utcnow() - timedelta(days=7)

        assert checks.invoices(settings).level == "ok"

    def test_a_refusal_of_last_week_is_told_by_its_day(
        self, app: Flask, settings: Settings
    ) -> None:
        is_refused(app, **WRONG_SHOP)
        last_week = utcnow() - timedelta(days=7)
        with transaction() as session:
            session.query(Payment).one().created_at = last_week

        found = checks.invoices(settings)

        assert found.level == "fail"
        assert f"1 of 1 could not be made; the last time, on {last_week:%Y-%m-%d}" in found.text


@pytest.mark.parametrize("engine", ["sqlite"])
class TestWhereTheProvidersAddressesLead:
    def test_an_api_that_sends_elsewhere_is_named_and_gets_no_key(self, settings: Settings) -> None:
        api = f"{settings.cryptocloud_api_url}/v1/invoice/info"
        there = "https://api.trybit.example/v1/invoice/info"
        with responses.RequestsMock() as provider:
            provider.get(api, status=301, headers={"Location": there})
            provider.get(there, status=401)

            (found,) = [f for f in checks.redirects(settings) if f.name == "api address"]

            assert all("Authorization" not in call.request.headers for call in provider.calls)
        assert found.level == "fail"
        assert "https://api.trybit.example" in found.text
        assert "CRYPTOCLOUD_API_URL" in found.mend

    @pytest.mark.parametrize(
        ("location", "level"),
        [
            ("http://localhost:5001/X", "ok"),
            ("/en/X", "ok"),
            ("https://pay.strange.example/X?key=secret", "fail"),
        ],
    )
    def test_a_pay_link_may_lead_on_to_listed_hosts_only(
        self, app: Flask, settings: Settings, location: str, level: str
    ) -> None:
        _, payment = make_open_order(app)
        with responses.RequestsMock(assert_all_requests_are_fired=False) as provider:
            provider.get(f"{settings.cryptocloud_api_url}/v1/invoice/info", status=401)
            provider.get(str(payment.pay_url), status=302, headers={"Location": location})
            for end in ("http://localhost:5001/X", "http://127.0.0.1:5001/en/X"):
                provider.get(end, status=200)

            (found,) = [f for f in checks.redirects(settings) if f.name == "pay page"]

        assert found.level == level
        assert "secret" not in found.text
        if level == "fail":
            assert "https://pay.strange.example" in found.text
            assert "CRYPTOCLOUD_PAY_HOSTS" in found.mend

    def test_what_does_not_answer_is_a_warning(self, app: Flask, settings: Settings) -> None:
        make_open_order(app)
        with responses.RequestsMock():
            assert {found.level for found in checks.redirects(settings)} == {"warn"}
