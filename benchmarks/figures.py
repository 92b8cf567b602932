"""What a benchmark found, round by round: medians, ratios with their spread, goals, and the table.

A ratio is the median of the rounds' own ratios, because the machine's speed changes from one minute to the
next. Where the rounds differ more than the two that are compared, the table has a mark.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

NOISE = "~"


@dataclass(frozen=True)
class Goal:
    """A limit, of the ratio or of the value itself."""

    limit: float
    at_least: bool
    of: str

    def met(self, figure: Figure) -> bool:
        """Whether the figure keeps it."""
        value = figure.ratio if self.of == "ratio" else figure.value
        return value >= self.limit if self.at_least else value <= self.limit

    def __str__(self) -> str:
        return f"{'>=' if self.at_least else '<='} {self.limit:g}"


def at_least(limit: float, of: str = "ratio") -> Goal:
    """A figure that is better when it is greater."""
    return Goal(limit, at_least=True, of=of)


def at_most(limit: float, of: str = "ratio") -> Goal:
    """A figure that is better when it is smaller."""
    return Goal(limit, at_least=False, of=of)


@dataclass(frozen=True)
class Figure:
    """One line of the table: its value in each round, beside that of something else."""

    section: str
    engine: str
    name: str
    unit: str
    values: Sequence[float]
    beside: str = ""
    others: Sequence[float] = ()
    cpu: Sequence[float] = ()
    other_cpu: Sequence[float] = ()
    goal: Goal | None = None
    note: str = ""
    extra: dict[str, float] = field(default_factory=dict)

    @property
    def value(self) -> float:
        """The median of the rounds."""
        return statistics.median(self.values)

    @property
    def ratios(self) -> list[float]:
        """Each round's own ratio, in order of size."""
        return ratios(self.values, self.others)

    @property
    def ratio(self) -> float:
        """The median of the rounds' ratios."""
        return statistics.median(self.ratios)

    @property
    def is_noisy(self) -> bool:
        """Whether the rounds differ more from one another than the two that are compared."""
        return bool(self.ratios) and self.ratios[-1] - self.ratios[0] > abs(1 - self.ratio)

    @property
    def missed(self) -> bool:
        """Whether there is a goal that is not kept."""
        return self.goal is not None and not self.goal.met(self)

    def as_json(self) -> dict[str, Any]:
        """Everything that the table says, and each round."""
        found = asdict(self) | {"value": self.value, "goal": str(self.goal or "")}
        if self.goal:
            found |= {"goal_of": self.goal.of, "met": not self.missed}
        if self.ratios:
            found |= {"ratio": self.ratio, "spread": self.ratios, "noisy": self.is_noisy}
        return found


def ratios(values: Sequence[float], others: Sequence[float]) -> list[float]:
    """What each round's value is of the other's in the same round, in order of size."""
    return sorted(value / other for value, other in zip(values, others, strict=False) if other)


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which this share of the values lies."""
    return sorted(values)[min(int(len(values) * share), len(values) - 1)]


HEAD = ("", "", "CPU ms", "other", "CPU ms", "ratio [rounds]", "goal")


def row_of(figure: Figure) -> tuple[str, ...]:
    """The cells of a figure: name, value, CPU; the same of the other; the ratio and the goal."""
    ratio = mark = verdict = ""
    if figure.ratios:
        ratio = f"{figure.ratio:.2f} [{figure.ratios[0]:.2f}-{figure.ratios[-1]:.2f}]"
        mark = f" {NOISE}" if figure.is_noisy else ""
    if figure.goal:
        kind = "" if figure.goal.of == "ratio" else f" {figure.unit}"
        verdict = f"{'MISSED' if figure.missed else 'met'} {figure.goal}{kind}"
    return (
        figure.name,
        f"{short(figure.value)} {figure.unit}",
        short(statistics.median(figure.cpu)) if figure.cpu else "",
        f"{short(statistics.median(figure.others))} {figure.beside}" if figure.others else "",
        short(statistics.median(figure.other_cpu)) if figure.other_cpu else "",
        ratio + mark,
        f"{verdict}  {figure.note}".strip(),
    )


def short(value: float) -> str:
    """Three figures that count, and whole numbers from a hundred on."""
    if abs(value) >= 100 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def line(cells: Sequence[str]) -> str:
    """One line on the terminal."""
    name, value, cpu, other, other_cpu, ratio, goal = cells
    return f"{name:<42}{value:>14}{cpu:>8}{other:>18}{other_cpu:>8}{ratio:>22}  {goal}".rstrip()
