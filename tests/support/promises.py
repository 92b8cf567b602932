"""What the tests of docs/promises.md did, as figures: `pytest --promises FILE` writes the table.

A test of such a row carries `@pytest.mark.promise(row)`, takes the fixture `promise` and counts
in it. The counts travel with the test's report, so they also arrive from the workers of pytest-xdist.

A line of the table is replaced when all tests of its row and engine have run, so a run that was
broken off, or `--rows 7,20`, leaves the others as they were. The last column says when each was made.
"""

from __future__ import annotations

import os
import platform
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

ROWS = {
    1: "Forged postbacks, 43 kinds",
    2: "Duplicate postbacks",
    3: "Create reply, postback, poll and return page in every order",
    4: "kill -9 at every crash point",
    5: "No double charge",
    6: "Faults of the provider",
    7: "Oversell",
    8: "64 writers on SQLite",
    9: "Database locked",
    10: "Every file: full, read-only, deleted, garbage, no permission",
    11: "PostgreSQL restarted, connections cut",
    12: "Power loss: the WAL cut off",
    13: "SQLite with the WAL-reset bug",
    14: "Backup under load",
    15: "Clock skew and clock jumps",
    16: "Reload and restart under load",
    17: "Worker killed during a call",
    18: "Two sweeps, a worker and postbacks at once",
    19: "Provider down for two hours",
    20: "Late, partial, over, twice, no stock, foreign money",
    21: "Mail server fails",
    22: "Anything in any order: shop and provider as a state machine",
    23: "Parsers fed with rubbish",
    24: "Laws of money",
    25: "States: every move that is not in the table is refused",
    26: "Mutants killed",
    34: "Hostile redirects and pay links",
    36: "Secrets in no log",
    39: "Migrations killed half-way",
    40: "Fresh install: secrets are made once",
    41: "Stale pages: commit, then read",
}
START, END = "<!-- promises: start -->", "<!-- promises: end -->"
HEAD = "| Row | Test | Cases | Lost | Doubled | Seconds | Engine | Outcome | Made |"
RULE = "|---:|---|---:|---:|---:|---:|---|---|---|"
LINE = re.compile(r"(?m)^\| (\d+) \|(?:[^|\n]*\|){5} (\S+) \|.*$")


@dataclass
class Promise:
    """What one test did: how many cases it ran, and what its checker counted in them."""

    cases: int = 0
    lost: int = 0
    doubled: int = 0


_promise = pytest.StashKey[Promise]()
_tests = pytest.StashKey[Counter[tuple[int, str]]]()
"""How many tests each line of the table has; nothing where the user named files."""


@pytest.fixture
def promise(request: pytest.FixtureRequest) -> Promise:
    return request.node.stash.setdefault(_promise, Promise())


@dataclass
class Line:
    """One line of the table: all `tests` of a row on one engine."""

    tests: int
    cases: int = 0
    lost: int = 0
    doubled: int = 0
    seconds: float = 0
    outcomes: dict[str, str] = field(default_factory=dict)

    def add(self, test: str, told: dict[str, Any]) -> None:
        self.cases += told["cases"]
        self.lost += told["lost"]
        self.doubled += told["doubled"]
        self.seconds += told["seconds"]
        self.outcomes[test] = told["outcome"]  # what fails after its call did fail

    @property
    def is_whole(self) -> bool:
        return len(self.outcomes) == self.tests

    @property
    def outcome(self) -> str:
        counts = Counter(self.outcomes.values())
        if set(counts) == {"passed"}:
            return "passed"
        return ", ".join(f"{count} {name}" for name, count in sorted(counts.items()))


