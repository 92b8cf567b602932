"""One request over HTTP by `requests`, which `calls` imports at the first call: it is a tenth of a start."""

from __future__ import annotations

import functools
import ssl
import time
from typing import Any

import requests
from requests import adapters
from requests.adapters import HTTPAdapter
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError, SSLError
from urllib3.util.ssl_ import create_urllib3_context

from .answers import Answer
from .errors import CryptoCloudError, NotSent, Unclear

CONNECT_SECONDS = 3.0


def request(
    method: str,
    url: str,
    path: str,
    *,
    api_key: str,
    seconds: float,
    deadline: float,
    largest: int,
    **content: Any,
) -> Answer:
    """The answer to one request, as it came; NotSent or Unclear if there is none."""
    started = time.monotonic()
    # A session for each call, because a kept connection that the other side has just closed would leave it open
    # whether an invoice was made.
    with _Session() as session:
        session.trust_env = False  # neither a proxy nor a .netrc may see the key
        try:
            session.mount("https://", _Trusting(_trust_in(adapters.DEFAULT_CA_BUNDLE_PATH)))
            with session.request(
                method,
                f"{url}{path}",
                headers={
                    "Authorization": f"Token {api_key}",
                    "Accept": "application/json",
                    "Accept-Encoding": "identity",  # no reply that unpacks to a gigabyte
                },
                timeout=(CONNECT_SECONDS, seconds),
                allow_redirects=False,
                stream=True,
                **content,
            ) as response:
                body = _read(response, deadline, largest)
                # An error page may repeat the request that caused it, key and all.
                body = body.replace(api_key.encode(), b"-")
                took = time.monotonic() - started
                return Answer.of(response.status_code, response.headers, body, url, took)
        except CryptoCloudError:
            raise
        except requests.ConnectTimeout:
            raise NotSent("the provider could not be reached") from None
        except requests.ConnectionError as error:
            if _never_connected(error):
                raise NotSent("the provider could not be reached") from None
            raise Unclear("the connection broke before an answer came") from None
        except Exception as error:  # `requests` lets some errors of its own libraries through
            raise Unclear(f"no usable answer: {type(error).__name__}") from None


class _Session(requests.Session):
    """A session that leaves the body of a redirect unread: `requests` reads all of it, even without following."""

    def get_redirect_target(self, resp: requests.Response) -> str | None:
        """None, so that a redirect is an answer like any other."""
        return None


class _Trusting(HTTPAdapter):
    """Checks certificates by a context that was made before."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self._context = context
        super().__init__()

    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:
        """Have all connections use the context."""
        super().init_poolmanager(*arguments, ssl_context=self._context, **options)

    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:
        """Have the certificate checked, and name no file, which would be read again."""
        conn.cert_reqs = "CERT_REQUIRED"


@functools.cache
def _trust_in(authorities: str) -> ssl.SSLContext:
    """Trust in the authorities of a file, which takes 20 ms and more to read: `requests` does at each connection."""
    context = create_urllib3_context(cert_reqs=ssl.CERT_REQUIRED)
    context.load_verify_locations(authorities)
    return context


def _never_connected(error: requests.ConnectionError) -> bool:
    """Whether the failure was in finding, reaching or trusting the host, before anything was sent."""
    reason = getattr(error.args[0] if error.args else None, "reason", None)
    if isinstance(reason, NewConnectionError | ConnectTimeoutError):
        return True
    cause = reason.args[0] if isinstance(reason, SSLError) and reason.args else None
    return isinstance(cause, ssl.SSLCertVerificationError)


def _read(response: requests.Response, deadline: float, largest: int) -> bytes:
    body = bytearray()
    # Each read takes what has come and waits for no more: an answer that drips would outlast the deadline.
    while piece := response.raw.read1(16 * 1024, decode_content=True):
        body += piece
        if len(body) > largest or time.monotonic() > deadline:
            raise Unclear("the reply is too large or too slow")
    return bytes(body)
