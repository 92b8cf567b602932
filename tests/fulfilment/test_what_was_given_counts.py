"""A download is a whole copy given, in however many pieces: neither who looks first nor what breaks off uses it
up, and nobody gets a second copy out of one, by whatever ranges or at the same time.
"""

from __future__ import annotations

import random
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, update
from werkzeug.test import TestResponse

from shop.because import Because
from shop.db import db, transaction
from shop.fulfilment.downloads import UsedUp
from shop.fulfilment.given import blocks, copies_left, may_give
from shop.fulfilment.goods import LINK_SECONDS, goods_of
from shop.fulfilment.models import Delivery
from shop.fulfilment.reissue import reissue
from shop.i18n import speaking
from shop.orders.links import order_path
from shop.orders.models import Order
from shop.web.attachments import PIECE
from tests.factories import send_due_mails
from tests.fulfilment.test_mails import part, written
from tests.support.crowd import at_once
from tests.support.mutants import Killed, dies_here
from tests.support.sold import press, sell_file

SIZE = 1024 * 1024
PORTION = 2 * PIECE
CONTENT = random.Random(4711).randbytes(SIZE)


@pytest.fixture(autouse=True)
def _this_file_is_a_large_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Counted in 8 portions, each read in two pieces."""
    monkeypatch.setattr("shop.fulfilment.downloads.PORTION", PORTION)


@pytest.fixture
def link(app: Flask) -> str:
    """Of a file that may be downloaded once."""
    with app.app_context():
        return sell_file(app, content=CONTENT, max_downloads=1)[1]


def left(app: Flask) -> int | None:
    with app.app_context():
        return db.session.scalars(select(Delivery)).one().downloads_left


def pieces(app: Flask, link: str, start: int = 0) -> Iterator[bytes]:
    """What comes of a download, piece by piece; it breaks off where nobody asks for the next one."""
    asked = {"Range": f"bytes={start}-"} if start else {}
    with app.test_client().get(f"{link}/file", headers=asked, buffered=False) as response:
        assert response.status_code == (206 if start else 200)
        for piece in response.iter_encoded():
            if piece:
                yield piece


def some(app: Flask, link: str, most: int, start: int = 0) -> bytes:
    """The first bytes of a download that breaks off then."""
    got, stream = b"", pieces(app, link, start)
    for piece in stream:
        got += piece
        if len(got) >= most:
            break
    stream.close()  # type: ignore[attr-defined]
    return got[:most]


def looks(path: str = "/file", method: str = "GET", **headers: str) -> Callable[[Flask, str], None]:
    """Ask in this way; and drop what comes."""

    def look(app: Flask, link: str) -> None:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        with app.test_client().open(link + path, method=method, headers=named) as answer:
            assert len(answer.get_data()) < SIZE // 8

    return look


LOOKS: dict[str, Callable[[Flask, str], object]] = {
    "a mail scanner": looks("", User_Agent="Mozilla/5.0 (compatible; MailScanner)"),
    "a question for the page": looks("", "HEAD"),
    "a question for the file": looks(method="HEAD"),
    "prefetch": looks(Sec_Purpose="prefetch"),
    "prerender": looks(Sec_Purpose="prefetch;prerender"),
    "an older prefetch": looks(Purpose="prefetch"),
    "Firefox's prefetch": looks(X_Moz="prefetch"),
    "Safari's preview": looks(X_Purpose="preview"),
    "the first byte": looks(Range="bytes=0-0"),
    "the last bytes": looks(Range="bytes=-512"),
    "the first kilobyte": looks(Range="bytes=0-1023"),
    "a part that is not there": looks(Range=f"bytes={SIZE}-"),
    "a broken first kilobyte": lambda app, link: some(app, link, 1024),
    "somebody who reads nothing": lambda app, link: some(app, link, 0),
}


@pytest.mark.parametrize("look", LOOKS)
def test_who_looks_first_uses_no_download_up(app: Flask, client: FlaskClient, look: str) -> None:
    with app.app_context():
        order, link = sell_file(app, content=CONTENT, max_downloads=1)

    for _ in range(3):
        LOOKS[look](app, link)

    assert left(app) == 1
    with app.test_request_context(), speaking("en"):
        assert goods_of(order)[0].terms.startswith("1 download is left.")
    assert press(client, link).data == CONTENT
    assert left(app) == 0
    assert press(client, link).status_code == 410


def test_a_prefetch_of_an_unlimited_file_is_refused_and_its_download_counted_once(
    app: Flask, client: FlaskClient
) -> None:
    with app.app_context():
        _, link = sell_file(app, content=CONTENT)

    ahead = client.get(link, headers={"Sec-Purpose": "prefetch"})
    assert (ahead.status_code, ahead.headers["Cache-Control"]) == (503, "no-store")
    with client.get(link) as response:
        assert response.data == CONTENT

    with app.app_context():
        assert db.session.scalar(select(Delivery.downloads)) == 1


def refused(app: Flask, link: str) -> None:
    """Nothing that is nearly a copy can be had any more, by one request or by many."""
    client = app.test_client()
    for asked in (
        {},
        {"Range": "bytes=0-"},
        {"Range": "bytes=1-"},
        {"Range": f"bytes=0-{SIZE - 2}"},
    ):
        with client.get(f"{link}/file", headers=asked) as response:
            assert response.status_code == 410, asked
    step = SIZE // 16
    parts = [f"bytes={start}-{start + step - 1}" for start in range(0, SIZE, step)]
    statuses = Counter(press(client, link, Range=asked).status_code for asked in parts)
    assert statuses[206] <= 8, "half is to spare for what breaks off, and no more"


def test_four_segments_at_once_are_one_download(app: Flask, link: str) -> None:
    """A download manager; each of its connections is a browser of its own."""
    quarter = SIZE // 4

    def segment(number: int) -> bytes:
        asked = f"bytes={number * quarter}-{(number + 1) * quarter - 1}"
        return press(app.test_client(), link, Range=asked).data

    assert b"".join(at_once(4, segment)) == CONTENT
    assert left(app) == 0
    refused(app, link)


def test_a_manager_that_asks_for_all_the_rest_and_hangs_up_in_between_gets_the_file(
    app: Flask, link: str
) -> None:
    """It begins with the whole, and has four connections run to where the next one began."""
    quarter = SIZE // 4
    streams = [pieces(app, link, number * quarter) for number in range(4)]
    got = [b""] * 4
    while any(len(part) < quarter for part in got):
        for number, stream in enumerate(streams):
            if len(got[number]) < quarter:
                got[number] += next(stream)
    for stream in streams:
        stream.close()  # type: ignore[attr-defined]

    assert b"".join(part[:quarter] for part in got) == CONTENT
    refused(app, link)


def test_a_browser_that_breaks_off_and_resumes_again_and_again_gets_the_file(
    app: Flask, link: str
) -> None:
    got = b""
    for _ in range(6):
        got += some(app, link, SIZE // 6 + 1, start=len(got))

    assert got == CONTENT
    refused(app, link)


def test_a_download_that_broke_off_before_its_middle_may_be_begun_again(
    app: Flask, client: FlaskClient, link: str
) -> None:
    some(app, link, SIZE * 2 // 5)

    assert left(app) == 1
    assert press(client, link).data == CONTENT
    refused(app, link)


def test_a_download_that_broke_off_late_is_continued_and_the_pages_say_so(
    app: Flask, client: FlaskClient
) -> None:
    with app.app_context():
        order, link = sell_file(app, content=CONTENT, max_downloads=1)
    got = some(app, link, SIZE * 3 // 5)

    words = "If it breaks off, continue it in the browser or program that began it"
    assert words in press(client, link).text
    with app.test_request_context(), speaking("en"):
        (goods,) = goods_of(order)
    assert (words in goods.terms, goods.download_url, goods.button) == (True, None, "")
    assert got + press(client, link, Range=f"bytes={len(got)}-").data == CONTENT
    assert words not in press(client, link).text
    refused(app, link)


def test_of_two_downloads_at_once_on_one_only_the_one_in_front_gets_the_file(
    app: Flask, link: str
) -> None:
    """Two people with the same link, each as fast as the other; nobody is left without a copy by it."""
    front, behind = pieces(app, link), pieces(app, link)
    got, late = list[bytes](), list[bytes]()

    def in_turns() -> None:
        for piece in front:
            got.append(piece)
            late.append(next(behind))

    with pytest.raises(UsedUp):
        in_turns()
    got.extend(front)

    assert b"".join(got) == CONTENT
    assert SIZE // 4 < len(b"".join(late)) <= SIZE // 2
    refused(app, link)


def test_two_downloads_at_once_are_had_where_two_were_agreed(app: Flask) -> None:
    with app.app_context():
        _, link = sell_file(app, content=CONTENT, max_downloads=2)

    assert at_once(2, lambda _: press(app.test_client(), link).data) == [CONTENT, CONTENT]

    assert left(app) == 0
    refused(app, link)


def test_sixteen_at_once_get_one_copy_and_no_second_one(app: Flask, link: str) -> None:
    def ask(_: int) -> int:
        got = 0
        try:
            for piece in pieces(app, link):
                got += len(piece)
        except (UsedUp, AssertionError):
            pass  # cut off, or refused from the beginning
        return got

    got = at_once(16, ask)

    assert got.count(SIZE) == 1
    assert sum(got) <= SIZE * 3 // 2
    refused(app, link)


@pytest.mark.parametrize("seed", range(20))
def test_whatever_is_asked_for_no_second_copy_comes_out_of_one(seed: int) -> None:
    """Any stretches in any order, each let through or not as they would be; counted byte by byte."""
    chance = random.Random(seed)
    size = chance.choice((2, 10, 255, 256, 257, 1000, 12345))
    given, got = [0] * len(blocks(0, size, size)), [0] * size
    for _ in range(400):
        start, stop = sorted(chance.sample(range(size + 1), 2))
        wanted = blocks(start, stop, size)
        if may_give(given, wanted, 1):
            for block in wanted:
                given[block] += 1
            for byte in range(start, stop):
                got[byte] += 1

    assert sum(times > 1 for times in got) <= size // 2 + size // 256 + 1
    for block, times in enumerate(given):
        assert times or may_give(given, range(block, block + 1), 1), "what is missing is given"
        given[block] = max(times, 1)
    assert copies_left(given, 1) == 0


def test_without_the_rule_a_second_copy_leaves(
    app: Flask, client: FlaskClient, link: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control."""
    monkeypatch.setattr("shop.fulfilment.downloads.may_give", lambda *_: True)

    assert press(client, link).data == CONTENT
    assert press(client, link, Range="bytes=1-").data == CONTENT[1:]


