"""`read_postback` believes a postback only when its token proves it, and takes nothing else for truth."""

from __future__ import annotations

import base64
import contextlib
import hmac
import json
import time
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, quote_plus, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jwt.warnings import InsecureKeyLengthWarning

from shop.payments.cryptocloud import SIGNED, BadPostback, ProvenPostback, Refusal, unproven_fields
from tests.payments.wire import API_KEY, SECRET_KEY, make_client, patient

NOW = 1_790_000_000
FAR_TOO_LONG = 10.0
"""Seconds of work for a body: hundredths are usual, and what grows with the square of it needs minutes."""
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


def postback(**fields: Any) -> dict[str, Any]:
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


def read_json(now: float = NOW, **fields: Any) -> ProvenPostback:
    body = json.dumps(postback(**fields)).encode()
    return make_client().read_postback(JSON, body, now=now)


def read_form(now: float = NOW, **fields: Any) -> ProvenPostback:
    return make_client().read_postback(FORM, urlencode(postback(**fields)).encode(), now=now)


def in_parts(fields: list[tuple[str, str]], *, before: str = "", end: str = "\r\n") -> bytes:
    """The same as multipart/form-data; `before` is a part of its own, written out."""
    head = 'Content-Disposition: form-data; name="{}"'
    parts = [f"{head.format(name)}\r\n\r\n{value}" for name, value in fields]
    text = "".join(f"--limit\r\n{part}\r\n" for part in [*filter(None, [before]), *parts])
    return f"{text}--limit--\r\n".replace("\r\n", end).encode()


def read_parts(
    now: float = NOW, content_type: str = "multipart/form-data; boundary=limit", **fields: Any
) -> ProvenPostback:
    body = in_parts(list(postback(**fields).items()))
    return make_client().read_postback(content_type, body, now=now)


PROVEN = ProvenPostback(
    invoice_id="DZLF4212",
    order_id="order-1",
    status="success",
    amount_crypto="10.01",
    currency="USDT_TRC20",
)


@pytest.mark.parametrize("read", [read_json, read_form, read_parts])
def test_a_genuine_postback_is_read_in_every_encoding(read: Any) -> None:
    assert read() == PROVEN


def test_a_genuine_postback_is_good_now() -> None:
    token = sign({"id": "DZLF4212", "exp": int(time.time()) + 300})
    body = json.dumps(postback(token=token)).encode()

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
@pytest.mark.parametrize("encoding", ["json", "form", "parts"])
def test_the_label_need_not_be_right(content_type: str | None, encoding: str) -> None:
    fields = postback()
    body = {
        "json": json.dumps(fields).encode(),
        "form": urlencode(fields).encode(),
        "parts": in_parts(list(fields.items())),
    }[encoding]

    assert make_client().read_postback(content_type, body, now=NOW) == PROVEN


FILE = 'Content-Disposition: form-data; name="{}"; filename="x.txt"\r\n\r\n{}'


def test_files_among_the_parts_are_left_out() -> None:
    label = "multipart/form-data; boundary=limit"
    fields = list(postback().items())
    receipt = in_parts(fields, before=FILE.format("receipt", "a\r\n" * 5000))
    assert make_client().read_postback(label, receipt, now=NOW) == PROVEN

    token = in_parts(fields[:-1], before=FILE.format("token", GENUINE))
    with pytest.raises(BadPostback) as error:
        make_client().read_postback(label, token, now=NOW)
    assert (error.value.because, error.value.invoice_id) == (Refusal.UNSIGNED, "DZLF4212")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("\r\n\r\nDZLF", "\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nDZLF"),
        ("form-data; name", "Form-Data ;name"),
        ("Content-Disposition", "content-disposition"),
        ('"token"', "token"),
        ("--limit\r\n", "--limit \t\r\n"),
        ("--limit", "--limit(1)+?.*"),
        ("--limit--\r\n", "--limit--"),
        ("--limit--\r\n", "--limit--\r\nan epilogue"),
        ("", "\r\n"),
    ],
)
def test_parts_may_look_different(old: str, new: str) -> None:
    text = in_parts(list(postback().items())).decode()
    body = text.replace(old, new) if old else new + text

    assert make_client().read_postback("multipart/form-data", body.encode(), now=NOW) == PROVEN


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("--limit--", "--limit"),
        ("\r\n--limit--", ""),
        ('name="token"\r\n', 'name="token"'),
        ("--limit\r\n", "--limit--\r\n"),
        (
            '--limit\r\nContent-Disposition: form-data; name="token"',
            '--limit2\r\nContent-Disposition: form-data; name="token"',
        ),
        (
            '--limit\r\nContent-Disposition: form-data; name="token"',
            '--limitX\r\nContent-Disposition: form-data; name="token"',
        ),
        ("Content-Disposition", "X" * 1100 + ": x\r\nContent-Disposition"),
        ("Content-Disposition", "Disposition"),
    ],
)
def test_torn_parts_are_not_read(old: str, new: str) -> None:
    """The control: what is not surely a field is not guessed at."""
    body = in_parts(list(postback().items())).decode().replace(old, new)

    with pytest.raises(BadPostback) as error:
        make_client().read_postback("multipart/form-data", body.encode(), now=NOW)

    assert error.value.because is Refusal.UNREADABLE
    assert error.value.invoice_id == "DZLF4212"


