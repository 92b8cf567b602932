"""`invoice_infos` in API v2: many at once, exact amounts, and nothing believed that is not clear."""

from __future__ import annotations

import contextlib
import json
from decimal import Decimal
from typing import Any

import pytest
import responses
from hypothesis import given
from hypothesis import strategies as st
from responses.matchers import json_params_matcher

from shop.payments.cryptocloud import (
    CryptoCloudError,
    InvoiceInfo,
    InvoiceStatus,
    KeyRefused,
    Rejected,
    Unclear,
    Unreadable,
)
from tests.payments.wire import INFO_V2, TOLD_V2, make_client_v2, patient, serving, well

PAID = InvoiceInfo(
    status=InvoiceStatus.PAID,
    amount=Decimal("10.0"),
    currency="EUR",
    reference="order-1",
    test_mode=False,
    coin="USDT_TRC20",
    due=Decimal("11.6"),
    received=Decimal("11.6"),
)


def told(**facts: object) -> InvoiceInfo:
    """What the client makes of one invoice; a fact given as `...` is left out."""
    given = {name: fact for name, fact in (TOLD_V2 | facts).items() if fact is not ...}
    with responses.RequestsMock() as provider:
        provider.post(INFO_V2, json=well([given]))
        return make_client_v2(call_seconds=10).invoice_infos(["DZLF4212"])["DZLF4212"]


def test_all_that_matters_is_told() -> None:
    assert told() == PAID


@responses.activate
def test_the_prefixed_ids_are_sent_in_one_call() -> None:
    ids = [f"ID{n:06}" for n in range(100)]
    body = {"uuids": [f"INV-{each}" for each in ids]}
    reply = well([TOLD_V2 | {"uuid": f"INV-{each}"} for each in reversed(ids)])
    responses.post(INFO_V2, json=reply, match=[json_params_matcher(body)])

    infos = make_client_v2(call_seconds=10).invoice_infos(ids)

    assert infos == dict.fromkeys(ids, PAID)
    assert make_client_v2().batch == 100


def test_more_than_a_hundred_at_once_are_a_mistake_of_the_caller() -> None:
    with pytest.raises(ValueError, match="too many"):
        make_client_v2().invoice_infos([f"ID{n:06}" for n in range(101)])


@pytest.mark.parametrize("status", [s for s in InvoiceStatus if s is not InvoiceStatus.UNKNOWN])
def test_every_known_status_is_understood(status: InvoiceStatus) -> None:
    assert told(status=str(status), invoice_status="anything").status is status


@pytest.mark.parametrize(
    "facts",
    [
        {"status": "success"},
        {"status": "PAID"},
        {"status": ["paid"]},
        {"status": None},
        {"status": ...},
        {"status": ..., "invoice_status": "paid"},
        {"amount_in_fiat": True},
        {"amount_in_fiat": -10},
        {"amount_in_fiat": "10,00"},
        {"amount_in_fiat": "1e1"},
        {"amount_in_fiat": "١٠"},
        {"amount_in_fiat": " 10"},
        {"amount_in_fiat": "Infinity"},
        {"amount_in_fiat": [10]},
        {"amount_in_fiat": 1e30},
        {"amount_in_fiat": 1e-30},
        {"amount_in_fiat": False},
        {"amount_in_fiat": 10**18},
        {"fiat_currency": "eur"},
        {"fiat_currency": "EURO"},
        {"fiat_currency": 978},
        {"order_id": ["order-1"]},
        {"order_id": True},
        {"test_mode": "false"},
        {"test_mode": 0},
    ],
)
def test_what_is_wrong_about_the_money_makes_it_unclear(facts: dict[str, object]) -> None:
    info = told(**facts)

    assert info.status is InvoiceStatus.UNKNOWN
    assert info.problem


@pytest.mark.parametrize("uuid", [..., "dzlf4212", 4212, None])
def test_an_answer_that_names_no_invoice_is_not_one(uuid: object) -> None:
    with pytest.raises(Unreadable):
        told(uuid=uuid)


