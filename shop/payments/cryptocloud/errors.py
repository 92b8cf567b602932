"""Everything that can go wrong; the first three say what is known about the invoice.

CryptoCloudError
├── NotSent            the request never left, so nothing exists at the provider
│   └── TooManyCalls   we did not even try: too many calls are waiting already
├── Rejected           the provider said no
│   ├── KeyRefused     … to our API key (401, 403)
│   ├── ProjectRefused … to our project as a whole (403)
│   ├── Blocked        … or rather something between us and its API did
│   │   └── NotTheApi  … or what is there in its place (404, 405, 410)
│   └── Unavailable    … for the moment (406, 429, a rate limit)
└── Unclear            sent, but no answer that can be trusted: an invoice may exist
    ├── UnclearInvoice … because what it tells about this invoice cannot be understood
    ├── Unreadable     … because the answer is not one that the API gives
    ├── Moved          … because the API's address sends elsewhere
    └── Untrusted      … and what was answered would lead the buyer or the money astray
        ├── OtherHost  … to a pay page at a host that is not configured
        └── InTestMode … to an invoice whose money nobody ever gets
BadPostback            a postback that does not prove that it comes from the provider
"""

from __future__ import annotations

import enum


class CryptoCloudError(Exception):
    """A call did not give what it was made for. The text is safe to log and to show an operator."""

    retry_after: float | None = None
    """In how many seconds another try may go well, where the provider said so."""
    lasts = False
    """Whether the next try will end in the same way, until a person has seen to it."""
    about_invoice = False
    """Whether this says something about the invoice alone: the provider is there, and takes our key."""


class NotSent(CryptoCloudError):
    """The request never reached the provider; trying again at once is safe."""


class TooManyCalls(NotSent):
    """As many calls are waiting for the provider as this process allows."""


class Rejected(CryptoCloudError):
    """The provider understood and said no; there is no invoice."""

    lasts = True
    about_invoice = True


class KeyRefused(Rejected):
    """The API key is wrong or has been withdrawn: a person must look."""

    about_invoice = False


class ProjectRefused(Rejected):
    """The key is known, and the project may not do this: not active, or blocked. A person must look."""

    about_invoice = False


class Blocked(Rejected):
    """Something in between said no, and not the API: a bot wall, a proxy, or another web server."""

    about_invoice = False


class NotTheApi(Blocked):
    """Something answers at this address, but not as the API does."""


class Unavailable(Rejected):
    """The provider says it cannot serve this now; trying again later is safe."""

    lasts = False
    about_invoice = False

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Unclear(CryptoCloudError):
    """The request was sent and the outcome is not known. Nothing may be guessed from this."""


class UnclearInvoice(Unclear):
    """The provider tells about the invoice, but what it tells cannot be understood."""

    about_invoice = True


class Unreadable(Unclear):
    """The answer is not one that the API gives: another page, half of one, or other fields."""

    lasts = True


class Moved(Unclear):
    """The API's address answers with a redirect. It is never followed: the key would go along."""

    lasts = True

    def __init__(self, message: str, host: str = "") -> None:
        super().__init__(message)
        self.host = host
        """The other host that it leads to; empty when it leads to none."""


class Untrusted(Unclear):
    """The answer names what cannot be right: another host, amount or order. A person must look."""

    lasts = True

    test_mode = False
    """Whether the invoice of the answer is, or may be, a test."""

    def __init__(self, message: str, invoice_id: str | None = None) -> None:
        super().__init__(message)
        self.invoice_id = invoice_id
        """The invoice that was made all the same."""


class OtherHost(Untrusted):
    """The pay link leads to a host that is not configured."""


class InTestMode(Untrusted):
    """The invoice is a test: what is sent to it is never credited."""

    test_mode = True


class Refusal(enum.StrEnum):
    """Why a postback is not believed; kept with the payment that it names, at most 20 characters."""

    UNREADABLE = "unreadable"
    UNSIGNED = "unsigned"
    """The postback has no token."""
    MALFORMED = "malformed"
    """Its token is no HS256 token that can be read."""
    SIGNATURE = "signature"
    """Another key than ours signed the token; in each of the reasons below, ours signed it."""
    EXPIRED = "expired"
    """The token is too old or from the future: our clock is wrong, it came late, or somebody sent it again."""
    UNDATED = "undated"
    NOT_FOR_INVOICE = "not_for_invoice"
    """The token names no invoice."""
    NO_INVOICE = "no_invoice"
    """The token names an invoice, and the postback itself names none."""
    OTHER_INVOICE = "other_invoice"
    OTHER_ORDER = "other_order"


SIGNED = (
    Refusal.EXPIRED,
    Refusal.UNDATED,
    Refusal.NOT_FOR_INVOICE,
    Refusal.NO_INVOICE,
    Refusal.OTHER_INVOICE,
    Refusal.OTHER_ORDER,
)
"""Refused although signed with our secret key, which is therefore the right one."""
ASKED_AT_ONCE = (Refusal.NOT_FOR_INVOICE, Refusal.NO_INVOICE)
"""Reasons after which the provider is asked at once: it has just spoken, but not clearly about which invoice."""


class BadPostback(Exception):
    """A postback that must not be believed. The text says why and holds nothing secret."""

    def __init__(self, message: str, because: Refusal, invoice_id: str | None = None) -> None:
        super().__init__(message)
        self.because = because
        self.invoice_id = invoice_id
        """The invoice that it names, unproven: a reason to ask the provider, and for nothing else."""