def test_parts_may_be_parted_by_line_feeds_alone() -> None:
    body = in_parts(list(postback().items()), end="\n")

    assert make_client().read_postback(None, body, now=NOW) == PROVEN


def test_a_part_ends_its_head_at_the_first_empty_line() -> None:
    assert read_parts(order_id="a\r\n\r\nb").order_id == "a????b"


def test_a_form_in_parts_has_its_limits_too() -> None:
    def in_many(parts: int, head: int) -> bytes:
        more = [(f"a{n}", "") for n in range(parts - len(postback()) - 1)]
        first = "\r\nContent-Disposition: form-data; name=z"
        first += "\r\nX: ".ljust(head - len(first), "x")
        return in_parts([*postback().items(), *more], before=f"{first[2:]}\r\n\r\n")

    label = "multipart/form-data; boundary=limit"
    assert make_client().read_postback(label, in_many(2000, 1000), now=NOW) == PROVEN
    for parts, head in (2001, 1000), (2000, 1001):
        with pytest.raises(BadPostback, match="neither JSON nor a form"):
            make_client().read_postback(label, in_many(parts, head), now=NOW)


CYRILLIC = "Перевод от Ивана"


@pytest.mark.parametrize("name", ["comment", "invoice_info", "tx_list[]"])
@pytest.mark.parametrize(
    "encoding", ["utf-8", "windows-1251", "koi8-r", "utf-16", "utf-16-le", "utf-8-sig"]
)
def test_json_may_be_in_any_encoding(encoding: str, name: str) -> None:
    fields = postback() | {name: CYRILLIC}
    body = json.dumps(fields, ensure_ascii=False).encode(encoding)

    assert make_client().read_postback(JSON, body, now=NOW) == PROVEN
    assert make_client().read_postback(f"{JSON}; charset={encoding}", body, now=NOW) == PROVEN


@pytest.mark.parametrize("encoding", ["utf-8", "windows-1251", "koi8-r"])
def test_so_may_the_parts_of_a_form_and_hold_empty_lines(encoding: str) -> None:
    fields = [(CYRILLIC, "a"), ("comment", f"{CYRILLIC}\r\n\r\n{CYRILLIC}"), *postback().items()]
    body = in_parts(fields).decode().encode(encoding)

    assert make_client().read_postback("multipart/form-data", body, now=NOW) == PROVEN


@pytest.mark.parametrize("encoding", ["utf-8", "windows-1251", "koi8-r", "utf-8-sig"])
def test_so_may_a_form(encoding: str) -> None:
    raw = "&".join(f"{n}={v}" for n, v in (postback() | {"comment": CYRILLIC}).items())
    coded = urlencode(postback() | {"comment": CYRILLIC}, encoding=encoding.removesuffix("-sig"))

    assert make_client().read_postback(FORM, raw.encode(encoding), now=NOW) == PROVEN
    assert make_client().read_postback(FORM, coded.encode(), now=NOW) == PROVEN


def test_a_byte_that_is_no_letter_of_its_encoding_is_no_part_of_an_id() -> None:
    """The control: what cannot be decoded is not left out, as if it had never stood there."""
    body = json.dumps(postback(invoice_id="DZLF@4212")).encode().replace(b"@", b"\xff")

    with pytest.raises(BadPostback):
        make_client().read_postback(JSON, body, now=NOW)