@pytest.mark.parametrize(
    ("facts", "name", "value"),
    [
        ({"amount_in_fiat": "10.00"}, "amount", Decimal(10)),
        ({"amount_in_fiat": ...}, "amount", None),
        ({"amount_in_fiat": None}, "amount", None),
        ({"amount_in_fiat": 0.0}, "amount", None),
        ({"amount_in_fiat": "0"}, "amount", None),
        ({"amount_in_fiat": 9.999999999999998}, "amount", Decimal("9.999999999999998")),
        ({"fiat_currency": ...}, "currency", ""),
        ({"fiat_currency": None}, "currency", ""),
        ({"fiat_currency": ""}, "currency", ""),
        ({"order_id": "None"}, "reference", None),
        ({"amount_in_fiat": 7}, "amount", Decimal(7)),
        ({"order_id": ...}, "reference", None),
        ({"order_id": None}, "reference", None),
        ({"order_id": ""}, "reference", None),
        ({"order_id": 1111}, "reference", "1111"),
        ({"order_id": "a\x00b\u202e"}, "reference", "a?b?"),
        ({"order_id": "x" * 5000}, "reference", "x" * 120),
        ({"test_mode": True}, "test_mode", True),
        ({"test_mode": ...}, "test_mode", None),
        ({"test_mode": None}, "test_mode", None),
        ({"currency": None}, "coin", ""),
        ({"currency": "BTC"}, "coin", ""),
        ({"currency": {"code": "BTC"}}, "coin", "BTC"),
        ({"currency": {"code": "btc"}}, "coin", "btc"),
        ({"currency": {"code": ["BTC"]}}, "coin", ""),
        ({"currency": {"code": "<b>"}}, "coin", ""),
        ({"amount_to_pay": ...}, "due", None),
        ({"amount_to_pay": "soon"}, "due", None),
        ({"amount_to_pay": 1e-8}, "due", Decimal("0.00000001")),
        ({"amount_paid": None}, "received", None),
        ({"amount_paid": 0}, "received", Decimal(0)),
        ({"amount_paid": f"0.{1:024}"}, "received", Decimal("1e-24")),
        ({"amount_paid": f"0.{1:025}"}, "received", None),
        ({"amount_paid": 0.00016667}, "received", Decimal("0.00016667")),
    ],
)
def test_what_is_missing_besides_is_left_open(
    facts: dict[str, object], name: str, value: object
) -> None:
    info = told(**facts)

    assert getattr(info, name) == value
    assert info.status is InvoiceStatus.PAID


@responses.activate
def test_a_figure_keeps_every_digit() -> None:
    body = json.dumps(well([TOLD_V2])).replace(
        '"amount_paid": 11.6', '"amount_paid": 0.123456789012345678'
    )
    responses.post(INFO_V2, body=body)

    info = make_client_v2().invoice_infos(["DZLF4212"])["DZLF4212"]

    assert str(info.received) == "0.123456789012345678"


@pytest.mark.parametrize("figure", ["1e999999999", "1e-999999999", "9" * 4000, "1E99999999999999999999"])  # fmt: skip
@responses.activate
def test_an_absurd_figure_costs_neither_time_nor_memory(figure: str) -> None:
    body = json.dumps(well([TOLD_V2]))
    assert '"amount_in_fiat": 10.0' in body
    responses.post(INFO_V2, body=body.replace('"amount_in_fiat": 10.0', f'"amount_in_fiat": {figure}'))  # fmt: skip

    with contextlib.suppress(Unreadable):  # some are no numbers at all
        info = make_client_v2(call_seconds=20).invoice_infos(["DZLF4212"])["DZLF4212"]
        assert info.status is InvoiceStatus.UNKNOWN


def ask_about_three(*result: object) -> dict[str, InvoiceInfo]:
    with responses.RequestsMock() as provider:
        provider.post(INFO_V2, json=well(list(result)))
        return make_client_v2(call_seconds=10).invoice_infos(["AAAA", "BBBB", "CCCC"])


