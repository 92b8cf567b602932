"""A client of the provider, and servers on 127.0.0.1 that misbehave byte by byte."""

from __future__ import annotations

import re
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from socketserver import BaseRequestHandler, ThreadingTCPServer
from typing import Any

from hypothesis import HealthCheck, settings

from shop.money import Money
from shop.payments.cryptocloud import CryptoCloud, Invoice

API = "https://api.cryptocloud.plus"
CREATE = f"{API}/v1/invoice/create"
INFO = f"{API}/v1/invoice/info"
API_KEY = "the-api-key-of-the-tests-0123456789"
SECRET_KEY = "the-postback-secret-of-the-tests-0123456789"
TEN_EUROS = Money(1000, "EUR")

MADE = {
    "status": "success",
    "pay_url": "https://pay.cryptocloud.plus/DZLF4212",
    "currency": "BTC",
    "invoice_id": "DZLF4212",
}
"""The reply to a create call as the provider documents it."""

MADE_REPLY = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n"
    b'{"status":"success","pay_url":"https://pay.cryptocloud.plus/DZLF4212","invoice_id":"DZLF4212"}'
)

patient = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""For properties: a loaded machine is no failure."""

Script = Callable[[socket.socket], None]


def make_client(url: str = API, **values: Any) -> CryptoCloud:
    """A client of one project, which waits for half a second at most."""
    given = {"api_key": API_KEY, "shop_id": "SHOP000000000001", "secret_key": SECRET_KEY}
    return CryptoCloud(**given | {"url": url, "call_seconds": 0.5} | values)


def ask(client: CryptoCloud) -> Invoice:
    """Ask for an invoice, as any order would."""
    return client.create_invoice(TEN_EUROS, reference="order-1", email="buyer@example.com")


@contextmanager
def serving(script: Script, tls: ssl.SSLContext | None = None) -> Iterator[str]:
    """The address of a server that does with every connection what `script` says."""

    class Handler(BaseRequestHandler):
        def handle(self) -> None:
            if not tls:
                return script(self.request)
            with tls.wrap_socket(self.request, server_side=True) as connection:
                return script(connection)

    class Server(ThreadingTCPServer):
        daemon_threads = True
        block_on_close = False

        def handle_error(self, *connection: object) -> None:
            """The client hung up, as it should."""

    with Server(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield f"{'https' if tls else 'http'}://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


def read_request(connection: socket.socket) -> bytes:
    """One whole request, head and body."""
    with connection.makefile("rb") as stream:
        head = b""
        for line in stream:
            head += line
            if line == b"\r\n":
                break
        length = re.search(rb"content-length: (\d+)", head, re.IGNORECASE)
        return head + stream.read(int(length[1]) if length else 0)


def says(reply: bytes) -> Script:
    """A server that takes the request, sends these bytes and hangs up."""

    def script(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(reply)

    return script
