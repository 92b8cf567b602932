"""The one address that other people's servers post to. It believes a signature and nothing else."""

from __future__ import annotations

import base64
import hashlib
import hmac
import io
import json
import secrets
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta
from typing import Any

import jwt
import pytest
import responses
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from shop.config import Settings
from shop.db import db, transaction, utcnow
from shop.fulfilment.models import Delivery, LicenceKey
from shop.orders.models import Order, OrderEvent, OrderStatus, StockHold
from shop.outbox.models import OutboxMail
from shop.payments.cryptocloud import LARGEST_POSTBACK, Refusal
from shop.payments.inbox import nudge, rest
from shop.payments.models import Payment, PaymentState, Postback
from shop.payments.sweep import sweep
from tests.factories import (
    as_json,
    gateway,
    make_open_order,
    make_order,
    make_postback,
    make_token,
    provider,
)
from tests.support.sold import mail_kinds

ADDRESS = "/payments/cryptocloud/postback"
TABLES = (Order, OrderEvent, StockHold, Payment, Postback, Delivery, LicenceKey, OutboxMail)

Fields = dict[str, Any]


@pytest.fixture
def postback(app: Flask, settings: Settings) -> Fields:
    """A genuine postback about an unpaid invoice of this shop."""
    with app.app_context():
        return make_postback(settings, make_open_order(app)[1])


NUDGED = ("next_check_at", "refused_at", "refused_because", "refused_postbacks")
"""All that a refused postback may move: when the provider is asked next."""


def everything(app: Flask) -> str:
    """Every row that a postback could touch."""
    with app.app_context():
        rows = [
            [
                {name: value for name, value in row.items() if name not in NUDGED}
                for row in db.session.execute(
                    select(table.__table__).order_by(*table.__table__.primary_key)
                ).mappings()
            ]
            for table in TABLES
        ]
        return repr(rows)


def status_of(app: Flask) -> tuple[OrderStatus, PaymentState]:
    with app.app_context():
        payment = db.session.scalars(select(Payment)).one()
        return payment.order.status, payment.state


def inbox(app: Flask) -> list[Fields]:
    with app.app_context():
        return list(db.session.scalars(select(Postback)))


@pytest.mark.parametrize("send", [lambda n: {"data": n}, as_json], ids=["form", "json"])
def test_a_genuine_postback_of_a_paid_invoice_pays_the_order(
    app: Flask, client: FlaskClient, postback: Fields, send: Callable[[Fields], Any]
) -> None:
    with provider(app) as calls:
        calls.invoice_is("paid")
        response = client.post(ADDRESS, **send(postback))

    assert response.status_code == 200
    assert response.get_json() == {"message": "Postback received"}
    assert status_of(app) == (OrderStatus.FULFILLED, PaymentState.PAID)
    (stored,) = inbox(app)
    assert stored.verdict == "paid"
    assert stored.done_at


def test_the_provider_decides_and_not_the_postback(
    app: Flask, client: FlaskClient, postback: Fields
) -> None:
    with provider(app) as calls:
        calls.invoice_is("created")
        assert client.post(ADDRESS, data=postback).status_code == 200

    assert status_of(app) == (OrderStatus.PENDING, PaymentState.OPEN)
    assert inbox(app)[0].done_at is None


def test_the_same_postback_again_is_taken_calmly(
    app: Flask, client: FlaskClient, postback: Fields
) -> None:
    with provider(app) as calls:
        calls.invoice_is("paid")
        for _ in range(5):
            assert client.post(ADDRESS, data=postback).status_code == 200
        assert len(calls.calls) == 1

    (stored,) = inbox(app)
    assert stored.hits == 1, "it is counted once a minute"
    with app.app_context():
        assert db.session.scalars(select(Payment.next_check_at)).all() == [None]
        assert len(db.session.scalars(select(Delivery)).all()) == 1
        assert mail_kinds() == ["order-placed", "order-delivered"]


@pytest.mark.parametrize("address", [ADDRESS, f"{ADDRESS}/"])
def test_it_answers_with_and_without_a_slash_at_the_end(
    app: Flask, client: FlaskClient, postback: Fields, address: str
) -> None:
    """A redirect would be followed by a GET, or not at all."""
    with provider(app) as calls:
        calls.invoice_is("paid")
        assert client.post(address, data=postback).status_code == 200

    assert status_of(app)[0] is OrderStatus.FULFILLED


@pytest.mark.parametrize("method", ["get", "head", "put", "delete", "patch"])
def test_other_methods_are_refused(client: FlaskClient, postback: Fields, method: str) -> None:
    for address in (ADDRESS, f"{ADDRESS}/"):
        response = client.open(address, method=method, data=postback)
        assert response.status_code == 405
        assert set(response.headers["Allow"].split(", ")) == {"POST", "OPTIONS"}


