"""What an answer means for the invoice: none was made, none for now, or nobody knows."""

from __future__ import annotations

import contextlib
import json
import time
from datetime import UTC, datetime

import pytest
import responses
from hypothesis import given
from hypothesis import strategies as st

from shop.payments.cryptocloud import (
    Blocked,
    CryptoCloudError,
    KeyRefused,
    Moved,
    NotSent,
    NotTheApi,
    ProjectRefused,
    Rejected,
    TooManyCalls,
    Unavailable,
    Unclear,
    UnclearInvoice,
    Unreadable,
    Untrusted,
)
from tests.payments.wire import CREATE, INFO, MADE, ask, make_client, patient

HTML = "<html><body><h1>502 Bad Gateway</h1></body></html>"
CLOUDFLARE = json.dumps(
    {"title": "Error 1010: Access denied", "status": 403, "cloudflare_error": True}
)
WELL = json.dumps(MADE | {"status_invoice": "paid"})
"""What would be believed if it came with 200."""
ANSWERS = [
    (400, '{"status":"error","error":"amount is required"}', Rejected),
    (400, HTML, Blocked),
    (400, "", Rejected),
    (401, '{"message":"Unauthenticated."}', KeyRefused),
    (401, HTML, Blocked),
    (401, f"\ufeff{HTML}", Blocked),
    (401, "Access denied", Blocked),
    (401, CLOUDFLARE, Blocked),
    (401, "", KeyRefused),
    (403, '{"detail":"Forbidden"}', ProjectRefused),
    (403, '{"detail":"Project is not active"}', ProjectRefused),
    (403, '{"detail":"Invalid token."}', KeyRefused),
    (403, '{"detail":"Authentication credentials were not provided."}', KeyRefused),
    (403, "", KeyRefused),
    (403, HTML, Blocked),
    (403, "error code: 1020", Blocked),
    (403, CLOUDFLARE, Blocked),
    (403, '{"type":"https://developers.cloudflare.com/1xxx/","title":"Error 1010"}', Blocked),
    (403, '["Project is not active"]', ProjectRefused),
    (400, '["Minimum amount is 1 USD"]', Rejected),
    (400, '"Minimum amount is 1 USD"', Rejected),
    (400, '{"shop_id":["Unknown"]}', Rejected),
    (402, '{"detail":"Pay first"}', Rejected),
    (400, '{"status":"error","error":"Minimum amount is 0.1 USD"}', Rejected),
    (400, '{"status":"error","result":{"shop_id":"Unknown shop"}}', Rejected),
    (200, '{"status":"error","result":{"shop_id":"Unknown shop"}}', Rejected),
    (200, '{"detail":"Project is not active"}', Rejected),
    (400, '{"status":"error","result":{"rate_limit":"5 per minute"}}', Unavailable),
    (200, '{"status":"error","result":{"rate_limit":"5 per minute"}}', Unavailable),
    (403, '{"status":"error","result":{"rate_limit":"5 per minute"}}', Unavailable),
    (400, '{"status":"error","error":"Too many requests per minute"}', Unavailable),
    (400, '{"detail":"Request was throttled."}', Unavailable),
    (400, '{"status":"error","error":"Too many decimals"}', Rejected),
    (405, HTML, Blocked),
    (405, '{"detail":"Method not allowed"}', NotTheApi),
    (410, '{"message":"API v1 was switched off"}', NotTheApi),
    (404, '{"detail":"Not found."}', NotTheApi),
    (404, '{"status":"error","error":"Invoice is not found"}', Rejected),
    (410, "gone", Blocked),
    (404, HTML, Blocked),
    (404, "", NotTheApi),
    (406, '{"error":"Service not available"}', Unavailable),
    (408, "", Unclear),
    (409, "", Unclear),
    (422, '{"status":"error","result":{"amount":"too small"}}', Rejected),
    (425, "", Unclear),
    (429, "", Unavailable),
    (401, "[" * 60_000, Blocked),
    (206, WELL, Unreadable),
    (204, "", Unreadable),
    (300, "", Moved),
    (301, "", Moved),
    (302, '{"status":"error"}', Moved),
    (500, '{"status":"error","error":"boom"}', Unclear),
    (502, HTML, Unclear),
    (503, "", Unclear),
    (504, "", Unclear),
    (200, '{"status":"error","error":"shop not found"}', Rejected),
    (200, '{"status":"error"}', Rejected),
    (200, '{"status":"ERROR"}', Rejected),
    (200, '{"status":"fail","message":"Project is blocked"}', Rejected),
    (200, '{"status":400,"error":"Project is blocked"}', Rejected),
    (200, '{"status":"fail"}', Unreadable),
    (200, '{"status":"Success","message":"Made"}', Unreadable),
    (200, '{"status":"ok","result":{"uuid":"INV-DZLF4212"}}', Unreadable),
    (200, HTML, Unreadable),
    (200, "", Unreadable),
    (200, '{"status":"success","pay_url":"https://pay.crypto', Unreadable),
    (200, '"success"', Unreadable),
    (200, "[]", Unreadable),
    (200, "null", Unreadable),
    (200, "{}", Unreadable),
    (200, '{"status":"SUCCESS"}', Unreadable),
    (200, '{"status":["success"]}', Unreadable),
    (200, "[" * 60_000, Unreadable),
    (200, '{"status":' + "9" * 60_000 + "}", Unreadable),
    (200, "\udcff\udcfe", Unreadable),
]


