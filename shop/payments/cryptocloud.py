"""CryptoCloud's API v1 as a small library: no Flask, no database, usable on its own.

    gateway = CryptoCloud(api_key="…", shop_id="…", secret_key="…")
    invoice = gateway.create_invoice(Money.parse("10.00", "EUR"), reference="order-1")
    gateway.invoice_status(invoice.id)

Everything that can go wrong is one of these; the first three say what is known about the invoice:

    CryptoCloudError
    ├── NotSent            the request never left, so nothing exists at the provider
    │   └── TooManyCalls   we did not even try: too many calls are waiting already
    ├── Rejected           the provider said no
    │   ├── KeyRefused     … to our API key (401, 403)
    │   └── Unavailable    … for the moment (406, 429)
    └── Unclear            sent, but no answer that can be trusted: an invoice may exist
    BadPostback            a notice that does not prove that it comes from the provider
"""

from __future__ import annotations

import enum
import json
import re
import ssl
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NoReturn
from urllib.parse import parse_qsl, urlsplit

import jwt
import requests
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError, SSLError

from ..money import Money

CONNECT_SECONDS = 3.0
CALL_SECONDS = 8.0
LARGEST_REPLY = 64 * 1024
LARGEST_POSTBACK = 32 * 1024
LARGEST_TOKEN = 4 * 1024
LONGEST_PAY_URL = 512
CALLS_AT_ONCE = 24
TOKEN_LEEWAY_SECONDS = 60
TOKEN_LIFE_SECONDS = 15 * 60
"""A genuine token lives five minutes; one that claims much more was not made for this."""

INVOICE_ID = re.compile(r"(?:INV-)?([A-Z0-9]{4,32})", re.ASCII)
TOKEN = re.compile(
    r"""(?:b?["'])?([A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+)["']?""", re.ASCII
)
"""Some old notices wrap the token as b"…"; new ones carry it bare."""


class CryptoCloudError(Exception):
    """A call did not give what it was made for. The text is safe to log and to show an operator."""


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


class Unclear(CryptoCloudError):
    """The request was sent and the outcome is not known. Nothing may be guessed from this."""


class BadPostback(Exception):
    """A notice that must not be believed. The text says why and holds nothing secret."""


class InvoiceStatus(enum.StrEnum):
    """Every status that v1 is known to answer; `overpaid` is v2's and accepted just in case."""

    CREATED = "created"
    PAID = "paid"
    OVERPAID = "overpaid"
    PARTIAL = "partial"
    CANCELED = "canceled"


@dataclass(frozen=True, slots=True)
class Invoice:
    """What the provider made: its id without the INV- prefix, and the page to pay on."""

    id: str
    pay_url: str


@dataclass(frozen=True, slots=True)
class Postback:
    """A proven notice about one invoice. Only the id is signed; the rest are hints for people."""

    invoice_id: str
    order_id: str | None
    status: str
    amount_crypto: str
    currency: str


def normalise_invoice_id(text: object) -> str:
    """The bare id of `INV-ABCD1234` or `ABCD1234`; ValueError for anything else."""
    match = INVOICE_ID.fullmatch(text) if isinstance(text, str) else None
    if not match:
        raise ValueError("not an invoice id")
    return match[1]


