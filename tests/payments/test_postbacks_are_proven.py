"""`read_postback` believes a notice only when its token proves it, and takes nothing else for truth."""

from __future__ import annotations

import base64
import contextlib
import hmac
import json
import time
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jwt.warnings import InsecureKeyLengthWarning

from shop.payments.cryptocloud import BadPostback, Postback
from tests.payments.wire import API_KEY, SECRET_KEY, make_client, patient

NOW = 1_790_000_000
FORM = "application/x-www-form-urlencoded"
JSON = "application/json"
HEADER = {"alg": "HS256", "typ": "JWT"}
CLAIMS = {"id": "DZLF4212", "exp": NOW + 300}


def encode(part: object) -> str:
    raw = part if isinstance(part, bytes) else json.dumps(part).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def sign(
    claims: object = CLAIMS, *, header: object = HEADER, key: str = SECRET_KEY, hash: str = "sha256"
) -> str:
    """A token made by hand, so that PyJWT's own scruples do not get in a forger's way."""
    signed = f"{encode(header)}.{encode(claims)}"
    mac = hmac.new(key.encode(), signed.encode(), hash).digest()
    return f"{signed}.{encode(mac)}"


GENUINE = sign()


def notice(**fields: Any) -> dict[str, Any]:
    """What the provider sends; a field given as `...` is left out."""
    sent = {
        "status": "success",
        "invoice_id": "DZLF4212",
        "amount_crypto": "10.01",
        "currency": "USDT_TRC20",
        "order_id": "order-1",
        "token": GENUINE,
    } | fields
    return {name: value for name, value in sent.items() if value is not ...}


def read_json(now: float = NOW, **fields: Any) -> Postback:
    body = json.dumps(notice(**fields)).encode()
    return make_client().read_postback(JSON, body, now=now)


def read_form(now: float = NOW, **fields: Any) -> Postback:
    return make_client().read_postback(FORM, urlencode(notice(**fields)).encode(), now=now)


PROVEN = Postback(
    invoice_id="DZLF4212",
    order_id="order-1",
    status="success",
    amount_crypto="10.01",
    currency="USDT_TRC20",
)


@pytest.mark.parametrize("read", [read_json, read_form])
def test_a_genuine_notice_is_read_in_both_encodings(read: Any) -> None:
    assert read() == PROVEN


def test_a_genuine_notice_is_good_now() -> None:
    token = sign({"id": "DZLF4212", "exp": int(time.time()) + 300})
    body = json.dumps(notice(token=token)).encode()

    assert make_client().read_postback(JSON, body) == PROVEN


@pytest.mark.parametrize(
    "content_type",
    [
        FORM,
        JSON,
        f"{JSON}; charset=utf-8",
        "APPLICATION/JSON",
        "text/plain",
        "",
        None,
        "multipart/x",
    ],
)
@pytest.mark.parametrize("encoding", ["json", "form"])
def test_the_label_need_not_be_right(content_type: str | None, encoding: str) -> None:
    fields = notice()
    body = json.dumps(fields) if encoding == "json" else urlencode(fields)

    assert make_client().read_postback(content_type, body.encode(), now=NOW) == PROVEN


@pytest.mark.parametrize(
    ("content_type", "read"),
    [(JSON, "DZLF4212"), ("APPLICATION/JSON", "DZLF4212"), (FORM, "FORM4212"), (None, "FORM4212")],
)
def test_the_label_decides_where_a_body_is_both(content_type: str | None, read: str) -> None:
    """Both halves are genuine, so that nothing but the encoding is in question."""
    form = urlencode({"token": sign(CLAIMS | {"id": "FORM4212"}), "invoice_id": "FORM4212"})
    body = json.dumps(notice(status=f"&{form}&"))

    found = make_client().read_postback(content_type, body.encode(), now=NOW)

    assert found.invoice_id == read


def test_a_form_may_have_a_hundred_fields() -> None:
    assert read_form(**{f"a{n}": "" for n in range(94)}) == PROVEN