REPEATED = [
    "invoice_info=uuid&invoice_info=status",
    "tx_list[]=0x1&tx_list[]=0x2&tx_list[]=0x1",
    "invoice_info[tx_list][]=0x1&invoice_info[tx_list][]=0x2",
    "invoice_info[token]=a&invoice_info[token]=b&token[]=c&order_id[]=a&order_id[]=b",
    "=&=&&",
    "x=1&x=1&project=id&project=name",
]


@pytest.mark.parametrize("more", REPEATED)
@pytest.mark.parametrize("content_type", [FORM, JSON, None])
def test_what_is_not_used_may_be_given_as_often_as_they_like(
    content_type: str | None, more: str
) -> None:
    fields = urlencode(postback())
    parts = in_parts([*postback().items(), *parse_qsl(more)])
    for body in (f"{fields}&{more}", f"{more}&{fields}"):
        assert make_client().read_postback(content_type, body.encode(), now=NOW) == PROVEN
    assert make_client().read_postback(content_type, parts, now=NOW) == PROVEN


@pytest.mark.parametrize(
    "more",
    [
        '"comment":"a","comment":"b"',
        '"invoice_info":{"token":"a","token":"b","status":1,"status":2}',
        '"tx":[{"order_id":"a","order_id":"b"}],"project":{"invoice_id":"A","invoice_id":"B"}',
        '"invoice_info":{"fee":NaN,"amount":1e400,"received":-Infinity,"step":' + "9" * 5000 + "}",
        '"comment":"a line\nand\tanother"',
    ],
)
def test_what_is_not_used_may_be_odd_json(more: str) -> None:
    fields = json.dumps(postback())[1:-1]
    for body in (f"{{{fields},{more}}}", f"{{{more},{fields}}}"):
        assert make_client().read_postback(JSON, body.encode(), now=NOW) == PROVEN


@pytest.mark.parametrize(
    ("content_type", "read"),
    [(JSON, "DZLF4212"), ("APPLICATION/JSON", "DZLF4212"), (FORM, "FORM4212"), (None, "FORM4212")],
)
def test_the_label_decides_where_a_body_is_both(content_type: str | None, read: str) -> None:
    """Both halves are genuine, so that nothing but the encoding is in question."""
    form = urlencode({"token": sign(CLAIMS | {"id": "FORM4212"}), "invoice_id": "FORM4212"})
    body = json.dumps(postback(status=f"&{form}&"))

    found = make_client().read_postback(content_type, body.encode(), now=NOW)

    assert found.invoice_id == read


def test_a_form_may_have_two_thousand_fields() -> None:
    assert read_form(**{f"a{n}": "" for n in range(1994)}) == PROVEN
    with pytest.raises(BadPostback, match="neither JSON nor a form"):
        read_form(**{f"a{n}": "" for n in range(1995)})


TRANSACTIONS = [f"0x{n:064x}" for n in range(600)]


