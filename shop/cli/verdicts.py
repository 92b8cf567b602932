"""Whether what the provider did with a test invoice is what this shop expects.

Each question is one small function over the report (plain, masked data): whoever is sent a report
can ask again, by `verdicts(report)`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from itertools import pairwise
from typing import Any
from urllib.parse import urlsplit

from ..payments.cryptocloud import SIGNED, CryptoCloud, CryptoCloudV2
from ..payments.masking import INVOICE, JSON_IN_TEXT, REFERENCE
from ..payments.recording import PROVEN

Report = dict[str, Any]
Question = Callable[[Report], Iterator["Verdict"]]

CREATE = ("POST /v1/invoice/create", "POST /v2/invoice/create")
INFO_V1 = f"GET {CryptoCloud.info_path}"
INFO_V2 = f"POST {CryptoCloudV2.info_path}"

FIELDS_V1 = frozenset(["status", "pay_url", "currency", "invoice_id"])
EXTRAS_V1 = frozenset(["amount", "amount_usd"])
FIELDS_V2 = frozenset(
    [
        *("uuid", "created", "address", "expiry_date", "side_commission", "type_payments"),
        *("amount", "amount_usd", "amount_in_fiat", "fee", "fee_usd", "service_fee"),
        *("service_fee_usd", "fiat_currency", "status", "is_email_required", "link"),
        *("invoice_id", "currency", "project", "test_mode"),
    ]
)
EXTRAS_V2 = frozenset(["side_commission_service", "side_commission_cc"])
NOTICE = frozenset(
    ["status", "invoice_id", "amount_crypto", "currency", "order_id", "token", "invoice_info"]
)
STATUSES = ("created", "partial", "paid", "overpaid", "canceled")
USD_FOR_ONE = {
    "EUR": ("0.8", "1.6"),
    "GBP": ("0.9", "1.9"),
    "RUB": ("0.003", "0.04"),
    "UAH": ("0.01", "0.06"),
}
"""So wide that only a wrong unit falls outside."""
TOKEN_LIVES = (200, 310)
CLOCK_SECONDS = 10


@dataclass(frozen=True)
class Verdict:
    """The answer to one question."""

    question: str
    verdict: str
    found: str

    def __str__(self) -> str:
        return f"{self.verdict + ':':<13} {self.question}: {self.found}"


def expected(question: str, found: str) -> Verdict:
    """It came as this shop expects."""
    return Verdict(question, "as expected", found)


def otherwise(question: str, found: str) -> Verdict:
    """It came in another way."""
    return Verdict(question, "otherwise", found)


def unseen(question: str, found: str) -> Verdict:
    """Nothing came that would tell."""
    return Verdict(question, "not seen", found)


def either(good: bool, question: str, found: str) -> Verdict:
    """One of the first two."""
    return expected(question, found) if good else otherwise(question, found)


def verdicts(report: Report) -> list[Verdict]:
    """All of them, in the order of an invoice's life."""
    return [verdict for ask in QUESTIONS for verdict in _asked(ask, report)]


def _asked(ask: Question, report: Report) -> Iterator[Verdict]:
    """A report may hold what nobody has thought of: that costs one answer and not the others."""
    try:
        yield from ask(report)
    except Exception as error:
        name = ask.__name__.replace("_", " ")
        yield otherwise(name, f"could not be judged: {type(error).__name__}")


def _created(report: Report) -> dict[str, Any] | None:
    """The answer to create: of v2 what stands in its envelope."""
    for answer in report["answers"]:
        if answer["call"] in CREATE and isinstance(answer["body"], dict):
            body = answer["body"]
            result = body.get("result") if answer["call"] == CREATE[1] else body
            return result if isinstance(result, dict) else body
    return None


def _rows(report: Report) -> Iterator[dict[str, Any]]:
    """What v2's info told about the invoice, the newest first."""
    for answer in reversed(report["answers"]):
        result = answer["body"].get("result") if isinstance(answer["body"], dict) else None
        if answer["call"] == INFO_V2 and isinstance(result, list):
            yield from (row for row in result if isinstance(row, dict))


def _row(report: Report) -> dict[str, Any] | None:
    return next(_rows(report), None)


