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
from shop.payments.cryptocloud import CryptoCloud, CryptoCloudV2, Invoice

API = "https://api.cryptocloud.plus"
CREATE = f"{API}/v1/invoice/create"
INFO = f"{API}/v1/invoice/info"
CREATE_V2 = f"{API}/v2/invoice/create"
INFO_V2 = f"{API}/v2/invoice/merchant/info"
LIST_V2 = f"{API}/v2/invoice/merchant/list"
CANCEL_V2 = f"{API}/v2/invoice/merchant/canceled"
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

MADE_V2 = {
    "uuid": "INV-DZLF4212",
    "created": "2021-11-22 10:00:00.000001",
    "address": "",
    "expiry_date": "2021-11-23 10:00:00.000001",
    "side_commission": "client",
    "side_commission_cc": "merchant",
    "amount": 10.01,
    "amount_usd": 10.8,
    "amount_in_fiat": 10.0,
    "fee": 1.4,
    "fee_usd": 1.4,
    "service_fee": 0.19,
    "service_fee_usd": 0.19,
    "type_payments": "crypto",
    "fiat_currency": "EUR",
    "status": "created",
    "is_email_required": False,
    "link": "https://pay.cryptocloud.plus/DZLF4212",
    "invoice_id": None,
    "currency": {"id": 4, "code": "USDT", "fullcode": "USDT_TRC20", "network": {"code": "TRC20"}},
    "project": {"id": 1, "name": "Shop", "fail": "", "success": "", "logo": ""},
    "test_mode": False,
}
"""An invoice as v2 describes it when it is made."""

TOLD_V2 = MADE_V2 | {
    "order_id": "order-1",
    "invoice_status": "success",
    "status": "paid",
    "date_finished": "2021-11-22 10:05:00.000001",
    "received": 9.82,
    "amount_to_pay": 11.6,
    "amount_paid": 11.6,
    "to_surcharge": 0.0,
    "tx_list": ["0x1"],
}
"""The same when it is asked about, after it was paid."""

MADE_REPLY = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n"
    b'{"status":"success","pay_url":"https://pay.cryptocloud.plus/DZLF4212","invoice_id":"DZLF4212"}'
)

patient = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""For properties: a loaded machine is no failure."""

Script = Callable[[socket.socket], None]


def make_client(url: str = API, **values: Any) -> CryptoCloud:
    """A client of one project, patient enough for a busy machine."""
    given = {"api_key": API_KEY, "shop_id": "SHOP000000000001", "secret_key": SECRET_KEY}
    return CryptoCloud(**given | {"url": url, "call_seconds": 20} | values)


def make_client_v2(url: str = API, **values: Any) -> CryptoCloudV2:
    """The same, in API v2."""
    given = {"api_key": API_KEY, "shop_id": "SHOP000000000001", "secret_key": SECRET_KEY}
    return CryptoCloudV2(**given | {"url": url, "call_seconds": 20} | values)


def well(result: object) -> dict[str, object]:
    """What v2 wraps a result in."""
    return {"status": "success", "result": result}


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
