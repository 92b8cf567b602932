"""`flask attention`: seeing what waits for a person, and closing it with a reason and a name."""

from __future__ import annotations

import json

import pytest
from flask import Flask
from flask.testing import FlaskCliRunner

from shop.attention.service import raise_attention
from shop.db import transaction
from tests.support.deciding import does, items

BY = ("--reason", "Paid back by hand", "--who", "Ann")


@pytest.fixture
def item(app: Flask, runner: FlaskCliRunner) -> str:
    """The number of the first of two items that wait."""
    happens(app, "paid_twice")
    happens(app, "no_stock")
    return str(json.loads(does(runner, "attention", "list", "--json").stdout)[0]["id"])


def happens(app: Flask, kind: str) -> None:
    with app.app_context(), transaction() as session:
        raise_attention(session, kind, "x", f"Order X: {kind}.")


def test_a_resolved_item_waits_no_more_and_says_who_saw_to_it_and_how(
    runner: FlaskCliRunner, item: str
) -> None:
    result = does(runner, "attention", "resolve", item, *BY)

    assert result.stdout == f"Item {item} is resolved.\n"
    (waiting,) = json.loads(does(runner, "attention", "list", "--json").stdout)
    assert (waiting["kind"], waiting["resolved_at"]) == ("no_stock", None)
    resolved = json.loads(does(runner, "attention", "list", "--all", "--json").stdout)[1]
    assert (resolved["resolved_by"], resolved["resolution"]) == ("Ann", "Paid back by hand")
    assert resolved["resolved_at"].endswith("+00:00")
    assert "resolved by Ann: Paid back by hand" in does(runner, "attention", "list", "--all").stdout


def test_an_item_is_resolved_once_and_the_first_words_stay(
    app: Flask, runner: FlaskCliRunner, item: str
) -> None:
    does(runner, "attention", "resolve", item, *BY)

    result = does(runner, "attention", "resolve", item, "--reason", "No", "--who", "Bob")

    assert result.exit_code == 1
    assert f"No open item has the number {item}" in result.stderr
    assert items(app) == [("paid_twice", "Ann"), ("no_stock", "")]


def test_the_same_thing_happening_again_is_a_new_item(
    app: Flask, runner: FlaskCliRunner, item: str
) -> None:
    happens(app, "paid_twice")
    assert len(items(app)) == 2
    does(runner, "attention", "resolve", item, *BY)

    happens(app, "paid_twice")

    assert items(app) == [("paid_twice", "Ann"), ("no_stock", ""), ("paid_twice", "")]


@pytest.mark.parametrize("engine", ["sqlite"])
def test_a_number_that_is_none_is_refused(runner: FlaskCliRunner, item: str) -> None:
    assert does(runner, "attention", "resolve", "99", *BY).exit_code == 1

    for number in ("0", "-1", "x", "1.5", "", str(10**30)):
        result = does(runner, "attention", "resolve", number, *BY)

        assert (number, result.exit_code) == (number, 2)
        assert isinstance(result.exception, SystemExit)


@pytest.mark.parametrize("engine", ["sqlite"])
def test_an_item_is_not_closed_without_a_reason_and_a_name(
    app: Flask, runner: FlaskCliRunner, item: str
) -> None:
    bad = ["", " ", "a\nb", "\x1b[31m", "\x00"]
    wishes = [("--reason", text, "--who", "Ann") for text in bad]
    wishes += [("--reason", "why", "--who", text) for text in bad]

    for words in [*wishes, ("--reason", "why"), ("--who", "Ann")]:
        assert does(runner, "attention", "resolve", item, *words).exit_code == 2, words
    assert [who for _, who in items(app)] == ["", ""]
