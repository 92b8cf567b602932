"""An invoice whose reply was lost can be looked for in API v2, and one no longer wanted can be cancelled."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
import responses
from requests import PreparedRequest

from shop.payments.cryptocloud import (
    CryptoCloudError,
    Invoice,
    KeyRefused,
    Rejected,
    Unclear,
    Unreadable,
    v2,
)
from tests.payments.test_pay_links_are_checked import BAD
from tests.payments.wire import CANCEL_V2, LIST_V2, TEN_EUROS, TOLD_V2, make_client_v2, well

SINCE = datetime(2026, 11, 22, 23, 30, tzinfo=UTC)
FOUND = Invoice("DZLF4212", "https://pay.cryptocloud.plus/DZLF4212")


def find(reference: str = "order-1") -> Invoice | None:
    return make_client_v2(call_seconds=10).find_invoice(reference, TEN_EUROS, SINCE)


def made(number: int, **facts: object) -> dict[str, Any]:
    return TOLD_V2 | {"uuid": f"INV-ID{number:06}", "order_id": f"order-{number + 100}"} | facts


def listed(rows: Any) -> dict[str, Any]:
    """A list that tells all there are."""
    return well(rows) | {"all_count": len(rows)}


def paged(everything: list[dict[str, Any]]) -> Callable[[PreparedRequest], Any]:
    def page(request: PreparedRequest) -> Any:
        asked = json.loads(request.body or "")
        there = everything[asked["offset"] :][: asked["limit"]]
        return 200, {}, json.dumps(well(there) | {"all_count": len(everything)})

    return page


@responses.activate
def test_the_invoice_with_exactly_this_reference_is_found() -> None:
    responses.post(LIST_V2, json=listed([made(1), TOLD_V2, made(2)]))

    assert find() == FOUND


@pytest.mark.parametrize("other", ["order-10", "order-", "ORDER-1", " order-1", None, ["order-1"]])
@responses.activate
def test_one_that_is_merely_like_it_is_not(other: object) -> None:
    responses.post(LIST_V2, json=listed([TOLD_V2 | {"order_id": other}]))

    assert find() is None


@responses.activate
def test_the_days_reach_one_further_than_ours_on_both_sides() -> None:
    responses.post(LIST_V2, json=listed([]))

    find()

    tomorrow = datetime.now(UTC) + timedelta(days=1)
    assert json.loads(responses.calls[0].request.body) == {
        "start": "21.11.2026",
        "end": f"{tomorrow:%d.%m.%Y}",
        "offset": 0,
        "limit": 100,
    }


@responses.activate
def test_the_day_is_the_one_in_utc_wherever_the_moment_was_written_down() -> None:
    responses.post(LIST_V2, json=listed([]))
    east = datetime.fromisoformat("2026-11-23T01:30:00+02:00")

    make_client_v2().find_invoice("order-1", TEN_EUROS, east)

    assert json.loads(responses.calls[0].request.body)["start"] == "21.11.2026"


@pytest.mark.parametrize("position", [0, 99, 100, 250])
@responses.activate
def test_every_page_is_looked_through(position: int) -> None:
    everything = [made(number) for number in range(250)]
    everything.insert(position, TOLD_V2)
    responses.add_callback(responses.POST, LIST_V2, paged(everything))

    assert find() == FOUND
    assert len(responses.calls) == 3


@pytest.mark.parametrize(("count", "calls"), [(0, 1), (99, 1), (100, 2), (101, 2), (200, 3)])
@responses.activate
def test_it_is_missing_only_when_all_were_seen(count: int, calls: int) -> None:
    responses.add_callback(responses.POST, LIST_V2, paged([made(n) for n in range(count)]))

    assert find() is None
    assert len(responses.calls) == calls


def by_number(
    everything: list[dict[str, Any]], most: int = 100
) -> Callable[[PreparedRequest], Any]:
    """`limit` is the number of the last one, as some of the provider's documents have it."""

    def page(request: PreparedRequest) -> Any:
        asked = json.loads(request.body or "")
        there = everything[asked["offset"] : asked["limit"]][:most]
        return 200, {}, json.dumps(well(there) | {"all_count": len(everything)})

    return page


@pytest.mark.parametrize("count", [0, 1, 100, 101, 250])
@pytest.mark.parametrize("most", [100, 40])
@responses.activate
def test_what_limit_means_makes_no_difference(count: int, most: int) -> None:
    everything = [made(number) for number in range(count)]
    responses.add_callback(responses.POST, LIST_V2, by_number([*everything, TOLD_V2], most))

    assert find() == FOUND


@responses.activate
def test_a_short_page_is_not_the_end_of_the_list() -> None:
    everything = [*(made(number) for number in range(100)), TOLD_V2]

    def ten(request: PreparedRequest) -> Any:
        start = json.loads(request.body or "")["offset"]
        return 200, {}, json.dumps(well(everything[start:][:10]) | {"all_count": 101})

    responses.add_callback(responses.POST, LIST_V2, ten)

    assert find() == FOUND


@pytest.mark.parametrize("count", [..., None, "1", 2, 1.0, True, 0, -1])
@responses.activate
def test_a_list_that_does_not_say_how_long_it_is_is_no_no(count: object) -> None:
    more = {} if count is ... else {"all_count": count}
    responses.post(LIST_V2, json=well([made(1)]) | more)

    with pytest.raises(Unclear, match="end"):
        find()


