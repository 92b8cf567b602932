"""Create says a lasting no in every way that is switched on, in the words of either version."""

from typing import Any

import pytest

from .conftest import Driver

TOO_LITTLE = "Minimum amount is 0.1 USD"


@pytest.mark.parametrize(
    ("refusal", "code", "field"),
    [
        ("minimum", 400, "amount"),
        ("inside_200", 200, "amount"),
        ("shop_id", 400, "shop_id"),
        ("rate_limit", 400, "rate_limit"),
    ],
)
def test_each_version_words_a_refusal_its_own_way(
    sandbox: Driver, refusal: str, code: int, field: str
) -> None:
    sandbox.switch(refusal=refusal)

    old, new = sandbox.create_by("v1"), sandbox.create_by("v2")

    assert (old.status_code, new.status_code) == (code, code)
    text = old.json()["error"]
    assert old.json() == {"status": "error", "error": text}
    assert new.json() == {"status": "error", "result": {field: text}}
    assert (text == TOO_LITTLE) == (field == "amount")
    assert sandbox.sandbox.invoices() == []


def test_a_strangers_shop_is_refused_in_the_same_words_as_by_the_switch(sandbox: Driver) -> None:
    wrong = sandbox.wishes | {"shop_id": "SOMEBODYELSE0001"}
    really = [sandbox.create(json=wrong).json(), sandbox.v2("create", json=wrong).json()]

    sandbox.switch(refusal="shop_id")

    assert [sandbox.create_by(version).json() for version in ("v1", "v2")] == really


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_a_project_that_is_not_active_has_its_invoices_refused(
    sandbox: Driver, version: str
) -> None:
    sandbox.switch(refusal="inactive")

    reply = sandbox.create_by(version)

    assert (reply.status_code, reply.json()) == (403, {"detail": "Project is not active"})
    assert sandbox.sandbox.invoices() == []


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_a_wall_against_bots_is_a_page_and_no_answer_of_the_api(
    sandbox: Driver, version: str
) -> None:
    sandbox.switch(refusal="wall")

    reply = sandbox.create_by(version)

    assert reply.status_code == 403
    assert "cloudflare" in reply.headers["Server"]
    assert reply.headers["Content-Type"].startswith("text/html")
    assert sandbox.sandbox.invoices() == []


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_an_invoice_can_be_made_under_code_201(sandbox: Driver, version: str) -> None:
    sandbox.switch(refusal="created_201")

    reply = sandbox.create_by(version)

    assert (reply.status_code, reply.json()["status"]) == (201, "success")
    assert len(sandbox.sandbox.invoices()) == 1


@pytest.mark.parametrize("refusal", ["minimum", "inactive", "wall", "rate_limit"])
def test_other_calls_go_on(sandbox: Driver, refusal: str) -> None:
    number = sandbox.new_v2()["uuid"]

    sandbox.switch(refusal=refusal)

    assert sandbox.told(number)["status"] == "created"
    assert sandbox.status(number) == "created"


@pytest.mark.parametrize(
    ("version", "code", "body"),
    [
        ("v1", 401, {"message": "Unauthenticated."}),
        ("v2", 400, {"status": "error", "result": {"authorization": "Unauthorized request."}}),
    ],
)
def test_a_wrong_key_can_be_refused_as_in_older_texts_which_only_v2_has(
    sandbox: Driver, version: str, code: int, body: dict[str, Any]
) -> None:
    sandbox.switch(api="400")

    reply = sandbox.create_by(version)

    assert (reply.status_code, reply.json()) == (code, body)
    assert sandbox.sandbox.invoices() == []
