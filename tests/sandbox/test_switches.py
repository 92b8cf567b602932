"""The switches themselves: what they take, how they stand at first, and that the panel offers each."""

import dataclasses
import html
import re
from enum import StrEnum

import pytest
import requests

from shop.sandbox.switches import Switches
from tests.support.live_sandbox import running_sandbox

from .conftest import Driver

AT_FIRST = {
    "brand": "trybit",
    "link": "whole",
    "api": "up",
    "seconds": 2.0,
    "refusal": "none",
    "fiat": "amount",
    "noise": False,
    "nulls": False,
    "status_words": "usual",
    "limit": "count",
    "postback_format": "form",
    "token_id": "invoice",
    "hold": False,
    "overpaid": False,
    "extras": False,
    "test_mode": False,
}
KINDS = {name: type(position) for name, position in dataclasses.asdict(Switches()).items()}
WRONG = {
    **{name: "sideways" for name, kind in KINDS.items() if issubclass(kind, StrEnum)},
    **{name: "yes" for name, kind in KINDS.items() if kind is bool},
    "colour": "red",
}


@pytest.mark.parametrize("name", WRONG)
def test_a_switch_or_a_position_that_does_not_exist_changes_nothing(
    sandbox: Driver, name: str
) -> None:
    before = sandbox.sandbox.switches

    reply = sandbox.switch(**({"extras": True} | {name: WRONG[name]}))

    assert reply.status_code == 400
    assert name in reply.json()["error"]
    assert sandbox.sandbox.switches == before


@pytest.mark.parametrize("seconds", ["soon", -1, 121, "nan", None])
def test_the_seconds_are_a_number_up_to_two_minutes(sandbox: Driver, seconds: object) -> None:
    reply = sandbox.switch(seconds=seconds)

    assert reply.status_code == 400
    assert reply.json()["error"].startswith("seconds must be ")


def test_reset_forgets_everything_and_sets_every_switch_back(sandbox: Driver) -> None:
    sandbox.new()
    sandbox.switch(api="slow", seconds=60, postback_format="json", brand="cryptocloud", hold=True)

    requests.post(f"{sandbox.url}/_sandbox/reset", timeout=60)

    assert requests.get(f"{sandbox.url}/_sandbox/invoices", timeout=60).json() == []
    assert requests.get(f"{sandbox.url}/_sandbox/switch", timeout=60).json() == AT_FIRST


def test_a_sandbox_begins_with_the_brand_and_the_encoding_of_its_settings() -> None:
    with running_sandbox(brand="cryptocloud", postback_format="json") as running:
        running.turn({"brand": "trybit"})
        running.reset()

        assert (running.switches.brand, running.switches.postback_format) == ("cryptocloud", "json")


def test_the_panel_offers_every_position_and_shows_the_present_one(sandbox: Driver) -> None:
    last = {name: list(kind)[-1] for name, kind in KINDS.items() if issubclass(kind, StrEnum)}
    sandbox.switch(**last)

    text = html.unescape(requests.get(sandbox.url, timeout=60).text)

    for name, kind in KINDS.items():
        assert f'name="{name}"' in text
        if issubclass(kind, StrEnum):
            for position in kind:
                assert f'value="{position}"' in text
            shown = rf'value="{last[name]}"[^>]* (selected|checked)>'
            assert re.search(shown, text), name


def test_what_the_panel_sends_turns_every_switch(sandbox: Driver) -> None:
    chosen = {name: list(kind)[-1] for name, kind in KINDS.items() if issubclass(kind, StrEnum)}
    form = chosen | {"seconds": "1.5", "noise": "on", "hold": "on"}

    requests.post(f"{sandbox.url}/panel/switch", data=form, timeout=60)

    positions = dataclasses.asdict(sandbox.sandbox.switches)
    assert {name for name, position in positions.items() if position is True} == {"noise", "hold"}
    assert {name: positions[name] for name in chosen} == chosen
    assert positions["seconds"] == 1.5