def test_nobody_needs_a_session_or_a_csrf_token(
    app: Flask, client: FlaskClient, postback: Fields
) -> None:
    with provider(app) as calls:
        calls.invoice_is("paid")
        response = client.post(
            ADDRESS, data=postback, headers={"Origin": "https://elsewhere.example"}
        )

    assert response.status_code == 200
    assert "Set-Cookie" not in response.headers


def b64(content: bytes | dict[str, Any]) -> str:
    if isinstance(content, dict):
        content = json.dumps(content).encode()
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def signed(key: str, claims: Fields | bytes, algorithm: str = "HS256", **header: Any) -> str:
    """A token signed by hand, so that no library can refuse to make it."""
    digest = {"HS256": hashlib.sha256, "HS384": hashlib.sha384, "HS512": hashlib.sha512}
    body = f"{b64({'typ': 'JWT', 'alg': algorithm} | header)}.{b64(claims)}"
    found = hmac.new(key.encode(), body.encode(), digest.get(algorithm, hashlib.sha256))
    return f"{body}.{b64(found.digest())}"


DEEP = b"{" + b'"a":{' * 450 + b"}" * 451


def forgeries(settings: Settings, good: Fields) -> dict[str, Any]:
    """Every way we know to pretend: name, and what to post."""
    key = settings.cryptocloud_secret_key.get_secret_value()
    invoice, token, now = good["invoice_id"], good["token"], int(time.time())
    claims = {"id": invoice, "exp": now + 300}
    head, body, signature = token.split(".")
    unsigned = {"id": invoice, "exp": now + 300}

    def with_claims(**changes: Any) -> str:
        given = {name: value for name, value in (claims | changes).items() if value is not ...}
        return signed(key, given)

    tokens: dict[str, Any] = {
        "alg none": f"{b64({'alg': 'none'})}.{b64(unsigned)}.",
        "alg nOnE": f"{b64({'alg': 'nOnE'})}.{b64(unsigned)}.{signature}",
        "alg empty": signed(key, claims, ""),
        "alg missing": f"{b64({'typ': 'JWT'})}.{body}.{signature}",
        "alg null": signed(key, claims, alg=None),
        "alg list": signed(key, claims, alg=["HS256"]),
        "HS384": signed(key, claims, "HS384"),
        "HS512": signed(key, claims, "HS512"),
        "RS256 with our secret": signed(key, claims, "RS256"),
        "ES256": signed(key, claims, "ES256"),
        "another key": signed("another-secret-that-is-long-enough-00", claims),
        "empty key": signed("", claims),
        "API key": signed(settings.cryptocloud_api_key.get_secret_value(), claims),
        "shop id": signed(settings.cryptocloud_shop_id, claims),
        "session key": signed(settings.secret_key.get_secret_value(), claims),
        "key in another case": signed(key.upper(), claims),
        "key with a line end": signed(f"{key}\n", claims),
        "flipped bit": f"{head}.{body}.{'B' if signature[0] != 'B' else 'C'}{signature[1:]}",
        "shortened signature": f"{head}.{body}.{signature[:-4]}",
        "no signature": f"{head}.{body}.",
        "two parts": f"{head}.{body}",
        "four parts": f"{token}.{signature}",
        "JSON form": json.dumps({"payload": body, "protected": head, "signature": signature}),
        "unknown crit": signed(key, claims, crit=["b64"], b64=False),
        "lure by kid": signed("x", claims, kid="../../../../dev/null"),
        "lure by jku": signed("x", claims, jku="https://evil.example/keys"),
        "lure by jwk": signed("x", claims, jwk={"kty": "oct", "k": b64(b"x")}),
        "lure by x5u": signed("x", claims, x5u="https://evil.example/cert"),
        "expired": with_claims(exp=now - 120),
        "no exp": with_claims(exp=...),
        "exp text": with_claims(exp=str(now + 300)),
        "exp true": with_claims(exp=True),
        "exp null": with_claims(exp=None),
        "exp list": with_claims(exp=[now + 300]),
        "exp far away by a fraction": with_claims(exp=now + 960.5),
        "exp 1e400": signed(key, b'{"id":"%s","exp":1e400}' % invoice.encode()),
        "exp infinite": with_claims(exp=float("inf")),
        "exp far away": with_claims(exp=now + 3600),
        "exp in the year 5138": with_claims(exp=10**11),
        "nbf in the future": with_claims(nbf=now + 600),
        "nbf text": with_claims(nbf="now"),
        "no id": with_claims(id=...),
        "id a number": with_claims(id=12345678),
        "id a list": with_claims(id=[invoice]),
        "id null": with_claims(id=None),
        "id of another invoice": with_claims(id="ZZZZ9999"),
        "id in small letters": with_claims(id=invoice.lower()),
        "id look-alike": with_claims(id=invoice.replace("T", "Т")),
        "id with a line end": with_claims(id=f"{invoice}\n"),
        "no claims": signed(key, {}),
        "claims a list": f"{head}.{b64(b'[]')}.{signature}",
        "deep claims": f"{b64(DEEP)}.{body}.{signature}",
        "deep header": f"{b64(b'[' * 1400 + b']' * 1400)}.{body}.{signature}",
        "not base64": "é.é.é",
        "spaces inside": token.replace(".", " . "),
        "bytes in a row": f"b'{token}'x",
        "a large one": "x" * 5000,
        "padding": f"{token}=",
        "empty": "",
        "null": None,
        "a number": 7,
        "true": True,
        "a list": [token],
        "an object": {"token": token},
    }  # fmt: skip
    found: dict[str, Any] = {name: as_json(good | {"token": t}) for name, t in tokens.items()}
    without = {name: value for name, value in good.items() if name != "token"}
    part = '--x\r\nContent-Disposition: form-data; name="{}\r\n'
    found |= {
        "no token": as_json(without),
        "invoice of another": as_json(good | {"invoice_id": "ZZZZ9999"}),
        "invoice a list": as_json(good | {"invoice_id": [invoice]}),
        "invoice missing": as_json({n: v for n, v in good.items() if n != "invoice_id"}),
        "invoice look-alike": as_json(good | {"invoice_id": invoice.replace("T", "Т")}),
        "order of another": as_json(good | {"order_id": "AAAA-BBBB-1-0000"}),
        "token in the address": {"query_string": {"token": token}, **as_json(without)},
        "token in a header": {"headers": {"Authorization": f"Bearer {token}"}, **as_json(without)},
        "token twice in the form": {
            "data": f"invoice_id={invoice}&token={token}&token=x",
            "content_type": "application/x-www-form-urlencoded",
        },
        "token twice in the JSON": {
            "data": f'{{"invoice_id":"{invoice}","token":"x","token":"{token}"}}',
            "content_type": "application/json",
        },
        "invoice twice": {
            "data": f"invoice_id={invoice}&token={token}&invoice_id=ZZZZ9999",
            "content_type": "application/x-www-form-urlencoded",
        },
        "NaN": {"data": f'{{"token":NaN,"invoice_id":"{invoice}"}}', "content_type": "application/json"},
        "a list of postbacks": {"data": json.dumps([good]), "content_type": "application/json"},
        "deep JSON": {"data": '{"token":' + "[" * 20000, "content_type": "application/json"},
        "no body": {},
        "bytes": {"data": secrets.token_bytes(200), "content_type": "application/json"},
        "token as a file": {
            "data": part.format(f'invoice_id"\r\n\r\n{invoice}')
            + part.format(f'token"; filename="token"\r\n\r\n{token}')
            + "--x--\r\n",
            "content_type": "multipart/form-data; boundary=x",
        },
        "multipart cut off": {
            "data": part.format(f'invoice_id"\r\n\r\n{invoice}')
            + part.format(f'token"\r\n\r\n{token}'),
            "content_type": "multipart/form-data; boundary=x",
        },
        "257 KB": as_json(good | {"padding": "x" * 257 * 1024}),
    }  # fmt: skip
    return found