def test_an_invoice_may_have_been_paid_in_six_hundred_transactions() -> None:
    """A buyer with a wallet full of dust does not lose the goods for it."""
    facts = {"uuid": "INV-DZLF4212", "tx_list": TRANSACTIONS}
    flat = urlencode(postback()) + "".join(f"&tx_list[]={one}" for one in TRANSACTIONS)
    parts = {f"invoice_info[tx_list][{n}][hash]": one for n, one in enumerate(TRANSACTIONS)}

    assert read_json(invoice_info=facts, tx_list=TRANSACTIONS) == PROVEN
    assert read_form(invoice_info=json.dumps(facts)) == PROVEN
    assert read_form(**parts) == PROVEN
    assert make_client().read_postback(FORM, flat.encode(), now=NOW) == PROVEN
    assert read_parts(**parts) == PROVEN


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
    "expiry is a list": sign(CLAIMS | {"exp": [NOW + 300]}),
    "expiry is 1e400": sign(b'{"id":"DZLF4212","exp":1e400}'),
    "expiry is NaN": sign(b'{"id":"DZLF4212","exp":NaN}'),
    "expiry is -Infinity": sign(b'{"id":"DZLF4212","exp":-Infinity}'),
    "expired by a fraction": sign(CLAIMS | {"exp": NOW - 61.5}),
    "lives too long by a fraction": sign(CLAIMS | {"exp": NOW + 900.5}),
    "expiry has 4000 digits": sign(b'{"id":"DZLF4212","exp":' + b"9" * 2500 + b"}"),
    "lives too long": sign(CLAIMS | {"exp": NOW + 15 * 60 + 1}),
    "lives for ever": sign(CLAIMS | {"exp": 2**62}),
    "not valid yet": sign(CLAIMS | {"nbf": NOW + 61}),
    "not valid yet, by a fraction": sign(CLAIMS | {"nbf": NOW + 60.5}),
    "not-before is NaN": sign(b'{"id":"DZLF4212","exp":%d,"nbf":NaN}' % (NOW + 300)),
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
    "id with a blank": sign(CLAIMS | {"id": "DZLF4212 "}),
    "id of another length": sign(CLAIMS | {"id": "PAIDPAIDPAID"}),
    "id in digits": sign(CLAIMS | {"id": "1300000"}),
    "id 13, as in the documentation": sign(CLAIMS | {"id": 13}),
    "uuid in place of id": sign({"uuid": "DZLF4212", "exp": NOW + 300}),
    "uuid with its prefix": sign({"uuid": "INV-DZLF4212", "exp": NOW + 300}),
    "uuid beside a number": sign({"id": 13, "uuid": "DZLF4212", "exp": NOW + 300}),
    "uuid of another invoice": sign({"uuid": "PAIDPAID", "exp": NOW + 300}),
    "uuid ours, id another's": sign({"id": "PAIDPAID", "uuid": "DZLF4212", "exp": NOW + 300}),
    "too long": sign(CLAIMS | {"padding": "x" * 4096}),
    "null": None,
    "missing": ...,
    "empty": "",
    "a number": 7,
    "true": True,
    "a list": [GENUINE],
    "blanks only": " \t\r\n",
    "a blank in the middle": GENUINE.replace(".", ". ", 1),
    "a look-alike blank at its end": GENUINE + "\N{NO-BREAK SPACE}",
    "a NUL at its end": GENUINE + "\x00",
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


WHY = {
    Refusal.SIGNATURE: """HS512 under the name HS256, wrong key, another project's key, empty key,
        key with a line end, API key as the key, a bit flipped, claims of another, short signature,
        kid lure, jwk lure, jku lure, x5u lure""",
    Refusal.EXPIRED: """expired beyond leeway, expired by a fraction, expired at the epoch,
        expiry has 4000 digits, lives too long, lives too long by a fraction, lives for ever,
        not valid yet, not valid yet by a fraction""",
    Refusal.UNDATED: """no expiry, expiry is text, expiry is a bool, expiry is null, expiry is a list,
        expiry is 1e400, expiry is NaN, expiry is -Infinity, not-before is text, not-before is null,
        not-before is NaN""",
    Refusal.NOT_FOR_INVOICE: """no id, id is null, id is a number, id is a list, id is an object,
        id is empty, id in small letters, id that looks alike, id with a line end, id with a blank,
        id of another length, id in digits, id 13 as in the documentation, uuid in place of id,
        uuid with its prefix, uuid beside a number""",
    Refusal.OTHER_INVOICE: "id of another invoice, uuid of another invoice, uuid ours id another's",
    Refusal.UNSIGNED: "null, missing, empty, a number, true, a list, the JSON form, blanks only",
}


@pytest.mark.parametrize("kind", FORGED)
def test_a_refusal_says_whether_our_key_signed_it_and_what_is_wrong_then(kind: str) -> None:
    """Else who has copied the right key is sent to copy it again, and who has not is not."""
    kinds = {" ".join(name.split()): why for why, names in WHY.items() for name in names.split(",")}
    assert len(kinds) == 60
    because = kinds.get(kind.replace(",", ""), Refusal.MALFORMED)

    with pytest.raises(BadPostback) as error:
        read_json(token=FORGED[kind])

    assert error.value.because is because
    assert len(because) <= 20, "the column takes no more"
    assert (because in SIGNED) is (
        because not in (Refusal.SIGNATURE, Refusal.MALFORMED, Refusal.UNSIGNED)
    )


