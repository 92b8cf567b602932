"""What may be shown to others of what the provider sent: names, types and shapes, and few values.

Only the fields listed here keep what they say; everything else is told by its kind and length. So a
secret, an address or a name under a field that nobody has heard of stays hidden too.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from itertools import islice
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from ..ops.logs import HIDDEN, TELLTALES

INVOICE = "<the invoice's id>"
REFERENCE = "<our reference>"

AMOUNT = re.compile(r"(?:amount|received|fee|service_fee|to_surcharge)(?:_[a-z_]{1,20})?")
WORDS = frozenset(
    [
        *("status", "status_invoice", "invoice_status", "fiat_currency", "currency", "code"),
        *("fullcode", "type_payments", "type", "side_commission", "side_commission_service"),
        *("side_commission_cc", "aml_side", "alg", "typ"),
    ]
)
MOMENTS = frozenset(["created", "expiry_date", "date_finished", "exp", "nbf", "iat"])
COUNTS = frozenset(["all_count", "step"])
LINKS = frozenset(["link", "pay_url"])
REASONS = frozenset(["error", "message", "detail", "result"])

WORD = re.compile(r"[A-Za-z0-9_ -]{0,24}")
MOMENT = re.compile(r"[0-9T :.+Z-]{1,40}")
NUMBER = re.compile(r"[+-]?[0-9]{0,24}\.?[0-9]{0,24}(?:[eE][+-]?[0-9]{1,3})?")
NAME = re.compile(r"[A-Za-z_]{1,40}[0-9]{0,3}(?:\[[A-Za-z_]{0,40}[0-9]{0,3}\]){0,4}")
LONG_WORD = re.compile(r"[^\s\"']{16,}")

MOST_NAMES = 80
MOST_ITEMS = 10
DEEPEST = 5
LONGEST_REASON = 200


@dataclass(frozen=True)
class Mask:
    """Masks what is about one invoice, whose id and reference are recognised wherever they stand."""

    invoice_id: str
    reference: str
    hidden: Collection[str] = ()
    """Texts that are never shown, whichever field they stand in."""

    def object(self, fields: Iterable[tuple[str, Any]], depth: int = 0) -> dict[str, Any]:
        """Named values; a name that is given again keeps its place beside the first."""
        shown: dict[str, Any] = {}
        given = list(fields)
        for name, value in islice(given, MOST_NAMES):
            label = name if NAME.fullmatch(name) else f"<name of {len(name)}>"
            if label in shown:
                label += " (again)"
            shown[label] = self.value(name, value, depth)
        if len(given) > MOST_NAMES:
            shown["<more names>"] = len(given) - MOST_NAMES
        return shown

    def value(self, name: str, value: Any, depth: int = 0) -> Any:
        """One value under its name."""
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, dict | list) and depth >= DEEPEST:
            return f"<{type(value).__name__} of {len(value)}>"
        if isinstance(value, dict):
            return self.object(value.items(), depth + 1)
        if isinstance(value, list):
            shown = [self.value("", each, depth + 1) for each in value[:MOST_ITEMS]]
            return [*shown, f"<{len(value) - MOST_ITEMS} more>"] if value[MOST_ITEMS:] else shown
        field = re.sub(r".*\[(\w*)\]", r"\1", name, flags=re.DOTALL)  # invoice_info[status]
        return (
            self._number(field, value)
            if isinstance(value, int | float)
            else self._text(field, value)
        )

    def _number(self, name: str, value: float) -> Any:
        if name == "order_id" and str(value) == self.reference:
            return f"{REFERENCE}, as a number"
        kept = AMOUNT.fullmatch(name) or name in MOMENTS or name in COUNTS
        if kept and math.isfinite(value) and len(str(value)) <= 40:
            return value
        return f"<number of {len(str(value))}>"

    def _text(self, name: str, value: str) -> Any:
        if name in ("order_id", "identify") and value == self.reference:
            return REFERENCE
        if value in (self.invoice_id, f"INV-{self.invoice_id}"):
            return value.replace(self.invoice_id, INVOICE)
        if name in LINKS:
            return self._link(value)
        if name == "invoice_info" and value[:1] == "{":
            return self._nested(value)
        if name == "order_id" and value in ("", "None", "null"):
            return value
        shape = WORD if name in WORDS else MOMENT if name in MOMENTS else None
        shape = NUMBER if AMOUNT.fullmatch(name) else shape
        if value == "" or (shape and shape.fullmatch(value) and not self._names_hidden(value)):
            return value
        return f"<text of {len(value)}>"

    def _nested(self, value: str) -> Any:
        """An object that stands in a form as JSON."""
        try:
            holds = json.loads(value)
        except (ValueError, RecursionError):
            return f"<text of {len(value)}, no JSON>"
        return {"<JSON in a text of>": len(value), "holds": self.value("", holds, 1)}

    def _link(self, value: str) -> str:
        """Where a link leads: host, short words of the path, and whether the invoice is its end."""
        try:
            parts = urlsplit(value if "://" in value else f"//{value}")
        except ValueError:
            return f"<text of {len(value)}, no link>"
        steps = "/".join(self._step(step) for step in parts.path.split("/"))
        query = "&".join(
            f"{key}={told}"
            if key == "lang" and WORD.fullmatch(told)
            else f"{key[:20]}=<{len(told)}>"
            for key, told in parse_qsl(parts.query, keep_blank_values=True)[:MOST_ITEMS]
        )
        host = re.sub(r".*@", f"{HIDDEN}@", parts.netloc)[:100]
        scheme = f"{parts.scheme}://" if parts.scheme else ""
        return f"{scheme}{host}{steps}" + (f"?{query}" if query else "")

    def _step(self, step: str) -> str:
        known = step.replace(self.invoice_id, INVOICE)
        if known in ("", INVOICE, f"INV-{INVOICE}") or re.fullmatch(r"[a-z]{1,12}", step):
            return known
        return f"<{len(step)}>"

    def reason(self, text: str) -> str:
        """Words for people, such as the provider's about a mistake: without what looks like a secret."""
        for secret in self.hidden:
            text = text.replace(secret, HIDDEN)
        text = re.sub(TELLTALES, HIDDEN, text).replace(self.reference or "\0", REFERENCE)
        return LONG_WORD.sub(HIDDEN, re.sub(r"[^ -~]", "?", text))[:LONGEST_REASON]

    def answer(self, body: bytes) -> Any:
        """An answer of the API; the words of one that says no are kept, because they say why."""
        try:
            told = json.loads(body)
        except (ValueError, RecursionError):
            return f"<{len(body)} bytes, no JSON>"
        if not isinstance(told, dict) or told.get("status") == "success":
            return self.value("", told)
        return {
            name: self._reasons(value) if name in REASONS else self.value(name, value)
            for name, value in islice(told.items(), MOST_NAMES)
            if NAME.fullmatch(name)
        }

    def _reasons(self, value: Any) -> Any:
        if isinstance(value, dict):
            named = ((name, each) for name, each in islice(value.items(), MOST_NAMES))
            return {self.reason(name): self._reasons(each) for name, each in named}
        return self.reason(value) if isinstance(value, str) else self.value("", value)

    def _names_hidden(self, value: str) -> bool:
        return any(secret in value for secret in self.hidden)
