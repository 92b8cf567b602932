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
from .calls import CALLS_AT_ONCE
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
    session = _Session()
    session.trust_env = False  # neither a proxy nor a .netrc may see the key
    try:
        for scheme in ("https://", "http://"):
            session.mount(scheme, _adapter(adapters.DEFAULT_CA_BUNDLE_PATH))
        with session.request(
            method,
            f"{url}{path}",
            headers={
                "Authorization": f"Token {api_key}",
                "Accept": "application/json",
                "Accept-Encoding": "identity",  # no reply that unpacks to a gigabyte
                # One that the other side has just closed would leave it open whether an invoice was made.
                "Connection": "close",
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
    """Trusts the authorities in a file that it reads once: `requests` does at each connection, for 20 ms and more."""

    def __init__(self, authorities: str) -> None:
        self._context = create_urllib3_context(cert_reqs=ssl.CERT_REQUIRED)
        self._context.load_verify_locations(authorities)
        super().__init__(pool_maxsize=CALLS_AT_ONCE)

    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:
        """Have all connections use the one context."""
        super().init_poolmanager(*arguments, ssl_context=self._context, **options)

    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:
        """Have the certificate checked, and name no file, which would be read again."""
        conn.cert_reqs = "CERT_REQUIRED"


@functools.cache
def _adapter(authorities: str) -> _Trusting:
    """The one of this process. It keeps no connection: see `Connection` above."""
    return _Trusting(authorities)


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
