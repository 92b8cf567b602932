"""CryptoCloud's API as a small library: no Flask, no database, usable on its own.

    gateway = CryptoCloud(api_key="…", shop_id="…", secret_key="…")
    invoice = gateway.create_invoice(Money.parse("10.00", "EUR"), reference="order-1")
    gateway.invoice_infos([invoice.id])[invoice.id].status

`CryptoCloud` speaks API v1; `CryptoCloudV2` has the same methods and can tell more. Everything that
can go wrong is drawn in `errors.py`.
"""

from .errors import (
    ASKED_AT_ONCE,
    SIGNED,
    BadPostback,
    CryptoCloudError,
    KeyRefused,
    NotSent,
    Refusal,
    Rejected,
    TooManyCalls,
    Unavailable,
    Unclear,
    Untrusted,
)
from .invoices import Invoice, InvoiceInfo, InvoiceStatus, normalise_invoice_id
from .postbacks import LARGEST_POSTBACK, Postback, token_in, unproven_fields
from .v1 import CryptoCloud
from .v2 import CryptoCloudV2

__all__ = [
    "ASKED_AT_ONCE",
    "LARGEST_POSTBACK",
    "SIGNED",
    "BadPostback",
    "CryptoCloud",
    "CryptoCloudError",
    "CryptoCloudV2",
    "Invoice",
    "InvoiceInfo",
    "InvoiceStatus",
    "KeyRefused",
    "NotSent",
    "Postback",
    "Refusal",
    "Rejected",
    "TooManyCalls",
    "Unavailable",
    "Unclear",
    "Untrusted",
    "normalise_invoice_id",
    "token_in",
    "unproven_fields",
]
