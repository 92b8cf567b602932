"""What every section gets: the shops that run, and how long it may measure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.figures import Figure
from benchmarks.load import Asked, ask_for
from benchmarks.processes import processor_seconds
from benchmarks.shops import Bare, Shop

CONNECTIONS = 16


@dataclass(frozen=True)
class Size:
    """How long to measure."""

    rounds: int
    seconds: float
    checkouts: int
    loaded_rounds: int
    loaded_seconds: float
    cold_rounds: int
    requests: int
    starts: int
    products: Sequence[int]
    orders: int


FULL = Size(5, 0.6, 60, 3, 4.0, 9, 20_000, 5, (24, 100, 500, 1_000, 5_000), 100_000)
QUICK = Size(3, 0.3, 10, 1, 3.0, 3, 2_000, 3, (24, 500), 5_000)


@dataclass(frozen=True)
class Run:
    """One engine's turn: its server, and the checkouts by name, this one first."""

    engine: str
    server: str | None
    size: Size
    checkouts: dict[str, Path]
    shops: list[Shop] = field(default_factory=list)
    bare: Bare | None = None

    @property
    def here(self) -> Shop:
        """The running shop of this checkout."""
        return self.shops[0]

    @property
    def there(self) -> Shop | None:
        """The running shop of the other commit, if there is one to compare with."""
        return self.shops[1] if len(self.shops) > 1 else None

    @property
    def against(self) -> str:
        """The name of the other commit; empty without one."""
        return list(self.checkouts)[1] if len(self.checkouts) > 1 else ""

    def figure(self, name: str, unit: str, values: Sequence[float], **more: Any) -> Figure:
        """A figure of this engine; the section is added by whoever runs it."""
        return Figure("", self.engine, name, unit, values, **more)


@dataclass(frozen=True)
class Target:
    """A request, and the server process whose children answer it."""

    name: str
    asked: Asked
    master: int


Rounds = list[list[tuple[float, float]]]
"""For each round and target: answers in each second, and CPU milliseconds for each answer."""


def by_turns(targets: Sequence[Target], size: Size) -> Rounds:
    """Ask for one after the other, round after round; once beforehand, so that what is kept is there."""
    for target in targets:
        ask_for(target.asked, 0.3, CONNECTIONS)
    return [[_once(target, size.seconds) for target in targets] for _ in range(size.rounds)]


def _once(target: Target, seconds: float) -> tuple[float, float]:
    before = processor_seconds(target.master)
    answered, elapsed = ask_for(target.asked, seconds, CONNECTIONS)
    used = processor_seconds(target.master) - before
    return answered / elapsed, used * 1000 / answered


def column(rounds: Rounds, target: int, kind: int) -> list[float]:
    """One target's rates (0) or CPU milliseconds (1), round by round."""
    return [each[target][kind] for each in rounds]
