"""Whatever is sent to a parser, it answers or refuses in its own words, soon and with little memory."""

from __future__ import annotations

import base64
import contextlib
import gc
import hashlib
import hmac
import json
import string
import time
import tracemalloc
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest.mock import patch
from urllib.parse import quote_from_bytes, urlencode

import jwt
import pytest
import responses
from flask import Flask
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from shop.catalogue.files.importing import read_catalogue
from shop.catalogue.files.reading import CatalogueFileError
from shop.payments.cryptocloud import BadPostback, CryptoCloud, CryptoCloudError, CryptoCloudV2
from shop.payments.cryptocloud.answers import Answer
from shop.payments.cryptocloud.calls import Calls
from tests.buyer import Buyer, Form
from tests.factories import make_product, make_token, provider
from tests.payments.wire import API_KEY, SECRET_KEY, TEN_EUROS
from tests.support.promises import Promise

SECONDS = 1.0
MEMORY = 64 * 1024 * 1024
BATCH = 1000
"""Hypothesis remembers all that it tried; after many more, tidying that up takes a second."""
NOW = 1_800_000_000

pytestmark = pytest.mark.filterwarnings("ignore:Generating overly large repr")


def examples(full: int) -> pytest.MarkDecorator:
    """A hundred always; for the promises so many that they make 200,000 in all."""
    return pytest.mark.parametrize("examples", [50, pytest.param(full, marks=pytest.mark.long)])


class Watch:
    """Fails a case that works for a second, or (every tenth is looked at) that takes 64 MiB more."""

    def __init__(self) -> None:
        self.cases = 0

    def __enter__(self) -> None:
        self.cases += 1
        if self.cases % 10 == 0:
            tracemalloc.start()
        self.started = time.thread_time()  # its own work, and not what else the machine does

    def __exit__(self, *error: object) -> None:
        took, memory = time.thread_time() - self.started, 0
        if tracemalloc.is_tracing():
            memory = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
        assert took < SECONDS, "it took long"
        assert memory < MEMORY, "it took much"


def feed(
    check: Callable[..., None],
    examples: int,
    *,
    phases: tuple[Phase, ...] = (Phase.generate, Phase.shrink),
    **values: st.SearchStrategy[Any],
) -> int:
    """Let Hypothesis try to break the check; how many cases that were."""
    watch = Watch()
    for done in range(0, examples, BATCH):
        # Else a full collection of all that pytest keeps takes its time within somebody's second.
        gc.collect()
        gc.freeze()

        @settings(
            max_examples=min(BATCH, examples - done),
            deadline=None,
            database=None,
            derandomize=False,
            report_multiple_bugs=False,
            phases=phases,
            suppress_health_check=list(HealthCheck),
        )
        @given(**values)
        def run(**drawn: Any) -> None:
            with watch:
                check(**drawn)

        run()
    gc.unfreeze()
    return watch.cases


RAW = {"@1e400": "1e400", "@1e999999999": "1e999999999", "@-0": "-0.0", "@many": "9" * 4000}
"""What `json` would not write; it stands in a text until the last moment."""
ODD = [
    *RAW,
    "\x00",
    "\ud800",
    "é" * 200,
    "x" * 5000,
    "INV-ABCD1234",
    "ABCD1234",
    "1e5",
    "NaN",
    "-1",
    "١",
]
scalars = st.one_of(
    st.sampled_from(ODD), st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=20)
)
anything = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip
rubbish = st.one_of(
    st.binary(max_size=300),
    st.sampled_from(
        [
            b"[" * 250_000,
            b'{"a":' * 50_000,
            b'"' + b"\\" * 250_000,
            b"9" * 250_000,
            b"\xef\xbb\xbf{}",
        ]
    ),
)


