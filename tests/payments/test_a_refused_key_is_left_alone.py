"""After the provider has refused the API key, nobody knocks again for half a minute."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
import responses

from shop.payments.cryptocloud import CryptoCloud, InvoiceStatus, KeyRefused, Rejected, Unclear
from tests.payments.wire import (
    CREATE,
    CREATE_V2,
    INFO,
    INFO_V2,
    MADE,
    ask,
    make_client,
    make_client_v2,
)

OLDER_V2 = {"status": "error", "result": {"authorization": "Unauthorized request."}}
CALLS: dict[str, Callable[[CryptoCloud], object]] = {
    "create": ask,
    "info": lambda client: client.invoice_infos(["DZLF4212"]),
    "check": lambda client: client.check_key(),
}


def move_clock(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    real = time.monotonic
    monkeypatch.setattr(time, "monotonic", lambda: real() + seconds)


@pytest.mark.parametrize("status", [401, 403])
@pytest.mark.parametrize("call", CALLS)
@responses.activate
def test_every_call_is_refused_at_once_without_a_request(status: int, call: str) -> None:
    responses.get(INFO, status=status)
    client = make_client()
    with pytest.raises(KeyRefused):
        client.invoice_infos(["DZLF4212"])

    with pytest.raises(KeyRefused, match="a moment ago"):
        CALLS[call](client)

    assert len(responses.calls) == 1


@pytest.mark.parametrize(("status", "body"), [(400, OLDER_V2), (401, OLDER_V2), (200, OLDER_V2)])
@responses.activate
def test_v2_knows_its_own_ways_of_refusing_a_key(status: int, body: dict[str, object]) -> None:
    responses.post(CREATE_V2, status=status, json=body)
    client = make_client_v2()

    for _ in range(2):
        with pytest.raises(KeyRefused):
            ask(client)

    assert len(responses.calls) == 1


@responses.activate
def test_half_a_minute_later_the_key_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    responses.post(CREATE, status=401)
    client = make_client()
    with pytest.raises(KeyRefused):
        ask(client)
    responses.upsert(responses.POST, CREATE, json=MADE)

    with monkeypatch.context() as patch:
        move_clock(patch, 29)
        with pytest.raises(KeyRefused):
            ask(client)
    move_clock(monkeypatch, 31)

    assert ask(client).id == "DZLF4212"


@pytest.mark.parametrize("status", [400, 404, 406, 429, 500])
@responses.activate
def test_other_failures_stop_nobody(status: int) -> None:
    responses.post(CREATE, status=status)
    responses.get(INFO, json={"status": "success", "status_invoice": "paid"})
    client = make_client()
    with pytest.raises(Exception, match=str(status)):
        ask(client)

    assert client.invoice_infos(["DZLF4212"])["DZLF4212"].status is InvoiceStatus.PAID


@responses.activate
def test_another_client_is_not_stopped() -> None:
    responses.get(INFO, status=401)
    with pytest.raises(KeyRefused):
        make_client().invoice_infos(["DZLF4212"])
    responses.upsert(responses.GET, INFO, json={"status": "success", "status_invoice": "paid"})

    assert make_client().invoice_infos(["DZLF4212"])


@responses.activate
def test_a_server_that_failed_has_not_judged_the_key() -> None:
    responses.post(INFO_V2, status=500, json=OLDER_V2)

    with pytest.raises(Unclear):
        make_client_v2().invoice_infos(["DZLF4212"])


@responses.activate
def test_a_refusal_that_is_about_something_else_stops_nobody() -> None:
    body = {"status": "error", "result": {"validate_error": "authorization of what?"}}
    responses.post(INFO_V2, status=400, json=body)
    client = make_client_v2()

    for _ in range(2):
        with pytest.raises(Rejected) as error:
            client.invoice_infos(["DZLF4212"])
        assert error.type is Rejected