@pytest.mark.parametrize("when", ["before", "inside", "after"])
def test_a_death_while_something_is_put_back_costs_no_more_than_a_portion(
    app: Flask, client: FlaskClient, link: str, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    dies_here(monkeypatch, f"{when}_put_back")
    with pytest.raises(Killed):
        some(app, link, PIECE)

    assert left(app) == 1
    assert press(client, link, Range=f"bytes={PIECE}-").data == CONTENT[PIECE:]
    refused(app, link)


def test_a_process_that_dies_in_the_middle_costs_no_more_than_a_portion(
    app: Flask, client: FlaskClient, link: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is put back. The one that is really killed dies in tests/faults/test_downloads_over_the_wire.py."""
    with monkeypatch.context() as patch:
        patch.setattr("shop.fulfilment.downloads.Giving.end", lambda *_: None)
        got = some(app, link, SIZE // 3)

    with app.app_context():
        given = db.session.scalars(select(Delivery)).one().given or []
    assert sum(given) * SIZE / len(given) - len(got) <= PORTION
    assert got + press(client, link, Range=f"bytes={len(got)}-").data == CONTENT


def test_what_is_given_anew_in_the_middle_of_a_download_is_whole(
    app: Flask, client: FlaskClient, link: str
) -> None:
    """What breaks off later was given before, and is not put back into the new downloads."""
    stream = pieces(app, link)
    next(stream)
    with app.app_context():
        order = db.session.scalars(select(Order)).one()
        reissue(order, Because("a test", "Ann"), position=1, unit=None)
    first = some(app, link, PIECE)
    stream.close()  # type: ignore[attr-defined]

    with app.app_context():
        given = db.session.scalars(select(Delivery)).one().given or []
    assert given[0] == 1
    assert first + press(client, link, Range=f"bytes={PIECE}-").data == CONTENT
    refused(app, link)


def test_downloads_that_were_counted_before_the_parts_were_are_whole_copies(
    app: Flask, client: FlaskClient
) -> None:
    with app.app_context():
        _, link = sell_file(app, content=CONTENT, max_downloads=2)
        with transaction() as session:
            session.execute(update(Delivery).values(downloads=1, given=None))
    assert left(app) == 1

    assert press(client, link).data == CONTENT

    assert left(app) == 0
    refused(app, link)


def opened_by_a_scanner(app: Flask) -> list[TestResponse]:
    """What every link of the newest mail leads to, by a GET."""
    (mail,) = [each for each in written(app) if "/downloads/" in part(each, "html")]
    answers = []
    for address in re.findall(r'href="http://localhost(/[^"]+)"', part(mail, "html")):
        with app.test_client().get(address, follow_redirects=True) as answer:
            answer.get_data()
            answers.append(answer)
    return answers


def test_a_scanner_that_opens_every_link_of_a_mail_leaves_the_one_download_to_the_buyer(
    app: Flask, client: FlaskClient
) -> None:
    with app.app_context():
        _, link = sell_file(app, content=CONTENT, max_downloads=1)
        assert send_due_mails() == 1

    answers = opened_by_a_scanner(app)

    assert len(answers) >= 2, "the order page, and the download's"
    assert all(answer.data[:9] != CONTENT[:9] for answer in answers)
    assert left(app) == 1
    page = client.get(link)
    button = re.search(r'method="post" action="(/downloads/[^"]+)"', page.text)
    assert button
    assert "1 download is left." in page.text
    assert "/file" not in page.text, "nor is there a link that leads on"
    assert "Set-Cookie" not in page.headers
    assert page.headers["Cache-Control"] == "no-store"
    assert press(client, button[1]).data == CONTENT


def test_the_order_page_has_the_button_itself(app: Flask, client: FlaskClient) -> None:
    with app.app_context():
        order, _ = sell_file(app, content=CONTENT, max_downloads=1)
        page = client.get(order_path(order)).text

    button = re.search(r'method="post" action="(/downloads/[^"]+)"', page)

    assert button
    assert "download>" not in page
    assert press(client, button[1]).data == CONTENT
    with app.app_context():
        assert "/downloads/" not in client.get(order_path(order)).text


@pytest.mark.parametrize("terms", [{}, {"download_days": 3}])
def test_where_nothing_can_be_used_up_the_mail_leads_to_the_file(
    app: Flask, terms: dict[str, int]
) -> None:
    with app.app_context():
        sell_file(app, content=CONTENT, **terms)
        assert send_due_mails() == 1

    assert CONTENT in [answer.data for answer in opened_by_a_scanner(app)]


def test_no_other_site_presses_the_button(app: Flask, client: FlaskClient, link: str) -> None:
    for headers in ({"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.example"}):
        assert client.post(link, headers=headers).status_code == 403


def test_the_button_of_a_link_that_is_about_to_end_leads_to_one_that_can_be_continued(
    app: Flask, client: FlaskClient, link: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + LINK_SECONDS - 60)
    on = client.post(link).headers["Location"]
    monkeypatch.setattr(time, "time", lambda: now + LINK_SECONDS + 3600)

    assert client.post(link).status_code == 410
    with client.get(on, headers={"Range": "bytes=5-"}) as response:
        assert response.data == CONTENT[5:]
