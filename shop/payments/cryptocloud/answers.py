"""What came back over the wire, and what it means. Both versions of the API wrap replies alike."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC
from decimal import Decimal
from email.utils import parsedate_to_datetime
from typing import Any

from .errors import KeyRefused, Rejected, Unavailable, Unclear

LONGEST_WAIT = 3600.0


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer, whatever it says."""

    status: int
    body: bytes
    retry_after: float | None = None
    clock_ahead: float | None = None
    """By how many seconds the provider's clock is ahead of ours."""

    @classmethod
    def of(cls, status: int, headers: Mapping[str, str], body: bytes) -> Answer:
        """The answer that has just come in."""
        now = time.time()
        return cls(
            status,
            body,
            retry_after=_wait(headers.get("Retry-After", ""), now),
            clock_ahead=_seconds_until(headers.get("Date", ""), now),
        )

    def reply(self) -> dict[str, Any]:
        """The reply's JSON object when it says success; otherwise the error it amounts to."""
        status, reply = self.status, _parsed(self.body)
        if status in (401, 403) or (status in (200, 400) and _names_the_key(reply)):
            raise KeyRefused(f"the provider refused the API key ({status})")
        if status in (406, 429):
            raise Unavailable(
                f"the provider cannot serve this now ({status})", retry_after=self.retry_after
            )
        if 400 <= status < 500 and status not in (408, 409, 425):
            raise Rejected(f"the provider said no ({status}): {_reason(reply)}")
        if status != 200 or not isinstance(reply, dict):
            raise Unclear(f"the answer ({status}) is not one that the API gives")
        if reply.get("status") == "error":
            raise Rejected(f"the provider said no: {_reason(reply)}")
        if reply.get("status") != "success":
            raise Unclear("the answer says neither success nor error")
        return reply


def _parsed(body: bytes) -> object:
    try:
        return json.loads(body, parse_float=Decimal)
    except (ValueError, ArithmeticError, RecursionError):
        return None


def _names_the_key(reply: object) -> bool:
    """Whether this is v2's older answer to a wrong key: a 400 with a reason of its own."""
    if not isinstance(reply, dict) or reply.get("status") != "error":
        return False
    result = reply.get("result")
    return isinstance(result, dict) and bool(result.get("authorization"))


def _reason(reply: object) -> str:
    """The provider's own words, shortened; under whichever of four names it put them."""
    if isinstance(reply, dict):
        for name in ("error", "message", "detail", "result"):
            if reply.get(name):
                return re.sub(r"[^ -~]|\s+", " ", str(reply[name]))[:200]
    return "no reason given"


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
