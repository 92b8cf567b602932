"""How a call fails on its way says whether an invoice may exist: before sending none does."""

from __future__ import annotations

import socket
import ssl
import struct
from pathlib import Path

import pytest
import requests
import responses

from shop.payments.cryptocloud import CryptoCloudError, NotSent, Unclear, transport
from tests.payments.wire import CREATE, MADE_REPLY, ask, make_client, read_request, says, serving

CERTIFICATE = Path(__file__).with_name("self_signed.pem")
"""For localhost, and for no other name."""


def test_a_name_that_cannot_be_found_means_not_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_such_name(*name: object, **options: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", no_such_name)

    with pytest.raises(NotSent, match="could not be reached"):
        ask(make_client("http://api.example"))


def test_a_refused_connection_means_not_sent() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]

    with pytest.raises(NotSent, match="could not be reached"):
        ask(make_client(f"http://127.0.0.1:{port}"))


def test_a_connection_that_nobody_takes_up_means_not_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    def silence(connection: socket.socket, address: object) -> None:
        assert connection.gettimeout() == transport.CONNECT_SECONDS
        raise TimeoutError("timed out")

    monkeypatch.setattr(socket.socket, "connect", silence)

    with pytest.raises(NotSent, match="could not be reached"):
        ask(make_client("http://127.0.0.1:9"))


@responses.activate
def test_a_connect_timeout_means_not_sent_however_it_is_reported() -> None:
    responses.post(CREATE, body=requests.ConnectTimeout())

    with pytest.raises(NotSent, match="could not be reached"):
        ask(make_client())


def tls_server() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATE)
    return context


def test_a_certificate_that_nobody_vouches_for_means_not_sent() -> None:
    with (
        serving(says(MADE_REPLY), tls=tls_server()) as url,
        pytest.raises(NotSent, match="could not be reached"),
    ):
        ask(make_client(url, call_seconds=5))


def test_a_certificate_for_another_host_means_not_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("requests.adapters.DEFAULT_CA_BUNDLE_PATH", str(CERTIFICATE))
    with serving(says(MADE_REPLY), tls=tls_server()) as url:
        there = ask(make_client(url.replace("127.0.0.1", "localhost"), call_seconds=5))
        with pytest.raises(NotSent, match="could not be reached"):
            ask(make_client(url, call_seconds=5))

    assert there.id == "DZLF4212"


def test_who_is_trusted_is_read_once_however_many_calls_there_are(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """To read them takes longer than all else in a checkout."""
    trusted = tmp_path / "trusted.pem"
    trusted.write_bytes(Path(CERTIFICATE).read_bytes())
    monkeypatch.setattr("requests.adapters.DEFAULT_CA_BUNDLE_PATH", str(trusted))
    read, real = [], ssl.SSLContext.load_verify_locations

    def count(context: ssl.SSLContext, *files: str) -> None:
        read.append(files)
        real(context, *files)

    monkeypatch.setattr(ssl.SSLContext, "load_verify_locations", count)

    with serving(says(MADE_REPLY), tls=tls_server()) as url:
        client = make_client(url.replace("127.0.0.1", "localhost"), call_seconds=5)
        for _ in range(3):
            assert ask(client).id == "DZLF4212"

    assert read == [(str(trusted),)]


def test_no_connection_is_used_twice_also_where_the_other_side_would_go_on() -> None:
    """Nobody could say of one that the other side has just closed whether it made an invoice."""
    head, _, body = MADE_REPLY.partition(b"\r\n\r\n")
    reply = head + b"\r\nContent-Length: %d\r\n\r\n" % len(body) + body
    requests_of_each: list[int] = []

    def goes_on(connection: socket.socket) -> None:
        requests_of_each.append(0)
        place = len(requests_of_each) - 1
        while read_request(connection):
            requests_of_each[place] += 1
            connection.sendall(reply)

    with serving(goes_on) as url:
        client = make_client(url, call_seconds=5)
        for _ in range(3):
            assert ask(client).id == "DZLF4212"

    assert requests_of_each == [1, 1, 1]


def test_an_environment_that_names_other_authorities_changes_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(CERTIFICATE))
    monkeypatch.setenv("CURL_CA_BUNDLE", str(CERTIFICATE))

    with serving(says(MADE_REPLY), tls=tls_server()) as url, pytest.raises(NotSent):
        ask(make_client(url.replace("127.0.0.1", "localhost"), call_seconds=5))


def reset(connection: socket.socket) -> None:
    read_request(connection)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def silent(connection: socket.socket) -> None:
    read_request(connection)
    connection.recv(1)  # until the client gives up


@pytest.mark.parametrize(
    "script",
    [
        reset,
        silent,
        says(b""),
        says(b"HTTP/1.1 200 OK\r\nContent-Le"),
        says(b"HTTP/1.1 200 OK\r\nContent-Length: 400\r\n\r\n{}"),
        says(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"),
        says(b"HTTP/1.1 999999 What\r\n\r\n"),
        says(b"\x16\x03\x01 this is not HTTP\r\n\r\n"),
        says(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200 + b"\r\n"),
        says(b"HTTP/1.1 100 Continue\r\n\r\n" * 50),
        says(b"HTTP/1.1 302 Found\r\nLocation: http://\xff\xfe/\r\nContent-Length: 0\r\n\r\n"),
    ],
    ids=lambda script: getattr(script, "__name__", "script"),
)
def test_whatever_breaks_after_sending_leaves_the_outcome_unclear(script: object) -> None:
    with serving(script) as url, pytest.raises(Unclear):  # type: ignore[arg-type]
        ask(make_client(url, call_seconds=2))


@pytest.mark.parametrize(
    ("url", "key"),
    [
        ("http://" + "a" * 70 + ".example", "key"),
        ("http://a..example", "key"),
        ("http://127.0.0.1:99999", "key"),
        ("not an address", "key"),
        ("http://127.0.0.1:9", "ключ"),
        ("http://127.0.0.1:9", "key\nX-Other: header"),
    ],
)
def test_an_address_or_key_that_cannot_be_used_is_an_error_of_the_client_like_any_other(
    url: str, key: str
) -> None:
    with pytest.raises(CryptoCloudError) as error:
        ask(make_client(url, api_key=key))

    assert key not in str(error.value).split()
