"""API v2: amounts and test mode are told, and invoices can be looked for and cancelled."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, ClassVar

from ...money import Money
from .answers import Answer
from .errors import Rejected, Unclear, UnclearInvoice, Unreadable, Untrusted
from .invoices import (
    Invoice,
    InvoiceInfo,
    InvoiceStatus,
    checked_pay_url,
    named_invoice,
    normalise_invoice_id,
    plain_text,
    same_to_the_cent,
    status_of,
)
from .v1 import CryptoCloud

LARGEST_LIST = 1024 * 1024
"""A hundred invoices as the provider writes them are a quarter of this."""
PAGE = 100
MOST_PAGES = 50
LIST_SECONDS = 10.0
"""How long one look through the list may take, because the sweep that looks has other work."""
A_DAY = timedelta(days=1)
MONEY_FIRST = (
    InvoiceStatus.PAID,
    InvoiceStatus.OVERPAID,
    InvoiceStatus.PARTIAL,
    InvoiceStatus.UNKNOWN,
    InvoiceStatus.CREATED,
    InvoiceStatus.CANCELED,
)


class CryptoCloudV2(CryptoCloud):
    """One CryptoCloud project, spoken to in API v2."""

    batch: ClassVar[int] = 100
    info_path: ClassVar[str] = "/v2/invoice/merchant/info"
    told_in: ClassVar[str] = "result"
    lists_invoices: ClassVar[bool] = True

    def create_invoice(self, amount: Money, *, reference: str, email: str | None = None) -> Invoice:
        """As in v1; the invoice lives for `invoice_life`."""
        minutes = self.invoice_life // timedelta(minutes=1)
        body = self._order(amount, reference, email)
        body["add_fields"] = {"time_to_pay": {"hours": minutes // 60, "minutes": minutes % 60}}
        made = self._calls.call("POST", "/v2/invoice/create", json=body).get("result")
        if not isinstance(made, dict):
            raise Unreadable("the reply holds no invoice")
        return self._invoice(made, amount)

    def _invoice(self, facts: dict[str, Any], amount: Money) -> Invoice:
        invoice_id, told = named_invoice(facts.get("uuid")), facts.get("test_mode")
        try:
            if told is not None and not isinstance(told, bool):
                raise Untrusted("the reply does not say clearly whether it is a test", invoice_id)
            if not _is_about(facts, amount, invoice_id):
                raise Untrusted("the invoice was made for another amount", invoice_id)
            pay_url = checked_pay_url(facts.get("link"), self.pay_origins, invoice_id)
        except Untrusted as error:
            error.test_mode = bool(told)  # the invoice is watched, and a test must not buy anything
            raise
        expires_at = self._expiry(facts.get("expiry_date"))
        return Invoice(invoice_id, pay_url, expires_at, test_mode=bool(told))

    def _expiry(self, text: object) -> datetime | None:
        """The end of the invoice's life as told; None for one that cannot be right: no stock must wait for it."""
        try:
            end = datetime.fromisoformat(str(text))
            end = end.astimezone(UTC) if end.tzinfo else end.replace(tzinfo=UTC)
        except (ValueError, OverflowError):
            return None
        now = datetime.now(UTC)
        return end if now < end <= now + self.invoice_life + A_DAY else None

    def invoice_infos(
        self, ids: Sequence[str], *, seconds: float | None = None
    ) -> dict[str, InvoiceInfo]:
        """As in v1, for up to 100 invoices in one call, and with what v1 does not tell."""
        told = _by_id(_list_in(self._calls.judge(self._ask_about(ids, seconds))))
        infos: dict[str, InvoiceInfo] = {}
        for invoice_id in ids:
            if invoice_id in told:
                infos[invoice_id] = _info(told[invoice_id])
        if not infos and "" in told:
            raise Unreadable("the reply names no usable invoice id")
        if not infos:
            raise Rejected("the provider knows no such invoice")
        return infos

    def _ask_about(self, ids: Sequence[str], seconds: float | None = None) -> Answer:
        if len(ids) > self.batch:
            raise ValueError("too many invoices for one call")
        return self._calls.ask(
            "POST",
            self.info_path,
            json={"uuids": [f"INV-{invoice_id}" for invoice_id in ids]},
            seconds=seconds,
            largest=LARGEST_LIST,
        )

    def find_invoice(self, reference: str, amount: Money, since: datetime) -> Invoice | None:
        """The invoice made for exactly this reference since then, or None when there is none.

        Raises what `create_invoice` raises for an invoice that may not be shown; and Unclear when it could not
        look through the whole list, so that nobody takes that for a no. Of several, it takes the one with the money.
        """
        made, whole = self._made_since(since)
        named = [facts for facts in made if facts.get("order_id") == reference]
        if named:
            best = min(named, key=lambda facts: MONEY_FIRST.index(_status(facts)[0]))
            return self._invoice(best, amount)
        if not whole:
            raise Unclear("the list of invoices does not come to an end")
        return None

    def invoices_since(self, since: datetime) -> dict[str, InvoiceInfo]:
        """What is true about every invoice made since that day; Unclear when it could not look through all."""
        made, whole = self._made_since(since)
        if not whole:
            raise Unclear("the list of invoices does not come to an end")
        return {i: _info(told) for i, told in _by_id(made).items() if i}

    def _made_since(self, since: datetime) -> tuple[list[dict[str, Any]], bool]:
        """The invoices since that day, and whether these are all of them.

        The span is a day longer at both ends, because the provider's day may be another. In some of its
        documents `limit` says how many invoices to tell, in others the number of the last one: where the
        first reading brings nothing new, the second is tried. The invoices are all when they are as many
        as `all_count` says. After a full page that figure may be the page's length alone, so one more
        page is asked for.
        """
        span = {
            "start": f"{since.astimezone(UTC) - A_DAY:%d.%m.%Y}",
            "end": f"{datetime.now(UTC) + A_DAY:%d.%m.%Y}",
        }
        made: dict[object, dict[str, Any]] = {}
        by_number, until = False, time.monotonic() + LIST_SECONDS
        for _ in range(MOST_PAGES):
            if time.monotonic() > until:
                break
            offset = len(made)
            body = span | {"offset": offset, "limit": offset * by_number + PAGE}
            reply = self._calls.call(
                "POST", "/v2/invoice/merchant/list", json=body, largest=LARGEST_LIST
            )
            told, count = _list_in(reply), reply.get("all_count")
            made |= {str(facts.get("uuid") or facts): facts for facts in told}
            nothing_new = len(made) == offset
            if type(count) is int and len(made) == count and (nothing_new or len(told) < PAGE):
                return list(made.values()), True
            if nothing_new:
                if by_number or not offset:
                    break
                by_number = True
        return list(made.values()), False

    def cancel_invoice(self, invoice_id: str) -> None:
        """Close an invoice that waits for money, so that nobody can pay it; Rejected when it no longer waits."""
        self._calls.call(
            "POST", "/v2/invoice/merchant/canceled", json={"uuid": f"INV-{invoice_id}"}
        )