def test_the_hand_signed_token_is_as_good_as_the_librarys(settings: Settings) -> None:
    """Else the forgeries below would fail for the wrong reason."""
    key = settings.cryptocloud_secret_key.get_secret_value()
    token = signed(key, {"id": "ABCD1234", "exp": int(time.time()) + 300})

    assert jwt.decode(token, key, algorithms=["HS256"])["id"] == "ABCD1234"


def test_no_forgery_stores_anything_or_causes_a_call(
    app: Flask, client: FlaskClient, settings: Settings, postback: Fields
) -> None:
    before = everything(app)
    forged = forgeries(settings, postback)
    assert len(forged) > 75

    with provider(app) as calls:
        calls.invoice_is("paid")
        for name, arguments in forged.items():
            response = client.post(ADDRESS, **arguments)
            assert response.status_code == 403, name
            assert response.get_json() == {"message": "Postback refused"}, name
        assert len(calls.calls) == 0
        assert everything(app) == before

        # The control: the same postback, not tampered with.
        assert client.post(ADDRESS, **as_json(postback)).status_code == 200
        assert len(calls.calls) == 1
    assert status_of(app) == (OrderStatus.FULFILLED, PaymentState.PAID)


def test_a_refusal_does_not_say_what_was_wrong_but_the_log_does(
    client: FlaskClient, settings: Settings, postback: Fields, caplog: pytest.LogCaptureFixture
) -> None:
    """And neither holds the token."""
    forged = forgeries(settings, postback)
    answers = {client.post(ADDRESS, **forged[name]).text for name in ("expired", "another key")}

    assert len(answers) == 1
    assert "postback_refused" in caplog.text
    assert "expired" in caplog.text
    assert "eyJ" not in caplog.text


