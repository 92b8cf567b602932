"""No call lasts longer, reads more or goes elsewhere than allowed, whatever the other side does."""

from __future__ import annotations

import gzip
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from shop.payments.cryptocloud import CryptoCloud, Invoice, TooManyCalls, Unclear, calls
from tests.payments.wire import (
    API_KEY,
    MADE_REPLY,
    Script,
    ask,
    make_client,
    make_client_v2,
    read_request,
    says,
    serving,
)

OK = b"HTTP/1.1 200 OK\r\n"
HALF_A_SECOND = 0.5
FAR_TOO_LONG = 10.0
"""Twenty times the half second that a call may last here, for a busy machine; half of what a drip lasts."""


@contextmanager
def quickly() -> Iterator[None]:
    started = time.monotonic()
    yield
    assert time.monotonic() - started < FAR_TOO_LONG


def dripping(start: bytes, drop: bytes) -> Script:
    """A server that never falls silent for long enough to be given up, and never comes to an end."""

    def script(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(start)
        for _ in range(100):  # as many header lines as a client takes
            connection.sendall(drop)
            time.sleep(0.2)  # the fault itself: 20 seconds of it

    return script


DRIPS = {
    "body": dripping(OK + b"Content-Length: 9999\r\n\r\n", b" "),
    "unmeasured body": dripping(OK + b"\r\n", b" "),
    "chunks": dripping(OK + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n"),
    "headers": dripping(OK, b"X: y\r\n"),
    "one header": dripping(OK + b"X: ", b"y"),
    "status line": dripping(b"HTTP/1.1 200 O", b"K"),
    "redirect": dripping(b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\n\r\n", b" "),
}


@pytest.mark.parametrize("drip", DRIPS)
def test_an_answer_that_drips_in_does_not_outlast_the_whole_calls_limit(drip: str) -> None:
    with serving(DRIPS[drip]) as url, quickly(), pytest.raises(Unclear):
        ask(make_client(url, call_seconds=HALF_A_SECOND))


def test_a_slow_name_look_up_does_not_outlast_it_either(monkeypatch: pytest.MonkeyPatch) -> None:
    end = threading.Event()

    def slow(*name: object, **options: object) -> None:
        end.wait(20)
        raise socket.gaierror

    monkeypatch.setattr(socket, "getaddrinfo", slow)

    with quickly(), pytest.raises(Unclear, match="no answer in time"):
        ask(make_client("http://api.example", call_seconds=HALF_A_SECOND))
    end.set()


@pytest.mark.parametrize("make", [make_client, make_client_v2])
def test_a_caller_in_a_hurry_may_shorten_the_limit_and_not_lengthen_it(
    make: Callable[..., CryptoCloud],
) -> None:
    with serving(DRIPS["headers"]) as url:
        patient, hurried = make(url), make(url, call_seconds=HALF_A_SECOND)
        with quickly(), pytest.raises(Unclear):
            patient.invoice_infos(["DZLF4212"], seconds=0.3)
        with quickly(), pytest.raises(Unclear):
            hurried.invoice_infos(["DZLF4212"], seconds=30)


def test_a_body_that_drips_gives_its_place_back_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calls, "CALLS_AT_ONCE", 1)
    scripts = iter([DRIPS["body"]])
    with serving(lambda c: next(scripts, says(MADE_REPLY))(c)) as url:
        client = make_client(url, call_seconds=HALF_A_SECOND)
        with pytest.raises(Unclear):
            ask(client)

        assert ask_when_there_is_room(client, within=FAR_TOO_LONG).id == "DZLF4212"


def ask_when_there_is_room(client: CryptoCloud, within: float) -> Invoice:
    deadline = time.monotonic() + within
    while True:
        try:
            return ask(client)
        except TooManyCalls:
            assert time.monotonic() < deadline, "the place was not given back"
            time.sleep(0.01)


class Flood:
    """A server that sends without end, and counts how much was taken."""

    def __init__(self, head: bytes) -> None:
        self.head, self.sent, self.over = head, 0, threading.Event()

    def __call__(self, connection: socket.socket) -> None:
        read_request(connection)
        try:
            connection.sendall(self.head)
            while self.sent < 64 * 1024 * 1024:
                self.sent += connection.send(b" " * 65536)
        finally:
            self.over.set()


@pytest.mark.parametrize(
    "head",
    [
        OK + b"\r\n",
        OK + b"Content-Length: 99999999999\r\n\r\n",
        b"HTTP/1.1 500 Oh\r\n\r\n",
        b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\n\r\n",
        b"HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Encoding: gzip\r\n\r\n",
        b"HTTP/1.1 307 Again\r\nLocation: /v1/invoice/create\r\n\r\n",
    ],
)
def test_a_huge_answer_is_cut_off_and_the_connection_closed(head: bytes) -> None:
    flood = Flood(head)
    with serving(flood) as url, pytest.raises(Unclear):
        ask(make_client(url, call_seconds=20))

    assert flood.over.wait(10)
    assert flood.sent < 32 * 1024 * 1024  # what the system itself buffers, and little more


@pytest.mark.parametrize(("size", "fits"), [(64 * 1024, True), (64 * 1024 + 1, False)])
def test_an_answer_may_be_64_kilobytes_long(size: int, fits: bool) -> None:
    head, _, body = MADE_REPLY.partition(b"\r\n\r\n")
    with serving(says(head + b"\r\n\r\n" + body.ljust(size))) as url:
        client = make_client(url, call_seconds=20)
        if fits:
            assert ask(client).id == "DZLF4212"
        else:
            with pytest.raises(Unclear, match="too large"):
                ask(client)


def packed(body: bytes) -> bytes:
    body = gzip.compress(body)
    return OK + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(body) + body


def test_a_packed_answer_counts_as_long_as_it_is_unpacked() -> None:
    with (
        serving(says(packed(b" " * 50_000_000))) as url,
        pytest.raises(Unclear, match="too large"),
    ):
        ask(make_client(url, call_seconds=20))


def test_a_small_packed_answer_that_nobody_asked_for_is_still_read() -> None:
    body = MADE_REPLY.partition(b"\r\n\r\n")[2]
    with serving(says(packed(body))) as url:
        assert ask(make_client(url)).id == "DZLF4212"


class Recorder:
    """A server that answers like the provider and keeps what it was sent."""

    def __init__(self) -> None:
        self.heard: list[bytes] = []

    def __call__(self, connection: socket.socket) -> None:
        self.heard.append(read_request(connection))
        connection.sendall(MADE_REPLY)


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(code: int) -> None:
    elsewhere = Recorder()
    with serving(elsewhere) as other:
        reply = f"HTTP/1.1 {code} Moved\r\nLocation: {other}/v1/invoice/create\r\n\r\n".encode()
        with serving(says(reply)) as url, pytest.raises(Unclear, match=str(code)):
            ask(make_client(url))

    assert elsewhere.heard == []


def test_neither_a_proxy_nor_a_netrc_of_the_environment_comes_between(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    provider, proxy, netrc = Recorder(), Recorder(), tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login someone password else\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    with serving(provider) as url, serving(proxy) as proxy_url:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy_url)

        ask(make_client(url))

    assert proxy.heard == []
    assert f"Authorization: Token {API_KEY}\r\n".encode() in provider.heard[0]


class Gate:
    """A server that lets nobody have an answer before it is opened."""

    def __init__(self) -> None:
        self.waiting, self.open = threading.Semaphore(0), threading.Event()

    def __call__(self, connection: socket.socket) -> None:
        read_request(connection)
        self.waiting.release()
        self.open.wait(20)
        connection.sendall(MADE_REPLY)


def test_more_calls_than_allowed_are_refused_at_once_and_others_go_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(calls, "CALLS_AT_ONCE", 2)
    gate = Gate()
    answers: list[str] = []
    with serving(gate) as url:
        client = make_client(url, call_seconds=20)
        callers = [threading.Thread(target=lambda: answers.append(ask(client).id)) for _ in "12"]
        for caller in callers:
            caller.start()
        assert all(gate.waiting.acquire(timeout=10) for _ in callers)

        with quickly(), pytest.raises(TooManyCalls):
            ask(client)
        gate.open.set()
        for caller in callers:
            caller.join(10)

        assert answers == ["DZLF4212", "DZLF4212"]
        assert ask_when_there_is_room(client, within=FAR_TOO_LONG).id == "DZLF4212"


def test_a_call_that_timed_out_keeps_its_place_until_its_socket_gives_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The caller is in a hurry and the socket is not, or on a busy machine both might have given up."""
    monkeypatch.setattr(calls, "CALLS_AT_ONCE", 1)
    gate = Gate()
    with serving(gate) as url:
        client = make_client(url, call_seconds=20)
        with pytest.raises(Unclear):
            client.invoice_infos(["DZLF4212"], seconds=0.3)

        with pytest.raises(TooManyCalls):
            ask(client)
        gate.open.set()
        assert ask_when_there_is_room(client, within=FAR_TOO_LONG).id == "DZLF4212"


def test_a_machine_without_threads_left_refuses_and_forgets_no_place(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def none_left(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(calls, "CALLS_AT_ONCE", 1)
    with serving(says(MADE_REPLY)) as url:
        client = make_client(url)
        with monkeypatch.context() as patch:
            patch.setattr(threading.Thread, "start", none_left)
            with pytest.raises(TooManyCalls):
                ask(client)

        assert ask(client).id == "DZLF4212"
