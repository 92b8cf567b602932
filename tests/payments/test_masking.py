"""What is masked in the report of a test invoice, and what stays readable."""

from __future__ import annotations

import json
import time
from typing import Any

import jwt
import pytest

from shop.payments.masking import Mask
from shop.payments.recording import Sight

SECRET = "the-secret-key-of-this-shop"
MASK = Mask(
    "ABCD1234", "order-7", ["SHOPID0123456789", SECRET, "hunter", "123456"], ["sandbox:5001"]
)


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("status", "paid", "paid"),
        ("status", "SHOPID0123456789", "<text of 16>"),
        ("status", "hunter", "<text of 6>"),
        ("status", "380501234567", "<text of 12>"),
        ("status", "T" + "x" * 33, "<text of 34>"),
        ("type", "John Smith", "<text of 10>"),
        ("code", "USDT_TRC20", "USDT_TRC20"),
        ("code", "binancecleos", "<text of 12>"),
        ("invoice_info[status]", "paid", "paid"),
        ("order_id", "order-7", "<our reference>"),
        ("order_id", "order-8", "<text of 7>"),
        ("order_id", None, None),
        ("anything", "INV-ABCD1234", "INV-<the invoice's id>"),
        ("created", "2026-11-29 08:00:00.123456", "<text of 26>"),
        ("created", "2026-11-29 08:00:00.123", "2026-11-29 08:00:00.123"),
        ("created", "4111 1111 1111 1111", "<text of 19>"),
        ("expiry_date", "+380 50 123 45 67", "<text of 17>"),
        ("exp", 1800000000, 1800000000),
        ("exp", 380501234567, "<number of 12>"),
        ("nbf", 10**400, "<number of 401>"),
        ("step", 4111111111111111, "<number of 16>"),
        ("amount_usd", "10.50", "10.50"),
        ("amount_usd", "TXabc", "<text of 5>"),
        ("amount_wallet_of_buyer", "10", "<text of 2>"),
        ("amount", 10.5, 10.5),
        ("amount", 9.999999999999998, 9.999999999999998),
        ("amount", 123456, "<number of 6>"),
        ("amount", "4111111111111111", "<text of 16>"),
        ("amount", 10**400, "<number of 401>"),
        ("amount", float("inf"), "<number of 3>"),
        ("phone", 380501234567, "<number of 12>"),
        ("tx_list", ["0x" + "f" * 64], ["<text of 66>"]),
        ("link", "https://pay.x/ABCD1234?lang=en&key=q", "https://pay.x/<the invoice's id>?lang=en&key=<1>"),
        ("link", "http://sandbox:5001/INV-ABCD1234", "http://sandbox:5001/INV-<the invoice's id>"),
        ("link", "a:b@pay.x/ABCD1234", "<host of 9>/<the invoice's id>"),
        ("link", "pay.x/pos/Zz9", "pay.x/pos/<3>"),
        ("link", "https://SHOPID0123456789.pay.x/", "https://<host of 22>/"),
        ("link", "https://hunter.x/ABCD1234", "<text of 25, no link to a page>"),
        ("link", "https://pay.x/?you@b.example=1&lang=hunter", "https://pay.x/?<13>=<1>&lang=<6>"),
        ("link", "ton://transfer/TJRyWwFs9wTFGZg3", "<text of 31, no link to a page>"),
        ("link", "bitcoin:bc1qar0srrr7xfkvy5l643", "<host of 30>"),
        ("link", "TJRyWwFs9wTFGZg3JbrVriFbNfCug5", "<host of 30>"),
        ("deep", [[[[[[1]]]]]], [[[[["<list of 1>"]]]]]),
        ("many", list(range(12)), ["<number of 1>"] * 10 + ["<2 more>"]),
    ],
)  # fmt: skip
def test_only_listed_values_are_kept(name: str, value: Any, shown: Any) -> None:
    assert MASK.value(name, value) == shown


def test_names_that_are_no_names_are_masked_too() -> None:
    given = [("a@b.example", 1), ("TQn9Y2khEsLJW1ChVWFMSMeRDow5KcbLSE", 2), ("hunter", 5)]
    given += [("binanceacc12", 6), ("tx_list[10][hash]", 7), ("amount_2", 8)]

    shown = list(MASK.object([*given, ("x", 3), ("x", 4)]))

    masked = ["<name of 11>", "<name of 34>", "<name of 6>", "<name of 12>"]
    assert shown == [*masked, "tx_list[10][hash]", "amount_2", "x", "x (again)"]
    assert MASK.object((f"n{chr(97 + i % 26)}_{'x' * (i // 26)}", 1) for i in range(200))[
        "<more names>"
    ]


def test_an_invoice_that_nobody_knows_yet_is_seen_in_nothing() -> None:
    told = {"status": "success", "invoice_id": "", "pay_url": "https://pay.x/r/"}

    assert Mask("", "order-7").answer(json.dumps(told).encode()) == told