@pytest.mark.parametrize("invoice", ["ABCD1234", "INV-ABCD1234"])
def test_a_postback_about_an_unknown_invoice_is_kept(
    app: Flask, client: FlaskClient, settings: Settings, invoice: str
) -> None:
    """It may be faster than the reply that tells us the invoice's id, or about money we lost track of."""
    fields = {"invoice_id": invoice, "order_id": "x", "token": make_token(settings, "ABCD1234")}
    with provider(app) as calls:
        response = client.post(ADDRESS, data=fields)
        assert len(calls.calls) == 0

    assert response.status_code == 200
    (stored,) = inbox(app)
    assert (stored.invoice_id, stored.claimed_order, stored.done_at) == ("ABCD1234", "x", None)


def test_a_postback_has_its_own_invoice_asked_about_and_no_other(
    app: Flask, client: FlaskClient, postback: Fields
) -> None:
    with app.app_context():
        _, other = make_open_order(app)
        due = other.next_check_at
        with provider(app) as calls:
            calls.invoice_is("created")
            client.post(ADDRESS, data=postback)

        db.session.refresh(other)
        assert other.next_check_at == due


def test_a_postback_that_names_another_order_for_our_invoice_is_refused(
    app: Flask, client: FlaskClient, postback: Fields, caplog: pytest.LogCaptureFixture
) -> None:
    """A genuine postback of a cheap invoice must not be turned into one for a dear order."""
    with app.app_context():
        dear = make_open_order(app)[1].reference
    before = everything(app)

    with provider(app) as calls:
        calls.invoice_is("paid")
        response = client.post(ADDRESS, data=postback | {"order_id": dear})
        assert len(calls.calls) == 0

    assert response.status_code == 403
    assert everything(app) == before
    assert "'the order is not the one this invoice was made for'" in caplog.text
    with app.app_context():
        refused = select(Payment.refused_postbacks).order_by(Payment.id)
        assert db.session.scalars(refused).all() == [1, 0], "the sweep asks about the invoice"


def test_a_refused_postback_has_the_sweep_ask_about_its_invoice_once_a_minute(
    app: Flask, client: FlaskClient, postback: Fields
) -> None:
    """A wrong clock or secret refuses genuine postbacks too, and their money must be found all the same."""
    refused = postback | {"token": "e30.e30.e30"}

    for _ in range(5):
        assert client.post(ADDRESS, data=refused).status_code == 403

    with app.app_context():
        payment = db.session.scalars(select(Payment)).one()
        assert payment.refused_postbacks == 1
        first = payment.refused_at
        assert first is not None
        assert payment.next_check_at == first
        with provider(app) as calls:
            calls.invoice_is("created")
            sweep(gateway(app), utcnow())
            nudge(payment.invoice_id, Refusal.MALFORMED, first + timedelta(seconds=59))
            db.session.refresh(payment)
            assert payment.refused_postbacks == 1
            nudge(payment.invoice_id, Refusal.MALFORMED, first + timedelta(seconds=60))
            db.session.refresh(payment)
            assert payment.refused_postbacks == 2
            calls.invoice_is("paid")
            sweep(gateway(app), first + timedelta(seconds=62))
    assert status_of(app) == (OrderStatus.FULFILLED, PaymentState.PAID)


def test_a_forger_gets_neither_the_write_lock_nor_a_second_count_in_the_same_minute(
    app: Flask, postback: Fields, monkeypatch: pytest.MonkeyPatch
) -> None:
    invoice_id, now = str(postback["invoice_id"]), utcnow()
    taken = []

    def taking(name: str) -> AbstractContextManager[Session]:
        """Another forgery, which has looked before this one has written, is faster."""
        taken.append(name)
        if len(taken) == 1:
            assert nudge(invoice_id, Refusal.SIGNATURE, now)
        return transaction(name)

    monkeypatch.setattr("shop.payments.inbox.transaction", taking)
    with app.app_context():
        assert not nudge(invoice_id, Refusal.SIGNATURE, now)
        assert not nudge(invoice_id, Refusal.SIGNATURE, now + timedelta(seconds=59))

        assert db.session.scalars(select(Payment.refused_because)).all() == ["signature"]
        assert db.session.scalars(select(Payment.refused_postbacks)).all() == [1]
    assert len(taken) == 2, "the third has only looked"