def _extras(notice: dict[str, Any]) -> dict[str, Any] | None:
    """The `invoice_info` of a notice, however it is written."""
    told = notice["fields"].get("invoice_info")
    if isinstance(told, dict) and JSON_IN_TEXT in told:
        told = told["holds"]
    return told if isinstance(told, dict) else None


def _came(report: Report) -> list[dict[str, Any]]:
    """The notices that were signed with our key; where there is none, what else came, from whomever."""
    signed = [each for each in report["notices"] if each["judged"] in (PROVEN, *SIGNED)]
    return signed or report["notices"]


def _notice(report: Report) -> dict[str, Any] | None:
    """The notice that says most, which is the last of those."""
    return next(reversed(_came(report)), None)


def _told(report: Report) -> dict[str, dict[str, Any]]:
    """Everything that was told about the invoice, by where."""
    notice = _notice(report)
    places = {
        "create": _created(report),
        "v2 info": _row(report),
        "the notice": _extras(notice) if notice else None,
    }
    return {place: facts for place, facts in places.items() if facts}


def _figure(value: object) -> Decimal | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        return Decimal(str(value))
    except InvalidOperation:
        return None


def _names(names: Any) -> str:
    return ", ".join(sorted(names)) or "none"


def _fields(given: dict[str, Any], wanted: frozenset[str], known: frozenset[str]) -> str:
    parts = []
    if missing := wanted - set(given):
        parts.append(f"missing: {_names(missing)}")
    if unknown := set(given) - wanted - known:
        parts.append(f"not known to this shop, which ignores them: {_names(unknown)}")
    return "; ".join(parts)


def create_answer(report: Report) -> Iterator[Verdict]:
    """Under which status create answers, and with which fields."""
    made = [each for each in report["answers"] if each["call"] in CREATE]
    if not made:
        yield unseen("create", f"no answer came; the shop says: {report['shop_says']}")
        return
    given = _created(report) or {}
    wanted, known = (
        (FIELDS_V1, EXTRAS_V1) if made[0]["call"] == CREATE[0] else (FIELDS_V2, EXTRAS_V2)
    )
    odd = _fields(given, wanted, known)
    found = f"status {made[0]['status']}, {odd or 'all fields, and no others'}"
    good = made[0]["status"] == 200 and not odd
    yield either(good, "create", f"{found}; the shop says: {report['shop_says']}")


def pay_link(report: Report) -> Iterator[Verdict]:
    """Where the pay link leads, and how it is written."""
    given = _created(report) or {}
    link = given.get("link") or given.get("pay_url")
    if not isinstance(link, str):
        yield unseen("pay link", f"create told none; the shop says: {report['shop_says']}")
        return
    parts = urlsplit(link if "://" in link else f"//{link}")
    origin = f"{parts.scheme}://{parts.netloc}"
    so = f"; the shop says: {report['shop_says']}"
    if origin in report["shop"]["pay_hosts"]:
        yield expected("pay link's host", f"{parts.netloc} is listed in CRYPTOCLOUD_PAY_HOSTS")
    else:
        found = f"{parts.netloc} is not listed in CRYPTOCLOUD_PAY_HOSTS under this scheme"
        yield otherwise("pay link's host", found + so)
    whole = bool(parts.scheme) and parts.path == f"/{INVOICE}"
    yield either(whole, "pay link's shape", link if whole else link + so)


def unit_of_the_amount(report: Report) -> Iterator[Verdict]:
    """Whether the amount is counted in the currency that was named."""
    asked, currency = Decimal(report["asked"]["amount"]), report["asked"]["currency"]
    told = _told(report)
    for place, facts in told.items():
        figure = _figure(facts.get("amount_in_fiat"))
        if figure:
            code = facts.get("fiat_currency")
            found = (
                f"asked for {asked} {currency}; {place} tells {figure} {code or '(no currency)'}"
            )
            good = abs(figure - asked) < Decimal("0.0001") and code in (None, currency)
            yield either(good, "amount's unit", found)
            break
    else:
        yield unseen("amount's unit", "nobody told amount_in_fiat")
    yield from _in_dollars(asked, currency, told)