def token_of(length: int) -> str:
    """A genuine token that is so long, with quotes around it where it would not come out even."""
    pads = ("x" * size for size in range(length // 2, length))
    tokens = (f"{q}{sign(CLAIMS | {'pad': pad})}{q}" for pad in pads for q in ("", '"'))
    return next(token for token in tokens if len(token) == length)


def test_a_token_may_be_four_kilobytes_long() -> None:
    assert read_json(token=token_of(4096)) == PROVEN
    with pytest.raises(BadPostback, match="no token"):
        read_json(token=token_of(4097))


@pytest.mark.parametrize("wrapped", ['b"{}"', "b'{}'", '"{}"', "'{}'"])
@pytest.mark.parametrize("read", [read_json, read_form])
def test_a_token_in_the_old_wrapping_is_unwrapped(read: Any, wrapped: str) -> None:
    assert read(token=wrapped.format(GENUINE)) == PROVEN


@pytest.mark.parametrize("signed", ["DZLF4212", "INV-DZLF4212"])
@pytest.mark.parametrize("named", ["DZLF4212", "INV-DZLF4212"])
def test_the_prefix_may_stand_on_either_side(signed: str, named: str) -> None:
    token = sign(CLAIMS | {"id": signed})

    assert read_json(invoice_id=named, token=token).invoice_id == "DZLF4212"


HS384 = sign(header=HEADER | {"alg": "HS384"}, hash="sha384")
HS512 = sign(header=HEADER | {"alg": "HS512"}, hash="sha512")
head, claims, mac = GENUINE.split(".")
flipped = bytearray(base64.urlsafe_b64decode(mac + "="))
flipped[7] ^= 1
LURE = {"k": encode(b"forger"), "kty": "oct"}
NESTED = b'{"alg":"HS256","x":' + b"[" * 1400

FORGED: dict[str, object] = {
    "algorithm none": f"{encode(HEADER | {'alg': 'none'})}.{claims}.",
    "algorithm none, signed": sign(header=HEADER | {"alg": "none"}),
    "algorithm nOnE": f"{encode(HEADER | {'alg': 'nOnE'})}.{claims}.",
    "algorithm nOnE, signed": sign(header=HEADER | {"alg": "nOnE"}),
    "algorithm empty": sign(header=HEADER | {"alg": ""}),
    "algorithm null": sign(header=HEADER | {"alg": None}),
    "algorithm in a list": sign(header=HEADER | {"alg": ["HS256"]}),
    "algorithm missing": sign(header={"typ": "JWT"}),
    "HS384 with the right key": HS384,
    "HS512 with the right key": HS512,
    "HS256 under the name RS256": sign(header=HEADER | {"alg": "RS256"}),
    "HS256 under the name hs256": sign(header=HEADER | {"alg": "hs256"}),
    "HS512 under the name HS256": sign(hash="sha512"),
    "wrong key": sign(key="some-other-secret-0123456789-0123456789"),
    "another project's key": sign(key=SECRET_KEY.replace("tests", "other")),
    "empty key": sign(key=""),
    "key with a line end": sign(key=SECRET_KEY + "\n"),
    "API key as the key": sign(key=API_KEY),
    "a bit flipped": f"{head}.{claims}.{encode(bytes(flipped))}",
    "claims of another": f"{head}.{encode(CLAIMS | {'exp': NOW + 301})}.{mac}",
    "no signature": f"{head}.{claims}",
    "empty signature": f"{head}.{claims}.",
    "short signature": f"{head}.{claims}.{mac[:20]}",
    "one part": head,
    "four parts": f"{GENUINE}.{mac}",
    "five parts": f"{GENUINE}.{mac}.{mac}",
    "the JSON form": {"protected": head, "payload": claims, "signature": mac},
    "the JSON form as text": json.dumps({"protected": head, "payload": claims, "signature": mac}),
    "unknown crit": sign(header=HEADER | {"crit": ["exp-ms"], "exp-ms": 1}),
    "payload not encoded": sign(header=HEADER | {"b64": False, "crit": ["b64"]}),
    "kid lure": sign(header=HEADER | {"kid": "../../dev/null"}, key=""),
    "kid is no text": sign(header=HEADER | {"kid": 7}, key="forger"),
    "jwk lure": sign(header=HEADER | {"jwk": LURE}, key="forger"),
    "jku lure": sign(header=HEADER | {"jku": "https://evil.example/keys"}, key="forger"),
    "x5u lure": sign(header=HEADER | {"x5u": "https://evil.example/cert"}, key="forger"),
    "header is no object": sign(header=["HS256"]),
    "header is no JSON": sign(header=b"\xff\xfe"),
    "header nested deeply": sign(header=NESTED),
    "claims are no object": sign(claims=["DZLF4212"]),
    "claims are no JSON": sign(claims=b"id=DZLF4212"),
    "claims nested deeply": sign(claims=NESTED),
    "expired beyond leeway": sign(CLAIMS | {"exp": NOW - 61}),
    "expired at the epoch": sign(CLAIMS | {"exp": 0}),
    "no expiry": sign({"id": "DZLF4212"}),
    "expiry is text": sign(CLAIMS | {"exp": str(NOW + 300)}),
    "expiry is a bool": sign(CLAIMS | {"exp": True}),
    "expiry is null": sign(CLAIMS | {"exp": None}),
    "expiry is a fraction": sign(CLAIMS | {"exp": NOW + 0.5}),
    "expiry is a list": sign(CLAIMS | {"exp": [NOW + 300]}),
    "expiry is 1e400": sign(b'{"id":"DZLF4212","exp":1e400}'),
    "expiry is NaN": sign(b'{"id":"DZLF4212","exp":NaN}'),
    "expiry has 4000 digits": sign(b'{"id":"DZLF4212","exp":' + b"9" * 2500 + b"}"),
    "lives too long": sign(CLAIMS | {"exp": NOW + 15 * 60 + 1}),
    "lives for ever": sign(CLAIMS | {"exp": 2**62}),
    "not valid yet": sign(CLAIMS | {"nbf": NOW + 61}),
    "not-before is text": sign(CLAIMS | {"nbf": str(NOW)}),
    "not-before is null": sign(CLAIMS | {"nbf": None}),
    "no id": sign({"exp": NOW + 300}),
    "id is null": sign(CLAIMS | {"id": None}),
    "id is a number": sign(CLAIMS | {"id": 4212}),
    "id is a list": sign(CLAIMS | {"id": ["DZLF4212"]}),
    "id is an object": sign(CLAIMS | {"id": {"id": "DZLF4212"}}),
    "id is empty": sign(CLAIMS | {"id": ""}),
    "id of another invoice": sign(CLAIMS | {"id": "PAIDPAID"}),
    "id in small letters": sign(CLAIMS | {"id": "dzlf4212"}),
    "id that looks alike": sign(CLAIMS | {"id": "DZLF421２"}),
    "id with a line end": sign(CLAIMS | {"id": "DZLF4212\n"}),
    "uuid in place of id": sign({"uuid": "DZLF4212", "exp": NOW + 300}),
    "too long": sign(CLAIMS | {"padding": "x" * 4096}),
    "null": None,
    "missing": ...,
    "empty": "",
    "a number": 7,
    "true": True,
    "a list": [GENUINE],
    "space around": f" {GENUINE} ",
    "a line end": GENUINE + "\n",
    "two of them": f"{GENUINE},{GENUINE}",
    "with its scheme": f"Bearer {GENUINE}",
    "wrapped in code": f'bb"{GENUINE}"',
    "our own signature": "WzEsMV0.0Zc3gH9bXn8xv7mQ",
}


@pytest.mark.parametrize("kind", FORGED)
def test_a_forged_token_is_refused(kind: str) -> None:
    with pytest.raises(BadPostback):
        read_json(token=FORGED[kind])


@pytest.mark.parametrize(
    "kind", [k for k, token in FORGED.items() if isinstance(token, str) or token is ...]
)
def test_a_forged_token_is_refused_in_a_form_as_well(kind: str) -> None:
    with pytest.raises(BadPostback):
        read_form(token=FORGED[kind])


@pytest.mark.parametrize(
    "fields",
    [
        {"invoice_id": "PAIDPAID"},
        {"invoice_id": "INV-PAIDPAID"},
        {"invoice_id": "dzlf4212"},
        {"invoice_id": "DZLF421２"},
        {"invoice_id": "DZLF4212\x00"},
        {"invoice_id": "DZLF4212 "},
        {"invoice_id": ""},
        {"invoice_id": None},
        {"invoice_id": 4212},
        {"invoice_id": ["DZLF4212"]},
        {"invoice_id": {"$ne": ""}},
        {"invoice_id": ...},
    ],
)
def test_a_token_proves_nothing_about_another_invoice(fields: dict[str, Any]) -> None:
    with pytest.raises(BadPostback, match="invoice"):
        read_json(**fields)


@pytest.mark.parametrize(
    ("claim", "accepted"),
    [
        ({"exp": NOW - 59}, True),
        ({"exp": NOW - 60}, False),
        ({"exp": NOW + 15 * 60}, True),
        ({"exp": NOW + 15 * 60 + 1}, False),
        ({"nbf": NOW + 60}, True),
        ({"nbf": NOW + 61}, False),
        ({"iat": NOW + 3600, "aud": "anybody", "iss": "anybody"}, True),
    ],
)
def test_clocks_may_differ_by_a_minute(claim: dict[str, object], accepted: bool) -> None:
    token = sign(CLAIMS | claim)
    if accepted:
        assert read_json(token=token) == PROVEN
    else:
        with pytest.raises(BadPostback):
            read_json(token=token)


@pytest.mark.parametrize("now", [1_000_000_000, 4_000_000_000])
def test_only_the_given_clock_counts(now: int) -> None:
    token = sign({"id": "DZLF4212", "iat": now, "nbf": now, "exp": now + 300})

    assert read_json(now=now, token=token) == PROVEN


def test_a_genuine_token_cannot_be_used_again_after_its_time() -> None:
    assert read_json(now=NOW + 300) == PROVEN
    with pytest.raises(BadPostback, match="expired"):
        read_json(now=NOW + 361)


@pytest.mark.parametrize(
    "body",
    [
        f'{{"token":"x","token":"{GENUINE}","invoice_id":"DZLF4212"}}',
        f'{{"token":"{GENUINE}","invoice_id":"PAIDPAID","invoice_id":"DZLF4212"}}',
        f"token=x&token={GENUINE}&invoice_id=DZLF4212",
        f"token={GENUINE}&invoice_id=PAIDPAID&invoice_id=DZLF4212",
        f"token={GENUINE}&invoice_id=DZLF4212&order_id=a&order_id=b",
        f"token={GENUINE}&invoice_id=DZLF4212&token=",
        f"token={GENUINE}&invoice_id=DZLF4212" + "".join(f"&a{n}=" for n in range(99)),
        f'{{"token":"{GENUINE}","invoice_id":"DZLF4212","amount_crypto":NaN}}',
    ],
)
@pytest.mark.parametrize("content_type", [JSON, FORM])
def test_a_field_given_twice_a_flood_of_fields_and_no_number_are_refused(
    content_type: str, body: str
) -> None:
    with pytest.raises(BadPostback, match="neither JSON nor a form"):
        make_client().read_postback(content_type, body.encode(), now=NOW)


@pytest.mark.parametrize(
    "body",
    [
        b"", b"null", b"[]", b"{}", b'"token"', b"\xff\xfe\x00", b"token", b"&&&===", b"[" * 30_000,
        b'{"token":' * 3000, b"%ff=%ff", b'{"token": NaN, "invoice_id": Infinity}',
        b'{"token":"x","amount":' + b"9" * 20_000 + b"}", b"<token>x</token>",
    ],
)  # fmt: skip
@pytest.mark.parametrize("content_type", [JSON, FORM, None])
def test_a_body_that_is_no_notice_is_refused(content_type: str | None, body: bytes) -> None:
    with pytest.raises(BadPostback):
        make_client().read_postback(content_type, body, now=NOW)


@pytest.mark.parametrize(("size", "accepted"), [(32 * 1024, True), (32 * 1024 + 1, False)])
def test_a_notice_may_be_32_kilobytes_long(size: int, accepted: bool) -> None:
    body = json.dumps(notice()).encode().ljust(size)
    if accepted:
        assert make_client().read_postback(JSON, body, now=NOW) == PROVEN
    else:
        with pytest.raises(BadPostback, match="too large"):
            make_client().read_postback(JSON, body, now=NOW)


def test_five_megabytes_are_refused_before_they_are_parsed() -> None:
    body = b"[" * 5_000_000
    started = time.thread_time()  # its own work, and not what else the machine does

    with pytest.raises(BadPostback, match="too large"):
        make_client().read_postback(JSON, body, now=NOW)

    assert time.thread_time() - started < 0.1


def test_without_a_secret_nothing_is_believed() -> None:
    body = json.dumps(notice(token=sign(key=""))).encode()

    with pytest.raises(BadPostback, match=r"^no secret key is set$"):
        make_client(secret_key="").read_postback(JSON, body, now=NOW)


def test_a_short_secret_works_as_it_is_written_but_not_in_silence() -> None:
    body = json.dumps(notice(token=sign(key="c2hvcnQ="))).encode()

    with pytest.warns(InsecureKeyLengthWarning):
        proven = make_client(secret_key="c2hvcnQ=").read_postback(JSON, body, now=NOW)

    assert proven == PROVEN


@pytest.mark.parametrize(
    ("sent", "name", "read"),
    [
        ({"status": "fail"}, "status", "fail"),
        ({"status": ...}, "status", ""),
        ({"status": {"a": 1}}, "status", ""),
        ({"order_id": ...}, "order_id", None),
        ({"order_id": None}, "order_id", None),
        ({"order_id": ""}, "order_id", None),
        ({"order_id": "another"}, "order_id", "another"),
        ({"order_id": 1111}, "order_id", "1111"),
        ({"amount_crypto": "0.123456789012345678"}, "amount_crypto", "0.123456789012345678"),
        ({"amount_crypto": ["1"]}, "amount_crypto", ""),
        ({"currency": "BTC"}, "currency", "BTC"),
        ({"currency": None}, "currency", ""),
        ({"status": "x" * 5000}, "status", "x" * 120),
        ({"order_id": "a\x00b\ud800\r\n\u202e\x1b[1m"}, "order_id", "a?b?????[1m"),
        ({"invoice_info": {"uuid": "INV-OTHER", "status": "canceled"}}, "status", "success"),
        ({"invoice_info": "not JSON {"}, "status", "success"),
        ({"something": "new"}, "status", "success"),
    ],
)
def test_the_other_fields_are_hints_made_safe_to_store_and_show(
    sent: dict[str, Any], name: str, read: str | None
) -> None:
    assert getattr(read_json(**sent), name) == read


def test_an_amount_written_as_a_number_keeps_every_digit() -> None:
    body = json.dumps(notice(amount_crypto=0)).replace(": 0,", ": 0.000000012345678901,")

    read = make_client().read_postback(JSON, body.encode(), now=NOW)

    assert read.amount_crypto == "0.000000012345678901"


def test_a_refusal_says_why_without_showing_what_was_sent() -> None:
    for token in FORGED.values():
        with pytest.raises(BadPostback) as error:
            read_json(token=token)
        assert len(str(error.value)) < 80
        assert "eyJ" not in str(error.value)
        assert SECRET_KEY not in str(error.value)


PREVIOUS_KEY = "the-secret-before-this-one-0123456789-0123"
ITS_END = datetime.fromtimestamp(NOW, UTC)


@pytest.mark.parametrize(
    ("now", "until", "accepted"),
    [
        (NOW - 1, ITS_END, True),
        (NOW, ITS_END, False),
        (NOW + 1, ITS_END, False),
        (NOW - 1, None, False),
    ],
)
def test_the_previous_secret_proves_notices_until_its_end(
    now: int, until: datetime | None, accepted: bool
) -> None:
    client = make_client(previous_secret_key=PREVIOUS_KEY, previous_until=until)
    body = json.dumps(notice(token=sign(key=PREVIOUS_KEY))).encode()
    if accepted:
        assert client.read_postback(JSON, body, now=now) == PROVEN
    else:
        with pytest.raises(BadPostback, match="InvalidSignature"):
            client.read_postback(JSON, body, now=now)


def test_the_present_secret_goes_on_proving_beside_the_previous_one() -> None:
    client = make_client(previous_secret_key=PREVIOUS_KEY, previous_until=ITS_END)
    body = json.dumps(notice()).encode()

    for now in (NOW - 1, NOW + 1):
        assert client.read_postback(JSON, body, now=now) == PROVEN


@pytest.mark.parametrize("kind", [k for k, token in FORGED.items() if isinstance(token, str)])
def test_a_previous_secret_lets_no_forged_token_in(kind: str) -> None:
    client = make_client(previous_secret_key=PREVIOUS_KEY, previous_until=ITS_END)
    body = json.dumps(notice(token=FORGED[kind])).encode()

    with pytest.raises(BadPostback):
        client.read_postback(JSON, body, now=NOW - 1)


@pytest.mark.parametrize("changes", [{"exp": NOW - 62}, {"id": "PAIDPAID"}, {"exp": NOW + 900}])
def test_a_token_of_the_previous_secret_must_be_as_good_as_any_other(
    changes: dict[str, object],
) -> None:
    client = make_client(previous_secret_key=PREVIOUS_KEY, previous_until=ITS_END)
    body = json.dumps(notice(token=sign(CLAIMS | changes, key=PREVIOUS_KEY))).encode()

    with pytest.raises(BadPostback):
        client.read_postback(JSON, body, now=NOW - 1)


def test_an_empty_previous_secret_proves_nothing() -> None:
    client = make_client(previous_until=ITS_END)
    body = json.dumps(notice(token=sign(key=""))).encode()

    with pytest.raises(BadPostback):
        client.read_postback(JSON, body, now=NOW - 1)


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"token": sign(key="some-other-secret-0123456789-0123456789")}, "DZLF4212"),
        ({"token": ...}, None),
        ({"token": None}, "DZLF4212"),
        ({"token": "x" * 5000, "invoice_id": "INV-DZLF4212"}, "DZLF4212"),
        ({"invoice_id": "PAIDPAID"}, "PAIDPAID"),
        ({"invoice_id": "dzlf4212"}, None),
        ({"invoice_id": ["DZLF4212"]}, None),
        ({"invoice_id": ...}, None),
    ],
)
def test_a_refusal_says_which_invoice_was_named_without_believing_it(
    fields: dict[str, Any], named: str | None
) -> None:
    with pytest.raises(BadPostback) as error:
        read_json(**fields)

    assert error.value.invoice_id == named


