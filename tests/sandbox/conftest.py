"""A sandbox on a port of its own, a shop that only listens, and verbs to drive both."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import Empty, Queue
from threading import Thread
from typing import Any
from urllib.parse import parse_qsl

import jwt
import pytest
import requests

from shop.sandbox.state import Sandbox
from tests.support.live_sandbox import running_sandbox


def names(text: str) -> set[str]:
    """The fields of an object, written one after the other."""
    return set(text.split())


@dataclass(frozen=True)
class Heard:
    """A postback as it came in over the wire."""

    path: str
    content_type: str
    fields: dict[str, Any]

    def claims(self, key: str) -> dict[str, Any]:
        return jwt.decode(self.fields["token"], key, algorithms=["HS256"])


class Listener:
    """A shop that only hears postbacks, and answers each with `answer`."""

    def __init__(self) -> None:
        self.heard: Queue[Heard] = Queue()
        self.answer = 200
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        listener = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                content_type = self.headers["Content-Type"]
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                read = json.loads if "json" in content_type else lambda text: dict(parse_qsl(text))
                listener.heard.put(Heard(self.path, content_type, read(body)))
                reply = b'{"message":"Postback received"}'
                self.send_response(listener.answer)
                self.send_header("Content-Length", str(len(reply)))
                self.end_headers()
                self.wfile.write(reply)

            def log_message(self, *arguments: object) -> None:
                pass

        return Handler

    def next(self) -> Heard:
        return self.heard.get(timeout=30)  # it comes at once, and later on a busy machine

    def hears_nothing(self, seconds: float = 0.3) -> bool:
        try:
            self.heard.get(timeout=seconds)
        except Empty:
            return True
        return False


@dataclass
class Driver:
    """What a merchant's server, a buyer and a test do to a running sandbox."""

    sandbox: Sandbox

    @property
    def url(self) -> str:
        return self.sandbox.settings.public_url

    @property
    def trybit(self) -> str:
        return self.sandbox.settings.trybit_url

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Token {self.sandbox.settings.api_key}"}

    @property
    def wishes(self) -> dict[str, str]:
        shop_id = self.sandbox.settings.shop_id
        return {"shop_id": shop_id, "amount": "10.00", "currency": "USD", "order_id": "A-1"}

    def create(self, **call: Any) -> requests.Response:
        call = {"headers": self.headers} | (call or {"json": self.wishes})
        return requests.post(f"{self.url}/v1/invoice/create", timeout=60, **call)

    def new(self) -> str:
        return str(self.create().json()["invoice_id"])

    def info(self, number: str) -> requests.Response:
        query = {"uuid": number}
        url = f"{self.url}/v1/invoice/info"
        return requests.get(url, params=query, headers=self.headers, timeout=60)

    def status(self, number: str) -> str:
        return str(self.info(number).json()["status_invoice"])

    def create_by(self, version: str) -> requests.Response:
        return self.create() if version == "v1" else self.v2("create", json=self.wishes)

    def link_by(self, version: str) -> str:
        reply = self.create_by(version).json()
        return str(reply["pay_url"] if version == "v1" else reply["result"]["link"])

    def opens(self, number: str, **call: Any) -> requests.Response:
        return requests.get(f"{self.url}/{number}", timeout=60, **call)

    def v2(self, path: str, **call: Any) -> requests.Response:
        url = f"{self.url}/v2/invoice/{path}"
        return requests.post(url, timeout=60, **{"headers": self.headers} | call)

    def new_v2(self, **wishes: object) -> dict[str, Any]:
        reply = self.v2("create", json=self.wishes | wishes)
        assert reply.status_code == 200
        return dict(reply.json()["result"])

    def balance(self) -> requests.Response:
        url = f"{self.url}/v2/merchant/wallet/balance/all"
        return requests.post(url, headers=self.headers, timeout=60)

    def told(self, number: str) -> dict[str, Any]:
        (facts,) = self.v2("merchant/info", json={"uuids": [number]}).json()["result"]
        return dict(facts)

    def act(self, number: str, action: str, **wishes: Any) -> requests.Response:
        url = f"{self.url}/_sandbox/invoices/{number}/{action}"
        return requests.post(url, json={"wait": True} | wishes, timeout=60)

    def show(self, number: str) -> dict[str, Any]:
        reply = requests.get(f"{self.url}/_sandbox/invoices/{number}", timeout=60)
        assert reply.status_code == 200
        return dict(reply.json())

    def switch(self, **positions: Any) -> requests.Response:
        return requests.post(f"{self.url}/_sandbox/switch", json=positions, timeout=60)

    def press(self, number: str, action: str, postback: str = "normal") -> requests.Response:
        form = {"action": action, "postback": postback, "coin": "LTC"}
        return requests.post(f"{self.url}/{number}", data=form, allow_redirects=False, timeout=60)


@pytest.fixture
def shop() -> Iterator[Listener]:
    listener = Listener()
    thread = Thread(target=listener.server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield listener
    listener.server.shutdown()
    thread.join()
    listener.server.server_close()


@pytest.fixture
def sandbox(shop: Listener) -> Iterator[Driver]:
    addresses = {
        "notification_url": f"{shop.url}/postback",
        "success_url": f"{shop.url}/payment/success",
        "fail_url": f"{shop.url}/payment/fail",
    }
    with running_sandbox(**addresses) as running:
        yield Driver(running)