def _in_dollars(
    asked: Decimal, currency: str, told: dict[str, dict[str, Any]]
) -> Iterator[Verdict]:
    question = "amount in US dollars"
    figures = ((place, _figure(facts.get("amount_usd"))) for place, facts in told.items())
    place, dollars = next(((p, f) for p, f in figures if f is not None), ("", None))
    if currency not in USD_FOR_ONE:
        yield unseen(question, "the invoice is in US dollars: one in EUR would tell")
    elif dollars is None:
        yield unseen(question, "nobody told amount_usd")
    else:
        least, most = (Decimal(each) * asked for each in USD_FOR_ONE[currency])
        found = f"{asked} {currency} are {dollars} USD, says {place}"
        if dollars == asked:
            found += ": as if the amount were in dollars whatever currency is named"
        yield either(least <= dollars <= most and dollars != asked, question, found)


def test_mode(report: Report) -> Iterator[Verdict]:
    """Whether, and where, it is told that the invoice is a test."""
    told = {
        place: facts["test_mode"] for place, facts in _told(report).items() if "test_mode" in facts
    }
    found = ", ".join(f"{place}: {json.dumps(value)}" for place, value in told.items())
    if not told:
        yield unseen("test_mode", "told nowhere")
        return
    good = all(value is True for value in told.values())
    if not good and all(isinstance(value, bool) for value in told.values()):
        found += "; so the invoice counts as a real one: is the project in test mode?"
    yield either(good, "test_mode", found)


def info_fields(report: Report) -> Iterator[Verdict]:
    """What v2's info tells of amount, currency, order and test mode."""
    row = _row(report)
    names = ("amount_in_fiat", "fiat_currency", "order_id", "test_mode")
    if row is None:
        yield unseen("v2 info", "it told nothing about this invoice")
        return
    good = {
        "amount_in_fiat": bool(_figure(row.get("amount_in_fiat"))),
        # Not told, it rests on what the create reply agreed.
        "fiat_currency": row.get("fiat_currency") in (None, report["asked"]["currency"]),
        "order_id": row.get("order_id") == REFERENCE,
        "test_mode": isinstance(row.get("test_mode"), bool),
    }
    for name in names:
        found = _shown(row[name]) if name in row else "absent"
        yield either(good[name], f"v2 info's {name}", found + _so(report, good[name]))