def facts_of(uuid: str, **facts: Any) -> dict[str, Any]:
    return TOLD_V2 | {"uuid": uuid} | facts


def test_one_that_is_unknown_or_unclear_does_not_stand_in_the_way_of_the_others() -> None:
    infos = ask_about_three(facts_of("INV-AAAA"), facts_of("BBBB", status="strange"))

    assert infos["AAAA"] == PAID
    assert '"strange"' in infos["BBBB"].problem
    assert set(infos) == {"AAAA", "BBBB"}


def test_one_that_nobody_asked_about_is_ignored() -> None:
    assert ask_about_three(facts_of("AAAA"), facts_of("OTHER")) == {"AAAA": PAID}
    with pytest.raises(Rejected):
        ask_about_three(facts_of("OTHER"))


def test_one_that_is_told_twice_is_told_unclearly() -> None:
    twice = [facts_of("AAAA", status="created"), facts_of("INV-AAAA"), facts_of("AAAA")]

    infos = ask_about_three(*twice, facts_of("BBBB"))

    assert infos["BBBB"] == PAID
    assert infos["AAAA"] == InvoiceInfo(
        InvoiceStatus.UNKNOWN, problem="the reply tells about it twice"
    )


def test_when_none_is_known_that_is_a_refusal_as_in_v1() -> None:
    with pytest.raises(Rejected, match=r"^the provider knows no such invoice$"):
        ask_about_three()
    with pytest.raises(Unclear, match=r"^the reply names no usable invoice id$"):
        ask_about_three(facts_of("?"))


@pytest.mark.parametrize("result", [None, "paid", {"uuid": "INV-DZLF4212"}, [None], [TOLD_V2, 7]])
@responses.activate
def test_a_reply_without_a_list_of_invoices_is_unclear(result: object) -> None:
    responses.post(INFO_V2, json=well(result))

    with pytest.raises(Unclear, match="no list"):
        make_client_v2().invoice_infos(["DZLF4212"])


def test_a_hundred_invoices_of_their_usual_length_are_read() -> None:
    ids = [f"ID{n:06}" for n in range(100)]
    facts = [facts_of(each, tx_list=["0x" + "a" * 64], aml="x" * 4000) for each in ids]
    body = json.dumps(well(facts)).encode()
    assert len(body) > 400_000
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body)
    with serving(lambda connection: answer(connection, head + body)) as url:
        infos = make_client_v2(url, call_seconds=10).invoice_infos(ids)

    assert len(infos) == 100


def answer(connection: Any, reply: bytes) -> None:
    connection.recv(65536)
    connection.sendall(reply)
    connection.recv(65536)  # until the client has read all


@pytest.mark.parametrize("result", [[], [TOLD_V2]])
@responses.activate
def test_the_key_is_good_when_v2_answers_in_its_own_shape(result: object) -> None:
    responses.post(INFO_V2, json=well(result), headers={"Date": "Sun, 22 Nov 2026 10:00:30 GMT"})

    assert make_client_v2().check_key() is not None


@responses.activate
def test_the_key_is_not_called_good_when_v2_refuses_it() -> None:
    responses.post(INFO_V2, status=401)

    with pytest.raises(KeyRefused):
        make_client_v2().check_key()


SCALARS = st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=20)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner)
)


@patient
@given(
    changes=st.dictionaries(st.sampled_from([*TOLD_V2]), VALUES, max_size=4),
    result=st.none() | VALUES,
)
def test_no_shape_of_reply_makes_it_raise_anything_else(
    changes: dict[str, object], result: object
) -> None:
    body = json.dumps(well([TOLD_V2 | changes] if result is None else result))
    with responses.RequestsMock() as provider:
        provider.post(INFO_V2, body=body)
        with contextlib.suppress(CryptoCloudError):
            info = make_client_v2(call_seconds=10).invoice_infos(["DZLF4212"])["DZLF4212"]
            assert info.amount is None or (type(info.amount) is Decimal and info.amount > 0)
