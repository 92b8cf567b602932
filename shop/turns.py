"""The line in which a process's threads wait until they may write, so that some are left for pages."""

from __future__ import annotations

import threading
from time import monotonic

PATIENT = 4
"""So many may wait as long as they like while the line stands still."""
STANDS_STILL = 1.0
"""Seconds without anybody's turn after which the line counts as standing still."""


class Line:
    """A line of threads, of which `at_once` have their turn at a time.

    While it moves, everybody waits: that takes milliseconds. When it stands still, because another process
    keeps the database, only a few wait on. All others would take the threads that pages need.
    """

    def __init__(self, at_once: int = 1) -> None:
        self._turns = threading.Semaphore(at_once)
        self._counting = threading.Lock()
        self._moved = 0.0
        self.waiting = 0

    def acquire(self, timeout: float, *, insists: bool = False) -> bool:
        """Wait for a turn; False when none came. Whoever insists waits for `timeout`, however long the line is."""
        if self._take(0.0):
            return True
        until = monotonic() + timeout
        self._count(+1)
        try:
            while (patience := self._patience(until, insists=insists)) > 0:
                if self._take(patience):
                    return True
            return False
        finally:
            self._count(-1)

    def release(self) -> None:
        """Let the next one have a turn."""
        self._turns.release()

    def _patience(self, until: float, *, insists: bool) -> float:
        now = monotonic()
        if insists or self.waiting <= PATIENT:
            return until - now
        return min(until, self._moved + STANDS_STILL) - now

    def _take(self, patience: float) -> bool:
        came = (
            self._turns.acquire(timeout=patience)
            if patience
            else self._turns.acquire(blocking=False)
        )
        if came:
            self._moved = monotonic()
        return came

    def _count(self, more: int) -> None:
        with self._counting:
            self.waiting += more
