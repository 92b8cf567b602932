"""What this shop expects of the postbacks about a test invoice."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from itertools import pairwise
from typing import Any

from ..payments.masking import INVOICE, REFERENCE
from .report import Report, extras_of, fields_in_words, last_postback, listed, postbacks_of
from .verdict import Verdict, either, expected, otherwise, unseen

POSTBACK = frozenset(
    ["status", "invoice_id", "amount_crypto", "currency", "order_id", "token", "invoice_info"]
)


TOKEN_LIVES = (200, 310)
CLOCK_SECONDS = 10


def postbacks(report: Report) -> Iterator[Verdict]:
    """Whether postbacks came, when, and what the shop answered."""
    came, inbox = postbacks_of(report), report["inbox"]
    if not came and inbox["hits"]:
        yield otherwise(
            "postback",
            f"{inbox['hits']} came and none was recorded: does the web process have "
            "the same SHOP_DATA_DIR, and may it write there?",
        )
        return
    if not came:
        yield unseen(
            "postback",
            "none came that names this invoice; see the notification URL in the project's settings, "
            "and the log's lines postback_refused. The shop finds payments without any, by asking",
        )
        return
    moments = [datetime.fromisoformat(each["at"]) for each in came]
    gaps = [f"{(b - a).total_seconds():.0f} s" for a, b in pairwise(moments)]
    found = f"{len(came)} came" + (f", {', then '.join(gaps)} apart" if gaps else "")
    yield either(len(came) == 1, "postback", found + ("; the shop acts once" if gaps else ""))
    refused = [each for each in came if each["answered"] != 200]
    yield _retries(came, refused, report["ended"])
    answers = [f"{each['answered']} ({each['judged']}) in {each['took']} s" for each in came]
    why = f"; because: {refused[-1]['why'] or 'it broke'}" if refused else ""
    yield either(not refused, "the shop's answer", ", ".join(answers[:10]) + why)


def _retries(came: list[dict[str, Any]], refused: list[dict[str, Any]], ended: str) -> Verdict:
    question = "repeats after a failure"
    if not refused:
        return unseen(question, "the shop took every postback, so there was no cause for one")
    again = len(came) - 1 - came.index(refused[0])
    looked = datetime.fromisoformat(ended) - datetime.fromisoformat(refused[0]["at"])
    found = (
        f"{again} came in the {looked.total_seconds():.0f} s after the first answer other than 200"
    )
    return either(again > 0, question, found)


def postback_encoding(report: Report) -> Iterator[Verdict]:
    """How postbacks are written, and whether the label is right."""
    if not (postback := last_postback(report)):
        return
    label, encoding = postback["content_type"], postback["encoding"]
    kinds = {"json": "json", "form": "urlencoded", "multipart": "multipart"}
    right = kinds.get(encoding, "nothing") in label
    found = f"{encoding}, under the label {label or '(none)'}"
    good = right and encoding in ("json", "form")
    yield either(
        good, "postback's encoding", found + ("" if good else "; the shop reads it all the same")
    )


def postback_fields(report: Report) -> Iterator[Verdict]:
    """Which fields a postback has, and how it names invoice and order."""
    if not (postback := last_postback(report)):
        return
    fields = postback["fields"]
    # A form may spread an object over many fields.
    given = {name.partition("[")[0]: value for name, value in fields.items()}
    odd = fields_in_words(given, POSTBACK, frozenset())
    yield either(not odd, "postback's fields", odd or "all, and no others")
    named = fields.get("invoice_id", "absent")
    yield either(named == INVOICE, "postback's invoice_id", str(named))
    order = fields.get("order_id", "absent")
    yield either(order == REFERENCE, "postback's order_id", str(order))
    yield _invoice_info(postback, given)


def _invoice_info(postback: dict[str, Any], given: dict[str, Any]) -> Verdict:
    question = "postback's invoice_info"
    told, extras = postback["fields"].get("invoice_info"), extras_of(postback)
    if extras is not None:
        how = "an object" if extras is told else "JSON in a text"
        return expected(question, f"{how} with {len(extras)} fields; a hint, no more")
    if "invoice_info" not in given:
        return otherwise(question, "absent; the shop does not need it")
    how = str(told) if told is not None else "null, or spread over several fields"
    return otherwise(question, f"{how}; the shop does not need it")


def token(report: Report) -> Iterator[Verdict]:
    """What a postback's token claims."""
    if not (postback := last_postback(report)):
        return
    found = postback["token"]
    header, claims = found.get("header"), found.get("claims")
    if not isinstance(header, dict) or not isinstance(claims, dict):
        yield otherwise("token", f"{found['kind']}; the postback was {postback['judged']}")
        return
    yield either(header.get("alg") == "HS256", "token's header", _pairs(header))
    names = {"id", "exp"}
    claimed = (
        f"{_pairs(claims)}; the postback was {postback['judged']}, answered {postback['answered']}"
    )
    yield either(set(claims) == names, "token's claims", claimed)
    yield either(claims.get("id") == INVOICE, "token's id", _claimed_id(claims, postback))
    yield _life(claims, found)


def _claimed_id(claims: dict[str, Any], postback: dict[str, Any]) -> str:
    if "id" not in claims:
        others = [name for name, value in claims.items() if INVOICE in str(value)]
        found = f"absent; the invoice stands in {listed(others)}"
    else:
        found = str(claims["id"])
    if claims.get("id") == INVOICE:
        return f"{found}, bare"
    return f"{found}; the postback was {postback['judged']}, answered {postback['answered']}"


def _life(claims: dict[str, Any], found: dict[str, Any]) -> Verdict:
    question, exp = "token's exp", claims.get("exp")
    if "seconds_left" not in found:
        return otherwise(question, f"{exp}: no moment that the shop can read")
    whole = isinstance(exp, int)
    least, most = TOKEN_LIVES
    text = f"{found['seconds_left']} s after the postback came, {'whole' if whole else 'with a fraction'}"
    return either(whole and least <= found["seconds_left"] <= most, question, text)


def _pairs(facts: dict[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in facts.items()) or "empty"


def clock(report: Report) -> Iterator[Verdict]:
    """How far the provider's clock is from ours."""
    ahead = [each["clock_ahead"] for each in report["answers"] if each["clock_ahead"] is not None]
    if not ahead:
        yield unseen("clock", "the provider does not tell its time")
        return
    most = max(ahead, key=abs)
    yield either(abs(most) <= CLOCK_SECONDS, "clock", f"the provider's is {most:+.1f} s from ours")
