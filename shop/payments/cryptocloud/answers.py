"""What came back over the wire, and what it means. Both versions of the API wrap replies alike."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC
from decimal import Decimal
from email.utils import parsedate_to_datetime
from typing import Any

from .errors import (
    Blocked,
    KeyRefused,
    Moved,
    ProjectRefused,
    Rejected,
    Unavailable,
    Unclear,
    Unreadable,
)
from .hosts import named_host

LONGEST_WAIT = 3600.0
RATE_LIMIT_SECONDS = 60.0
"""The provider's rate limits count by the minute, and do not say how much of it is left."""
DONE = (200, 201)
"""The documents know 200 alone; a 201 with a whole reply says the same."""
REASONS = ("error", "message", "detail")
OF_THE_KEY = re.compile(r"authenticat|authoriz|credential|token|api.?key", re.IGNORECASE)
"""What a 403 speaks of when it is about the key, and not about the project."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer, whatever it says."""

    status: int
    body: bytes
    retry_after: float | None = None
    clock_ahead: float | None = None
    """By how many seconds the provider's clock is ahead of ours."""
    server: str = ""
    """What the answering program calls itself."""
    location: str = ""
    """The host that a redirect leads to."""

    @classmethod
    def of(cls, status: int, headers: Mapping[str, str], body: bytes) -> Answer:
        """The answer that has just come in."""
        now = time.time()
        return cls(
            status,
            body,
            retry_after=_wait(headers.get("Retry-After", ""), now),
            clock_ahead=_seconds_until(headers.get("Date", ""), now),
            server=_plain(headers.get("Server", ""))[:60],
            location=named_host(headers.get("Location", "")),
        )

    def reply(self) -> dict[str, Any]:
        """The reply's JSON object when it says success; otherwise the error it amounts to."""
        status, reply = self.status, _parsed(self.body)
        if status in (*DONE, 400, 401, 403):
            self._refuse_us(reply)
        if status in (406, 429):
            raise Unavailable(
                f"the provider cannot serve this now ({status})", retry_after=self.retry_after
            )
        if 300 <= status < 400 and self.location:
            raise Moved(f"the API's address sends to {self.location} ({status})")
        if 400 <= status < 500 and status not in (408, 409, 425):
            if not isinstance(reply, dict) and self.body.strip():
                raise Blocked(self._in_between())
            raise Rejected(f"the provider said no ({status}): {_reason(reply)}")
        if status not in DONE and status >= 400:
            raise Unclear(f"the answer ({status}) is not one that the API gives")
        if status not in DONE or not isinstance(reply, dict):
            raise Unreadable(f"the answer ({status}) is not one that the API gives")
        # An object without a status says no where it gives a reason; a result alone may be an invoice.
        if reply.get("status") == "error" or ("status" not in reply and _words(reply, of=REASONS)):
            raise Rejected(f"the provider said no: {_reason(reply)}")
        if reply.get("status") != "success":
            raise Unreadable("the answer says neither success nor error")
        return reply

    def _refuse_us(self, reply: object) -> None:
        """Raise what the answer says about our key, our project or our haste, if it does."""
        status, said_no = self.status, isinstance(reply, dict) and reply.get("status") == "error"
        if isinstance(reply, dict) and said_no and _names("rate_limit", reply):
            wait = self.retry_after or RATE_LIMIT_SECONDS
            raise Unavailable(f"the provider asks for fewer calls: {_reason(reply)}", wait)
        if isinstance(reply, dict) and said_no and _names("authorization", reply):
            raise KeyRefused(f"the provider refused the API key ({status})")
        if status not in (401, 403):
            return
        if not isinstance(reply, dict) and self.body.lstrip()[:1] == b"<":
            raise Blocked(self._in_between())
        if status == 403 and _words(reply) and not OF_THE_KEY.search(_reason(reply)):
            raise ProjectRefused(f"the provider refused the project ({status}): {_reason(reply)}")
        raise KeyRefused(f"the provider refused the API key ({status})")

    def _in_between(self) -> str:
        name = f", which calls itself {self.server}" if self.server else ""
        return f"something in between answered in the API's place ({self.status}){name}"


def _parsed(body: bytes) -> object:
    try:
        return json.loads(body, parse_float=Decimal)
    except (ValueError, ArithmeticError, RecursionError):
        return None


def _names(field: str, reply: dict[str, Any]) -> bool:
    """Whether v2's map of reasons has one for this field."""
    result = reply.get("result")
    return isinstance(result, dict) and bool(result.get(field))


def _words(reply: object, of: Sequence[str] = (*REASONS, "result")) -> object:
    """What the provider gives for a reason, under whichever of these names; None without any."""
    if not isinstance(reply, dict):
        return None
    return next(filter(None, map(reply.get, of)), None)


def _reason(reply: object) -> str:
    """The provider's own words, shortened to a line of plain characters."""
    words = _words(reply)
    if isinstance(words, dict):
        words = "; ".join(f"{field}: {text}" for field, text in words.items())
    return _plain(str(words))[:200] if words else "no reason given"


def _plain(text: str) -> str:
    return re.sub(r"[^ -~]|\s+", " ", text)


def _wait(text: str, now: float) -> float | None:
    """How long to wait, from a number of seconds or a date, between nothing and an hour."""
    if re.fullmatch(r"[0-9]{1,9}", text):
        seconds: float | None = int(text)
    else:
        seconds = _seconds_until(text, now)
    return None if seconds is None else min(max(seconds, 0.0), LONGEST_WAIT)


def _seconds_until(date: str, now: float) -> float | None:
    try:
        moment = parsedate_to_datetime(date)
        return moment.replace(tzinfo=moment.tzinfo or UTC).timestamp() - now
    except (ValueError, OverflowError, TypeError, IndexError):  # the parser's own slips among them
        return None
