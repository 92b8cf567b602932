"""Downloads from the real server: continued, large, slow, and never in the way of the shop."""

from __future__ import annotations

import hashlib
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests
from flask import Flask
from sqlalchemy import select

from shop.config import Settings
from shop.db import db, end_read
from shop.fulfilment.models import Delivery
from shop.web.attachments import DOWNLOADS_AT_ONCE
from tests.faults.processes import WebProcess, until
from tests.fulfilment.sold import goods_file, sell_file

pytestmark = pytest.mark.parametrize("engine", ["sqlite"], indirect=True)  # it is not about it

MIB = 1024 * 1024
LARGE = 256 * MIB
STALLED = 1
"""Seconds after which a server in a hurry gives up on somebody who reads nothing.

Whoever does read gets the real patience: on a busy machine a second may pass between two of its turns.
"""


@pytest.fixture
def link(app: Flask) -> str:
    """The download of a file that is large, and takes no room on the disk."""
    with app.app_context():
        _, link = sell_file(app)
        end_read()
    with goods_file(app, "rain.zip").open("r+b") as file:
        file.truncate(LARGE)
        file.seek(LARGE // 2)
        file.write(b"the middle")
    return link


@pytest.fixture
def web(settings: Settings, link: str) -> Iterator[WebProcess]:
    with closing(WebProcess(settings)) as web:
        yield web


def digest_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def memory(web: WebProcess) -> int:
    """What the worker has had in memory at most, in bytes."""
    (worker,) = web.workers()
    lines = Path(f"/proc/{worker}/status").read_text().splitlines()
    (peak,) = [line for line in lines if line.startswith("VmHWM:")]
    return int(peak.split()[1]) * 1024


def stop_reading(web: WebProcess, link: str) -> socket.socket:
    """Somebody who asks for the file, reads a little, and then nothing any more."""
    parts = urlsplit(web.url)
    browser = socket.create_connection((parts.hostname, parts.port), timeout=20)
    browser.sendall(f"GET {link} HTTP/1.1\r\nHost: {parts.netloc}\r\n\r\n".encode())
    assert browser.recv(12) == b"HTTP/1.1 200"
    return browser


def status(web: WebProcess, path: str) -> int:
    with requests.get(web.url + path, stream=True, timeout=20) as answer:
        return answer.status_code


def test_a_download_that_breaks_off_again_and_again_arrives_whole(
    app: Flask, web: WebProcess, link: str, tmp_path: Path
) -> None:
    copy = tmp_path / "copy"
    copy.touch()
    etag = ""
    asked = 0
    while (have := copy.stat().st_size) < LARGE:
        headers = {"Range": f"bytes={have}-", "If-Range": etag} if have else {}
        with requests.get(web.url + link, headers=headers, stream=True, timeout=20) as answer:
            assert answer.status_code == (206 if have else 200)
            assert int(answer.headers["Content-Length"]) == LARGE - have
            etag = answer.headers["ETag"]
            with copy.open("ab") as file:
                for chunk in answer.iter_content(MIB):
                    file.write(chunk)
                    if file.tell() - have >= 60 * MIB:
                        break  # the connection is closed in the middle of an answer
        asked += 1

    assert asked == 5
    assert digest_of(copy) == digest_of(goods_file(app, "rain.zip"))
    with app.app_context():
        assert db.session.scalar(select(Delivery.downloads)) == 1


def test_a_large_file_is_never_in_the_workers_memory(web: WebProcess, link: str) -> None:
    assert status(web, "/") == 200
    before = memory(web)

    for headers in ({}, {"Range": f"bytes={MIB}-"}):
        with requests.get(web.url + link, headers=headers, stream=True, timeout=60) as answer:
            size = sum(len(chunk) for chunk in answer.iter_content(MIB))
        assert size == int(answer.headers["Content-Length"]) > 200 * MIB

    assert memory(web) - before < 16 * MIB


def test_only_some_of_the_threads_go_to_downloads_and_whoever_stops_reading_loses_theirs(
    settings: Settings, link: str
) -> None:
    """That others are refused until then is seen by when there is room; the next test looks at them."""
    hasty = WebProcess(settings, WEB_STALLED_SECONDS=str(STALLED))
    with closing(hasty) as web, ExitStack() as stack:
        began = (
            time.monotonic()
        )  # before the first of them: a busy machine may be long about the last
        for _ in range(DOWNLOADS_AT_ONCE):
            stack.enter_context(stop_reading(web, link))

        assert status(web, "/") == 200, "the shop goes on"
        until(lambda: status(web, link) == 200, "room for another download")

        assert time.monotonic() - began >= STALLED, "they were waited for"


@pytest.mark.long
def test_who_stops_reading_would_keep_the_thread_for_good(settings: Settings, link: str) -> None:
    """The control: a server that gives up later, and is not waited for so long."""
    with closing(WebProcess(settings, WEB_STALLED_SECONDS="600")) as web, ExitStack() as stack:
        for _ in range(DOWNLOADS_AT_ONCE):
            stack.enter_context(stop_reading(web, link))
        given_up_by = time.monotonic() + 4 * STALLED

        while time.monotonic() < given_up_by:
            assert status(web, link) == 503
            assert status(web, "/") == 200