class Table:
    """Collects in the process that the user started, and writes the file when all has run."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.lines: dict[tuple[int, str], Line] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        for name, told in report.user_properties:
            if name == "promise" and report.when == told["when"]:
                for row, tests in told["rows"].items():
                    line = self.lines.setdefault((int(row), told["engine"]), Line(tests))
                    line.add(report.nodeid, told)

    def text(self, old: str) -> str:
        """The lines of `old`, and in their place those whose tests have all run now."""
        today = f"{datetime.now(UTC):%Y-%m-%d}"
        lines = {(int(found[1]), found[2]): found[0] for found in LINE.finditer(old)} | {
            (row, engine): f"| {row} | {ROWS[row]} | {line.cases:,} | {line.lost:,} "
            f"| {line.doubled:,} | {line.seconds:,.0f} | {engine} | {line.outcome} | {today} |"
            for (row, engine), line in self.lines.items()
            if line.is_whole
        }
        return "\n".join([HEAD, RULE, *(lines[key] for key in sorted(lines))])

    def pytest_terminal_summary(self, terminalreporter: Any, config: pytest.Config) -> None:
        before, start, rest = self.path.read_text("utf-8").partition(START)
        old, end, after = rest.partition(END)
        table = f"{how(config)}\n\n{self.text(old)}"
        self.path.write_text(f"{before}{start}\n{table}\n{end}{after}", "utf-8")
        terminalreporter.section("promises")
        terminalreporter.write_line(f"{table}\n\nWritten to {self.path}.")
        for row, engine in sorted(key for key, line in self.lines.items() if not line.is_whole):
            terminalreporter.write_line(
                f"Not all tests of row {row} ran ({engine}): left as it was."
            )


def how(config: pytest.Config) -> str:
    """The command that made the newest lines, and on what it ran."""
    arguments = " ".join(f"'{a}'" if " " in a else a for a in config.invocation_params.args)
    command = os.environ.get("DEV_COMMAND") or f"pytest {arguments}"
    on = f"Python {platform.python_version()}, {os.cpu_count()} cores"
    return f"The newest lines are of `{command}`, {on}."


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--promises", metavar="FILE", help="write the table of the promises to FILE")
    parser.addoption("--rows", metavar="7,20", help="run the tests of these rows of the table only")


def pytest_configure(config: pytest.Config) -> None:
    path = config.getoption("--promises")
    if path and not hasattr(config, "workerinput"):
        config.pluginmanager.register(Table(Path(path)), "promises-table")


def rows_of(item: pytest.Item) -> list[int]:
    """The rows of docs/promises.md that a test shows."""
    rows = [row for marker in item.iter_markers("promise") for row in marker.args]
    for row in rows:
        if row not in ROWS:
            raise pytest.UsageError(f"{item.nodeid}: docs/promises.md has no row {row!r}")
    return rows


@pytest.hookimpl(tryfirst=True)  # before -k and its like leave out some of a row
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """For the table, leave out the quick variant of each test that also has its full figure."""
    promised = [item for item in items if rows_of(item)]
    if config.getoption("--promises"):
        full = {_function(item) for item in promised if item.get_closest_marker("long")}
        quick = {i for i in promised if _function(i) in full and not i.get_closest_marker("long")}
        _leave_out(quick, config, items)
        promised = [item for item in promised if item not in quick]
    if config.args_source is not pytest.Config.ArgsSource.ARGS:  # else who knows what else there is
        config.stash[_tests] = Counter(
            (r, _engine(item)) for item in promised for r in rows_of(item)
        )
    if chosen := config.getoption("--rows"):
        rows = set(map(int, chosen.split(",")))
        _leave_out({item for item in items if not rows & set(rows_of(item))}, config, items)


def _leave_out(what: set[pytest.Item], config: pytest.Config, items: list[pytest.Item]) -> None:
    config.hook.pytest_deselected(items=[item for item in items if item in what])
    items[:] = [item for item in items if item not in what]


def _function(item: pytest.Item) -> tuple[Path, str, str]:
    name: str = getattr(item, "originalname", item.name)
    return item.path, name, _engine(item)


def _engine(item: pytest.Item) -> str:
    callspec = getattr(item, "callspec", None)
    return str(callspec.params.get("engine", "-")) if callspec else "-"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    report: pytest.TestReport = yield
    rows: Sequence[int] = rows_of(item)
    ended = call.when == "call" or (call.when in ("setup", "teardown") and not report.passed)
    if rows and ended:
        counts = item.stash.get(_promise, Promise()) if call.when == "call" else Promise()
        engine, tests = _engine(item), item.config.stash.get(_tests, Counter())
        told = {"engine": engine, "when": call.when, "outcome": report.outcome}
        told["rows"] = {str(row): tests[row, engine] for row in rows}
        report.user_properties.append(
            ("promise", {**told, **asdict(counts), "seconds": call.duration})
        )
    return report