@pytest.mark.parametrize(("status", "body", "error"), ANSWERS)
@responses.activate
def test_an_answer_means_the_same_for_both_calls(
    status: int, body: str, error: type[CryptoCloudError]
) -> None:
    raw = body.encode("utf-8", "surrogateescape")
    responses.post(CREATE, status=status, body=raw)
    responses.get(INFO, status=status, body=raw)

    with pytest.raises(CryptoCloudError) as created:
        ask(make_client())
    with pytest.raises(CryptoCloudError) as asked:
        make_client().invoice_infos(["DZLF4212"])

    assert (created.type, asked.type) == (error, error)


@responses.activate
def test_an_invoice_may_be_called_created() -> None:
    responses.post(CREATE, status=201, body=WELL)
    responses.get(INFO, status=201, body=WELL)

    assert ask(make_client()).id == "DZLF4212"
    assert make_client().invoice_infos(["DZLF4212"])["DZLF4212"].status == "paid"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@responses.activate
def test_a_redirect_is_not_followed_and_its_host_is_named(status: int) -> None:
    responses.post(CREATE, status=status, headers={"Location": "https://api.trybit.com/v1/secret"})

    with pytest.raises(Moved) as error:
        ask(make_client())

    assert str(error.value) == f"the API's address sends to api.trybit.com ({status})"
    assert error.value.host == "api.trybit.com"
    assert error.value.lasts
    assert len(responses.calls) == 1  # the key went to nobody else


@pytest.mark.parametrize(
    "headers",
    [{}, {"Location": "/maintenance"}, {"Location": CREATE + "/"}, {"Location": "http://["}],
)
@responses.activate
def test_a_redirect_to_no_other_host_is_not_called_a_move(headers: dict[str, str]) -> None:
    responses.post(CREATE, status=302, headers=headers)

    with pytest.raises(Moved, match=r"redirect to no other host \(302\)") as error:
        ask(make_client())

    assert not error.value.host


@responses.activate
def test_a_page_that_says_200_is_called_something_in_between() -> None:
    """And it stays unclear: an invoice may have been made behind it."""
    responses.post(CREATE, body=HTML, headers={"Server": "cloudflare"})

    with pytest.raises(Unreadable, match=r"in between .* \(200\), which calls itself cloudflare"):
        ask(make_client())


@pytest.mark.parametrize(("status", "kind"), [(200, Unreadable), (403, Blocked)])
@responses.activate
def test_what_has_neither_name_nor_words_is_told_without_them(
    status: int, kind: type[CryptoCloudError]
) -> None:
    responses.post(CREATE, status=status, body=HTML)

    with pytest.raises(kind) as error:
        ask(make_client())

    assert str(error.value) == f"something in between answered in the API's place ({status})"


@responses.activate
def test_an_answer_that_says_neither_yes_nor_no_is_told_with_its_status() -> None:
    responses.post(CREATE, status=206, body=WELL)

    with pytest.raises(Unreadable, match=r"^the answer \(206\) says neither success nor error$"):
        ask(make_client())


@responses.activate
def test_a_wall_that_speaks_json_is_told_in_its_words() -> None:
    responses.post(CREATE, status=403, json={"cloudflare_error": True, "detail": "1010 banned"})

    with pytest.raises(Blocked, match=r"in the API's place \(403\): 1010 banned$"):
        ask(make_client())


@responses.activate
def test_something_in_between_is_called_by_the_name_it_gives_itself() -> None:
    responses.post(CREATE, status=403, body=HTML, headers={"Server": "cloudflare\u00ff" + "x" * 99})

    with pytest.raises(Blocked, match="which calls itself cloudflare") as error:
        ask(make_client())

    assert str(error.value).isascii()
    assert len(str(error.value)) < 150


@responses.activate
def test_a_rate_limit_waits_for_its_minute() -> None:
    responses.post(CREATE, status=400, json={"status": "error", "result": {"rate_limit": "wait"}})

    with pytest.raises(Unavailable, match="rate_limit: wait") as error:
        ask(make_client())

    assert error.value.retry_after == 60


LASTING = (
    KeyRefused, ProjectRefused, Blocked, NotTheApi, Rejected, Moved, Untrusted, Unreadable,
)  # fmt: skip
PASSING = (NotSent, TooManyCalls, Unavailable, Unclear, UnclearInvoice)


