"""Real servers that misbehave in CryptoCloud's place, byte by byte; or none where one should be."""

from __future__ import annotations

import contextlib
import gzip
import json
import re
import secrets
import socket
import ssl
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch
from urllib.parse import urlsplit

from tests.payments.wire import Script, read_request, says, serving

CERTIFICATE = Path(__file__).parent.parent / "payments" / "self_signed.pem"
"""For localhost, and for no other name; no authority vouches for it."""
PAY_HOST = "https://pay.cryptocloud.plus"
OK = b"HTTP/1.1 200 OK\r\n"
JSON = b"Content-Type: application/json\r\n"


@dataclass(frozen=True)
class Scene:
    """Where the provider that works is, where the shop must never go, and an invoice that is taken."""

    sandbox: str
    elsewhere: str
    taken: str


Address = Callable[[Scene], AbstractContextManager[str]]
"""The address of a provider that misbehaves, for as long as the block runs."""


def server(script: Callable[[Scene], Script]) -> Address:
    """A server that does with each connection what the script for this scene says."""
    return lambda scene: serving(script(scene))


def replies(status: str, body: str | bytes = b"", *headers: str) -> Address:
    """A server that has the same answer for everything."""
    content = body.encode() if isinstance(body, str) else body
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(content)}", *headers, "", ""]
    return server(lambda scene: says("\r\n".join(lines).encode() + content))


def says_made(**fields: object) -> Address:
    """A reply of success with these fields, to either call; `{taken}` is the invoice of another order."""

    def script(scene: Scene) -> Script:
        number = secrets.token_hex(4).upper()
        reply = {"status": "success", "status_invoice": "created", "currency": "BTC"}
        reply |= {"invoice_id": number, "pay_url": f"{PAY_HOST}/{number}"} | fields
        body = json.dumps(reply).replace("{taken}", scene.taken)
        return says(OK + JSON + b"\r\n" + body.encode())

    return server(script)


def passed_on(scene: Scene, connection: socket.socket) -> bytes:
    """Let the provider do what was asked; its answer, which goes no further."""
    request = re.sub(
        rb"\r\nconnection: [^\r]*", b"\r\nConnection: close", read_request(connection), flags=re.I
    )
    place = urlsplit(scene.sandbox)
    with socket.create_connection((place.hostname or "", place.port or 0)) as upstream:
        upstream.sendall(request)
        return b"".join(iter(lambda: upstream.recv(65536), b""))


def silence(connection: socket.socket) -> None:
    """Take whatever comes, and say nothing until the other side gives up."""
    with contextlib.suppress(OSError):
        while connection.recv(65536):
            pass


def done_then_silence(scene: Scene) -> Script:
    def script(connection: socket.socket) -> None:
        passed_on(scene, connection)
        silence(connection)

    return script


def done_then_reset(scene: Scene) -> Script:
    def script(connection: socket.socket) -> None:
        passed_on(scene, connection)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()

    return script


def done_then(change: Callable[[bytes], bytes]) -> Address:
    """The provider does its work, and its answer is changed on its way."""
    return server(
        lambda scene: lambda connection: connection.sendall(change(passed_on(scene, connection)))
    )


def drips(scene: Scene) -> Script:
    def script(connection: socket.socket) -> None:
        answer = passed_on(scene, connection)
        for position in range(len(answer)):
            connection.sendall(answer[position : position + 1])
            time.sleep(0.05)  # the fault itself

    return script


def floods(connection: socket.socket) -> None:
    read_request(connection)
    connection.sendall(OK + JSON + b"\r\n")
    for _ in range(1024):
        connection.sendall(b" " * 65536)


@contextmanager
def no_such_name(scene: Scene) -> Iterator[str]:
    look_up = socket.getaddrinfo

    def fails(host: str, *more: object, **options: object) -> object:
        if host == "api.cryptocloud.invalid":
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return look_up(host, *more, **options)  # type: ignore[arg-type]

    with patch.object(socket, "getaddrinfo", fails):
        yield "http://api.cryptocloud.invalid"


@contextmanager
def nobody_listens(scene: Scene) -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    yield f"http://127.0.0.1:{port}"


@contextmanager
def nobody_takes_up(scene: Scene) -> Iterator[str]:
    """A full queue of connections: the system drops what else comes, without a word."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


def tls() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATE)
    return context


@contextmanager
def untrusted(scene: Scene) -> Iterator[str]:
    with serving(says(OK + b"\r\n"), tls=tls()) as url:
        yield url.replace("127.0.0.1", "localhost")


@contextmanager
def another_host(scene: Scene) -> Iterator[str]:
    trusted = patch("requests.adapters.DEFAULT_CA_BUNDLE_PATH", str(CERTIFICATE))
    with trusted, serving(says(OK + b"\r\n"), tls=tls()) as url:
        yield url


@contextmanager
def no_handshake(scene: Scene) -> Iterator[str]:
    with serving(silence) as url:
        yield url.replace("http:", "https:")


def redirects(scene: Scene) -> Script:
    head = f"HTTP/1.1 302 Found\r\nLocation: {scene.elsewhere}/v1/invoice/create\r\n"
    return says(head.encode() + b"Content-Length: 0\r\n\r\n")


def bomb() -> bytes:
    """16 MB of blanks in 16 KB."""
    return gzip.compress(b" " * 16_000_000)


HTML = b"<html><body><h1>Welcome to nginx!</h1></body></html>"
ERROR = b'{"status":"error","error":"Something is wrong"}'
