"""Which system a file is from: told by what is in it, never by its name."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from functools import partial
from typing import Any

from . import edd, gumroad, lemonsqueezy, sellauth, shopify, woocommerce
from .found import Answers, Findings, MovingError
from .headings import System, recognised, score
from .strangers import refuse_documents, refuse_strangers
from .table import MAX_BYTES, read_table

TABLE_SYSTEMS: tuple[System, ...] = (woocommerce.SYSTEM, shopify.SYSTEM, edd.SYSTEM)
JSON_SYSTEMS: tuple[Callable[[Any, Answers], Findings | None], ...] = (
    gumroad.read,
    lemonsqueezy.read,
    sellauth.read,
)
"""Each takes a JSON document, and gives None for one that is not its system's; MovingError refuses it by name."""
MARKS_AND_BLANKS = b"\xef\xbb\xbf\xff\xfe\x00 \t\r\n"
"""What may stand before JSON; a shell of Windows saves it as UTF-16."""


def read(content: bytes, answers: Answers) -> Findings | None:
    """What is found in another shop's file; None for what only begins as JSON does. Raises MovingError."""
    refuse_strangers(content)
    if content.lstrip(MARKS_AND_BLANKS)[:1] in (b"{", b"["):
        return _read_json(content, answers)
    return _read_table(content, answers)


def _read_table(content: bytes, answers: Answers) -> Findings:
    table = read_table(content, partial(score, TABLE_SYSTEMS), answers.encoding)
    system, sheet = recognised(TABLE_SYSTEMS, table, answers)
    return system.read(sheet, answers)


def _read_json(content: bytes, answers: Answers) -> Findings | None:
    if len(content) > MAX_BYTES:
        raise MovingError(f"The file is larger than {MAX_BYTES // 1024**2} MB.")
    try:
        document = json.loads(content, parse_float=Decimal)
    except (ValueError, RecursionError):
        return None  # not JSON, or cut off: our own reader of YAML says where
    for reader in JSON_SYSTEMS:
        if findings := reader(document, answers):
            return findings
    refuse_documents(document)
    return None
