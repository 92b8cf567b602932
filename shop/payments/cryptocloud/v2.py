"""API v2: amounts and test mode are told, and invoices can be looked for and cancelled."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, ClassVar

from ...money import Money
from .answers import Answer
from .errors import CryptoCloudError, Rejected, Unclear, Untrusted
from .invoices import (
    Invoice,
    InvoiceInfo,
    InvoiceStatus,
    checked_pay_url,
    named_invoice,
    normalise_invoice_id,
    plain_text,
)
from .v1 import CryptoCloud

LARGEST_LIST = 1024 * 1024
"""A hundred invoices as the provider writes them are a quarter of this."""
PAGE = 100
MOST_PAGES = 50
A_DAY = timedelta(days=1)
MONEY_FIRST = (
    InvoiceStatus.PAID,
    InvoiceStatus.OVERPAID,
    InvoiceStatus.PARTIAL,
    InvoiceStatus.CREATED,
    InvoiceStatus.CANCELED,
)


class CryptoCloudV2(CryptoCloud):
    """One CryptoCloud project, spoken to in API v2."""

    batch: ClassVar[int] = 100

    def create_invoice(self, amount: Money, *, reference: str, email: str | None = None) -> Invoice:
        """As in v1; the invoice lives for `invoice_life`."""
        minutes = self.invoice_life // timedelta(minutes=1)
        body = self._order(amount, reference, email)
        body["add_fields"] = {"time_to_pay": {"hours": minutes // 60, "minutes": minutes % 60}}
        made = self._calls.call("POST", "/v2/invoice/create", json=body).get("result")
        if not isinstance(made, dict):
            raise Unclear("the reply holds no invoice")
        invoice = self._invoice(made)
        if not _is_about(made, amount):
            raise Untrusted("the invoice was made for another amount", invoice.id)
        return invoice

    def _invoice(self, facts: dict[str, Any]) -> Invoice:
        invoice_id = named_invoice(facts.get("uuid"))
        pay_url = checked_pay_url(facts.get("link"), self.pay_origins, invoice_id)
        return Invoice(invoice_id, pay_url, self._expiry(facts.get("expiry_date")))

    def _expiry(self, text: object) -> datetime | None:
        """The end of the invoice's life as told; None for one that cannot be, to hold no goods for it."""
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
        problem: CryptoCloudError = Rejected("the provider knows no such invoice")
        if "" in told:
            problem = Unclear("the reply names no usable invoice id")
        for invoice_id in ids:
            if invoice_id in told:
                try:
                    infos[invoice_id] = _info(_only(told[invoice_id]))
                except Unclear as error:
                    problem = error
        if not infos:
            raise problem
        return infos

    def _ask_about(self, ids: Sequence[str], seconds: float | None = None) -> Answer:
        if len(ids) > self.batch:
            raise ValueError("too many invoices for one call")
        return self._calls.ask(
            "POST",
            "/v2/invoice/merchant/info",
            json={"uuids": [f"INV-{invoice_id}" for invoice_id in ids]},
            seconds=seconds,
            largest=LARGEST_LIST,
        )

    def find_invoice(self, reference: str, amount: Money, since: datetime) -> Invoice | None:
        """The invoice made for exactly this reference and amount since then, or None when there is none.

        Raises what any call does; and Unclear when it could not look through all of them, so that
        nobody takes that for a no. Of several, the one with the money.
        """
        named = [facts for facts in self._made_since(since) if facts.get("order_id") == reference]
        found = [facts for facts in named if _is_about(facts, amount)]
        if not found:
            return None
        return self._invoice(min(found, key=lambda facts: MONEY_FIRST.index(_status(facts))))

    def _made_since(self, since: datetime) -> list[dict[str, Any]]:
        """All invoices since that day; a day more at both ends, for the provider's day may be another."""
        span = {
            "start": f"{since.astimezone(UTC) - A_DAY:%d.%m.%Y}",
            "end": f"{datetime.now(UTC) + A_DAY:%d.%m.%Y}",
        }
        made: dict[object, dict[str, Any]] = {}
        for page in range(MOST_PAGES):
            body = span | {"offset": page * PAGE, "limit": PAGE}
            reply = self._calls.call(
                "POST", "/v2/invoice/merchant/list", json=body, largest=LARGEST_LIST
            )
            told = _list_in(reply)
            known = len(made)
            made |= {str(facts.get("uuid")): facts for facts in told}
            if len(told) < PAGE:
                return list(made.values())
            if len(made) == known:
                break  # the same page again
        raise Unclear("the list of invoices does not come to an end")

    def cancel_invoice(self, invoice_id: str) -> None:
        """Let an invoice that waits for money be payable no longer; Rejected when it is past that."""
        self._calls.call(
            "POST", "/v2/invoice/merchant/canceled", json={"uuid": f"INV-{invoice_id}"}
        )


def _list_in(reply: dict[str, Any]) -> list[dict[str, Any]]:
    told = reply.get("result")
    if not isinstance(told, list) or not all(isinstance(facts, dict) for facts in told):
        raise Unclear("the reply holds no list of invoices")
    return told


def _by_id(told: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """What was told of each invoice; what names none stands under the empty id."""
    found: dict[str, list[dict[str, Any]]] = {}
    for facts in told:
        try:
            invoice_id = normalise_invoice_id(facts.get("uuid"))
        except ValueError:
            invoice_id = ""
        found.setdefault(invoice_id, []).append(facts)
    return found


def _only(told: list[dict[str, Any]]) -> dict[str, Any]:
    if len(told) != 1:
        raise Unclear("the reply tells about an invoice twice")
    return told[0]


def _info(facts: dict[str, Any]) -> InvoiceInfo:
    test_mode = facts.get("test_mode", False)
    if not isinstance(test_mode, bool):
        raise Unclear("the reply does not say clearly whether the invoice is a test")
    return InvoiceInfo(
        status=_status(facts),
        amount=_amount(facts),
        currency=_currency(facts.get("fiat_currency")),
        reference=_reference(facts.get("order_id")),
        test_mode=test_mode,
        coin=_coin(facts.get("currency")),
        due=_figure(facts.get("amount_to_pay")),
        received=_figure(facts.get("amount_paid")),
    )


def _status(facts: dict[str, Any]) -> InvoiceStatus:
    """Its `status`; `invoice_status` beside it says how the payment's processing went."""
    try:
        return InvoiceStatus(str(facts.get("status")))
    except ValueError:
        raise Unclear("the invoice has a status that this shop does not know") from None


def _amount(facts: dict[str, Any]) -> Decimal:
    amount = _figure(facts.get("amount_in_fiat"))
    if amount is None:
        raise Unclear("the reply does not say what the invoice is for")
    return amount


def _is_about(facts: dict[str, Any], amount: Money) -> bool:
    return (_amount(facts), facts.get("fiat_currency")) == (amount.decimal, amount.currency)


def _currency(code: object) -> str:
    if not isinstance(code, str) or not re.fullmatch(r"[A-Z]{3}", code):
        raise Unclear("the reply does not say what currency the invoice is in")
    return code


def _reference(text: object) -> str | None:
    if text is None or text == "":
        return None
    if isinstance(text, bool) or not isinstance(text, str | int):
        raise Unclear("the reply's order_id is no text")
    return plain_text(text)


def _coin(currency: object) -> str:
    """The coin's code with its network. For people only: without one, nothing else is less true."""
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
