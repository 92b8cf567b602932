"""The provider calls of one round of the sweep: several at once, limited in time, and few when it is down."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import TypeVar

import structlog

from ..db import end_read
from .checking import Question, act_on
from .cryptocloud import CryptoCloud, CryptoCloudError, InvoiceInfo, Rejected, Untrusted

T = TypeVar("T")
Answer = Future[dict[str, InvoiceInfo]]

log = structlog.get_logger()

SECONDS_FOR_CALLS = 45
"""How long a round's calls may take: a slow provider must not make one sweep run into the next."""
LEAST_SECONDS = 3
"""How long each part of the round has for its calls, even when the parts before it were late."""
ERRORS_IN_A_ROW = 3
AT_ONCE = 16
"""Calls at a time, two thirds of what the client allows a process."""


class Round:
    """The provider calls of one round: limited in time, and over early when the provider is down."""

    def __init__(self, gateway: CryptoCloud) -> None:
        self.gateway = gateway
        self._began = time.monotonic()
        self._until = self._began + SECONDS_FOR_CALLS
        self._errors = 0
        self._at_once = 1
        self.silent = False
        """Whether the last call brought no answer about an invoice, not even a no, or was not made."""
        self.heard: bool | None = None
        """Whether any call of this round went well; None when none was made."""

    def for_part(self, share: float) -> Round:
        """The same round, for its next part, which may call until this share of the time is over.

        Time that earlier parts have left is this part's. Errors are counted anew for each part: a few
        invoices that the provider cannot tell about must not end the round.
        """
        by, least = self._began + share * SECONDS_FOR_CALLS, time.monotonic() + LEAST_SECONDS
        self._until, self._errors = max(by, least), 0
        return self

    @property
    def is_over(self) -> bool:
        """Whether this part of the round should make no further calls."""
        return self._errors >= ERRORS_IN_A_ROW or time.monotonic() > self._until

    def make(self, call: Callable[[], T], about: str) -> T | None:
        """Make one call; None when the provider could not say, or when this part of the round is over.

        Raises Untrusted, because that is an answer.
        """
        self.silent = True
        return None if self.is_over else self._heed(call, about)

    def answers(
        self, things: Iterable[T], question: Callable[[T], Question]
    ) -> Iterator[tuple[T, Question, Answer | None]]:
        """Ask about each thing when its turn comes; yield it with its question and the answer, for `told`.

        Only the calls run in threads of their own, more at once while the provider answers; results come
        in the order in which the calls end. The answer is None for a thing that was not asked about.
        """
        waiting: dict[Answer, tuple[T, Question]] = {}
        with ThreadPoolExecutor(AT_ONCE, "sweep-call") as pool:
            for thing in things:
                while len(waiting) >= self._at_once:
                    yield from _come(waiting)
                asked = {} if self.is_over else question(thing)
                if asked:
                    call = pool.submit(self.gateway.invoice_infos, list(asked), seconds=None)
                    waiting[call] = thing, asked
                else:
                    yield thing, asked, None
            while waiting:
                yield from _come(waiting)

    def told(self, asked: Question, answer: Answer | None) -> set[int]:
        """Act on an answer; the ids of the payments that the provider told about."""
        if answer is None:
            return set()
        about = next(iter(asked.values())).reference
        return self._heed(lambda: act_on(asked, answer.result), about) or set()

    def _heed(self, answer: Callable[[], T], about: str) -> T | None:
        """Take an answer, and learn from it whether to go on asking, and how many at once."""
        self.silent = True
        try:
            taken = answer()
        except Untrusted:
            self._is_there()
            raise  # an invoice was found that nobody may be shown
        except CryptoCloudError as error:
            # An error about one invoice must not keep us from asking about others.
            self._errors = 0 if error.about_invoice else self._errors + 1
            if not error.about_invoice:
                self._at_once = 1
            self.silent = not (error.about_invoice and isinstance(error, Rejected))
            self.heard = self.heard or error.about_invoice
            log.warning("check_failed", payment=about, outcome=type(error).__name__)
            return None
        self._is_there()
        return taken

    def _is_there(self) -> None:
        self._errors, self.silent, self.heard = 0, False, True
        self._at_once = min(2 * self._at_once, AT_ONCE)


def _come(
    waiting: dict[Answer, tuple[T, Question]],
) -> Iterator[tuple[T, Question, Answer]]:
    """Wait until a call has ended, and yield those that have."""
    end_read()
    for answer in wait(waiting, return_when=FIRST_COMPLETED).done:
        yield *waiting.pop(answer), answer
