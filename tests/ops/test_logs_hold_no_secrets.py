"""Whatever goes wrong, no key, password, token, link or email address reaches the log.

Each secret of these tests is a canary: a text that occurs nowhere else, looked for in everything
that was written.
"""

from __future__ import annotations

import io
import json
import logging
import smtplib
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import jwt
import pytest
import requests
import responses
import structlog
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import text

from shop import jobs
from shop.config import Settings
from shop.db import db, utcnow
from shop.orders.links import order_token
from shop.payments.sweep import sweep
from shop.queue import wake
from tests.buyer import Buyer
from tests.conftest import make_settings
from tests.factories import make_open_order, make_product, provider

CANARIES = {
    "the key that signs cookies": "canary-Flask-0123456789-0123456789-0123",
    "the API key": "canary-api-key-0123456789",
    "the postback secret": "canary-postback-0123456789-0123456789",
    "the mail password": "canary-mail-password",
    "the queue's password": "canary-queue-password",
    "the buyer's address": "canary.buyer@example.com",
    "a JWT": jwt.encode({"id": "CANARY01"}, "canary" * 6, "HS256"),
    "a pay link": "https://pay.cryptocloud.plus/CANARY01",
    "an order link's token": "WzEsMV0.canary-0123456789-abcdefghi",
}
WHERE = {
    "the API key": "Authorization: Token {}",
    "the queue's password": "redis://:{}@redis.example/0",
    "an order link's token": "http://localhost/orders/{}",
}
"""Those that show what they are only by where they stand."""
EVERYTHING = "; ".join(WHERE.get(n, "{}").format(value) for n, value in CANARIES.items())
"""A text that has them all, as the worst of errors might."""


@pytest.fixture
def engine() -> str:
    return "sqlite"  # what is logged does not depend on it


@pytest.fixture
def settings(tmp_path: Path, database_url: str) -> Settings:
    return make_settings(
        tmp_path / "data",
        database_url,
        secret_key=CANARIES["the key that signs cookies"],
        cryptocloud_api_key=CANARIES["the API key"],
        cryptocloud_secret_key=CANARIES["the postback secret"],
        smtp_url=f"smtp://mailer:{CANARIES['the mail password']}@127.0.0.1:9",
    )


class Log(io.StringIO):
    """Everything that the shop's own handler wrote."""

    def events(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.getvalue().splitlines()]

    def names(self) -> set[str]:
        return {event["event"] for event in self.events()}


@pytest.fixture
def log(app: Flask, capfd: pytest.CaptureFixture[str]) -> Iterator[Log]:
    """The log of this app; at the end, no canary may be in it, nor on the terminal."""
    handler = next(h for h in logging.getLogger().handlers if is_the_shops(h))
    log = Log()
    before = handler.setStream(log)
    yield log
    handler.setStream(before or log)
    terminal = capfd.readouterr()
    assert log.events(), "nothing was logged, so that nothing was tested"
    for name, canary in CANARIES.items():
        for written in (log.getvalue(), terminal.err, terminal.out):
            assert canary not in written, f"{name} was logged: {written}"


def is_the_shops(handler: logging.Handler) -> bool:
    return isinstance(handler.formatter, structlog.stdlib.ProcessorFormatter)


@pytest.mark.parametrize("name", CANARIES)
def test_a_secret_is_hidden_under_its_own_name_inside_texts_and_however_deep(
    log: Log, name: str
) -> None:
    text = f"before {WHERE.get(name, '{}').format(CANARIES[name])} after"

    structlog.get_logger().info(
        "told",
        detail=text,
        nested={"list": [text, (text,)]},
        error=ValueError(text),
        path=Path(text),
    )
    structlog.get_logger().warning(text)
    logging.getLogger("library").warning("said %s", text)
    logging.getLogger("library").warning("said %(it)s", {"it": text})

    first = log.events()[0]
    assert first["detail"].startswith("before ")
    assert first["detail"].endswith(" after")
    assert len(log.events()) == 4


@pytest.mark.parametrize(
    "name",
    ["token", "api_key", "secret_key", "password", "Authorization", "cookie", "email", "pay_url",
     "checkout_key", "link_token", "client_secret"],
)  # fmt: skip
def test_what_goes_under_a_secrets_name_is_hidden_whatever_it_looks_like(
    log: Log, name: str
) -> None:
    structlog.get_logger().info(
        "told",
        **{name: "plain words"},
        headers={name: "plain words"},
        deep=[{name: ["plain words"]}],
    )

    assert "plain words" not in log.getvalue()


