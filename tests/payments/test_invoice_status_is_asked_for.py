"""`invoice_infos` is the one source of truth about money, so it believes only what it knows."""

from __future__ import annotations

import time
from datetime import UTC, datetime

import pytest
import responses
from responses.matchers import query_param_matcher

from shop.payments.cryptocloud import (
    InvoiceInfo,
    InvoiceStatus,
    KeyRefused,
    Rejected,
    Unavailable,
    Unclear,
)
from tests.payments.wire import API_KEY, INFO, TEN_EUROS, make_client


@responses.activate
def test_the_prefixed_id_goes_into_the_query_and_no_body_is_sent() -> None:
    matcher = query_param_matcher({"uuid": "INV-DZLF4212"})
    responses.get(INFO, json={"status": "success", "status_invoice": "paid"}, match=[matcher])

    make_client().invoice_infos(["DZLF4212"])

    request = responses.calls[0].request
    assert request.body is None
    assert request.headers["Authorization"] == f"Token {API_KEY}"


@pytest.mark.parametrize(
    ("said", "status"),
    [
        ("created", InvoiceStatus.CREATED),
        ("paid", InvoiceStatus.PAID),
        ("overpaid", InvoiceStatus.OVERPAID),
        ("partial", InvoiceStatus.PARTIAL),
        ("canceled", InvoiceStatus.CANCELED),
        ("cancelled", InvoiceStatus.CANCELED),
        ("expired", InvoiceStatus.CANCELED),
    ],
)
@responses.activate
def test_every_known_status_is_understood(said: str, status: InvoiceStatus) -> None:
    responses.get(INFO, json={"status": "success", "status_invoice": said})

    assert make_client().invoice_infos(["DZLF4212"]) == {"DZLF4212": InvoiceInfo(status)}


@pytest.mark.parametrize(
    "said",
    [..., "processing", "PAID", "paid ", "success", "refunded", "unknown", "", None, True, 1, ["paid"],
     {"paid": 1}],
)  # fmt: skip
@responses.activate
def test_a_status_that_is_not_known_is_never_guessed(said: object) -> None:
    told = {} if said is ... else {"status_invoice": said}
    responses.get(INFO, json={"status": "success", "result": "paid"} | told)

    info = make_client().invoice_infos(["DZLF4212"])["DZLF4212"]

    assert info.status is InvoiceStatus.UNKNOWN
    assert "this shop does not know" in info.problem
    if isinstance(said, str):
        assert said in info.problem


@pytest.mark.parametrize(
    "reply",
    [
        {"status_invoice": "paid"},
        {"status": "paid", "status_invoice": "paid"},
        {"status": True, "status_invoice": "paid"},
        [{"status": "success", "status_invoice": "paid"}],
        "paid",
        None,
    ],
)
@responses.activate
def test_only_a_reply_of_the_documented_shape_can_say_paid(reply: object) -> None:
    responses.get(INFO, json=reply)

    with pytest.raises(Unclear):
        make_client().invoice_infos(["DZLF4212"])


@responses.activate
def test_an_error_that_also_names_a_status_is_an_error() -> None:
    responses.get(INFO, json={"status": "error", "status_invoice": "paid"})

    with pytest.raises(Rejected):
        make_client().invoice_infos(["DZLF4212"])


@responses.activate
def test_the_key_is_good_when_the_provider_answers_that_there_is_no_such_invoice() -> None:
    responses.get(INFO, status=400, json={"status": "error", "error": "Invoice not found"})

    make_client().check_key()

    assert len(responses.calls) == 1


@pytest.mark.parametrize(
    ("date", "ahead"),
    [
        ("Sun, 22 Nov 2026 10:00:30 GMT", 30),
        ("Sun, 22 Nov 2026 09:55:00 GMT", -300),
        ("Sun, 22 Nov 2026 10:00:00 -0000", 0),
        (None, None),
        ("", None),
        ("yesterday", None),
        ("Sun, 99 Nov 2026 10:00:30 GMT", None),
    ],
)
@responses.activate
def test_looking_at_the_key_tells_how_far_the_providers_clock_is_ahead(
    monkeypatch: pytest.MonkeyPatch, date: str | None, ahead: float | None
) -> None:
    now = datetime(2026, 11, 22, 10, 0, tzinfo=UTC).timestamp()
    monkeypatch.setattr(time, "time", lambda: now)
    headers = {} if date is None else {"Date": date}
    responses.get(INFO, status=400, json={"status": "error"}, headers=headers)

    found = make_client().check_key()

    assert found == (ahead and pytest.approx(ahead, abs=1)), (
        "what the call itself took is taken off"
    )


@responses.activate
def test_v1_has_no_list_to_look_through_and_nothing_to_cancel_with() -> None:
    client = make_client()

    assert client.find_invoice("order-1", TEN_EUROS, datetime(2026, 11, 22, tzinfo=UTC)) is None
    client.cancel_invoice("DZLF4212")

    assert len(responses.calls) == 0


def test_v1_asks_about_one_invoice_at_a_time() -> None:
    assert make_client().batch == 1
    with pytest.raises(ValueError, match="unpack"):
        make_client().invoice_infos(["DZLF4212", "DZLF4213"])


@pytest.mark.parametrize(
    ("status", "error"), [(401, KeyRefused), (429, Unavailable), (500, Unclear)]
)
@responses.activate
def test_the_key_is_not_called_good_when_it_is_refused_or_nobody_knows(
    status: int, error: type[Exception]
) -> None:
    responses.get(INFO, status=status)

    with pytest.raises(error):
        make_client().check_key()
