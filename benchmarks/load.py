"""Asking for one thing over and over: a load generator in one thread, light enough for the same machine.

It keeps `connections` connections open with one request under way on each, reads answers only as
far as it must (status and length), and opens a connection anew when the server closes it.
"""

from __future__ import annotations

import selectors
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit


class BadAnswer(Exception):
    """An answer with another status, or without a length: what was measured would not be the page."""


class _Connection:
    def __init__(self, address: tuple[str, int], request: bytes, status: int) -> None:
        self.address, self.request, self.status = address, request, status
        self.buffer = b""
        self.open()

    def open(self) -> None:
        self.socket = socket.create_connection(self.address, timeout=10)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def ask(self) -> None:
        self.buffer = b""
        self.socket.sendall(self.request)

    def read(self) -> bool:
        """Take what has come; True when the answer is whole."""
        piece = self.socket.recv(65536)
        if not piece:
            raise ConnectionResetError
        self.buffer += piece
        head, separator, body = self.buffer.partition(b"\r\n\r\n")
        return bool(separator) and len(body) >= _length(head, self.status)


@dataclass(frozen=True)
class Asked:
    """A request that is sent again and again, and the status that it is answered with."""

    url: str
    method: str = "GET"
    headers: str = ""
    body: bytes = b""
    status: int = 200

    @property
    def address(self) -> tuple[str, int]:
        """Where it is sent."""
        parts = urlsplit(self.url)
        return parts.hostname or "", parts.port or 80

    def sent(self) -> bytes:
        """The request as it is written to the connection."""
        parts = urlsplit(self.url)
        path = f"{parts.path or '/'}{'?' if parts.query else ''}{parts.query}"
        head = f"{self.method} {path} HTTP/1.1\r\nHost: {parts.netloc}\r\nAccept: text/html\r\n"
        if self.body:
            head += f"Content-Length: {len(self.body)}\r\n"
        return f"{head}{self.headers}\r\n".encode() + self.body


def ask_for(asked: Asked, seconds: float, connections: int) -> tuple[int, float]:
    """How many times it was answered, and in how many seconds: these, or until the first answer."""
    started = time.perf_counter()
    until = started + seconds
    answered = _ask(asked, connections, lambda count: not count or time.perf_counter() < until)
    return answered, time.perf_counter() - started


def ask_often(asked: Asked, times: int, connections: int) -> None:
    """Ask until it was answered so many times."""
    _ask(asked, connections, lambda count: count < times)


def _ask(asked: Asked, connections: int, goes_on: Callable[[int], bool]) -> int:
    with selectors.DefaultSelector() as selector:
        for _ in range(connections):
            _start(selector, _Connection(asked.address, asked.sent(), asked.status))
        answered = 0
        while goes_on(answered):
            for key, _ in selector.select(timeout=1):
                answered += _read(selector, key.data)
        for key in list(selector.get_map().values()):
            key.data.socket.close()
    return answered


def _read(selector: selectors.BaseSelector, connection: _Connection) -> bool:
    """Whether that was a whole answer, after which the next is asked for."""
    try:
        if not connection.read():
            return False
        connection.ask()
    except ConnectionError:  # kept alive long enough, or its worker was replaced
        selector.unregister(connection.socket)
        connection.socket.close()
        connection.open()
        _start(selector, connection)
        return False
    return True


def _start(selector: selectors.BaseSelector, connection: _Connection) -> None:
    selector.register(connection.socket, selectors.EVENT_READ, connection)
    connection.ask()


def _length(head: bytes, status: int) -> int:
    lines = head.split(b"\r\n")
    if b" %d " % status not in lines[0] + b" ":
        raise BadAnswer(lines[0].decode())
    if status in (204, 304):
        return 0
    for line in lines[1:]:
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    raise BadAnswer("an answer without Content-Length")