def test_a_refused_postback_without_an_invoice_is_about_no_payment(
    app: Flask, client: FlaskClient
) -> None:
    """Not even about one that has no invoice."""
    with app.app_context():
        make_order(app)

    assert client.post(ADDRESS, data={"token": "e30.e30.e30"}).status_code == 403

    with app.app_context():
        assert db.session.scalars(select(Payment.refused_postbacks)).all() == [0]


def test_a_refused_postback_about_a_paid_invoice_is_counted_and_nobody_asks_again(
    app: Flask, client: FlaskClient, postback: Fields
) -> None:
    with provider(app) as calls:
        calls.invoice_is("paid")
        client.post(ADDRESS, data=postback)

    client.post(ADDRESS, data=postback | {"token": "e30.e30.e30"})
    client.post(ADDRESS, data=postback | {"token": "e30.e30.e30", "invoice_id": "NOSUCH00"})

    with app.app_context():
        payment = db.session.scalars(select(Payment)).one()
        assert (payment.refused_postbacks, payment.next_check_at) == (1, None)


SIGNED_FOR_NONE: list[Fields] = [
    {"id": 13},
    {"id": ["THIS"]},
    {"id": {"id": "THIS"}},
    {"id": None},
    {"id": "THIS "},
    {"id": ..., "uuid": "THIS"},
    {"id": ..., "uuid": "INV-THIS"},
    {"id": 13, "uuid": "THIS"},
    {"id": ...},
]
"""Claims of tokens that our key signed in time and that name no invoice; THIS is the postback's."""


def signed_for_none(settings: Settings, postback: Fields, claims: Fields) -> Fields:
    text = json.dumps({name: claim for name, claim in claims.items() if claim is not ...})
    named = json.loads(text.replace("THIS", postback["invoice_id"]))
    key = settings.cryptocloud_secret_key.get_secret_value()
    return postback | {"token": signed(key, {"exp": int(time.time()) + 300} | named)}


def payment_of(app: Flask) -> Payment:
    with app.app_context():
        return db.session.scalars(select(Payment)).one()


@pytest.mark.parametrize("claims", SIGNED_FOR_NONE, ids=str)
def test_a_postback_signed_for_no_invoice_has_the_provider_asked_at_once(
    app: Flask, client: FlaskClient, settings: Settings, postback: Fields, claims: Fields
) -> None:
    """Our key signed it, so the provider spoke; its API says of what, and the buyer need not wait."""
    with provider(app) as calls:
        calls.invoice_is("paid")
        response = client.post(ADDRESS, **as_json(signed_for_none(settings, postback, claims)))
        assert len(calls.calls) == 1

    assert response.status_code == 200
    assert status_of(app) == (OrderStatus.FULFILLED, PaymentState.PAID)
    assert inbox(app) == [], "it has proven nothing"
    assert payment_of(app).refused_because == "not_for_invoice"


@pytest.mark.parametrize("named", [..., None, "", ["T"], "INV-", "ТЕСТ1234"], ids=str)
def test_so_has_one_whose_token_alone_names_the_invoice(
    app: Flask, client: FlaskClient, postback: Fields, named: object
) -> None:
    fields = {n: v for n, v in (postback | {"invoice_id": named}).items() if v is not ...}
    with provider(app) as calls:
        calls.invoice_is("paid")
        assert client.post(ADDRESS, **as_json(fields)).status_code == 200

    assert status_of(app) == (OrderStatus.FULFILLED, PaymentState.PAID)
    assert (inbox(app), payment_of(app).refused_because) == ([], "no_invoice")


@pytest.mark.parametrize("claims", SIGNED_FOR_NONE, ids=str)
def test_it_is_refused_while_the_provider_knows_of_no_money(
    app: Flask, client: FlaskClient, settings: Settings, postback: Fields, claims: Fields
) -> None:
    odd, before = signed_for_none(settings, postback, claims), status_of(app)
    with provider(app) as calls:
        calls.invoice_is("created")
        answers = {client.post(ADDRESS, **as_json(odd)).status_code for _ in range(5)}
        assert len(calls.calls) == 1, "the others came within the same minute"

        payment = payment_of(app)
        assert payment.refused_at
        assert payment.next_check_at
        later = payment.refused_at + timedelta(seconds=59)
        with app.app_context():
            sweep(gateway(app), later)
            assert len(calls.calls) == 1, "the nudge has had its call"
            sweep(gateway(app), later + timedelta(seconds=10))
            assert len(calls.calls) == 2, "it may be paid by now"

    assert (answers, inbox(app), status_of(app)) == ({403}, [], before)


