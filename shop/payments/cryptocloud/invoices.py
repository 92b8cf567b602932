"""What the provider knows about an invoice, in plain values."""

from __future__ import annotations

import contextlib
import enum
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from urllib.parse import urlsplit

from ...money import Money
from .errors import OtherHost, Unreadable, Untrusted
from .hosts import named_host, with_scheme

LONGEST_PAY_URL = 512
NOISE = Decimal("0.0001")
"""A hundredth of a cent: 9.999999999999998 is what floats make of 10."""
COIN_NOISE = Decimal("1e-12")
"""The same for coins, as a part of what is due: 0.0001 of a coin may be much money."""
INVOICE_ID = re.compile(r"(?:INV-)?([A-Z0-9]{4,32})")


class InvoiceStatus(enum.StrEnum):
    """Every status that is known; `overpaid` is v2's and accepted from v1 just in case.

    `unknown` is ours: the provider tells about the invoice, but what it tells cannot be understood.
    """

    CREATED = "created"
    PAID = "paid"
    OVERPAID = "overpaid"
    PARTIAL = "partial"
    CANCELED = "canceled"
    UNKNOWN = "unknown"


OTHER_SPELLINGS = {"cancelled": InvoiceStatus.CANCELED, "expired": InvoiceStatus.CANCELED}
"""Spellings that were seen in clients of the provider; their meaning is clear."""


@dataclass(frozen=True, slots=True)
class Invoice:
    """What the provider made: its id without the INV- prefix, and the page to pay on."""

    id: str
    pay_url: str
    expires_at: datetime | None = None
    test_mode: bool = False
    """Money that is sent to it is never credited; API v2 tells, v1 does not."""


@dataclass(frozen=True, slots=True)
class InvoiceInfo:
    """What the provider says about an invoice now; v1 tells the status and nothing else.

    Whatever it does not tell is None or empty, and says nothing for or against.
    """

    status: InvoiceStatus
    problem: str = ""
    """With the status `unknown`: what cannot be understood, for an operator."""
    amount: Decimal | None = None
    """What the invoice was made for, in ordinary money."""
    currency: str = ""
    reference: str | None = None
    test_mode: bool | None = None
    coin: str = ""
    due: Decimal | None = None
    """The whole of what is to be sent, in `coin`."""
    received: Decimal | None = None
    """The whole of what has arrived, in `coin`, before the provider's fees."""

    @property
    def surplus(self) -> Decimal | None:
        """How much more came than was due, in `coin`: negative while some is missing; None if untold."""
        if self.due is None or self.received is None:
            return None
        return surplus(self.received, self.due)

    @property
    def is_overpaid(self) -> bool:
        """Whether more came than was asked for, whichever of its words the provider uses."""
        return self.status is InvoiceStatus.OVERPAID or (self.surplus or 0) > 0

    @property
    def is_part(self) -> bool:
        """Whether some of the money came and not all, also when the invoice has ended since."""
        ended_with_some = self.status is InvoiceStatus.CANCELED and bool(self.received)
        return self.status is InvoiceStatus.PARTIAL or ended_with_some


def normalise_invoice_id(text: object) -> str:
    """The bare id of `INV-ABCD1234` or `ABCD1234`; ValueError for anything else."""
    match = INVOICE_ID.fullmatch(text) if isinstance(text, str) else None
    if not match:
        raise ValueError("not an invoice id")
    return match[1]


def named_invoice(text: object) -> str:
    """The bare id that a reply names, or Unreadable."""
    try:
        return normalise_invoice_id(text)
    except ValueError:
        raise Unreadable("the reply names no usable invoice id") from None


def checked_pay_url(pay_url: object, origins: Sequence[str], invoice_id: str) -> str:
    """The invoice's pay link, if a buyer may be sent there; Untrusted when it leads anywhere else.

    A link without a scheme gets the one of the configured origin whose host it names.
    """
    if not isinstance(pay_url, str) or len(pay_url) > LONGEST_PAY_URL:
        raise Unreadable("the reply has no usable pay_url")
    if not re.fullmatch(r"[!-\[\]-~]+", pay_url):  # printable ASCII without space and backslash
        raise Untrusted("the reply's pay_url holds characters that no link has", invoice_id)
    pay_url = with_scheme(pay_url, origins)
    try:
        parts = urlsplit(pay_url)
        origin = f"{parts.scheme}://{parts.netloc}".lower().removesuffix(
            ":443" if parts.scheme == "https" else ":80"
        )
    except ValueError:
        raise Untrusted("the reply's pay_url is no address", invoice_id) from None
    if origin not in origins:
        where = named_host(pay_url) or "no host"
        raise OtherHost(
            f"the reply's pay_url leads to {where}, which is not configured", invoice_id
        )
    return pay_url


def same_to_the_cent(told: Decimal, asked: Money) -> bool:
    """Whether an amount that the provider tells is the one that was asked for, but for float noise."""
    return abs(told - asked.decimal) < NOISE


def surplus(received: Decimal, due: Decimal) -> Decimal:
    """How much more came than was due, in a coin; 0 for what floats make of the same amount."""
    more = received - due
    return more if abs(more) > due * COIN_NOISE else Decimal(0)


def status_of(word: object) -> tuple[InvoiceStatus, str]:
    """The status that the provider's word stands for, and what is wrong when it stands for none."""
    if isinstance(word, str) and word in OTHER_SPELLINGS:
        return OTHER_SPELLINGS[word], ""
    if isinstance(word, str) and word != InvoiceStatus.UNKNOWN:
        with contextlib.suppress(ValueError):
            return InvoiceStatus(word), ""
    if text := plain_text(word)[:40]:
        said = f'the status "{text}"'
    else:
        said = "no status" if word in (None, "") else f"a status that is a {type(word).__name__}"
    return InvoiceStatus.UNKNOWN, f"it has {said}, which this shop does not know"


def plain_text(value: object) -> str:
    """The value as short, printable ASCII, because it is stored in a column and shown to people."""
    return re.sub(r"[^ -~]", "?", str(value)[:120]) if isinstance(value, str | int) else ""
