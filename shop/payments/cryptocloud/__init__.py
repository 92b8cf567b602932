"""CryptoCloud's API as a small library: no Flask, no database, usable on its own.

    gateway = CryptoCloud(api_key="…", shop_id="…", secret_key="…")
    invoice = gateway.create_invoice(Money.parse("10.00", "EUR"), reference="order-1")
    gateway.invoice_infos([invoice.id])[invoice.id].status

`CryptoCloud` speaks API v1; `CryptoCloudV2` has the same methods and can tell more. Everything that
can go wrong is drawn in `errors.py`.
"""

from .answers import LONGEST_WAIT
from .errors import (
    ASKED_AT_ONCE,
    SIGNED,
    BadPostback,
    Blocked,
    CryptoCloudError,
    InTestMode,
    KeyRefused,
    Moved,
    NotSent,
    NotTheApi,
    OtherHost,
    ProjectRefused,
    Refusal,
    Rejected,
    TooManyCalls,
    Unavailable,
    Unclear,
    UnclearInvoice,
    Unreadable,
    Untrusted,
)
from .hosts import named_host
from .invoices import (
    Invoice,
    InvoiceInfo,
    InvoiceStatus,
    normalise_invoice_id,
    same_to_the_cent,
    surplus,
)
from .postbacks import LARGEST_POSTBACK, ProvenPostback, token_in, unproven_fields
from .v1 import CryptoCloud
from .v2 import CryptoCloudV2

__all__ = [
    "ASKED_AT_ONCE",
    "LARGEST_POSTBACK",
    "LONGEST_WAIT",
    "SIGNED",
    "BadPostback",
    "Blocked",
    "CryptoCloud",
    "CryptoCloudError",
    "CryptoCloudV2",
    "InTestMode",
    "Invoice",
    "InvoiceInfo",
    "InvoiceStatus",
    "KeyRefused",
    "Moved",
    "NotSent",
    "NotTheApi",
    "OtherHost",
    "ProjectRefused",
    "ProvenPostback",
    "Refusal",
    "Rejected",
    "TooManyCalls",
    "Unavailable",
    "Unclear",
    "UnclearInvoice",
    "Unreadable",
    "Untrusted",
    "named_host",
    "normalise_invoice_id",
    "same_to_the_cent",
    "surplus",
    "token_in",
    "unproven_fields",
]
