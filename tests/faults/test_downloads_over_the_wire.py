"""Downloads from the real server: continued, large, slow, and never in the way of the shop."""

from __future__ import annotations

import hashlib
import os
import random
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, suppress
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
from tests.support.crowd import at_once
from tests.support.processes import WebProcess, until
from tests.support.sold import goods_file, sell_file

pytestmark = pytest.mark.parametrize("engine", ["sqlite"], indirect=True)  # it is not about it

MIB = 1024 * 1024
LARGE = 256 * MIB
WIND = random.Random(17).randbytes(48 * MIB)
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


@pytest.fixture
def only_one(app: Flask, settings: Settings) -> Iterator[Callable[..., requests.Response]]:
    """Asks for a part of a file that may be downloaded once, behind its button, from two workers."""
    with app.app_context():
        _, link = sell_file(app, "wind.zip", WIND, max_downloads=1)
        end_read()

    def ask(start: int = 0, stop: int = len(WIND)) -> requests.Response:
        asked = {"Range": f"bytes={start}-{stop - 1}"} if (start, stop) != (0, len(WIND)) else {}
        return requests.get(web.url + begun, headers=asked, stream=True, timeout=60)

    with closing(WebProcess(settings, workers=2)) as web:
        ask.web = web  # type: ignore[attr-defined]
        led = requests.post(web.url + link, allow_redirects=False, timeout=60)
        begun = urlsplit(led.headers["Location"]).path
        yield ask


def taken(answer: requests.Response, most: int = len(WIND)) -> bytes:
    """What comes, until so much is there or the connection is cut."""
    got = b""
    with answer, suppress(requests.RequestException):
        for chunk in answer.iter_content(MIB):
            got += chunk
            if len(got) >= most:
                break
    return got


def no_second_copy(ask: Callable[..., requests.Response]) -> None:
    half = len(WIND) // 2
    assert [ask(*asked).status_code for asked in ((), (1,), (0, len(WIND) - 1))] == [410] * 3
    parts = [taken(ask(start, start + MIB)) for start in range(0, len(WIND), MIB)]
    assert sum(len(part) for part in parts if len(part) == MIB) <= half


def test_a_download_manager_gets_the_only_download_in_four_segments_at_once(
    only_one: Callable[..., requests.Response],
) -> None:
    quarter = len(WIND) // 4

    def segment(number: int) -> bytes:
        return taken(only_one(number * quarter, (number + 1) * quarter))

    assert b"".join(at_once(4, segment)) == WIND
    no_second_copy(only_one)


def test_the_only_download_breaks_off_again_and_again_and_arrives_whole(
    only_one: Callable[..., requests.Response],
) -> None:
    got = b""
    for _ in range(4):
        got += taken(only_one(len(got)), 10 * MIB)
    got += taken(only_one(len(got)))

    assert got == WIND
    no_second_copy(only_one)


def test_the_only_download_goes_on_after_the_worker_that_gave_it_was_killed(
    only_one: Callable[..., requests.Response],
) -> None:
    web: WebProcess = only_one.web  # type: ignore[attr-defined]
    got = b""
    with only_one() as answer, suppress(requests.RequestException):
        for chunk in answer.iter_content(MIB):
            got += chunk
            if len(got) == 10 * MIB:
                for worker in web.workers():
                    os.kill(worker, signal.SIGKILL)
    assert 10 * MIB <= len(got) < len(WIND)
    until(web.answers, "new workers")

    got += taken(only_one(len(got)))

    assert got == WIND
    no_second_copy(only_one)


def test_two_who_press_at_once_do_not_both_get_the_only_download(
    only_one: Callable[..., requests.Response],
) -> None:
    """Who is behind is cut off when half of the file is given twice; who is in front gets it."""
    got = at_once(2, lambda _: taken(only_one()))

    assert got.count(WIND) == 1
    assert min(map(len, got)) < len(WIND) * 5 // 8
    no_second_copy(only_one)


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
