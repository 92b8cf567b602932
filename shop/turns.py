"""The line in which a process's threads wait until they may write, so that some are left for pages."""

from __future__ import annotations

import threading
from collections import deque
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
        self._free = at_once
        self._waiting = deque[threading.Lock]()
        """In order; a lock is let go when the turn of the thread that holds it has come."""
        self._guard = threading.Lock()
        self._moved = 0.0

    @property
    def waiting(self) -> int:
        """How many threads wait."""
        return len(self._waiting)

    def acquire(self, timeout: float, *, insists: bool = False) -> bool:
        """Wait for a turn; False when none came. Whoever insists waits for `timeout`, however long the line is."""
        turn = threading.Lock()
        with self._guard:
            if self._free:
                self._free -= 1
                self._moved = monotonic()
                return True
            turn.acquire()
            self._waiting.append(turn)
        until, came = monotonic() + timeout, False
        try:
            while not came and (patience := self._patience(until, insists=insists)) > 0:
                came = turn.acquire(timeout=patience)
        except BaseException:
            if not self._leave(turn):
                self.release()
            raise
        return came or not self._leave(turn)

    def release(self) -> None:
        """Give the turn to the one who has waited longest: a thread that comes straight back is behind all others."""
        with self._guard:
            if not self._waiting:
                self._free += 1
                return
            self._moved = monotonic()
            self._waiting.popleft().release()

    def _leave(self, turn: threading.Lock) -> bool:
        """Stop waiting; False when the turn has come at the last moment."""
        with self._guard:
            if turn not in self._waiting:
                return False
            self._waiting.remove(turn)
            return True

    def _patience(self, until: float, *, insists: bool) -> float:
        now = monotonic()
        if insists or self.waiting <= PATIENT:
            return until - now
        return min(until, self._moved + STANDS_STILL) - now