def like(good: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    """The good fields, any of which may be missing or hold anything; sometimes with others."""
    changed = {name: st.just(value) | anything for name, value in good.items()}
    none: dict[str, st.SearchStrategy[Any]] = {}
    fields = st.fixed_dictionaries(none, optional=changed)
    whole = st.fixed_dictionaries({name: st.just(value) for name, value in good.items()})
    others = st.dictionaries(st.sampled_from([*good, "x"]), anything, max_size=2)
    return st.builds(lambda most, some: most | some, whole | fields, others)


def as_json(value: Any) -> bytes:
    text = json.dumps(value)
    for name, raw in RAW.items():
        text = text.replace(f'"{name}"', raw)
    return text.encode()


def bodies(value: st.SearchStrategy[Any]) -> st.SearchStrategy[bytes]:
    """As JSON, whole or cut off; or something else altogether."""
    whole = value.map(as_json)
    cut = st.builds(lambda body, at: body[: at % (len(body) + 1)], whole, st.integers(0, 10_000))
    return st.one_of(whole, whole, cut, rubbish)


GOOD_POSTBACK = {
    "status": "success",
    "invoice_id": "ABCD1234",
    "amount_crypto": 10.01,
    "currency": "USDT_TRC20",
    "order_id": "AAAA-BBBB-1-0123456789abcdef",
    "token": "@token",
}
KINDS = ["application/json", "application/x-www-form-urlencoded", "multipart/form-data", "é", ""]
postbacks = like(GOOD_POSTBACK)
forms = postbacks.map(lambda fields: urlencode(fields, errors="replace").encode())


def in_parts(fields: dict[str, Any], end: str) -> bytes:
    head = '--x\r\nContent-Disposition: form-data; name="{}"\r\n\r\n{}\r\n'
    text = "".join(head.format(name, value) for name, value in fields.items())
    return f"{text}{end}".encode("utf-8", "replace")


parts = st.builds(
    in_parts, postbacks, st.sampled_from(["--x--\r\n", "--x--", "--x", "", "\r\n--x-\r\n"])
)


@pytest.mark.promise(23)
@examples(30_000)
def test_a_postback_is_taken_or_refused_whatever_it_holds(
    app: Flask, examples: int, promise: Promise
) -> None:
    client, own = app.test_client(), app.config["SETTINGS"]
    token = make_token(own, "ABCD1234", exp=int(time.time()) + 800)

    def check(body: bytes, kind: str) -> None:
        body = body.replace(b"@token", token.encode()).replace(b"%40token", token.encode())
        answer = client.post("/payments/cryptocloud/postback", data=body, content_type=kind)
        assert answer.status_code in (200, 403, 413)

    promise.cases += feed(
        check, examples, body=bodies(postbacks) | forms | parts, kind=st.sampled_from(KINDS)
    )


def unpadded(content: bytes) -> bytes:
    return base64.urlsafe_b64encode(content).rstrip(b"=")


def signature_of(parts: bytes, key: str) -> bytes:
    return unpadded(hmac.new(key.encode(), parts, hashlib.sha256).digest())


def signed(head: bytes, claims: bytes, right: bool) -> str:
    """A token by hand, with our secret or another."""
    parts = unpadded(head) + b"." + unpadded(claims)
    return (parts + b"." + signature_of(parts, SECRET_KEY if right else "another")).decode()


GOOD_HEAD = {"typ": "JWT", "alg": "HS256"}
ids = st.sampled_from(["ABCD1234", "INV-ABCD1234", "abcd1234", "ABCD1235"]) | anything
times = st.one_of(st.integers(NOW - 90, NOW + 960), st.sampled_from([0, 10**12, -1]), anything)
others = dict.fromkeys(("iat", "aud", "iss", "sub", "jti", "crit"), anything)
claims = st.fixed_dictionaries({}, optional={"id": ids, "exp": times, "nbf": times} | others)
tokens = st.one_of(
    st.builds(signed, st.just(as_json(GOOD_HEAD)), claims.map(as_json), st.just(True)),
    st.builds(signed, bodies(like(GOOD_HEAD)), bodies(claims), st.booleans()),
    st.text(string.ascii_letters + "._-='\"b", max_size=60) | st.text(max_size=60),
)


signed_for_any_time = st.builds(
    signed,
    st.just(as_json(GOOD_HEAD)),
    st.fixed_dictionaries({"id": st.just("ABCD1234"), "exp": times}).map(as_json),
    st.just(True),
)


def believes_only_what_is_signed(token: str) -> None:
    """The oracle: whatever is taken was signed by us for this invoice, and lives now."""
    body = as_json(GOOD_POSTBACK | {"token": token})
    try:
        postback = CLIENT.read_postback("application/json", body, now=NOW)
    except BadPostback:
        return
    parts, _, signature = token.encode().rpartition(b".")
    found = json.loads(base64.urlsafe_b64decode(parts.partition(b".")[2] + b"=="))
    assert signature == signature_of(parts, SECRET_KEY)
    assert found["id"].removeprefix("INV-") == postback.invoice_id == "ABCD1234"
    assert type(found["exp"]) in (int, float)
    assert NOW - 60 < found["exp"] <= NOW + 900
    assert found.get("nbf", 0) <= NOW + 60


CLIENT = CryptoCloud(API_KEY, "SHOP", SECRET_KEY)
CLIENTS = {"1": CLIENT, "2": CryptoCloudV2(API_KEY, "SHOP", SECRET_KEY)}


@pytest.mark.promise(23)
@examples(40_000)
def test_a_token_is_proven_or_refused(examples: int, promise: Promise) -> None:
    promise.cases += feed(believes_only_what_is_signed, examples, token=tokens)


FACTS = {
    "uuid": "INV-ABCD1234",
    "link": "https://pay.cryptocloud.plus/ABCD1234",
    "status": "created",
    "amount_in_fiat": 10.0,
    "fiat_currency": "EUR",
    "order_id": "reference",
    "test_mode": False,
    "currency": {"code": "USDT", "fullcode": "USDT_TRC20"},
    "amount_to_pay": "10.012345",
    "amount_paid": 0.0,
    "expiry_date": "2027-01-15 08:00:00.000000",
}
V1 = {
    "status": "success",
    "status_invoice": "created",
    "invoice_id": "ABCD1234",
    "pay_url": FACTS["link"],
}
REPLIES = {
    "1": like(V1),
    "2": like({"status": "success", "result": "@"}).flatmap(
        lambda reply: st.builds(
            lambda result: reply | {"result": result},
            like(FACTS) | st.lists(like(FACTS), max_size=3) | anything,
        )
    ),
}


def makes_sense_or_refuses(
    client: CryptoCloud, status: int, body: bytes, head: dict[str, str]
) -> None:
    """Each call either raises what it declares, or tells what may be acted upon."""
    answer = Answer.of(status, head, body)
    with patch.object(Calls, "ask", lambda *given, **how: answer):
        client._calls._refused_at = None
        with contextlib.suppress(CryptoCloudError):
            made = client.create_invoice(TEN_EUROS, reference="reference")
            assert made.pay_url.startswith("https://pay.cryptocloud.plus")
            assert made.id.isalnum()
        with contextlib.suppress(CryptoCloudError):
            (info,) = client.invoice_infos(["ABCD1234"]).values()
            for figure in (info.amount, info.due, info.received):
                assert figure is None or 0 <= figure < 10**18
            assert len(f"{info.reference} {info.coin} {info.currency}") < 200
        with contextlib.suppress(CryptoCloudError):
            client.find_invoice("reference", TEN_EUROS, datetime(2026, 1, 1, tzinfo=UTC))
        with contextlib.suppress(CryptoCloudError):
            client.cancel_invoice("ABCD1234")
        with contextlib.suppress(CryptoCloudError):
            client.check_key()


@pytest.mark.promise(23)
@pytest.mark.parametrize("version", CLIENTS)
@examples(25_000)
def test_a_reply_of_the_provider_makes_sense_or_is_refused(
    version: str, examples: int, promise: Promise
) -> None:
    def check(status: int, body: bytes, head: dict[str, str]) -> None:
        makes_sense_or_refuses(CLIENTS[version], status, body, head)

    promise.cases += feed(
        check,
        examples,
        status=st.sampled_from([200, 200, 200, 400, 401, 404, 429, 500]) | st.integers(100, 999),
        body=bodies(REPLIES[version]),
        head=st.dictionaries(
            st.sampled_from(["Date", "Retry-After"]), st.text(max_size=30) | st.sampled_from(ODD)
        ),
    )


@pytest.fixture
def shopper(app: Flask) -> Iterator[Buyer]:
    """Somebody with a cart, who has the checkout form open."""
    with app.app_context():
        slug = make_product().slug
    with provider(app) as calls:
        made = {"status": "success", "invoice_id": "ABCD1234", "pay_url": "https://x.example"}
        calls.add(responses.POST, calls.create_url, json=made)
        buyer = Buyer(app)
        buyer.puts_into_cart(slug)
        buyer.opens("/checkout")
        yield buyer


texts = st.one_of(
    st.text(max_size=60).map(str.encode),
    st.binary(max_size=60),
    st.sampled_from([b"1", b"-1", b"9" * 19, b"\x00", b"USD", b"a@example.com", b"A" * 5000]),
)
FIELDS = ["email", "currency", "checkout_key", "seen", "csrf_token"]
FIELDS += ["product", "quantity", "quantity-product-1", "remove"]


@pytest.mark.promise(23)
@examples(10_000)
def test_a_form_is_answered_with_a_page(shopper: Buyer, examples: int, promise: Promise) -> None:
    good = Form(shopper.page.text, "/checkout").fields | {"email": "a@example.com"}
    browser, session = shopper.browser, shopper.browser.get_cookie("session")
    assert session

    def check(action: str, fields: dict[str, bytes], raw: bytes | None) -> None:
        sent = {name: text.encode() for name, text in good.items()} | fields
        body = "&".join(f"{name}={quote_from_bytes(text)}" for name, text in sent.items()).encode()
        browser.set_cookie("session", session.value)  # with the cart, whatever became of it
        answer = browser.post(
            action,
            data=body if raw is None else raw,
            content_type="application/x-www-form-urlencoded",
        )
        assert answer.status_code in (303, 400, 404, 409, 413, 422)
        assert answer.status_code == 303 or "<html" in answer.text

    promise.cases += feed(
        check,
        examples,
        action=st.sampled_from(["/checkout", "/checkout", "/cart", "/cart/lines"]),
        fields=st.dictionaries(st.sampled_from(FIELDS), texts, max_size=3),
        raw=st.none() | st.none() | rubbish,
    )


GOOD_FILE = """\
categories:
- {slug: sound, title: Sound}
products:
- slug: rain
  category: sound
  title: Rain
  summary: Forty minutes of rain.
  prices:
    USD: 12.00
  stock: 25
  images: [{file: rain.jpg, alt: Rain}]
  delivery:
    text: Thank you
"""
PIECES = [
    *GOOD_FILE.splitlines(keepends=True),
    *GOOD_FILE.split(" "),
    "- ",
    ": ",
    "\n",
    "  ",
    "|\n",
]
PIECES += [
    "&a ",
    "*a ",
    "!!python/object:os.system ",
    "? ",
    "[",
    "]",
    "{",
    "}",
    "'",
    '"',
    "#",
    "\t",
    "%",
]
PIECES += ["---\n", "\x00", "\ud7ff", "\u2028", "é", "9" * 50, "../../etc/passwd", "1e400", "<<: "]


def replaced(old: str, new: str) -> bytes:
    return GOOD_FILE.replace(old, new, 1).encode("utf-8", "replace")


files = st.one_of(
    st.builds(replaced, st.sampled_from(PIECES), st.sampled_from(PIECES) | st.text(max_size=30)),
    st.lists(st.sampled_from(PIECES), max_size=40).map(lambda some: "".join(some).encode()),
    st.text(max_size=200).map(lambda text: text.encode("utf-8", "replace")),
    st.binary(max_size=200),
)


@pytest.mark.promise(23)
@examples(30_000)
def test_a_catalogue_file_is_read_or_its_mistakes_are_named(
    tmp_path: Path, examples: int, promise: Promise
) -> None:
    path = tmp_path / "catalogue.yaml"

    def check(content: bytes) -> None:
        path.write_bytes(content)
        try:
            file = read_catalogue(path, "USD")
        except CatalogueFileError as error:
            assert error.problems  # noqa: PT017 - an error without words would help nobody
        else:
            assert all(entry.prices["USD"] > 0 for entry in file.products)

    promise.cases += feed(check, examples, content=files)


QUICKLY = (Phase.generate,)


def test_a_parser_that_lets_an_error_slip_is_found_out() -> None:
    """The control: a few cases are enough for the errors that are caught today."""

    def careless(token: str, secret: str) -> Any:
        return jwt.decode(token, secret, ["HS256"])

    with (
        patch("shop.payments.cryptocloud.postbacks._decoded", careless),
        pytest.raises((jwt.InvalidTokenError, KeyError)),
    ):
        feed(believes_only_what_is_signed, 100, phases=QUICKLY, token=tokens)


def test_a_token_whose_times_nobody_checks_is_found_out() -> None:
    with (
        patch("shop.payments.cryptocloud.postbacks._check_times", lambda claims, now: None),
        pytest.raises((AssertionError, KeyError)),
    ):
        feed(believes_only_what_is_signed, 300, phases=QUICKLY, token=signed_for_any_time)


def test_a_case_that_takes_too_much_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(f"{__name__}.SECONDS", 0.01)
    watch = Watch()

    with pytest.raises(AssertionError, match="it took long"), watch:
        works_for(SECONDS)
    monkeypatch.undo()
    watch.cases = 9
    with pytest.raises(AssertionError, match="it took much"), watch:
        bytearray(MEMORY)


def works_for(seconds: float) -> None:
    """By the clock of the watch itself: no fixed amount of work takes long on every machine."""
    began = time.thread_time()
    while time.thread_time() - began < seconds:
        pass
