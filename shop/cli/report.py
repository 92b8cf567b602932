"""Reading the report about a test invoice: plain, masked data, of which parts may be missing."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from typing import Any

from ..payments.cryptocloud import SIGNED, CryptoCloud, CryptoCloudV2
from ..payments.masking import JSON_IN_TEXT
from ..payments.recording import PROVEN

Report = dict[str, Any]


CREATE = ("POST /v1/invoice/create", "POST /v2/invoice/create")
INFO_V1 = f"GET {CryptoCloud.info_path}"
INFO_V2 = f"POST {CryptoCloudV2.info_path}"


def created_invoice(report: Report) -> dict[str, Any] | None:
    """What the answer to create tells of the invoice; in v2 that is its `result`."""
    for answer in report["answers"]:
        if answer["call"] in CREATE and isinstance(answer["body"], dict):
            body = answer["body"]
            result = body.get("result") if answer["call"] == CREATE[1] else body
            return result if isinstance(result, dict) else body
    return None


def info_rows(report: Report) -> Iterator[dict[str, Any]]:
    """What v2's info told about the invoice, the newest first."""
    for answer in reversed(report["answers"]):
        result = answer["body"].get("result") if isinstance(answer["body"], dict) else None
        if answer["call"] == INFO_V2 and isinstance(result, list):
            yield from (row for row in result if isinstance(row, dict))


def newest_row(report: Report) -> dict[str, Any] | None:
    """The newest of the rows that v2's info told about the invoice."""
    return next(info_rows(report), None)


def extras_of(postback: dict[str, Any]) -> dict[str, Any] | None:
    """The `invoice_info` of a postback, however it is written."""
    told = postback["fields"].get("invoice_info")
    if isinstance(told, dict) and JSON_IN_TEXT in told:
        told = told["holds"]
    return told if isinstance(told, dict) else None


def postbacks_of(report: Report) -> list[dict[str, Any]]:
    """The postbacks that were signed with our key; where there is none, what else came, from whomever."""
    signed = [each for each in report["postbacks"] if each["judged"] in (PROVEN, *SIGNED)]
    return signed or report["postbacks"]


def last_postback(report: Report) -> dict[str, Any] | None:
    """The postback that says most, which is the last of those."""
    return next(reversed(postbacks_of(report)), None)


def told_of_invoice(report: Report) -> dict[str, dict[str, Any]]:
    """Everything that was told about the invoice, by the place where it was told."""
    postback = last_postback(report)
    places = {
        "create": created_invoice(report),
        "v2 info": newest_row(report),
        "the postback": extras_of(postback) if postback else None,
    }
    return {place: facts for place, facts in places.items() if facts}


def figure_of(value: object) -> Decimal | None:
    """The figure, however it was written; None if the value is no figure."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        return Decimal(str(value))
    except InvalidOperation:
        return None


def listed(names: Any) -> str:
    """Names in a row, for people."""
    return ", ".join(sorted(names)) or "none"


def fields_in_words(given: dict[str, Any], wanted: frozenset[str], known: frozenset[str]) -> str:
    """Which fields are missing, and which this shop does not know; empty if all are as it expects."""
    parts = []
    if missing := wanted - set(given):
        parts.append(f"missing: {listed(missing)}")
    if unknown := set(given) - wanted - known:
        parts.append(f"not known to this shop, which ignores them: {listed(unknown)}")
    return "; ".join(parts)