@dataclass(frozen=True)
class CryptoCloud:
    """One CryptoCloud project. Safe to share between threads."""

    api_key: str
    shop_id: str
    secret_key: str
    url: str = "https://api.cryptocloud.plus"
    pay_origins: Sequence[str] = ("https://pay.cryptocloud.plus",)
    call_seconds: float = CALL_SECONDS

    def __post_init__(self) -> None:
        object.__setattr__(self, "_slots", threading.BoundedSemaphore(CALLS_AT_ONCE))

    def __repr__(self) -> str:
        return f"CryptoCloud({self.url}, shop_id={self.shop_id})"

    def create_invoice(self, amount: Money, *, reference: str, email: str | None = None) -> Invoice:
        """Ask for an invoice. The provider knows no idempotency: each call that arrives makes another.

        Raises NotSent, Rejected or Unclear; after Unclear an invoice may exist that nobody was shown.
        """
        body = {
            "shop_id": self.shop_id,
            "amount": f"{amount.decimal:.2f}",
            "currency": amount.currency,
            "order_id": reference,
        }
        if email:
            body["email"] = email
        reply = self._call("POST", "/v1/invoice/create", json=body)
        try:
            invoice_id = normalise_invoice_id(reply.get("invoice_id"))
        except ValueError:
            raise Unclear("the reply names no usable invoice id") from None
        return Invoice(invoice_id, self._checked_pay_url(reply.get("pay_url")))

    def invoice_status(self, invoice_id: str, *, seconds: float | None = None) -> InvoiceStatus:
        """What the provider says about an invoice: the one source of truth. Safe to repeat."""
        reply = self._call(
            "GET", "/v1/invoice/info", params={"uuid": f"INV-{invoice_id}"}, seconds=seconds
        )
        try:
            return InvoiceStatus(str(reply.get("status_invoice")))
        except ValueError:
            raise Unclear("the invoice has a status that this shop does not know") from None

    def check_key(self) -> None:
        """See whether the API answers and accepts the key, by asking about an invoice that nobody has.

        Raises what `invoice_status` would, except for the answer that there is no such invoice.
        """
        try:
            self.invoice_status("DOCTOR00")
        except (KeyRefused, Unavailable):
            raise
        except Rejected:
            return

    def read_postback(
        self, content_type: str | None, body: bytes, *, now: float | None = None
    ) -> Postback:
        """Prove that a notice comes from the provider, or raise BadPostback.

        The token (HS256, signed with the project's secret key) covers the invoice id and its own
        expiry and nothing else: status, amount and order id can be altered by whoever replays it.
        """
        fields = _postback_fields(content_type, body)
        claims = self._claims(fields.get("token"), time.time() if now is None else now)
        try:
            signed, named = (
                normalise_invoice_id(claims["id"]),
                normalise_invoice_id(fields.get("invoice_id")),
            )
        except ValueError:
            raise BadPostback("no usable invoice id") from None
        if signed != named:
            raise BadPostback("the token was signed for another invoice")
        return Postback(
            invoice_id=named,
            order_id=_text(fields.get("order_id")) or None,
            status=_text(fields.get("status")),
            amount_crypto=_text(fields.get("amount_crypto")),
            currency=_text(fields.get("currency")),
        )

    def _claims(self, token: object, now: float) -> dict[str, Any]:
        if not isinstance(token, str) or len(token) > LARGEST_TOKEN:
            raise BadPostback("no token")
        match = TOKEN.fullmatch(token)
        if not match or not self.secret_key:
            raise BadPostback("no token")
        try:
            claims = jwt.decode(
                match[1],
                self.secret_key,
                algorithms=["HS256"],
                # Times are checked below: PyJWT takes an `exp` in any year, and one in a string.
                options={
                    "require": ["exp", "id"],
                    "verify_exp": False,
                    "verify_nbf": False,
                    "verify_iat": False,
                    "verify_aud": False,
                },
            )
        except (jwt.InvalidTokenError, RecursionError) as error:
            raise BadPostback(f"bad token: {type(error).__name__}") from None
        expires = claims["exp"]
        if type(expires) is not int:
            raise BadPostback("the token's expiry is not a whole number")
        if not now - TOKEN_LEEWAY_SECONDS < expires <= now + TOKEN_LIFE_SECONDS:
            raise BadPostback("the token has expired, or claims to live too long")
        if (
            type(claims.get("nbf", 0)) is not int
            or claims.get("nbf", 0) > now + TOKEN_LEEWAY_SECONDS
        ):
            raise BadPostback("the token is not valid yet")
        return claims

    def _checked_pay_url(self, pay_url: object) -> str:
        """The pay link, if a buyer may be sent there; a link to anywhere else is treated as no answer."""
        if not isinstance(pay_url, str) or len(pay_url) > LONGEST_PAY_URL:
            raise Unclear("the reply has no usable pay_url")
        if not re.fullmatch(r"[!-\[\]-~]+", pay_url):  # printable ASCII without space and backslash
            raise Unclear("the reply's pay_url holds characters that no link has")
        try:
            parts = urlsplit(pay_url)
            origin = f"{parts.scheme}://{parts.netloc}".lower().removesuffix(
                ":443" if parts.scheme == "https" else ":80"
            )
        except ValueError:
            raise Unclear("the reply's pay_url is no address") from None
        if origin not in self.pay_origins:
            raise Unclear("the reply's pay_url leads to a host that is not configured")
        return pay_url

    def _call(
        self,
        method: str,
        path: str,
        *,
        json: dict[str, str] | None = None,
        params: dict[str, str] | None = None,
        seconds: float | None = None,
    ) -> dict[str, Any]:
        """One call with a limit on the whole of it, and on how many wait at once.

        It runs in a thread of its own, because no timeout of `requests` bounds a slow name look-up
        or an answer that drips in byte by byte: after the deadline the caller goes on, and the
        thread keeps its place among CALLS_AT_ONCE until its socket gives up.
        """
        limit = min(seconds or self.call_seconds, self.call_seconds)
        slots: threading.BoundedSemaphore = getattr(self, "_slots")  # noqa: B009 - set around `frozen`
        if not slots.acquire(blocking=False):
            raise TooManyCalls("too many calls are waiting for the provider")
        outcome: list[dict[str, Any] | BaseException] = []
        deadline = time.monotonic() + limit

        def work() -> None:
            try:
                outcome.append(self._request(method, path, deadline, json=json, params=params))
            except BaseException as error:  # handed to the caller below
                outcome.append(error)
            finally:
                slots.release()

        thread = threading.Thread(target=work, name="cryptocloud-call", daemon=True)
        try:
            thread.start()
        except RuntimeError:  # the machine has no thread to give
            slots.release()
            raise TooManyCalls("no thread is free to call the provider") from None
        thread.join(limit)
        if not outcome:
            raise Unclear("no answer in time")
        if isinstance(outcome[0], BaseException):
            raise outcome[0]
        return outcome[0]

    def _request(self, method: str, path: str, deadline: float, **arguments: Any) -> dict[str, Any]:
        with _Session() as session:
            session.trust_env = False  # neither a proxy nor a .netrc may see the key
            try:
                with session.request(
                    method,
                    f"{self.url}{path}",
                    headers={
                        "Authorization": f"Token {self.api_key}",
                        "Accept": "application/json",
                        "Accept-Encoding": "identity",  # no reply that unpacks to a gigabyte
                    },
                    timeout=(CONNECT_SECONDS, self.call_seconds),
                    allow_redirects=False,
                    stream=True,
                    **arguments,
                ) as response:
                    body = _read(response, deadline)
                    # A page about a mistake may show the request that made it.
                    return _reply(response.status_code, body.replace(self.api_key.encode(), b"-"))
            except CryptoCloudError:
                raise
            except requests.ConnectTimeout:
                raise NotSent("the provider could not be reached") from None
            except requests.ConnectionError as error:
                if _never_connected(error):
                    raise NotSent("the provider could not be reached") from None
                raise Unclear("the connection broke before an answer came") from None
            except Exception as error:  # `requests` lets some of what it stands on through
                raise Unclear(f"no usable answer: {type(error).__name__}") from None