def test_each_error_says_whether_it_lasts() -> None:
    assert all(error.lasts for error in LASTING)
    assert not any(error.lasts for error in PASSING)


def test_the_error_tree_is_as_drawn() -> None:
    assert {c.__name__ for c in CryptoCloudError.__subclasses__()} == {
        "NotSent", "Rejected", "Unclear",
    }  # fmt: skip
    assert issubclass(TooManyCalls, NotSent)
    assert issubclass(KeyRefused, Rejected)
    assert issubclass(Unavailable, Rejected)
    assert issubclass(ProjectRefused, Rejected)
    assert issubclass(Blocked, Rejected)
    assert issubclass(NotTheApi, Blocked)
    assert issubclass(Unreadable, Unclear)
    assert issubclass(Moved, Unclear)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ({"error": "no such shop"}, "no such shop"),
        ({"message": "Unsupported currency"}, "Unsupported currency"),
        ({"detail": "wrong amount"}, "wrong amount"),
        ({"result": {"amount": "must be positive"}}, "amount: must be positive"),
        ({"error": "", "message": "the second name"}, "the second name"),
        ({"error": None}, "no reason given"),
        ({"status": "error"}, "no reason given"),
        ({"amount": ["Not less than 10.", "Odd."]}, "amount: Not less than 10., Odd"),
        (["Minimum amount is 1 USD"], "Minimum amount is 1 USD"),
        ({"amount": "too small", "currency": ["odd"]}, "amount: too small; currency: odd"),
        ({"error": " . Not X. "}, "Not X"),
        ({"error": "XX"}, "XX"),
        ({"error": "w" * 201}, "w" * 200),
        ({"error": "Email a.b+c@x.example is bad"}, "Email <an email address> is bad"),
        ({"error": [{"to": "a%40x.example"}]}, "{'to': '<an email address>'}"),
        ({"a@x.example": "known"}, "<an email address>: known"),
    ],
)
@responses.activate
def test_a_refusal_repeats_the_providers_words_under_whichever_name_they_came(
    body: object, reason: str
) -> None:
    responses.post(CREATE, status=400, json=body)

    with pytest.raises(Rejected) as error:
        ask(make_client())

    assert str(error.value) == f"the provider said no (400): {reason}"


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("20", 20),
        ("0", 0),
        ("999999", 3600),
        ("Sun, 22 Nov 2026 10:01:00 GMT", 60),
        ("Sun, 22 Nov 2026 09:00:00 GMT", 0),
        ("Sun, 22 Nov 2099 09:00:00 GMT", 3600),
        (None, None),
        ("", None),
        ("-5", None),
        ("1.5", None),
        ("soon", None),
        ("9" * 5000, None),
    ],
)
@pytest.mark.parametrize("status", [406, 429])
@responses.activate
def test_who_is_told_to_come_back_later_hears_when(
    monkeypatch: pytest.MonkeyPatch, status: int, header: str | None, seconds: float | None
) -> None:
    now = datetime(2026, 11, 22, 10, 0, tzinfo=UTC).timestamp()
    monkeypatch.setattr(time, "time", lambda: now)
    responses.post(CREATE, status=status, headers={} if header is None else {"Retry-After": header})

    with pytest.raises(Unavailable) as error:
        ask(make_client())

    assert error.value.retry_after == seconds


@responses.activate
def test_the_providers_words_are_kept_to_one_short_line_of_plain_characters() -> None:
    words = "first line\r\n\x1b[31m{\u202e}" + "x" * 5000
    responses.post(CREATE, status=400, body=json.dumps({"error": words}))

    with pytest.raises(Rejected) as error:
        ask(make_client())

    text = str(error.value)
    assert len(text) < 300
    assert text.isascii()
    assert text.isprintable()


@patient
@given(status=st.integers(100, 599), body=st.binary(max_size=200))
def test_no_answer_whatsoever_makes_the_client_raise_anything_else(
    status: int, body: bytes
) -> None:
    client = make_client(call_seconds=10)
    with responses.RequestsMock() as provider:
        provider.post(CREATE, status=status, body=body)

        with pytest.raises(CryptoCloudError):
            ask(client)


SCALARS = st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=20)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner)
)


@patient
@given(
    reply=st.fixed_dictionaries(
        {},
        optional={
            "status": st.just("success") | st.just("error") | VALUES,
            "invoice_id": st.just("DZLF4212") | VALUES,
            "pay_url": st.just("https://pay.cryptocloud.plus/X") | VALUES,
            "error": VALUES,
        },
    ),
    status=st.sampled_from([200, 200, 200, 400, 401, 406, 500]),
)
def test_no_shape_of_reply_makes_the_client_raise_anything_else(
    reply: dict[str, object], status: int
) -> None:
    client = make_client(call_seconds=10)
    with responses.RequestsMock() as provider:
        provider.post(CREATE, status=status, body=json.dumps(reply))

        with contextlib.suppress(CryptoCloudError):
            assert ask(client).id == "DZLF4212"