@pytest.mark.parametrize("count", [lambda page: len(page), lambda page: 0, lambda page: -1])
@responses.activate
def test_a_count_that_cannot_be_hides_no_page(count: Callable[[list[Any]], int]) -> None:
    everything = [*(made(number) for number in range(250)), TOLD_V2]

    def page(request: PreparedRequest) -> Any:
        asked = json.loads(request.body or "")
        there = everything[asked["offset"] :][: asked["limit"]]
        return 200, {}, json.dumps(well(there) | {"all_count": count(there)})

    responses.add_callback(responses.POST, LIST_V2, page)

    assert find() == FOUND


@responses.activate
def test_an_invoice_that_is_paid_between_two_pages_is_counted_once() -> None:
    """It moves on to the second page then, and the one that is looked for beyond the count."""
    everything = [made(number) for number in range(100)]
    again = [everything[99] | {"status": "paid"}, *(made(number) for number in range(100, 120))]
    for rows in (everything, again, [TOLD_V2]):
        responses.post(LIST_V2, json=well(rows) | {"all_count": 121})

    assert find() == FOUND


@responses.activate
def test_a_list_that_repeats_one_page_for_ever_is_no_answer() -> None:
    responses.post(LIST_V2, json=well([made(number) for number in range(100)]))

    with pytest.raises(Unclear, match="end"):
        find()

    assert len(responses.calls) == 3


@responses.activate
def test_a_list_without_end_is_no_answer() -> None:
    def endless(request: PreparedRequest) -> Any:
        start = json.loads(request.body or "")["offset"]
        return 200, {}, json.dumps(well([made(n) for n in range(start, start + 100)]))

    responses.add_callback(responses.POST, LIST_V2, endless)

    with pytest.raises(Unclear, match="end"):
        find()

    assert len(responses.calls) == 50


@pytest.mark.parametrize("status", ["paid", "overpaid", "partial", "created"])
@responses.activate
def test_of_several_for_one_reference_the_one_with_the_money_is_taken(status: str) -> None:
    several = [
        TOLD_V2 | {"uuid": "INV-DEAD0001", "status": "canceled"},
        TOLD_V2 | {"status": status},
        TOLD_V2 | {"uuid": "INV-DEAD0002", "status": "canceled"},
    ]
    responses.post(LIST_V2, json=listed(several))

    assert find() == FOUND


@pytest.mark.parametrize("link", BAD)
@responses.activate
def test_a_link_to_elsewhere_is_not_taken_from_a_list_either(link: object) -> None:
    responses.post(LIST_V2, json=listed([TOLD_V2 | {"link": link}]))

    with pytest.raises(Unclear, match="pay_url"):
        find()


@pytest.mark.parametrize("result", [None, {}, "none", [None], [[]]])
@responses.activate
def test_a_reply_without_a_list_is_not_taken_for_a_no(result: object) -> None:
    responses.post(LIST_V2, json=well(result))

    with pytest.raises(Unclear, match="no list"):
        find()


@responses.activate
def test_a_strangers_invoice_may_be_as_odd_as_it_likes() -> None:
    odd = {"uuid": None, "order_id": 7, "status": [], "link": {}}
    responses.post(LIST_V2, json=listed([odd, {}, TOLD_V2]))

    assert find() == FOUND


@pytest.mark.parametrize(
    "changes",
    [
        {"uuid": "?"},
        {"amount_in_fiat": "ten"},
        {"amount_in_fiat": 9.99},
        {"fiat_currency": 1},
        {"test_mode": "true"},
    ],
)
@responses.activate
def test_our_own_may_not(changes: dict[str, object]) -> None:
    responses.post(LIST_V2, json=listed([TOLD_V2 | changes]))

    with pytest.raises(Unclear):
        find()


@pytest.mark.parametrize(
    "amount", [{}, {"amount_in_fiat": 0.0}, {"amount_in_fiat": 9.999999999999998}]
)
@responses.activate
def test_it_is_found_by_its_reference_where_less_is_told(amount: dict[str, object]) -> None:
    facts = {n: f for n, f in TOLD_V2.items() if n not in ("amount_in_fiat", "fiat_currency")}
    responses.post(LIST_V2, json=listed([facts | amount]))

    assert find() == FOUND


@responses.activate
def test_an_invoice_is_cancelled_by_its_prefixed_id() -> None:
    responses.post(CANCEL_V2, json=well(["ok"]))

    make_client_v2().cancel_invoice("DZLF4212")

    assert json.loads(responses.calls[0].request.body) == {"uuid": "INV-DZLF4212"}


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (400, {"status": "error", "result": {"uuid": "Invoice is not created"}}, Rejected),
        (200, {"status": "error", "result": "Invoice is not created"}, Rejected),
        (401, {"status": "error"}, KeyRefused),
        (500, {}, Unclear),
        (200, {}, Unreadable),
    ],
)
@responses.activate
def test_whoever_cancels_hears_when_it_was_not_done(
    status: int, body: object, error: type[CryptoCloudError]
) -> None:
    responses.post(CANCEL_V2, status=status, json=body)

    with pytest.raises(CryptoCloudError) as raised:
        make_client_v2().cancel_invoice("DZLF4212")

    assert raised.type is error


@responses.activate
def test_a_list_that_takes_too_long_is_not_read_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """A sweep must end within its minute, and nobody takes what was read of it for a no."""
    seconds = iter(range(0, 1000, 4))
    monkeypatch.setattr(v2, "time", SimpleNamespace(monotonic=lambda: next(seconds)))
    everything = [made(number) for number in range(1000)]
    responses.add_callback("POST", LIST_V2, paged(everything))

    with pytest.raises(Unclear):
        find("order-999")

    assert len(responses.calls) == v2.LIST_SECONDS // 4
