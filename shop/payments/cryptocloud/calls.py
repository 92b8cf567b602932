"""Calls over HTTP, each with a limit on everything that the other side could make long or large."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from .answers import Answer
from .errors import KeyRefused, TooManyCalls, Unclear

CALL_SECONDS = 8.0
LARGEST_REPLY = 64 * 1024
CALLS_AT_ONCE = 24
KEY_REFUSED_SECONDS = 30.0
"""A key that was refused is not tried again for so long: the provider may count such calls."""

CLOCK_READINGS = 3
"""How many readings tell the time: one alone may come from something in between, with a date of its own."""


class Calls:
    """The way to one project's API. Safe to share between threads."""

    def __init__(self, url: str, api_key: str, call_seconds: float) -> None:
        self.url, self.api_key, self.call_seconds = url, api_key, call_seconds
        self._slots = threading.BoundedSemaphore(CALLS_AT_ONCE)
        self._refused_at: float | None = None
        self._clock_ahead: deque[float] = deque(maxlen=CLOCK_READINGS)
        self.on_answer: Callable[[str, str, Answer], None] | None = None
        """Called with each answer as it came, after its call's method and path."""

    def call(self, method: str, path: str, **arguments: Any) -> dict[str, Any]:
        """One call that is answered with success; otherwise the error that the answer amounts to."""
        return self.judge(self.ask(method, path, **arguments))

    def judge(self, answer: Answer) -> dict[str, Any]:
        """The answer's reply; notes when the key was refused, and by how much the provider's clock differs."""
        try:
            reply = answer.reply()
        except KeyRefused:
            self._refused_at = time.monotonic()
            raise
        if answer.clock_ahead is not None:
            self._clock_ahead.append(answer.clock_ahead)
        return reply

    @property
    def clock_ahead(self) -> float | None:
        """By how many seconds the provider's clock is ahead of ours; None until enough answers have told.

        Of the last readings, the one nearest to our clock counts, so that one right answer clears our clock.
        """
        readings = tuple(self._clock_ahead)
        return min(readings, key=abs) if len(readings) == CLOCK_READINGS else None

    def ask(
        self,
        method: str,
        path: str,
        *,
        seconds: float | None = None,
        largest: int = LARGEST_REPLY,
        **content: Any,
    ) -> Answer:
        """One call with a limit on the whole of it, and on how many wait at once.

        It runs in a thread of its own, because no timeout of `requests` bounds a slow name look-up
        or an answer that drips in byte by byte: after the deadline the caller goes on, and the
        thread keeps its place among CALLS_AT_ONCE until its socket gives up.
        """
        from .transport import request  # before the deadline is set, as it takes a while

        self._stop_if_refused()
        limit = min(seconds or self.call_seconds, self.call_seconds)
        if not self._slots.acquire(blocking=False):
            raise TooManyCalls("too many calls are waiting for the provider")
        outcome: list[Answer | BaseException] = []
        deadline = time.monotonic() + limit

        def work() -> None:
            try:
                answer = request(
                    method,
                    self.url,
                    path,
                    api_key=self.api_key,
                    seconds=self.call_seconds,
                    deadline=deadline,
                    largest=largest,
                    **content,
                )
                outcome.append(answer)
            except BaseException as error:  # handed to the caller below
                outcome.append(error)
            finally:
                self._slots.release()

        thread = threading.Thread(target=work, name="cryptocloud-call", daemon=True)
        try:
            thread.start()
        except RuntimeError:  # the machine has no thread to give
            self._slots.release()
            raise TooManyCalls("no thread is free to call the provider") from None
        thread.join(limit)
        if not outcome:
            raise Unclear("no answer in time")
        if isinstance(outcome[0], BaseException):
            raise outcome[0]
        if self.on_answer:
            self.on_answer(method, path, outcome[0])
        return outcome[0]

    def _stop_if_refused(self) -> None:
        refused_at = self._refused_at
        if refused_at is not None and time.monotonic() < refused_at + KEY_REFUSED_SECONDS:
            raise KeyRefused("the provider refused the API key a moment ago")
