"""What the documents tell people to type, and where they lead, is there."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from flask import Flask

import dev
from shop import __version__
from shop.config import ROOT

DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("findings/*.md")])
COMMANDS = set(re.findall(r"^  python3 dev\.py (\w+)", dev.__doc__ or "", re.MULTILINE))


LINK = re.compile(r"\[(?:[^\[\]]|\[[^\]]*\])*\]\(([^)\s]+)\)")
"""Also one whose words are an image with a link of its own, or go on in the next line."""


@pytest.fixture
def engine() -> str:
    return "sqlite"


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


def anchors_of(path: Path) -> set[str]:
    """What a link may name behind `#`: the document's headings, as code hosts write them."""
    headings = re.findall(r"^#+ (.+)$", without_code(path), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}


def without_code(path: Path) -> str:
    return re.sub(r"^ *```.*?^ *```$", "", path.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_of_a_document_leads_to_something_here(document: Path) -> None:
    for link in LINK.findall(without_code(document)):
        if link.startswith(("http://", "https://", "mailto:")):
            continue
        file, _, anchor = link.partition("#")
        path = (document.parent / file).resolve() if file else document
        assert path.exists(), link
        assert path.is_relative_to(ROOT), link
        assert not anchor or anchor in anchors_of(path), link


def test_a_link_to_nowhere_would_be_found(tmp_path: Path) -> None:
    """The control: broken lines, anchors and links around pictures are seen."""
    page = tmp_path / "page.md"
    page.write_text("# One, `two`\n[a\nb](x.md#y) [![c](d.webp)](e.md)\n```\n# no [f](g)\n```\n")

    assert LINK.findall(without_code(page)) == ["x.md#y", "e.md"]
    assert anchors_of(page) == {"one-two"}


def test_every_document_can_be_reached_from_the_readme() -> None:
    found, waiting = set[Path](), [ROOT / "README.md"]
    while waiting:
        document = waiting.pop()
        if document in found or document.suffix != ".md":
            continue
        found.add(document)
        links = (link.partition("#")[0] for link in LINK.findall(without_code(document)))
        waiting += [(document.parent / link).resolve() for link in links if "://" not in link]

    assert set(DOCUMENTS) <= found


def test_every_document_that_the_code_speaks_of_is_there() -> None:
    for folder in ("shop", "tests", "demo", "benchmarks", "deploy", "templates"):
        for path in (ROOT / folder).rglob("*.*"):
            if path.suffix in (".py", ".html", ".txt", ".service", ".yaml"):
                for name in re.findall(r"docs/\w+\.md", path.read_text("utf-8")):
                    assert (ROOT / name).is_file(), f"{path.relative_to(ROOT)}: {name}"


def commands_of(group: click.Group, *before: str) -> Iterator[tuple[str, click.Command]]:
    """Every command by its words, but for those that Flask and Alembic bring along."""
    here = click.Context(group)
    for name in group.list_commands(here):
        command = group.get_command(here, name)
        assert command
        if isinstance(command, click.Group):
            if name != "db":
                yield from commands_of(command, *before, name)
        elif before or name not in ("run", "shell", "routes"):
            yield " ".join((*before, name)), command


def test_every_command_has_a_row_and_every_row_a_command(app: Flask) -> None:
    text = (ROOT / "docs/commands.md").read_text("utf-8")
    cells = re.findall(r"^\| (`.+?) \| ", text, re.MULTILINE)
    named = [f"{words} " for cell in cells for words in re.findall(r"`(.+?)`", cell)]
    there = [f"{name} " for name, _ in commands_of(app.cli)]

    assert [name for name in there if not any(each.startswith(name) for each in named)] == []
    known = (*there, "db upgrade ", "db check ")
    assert [each for each in named if not each.startswith(known)] == []


def test_the_page_of_commands_says_which_want_a_reason_and_a_name(app: Flask) -> None:
    text = " ".join((ROOT / "docs/commands.md").read_text("utf-8").split())
    (listed,) = re.findall(r"What a person decides \((.+?)\) wants `--reason` and `--who`", text)

    wanting = [
        name.rpartition(" ")[2]
        for name, command in commands_of(app.cli)
        if {"why", "who"} <= {parameter.name for parameter in command.params}
    ]
    assert sorted(re.findall(r"`(\w+)`", listed)) == sorted(wanting)


def sources_of(folder: str) -> str:
    return "".join(path.read_text("utf-8") for path in sorted((ROOT / folder).rglob("*.py")))


def test_the_crash_points_of_the_documents_are_those_that_are_tried_or_explained() -> None:
    documents = " ".join(path.read_text("utf-8") for path in DOCUMENTS)
    tried = (ROOT / "tests/faults/test_crash_points.py").read_text("utf-8")

    number = r"\bK[0-9]+c?\b"
    assert set(re.findall(number, documents)) == set(re.findall(number, tried))


def test_the_promises_that_are_explained_are_those_that_are_tested() -> None:
    text = (ROOT / "docs/promises.md").read_text("utf-8")
    explained = text.partition("## What the rows do")[2].partition("\n## ")[0]
    marks = re.findall(r"mark\.promise\(([0-9, ]+)\)", sources_of("tests"))

    rows = re.findall(r"^\| ([0-9, ]+) \|", explained, re.MULTILINE)
    assert numbers(rows) == numbers(marks)


def numbers(texts: list[str]) -> set[int]:
    return {int(number) for text in texts for number in text.split(",")}


def plan_of(heading: str = "") -> str:
    """The plan of the house, or one section of it."""
    text = (ROOT / "docs/architecture.md").read_text("utf-8")
    return text.partition(f"\n## {heading}\n")[2].partition("\n## ")[0] if heading else text


def contract() -> list[str]:
    """The layers of the import contract, from above."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]
    (order,) = [each["layers"] for each in settings["contracts"] if each["type"] == "layers"]
    return list(order)


def packages_in(layer: str) -> list[str]:
    return re.findall(r"shop\.(\w+)", layer)


def test_the_plan_has_the_packages_of_the_import_contract_in_its_order() -> None:
    found = list[list[str]]()
    rows = re.findall(r"^\| (· )?`(\w+)` \|", plan_of("Packages, from above"), re.MULTILINE)
    for beside, package in rows:
        if not beside:
            found.append([])
        found[-1].append(package)

    assert found == [packages_in(layer) for layer in contract()]


def test_the_plan_says_which_packages_beside_each_other_import_nothing_of_each_other() -> None:
    text = " ".join(plan_of("Packages, from above").split())
    (said,) = re.findall(r"[^.|]*import nothing of each other[^.]*", text)

    apart = [name for layer in contract() if "|" in layer for name in packages_in(layer)]
    assert re.findall(r"`(\w+)`", said) == apart


PART = re.compile(r"^\| `(\w+)` \|", re.MULTILINE)
"""A row of a table that begins with one name."""


def test_the_plan_has_the_parts_of_the_sweep_in_its_order() -> None:
    source = (ROOT / "shop/jobs.py").read_text("utf-8")
    (parts,) = re.findall(r"parts = \(\n(.+?)\n    \)", source, re.DOTALL)

    assert PART.findall(plan_of("The minute's work")) == re.findall(r"\w+", parts)


BESIDE_EACH_OTHER = re.compile(r"\n\n|\n(?=[|-] )|\n(?=\|)")
"""Between two paragraphs, items of a list or rows of a table: a name is looked for in its own one's files."""


def test_every_file_and_every_name_of_the_plan_is_there() -> None:
    everywhere, found = sources_of("shop"), 0
    others = {path.stem for path in (ROOT / "shop").iterdir()} | {"else", "session", "shop"}
    for block in BESIDE_EACH_OTHER.split(plan_of()):
        files = [named_file(name) for name in files_in(block)]
        code = [path.read_text("utf-8") for path in files if path.suffix == ".py"]
        source = "\n".join(code) or everywhere
        for name in set(re.findall(r"`(\w+)`", PART.sub("", block))) - others:
            assert defines(source, name), f"{name}: {block[:80]}"
            found += 1
        for name in re.findall(r'`"(\w+)"`', block):
            assert re.search(rf'transaction\("{name}"[,)]', source), f"{name}: {block[:80]}"
            found += 1

    assert found > 90


def files_in(block: str) -> list[str]:
    """Every path that a part of the plan names: by a link, or in code that has a slash or an ending."""
    linked = re.findall(r"\]\(\.\./(\S+?)\)", block)
    code = re.findall(r"`([\w./-]+)`", block)
    kinds = ("models.py", "queries.py", "service.py", "forms.py", "views.py", "routing.py")
    paths = [name for name in code if re.search(r"\w/|\.\w", name) and not name.startswith("/")]
    return linked + [name for name in paths if name not in kinds and name != "dev.py"]


def named_file(name: str) -> Path:
    for path in (ROOT / "shop" / name, ROOT / name):
        if path.exists():
            return path
    raise AssertionError(f"docs/architecture.md: there is no {name}")


def defines(source: str, name: str) -> bool:
    """Whether a function, class, constant, field or argument of this name is made there."""
    made = rf"\b(?:def|class) {name}\b|^ *{name}(?:: .+)? = |^ *{name}: |[(, ]{name}: "
    return re.search(made, source, re.MULTILINE) is not None


def test_a_name_that_is_nowhere_would_be_found() -> None:
    """The control."""
    source = (
        "def settle(order_id: int) -> bool:\n    PARTS: tuple[int, ...] = (1,)\n    note(kind)\n"
    )

    made = ("settle", "order_id", "PARTS", "note", "kind", "sett")
    assert [name for name in made if defines(source, name)] == ["settle", "order_id", "PARTS"]
    with pytest.raises(AssertionError):
        named_file("payments/service.py")


def test_whoever_installs_the_shop_is_told_to_do_it_from_the_clone() -> None:
    """A package of it has no templates and no styles: it would seem to work in the clone alone."""
    documents = "".join(path.read_text("utf-8") for path in DOCUMENTS)
    told = re.findall(
        r"pip install.* '?\.(?:\[[a-z0-9,]+\])?'?(?![\w/.])", documents + sources_of("shop")
    )

    assert len(told) >= 5
    assert [line for line in told if " -e " not in line] == []
