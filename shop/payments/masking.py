"""What may be shown to others of what the provider sent: names, types and shapes, and few values.

Only what is on a list here is shown, and only where it looks as it should; everything else is told by
its kind and length. So a secret, an address or a name under a field that nobody has heard of stays
hidden too. The one exception are the words of a refusal, for they are why somebody sends a report: of
these, all that is no plain word or short number is hidden. A person's name there looks like any word.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from ..ops.logs import HIDDEN, TELLTALES

INVOICE = "<the invoice's id>"
REFERENCE = "<our reference>"
JSON_IN_TEXT = "<JSON in a text of>"

AMOUNT = re.compile(
    r"(?:amount|received|fee|service_fee|to_surcharge)"
    r"(?:_(?:usd|in_fiat|fiat|in_crypto|crypto|to_pay|paid)){0,2}"
)
STATUSES = frozenset(
    [
        *("status", "status_invoice", "invoice_status", "type_payments", "type", "aml_side"),
        *("side_commission", "side_commission_service", "side_commission_cc"),
    ]
)
CODES = frozenset(
    ["fiat_currency", "currency", "code", "fullcode", "short_code", "network", "alg", "typ"]
)
TIMES = frozenset(["created", "expiry_date", "date_finished"])
SECONDS = frozenset(["exp", "nbf", "iat"])
COUNTS = frozenset(["all_count", "step"])
LINKS = frozenset(["link", "pay_url"])
REASONS = frozenset(["error", "message", "detail", "result"])
OF_AN_INVOICE = frozenset(["uuid", "link", "invoice_id", "pay_url"])

# So narrow that no phone, card number or address of a wallet fits into any of them.
STATUS = re.compile(r"[a-z_]{1,20}")
CODE = re.compile(r"(?=.{2,12}\Z)[A-Z]{2,6}[0-9]{0,3}(?:_[A-Z]{2,5}[0-9]{0,2})?")
TIME = re.compile(
    r"20[2-4][0-9]-[01][0-9]-[0-3][0-9]"
    r"(?:[T ][0-2][0-9]:[0-5][0-9](?::[0-9]{2}(?:\.[0-9]{1,6})?)?(?:Z|[+-][0-9]{2}:?[0-9]{2})?)?"
)
NUMBER = re.compile(r"-?[0-9]{1,8}(?:\.[0-9]{1,18})?(?:[eE]-[0-9]{1,2})?")
SECOND = range(1577836800, 2208988800)
"""The years 2020 to 2039."""
COUNT = range(1_000_000)
NAME = re.compile(
    r"(?=.{1,60}\Z)_?[A-Za-z]{1,20}(?:_[A-Za-z]{1,20}){0,4}_?[0-9]?(?:\[(?:[A-Za-z_]{1,20}|[0-9]{0,3})\]){0,4}"
)
HOST = re.compile(
    r"(?:(?:[a-z][a-z0-9-]{0,19}\.){1,4}[a-z]{1,10}|localhost|127\.0\.0\.1)(?::[0-9]{1,5})?"
)
STEPS = frozenset(["", "pay", "payment", "payments", "pos", "r", "invoice", "invoices", "checkout"])
PARAMETERS = frozenset(["lang", "locale", "currency", "amount", "id", "uuid", "token", "key"])
LANGUAGE = re.compile(r"[a-z]{2}")

PLAIN = re.compile(
    r"[(\[\"']*(?:[^\W\d_]{1,18}(?:['/_-][^\W\d_]{1,18}){0,3}|[0-9]{1,7}(?:[.,][0-9]{1,8})?%?"
    rf"|{re.escape(HIDDEN)}|)[)\]\"'.,:;!?-]*"
)
"""A word or a number, with the marks around it."""
PHONE = re.compile(r"\+?[0-9](?:[\s()+-]*[0-9]){7,}")
GROUPS = re.compile(r"(?<!\S)\S{1,6}(?:\s+\S{1,6}){2,}(?!\S)")
MIXED = re.compile(r"(?<!\S)(?=\S*[0-9])(?=\S*[^\W\d_])\S+")
"""Letters and digits; three such words in a row of short ones are an address, written to be read out."""

MOST_NAMES = 80
MOST_ITEMS = 10
DEEPEST = 5
LONGEST_TEXT = 2000
LONGEST_REASON = 200


@dataclass(frozen=True)
class Mask:
    """Masks what is about one invoice, whose id and reference are recognised wherever they stand."""

    invoice_id: str
    """Empty while nobody knows it."""
    reference: str
    hidden: Collection[str] = ()
    """Texts that are never shown, whichever field they stand in."""
    hosts: Collection[str] = ()
    """Hosts that may be shown however they are written, because they are configured."""

    def object(
        self, fields: Iterable[tuple[str, Any]], depth: int = 0, *, in_words: bool = False
    ) -> dict[str, Any]:
        """Mask the named values of an object; a name that is given twice is shown twice."""
        shown: dict[str, Any] = {}
        given = list(fields)
        for name, value in islice(given, MOST_NAMES):
            is_name = NAME.fullmatch(name) and self._is_fit(name)
            label = name if is_name else f"<name of {len(name)}>"
            if label in shown:
                label += " (again)"
            is_words = in_words and (depth > 0 or name in REASONS)
            shown[label] = self.value(name, value, depth, in_words=is_words)
        if len(given) > MOST_NAMES:
            shown["<more names>"] = len(given) - MOST_NAMES
        return shown

    def value(self, name: str, value: Any, depth: int = 0, *, in_words: bool = False) -> Any:
        """Mask one value by its name; `in_words` shows the plain words of a refusal, but not of an invoice."""
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, dict | list) and depth >= DEEPEST:
            return f"<{type(value).__name__} of {len(value)}>"
        if isinstance(value, dict):
            in_words = in_words and not OF_AN_INVOICE & value.keys()
            return self.object(value.items(), depth + 1, in_words=in_words)
        if isinstance(value, list):
            some = value[:MOST_ITEMS]
            shown = [self.value("", each, depth + 1, in_words=in_words) for each in some]
            return [*shown, f"<{len(value) - MOST_ITEMS} more>"] if value[MOST_ITEMS:] else shown
        field = re.sub(r".*\[(\w*)\]", r"\1", name, flags=re.DOTALL)  # invoice_info[status]
        if isinstance(value, int | float):
            return self._number(field, value)
        return self.reason(value) if in_words else self._text(field, value)

    def _number(self, name: str, value: float) -> Any:
        written = str(value)
        if name == "order_id" and written == self.reference:
            return f"{REFERENCE}, as a number"
        kept = (
            (AMOUNT.fullmatch(name) and NUMBER.fullmatch(written))
            or (name in SECONDS and SECOND.start <= value < SECOND.stop)
            or (name in COUNTS and value in COUNT)
        )
        return value if kept and self._is_fit(written) else f"<number of {len(written)}>"

    def _text(self, name: str, value: str) -> Any:
        if name in ("order_id", "identify") and value == self.reference:
            return REFERENCE
        if named := self._named(value):
            return named
        if name in LINKS:
            return self._link(value)
        if name == "invoice_info" and value[:1] == "{":
            return self._nested(value)
        listed = (
            value == ""
            or (name == "order_id" and value in ("None", "null"))
            or (name in STATUSES and STATUS.fullmatch(value))
            or (name in CODES and CODE.fullmatch(value))
            or (name in TIMES and TIME.fullmatch(value))
            or (AMOUNT.fullmatch(name) and NUMBER.fullmatch(value))
        )
        return value if listed and self._is_fit(value) else f"<text of {len(value)}>"

    def _named(self, text: str) -> str:
        """What stands for a text that is the invoice's id, bare or not; empty for any other."""
        if not self.invoice_id or text.removeprefix("INV-") != self.invoice_id:
            return ""
        return f"{text[: -len(self.invoice_id)]}{INVOICE}"

    def _nested(self, value: str) -> Any:
        """An object that stands in a form as JSON."""
        try:
            holds = json.loads(value)
        except (ValueError, RecursionError):
            return f"<text of {len(value)}, no JSON>"
        return {JSON_IN_TEXT: len(value), "holds": self.value("", holds, 1)}

    def _link(self, value: str) -> str:
        """Where a link leads: host, known words of the path, and whether the invoice is its end."""
        hidden = f"<text of {len(value)}, no link to a page>"
        try:
            parts = urlsplit(value if "://" in value else f"//{value}")
        except ValueError:
            return hidden
        if parts.scheme not in ("", "http", "https"):
            return hidden  # such as a wallet's, with its address
        is_host = HOST.fullmatch(parts.netloc) or parts.netloc in self.hosts
        host = parts.netloc if is_host else f"<host of {len(parts.netloc)}>"
        steps = "/".join(map(self._step, parts.path.split("/")[:MOST_ITEMS]))
        query = "&".join(
            self._parameter(*each)
            for each in parse_qsl(parts.query, keep_blank_values=True)[:MOST_ITEMS]
        )
        scheme = f"{parts.scheme}://" if parts.scheme else ""
        link = f"{scheme}{host}{steps}" + (f"?{query}" if query else "")
        return link if self._is_fit(link) else hidden

    def _step(self, step: str) -> str:
        return self._named(step) or (step if step in STEPS else f"<{len(step)}>")

    def _parameter(self, name: str, value: str) -> str:
        label = name if name in PARAMETERS else f"<{len(name)}>"
        shown = name == "lang" and LANGUAGE.fullmatch(value)
        return f"{label}={value if shown else f'<{len(value)}>'}"

    def reason(self, text: str) -> str:
        """Mask words for people, such as the provider's about a mistake: all but plain words is hidden."""
        if len(text) > LONGEST_TEXT:
            # The cut may halve a word that would be hidden, so that nothing recognises it: hide the half.
            text = re.sub(r"\S*\Z", HIDDEN, text[:LONGEST_TEXT], count=1)
        text = PHONE.sub(HIDDEN, self._unfit.sub(HIDDEN, text))
        text = GROUPS.sub(lambda row: HIDDEN if len(MIXED.findall(row[0])) > 2 else row[0], text)
        shown = " ".join(map(self._word, text.split()))[:LONGEST_REASON]
        return shown if self._is_fit(shown) else HIDDEN

    def _word(self, word: str) -> str:
        bare = word.strip("\"'()[].,:;")
        if self.reference and bare == self.reference:
            return word.replace(bare, REFERENCE)
        if named := self._named(bare):
            return word.replace(bare, named)
        return word if PLAIN.fullmatch(word) or CODE.fullmatch(bare) else HIDDEN

    def answer(self, body: bytes) -> Any:
        """Mask an answer of the API; if it says no, its plain words are shown, because they say why."""
        try:
            told = json.loads(body)
        except (ValueError, RecursionError):
            return f"<{len(body)} bytes, no JSON>"
        if not isinstance(told, dict) or told.get("status") == "success":
            return self.value("", told)
        return self.object(told.items(), in_words=True)

    @cached_property
    def _unfit(self) -> re.Pattern[str]:
        own = (f"(?i:{re.escape(text)})" for text in self.hidden if text)
        return re.compile("|".join([*own, TELLTALES]))

    def _is_fit(self, shown: str) -> bool:
        """Whether a text holds nothing that must be hidden: the last check before it is shown as it came."""
        return not self._unfit.search(shown)
