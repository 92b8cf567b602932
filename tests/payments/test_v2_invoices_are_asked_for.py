"""`create_invoice` in API v2: the same order, a life of its own, and a reply that must fit it."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone

import pytest
import responses
from responses.matchers import json_params_matcher

from shop.money import Money
from shop.payments.cryptocloud import (
    CryptoCloudError,
    Invoice,
    KeyRefused,
    ProjectRefused,
    Rejected,
    Unclear,
    Untrusted,
)
from tests.payments.wire import API_KEY, CREATE_V2, MADE_V2, ask, make_client_v2, well

LINK = "https://pay.cryptocloud.plus/DZLF4212"


@responses.activate
def test_the_body_holds_the_documented_fields_and_nothing_else() -> None:
    body = {
        "shop_id": "SHOP000000000001",
        "amount": "10.00",
        "currency": "EUR",
        "order_id": "order-1",
        "email": "buyer@example.com",
        "add_fields": {"time_to_pay": {"hours": 24, "minutes": 0}},
    }
    responses.post(CREATE_V2, json=well(MADE_V2), match=[json_params_matcher(body)])

    invoice = ask(make_client_v2())

    assert (invoice.id, invoice.pay_url) == ("DZLF4212", LINK)
    assert responses.calls[0].request.headers["Authorization"] == f"Token {API_KEY}"


@pytest.mark.parametrize(
    ("life", "sent"),
    [
        (timedelta(hours=1), {"hours": 1, "minutes": 0}),
        (timedelta(minutes=90), {"hours": 1, "minutes": 30}),
        (timedelta(days=30), {"hours": 720, "minutes": 0}),
    ],
)
@responses.activate
def test_the_time_to_pay_is_sent_in_hours_and_minutes(
    life: timedelta, sent: dict[str, int]
) -> None:
    responses.post(CREATE_V2, json=well(MADE_V2))

    ask(make_client_v2(invoice_life=life))

    body = json.loads(responses.calls[0].request.body)
    assert body["add_fields"] == {"time_to_pay": sent}


@pytest.fixture
def in_japan(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The machine's own time zone is another than UTC."""
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "Asia/Tokyo")
        time.tzset()
        yield
    time.tzset()


@pytest.mark.usefixtures("in_japan")
@pytest.mark.parametrize("after", [timedelta(minutes=1), timedelta(hours=2), timedelta(hours=25)])
@pytest.mark.parametrize(
    "form", ["%Y-%m-%d %H:%M:%S.%f", "%Y-%m-%dT%H:%M:%S.%fZ", "with an offset"]
)
@responses.activate
def test_the_end_of_the_invoices_life_is_handed_on(after: timedelta, form: str) -> None:
    end = datetime.now(UTC) + after
    moscow = end.astimezone(timezone(timedelta(hours=3)))
    told = moscow.isoformat() if form == "with an offset" else f"{end:{form}}"
    responses.post(CREATE_V2, json=well(MADE_V2 | {"expiry_date": told}))

    expires_at = ask(make_client_v2(invoice_life=timedelta(hours=2))).expires_at

    assert expires_at == end
    assert expires_at.tzinfo is UTC


@pytest.mark.parametrize(
    "date",
    [None, "", 7, [], "tomorrow", "2020-01-01 00:00:00.000000", "9999-01-01 00:00:00", "2026-13-01",
     "0001-01-01T00:00:00+14:00"],
)  # fmt: skip
@responses.activate
def test_an_end_that_cannot_be_is_no_end(date: object) -> None:
    responses.post(CREATE_V2, json=well(MADE_V2 | {"expiry_date": date}))

    assert ask(make_client_v2()) == Invoice("DZLF4212", LINK, None)


@pytest.mark.parametrize("amount", ["10.00", "10", 10, 10.0])
@responses.activate
def test_the_amount_may_be_written_as_a_number_or_as_text(amount: object) -> None:
    responses.post(CREATE_V2, json=well(MADE_V2 | {"amount_in_fiat": amount}))

    assert ask(make_client_v2()).id == "DZLF4212"


@pytest.mark.parametrize(
    "wrong",
    [
        {"amount_in_fiat": 10.01},
        {"amount_in_fiat": 1000},
        {"amount_in_fiat": "10,00"},
        {"amount_in_fiat": True},
        {"amount_in_fiat": 9.994},
        {"fiat_currency": "USD"},
        {"fiat_currency": "eur"},
        {"amount_in_fiat": None, "fiat_currency": "USD"},
        {"amount_in_fiat": 10.01, "fiat_currency": None},
    ],
)
@responses.activate
def test_an_invoice_for_another_amount_is_not_shown_to_anybody(wrong: dict[str, object]) -> None:
    responses.post(CREATE_V2, json=well(MADE_V2 | wrong))

    with pytest.raises(Unclear, match=r"amount|clearly"):
        ask(make_client_v2())