@pytest.mark.parametrize(
    "claims",
    [{"sub": 13}, {"jti": 7}, {"iat": "today"}, {"iss": 1, "aud": [1]}, {"uuid": "PAIDPAID"}],
)
def test_claims_that_are_not_used_may_say_anything(claims: dict[str, object]) -> None:
    assert read_json(token=sign(CLAIMS | claims)) == PROVEN


@pytest.mark.parametrize(
    "odd",
    [
        " {} ", "{}\n", "\r\n{}\t", 'b"{}" ', " b'{}'\r\n", '"{} "', "b' {}\n'",
    ],
)  # fmt: skip
@pytest.mark.parametrize("read", [read_json, read_form, read_parts])
def test_blanks_around_a_token_are_none_of_it(read: Any, odd: str) -> None:
    """Five clients of the provider's trim it, so they had a reason to."""
    assert read(token=odd.format(GENUINE)) == PROVEN


@pytest.mark.parametrize("claim", ["exp", "nbf"])
@pytest.mark.parametrize("fraction", [0.5, 0.000001])
def test_times_may_have_a_fraction(claim: str, fraction: float) -> None:
    assert read_json(token=sign(CLAIMS | {claim: NOW + fraction})) == PROVEN


def test_blanks_around_the_other_fields_are_none_of_them_either() -> None:
    """A line end after a form's body is a part of its last field."""
    padded = {name: f" {value}\r\n" for name, value in postback().items()}

    assert read_json(**padded) == read_form(**padded) == PROVEN


@pytest.mark.parametrize(
    "fields",
    [
        {"invoice_id": "PAIDPAID"},
        {"invoice_id": "INV-PAIDPAID"},
        {"invoice_id": "dzlf4212"},
        {"invoice_id": "DZLF421２"},
        {"invoice_id": "DZLF4212\x00"},
        {"invoice_id": "DZLF 4212"},
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
        ({"exp": NOW - 59.5}, True),
        ({"exp": NOW - 60}, False),
        ({"exp": NOW - 60.5}, False),
        ({"exp": NOW + 15 * 60 + 0.5}, False),
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
        f"token={GENUINE}&token={GENUINE}&invoice_id=DZLF4212",
        f"token={GENUINE}&invoice_id=DZLF4212&invoice_id=DZLF4212",
        f"token={GENUINE}&invoice_id=DZLF4212&status=success&status=success",
        f"token={GENUINE}&invoice_id=DZLF4212&amount_crypto=1&amount_crypto=2",
        f"token={GENUINE}&invoice_id=DZLF4212&currency=BTC&currency=ETH",
        f'{{"token":"{GENUINE}","invoice_id":"DZLF4212","invoice_id":"DZLF4212"}}',
        in_parts([("token", GENUINE), ("invoice_id", "DZLF4212"), ("token", GENUINE)]).decode(),
    ],
)
@pytest.mark.parametrize("content_type", [JSON, FORM, "multipart/form-data"])
def test_a_field_that_counts_is_given_once(content_type: str, body: str) -> None:
    """Two readers would take two things from it, which is how forgeries slip through."""
    with pytest.raises(BadPostback, match="a field that counts is given twice") as error:
        make_client().read_postback(content_type, body.encode(), now=NOW)

    assert error.value.because is Refusal.UNREADABLE
    assert error.value.invoice_id in ("DZLF4212", "PAIDPAID"), "it is asked about all the same"


@pytest.mark.parametrize(
    "body",
    [
        b"", b"null", b"[]", b"{}", b'"token"', b"\xff\xfe\x00", b"token", b"&&&===", b"[" * 30_000,
        b'{"token":' * 3000, b"%ff=%ff", b'{"token": NaN, "invoice_id": Infinity}',
        b'{"token":"x","amount":' + b"9" * 20_000 + b"}", b"<token>x</token>",
    ],
)  # fmt: skip
@pytest.mark.parametrize("content_type", [JSON, FORM, None])
def test_a_body_that_is_no_postback_is_refused(content_type: str | None, body: bytes) -> None:
    with pytest.raises(BadPostback):
        make_client().read_postback(content_type, body, now=NOW)


