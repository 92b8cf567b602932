"""The API fails in every way the control panel offers, and recovers."""

import time

import pytest
import requests

from tests.support.processes import until

from .conftest import Driver


@pytest.mark.parametrize(
    ("api", "answer"), [("down", 503), ("401", 401), ("406", 406), ("429", 429), ("500", 500)]
)
def test_a_failing_api_answers_its_code_and_makes_nothing(
    sandbox: Driver, api: str, answer: int
) -> None:
    number = sandbox.new()
    sandbox.switch(api=api)

    assert sandbox.create().status_code == answer
    assert sandbox.info(number).status_code == answer
    assert len(sandbox.sandbox.invoices()) == 1


def test_a_garbled_answer_is_a_page_that_says_200(sandbox: Driver) -> None:
    sandbox.switch(api="garbled")

    reply = sandbox.create()

    assert reply.status_code == 200
    assert reply.headers["Content-Type"].startswith("text/html")
    assert sandbox.sandbox.invoices() == []


def test_a_slow_api_has_made_the_invoice_before_the_caller_gives_up(sandbox: Driver) -> None:
    sandbox.switch(api="slow", seconds=60)

    with pytest.raises(requests.ReadTimeout):
        requests.post(
            f"{sandbox.url}/v1/invoice/create",
            json=sandbox.wishes,
            headers=sandbox.headers,
            timeout=0.3,
        )

    # A busy machine may not get to it within this caller's patience; within the sandbox's, it does.
    until(sandbox.sandbox.invoices, "the invoice")
    assert len(sandbox.sandbox.invoices()) == 1


def test_a_slow_api_answers_after_the_seconds_asked_for(sandbox: Driver) -> None:
    sandbox.switch(api="slow", seconds=0.4)
    started = time.monotonic()

    reply = sandbox.create()

    assert reply.json()["status"] == "success"
    assert time.monotonic() - started >= 0.4


def test_a_dripping_api_sends_the_whole_answer_one_byte_at_a_time(sandbox: Driver) -> None:
    sandbox.switch(api="drip", seconds=0.005)

    started = time.monotonic()  # before the head, which a busy machine may see after half the body
    reply = sandbox.create(json=sandbox.wishes, stream=True)
    body = reply.json()

    assert body["status"] == "success"
    assert time.monotonic() - started >= 0.3


@pytest.mark.parametrize(
    ("api", "answer"), [("down", 503), ("401", 401), ("406", 406), ("429", 429), ("500", 500)]
)
def test_v2_fails_in_the_same_ways(sandbox: Driver, api: str, answer: int) -> None:
    number = sandbox.new_v2()["uuid"]
    sandbox.switch(api=api)

    assert sandbox.v2("create", json=sandbox.wishes).status_code == answer
    assert sandbox.v2("merchant/info", json={"uuids": [number]}).status_code == answer
    assert len(sandbox.sandbox.invoices()) == 1


def test_too_many_requests_are_told_when_to_come_back(sandbox: Driver) -> None:
    sandbox.switch(api="429")

    assert sandbox.create().headers["Retry-After"] == "20"


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_a_reset_connection_gives_no_answer_and_the_invoice_exists(
    sandbox: Driver, version: str
) -> None:
    sandbox.switch(api="reset")

    with pytest.raises(requests.ConnectionError):
        sandbox.create_by(version)

    assert len(sandbox.sandbox.invoices()) == 1


@pytest.mark.parametrize("path", ["v1/invoice/create", "v2/invoice/create"])
def test_a_redirect_leads_to_another_host_and_makes_nothing(sandbox: Driver, path: str) -> None:
    sandbox.switch(api="redirect")

    reply = requests.post(
        f"{sandbox.url}/{path}", json=sandbox.wishes, allow_redirects=False, timeout=60
    )

    assert reply.status_code == 302
    assert reply.headers["Location"] == f"https://elsewhere.invalid/{path}"
    assert sandbox.sandbox.invoices() == []


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_a_foreign_link_leads_to_another_host_and_the_invoice_exists(
    sandbox: Driver, version: str
) -> None:
    sandbox.switch(api="foreign_link")

    reply = sandbox.create_by(version).json()

    link = reply["pay_url"] if version == "v1" else reply["result"]["link"]
    (made,) = sandbox.sandbox.invoices()
    assert link == f"https://elsewhere.invalid/{made.id}"


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_a_repeat_answers_with_the_invoice_of_another_order_if_there_is_one(
    sandbox: Driver, version: str
) -> None:
    sandbox.switch(api="repeat")
    first = sandbox.create(json=sandbox.wishes | {"order_id": "A-0"}).json()["invoice_id"]

    assert first in sandbox.create_by(version).text

    assert [made.order_id for made in sandbox.sandbox.invoices()] == ["A-0"]


def test_pages_work_while_the_api_is_down(sandbox: Driver) -> None:
    number = sandbox.new()
    sandbox.switch(api="down")

    assert requests.get(f"{sandbox.url}/{number}", timeout=60).status_code == 200
    assert requests.get(f"{sandbox.url}/healthz", timeout=60).json() == {"status": "ok"}


def test_switched_up_again_the_api_works(sandbox: Driver) -> None:
    sandbox.switch(api="down")

    sandbox.switch(api="up")

    assert sandbox.create().status_code == 200