@pytest.mark.parametrize(
    "less",
    [
        {"amount_in_fiat": None},
        {"amount_in_fiat": 0.0},
        {"amount_in_fiat": 9.999999999999998},
        {"fiat_currency": None},
        {"fiat_currency": "", "amount_in_fiat": ""},
    ],
)
@responses.activate
def test_what_the_reply_does_not_tell_is_not_held_against_it(less: dict[str, object]) -> None:
    responses.post(CREATE_V2, json=well(MADE_V2 | less))

    assert ask(make_client_v2()).id == "DZLF4212"


@pytest.mark.parametrize(("told", "is_test"), [(True, True), (False, False), (None, False)])
@responses.activate
def test_a_test_invoice_is_told_as_one(told: bool | None, is_test: bool) -> None:
    responses.post(CREATE_V2, json=well(MADE_V2 | {"test_mode": told}))

    assert ask(make_client_v2()).test_mode is is_test


@pytest.mark.parametrize(
    "wrong",
    [
        {"link": "https://elsewhere.example/DZLF4212"},
        {"link": "https://elsewhere.example/DZLF4212", "test_mode": True},
        {"amount_in_fiat": 10.01},
        {"amount_in_fiat": "ten", "test_mode": True},
        {"test_mode": "true"},
        {"test_mode": 1},
        {"test_mode": ""},
    ],
)
@responses.activate
def test_a_refused_reply_says_which_invoice_was_made_and_whether_it_may_be_a_test(
    wrong: dict[str, object],
) -> None:
    """It exists, so that somebody has to watch it."""
    responses.post(CREATE_V2, json=well(MADE_V2 | wrong))

    with pytest.raises(Untrusted) as refused:
        ask(make_client_v2())

    assert refused.value.invoice_id == "DZLF4212"
    assert refused.value.test_mode is bool(wrong.get("test_mode"))


@responses.activate
def test_an_amount_is_compared_to_the_last_digit() -> None:
    body = json.dumps(well(MADE_V2 | {"fiat_currency": "RUB"}))
    assert '"amount_in_fiat": 10.0,' in body
    responses.post(CREATE_V2, body=body.replace(": 10.0,", ": 9999999999999.99,"))
    client = make_client_v2()

    client.create_invoice(Money(10**15 - 1, "RUB"), reference="order-1")
    with pytest.raises(Unclear):
        client.create_invoice(Money(10**15, "RUB"), reference="order-1")


@pytest.mark.parametrize(
    "reply",
    [
        {"status": "success"},
        well(None),
        well("DZLF4212"),
        well([MADE_V2]),
        well({}),
        well(MADE_V2 | {"uuid": None}),
        well(MADE_V2 | {"uuid": 4212}),
        well(MADE_V2 | {"uuid": "inv-dzlf4212"}),
        well(MADE_V2 | {"uuid": ["INV-DZLF4212"]}),
        {"status": "success"} | MADE_V2,
        {"result": MADE_V2},
    ],
)
@responses.activate
def test_a_reply_of_another_shape_is_unclear(reply: object) -> None:
    responses.post(CREATE_V2, json=reply)

    with pytest.raises(Unclear):
        ask(make_client_v2())


@pytest.mark.parametrize(
    ("status", "result", "error", "said"),
    [
        (400, {"amount": "A valid number is required."}, Rejected, "A valid number is required"),
        (400, {"validate_error": "Something"}, Rejected, "Something"),
        (400, {"authorization": "Unauthorized request."}, KeyRefused, "refused the API key"),
        (401, {"authorization": "Unauthorized request."}, KeyRefused, "refused the API key"),
        (200, {"shop_id": "Unknown shop"}, Rejected, "Unknown shop"),
        (500, {"amount": "x"}, Unclear, "500"),
    ],
)
@responses.activate
def test_a_refusal_says_why_in_the_providers_words(
    status: int, result: object, error: type[CryptoCloudError], said: str
) -> None:
    responses.post(CREATE_V2, status=status, json={"status": "error", "result": result})

    with pytest.raises(CryptoCloudError, match=said) as raised:
        ask(make_client_v2())

    assert raised.type is error
    assert len(responses.calls) == 1


@responses.activate
def test_a_refusal_with_a_detail_only_is_about_the_project() -> None:
    responses.post(CREATE_V2, status=403, json={"detail": "Forbidden"})

    with pytest.raises(ProjectRefused, match="Forbidden"):
        ask(make_client_v2())