class _Session(requests.Session):
    """Even when told not to follow a redirect, `requests` reads the whole of its body, however long."""

    def get_redirect_target(self, resp: requests.Response) -> str | None:
        """Nowhere: a redirect is an answer like any other."""
        return None


def _never_connected(error: requests.ConnectionError) -> bool:
    """Whether the failure was in finding, reaching or trusting the host, before anything was sent."""
    reason = getattr(error.args[0] if error.args else None, "reason", None)
    if isinstance(reason, NewConnectionError | ConnectTimeoutError):
        return True
    cause = reason.args[0] if isinstance(reason, SSLError) and reason.args else None
    return isinstance(cause, ssl.SSLCertVerificationError)


def _read(response: requests.Response, deadline: float) -> bytes:
    body = bytearray()
    for byte in response.iter_content(1):  # larger pieces wait for more to come, past the deadline
        body += byte
        if len(body) > LARGEST_REPLY or time.monotonic() > deadline:
            raise Unclear("the reply is too large or too slow")
    return bytes(body)


def _reply(status: int, body: bytes) -> dict[str, Any]:
    """The reply's JSON object when it says success; otherwise the error it amounts to."""
    try:
        reply = json.loads(body)
    except (ValueError, RecursionError):
        reply = None
    if status in (401, 403):
        raise KeyRefused(f"the provider refused the API key ({status})")
    if status in (406, 429):
        raise Unavailable(f"the provider cannot serve this now ({status})")
    if 400 <= status < 500 and status not in (408, 409, 425):
        raise Rejected(f"the provider said no ({status}): {_reason(reply)}")
    if status != 200 or not isinstance(reply, dict):
        raise Unclear(f"the answer ({status}) is not one that the API gives")
    if reply.get("status") == "error":
        raise Rejected(f"the provider said no: {_reason(reply)}")
    if reply.get("status") != "success":
        raise Unclear("the answer says neither success nor error")
    return reply


def _reason(reply: object) -> str:
    """The provider's own words, shortened; under whichever of four names it put them."""
    if isinstance(reply, dict):
        for name in ("error", "message", "detail", "result"):
            if reply.get(name):
                return re.sub(r"[^ -~]|\s+", " ", str(reply[name]))[:200]
    return "no reason given"


def _postback_fields(content_type: str | None, body: bytes) -> dict[str, Any]:
    """The notice's fields. The project's settings choose JSON or form; the label is not always right."""
    if len(body) > LARGEST_POSTBACK:
        raise BadPostback("too large")
    parsers = [_json_fields, _form_fields]
    if "json" not in (content_type or "").lower():
        parsers.reverse()
    for parse in parsers:
        if fields := parse(body):
            return fields
    raise BadPostback("neither JSON nor a form")


def _json_fields(body: bytes) -> dict[str, Any]:
    try:
        fields = json.loads(
            body, parse_float=str, parse_constant=_refuse, object_pairs_hook=_no_repeats
        )
    except (ValueError, RecursionError):
        return {}
    return fields if isinstance(fields, dict) and "token" in fields else {}


def _form_fields(body: bytes) -> dict[str, Any]:
    try:
        pairs = parse_qsl(body.decode("utf-8"), keep_blank_values=True, max_num_fields=100)
        fields = _no_repeats(pairs)
    except ValueError:
        return {}
    return fields if "token" in fields else {}


def _no_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A field given twice means two things to two readers, which is how forgeries slip through."""
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise ValueError("a field is repeated")
    return fields


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


def _text(value: object) -> str:
    """Printable ASCII and short, whatever came: it goes into a column and in front of a person."""
    return re.sub(r"[^ -~]", "?", str(value)[:120]) if isinstance(value, str | int) else ""