def test_what_the_provider_does_not_answer_then_is_left_to_the_sweep(
    app: Flask, client: FlaskClient, settings: Settings, postback: Fields
) -> None:
    odd = signed_for_none(settings, postback, {"id": 13})
    with provider(app) as calls:
        calls.add(responses.GET, calls.info_url, status=503)
        assert client.post(ADDRESS, **as_json(odd)).status_code == 403

    payment = payment_of(app)
    assert payment.next_check_at == payment.refused_at, "at the next sweep"
    with app.app_context(), provider(app) as calls:
        calls.invoice_is("paid")
        sweep(gateway(app), utcnow() + timedelta(seconds=1))
    assert status_of(app) == (OrderStatus.FULFILLED, PaymentState.PAID)


def test_the_sweeps_own_time_is_not_put_off_when_a_proven_postback_wants_it_sooner(
    app: Flask, client: FlaskClient, settings: Settings, postback: Fields
) -> None:
    with provider(app) as calls, app.app_context():
        calls.invoice_is("created")
        nudge(postback["invoice_id"], Refusal.NOT_FOR_INVOICE, utcnow() - timedelta(seconds=1))
        client.post(ADDRESS, **as_json(postback))
        wanted = payment_of(app).next_check_at

        rest(postback["invoice_id"])

        assert payment_of(app).next_check_at == wanted


def test_of_an_invoice_that_is_paid_already_nobody_asks_again(
    app: Flask, client: FlaskClient, settings: Settings, postback: Fields
) -> None:
    """The provider may repeat what it got no 200 for, within the minute as well as after it."""
    odd = signed_for_none(settings, postback, {"id": 13})
    with provider(app) as calls:
        calls.invoice_is("paid")
        answers = [client.post(ADDRESS, **as_json(odd)).status_code for _ in range(3)]
        assert len(calls.calls) == 1

    assert answers == [200] * 3


@pytest.mark.parametrize(
    "change",
    [
        {"key": "another-secret-that-is-long-enough-00"},
        {"exp": 1},
        {"exp": None},
        {"id": "ZZZZ9999"},
        {"uuid": "ZZZZ9999"},
    ],
    ids=str,
)
def test_other_refused_postbacks_wait_for_the_sweep(
    app: Flask, client: FlaskClient, settings: Settings, postback: Fields, change: Fields
) -> None:
    """The control: only what our key signed, in time, and not for another invoice, causes a call."""
    key = change.get("key", settings.cryptocloud_secret_key.get_secret_value())
    claims = {"id": 13, "exp": int(time.time()) + 300} | change
    with provider(app) as calls:
        calls.invoice_is("paid")
        odd = postback | {"token": signed(key, claims)}
        assert client.post(ADDRESS, **as_json(odd)).status_code == 403
        assert len(calls.calls) == 0

    assert payment_of(app).refused_postbacks == 1
    assert status_of(app) == (OrderStatus.PENDING, PaymentState.OPEN)


def test_a_postback_signed_for_no_invoice_about_one_that_nobody_has_is_refused(
    app: Flask, client: FlaskClient, settings: Settings, postback: Fields
) -> None:
    odd = signed_for_none(settings, postback | {"invoice_id": "ZZZZ9999"}, {"id": 13})
    before = everything(app)
    with provider(app) as calls:
        calls.invoice_is("paid")
        assert client.post(ADDRESS, **as_json(odd)).status_code == 403
        assert len(calls.calls) == 0

    assert everything(app) == before
    assert payment_of(app).refused_postbacks == 0


@pytest.mark.parametrize(
    ("fields", "because"),
    [
        ({"token": "e30.e30.e30"}, "malformed"),
        ({"token": None}, "unsigned"),
        ({"order_id": "AAAA-BBBB-1-0000"}, "other_order"),
        ({"token": signed("another-secret-that-is-long-enough-00", {"id": "x"})}, "signature"),
    ],
)
def test_why_a_postback_was_refused_is_kept_and_logged(
    app: Flask,
    client: FlaskClient,
    postback: Fields,
    caplog: pytest.LogCaptureFixture,
    fields: Fields,
    because: str,
) -> None:
    assert client.post(ADDRESS, **as_json(postback | fields)).status_code == 403

    assert payment_of(app).refused_because == because
    assert f"'because': '{because}'" in caplog.text