@pytest.mark.parametrize(("size", "accepted"), [(256 * 1024, True), (256 * 1024 + 1, False)])
def test_a_postback_may_be_256_kilobytes_long(size: int, accepted: bool) -> None:
    body = json.dumps(postback()).encode().ljust(size)
    if accepted:
        assert make_client().read_postback(JSON, body, now=NOW) == PROVEN
    else:
        with pytest.raises(BadPostback, match="too large"):
            make_client().read_postback(JSON, body, now=NOW)


def test_five_megabytes_are_refused_before_they_are_parsed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for reader in ("json_fields", "form_fields", "multipart_fields"):
        monkeypatch.delattr(f"shop.payments.cryptocloud.postbacks.{reader}")
    for body in (b"[" * 5_000_000, b"uuid" * 1_250_000, b'"uuid":"' + b" " * 5_000_000):
        started = time.thread_time()  # its own work, and not what else the machine does

        with pytest.raises(BadPostback, match="too large"):
            make_client().read_postback(JSON, body, now=NOW)

        assert time.thread_time() - started < FAR_TOO_LONG


@pytest.mark.parametrize("content_type", [JSON, FORM, "multipart/form-data"])
@pytest.mark.parametrize(
    "body",
    [
        b"uuid" * 60_000, b"uuid=" * 50_000, b'{"invoice_id":"' * 17_000, b"%41" * 80_000,
        b"&" * 250_000, b"a&" * 120_000, b"--x\r\n" * 50_000, b"--x\r\n\r\n" + b"--" * 100_000,
        b"{" + b'"":0,' * 50_000 + b'"":0}', b"[" * 250_000, b'{"token":' * 25_000,
    ],
)  # fmt: skip
def test_as_much_as_is_read_of_rubbish_is_refused_soon(content_type: str, body: bytes) -> None:
    started = time.thread_time()

    with pytest.raises(BadPostback):
        make_client().read_postback(content_type, body, now=NOW)

    assert time.thread_time() - started < FAR_TOO_LONG


def test_without_a_secret_nothing_is_believed() -> None:
    body = json.dumps(postback(token=sign(key=""))).encode()

    with pytest.raises(BadPostback, match=r"^no secret key is set$"):
        make_client(secret_key="").read_postback(JSON, body, now=NOW)


def test_a_short_secret_works_as_it_is_written_but_not_in_silence() -> None:
    body = json.dumps(postback(token=sign(key="c2hvcnQ="))).encode()

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
        ({"order_id": "None"}, "order_id", None),
        ({"order_id": "null"}, "order_id", None),
        ({"order_id": " "}, "order_id", None),
        ({"order_id": "none-1"}, "order_id", "none-1"),
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
    body = json.dumps(postback(amount_crypto=0)).replace(": 0,", ": 0.000000012345678901,")

    read = make_client().read_postback(JSON, body.encode(), now=NOW)

    assert read.amount_crypto == "0.000000012345678901"


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("0.00005", "0.00005"),
        ("5e-05", "0.00005"),
        ("5E-5", "0.00005"),
        ("1.50e2", "150"),
        ("12E+3", "12000"),
        ("10.010", "10.010"),
        ("0", "0"),
        ("-0.0", "-0.0"),
        ("0.123456789012345678e-18", "0.000000000000000000123456789012345678"),
        ("1e119", f"1{'0' * 119}"),
        ("1e120", "1e120"),
        ("1e-118", f"0.{'0' * 117}1"),
        ("1e-119", "1e-119"),
        ("0e-400", "0e-400"),
        ("1e400", "1e400"),
        ("1e999999999", "1e999999999"),
        ("9" * 200, "9" * 120),
        ("NaN", "NaN"),
    ],
)
def test_an_amount_is_kept_as_it_is_written_by_people(sent: str, kept: str) -> None:
    """Exact, without an exponent, and never longer than its column: JSON writes 0.00005 as 5e-05."""
    number = json.dumps(postback(amount_crypto="@")).replace('"@"', sent).encode()

    for read in (
        read_form(amount_crypto=sent),
        read_json(amount_crypto=f" {sent} "),
        make_client().read_postback(JSON, number, now=NOW),
    ):
        assert read.amount_crypto == kept


