"""Somebody who falls silent in the middle of a request does not keep a thread of the web server for ever."""

from __future__ import annotations

import socket
from contextlib import closing

import pytest
import requests
from flask import Flask

from tests.support.processes import WebProcess

THREADS = 2
BEGUN = {
    "headers": b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Slow: ",
    "a form": b"POST /cart HTTP/1.1\r\nHost: localhost\r\nOrigin: http://localhost\r\n"
    b"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 4000\r\n\r\nproduct=",
}

pytestmark = pytest.mark.parametrize("engine", ["sqlite"], indirect=True)


def silent_ones(web: WebProcess, begun: str) -> list[socket.socket]:
    """As many connections as there are threads, each with a request of which the rest never comes."""
    host, port = web.url.removeprefix("http://").split(":")
    found = [socket.create_connection((host, int(port)), timeout=60) for _ in range(THREADS)]
    for connection in found:
        connection.sendall(BEGUN[begun])
    return found


@pytest.mark.parametrize("begun", BEGUN)
def test_who_falls_silent_is_let_go(app: Flask, begun: str) -> None:
    limits = {"WEB_THREADS": str(THREADS), "WEB_STALLED_SECONDS": "1"}
    with closing(WebProcess(app.config["SETTINGS"], **limits)) as web:
        silent = silent_ones(web, begun)

        assert requests.get(web.url, timeout=30).status_code == 200
        for connection in silent:
            with closing(connection):
                while connection.recv(4096):  # raises when it is not closed
                    pass


@pytest.mark.long
def test_without_a_limit_they_keep_everybody_out(app: Flask) -> None:
    """The control."""
    limits = {"WEB_THREADS": str(THREADS), "WEB_STALLED_SECONDS": "3600"}
    with closing(WebProcess(app.config["SETTINGS"], **limits)) as web:
        silent = silent_ones(web, "headers")

        with pytest.raises(requests.Timeout):
            requests.get(web.url, timeout=5)
        for connection in silent:
            connection.close()
