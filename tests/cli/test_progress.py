"""A long command shows on a terminal how far it is, and says nothing of it anywhere else."""

from __future__ import annotations

import io
import subprocess
import sys
from itertools import count
from pathlib import Path

import pytest
from flask.testing import FlaskCliRunner

from shop.cli import progress as module
from shop.cli.progress import Progress

ITEMS = ["rain", "wind", "fog"]


class Terminal(io.StringIO):
    """A person looks on."""

    def isatty(self) -> bool:
        return True


def look_on(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """A terminal for standard error, from now on: pytest puts its own there before each test."""
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "80")
    return terminal


def test_a_person_who_begins_to_wonder_sees_how_far_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = look_on(monkeypatch)
    seconds = count(0.0, 1.5)

    with Progress(clock=lambda: next(seconds)) as progress:
        assert list(progress.follow(ITEMS, "Reading products")) == ITEMS

    said = terminal.getvalue()
    assert "0/3" not in said
    assert "Reading products" in said
    assert "2/3" in said


def test_the_next_thing_that_takes_long_has_its_own_name(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = look_on(monkeypatch)
    seconds = count(10.0, 10)

    with Progress(clock=lambda: next(seconds)) as progress:
        list(progress.follow(ITEMS, "Reading products"))
        progress.end()
        list(progress.follow(ITEMS[:2], "Writing [products]"))

    before, after = terminal.getvalue().rsplit("Reading products", 1)
    assert "Writing" not in before
    assert "Writing [products]" in after
    assert "1/2" in after


def test_a_quick_command_shows_nothing_and_loads_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    terminal = look_on(monkeypatch)
    monkeypatch.delattr(module, "_started_bar")
    seconds = count(0.0, 0.1)

    with Progress(clock=lambda: next(seconds)) as progress:
        assert list(progress.follow(ITEMS, "Reading products")) == ITEMS

    assert terminal.getvalue() == ""


def test_nothing_is_shown_where_programs_read(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = look_on(monkeypatch)
    monkeypatch.delattr(module, "_started_bar")
    seconds = count(0.0, 10)

    with Progress(quiet=True, clock=lambda: next(seconds)) as progress:
        assert list(progress.follow(ITEMS, "Making checks")) == ITEMS
    assert terminal.getvalue() == ""

    monkeypatch.setattr(terminal, "isatty", lambda: False)
    with Progress(clock=lambda: next(seconds)) as progress:
        assert list(progress.follow(ITEMS, "Reading products")) == ITEMS
    assert terminal.getvalue() == ""


@pytest.mark.parametrize("engine", ["sqlite"])
def test_commands_follow_what_they_do(
    runner: FlaskCliRunner, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    seen = []

    def say(self: Progress, done: int, of: int, what: str) -> None:
        seen.append((self.quiet, what))

    monkeypatch.setattr(Progress, "__call__", say)
    file = tmp_path / "catalogue.yaml"
    file.write_text(
        "products: [{slug: a, title: A, summary: A., prices: {USD: 1}, delivery: {text: A}}]"
    )

    for command in (
        ["products", "import", str(file)],
        ["products", "export", str(tmp_path / "copy.yaml")],
        ["doctor"],
        ["doctor", "--json"],
    ):
        runner.invoke(args=command)

    assert list(dict.fromkeys(seen)) == [
        (False, "Reading products"),
        (False, "Storing pictures and goods"),
        (False, "Writing products, 500 at a time"),
        (False, "Writing pictures and goods"),
        (False, "Making checks"),
        (True, "Making checks"),
    ]


def test_no_command_loads_the_library_for_nothing() -> None:
    code = "import sys, shop.cli.progress; print([name for name in sys.modules if name.startswith('rich')])"

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout == "[]\n"
