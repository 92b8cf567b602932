"""The fields of a postback in the encodings that it may have: JSON, a form, a form in parts."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl

MOST_FIELDS = 2000
LOOKED_THROUGH = 64 * 1024
"""How much of a body that cannot be read is searched for an invoice's id: forgeries must stay cheap."""


BLANKS = " \t\r\n"


NAMED = re.compile(
    r"(?:invoice_id|uuid)(?:%[0-9A-Fa-f]{2}|[^%A-Za-z0-9]){1,40}(?:INV-)?([A-Z0-9]{8})(?![A-Za-z0-9])"
)
"""An invoice's id behind its field's name, whatever encoding or half of one stands between them."""


LONGEST_AMOUNT = 120
EDGE = re.compile(rb"\s*(--[^\r\n]{0,199}[^\s-])[ \t]*(\r?\n)")
"""A multipart form's first line, which is its boundary: the Content-Type may name a wrong one, or none."""
PART = re.compile(
    rb"""^content-disposition:[ \t]*form-data[ \t]*;[ \t]*name="?([^"\r\n;]*)"?[ \t]*$""",
    re.IGNORECASE | re.MULTILINE,
)
FILE = re.compile(
    rb"^content-disposition:[^\r\n]*;[ \t]*filename\*?=", re.IGNORECASE | re.MULTILINE
)
LARGEST_HEAD = 1000

Fields = list[tuple[str, Any]]
"""Names and values as they stand in the postback, with repeats."""


def invoice_named_in(text: str) -> str | None:
    """The invoice that is named in a text, as far as it is looked through."""
    match = NAMED.search(text, 0, LOOKED_THROUGH)
    return match[1] if match else None


def invoice_found_in(body: bytes) -> str | None:
    """The invoice that is named in a body whose fields cannot be read, as far as it is looked through."""
    return invoice_named_in(body[:LOOKED_THROUGH].decode("ascii", "replace"))


def json_fields(body: bytes, fraction: Callable[[str], object] = str) -> Fields:
    """The fields of the outermost object; `fraction` reads what has a point. Empty if it is no JSON object."""
    outermost: Fields = []

    def keep(pairs: Fields) -> dict[str, Any]:
        nonlocal outermost
        outermost = pairs  # the object that ends last is the one around all others
        return dict(pairs)

    try:
        # Bytes that are replaced do no harm: the fields that are used hold plain ASCII.
        text = body.decode(json.detect_encoding(body), "replace")
        found = json.loads(
            text,
            parse_int=_integer,
            parse_float=fraction,
            parse_constant=str,
            object_pairs_hook=keep,
            strict=False,
        )
    except (ValueError, RecursionError):
        return []
    return outermost if isinstance(found, dict) else []


def _integer(digits: str) -> int | str:
    """The integer; its digits if they are very many, for which Python would refuse the whole postback."""
    return int(digits) if len(digits) <= LONGEST_AMOUNT else digits


def form_fields(body: bytes) -> Fields:
    """The fields of a form; empty if it is none."""
    text = body.decode("utf-8-sig", "replace")
    try:
        return parse_qsl(text, keep_blank_values=True, max_num_fields=MOST_FIELDS)
    except ValueError:
        return []


def multipart_fields(body: bytes) -> Fields:
    """The fields of a form in parts, if it is whole; files are left out."""
    edge = EDGE.match(body)
    if not edge:
        return []
    line_end = edge[2]
    _, *parts, end = (line_end + body[edge.start(1) :]).split(line_end + edge[1])
    if not end.startswith(b"--") or len(parts) > MOST_FIELDS:
        return []
    fields: Fields = []
    for part in parts:
        head, found, value = part.partition(line_end * 2)
        if not found or len(head) > LARGEST_HEAD or not head.lstrip(b" \t").startswith(line_end):
            return []
        head = head.replace(b"\r", b"")
        if name := PART.search(head):
            fields.append((name[1].decode("utf-8", "replace"), value.decode("utf-8", "replace")))
        elif not FILE.search(head):
            return []
    return fields
