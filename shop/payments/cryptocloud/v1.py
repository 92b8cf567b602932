"""API v1, which every project has: make an invoice, and ask for its status."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import ClassVar

from ...money import Money, exponent
from . import postbacks
from .answers import Answer
from .calls import CALL_SECONDS, Calls
from .errors import NotTheApi, Rejected
from .invoices import Invoice, InvoiceInfo, checked_pay_url, named_invoice, status_of
from .postbacks import ProvenPostback

NOBODYS_INVOICE = "DOCTOR00"
DECIMALS = 2
"""Decimals of an amount, as the provider's own modules send it; an amount with more would be rounded."""


@dataclass(eq=False)
class CryptoCloud:
    """One CryptoCloud project. Safe to share between threads."""

    api_key: str
    shop_id: str
    secret_key: str
    url: str = "https://api.cryptocloud.plus"
    pay_origins: Sequence[str] = ("https://pay.trybit.com", "https://pay.cryptocloud.plus")
    """Where a buyer may be sent: CryptoCloud has called itself Trybit since May 2026."""
    call_seconds: float = CALL_SECONDS
    previous_secret_key: str = ""
    previous_until: datetime | None = None
    """The previous secret key proves postbacks until then; without a date it proves none."""
    invoice_life: timedelta = timedelta(hours=24)
    """How long a buyer has to pay; API v1 knows 24 hours only."""

    batch: ClassVar[int] = 1
    """How many invoices `invoice_infos` asks about in one call, at most."""
    info_path: ClassVar[str] = "/v1/invoice/info"
    """The path of the call by which `invoice_infos` asks."""
    told_in: ClassVar[str] = "status_invoice"
    """The field of that call's reply that tells about the invoices."""
    lists_invoices: ClassVar[bool] = False
    """Whether `find_invoice` asks the provider at all."""

    _calls: Calls = field(init=False)

    def __post_init__(self) -> None:
        self._calls = Calls(self.url, self.api_key, self.call_seconds)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.url}, shop_id={self.shop_id})"

    def tell_answers_to(self, listener: Callable[[str, str, Answer], None] | None) -> None:
        """Call `listener` with the method and path of each call and its answer, before the answer is judged."""
        self._calls.on_answer = listener

    def create_invoice(self, amount: Money, *, reference: str, email: str | None = None) -> Invoice:
        """Ask for an invoice. The provider knows no idempotency: each call that arrives makes another.

        Raises NotSent, Rejected or Unclear; after Unclear an invoice may exist that nobody was shown.
        """
        body = self._order(amount, reference, email)
        reply = self._calls.call("POST", "/v1/invoice/create", json=body)
        invoice_id = named_invoice(reply.get("invoice_id"))
        pay_url = checked_pay_url(reply.get("pay_url"), self.pay_origins, invoice_id)
        return Invoice(invoice_id, pay_url)

    def _order(self, amount: Money, reference: str, email: str | None) -> dict[str, object]:
        if exponent(amount.currency) > DECIMALS:
            raise Rejected(f"an invoice has {DECIMALS} decimals, and {amount.currency} has more")
        body: dict[str, object] = {
            "shop_id": self.shop_id,
            "amount": f"{amount.decimal:.{DECIMALS}f}",
            "currency": amount.currency,
            "order_id": reference,
        }
        return body | {"email": email} if email else body

    def invoice_infos(
        self, ids: Sequence[str], *, seconds: float | None = None
    ) -> dict[str, InvoiceInfo]:
        """What the provider says about these invoices, by id: the one source of truth. Safe to repeat.

        It asks about `batch` invoices at most. Those that the provider does not know are left out; if it
        knows none, Rejected or Unclear is raised. An invoice about which nothing clear is told has the
        status `unknown`.
        """
        reply = self._calls.judge(self._ask_about(ids, seconds))
        return {ids[0]: InvoiceInfo(*status_of(reply.get("status_invoice")))}

    def _ask_about(self, ids: Sequence[str], seconds: float | None = None) -> Answer:
        (invoice_id,) = ids
        return self._calls.ask(
            "GET", self.info_path, params={"uuid": f"INV-{invoice_id}"}, seconds=seconds
        )

    def find_invoice(self, reference: str, amount: Money, since: datetime) -> Invoice | None:
        """The invoice made for this reference, if there is one. API v1 has no list to look through."""
        return None

    def invoices_since(self, since: datetime) -> dict[str, InvoiceInfo]:
        """What is true about every invoice made since that day. API v1 has no list of them."""
        return {}

    def cancel_invoice(self, invoice_id: str) -> None:
        """Close an invoice that waits for money, so that nobody can pay it. API v1 has no such call."""

    def check_key(self) -> float | None:
        """See whether the API answers and accepts the key, by asking about an invoice that nobody has.

        Returns by how many seconds the provider's clock is ahead of ours, if it tells its time. Raises
        what `invoice_infos` would, except for the answer that there is no such invoice; NotTheApi for
        an answer that any web server might give.
        """
        answer = self._ask_about([NOBODYS_INVOICE])
        try:
            if self.told_in not in self._calls.judge(answer):
                raise NotTheApi(f"its answer ({answer.status}) says success and nothing else")
        except Rejected as error:
            if not error.about_invoice:
                raise
            if not answer.is_own_no:
                raise NotTheApi(f"it answers, and not as the API does: {error}") from None
            # It has no such invoice, and said so to this key.
        return answer.clock_ahead

    @property
    def clock_ahead(self) -> float | None:
        """By how many seconds the provider's clock is ahead of ours, by the last answers; None while unknown."""
        return self._calls.clock_ahead

    def read_postback(
        self, content_type: str | None, body: bytes, *, now: float | None = None
    ) -> ProvenPostback:
        """Prove that a postback comes from the provider, or raise BadPostback.

        The token (HS256, signed with the project's secret key) covers the invoice id and its own
        expiry and nothing else: status, amount and order id can be altered by whoever replays it.
        """
        now = time.time() if now is None else now
        secrets = [self.secret_key]
        if self.previous_until and now < self.previous_until.timestamp():
            secrets.append(self.previous_secret_key)
        return postbacks.read_postback(content_type, body, secrets=secrets, now=now)