@pytest.mark.parametrize(
    "words",
    [
        "Minimum amount is 0.1 USD",
        "Amount must be from 10 to 10000 USD; you asked for 10.50 (EUR)",
        "Rejected: the provider said no (400): shop_id: Project isn't active!",
        "USDT_TRC20 and USDT_ERC20 are not available_currencies",
        "Сумма слишком мала",
    ],
)
def test_the_words_of_a_refusal_stay_readable(words: str) -> None:
    assert MASK.reason(words) == words


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        (f"a@b.example is bad, {SECRET}", "[hidden] is bad, [hidden]"),
        ("bad jo%40ex.co", "bad [hidden]"),
        ("bad jo\uff20ex.co", "bad [hidden]"),
        ("bad j***@ex.co", "bad [hidden]"),
        ("Key HUNTER is bad", "Key [hidden] is bad"),
        ("key hun\u200bter", "key [hidden]"),
        ("phone +380501234567", "phone [hidden]"),
        ("phone: +380 (50) 123-45 67 is bad", "phone: [hidden] is bad"),
        ("card 4111 1111 1111 1111", "card [hidden]"),
        ("address bc1q ar0s rrr7 xfkv y5l6 43ly dnw9 re59 gtzz wf5m dq", "address [hidden]"),
        ("address T'JRyWwFs9wTFGZ'g3JbrVriFbNf'Cug5tDeC", "address [hidden]"),
        ("address 0x7a7b7c7d7e7f7a7b7c7d", "address [hidden]"),
        ("invoice INV-ABCD1234, order order-7.", "invoice INV-<the invoice's id>, order <our reference>."),
        ("x" * 5000, "[hidden]"),
        ("x " * 5000 + SECRET, ("x " * 100)),
        (("y" * 99 + " ") * 19 + "z" * 85 + f" {SECRET}", " ".join(["[hidden]"] * 21)),
    ],
)  # fmt: skip
def test_what_is_no_plain_word_of_a_refusal_is_hidden(words: str, shown: str) -> None:
    assert MASK.reason(words) == shown


def test_a_short_reference_splits_nothing_that_is_hidden() -> None:
    told = Mask("ABCD1234", "7").reason("order 7: address 0x7a7b7c7d7e7f7a7b7c7d")

    assert told == "order <our reference>: address [hidden]"


def test_only_a_reply_that_says_no_keeps_words_and_none_about_an_invoice() -> None:
    said = {"email": f"a@b.example is bad, {SECRET}", "amount": "Minimum amount is 0.1 USD"}
    facts = {"uuid": "INV-ABCD1234", "client": "John Smith", "phone": "+380501234567"}

    def told(**body: Any) -> Any:
        return MASK.answer(json.dumps(body).encode())

    assert told(status="error", result=said)["result"] == {
        "email": "[hidden] is bad, [hidden]",
        "amount": "Minimum amount is 0.1 USD",
    }
    for body in ({"result": facts}, {"status": "ok", "result": {"data": [facts]}}):
        assert "John" not in json.dumps(told(**body))
        assert "INV-<the invoice's id>" in json.dumps(told(**body))
    assert told(status="success", message="John Smith")["message"] == "<text of 10>"
    assert MASK.answer(b"<html>") == "<6 bytes, no JSON>"


@pytest.mark.parametrize(
    "value", ['{"a":' * 900 + "1" + "}" * 900, "[" * 900 + "]" * 900, "1" + "0" * 4000, "NaN"]
)
@pytest.mark.parametrize("status", ["success", "error"])
def test_no_answer_is_too_odd_to_be_masked(value: str, status: str) -> None:
    body = (
        f'{{"status": "{status}", "result": {value}, "amount": {value}, "x": {{"exp": {value}}}}}'
    )

    assert len(json.dumps(MASK.answer(body.encode()))) < 1000


@pytest.mark.parametrize(
    ("label", "shown"),
    [
        ("application/json", "application/json"),
        ("Application/JSON; Charset=utf-8", "application/json; charset"),
        ("multipart/form-data; boundary=hunter", "multipart/form-data; boundary"),
        ("application/json+buyer@b.example; you@b.example; x=y", "<text of 32>"),
        (None, ""),
    ],
)
def test_the_label_of_a_postback_is_shown_when_it_is_known(label: str | None, shown: str) -> None:
    assert Sight(label, b"{}").facts(MASK)["content_type"] == shown


@pytest.mark.parametrize("exp", [10**400, -1, 380501234567, "soon", True, None])
def test_a_token_for_no_moment_is_recorded_all_the_same(exp: Any) -> None:
    def facts(exp: Any) -> dict[str, Any]:
        claims = {"id": "ABCD1234", "exp": exp, "nbf": 10**400}
        # Written as such: the library refuses to sign an odd moment.
        token = jwt.api_jws.encode(json.dumps(claims).encode(), "k" * 32, "HS256")
        body = json.dumps({"invoice_id": "ABCD1234", "token": token}).encode()
        found: dict[str, Any] = Sight("application/json", body).facts(MASK)["token"]
        return found

    assert facts(exp)["claims"]["id"] == "<the invoice's id>"
    assert "seconds_left" not in facts(exp)
    assert facts(int(time.time()) + 300)["seconds_left"] > 0