@pytest.mark.parametrize(
    "sent", ["0,00005", "1e5e5", "٥", "0x10", "1_000", "e5", ".", "1 000", "--1"]
)
def test_an_amount_that_is_none_is_kept_as_it_came(sent: str) -> None:
    assert read_form(amount_crypto=sent).amount_crypto == sent.replace("٥", "?")


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
def test_the_previous_secret_proves_postbacks_until_its_end(
    now: int, until: datetime | None, accepted: bool
) -> None:
    client = make_client(previous_secret_key=PREVIOUS_KEY, previous_until=until)
    body = json.dumps(postback(token=sign(key=PREVIOUS_KEY))).encode()
    if accepted:
        assert client.read_postback(JSON, body, now=now) == PROVEN
    else:
        with pytest.raises(BadPostback, match="InvalidSignature"):
            client.read_postback(JSON, body, now=now)


def test_the_present_secret_goes_on_proving_beside_the_previous_one() -> None:
    client = make_client(previous_secret_key=PREVIOUS_KEY, previous_until=ITS_END)
    body = json.dumps(postback()).encode()

    for now in (NOW - 1, NOW + 1):
        assert client.read_postback(JSON, body, now=now) == PROVEN


@pytest.mark.parametrize("kind", [k for k, token in FORGED.items() if isinstance(token, str)])
def test_a_previous_secret_lets_no_forged_token_in(kind: str) -> None:
    client = make_client(previous_secret_key=PREVIOUS_KEY, previous_until=ITS_END)
    body = json.dumps(postback(token=FORGED[kind])).encode()

    with pytest.raises(BadPostback):
        client.read_postback(JSON, body, now=NOW - 1)


@pytest.mark.parametrize("changes", [{"exp": NOW - 62}, {"id": "PAIDPAID"}, {"exp": NOW + 900}])
def test_a_token_of_the_previous_secret_must_be_as_good_as_any_other(
    changes: dict[str, object],
) -> None:
    client = make_client(previous_secret_key=PREVIOUS_KEY, previous_until=ITS_END)
    body = json.dumps(postback(token=sign(CLAIMS | changes, key=PREVIOUS_KEY))).encode()

    with pytest.raises(BadPostback):
        client.read_postback(JSON, body, now=NOW - 1)


def test_an_empty_previous_secret_proves_nothing() -> None:
    client = make_client(previous_until=ITS_END)
    body = json.dumps(postback(token=sign(key=""))).encode()

    with pytest.raises(BadPostback):
        client.read_postback(JSON, body, now=NOW - 1)


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"token": sign(key="some-other-secret-0123456789-0123456789")}, "DZLF4212"),
        ({"token": ...}, "DZLF4212"),
        ({"token": None}, "DZLF4212"),
        ({"token": sign(CLAIMS | {"id": 13})}, "DZLF4212"),
        ({"token": "x" * 5000, "invoice_id": "INV-DZLF4212"}, "DZLF4212"),
        ({"invoice_id": "PAIDPAID"}, "PAIDPAID"),
        ({"invoice_id": "dzlf4212"}, "DZLF4212"),
        ({"invoice_id": "dzlf4212", "token": "x"}, None),
        ({"invoice_id": ["DZLF4212"], "token": "x"}, None),
        ({"invoice_id": ..., "token": "x"}, None),
        ({"invoice_id": ...}, "DZLF4212"),
        ({"invoice_id": ["DZLF4212"]}, "DZLF4212"),
        ({"invoice_id": "", "invoice_info": {"uuid": "INV-DZLF4212"}, "token": "x"}, "DZLF4212"),
        ({"invoice_id": ..., "invoice_info": {"uuid": ["DZLF4212"]}, "token": "x"}, None),
        ({"invoice_id": ..., "invoice_info": [], "token": "x"}, None),
        ({"invoice_id": ..., "invoice_info[uuid]": "INV-DZLF4212", "token": "x"}, "DZLF4212"),
        ({"invoice_id": ..., "invoice_info[uuid]": 7, "token": ...}, None),
        ({"invoice_id": ..., "invoice_info": '{"uuid": "INV-DZLF4212"}', "token": ...}, "DZLF4212"),
        ({"invoice_id": ..., "invoice_info": "{'uuid': 'INV-DZLF4212'}", "token": ...}, "DZLF4212"),
        ({"invoice_id": "PAIDPAID", "invoice_info": {"uuid": "INV-DZLF4212"}}, "PAIDPAID"),
        (
            {"invoice_id": ..., "invoice_info": "x" * 65_500 + "uuid: DZLF4212", "token": ...},
            "DZLF4212",
        ),
        ({"invoice_id": ..., "invoice_info": "x" * 65_530 + "uuid: DZLF4212", "token": ...}, None),
    ],
)
def test_a_refusal_says_which_invoice_was_named_without_believing_it(
    fields: dict[str, Any], named: str | None
) -> None:
    with pytest.raises(BadPostback) as error:
        read_json(**fields)

    assert error.value.invoice_id == named


