"""What the report of a test invoice comes to, where the sandbox cannot play it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from shop.cli.verdicts import verdicts
from shop.payments.masking import Mask


def postback(**changes: Any) -> dict[str, Any]:
    fields = {
        "status": "success",
        "invoice_id": "<the invoice's id>",
        "amount_crypto": "10.8",
        "currency": "USDT_TRC20",
        "order_id": "<our reference>",
        "token": "<text of 120>",
        "invoice_info": {"test_mode": True},
    }
    token = {
        "kind": "token",
        "header": {"alg": "HS256"},
        "claims": {"id": "<the invoice's id>", "exp": 1800000000},
        "seconds_left": 299.5,
    }
    return {
        "at": "2026-11-29T08:00:00+00:00",
        "content_type": "application/json",
        "encoding": "json",
        "fields": fields | changes.pop("fields", {}),
        "token": token | changes.pop("token", {}),
        "judged": "proven",
        "why": "",
        "answered": 200,
        "took": 0.1,
    } | changes


def answer(call: str, body: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"at": "", "call": call, "status": 200, "body": body, "clock_ahead": 0.2} | more


MADE = {
    "status": "success",
    "pay_url": "https://pay.trybit.com/<the invoice's id>",
    "currency": "USDT",
    "invoice_id": "<the invoice's id>",
}


def report(**changes: Any) -> dict[str, Any]:
    return {
        "shop": {"api_version": "1", "pay_hosts": ["https://pay.trybit.com"]},
        "asked": {"amount": "10.00", "currency": "EUR"},
        "shop_says": "an invoice to pay",
        "answers": [answer("POST /v1/invoice/create", MADE)],
        "looks": [{"status": "created", "shop_says": "created"}],
        "postbacks": [postback()],
        "inbox": {"hits": 1},
        "ended": "2026-11-29T08:01:00+00:00",
    } | changes


def found(question: str, **changes: Any) -> tuple[str, str]:
    (verdict,) = [v for v in verdicts(report(**changes)) if v.question == question]
    return verdict.verdict, verdict.found


@pytest.mark.parametrize(
    ("question", "changed", "words"),
    [
        ("postback's encoding", {"encoding": "multipart"}, "multipart, under the label"),
        ("postback's encoding", {"content_type": "text/plain"}, "json, under the label text/plain"),
        ("postback's encoding", {"content_type": ""}, "(none)"),
        ("postback's invoice_id", {"fields": {"invoice_id": "INV-<the invoice's id>"}}, "INV-"),
        ("postback's order_id", {"fields": {"order_id": None}}, "None"),
        (
            "postback's invoice_info",
            {"fields": {"invoice_info": "<text of 9, no JSON>"}},
            "no JSON",
        ),
        ("postback's fields", {"fields": {"sign": "<text of 3>"}}, "ignores them: sign"),
        ("token's exp", {"token": {"claims": {"id": "x", "exp": 1.5}}}, "with a fraction"),
        ("token's exp", {"token": {"seconds_left": 3600.0}}, "3600.0 s after"),
        ("token's header", {"token": {"header": {"alg": "HS512"}}}, "HS512"),
        ("token's claims", {"token": {"claims": {"id": "x", "exp": 1, "iat": 2}}}, "iat 2"),
        ("token", {"token": {"header": "<text of 4, no JSON>"}}, "the postback was proven"),
        ("the shop's answer", {"answered": 500, "judged": "proven"}, "because: it broke"),
    ],
)
def test_an_odd_postback_is_named(question: str, changed: dict[str, Any], words: str) -> None:
    verdict, said = found(question, postbacks=[postback(**changed)])

    assert verdict == "otherwise"
    assert words in said


@pytest.mark.parametrize(
    ("told", "question", "verdict"),
    [
        ({"amount_in_fiat": 10.0, "fiat_currency": "USD"}, "amount's unit", "otherwise"),
        ({"amount_in_fiat": 9.2, "fiat_currency": "EUR"}, "amount's unit", "otherwise"),
        ({"amount_in_fiat": "10.00", "fiat_currency": "EUR"}, "amount's unit", "as expected"),
        ({"amount_usd": 10.0}, "amount in US dollars", "otherwise"),
        ({"amount_usd": 0.11}, "amount in US dollars", "otherwise"),
        ({"amount_usd": 10.9}, "amount in US dollars", "as expected"),
        ({}, "amount in US dollars", "not seen"),
    ],
)
def test_the_unit_of_the_amount_is_seen(told: dict[str, Any], question: str, verdict: str) -> None:
    row = answer("POST /v2/invoice/merchant/info", {"status": "success", "result": [told]})

    assert found(question, answers=[answer("POST /v1/invoice/create", MADE), row])[0] == verdict


def test_a_create_answer_with_other_fields_is_told_field_by_field() -> None:
    odd = {name: value for name, value in MADE.items() if name != "currency"} | {"fee": 1}
    made = [answer("POST /v1/invoice/create", odd, status=201)]

    verdict, said = found("create", answers=made)

    assert verdict == "otherwise"
    assert said.startswith("status 201, missing: currency; not known to this shop")
    assert "fee" in said


def test_clocks_apart_are_seen_and_repeats_are_told_with_their_intervals() -> None:
    late = [answer("POST /v1/invoice/create", MADE, clock_ahead=-75.0)]
    again = postback(at="2026-11-29T08:00:30+00:00")

    assert found("clock", answers=late) == ("otherwise", "the provider's is -75.0 s from ours")
    assert "2 came, 30 s apart" in found("postback", postbacks=[postback(), again])[1]
    stranger = postback(at="2026-11-29T07:59:00+00:00", judged="unsigned", answered=403)
    assert found("postback", postbacks=[stranger, postback()]) == ("as expected", "1 came")
    tried = [postback(answered=503), again]
    assert found("repeats after a failure", postbacks=tried)[0] == "as expected"


ODD = [{"a": 1}, [1], [True, "x"], True, "x", 5, "", {}, [], "NaN", "1e999", float("nan"), 10**400]
LINKS = [
    *("https://user:pw@pay.trybit.com/ABCD1234", "https://[::1]/ABCD1234", "https://[::1/ABCD1234"),
    *("mailto:a@b.example", "https://\u2100.example/x", "bitcoin:bc1qar0srrr7xfkvy5l643"),
]


@pytest.mark.parametrize("odd", [*ODD, *LINKS], ids=repr)
def test_whatever_is_told_is_masked_and_judged(odd: Any) -> None:
    mask = Mask("ABCD1234", "order-7")
    names = ("uuid", "link", "status", "invoice_status", "amount_in_fiat", "amount_usd")
    facts = dict.fromkeys((*names, "fiat_currency", "test_mode", "order_id"), odd)
    told = (facts, {"result": facts}, {"status": "success", "result": facts})
    lists = ({"status": "success", "result": [facts, {"invoice_status": "x"}]}, odd)
    for call in ("POST /v2/invoice/create", "POST /v2/invoice/merchant/info"):
        for body in (*told, *lists):
            masked = mask.answer(json.dumps(body).encode())
            for fields in ({"invoice_info": odd}, {"invoice_info": {"holds": odd}}):
                report_ = report(
                    answers=[answer(call, masked)],
                    postbacks=[
                        postback(fields=mask.object(fields.items()), token={"header": None})
                    ],
                )
                assert not [v for v in verdicts(report_) if "could not be judged" in v.found]


def test_a_question_that_cannot_be_judged_costs_no_other() -> None:
    broken = report(postbacks=[postback(at="never")])

    said = {each.question: each for each in verdicts(broken)}

    assert said["postbacks"].found == "could not be judged: ValueError"
    assert said["token's id"].verdict == "as expected"
