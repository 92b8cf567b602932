"""Asking one page over and over: a load generator in one thread, light enough for the same machine.

It keeps `connections` connections open with one request under way on each, reads answers only as
far as it must (status and length), and opens a connection anew when the server closes it.
"""

from __future__ import annotations

import selectors
import socket
import time
from urllib.parse import urlsplit


class BadAnswer(Exception):
    """An answer that is not 200, or has no length: what was measured would not be the page."""


class _Connection:
    def __init__(self, address: tuple[str, int], request: bytes) -> None:
        self.address, self.request = address, request
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
        return bool(separator) and len(body) >= _length(head)


def requests_per_second(url: str, seconds: float, connections: int) -> float:
    """How many times the page was answered in each second."""
    parts = urlsplit(url)
    path = f"{parts.path or '/'}{'?' if parts.query else ''}{parts.query}"
    request = f"GET {path} HTTP/1.1\r\nHost: {parts.netloc}\r\nAccept: text/html\r\n\r\n".encode()
    address = (parts.hostname or "", parts.port or 80)
    with selectors.DefaultSelector() as selector:
        for _ in range(connections):
            _start(selector, _Connection(address, request))
        started = time.perf_counter()
        answered = _count(selector, started + seconds)
        elapsed = time.perf_counter() - started
        for key in list(selector.get_map().values()):
            key.data.socket.close()
    return answered / elapsed


def _count(selector: selectors.BaseSelector, until: float) -> int:
    answered = 0
    while time.perf_counter() < until:
        for key, _ in selector.select(timeout=1):
            connection: _Connection = key.data
            try:
                if connection.read():
                    answered += 1
                    connection.ask()
            except ConnectionError:  # kept alive long enough, or its worker was replaced
                selector.unregister(connection.socket)
                connection.socket.close()
                connection.open()
                _start(selector, connection)
    return answered


def _start(selector: selectors.BaseSelector, connection: _Connection) -> None:
    selector.register(connection.socket, selectors.EVENT_READ, connection)
    connection.ask()


def _length(head: bytes) -> int:
    lines = head.split(b"\r\n")
    if b" 200 " not in lines[0] + b" ":
        raise BadAnswer(lines[0].decode())
    for line in lines[1:]:
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    raise BadAnswer("an answer without Content-Length")
