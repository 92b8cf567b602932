"""Everything that can go wrong; the first three say what is known about the invoice.

CryptoCloudError
├── NotSent            the request never left, so nothing exists at the provider
│   └── TooManyCalls   we did not even try: too many calls are waiting already
├── Rejected           the provider said no
│   ├── KeyRefused     … to our API key (401, 403)
│   └── Unavailable    … for the moment (406, 429)
└── Unclear            sent, but no answer that can be trusted: an invoice may exist
    └── Untrusted      … and what was answered would lead the buyer or the money astray
BadPostback            a notice that does not prove that it comes from the provider
"""

from __future__ import annotations


class CryptoCloudError(Exception):
    """A call did not give what it was made for. The text is safe to log and to show an operator."""

    retry_after: float | None = None
    """In how many seconds another try may go well, where the provider said so."""


class NotSent(CryptoCloudError):
    """The request never reached the provider; trying again at once is safe."""


class TooManyCalls(NotSent):
    """As many calls are waiting for the provider as this process allows."""


class Rejected(CryptoCloudError):
    """The provider understood and said no; there is no invoice."""


class KeyRefused(Rejected):
    """The API key is wrong or has been withdrawn: a person must look."""


class Unavailable(Rejected):
    """The provider says it cannot serve this now; trying again later is safe."""

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Unclear(CryptoCloudError):
    """The request was sent and the outcome is not known. Nothing may be guessed from this."""


class Untrusted(Unclear):
    """The answer names what cannot be right: another host, amount or order. A person must look."""

    def __init__(self, message: str, invoice_id: str | None = None) -> None:
        super().__init__(message)
        self.invoice_id = invoice_id
        """The invoice that was made all the same."""


class BadPostback(Exception):
    """A notice that must not be believed. The text says why and holds nothing secret."""

    invoice_id: str | None = None
    """The invoice that it names, unproven: a reason to ask the provider, and for nothing else."""