def _list_in(reply: dict[str, Any]) -> list[dict[str, Any]]:
    told = reply.get("result")
    if not isinstance(told, list) or not all(isinstance(facts, dict) for facts in told):
        raise Unreadable("the reply holds no list of invoices")
    return told


def _by_id(told: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """The rows about each invoice, by its id; rows that name no invoice stand under the empty id."""
    found: dict[str, list[dict[str, Any]]] = {}
    for facts in told:
        try:
            invoice_id = normalise_invoice_id(facts.get("uuid"))
        except ValueError:
            invoice_id = ""
        found.setdefault(invoice_id, []).append(facts)
    return found


def _info(told: list[dict[str, Any]]) -> InvoiceInfo:
    """What the rows about one invoice say; `unknown`, and why, when that cannot be understood."""
    try:
        if len(told) != 1:
            raise UnclearInvoice("the reply tells about it twice")
        return _clear_info(told[0])
    except UnclearInvoice as error:
        return InvoiceInfo(InvoiceStatus.UNKNOWN, problem=str(error))


def _clear_info(facts: dict[str, Any]) -> InvoiceInfo:
    test_mode = facts.get("test_mode")
    if test_mode is not None and not isinstance(test_mode, bool):
        raise UnclearInvoice("the reply does not say clearly whether it is a test")
    status, problem = _status(facts)
    return InvoiceInfo(
        status=status,
        problem=problem,
        amount=_amount(facts),
        currency=_currency(facts.get("fiat_currency")),
        reference=_reference(facts.get("order_id")),
        test_mode=test_mode,
        coin=_coin(facts.get("currency")),
        due=_figure(facts.get("amount_to_pay")),
        received=_figure(facts.get("amount_paid")),
    )


def _status(facts: dict[str, Any]) -> tuple[InvoiceStatus, str]:
    """The invoice's status, from `status`: `invoice_status` beside it says how processing a payment went."""
    return status_of(facts.get("status"))


def _amount(facts: dict[str, Any]) -> Decimal | None:
    """The amount the invoice was made for; None if the answer leaves it out, or says 0, which none is for."""
    told = facts.get("amount_in_fiat")
    amount = _figure(told)
    if amount is None and told is not None and told != "":
        raise UnclearInvoice("the reply does not say clearly what it is for")
    return amount or None


def _is_about(facts: dict[str, Any], amount: Money, invoice_id: str) -> bool:
    """Whether the reply names no other amount and no other currency; Untrusted when it is not clear."""
    try:
        told, currency = _amount(facts), _currency(facts.get("fiat_currency"))
    except UnclearInvoice as error:
        raise Untrusted(str(error), invoice_id) from None
    return currency in ("", amount.currency) and (told is None or same_to_the_cent(told, amount))


def _currency(code: object) -> str:
    if code is None or code == "":
        return ""
    if not isinstance(code, str) or not re.fullmatch(r"[A-Z]{3}", code):
        raise UnclearInvoice("the reply does not say clearly what currency it is in")
    return code


def _reference(text: object) -> str | None:
    if text in (None, "", "None"):  # the provider writes the word None if there was none
        return None
    if isinstance(text, bool) or not isinstance(text, str | int):
        raise UnclearInvoice("the reply's order_id is no text")
    return plain_text(text)


def _coin(currency: object) -> str:
    """The coin's code with its network, for people only; empty if there is none that can be used."""
    if not isinstance(currency, dict):
        return ""
    code = currency.get("fullcode") or currency.get("code")
    usable = isinstance(code, str) and re.fullmatch(r"[A-Za-z0-9_.-]{1,40}", code)
    return str(code) if usable else ""


def _figure(value: object) -> Decimal | None:
    """An exact amount from a JSON number or a numeric text; None when it is neither, or absurd."""
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        return None
    if isinstance(value, str) and not re.fullmatch(r"[0-9]+(\.[0-9]+)?", value):
        return None
    figure = Decimal(value)
    exponent = figure.as_tuple().exponent
    fits = isinstance(exponent, int) and exponent >= -24 and figure.adjusted() < 18
    return Decimal(f"{figure:f}") if fits and figure >= 0 else None
