"""Calls over HTTP, each with a limit on everything that the other side could make long or large."""

from __future__ import annotations

import ssl
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any

import requests
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError, SSLError

from .answers import Answer
from .errors import CryptoCloudError, KeyRefused, NotSent, TooManyCalls, Unclear

CONNECT_SECONDS = 3.0
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
        self._stop_if_refused()
        limit = min(seconds or self.call_seconds, self.call_seconds)
        if not self._slots.acquire(blocking=False):
            raise TooManyCalls("too many calls are waiting for the provider")
        outcome: list[Answer | BaseException] = []
        deadline = time.monotonic() + limit

        def work() -> None:
            try:
                outcome.append(self._request(method, path, deadline, largest, **content))
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

    def _request(
        self, method: str, path: str, deadline: float, largest: int, **content: Any
    ) -> Answer:
        started = time.monotonic()
        with _Session() as session:
            session.trust_env = False  # neither a proxy nor a .netrc may see the key
            try:
                with session.request(
                    method,
                    f"{self.url}{path}",
                    headers={
                        "Authorization": f"Token {self.api_key}",
                        "Accept": "application/json",
                        "Accept-Encoding": "identity",  # no reply that unpacks to a gigabyte
                    },
                    timeout=(CONNECT_SECONDS, self.call_seconds),
                    allow_redirects=False,
                    stream=True,
                    **content,
                ) as response:
                    body = _read(response, deadline, largest)
                    # An error page may repeat the request that caused it, key and all.
                    body = body.replace(self.api_key.encode(), b"-")
                    took = time.monotonic() - started
                    return Answer.of(response.status_code, response.headers, body, self.url, took)
            except CryptoCloudError:
                raise
            except requests.ConnectTimeout:
                raise NotSent("the provider could not be reached") from None
            except requests.ConnectionError as error:
                if _never_connected(error):
                    raise NotSent("the provider could not be reached") from None
                raise Unclear("the connection broke before an answer came") from None
            except Exception as error:  # `requests` lets some errors of its own libraries through
                raise Unclear(f"no usable answer: {type(error).__name__}") from None


class _Session(requests.Session):
    """A session that leaves the body of a redirect unread: `requests` reads all of it, even without following."""

    def get_redirect_target(self, resp: requests.Response) -> str | None:
        """None, so that a redirect is an answer like any other."""
        return None


def _never_connected(error: requests.ConnectionError) -> bool:
    """Whether the failure was in finding, reaching or trusting the host, before anything was sent."""
    reason = getattr(error.args[0] if error.args else None, "reason", None)
    if isinstance(reason, NewConnectionError | ConnectTimeoutError):
        return True
    cause = reason.args[0] if isinstance(reason, SSLError) and reason.args else None
    return isinstance(cause, ssl.SSLCertVerificationError)


def _read(response: requests.Response, deadline: float, largest: int) -> bytes:
    body = bytearray()
    # Each read takes what has come and waits for no more: an answer that drips would outlast the deadline.
    while piece := response.raw.read1(16 * 1024, decode_content=True):
        body += piece
        if len(body) > largest or time.monotonic() > deadline:
            raise Unclear("the reply is too large or too slow")
    return bytes(body)