@pytest.mark.parametrize(
    "told", ['{"uuid": "INV-DZLF4212"}', '{"status":1,"invoice_id":"DZLF4212"}']
)
def test_a_form_names_its_invoice_in_a_text_that_holds_json_too(told: str) -> None:
    with pytest.raises(BadPostback) as error:
        read_form(invoice_id=..., invoice_info=told, token="x")

    assert error.value.invoice_id == "DZLF4212"


def test_a_signed_postback_that_names_none_is_refused_for_that_and_about_the_tokens() -> None:
    with pytest.raises(BadPostback) as error:
        read_json(invoice_id=..., invoice_info={"uuid": "INV-OTHER123"})

    assert (error.value.because, error.value.invoice_id) == (Refusal.NO_INVOICE, "DZLF4212")


CUT = json.dumps(postback(invoice_id="INV-DZLF4212"))[:-5]


@pytest.mark.parametrize(
    "body",
    [
        CUT,
        quote_plus(CUT),
        json.dumps(CUT),
        CUT.replace('"', "'"),
        "x" * 20_000 + CUT,
        CUT.replace("invoice_id", "uuid") + "x" * 300_000,
        "&" * 2500 + "&invoice_id=DZLF4212&token=x",
        in_parts(list(postback().items())).decode().replace("--limit--", ""),
        f"<postback><invoice_id>DZLF4212</invoice_id><token>{GENUINE}</token></postback>",
    ],
    ids=["cut", "coded", "a text", "no JSON", "late", "long", "flood", "torn parts", "XML"],
)
@pytest.mark.parametrize("content_type", [JSON, FORM, None])
def test_what_cannot_be_read_may_name_an_invoice_all_the_same(
    content_type: str | None, body: str
) -> None:
    with pytest.raises(BadPostback) as error:
        make_client().read_postback(content_type, body.encode(), now=NOW)

    assert (error.value.because, error.value.invoice_id) == (Refusal.UNREADABLE, "DZLF4212")


@pytest.mark.parametrize(
    ("content_type", "body", "read"),
    [
        (JSON, b'{"token": "x", "amount": 1.5}', ("json", [("token", "x"), ("amount", 1.5)])),
        (JSON, b"token=x&a=1&a=2", ("form", [("token", "x"), ("a", "1"), ("a", "2")])),
        (FORM, b'{"token": "x&token=y"}', ("form", [('{"token": "x', ""), ("token", 'y"}')])),
        (JSON, b'{"token": "x&token=y"}', ("json", [("token", "x&token=y")])),
        (None, in_parts([("token", "x")]), ("multipart", [("token", "x")])),
        (JSON, b"nothing", ("unreadable", [])),
        (JSON, b"token=" + b"x" * 300_000, ("unreadable", [])),
    ],
)
def test_an_unproven_postback_is_shown_as_it_was_written(
    content_type: str, body: bytes, read: tuple[str, list[tuple[str, object]]]
) -> None:
    assert unproven_fields(content_type, body) == read


@pytest.mark.parametrize(
    "body",
    [
        "[" * 70_000 + CUT,
        CUT.replace("DZLF4212", "DZLF42123"),
        CUT.replace("DZLF4212", "dzlf4212"),
        CUT.replace("DZLF4212", "DZLF421"),
        CUT.replace("invoice_id", "order"),
        CUT.replace("INV-", " " * 50),
    ],
)
def test_nor_is_everything_taken_for_an_invoice(body: str) -> None:
    with pytest.raises(BadPostback) as error:
        make_client().read_postback(JSON, body.encode(), now=NOW)

    assert error.value.invoice_id is None


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
