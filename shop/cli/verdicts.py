"""Whether what the provider did with a test invoice is what this shop expects.

Each question is one small function over the report (plain, masked data): whoever is sent a report
can ask again, by `verdicts(report)`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

from ..payments.masking import INVOICE, REFERENCE
from .postback_verdicts import clock, postback_encoding, postback_fields, postbacks, token
from .report import (
    CREATE,
    Report,
    created_invoice,
    fields_in_words,
    figure_of,
    info_rows,
    listed,
    newest_row,
    told_of_invoice,
)
from .verdict import Verdict, either, expected, otherwise, unseen

Question = Callable[[Report], Iterator["Verdict"]]


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
STATUSES = ("created", "partial", "paid", "overpaid", "canceled")
USD_FOR_ONE = {
    "EUR": ("0.8", "1.6"),
    "GBP": ("0.9", "1.9"),
    "RUB": ("0.003", "0.04"),
    "UAH": ("0.01", "0.06"),
}
"""From how many to how many US dollars one unit is worth: so wide that only a wrong unit falls outside."""


def verdicts(report: Report) -> list[Verdict]:
    """All verdicts on a report, in the order of an invoice's life."""
    return [verdict for ask in QUESTIONS for verdict in _asked(ask, report)]


def _asked(ask: Question, report: Report) -> Iterator[Verdict]:
    """The verdicts on one question. What nobody has thought of in a report costs this answer, and no other."""
    try:
        yield from ask(report)
    except Exception as error:
        name = ask.__name__.replace("_", " ")
        yield otherwise(name, f"could not be judged: {type(error).__name__}")


def create_answer(report: Report) -> Iterator[Verdict]:
    """Under which status create answers, and with which fields."""
    made = [each for each in report["answers"] if each["call"] in CREATE]
    if not made:
        yield unseen("create", f"no answer came; the shop says: {report['shop_says']}")
        return
    given = created_invoice(report) or {}
    wanted, known = (
        (FIELDS_V1, EXTRAS_V1) if made[0]["call"] == CREATE[0] else (FIELDS_V2, EXTRAS_V2)
    )
    odd = fields_in_words(given, wanted, known)
    found = f"status {made[0]['status']}, {odd or 'all fields, and no others'}"
    good = made[0]["status"] == 200 and not odd
    yield either(good, "create", f"{found}; the shop says: {report['shop_says']}")


def pay_link(report: Report) -> Iterator[Verdict]:
    """Where the pay link leads, and how it is written."""
    given = created_invoice(report) or {}
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
    told = told_of_invoice(report)
    for place, facts in told.items():
        figure = figure_of(facts.get("amount_in_fiat"))
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
    figures = ((place, figure_of(facts.get("amount_usd"))) for place, facts in told.items())
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
        place: facts["test_mode"]
        for place, facts in told_of_invoice(report).items()
        if "test_mode" in facts
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
    row = newest_row(report)
    names = ("amount_in_fiat", "fiat_currency", "order_id", "test_mode")
    if row is None:
        yield unseen("v2 info", "it told nothing about this invoice")
        return
    good = {
        "amount_in_fiat": bool(figure_of(row.get("amount_in_fiat"))),
        # If it is not told, what the create reply agreed stands.
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
    """What the shop made of an odd field, if it speaks v2; a shop that speaks v1 reads the status only."""
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
    rows = (row.get("invoice_status") for row in info_rows(report))
    if processing := {_shown(word) for word in rows if word}:
        found = f"{listed(processing)}; the shop does not read it"
        yield expected("v2 info's invoice_status", found)


QUESTIONS: tuple[Question, ...] = (
    create_answer,
    pay_link,
    unit_of_the_amount,
    test_mode,
    info_fields,
    status_words,
    postbacks,
    postback_encoding,
    postback_fields,
    token,
    clock,
)
