"""Thousands of descriptions are converted on all processors, while their records are read one after the other."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterable, Iterator
from concurrent.futures import BrokenExecutor, Future, ProcessPoolExecutor
from contextlib import contextmanager, suppress
from multiprocessing import get_context

from .html import Converted, convert, later

MANY = 500
"""Texts, about a second's work; fewer are converted sooner than the processes have started."""
AT_ONCE = 25
"""Texts that a process is given at a time: one by one, handing them over would take longer than the work."""


@contextmanager
def converted_ahead(texts: Iterable[str], *, lines: bool = False) -> Iterator[None]:
    """Have these texts converted meanwhile; `markdown_of` waits for one instead of doing it itself."""
    wanted = list(dict.fromkeys(texts))
    pool = _processes() if len(wanted) >= MANY and (os.cpu_count() or 1) > 1 else None
    if pool is None:
        yield
        return
    try:
        with suppress(BrokenExecutor, OSError):  # it was killed, or could not be started
            for start in range(0, len(wanted), AT_ONCE):
                some = wanted[start : start + AT_ONCE]
                found = pool.submit(_convert_all, some, lines)
                places = enumerate(some)
                later.update({(html, lines): _Place(found, place) for place, html in places})
        yield
    finally:
        later.clear()
        pool.shutdown(cancel_futures=True)


class _Place:
    """Where a text will be among those that a process converts."""

    def __init__(self, found: Future[list[Converted]], place: int) -> None:
        self.found, self.place = found, place

    def __call__(self) -> Converted | None:
        """Wait for it; None when the process was killed, as a system does that is short of memory."""
        try:
            return self.found.result()[self.place]
        except BrokenExecutor:
            return None


def _processes() -> ProcessPoolExecutor | None:
    """None where the system has no semaphores for them, as in some containers."""
    try:
        # Not forks of this process, which would share its connection to the database.
        context = get_context("forkserver")
        context.set_forkserver_preload([__name__])
        # Ctrl-C is for the command; each process would answer it with a traceback.
        return ProcessPoolExecutor(
            mp_context=context,
            initializer=signal.signal,
            initargs=(signal.SIGINT, signal.SIG_IGN),
        )
    except (NotImplementedError, OSError, ValueError):
        return None


def _convert_all(texts: list[str], lines: bool) -> list[Converted]:
    return [convert(html, lines=lines) for html in texts]
