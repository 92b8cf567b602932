"""`create_invoice` sends what the provider documents, and takes what it documents."""

from __future__ import annotations

import json

import pytest
import responses
from responses.matchers import json_params_matcher, query_param_matcher

from shop.money import Money
from shop.payments.cryptocloud import CryptoCloudError, Invoice, Rejected, Unclear
from tests.payments.wire import API_KEY, CREATE, MADE, TEN_EUROS, ask, make_client


@responses.activate
def test_the_body_holds_the_documented_fields_and_nothing_else() -> None:
    body = {
        "shop_id": "SHOP000000000001",
        "amount": "10.00",
        "currency": "EUR",
        "order_id": "order-1",
        "email": "buyer@example.com",
    }
    matchers = [json_params_matcher(body, strict_match=True), query_param_matcher({})]
    responses.post(CREATE, json=MADE, match=matchers)

    invoice = ask(make_client())

    assert invoice == Invoice("DZLF4212", "https://pay.cryptocloud.plus/DZLF4212")


@responses.activate
def test_the_headers_name_the_key_and_forbid_packing() -> None:
    responses.post(CREATE, json=MADE)

    ask(make_client())

    headers = responses.calls[0].request.headers
    assert headers["Authorization"] == f"Token {API_KEY}"
    assert headers["Content-Type"] == "application/json"
    assert headers["Accept"] == "application/json"
    assert headers["Accept-Encoding"] == "identity"
    assert "Cookie" not in headers


@responses.activate
def test_an_amount_with_three_decimals_is_refused_and_not_rounded() -> None:
    """Nothing is sold in dinars; were it, 1.235 of them would have been billed as 1.24."""
    with pytest.raises(Rejected, match="an invoice has 2 decimals, and KWD has more"):
        make_client().create_invoice(Money(1235, "KWD"), reference="order-1")

    assert len(responses.calls) == 0


@responses.activate
def test_without_an_email_address_none_is_sent() -> None:
    responses.post(CREATE, json=MADE)

    make_client().create_invoice(TEN_EUROS, reference="order-1")

    assert "email" not in json.loads(responses.calls[0].request.body)


@pytest.mark.parametrize(
    ("amount", "sent"),
    [
        (Money(1000, "USD"), "10.00"),
        (Money(10, "EUR"), "0.10"),
        (Money(1, "GBP"), "0.01"),
        (Money(99_90, "UAH"), "99.90"),
        (Money(123_456_789_01, "RUB"), "123456789.01"),
        (Money(10**15, "RUB"), "10000000000000.00"),
    ],
)
@responses.activate
def test_the_amount_is_a_text_with_two_decimals_in_a_currency_that_is_named(
    amount: Money, sent: str
) -> None:
    responses.post(CREATE, json=MADE)

    make_client().create_invoice(amount, reference="order-1")

    body = json.loads(responses.calls[0].request.body)
    assert (body["amount"], body["currency"]) == (sent, amount.currency)


@pytest.mark.parametrize(
    "extras",
    [
        {"invoice_id": "INV-DZLF4212"},
        {"currency": None},
        {"currency": ["BTC"]},
        {"amount": 0.00012, "amount_usd": 10, "project": {"id": 1}},
    ],
)
@responses.activate
def test_a_reply_with_a_prefix_or_with_further_fields_is_understood(
    extras: dict[str, object],
) -> None:
    responses.post(CREATE, json=MADE | extras)

    invoice = ask(make_client())

    assert invoice == Invoice("DZLF4212", "https://pay.cryptocloud.plus/DZLF4212")


@responses.activate
def test_nothing_but_the_id_and_the_link_is_needed() -> None:
    responses.post(CREATE, json={name: MADE[name] for name in ("status", "invoice_id", "pay_url")})

    assert ask(make_client()).id == "DZLF4212"


@pytest.mark.parametrize(
    "invoice_id",
    [None, 4212, True, ["DZLF4212"], {}, "", "INV-", "dzlf4212", "DZL", "D" * 33, "DZLF-4212",
     "DZLF4212\n", " DZLF4212", "INV-INV-DZLF4212", "DZLF421２", "../DZLF4212"],
)  # fmt: skip
@responses.activate
def test_an_invoice_without_a_usable_id_may_exist_but_is_not_believed(invoice_id: object) -> None:
    responses.post(CREATE, json=MADE | {"invoice_id": invoice_id})

    with pytest.raises(Unclear, match="no usable invoice id"):
        ask(make_client())


@pytest.mark.parametrize("missing", ["invoice_id", "pay_url", "status"])
@responses.activate
def test_a_reply_that_lacks_a_needed_field_is_unclear(missing: str) -> None:
    responses.post(CREATE, json={name: MADE[name] for name in MADE if name != missing})

    with pytest.raises(Unclear):
        ask(make_client())


@pytest.mark.parametrize("status", [200, 302, 400, 401, 429, 500, 503])
@responses.activate
def test_a_call_that_fails_is_never_repeated_because_each_may_make_an_invoice(status: int) -> None:
    responses.post(CREATE, status=status, headers={"Retry-After": "0"})

    with pytest.raises(CryptoCloudError):
        ask(make_client())

    assert len(responses.calls) == 1