V2_FACTS = {
    "uuid": "INV-DZLF4212",
    "status": "paid",
    "invoice_status": "success",
    "amount_in_fiat": 10.0,
    "currency": {"code": "USDT", "network": {"code": "TRC20"}},
    "tx_list": ["0x1"],
    "test_mode": False,
}


@pytest.mark.parametrize("facts", [V2_FACTS, V2_FACTS | {"uuid": "INV-PAIDPAID"}, None, []])
def test_the_facts_that_v2_adds_are_neither_needed_nor_believed(facts: object) -> None:
    assert read_json(invoice_info=facts) == PROVEN
    assert read_form(invoice_info=json.dumps(facts)) == PROVEN
    assert read_form(invoice_info=str(facts)) == PROVEN


def values(floats: st.SearchStrategy[float]) -> st.SearchStrategy[object]:
    return st.recursive(
        st.none() | st.booleans() | floats | st.integers() | st.text(max_size=20),
        lambda inner: (
            st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=2)
        ),
    )


VALUES = values(st.floats())
FINITE = values(st.floats(allow_nan=False, allow_infinity=False))


@patient
@given(body=st.binary(max_size=300), content_type=st.sampled_from([JSON, FORM, None]))
def test_no_body_makes_it_raise_anything_else(body: bytes, content_type: str | None) -> None:
    with pytest.raises(BadPostback):
        make_client().read_postback(content_type, body)


@patient
@given(
    header=st.just(HEADER)
    | st.dictionaries(st.sampled_from(["alg", "kid", "crit", "b64"]), VALUES),
    claims=st.dictionaries(
        st.sampled_from(["id", "exp", "nbf", "iat", "sub", "jti", "aud"]), VALUES
    ),
)
def test_no_token_that_the_provider_might_sign_makes_it_raise_anything_else(
    header: dict[str, object], claims: dict[str, object]
) -> None:
    token = sign(CLAIMS | claims, header=header)
    with contextlib.suppress(BadPostback):
        assert read_json(token=token).invoice_id == "DZLF4212"


@patient
@given(
    fields=st.dictionaries(
        st.sampled_from(["status", "order_id", "amount_crypto", "currency", "x"]), FINITE
    )
)
def test_whatever_the_unsigned_fields_hold_can_be_stored(fields: dict[str, object]) -> None:
    read = read_json(**fields)

    texts = [read.status, read.order_id or "", read.amount_crypto, read.currency]
    assert all(len(text) <= 120 and text.isascii() and text.isprintable() for text in texts)
