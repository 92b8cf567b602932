"""How far a long command is: on a terminal alone, on standard error, once a person begins to wonder."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Collection, Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Self, TypeVar

if TYPE_CHECKING:
    from rich.progress import Progress as Bar

T = TypeVar("T")

PATIENCE = 2.0
"""Seconds after which a person wants to see that something happens."""
PAUSE = 0.2
"""Seconds between two looks at the terminal."""


class Progress:
    """Shows one bar at a time; nothing where no person looks on, as where the output goes to a file."""

    def __init__(self, *, quiet: bool = False, clock: Callable[[], float] = time.monotonic) -> None:
        self.quiet, self.clock = quiet, clock
        self._next = clock() + PATIENCE
        self._bar: Bar | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.end()

    def __call__(self, done: int, of: int, what: str = "Reading records") -> None:
        """Show that so many are done, if it is time to."""
        if self.quiet or self.clock() < self._next or not sys.stderr.isatty():
            return
        self._next = self.clock() + PAUSE
        bar = self._bar = self._bar or _started_bar()
        (task,) = bar.task_ids or [bar.add_task(what)]
        bar.update(task, description=what, completed=done, total=of, refresh=True)

    def follow(self, items: Collection[T], what: str, /) -> Iterator[T]:
        """Hand out the items, and show which of them is in hand."""
        for done, item in enumerate(items):
            self(done, len(items), what)
            yield item

    def end(self) -> None:
        """Take the bar away, so that what is said next stands alone; a further step shows it again."""
        if self._bar:
            self._bar.stop()
            self._bar = None


def _started_bar() -> Bar:
    # Here, because it takes a tenth of a second, and most commands are over before it is wanted.
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    bar = Bar(*columns, console=Console(stderr=True), auto_refresh=False, transient=True)
    bar.start()
    return bar