def _shown(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _so(report: Report, good: bool) -> str:
    """What the shop made of it, where it speaks v2; of v1 it reads the status only."""
    if good:
        return ""
    if report["shop"]["api_version"] != "2":
        return "; this shop speaks v1 and does not read it"
    return f"; the shop understood: {report['looks'][-1]['shop_says'] if report['looks'] else 'nothing'}"


def status_words(report: Report) -> Iterator[Verdict]:
    """The words for how far the payment is."""
    words = []
    for look in report["looks"]:
        if look["status"] and look["status"] not in words:
            words.append(look["status"])
    if not words:
        yield unseen("status words", "info told none")
        return
    unknown = [word for word in words if word not in STATUSES]
    found = ", then ".join(words)
    if unknown:
        found += f"; not known: {', '.join(unknown)}; the shop changes nothing for those"
    yield either(not unknown, "status words", found)
    rows = (row.get("invoice_status") for row in _rows(report))
    if processing := {_shown(word) for word in rows if word}:
        found = f"{_names(processing)}; the shop does not read it"
        yield expected("v2 info's invoice_status", found)


def notices(report: Report) -> Iterator[Verdict]:
    """Whether notices came, when, and what the shop answered."""
    came, inbox = _came(report), report["inbox"]
    if not came and inbox["hits"]:
        yield otherwise(
            "notice",
            f"{inbox['hits']} came and none was recorded: does the web process have "
            "the same SHOP_DATA_DIR, and may it write there?",
        )
        return
    if not came:
        yield unseen(
            "notice",
            "none came that names this invoice; see the notification URL in the project's settings, "
            "and the log's lines postback_refused. The shop finds payments without any, by asking",
        )
        return
    moments = [datetime.fromisoformat(each["at"]) for each in came]
    gaps = [f"{(b - a).total_seconds():.0f} s" for a, b in pairwise(moments)]
    found = f"{len(came)} came" + (f", {', then '.join(gaps)} apart" if gaps else "")
    yield either(len(came) == 1, "notice", found + ("; the shop acts once" if gaps else ""))
    refused = [each for each in came if each["answered"] != 200]
    yield _retries(came, refused, report["ended"])
    answers = [f"{each['answered']} ({each['judged']}) in {each['took']} s" for each in came]
    why = f"; because: {refused[-1]['why'] or 'it broke'}" if refused else ""
    yield either(not refused, "the shop's answer", ", ".join(answers[:10]) + why)


def _retries(came: list[dict[str, Any]], refused: list[dict[str, Any]], ended: str) -> Verdict:
    question = "repeats after a failure"
    if not refused:
        return unseen(question, "the shop took every notice, so there was no cause for one")
    again = len(came) - 1 - came.index(refused[0])
    looked = datetime.fromisoformat(ended) - datetime.fromisoformat(refused[0]["at"])
    found = (
        f"{again} came in the {looked.total_seconds():.0f} s after the first answer other than 200"
    )
    return either(again > 0, question, found)


def notice_encoding(report: Report) -> Iterator[Verdict]:
    """How notices are written, and whether the label is right."""
    if not (notice := _notice(report)):
        return
    label, encoding = notice["content_type"], notice["encoding"]
    kinds = {"json": "json", "form": "urlencoded", "multipart": "multipart"}
    right = kinds.get(encoding, "nothing") in label
    found = f"{encoding}, under the label {label or '(none)'}"
    good = right and encoding in ("json", "form")
    yield either(
        good, "notice's encoding", found + ("" if good else "; the shop reads it all the same")
    )


def notice_fields(report: Report) -> Iterator[Verdict]:
    """Which fields a notice has, and how it names invoice and order."""
    if not (notice := _notice(report)):
        return
    fields = notice["fields"]
    # A form may spread an object over many fields.
    given = {name.partition("[")[0]: value for name, value in fields.items()}
    odd = _fields(given, NOTICE, frozenset())
    yield either(not odd, "notice's fields", odd or "all, and no others")
    named = fields.get("invoice_id", "absent")
    yield either(named == INVOICE, "notice's invoice_id", str(named))
    order = fields.get("order_id", "absent")
    yield either(order == REFERENCE, "notice's order_id", str(order))
    yield _invoice_info(notice, given)


def _invoice_info(notice: dict[str, Any], given: dict[str, Any]) -> Verdict:
    question = "notice's invoice_info"
    told, extras = notice["fields"].get("invoice_info"), _extras(notice)
    if extras is not None:
        how = "an object" if extras is told else "JSON in a text"
        return expected(question, f"{how} with {len(extras)} fields; a hint, no more")
    if "invoice_info" not in given:
        return otherwise(question, "absent; the shop does not need it")
    how = str(told) if told is not None else "null, or spread over several fields"
    return otherwise(question, f"{how}; the shop does not need it")


def token(report: Report) -> Iterator[Verdict]:
    """What a notice's token claims."""
    if not (notice := _notice(report)):
        return
    found = notice["token"]
    header, claims = found.get("header"), found.get("claims")
    if not isinstance(header, dict) or not isinstance(claims, dict):
        yield otherwise("token", f"{found['kind']}; the notice was {notice['judged']}")
        return
    yield either(header.get("alg") == "HS256", "token's header", _pairs(header))
    names = {"id", "exp"}
    claimed = f"{_pairs(claims)}; the notice was {notice['judged']}, answered {notice['answered']}"
    yield either(set(claims) == names, "token's claims", claimed)
    yield either(claims.get("id") == INVOICE, "token's id", _claimed_id(claims, notice))
    yield _life(claims, found)


def _claimed_id(claims: dict[str, Any], notice: dict[str, Any]) -> str:
    if "id" not in claims:
        others = [name for name, value in claims.items() if INVOICE in str(value)]
        found = f"absent; the invoice stands in {_names(others)}"
    else:
        found = str(claims["id"])
    if claims.get("id") == INVOICE:
        return f"{found}, bare"
    return f"{found}; the notice was {notice['judged']}, answered {notice['answered']}"


def _life(claims: dict[str, Any], found: dict[str, Any]) -> Verdict:
    question, exp = "token's exp", claims.get("exp")
    if "seconds_left" not in found:
        return otherwise(question, f"{exp}: no moment that the shop can read")
    whole = isinstance(exp, int)
    least, most = TOKEN_LIVES
    text = f"{found['seconds_left']} s after the notice came, {'whole' if whole else 'with a fraction'}"
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


QUESTIONS: tuple[Question, ...] = (
    create_answer,
    pay_link,
    unit_of_the_amount,
    test_mode,
    info_fields,
    status_words,
    notices,
    notice_encoding,
    notice_fields,
    token,
    clock,
)