def test_what_is_no_secret_stays_readable(log: Log) -> None:
    structlog.get_logger().info(
        "invoice_opened", order="J885-4PRQ", payment="J885-4PRQ-1-8e1f9d15bf60a04b", ms=1.5, ok=True,
        nothing=None, address="https://shop.example/products/a-book?currency=EUR", count=3,
    )  # fmt: skip

    event = log.events()[0]
    assert (event["order"], event["payment"]) == ("J885-4PRQ", "J885-4PRQ-1-8e1f9d15bf60a04b")
    assert (event["ms"], event["ok"], event["nothing"], event["count"]) == (1.5, True, None, 3)
    assert event["address"] == "https://shop.example/products/a-book?currency=EUR"


def test_the_text_of_an_exception_and_of_its_causes_is_hidden_too(log: Log) -> None:
    try:
        try:
            raise ValueError(EVERYTHING)
        except ValueError as error:
            raise RuntimeError(EVERYTHING) from error
    except RuntimeError:
        structlog.get_logger().exception("it broke")
        logging.getLogger("library").exception("it broke")

    assert all("RuntimeError" in event["exception"] for event in log.events())


@pytest.mark.parametrize(
    "address", ["/orders/{}", "/orders/{}/status", "/products/{}", "/media/{}"]
)
def test_a_page_that_breaks_is_logged_without_what_its_address_and_its_error_hold(
    app: Flask, client: FlaskClient, log: Log, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(**arguments: object) -> None:
        raise RuntimeError(EVERYTHING, arguments)

    for endpoint in app.view_functions:
        monkeypatch.setitem(app.view_functions, endpoint, broken)
    page = client.get(
        address.format(CANARIES["an order link's token"]), headers={"User-Agent": EVERYTHING}
    )

    assert page.status_code == 500
    assert "canary" not in page.text
    assert "RuntimeError" in log.getvalue()


ECHO = json.dumps({"status": "error", "error": EVERYTHING, "result": EVERYTHING})
FAILURES: dict[str, dict[str, Any]] = {
    "400": {"status": 400, "body": ECHO},
    "401": {"status": 401, "body": ECHO},
    "403": {"status": 403, "body": ECHO},
    "406": {"status": 406, "body": ECHO},
    "429": {"status": 429, "body": ECHO},
    "500": {"status": 500, "body": f"<pre>{EVERYTHING}</pre>"},
    "502": {"status": 502, "body": ""},
    "error at 200": {"body": ECHO},
    "no JSON": {"body": f"<pre>{EVERYTHING}</pre>"},
    "no object": {"body": json.dumps([EVERYTHING])},
    "no id": {"json": {"status": "success", "pay_url": CANARIES["a pay link"]}},
    "no link": {"json": {"status": "success", "invoice_id": "CANARY01"}},
    "foreign link": {
        "json": {
            "status": "success",
            "invoice_id": "CANARY01",
            "pay_url": f"https://evil.example/?{CANARIES['a pay link']}",
        }
    },
    "odd link": {"json": {"status": "success", "invoice_id": "CANARY01", "pay_url": EVERYTHING}},
    "redirect": {"status": 302, "headers": {"Location": CANARIES["a pay link"]}},
    "connection": {"body": requests.ConnectionError(EVERYTHING)},
    "timeout": {"body": requests.ReadTimeout(EVERYTHING)},
    "connect timeout": {"body": requests.ConnectTimeout(EVERYTHING)},
    "certificate": {"body": requests.exceptions.SSLError(EVERYTHING)},
    "header": {"body": requests.exceptions.InvalidHeader(EVERYTHING)},
    "anything": {"body": RuntimeError(EVERYTHING)},
}  # fmt: skip


@pytest.mark.parametrize("failure", FAILURES)
def test_a_purchase_that_the_provider_fails_is_logged_without_secrets(
    app: Flask, log: Log, failure: str
) -> None:
    buyer = Buyer(app, CANARIES["the buyer's address"])
    with app.app_context():
        slug = make_product().slug
    with provider(app) as calls:
        calls.add(responses.POST, calls.create_url, **FAILURES[failure])
        buyer.puts_into_cart(slug)

        buyer.checks_out()

    assert buyer.page.status_code == 303
    assert "invoice_not_opened" in log.names()


@pytest.mark.parametrize("failure", FAILURES)
def test_a_check_that_the_provider_fails_is_logged_without_secrets(
    app: Flask, log: Log, failure: str
) -> None:
    with app.app_context():
        make_open_order(app)
        with provider(app) as calls:
            calls.add(responses.GET, calls.info_url, **FAILURES[failure])
            sweep_an_hour_later(app)

    assert "check_failed" in log.names()


def sweep_an_hour_later(app: Flask) -> None:
    sweep(app.extensions["cryptocloud"], utcnow() + timedelta(hours=1))


@pytest.mark.parametrize("kind", ["forged", "expired", "foreign order", "no token", "known"])
@pytest.mark.parametrize("encoding", ["json", "data"])
def test_a_postback_is_logged_without_its_token_and_whatever_else_it_holds(
    app: Flask, client: FlaskClient, log: Log, kind: str, encoding: str
) -> None:
    with app.app_context():
        _, payment = make_open_order(app)
    key = "forger" * 8 if kind == "forged" else CANARIES["the postback secret"]
    age = -3600 if kind == "expired" else 300
    claims = {"id": payment.invoice_id, "exp": int(time.time()) + age}
    token = EVERYTHING if kind == "no token" else jwt.encode(claims, key, "HS256")
    fields = {
        "status": EVERYTHING,
        "invoice_id": payment.invoice_id,
        "order_id": EVERYTHING if kind == "foreign order" else payment.reference,
        "email": CANARIES["the buyer's address"],
        "token": token,
    }

    with provider(app) as calls:
        calls.invoice_is("created")
        reply = client.post("/payments/cryptocloud/postback", **{encoding: fields})

    assert reply.status_code == (200 if kind == "known" else 403)
    assert ("postback_received" if kind == "known" else "postback_refused") in log.names()
    assert token not in log.getvalue()


def test_pages_are_logged_by_their_rule_and_never_by_their_address(
    app: Flask, client: FlaskClient, log: Log
) -> None:
    with app.app_context():
        order, _ = make_open_order(app)
        with app.test_request_context():
            token = order_token(order)

    client.get(f"/orders/{token}")
    client.get(f"/orders/{token}x")
    client.get(f"/downloads/{token}")
    client.get(f"/orders/{token}/nothing")
    client.post(f"/orders/{token}/check")

    assert token not in log.getvalue()
    assert {e.get("route") for e in log.events()} >= {"/orders/<token>", "unmatched"}


def test_a_statement_that_fails_is_logged_without_its_values(app: Flask, log: Log) -> None:
    with app.app_context():
        try:
            db.session.execute(
                text("INSERT INTO nowhere VALUES (:value)"), {"value": "licence-key-7"}
            )
        except Exception:
            structlog.get_logger().exception("it broke")

    assert "INSERT INTO nowhere" in log.getvalue()
    assert "licence-key-7" not in log.getvalue()


@pytest.mark.parametrize(
    "error",
    [
        smtplib.SMTPAuthenticationError(535, EVERYTHING.encode()),
        smtplib.SMTPRecipientsRefused({CANARIES["the buyer's address"]: (550, EVERYTHING.encode())}),
        smtplib.SMTPServerDisconnected(EVERYTHING),
        ConnectionRefusedError(EVERYTHING),
        TimeoutError(EVERYTHING),
    ],
)  # fmt: skip
def test_a_mail_that_cannot_be_sent_is_logged_without_secrets(
    app: Flask, log: Log, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*arguments: object, **options: object) -> None:
        raise error

    monkeypatch.setattr(smtplib, "SMTP", refuse)
    with app.app_context():
        make_open_order(app)
        with provider(app) as calls:
            calls.invoice_is("paid")
            sweep_an_hour_later(app)
        with app.test_request_context():
            jobs.mails()

    refused = isinstance(error, smtplib.SMTPRecipientsRefused)
    assert {"order_fulfilled", "mail_refused" if refused else "mail_queued"} <= log.names()


def test_a_queue_that_is_away_is_logged_without_its_password(
    app: Flask, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(settings: Settings) -> None:
        raise ConnectionError(EVERYTHING)

    monkeypatch.setattr("shop.queue._open", broken)
    with app.app_context():
        wake("mails")

    assert log.names() == {"wake_up_lost"}