SHOWS_MORE = [
    (Refusal.SIGNATURE, Refusal.UNSIGNED),
    (Refusal.SIGNATURE, Refusal.MALFORMED),
    (Refusal.EXPIRED, Refusal.UNREADABLE),
    (Refusal.NO_INVOICE, Refusal.SIGNATURE),
]
"""The provider's own refused postback, and what anybody can send for nothing."""


@pytest.mark.parametrize(("own", "free"), SHOWS_MORE)
@pytest.mark.parametrize("seconds", [1, 61])
def test_a_stranger_cannot_hide_what_is_wrong_with_our_key_or_clock(
    app: Flask, postback: Fields, own: Refusal, free: Refusal, seconds: int
) -> None:
    invoice_id, first = str(postback["invoice_id"]), utcnow()
    second = first + timedelta(seconds=seconds)
    with app.app_context():
        nudge(invoice_id, free, first)
        assert nudge(invoice_id, own, second)
        assert (payment_of(app).refused_because, payment_of(app).refused_at) == (own, second)

        with transaction() as session:  # nobody would ask for an hour
            later = second + timedelta(hours=1)
            session.execute(update(Payment).values(next_check_at=later))
        assert nudge(invoice_id, free, second + timedelta(seconds=61))
        assert not nudge(invoice_id, free, second + timedelta(seconds=62))

        payment = payment_of(app)
        assert (payment.refused_because, payment.refused_at) == (own, second)
        assert payment.next_check_at == second + timedelta(seconds=121)


TRANSACTIONS = [f"0x{n:0128x}" for n in range(600)]
"""Longer than any coin's, so that they are too much for every other form of the shop."""


def with_transactions(postback: Fields, kind: str) -> dict[str, Any]:
    facts = {"uuid": f"INV-{postback['invoice_id']}", "tx_list": TRANSACTIONS}
    if kind == "json":
        return as_json(postback | {"invoice_info": facts, "tx_list": TRANSACTIONS})
    more = {"tx_list[]": TRANSACTIONS, "invoice_info": ["uuid", "status"]}
    sent: dict[str, Any] = {"data": postback | more}
    return sent | ({"content_type": "multipart/form-data"} if kind == "parts" else {})


@pytest.mark.parametrize("kind", ["json", "form", "parts"])
def test_a_postback_about_six_hundred_transactions_is_taken(
    app: Flask, client: FlaskClient, postback: Fields, kind: str
) -> None:
    with provider(app) as calls:
        calls.invoice_is("paid")
        assert client.post(ADDRESS, **with_transactions(postback, kind)).status_code == 200

    assert status_of(app)[0] is OrderStatus.FULFILLED
    if kind == "form":  # the control: no other page reads as much
        assert client.post("/cart/lines", data=f"a={'x' * 80_000}").status_code == 413


@pytest.mark.parametrize("size", [LARGEST_POSTBACK, 5_000_000])
@pytest.mark.parametrize(
    "start", ['{{"invoice_id":"{}","x":"', "invoice_id={}&x=", "uuid%3A+INV-{}&"]
)
def test_a_postback_that_is_too_large_is_refused_and_names_its_invoice(
    app: Flask, client: FlaskClient, postback: Fields, size: int, start: str
) -> None:
    body = start.format(postback["invoice_id"]).encode() + b"x" * size

    assert client.post(ADDRESS, data=body, content_type="application/json").status_code == 403

    payment = payment_of(app)
    assert (payment.refused_postbacks, payment.refused_because) == (1, "unreadable")
    assert payment.next_check_at == payment.refused_at


class Endless(io.BytesIO):
    """A sender who does not stop, and hands out little at a time."""

    given = 0

    def readinto(self, into: Any) -> int:
        size = min(len(into), 1000)
        into[:size] = b"x" * size
        self.given += size
        return size


def test_of_a_body_without_an_end_no_more_is_read_than_a_postback_may_have(
    client: FlaskClient,
) -> None:
    sender = Endless()

    answer = client.post(
        ADDRESS, input_stream=sender, environ_overrides={"wsgi.input_terminated": True}
    )

    assert answer.status_code == 403
    assert sender.given == LARGEST_POSTBACK + 1


def test_a_body_that_comes_in_pieces_is_read_whole(
    app: Flask, client: FlaskClient, postback: Fields
) -> None:
    class Pieces(io.BytesIO):
        def readinto(self, into: Any) -> int:
            return super().readinto(memoryview(into)[:7])

    body = json.dumps(postback).encode()
    for more in ({"CONTENT_LENGTH": str(len(body))}, {"wsgi.input_terminated": True}):
        with provider(app) as calls:
            calls.invoice_is("paid")
            answer = client.post(
                ADDRESS,
                input_stream=Pieces(body),
                content_type="application/json",
                environ_overrides=more,
            )
        assert answer.status_code == 200, more


