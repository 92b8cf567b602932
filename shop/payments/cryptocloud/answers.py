"""What came back over the wire, and what it means. Both versions of the API wrap replies alike.

The first line that fits an answer says what it is:

    success in a JSON object (200, 201)                         the reply
    a redirect (3xx)                                            Moved
    not now (406, 429)                                          Unavailable
    out of order (5xx, 408, 409, 425)                           Unclear
    2xx with a page, or without a no                            Unreadable
    no JSON at all, or Cloudflare's own                         Blocked
    404, 405, 410, and not the API's own {"status": "error"}    NotTheApi
    a no that asks for fewer calls                              Unavailable
    403 with a reason that is not about the key                 ProjectRefused
    401, 403, a reason for "authorization"                      KeyRefused
    any other no                                                Rejected

After a 2xx an invoice may exist, whatever the reply holds: it counts as a refusal only if the reply says no.
"""

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

from .errors import (
    Blocked,
    CryptoCloudError,
    KeyRefused,
    Moved,
    NotTheApi,
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
"""Words of a 403 that is about the key, and not about the project."""
HASTE = re.compile(r"too many (?:request|call|attempt)|rate.?limit|throttl", re.IGNORECASE)
"""Words of a refusal that holds for the moment only, whatever its status."""
EMAIL = re.compile(r"[^\s@\"'<>(),;:]{1,64}(?:@|%40)[^\s@\"'<>(),;:]{1,255}")
"""It matches rather too much than too little, because reasons are logged and shown to people."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer, whatever it says."""

    status: int
    body: bytes
    retry_after: float | None = None
    clock_ahead: float | None = None
    """By how many seconds the provider's clock is ahead of ours: the least that the call's length allows."""
    server: str = ""
    """What the answering program calls itself."""
    location: str = ""
    """The other host that a redirect leads to."""

    @classmethod
    def of(
        cls,
        status: int,
        headers: Mapping[str, str],
        body: bytes,
        url: str = "",
        took: float = 0.0,
    ) -> Answer:
        """The answer that has just come in from `url`, `took` seconds after the call began."""
        now, host = time.time(), named_host(headers.get("Location", ""))
        return cls(
            status,
            body,
            retry_after=_wait(headers.get("Retry-After", ""), now),
            clock_ahead=_clock_ahead(headers, now, took),
            server=_plain(headers.get("Server", ""))[:60],
            location="" if host == named_host(url) else host,
        )

    @property
    def is_own_no(self) -> bool:
        """Whether this is the object in which the API itself says no."""
        told = _parsed(self.body)
        return isinstance(told, dict) and told.get("status") == "error"

    def reply(self) -> dict[str, Any]:
        """The reply's JSON object when it says success; otherwise the error it amounts to."""
        told = _parsed(self.body)
        if self.status in DONE and isinstance(told, dict) and told.get("status") == "success":
            return told
        raise self._error(told)

    def _error(self, told: object) -> CryptoCloudError:
        """The error that this answer amounts to: the first line of the table above that fits."""
        status, words = self.status, _reason(told)
        if 300 <= status < 400:
            return self._moved()
        if status in (406, 429):
            why = f"the provider cannot serve this now ({status})"
            return Unavailable(why, retry_after=self.retry_after)
        if status >= 500 or status in (408, 409, 425):
            return Unclear(f"the answer ({status}) is not one that the API gives")
        if status < 400 and self._is_page:
            return Unreadable(self._in_between(words=""))  # a page is no JSON, and has no reason
        if status < 400 and not (status in DONE and _says_no(told)):
            return Unreadable(f"the answer ({status}) says neither success nor error")
        if self._is_wall(told):
            return Blocked(self._in_between(words))
        if status in (404, 405, 410) and not self.is_own_no:
            return NotTheApi(_with(f"there is no such API at this address ({status})", words))
        if HASTE.search(words):
            wait = self.retry_after or RATE_LIMIT_SECONDS
            return Unavailable(f"the provider asks for fewer calls: {words}", wait)
        if status == 403 and words and not OF_THE_KEY.search(words):
            return ProjectRefused(f"the provider refused the project ({status}): {words}")
        if status in (401, 403) or _names_the_key(told):
            return KeyRefused(f"the provider refused the API key ({status})")
        return Rejected(f"the provider said no ({status}): {words or 'no reason given'}")

    def _moved(self) -> Moved:
        if self.location:
            return Moved(
                f"the API's address sends to {self.location} ({self.status})", self.location
            )
        return Moved(f"the API's address answers with a redirect to no other host ({self.status})")

    @property
    def _is_page(self) -> bool:
        """Whether the body is HTML. A reply that broke off is no JSON either, but it comes from the API."""
        return self.body.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<")

    def _is_wall(self, told: object) -> bool:
        """Whether something answered that does not speak JSON, or says itself that it is no API."""
        if isinstance(told, dict):
            return "cloudflare_error" in told or "cloudflare" in str(told.get("type"))
        return bool(self.body.strip()) and not isinstance(told, list | str)

    def _in_between(self, words: str) -> str:
        name = f", which calls itself {self.server}" if self.server else ""
        return _with(
            f"something in between answered in the API's place ({self.status}){name}", words
        )


def _parsed(body: bytes) -> object:
    try:
        return json.loads(body, parse_float=Decimal)
    except (ValueError, ArithmeticError, RecursionError):
        return None


def _says_no(told: object) -> bool:
    """Whether a reply with 200 or 201 says no: its status is `error`, or is not `success` while it gives a reason.

    A `result` alone is no reason: it may be an invoice.
    """
    if not isinstance(told, dict):
        return False
    status = told.get("status")
    word = status.lower() if isinstance(status, str) else ""
    return word == "error" or (word != "success" and any(map(told.get, REASONS)))


def _names_the_key(told: object) -> bool:
    """Whether v2's map of reasons has one for the field that the key came in."""
    result = told.get("result") if isinstance(told, dict) else None
    return isinstance(result, dict) and bool(result.get("authorization"))


def _reason(told: object) -> str:
    """The provider's own words as a short line of plain characters, without any email address.

    They are taken from the first known field that has any, or else from all fields of the answer.
    """
    words = told
    if isinstance(told, dict):
        known = filter(None, map(told.get, (*REASONS, "result")))
        rest = {name: text for name, text in told.items() if text and name != "status"}
        words = next(known, rest)
    if isinstance(words, dict):
        words = "; ".join(f"{name}: {_joined(text)}" for name, text in words.items())
    text = EMAIL.sub("<an email address>", _joined(words)) if words else ""
    return _plain(text)[:200].strip(" .")


def _joined(words: object) -> str:
    return ", ".join(map(str, words)) if isinstance(words, list) else str(words)


def _with(said: str, words: str) -> str:
    return f"{said}: {words}" if words else said


def _plain(text: str) -> str:
    return re.sub(r"[^ -~]|\s+", " ", text)


def _wait(text: str, now: float) -> float | None:
    """How long to wait, from a number of seconds or a date, between nothing and an hour."""
    if re.fullmatch(r"[0-9]{1,9}", text):
        seconds: float | None = int(text)
    else:
        seconds = _seconds_until(text, now)
    return None if seconds is None else min(max(seconds, 0.0), LONGEST_WAIT)


def _clock_ahead(headers: Mapping[str, str], now: float, took: float) -> float | None:
    """How far the provider's clock is ahead: the answer was dated within the call; one from a cache tells nothing."""
    ahead = _seconds_until(headers.get("Date", ""), now)
    if ahead is None or headers.get("Age", "0") != "0":
        return None
    return max(ahead, min(ahead + took, 0.0))


def _seconds_until(date: str, now: float) -> float | None:
    try:
        moment = parsedate_to_datetime(date)
        return moment.replace(tzinfo=moment.tzinfo or UTC).timestamp() - now
    except (ValueError, OverflowError, TypeError, IndexError):  # the parser's own slips among them
        return None
