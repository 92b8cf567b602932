"""What the documents tell people to type, and where they lead, is there."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

import dev
from shop import __version__
from shop.config import ROOT

DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("findings/*.md")])
COMMANDS = set(re.findall(r"^  python3 dev\.py (\w+)", dev.__doc__ or "", re.MULTILINE))


def lines_with(pattern: str) -> Iterator[tuple[str, str]]:
    """Each find in a document, and where it stands."""
    for path in DOCUMENTS:
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
            for found in re.findall(pattern, line):
                yield f"{path.relative_to(ROOT)}:{number}", found


def test_every_command_of_dev_py_that_a_document_names_is_one() -> None:
    named = list(lines_with(r"dev\.py (\w+)"))

    assert [each for each in named if each[1] not in COMMANDS] == []
    assert {command for _, command in named} == COMMANDS  # and no command is a secret


def test_every_kind_of_test_that_can_be_chosen_is_explained(request: pytest.FixtureRequest) -> None:
    own = ("long", "promise", "browser")
    registered = [str(line).partition(":")[0] for line in request.config.getini("markers")]
    text = (ROOT / "CONTRIBUTING.md").read_text("utf-8")

    for marker in own:
        assert any(name.startswith(marker) for name in registered)
        assert marker in text


def test_every_file_that_the_contributors_page_names_is_there() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    named = re.findall(r"`((?:shop|tests|docs|\.ci)/[\w./-]+)`|dev\.py test (\S+\.py)", text)

    assert named
    for names in named:
        (name,) = filter(None, names)
        assert Path(ROOT / name).exists(), name


SECTIONS = ("Added", "Changed", "Deprecated", "Removed", "Fixed", "Security")


def test_the_changelog_begins_with_what_is_unreleased_and_then_this_version_with_its_day() -> None:
    headings = re.findall(r"^## (.+)$", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE)

    assert headings[0] == "[Unreleased]"
    assert re.fullmatch(rf"\[{re.escape(__version__)}\] - \d{{4}}-\d\d-\d\d", headings[1])
    assert [day for day in headings[1:] if not re.fullmatch(r"\[[\d.]+\] - [\d-]{10}", day)] == []


def test_the_changelog_sorts_each_version_into_the_usual_sections() -> None:
    _, *versions = re.split(r"^## ", (ROOT / "CHANGELOG.md").read_text("utf-8"), flags=re.MULTILINE)

    for version in versions:
        sections = re.findall(r"^### (.+)$", version, re.MULTILINE)
        assert sections == [name for name in SECTIONS if name in sections], version[:30]


def test_the_version_is_the_same_wherever_it_stands() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]

    assert project["version"] == __version__