@pytest.mark.parametrize("order_id", ["None", "null", " "])
def test_an_order_that_is_none_in_writing_is_none(
    app: Flask, client: FlaskClient, postback: Fields, order_id: str
) -> None:
    with provider(app) as calls:
        calls.invoice_is("paid")
        assert client.post(ADDRESS, data=postback | {"order_id": order_id}).status_code == 200

    assert status_of(app)[0] is OrderStatus.FULFILLED


@pytest.mark.parametrize("order_id", [None, ""])
def test_a_postback_without_order_is_taken(
    app: Flask, client: FlaskClient, postback: Fields, order_id: str | None
) -> None:
    with provider(app) as calls:
        calls.invoice_is("paid")
        response = client.post(ADDRESS, **as_json(postback | {"order_id": order_id}))

    assert response.status_code == 200
    assert status_of(app)[0] is OrderStatus.FULFILLED


@pytest.mark.parametrize(
    "answer",
    [
        {"status": 500},
        {"status": 401},
        {"status": 200, "body": "<html>"},
        {"status": 200, "json": {"status": "success", "status_invoice": "strange"}},
        {"body": responses.ConnectionError("gone")},
    ],
    ids=["500", "401", "HTML", "strange", "gone"],
)
def test_once_stored_it_is_200_whatever_the_provider_says_then(
    app: Flask, client: FlaskClient, postback: Fields, answer: dict[str, Any]
) -> None:
    with provider(app) as calls:
        calls.add(responses.GET, calls.info_url, **answer)
        response = client.post(ADDRESS, data=postback)

    assert response.status_code == 200
    (stored,) = inbox(app)
    assert stored.done_at is None
    assert status_of(app) == (OrderStatus.PENDING, PaymentState.OPEN)
    with app.app_context():
        payment = db.session.scalars(select(Payment)).one()
        assert payment.next_check_at is not None
        assert payment.next_check_at <= stored.last_at, "the next sweep asks again"


NASTY = [
    "\x00",
    "a\x00b",
    "\ud800",
    "😀" * 200,
    "x" * 1000,
    "\r\nfake: line",
    "<script>alert(1)</script>",
    "'; DROP TABLE orders; --",
]


@pytest.mark.parametrize("name", ["status", "amount_crypto", "currency", "order_id"])
def test_what_is_not_signed_may_hold_anything_and_breaks_nothing(
    app: Flask, client: FlaskClient, settings: Settings, name: str
) -> None:
    """PostgreSQL stores no NUL and neither database a lone surrogate; the postback must be kept anyway."""
    for number, nasty in enumerate(NASTY):
        invoice = f"NASTY{number}"
        fields = {"invoice_id": invoice, "token": make_token(settings, invoice), name: nasty}
        assert client.post(ADDRESS, **as_json(fields)).status_code == 200, nasty

    assert len(inbox(app)) == len(NASTY)
    for stored in inbox(app):
        kept = stored.claimed_status + stored.claimed_amount + stored.claimed_currency
        assert "\n" not in kept + stored.claimed_order
        assert len(kept + stored.claimed_order) <= 120


@pytest.mark.parametrize("value", [None, 1.5, 7, True, [], {}, 10**300, 1e308])
def test_fields_of_other_types_break_nothing(
    app: Flask, client: FlaskClient, settings: Settings, value: object
) -> None:
    fields = {
        "invoice_id": "ABCD1234", "token": make_token(settings, "ABCD1234"),
        "status": value, "amount_crypto": value, "currency": value, "order_id": value,
    }  # fmt: skip

    assert client.post(ADDRESS, **as_json(fields)).status_code == 200


def test_a_forgery_costs_little_more_work_than_a_page_that_is_made_anew(
    client: FlaskClient, settings: Settings, postback: Fields
) -> None:
    """A flood of forgeries must not slow the shop more than one of visitors does.

    Counted is this thread's own work, and not what else the machine does meanwhile. Each kind is sent
    three times, and the quickest counts: the first one fills caches.
    """

    def takes(path: str, **arguments: Any) -> float:
        started = time.thread_time()
        client.open(path, **arguments)
        return time.thread_time() - started

    forged = forgeries(settings, postback)
    took = {
        kind: min(takes(ADDRESS, method="POST", **given) for _ in range(3))
        for kind, given in forged.items()
    }

    page = min(takes(f"/search?q=rain{number}") for number in range(3))
    assert max(took.values()) < 4 * page, took
