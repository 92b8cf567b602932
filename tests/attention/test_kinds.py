"""Everything that can wait for a person has a name, and words that say what happened and what to do."""

from __future__ import annotations

import re

import pytest
from flask import Flask
from flask.testing import FlaskCliRunner

from shop.attention.about import ABOUT, REPORT, what_to_do
from shop.attention.kinds import AttentionKind
from shop.attention.service import raise_attention
from shop.config import ROOT
from shop.db import transaction

ROW = re.compile(r"^\| `(\w+)` \| (.*?) \|(?: (.*) \|)?$", re.MULTILINE)


@pytest.fixture
def engine() -> str:
    return "sqlite"


def test_the_operators_guide_says_the_same_of_each_kind() -> None:
    guide = (ROOT / "docs" / "operating.md").read_text("utf-8")
    tables = guide[: guide.index("## Who tells you what")]
    rows = {kind: (what, mend) for kind, what, mend in ROW.findall(tables)}

    assert rows == {
        kind.value: (about.what, "" if about.mend == REPORT else about.mend)
        for kind, about in ABOUT.items()
    }
    assert set(ABOUT) == set(AttentionKind)


def test_each_kind_is_raised_somewhere() -> None:
    sources = "".join(path.read_text("utf-8") for path in (ROOT / "shop").rglob("*.py"))
    by_name = {"address_silent", "provider_silent"}  # of what was not heard
    by_a_migration = {"keys_copied"}
    by_a_flag = {"paid_partial"}

    named = {found.lower() for found in re.findall(r"AttentionKind\.([A-Z_]+)", sources)}

    assert named | by_name | by_a_migration | by_a_flag == set(AttentionKind)


def test_the_list_says_what_to_do(app: Flask, runner: FlaskCliRunner) -> None:
    with app.app_context(), transaction() as session:
        raise_attention(session, AttentionKind.NO_MAIL_SERVER, "SMTP_URL", "No mail leaves.")

    shown = runner.invoke(args=["attention", "list"]).stdout.splitlines()

    assert shown[0].endswith("no_mail_server: No mail leaves.")
    assert shown[1] == (
        "    to do: set it, and restart web server and worker; the item closes by itself"
    )


def test_words_for_a_screen_have_no_links() -> None:
    for kind in AttentionKind:
        assert "](" not in what_to_do(kind)
        assert what_to_do(kind)


def test_a_kind_of_a_newer_version_is_listed_all_the_same(
    app: Flask, runner: FlaskCliRunner
) -> None:
    with app.app_context(), transaction() as session:
        raise_attention(session, "of_tomorrow", "x", "Something new.")  # type: ignore[arg-type]

    shown = runner.invoke(args=["attention", "list"])

    assert shown.exit_code == 0
    assert shown.stdout.endswith("of_tomorrow: Something new.\n")
