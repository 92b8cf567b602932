"""What the tests of docs/promises.md did, as figures: `pytest --promises FILE` writes the table.

A test of the goal sheet carries `@pytest.mark.promise(row)`, takes the fixture `promise` and counts
in it. The counts travel with the test's report, so they also arrive from the workers of pytest-xdist.
"""

from __future__ import annotations

import os
import platform
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
}
START, END = "<!-- promises: start -->", "<!-- promises: end -->"
HEAD = "| Row | Test | Cases | Lost | Doubled | Seconds | Engine | Outcome |"
RULE = "|---:|---|---:|---:|---:|---:|---|---|"


@dataclass
class Promise:
    """What one test did: how many cases it ran, and what its checker counted in them."""

    cases: int = 0
    lost: int = 0
    doubled: int = 0


_promise = pytest.StashKey[Promise]()


@pytest.fixture
def promise(request: pytest.FixtureRequest) -> Promise:
    return request.node.stash.setdefault(_promise, Promise())


@dataclass
class Line:
    """One line of the table: all tests of a row on one engine."""

    cases: int = 0
    lost: int = 0
    doubled: int = 0
    seconds: float = 0
    outcomes: list[str] = field(default_factory=list)

    def add(self, told: dict[str, Any]) -> None:
        self.cases += told["cases"]
        self.lost += told["lost"]
        self.doubled += told["doubled"]
        self.seconds += told["seconds"]
        self.outcomes.append(told["outcome"])

    @property
    def outcome(self) -> str:
        counts = {name: self.outcomes.count(name) for name in ("failed", "skipped", "passed")}
        if counts["passed"] == len(self.outcomes):
            return "passed"
        return ", ".join(f"{count} {name}" for name, count in counts.items() if count)


class Table:
    """Collects in the process that the user started, and writes the file when all has run."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.lines: dict[tuple[int, str], Line] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        for name, told in report.user_properties:
            if name == "promise" and report.when == told["when"]:
                for row in told["rows"]:
                    self.lines.setdefault((row, told["engine"]), Line()).add(told)

    def text(self) -> str:
        rows = [
            f"| {row} | {ROWS[row]} | {line.cases:,} | {line.lost:,} | {line.doubled:,} "
            f"| {line.seconds:,.0f} | {engine} | {line.outcome} |"
            for (row, engine), line in sorted(self.lines.items())
        ]
        return "\n".join([HEAD, RULE, *rows])

    def pytest_terminal_summary(self, terminalreporter: Any, config: pytest.Config) -> None:
        block = f"{START}\n{how(config)}\n\n{self.text()}\n{END}"
        old = self.path.read_text("utf-8") if self.path.exists() else ""
        before, start, rest = old.partition(START)
        after = rest.partition(END)[2] if start else "\n"
        self.path.write_text(f"{before}{block}{after}", "utf-8")
        terminalreporter.section("promises")
        terminalreporter.write_line(f"{how(config)}\n\n{self.text()}\n\nWritten to {self.path}.")


def how(config: pytest.Config) -> str:
    """The command that made the table, and when and on what it ran."""
    arguments = " ".join(f"'{a}'" if " " in a else a for a in config.invocation_params.args)
    command = os.environ.get("DEV_COMMAND") or f"pytest {arguments}"
    on = f"Python {platform.python_version()}, {os.cpu_count()} cores"
    return f"`{command}`, {datetime.now(UTC):%Y-%m-%d}, {on}."


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--promises", metavar="FILE", help="write the table of the promises to FILE")


def pytest_configure(config: pytest.Config) -> None:
    path = config.getoption("--promises")
    if path and not hasattr(config, "workerinput"):
        config.pluginmanager.register(Table(Path(path)), "promises-table")


def rows_of(item: pytest.Item) -> list[int]:
    """The rows of the goal sheet that a test shows."""
    rows = [row for marker in item.iter_markers("promise") for row in marker.args]
    for row in rows:
        if row not in ROWS:
            raise pytest.UsageError(f"{item.nodeid}: the goal sheet has no row {row!r}")
    return rows


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """For the table, leave out the quick variant of each test that also has its full figure."""
    promised = [item for item in items if rows_of(item)]
    if not config.getoption("--promises"):
        return
    full = {_function(item) for item in promised if item.get_closest_marker("long")}
    quick = {i for i in promised if _function(i) in full and not i.get_closest_marker("long")}
    config.hook.pytest_deselected(items=[item for item in items if item in quick])
    items[:] = [item for item in items if item not in quick]


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
        told = {"rows": rows, "engine": _engine(item), "when": call.when, "outcome": report.outcome}
        report.user_properties.append(
            ("promise", {**told, **asdict(counts), "seconds": call.duration})
        )
    return report
