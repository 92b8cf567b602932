"""kill -9 at the worst moments: after one sweep every order is in a right state, and nothing is twice."""

from __future__ import annotations

import asyncio
import contextlib
import email
import email.policy
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
import requests
from aiosmtpd.controller import Controller
from flask import Flask

from shop import jobs
from shop.catalogue.models import Product
from shop.config import Settings
from shop.db import db, end_read, utcnow
from shop.orders.links import order_url
from shop.orders.models import Order, OrderStatus
from shop.outbox.models import MailState
from shop.payments.asking import Round
from shop.payments.checking import refresh
from shop.payments.models import Payment, PaymentState
from shop.payments.opening import PaymentInProgress, start_payment
from shop.payments.queries import payments_of
from shop.payments.sweep import forget_lost_calls, sweep
from shop.sandbox.state import Sandbox
from tests.buyer import Buyer, Form
from tests.conftest import settings_for
from tests.factories import (
    gateway,
    make_open_order,
    make_order,
    make_product,
    provider,
    send_due_mails,
)
from tests.support.processes import PATIENCE, ROOT, WebProcess, environment, until
from tests.support.sold import goods_mails


@pytest.fixture
def mail_port() -> int:
    with closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@pytest.fixture
def settings(tmp_path: Path, database_url: str, sandbox: Sandbox, mail_port: int) -> Settings:
    return settings_for(
        sandbox,
        tmp_path / "data",
        database_url,
        smtp_url=f"smtp://127.0.0.1:{mail_port}",
    )


@pytest.fixture
def web(settings: Settings) -> Iterator[WebProcess]:
    web = WebProcess(settings)
    yield web
    if web.process.poll() is None:
        web.kill()


def send_form(app: Flask, web: WebProcess, slug: str) -> threading.Thread:
    """Fill in the checkout form and send it to the process that will be killed."""
    buyer = Buyer(app)
    buyer.puts_into_cart(slug)
    buyer.opens("/checkout")
    fields = Form(buyer.page.text, "/checkout").fields | {"email": buyer.email}
    cookie = buyer.browser.get_cookie("session")
    assert cookie is not None

    def post() -> None:
        with contextlib.suppress(requests.RequestException):  # the process is killed meanwhile
            requests.post(
                f"{web.url}/checkout",
                data=fields,
                cookies={"session": cookie.value},
                timeout=PATIENCE,
                allow_redirects=False,
            )

    thread = threading.Thread(target=post)
    thread.start()
    return thread


def test_a_web_process_killed_while_it_asks_for_the_invoice_loses_no_order(
    app: Flask, sandbox: Sandbox, web: WebProcess
) -> None:
    """The order is stored and the provider has made its invoice, but nobody knows its id yet."""
    with app.app_context():
        slug = make_product(stock=5).slug
        end_read()
    sandbox.turn({"api": "slow", "seconds": 20})
    request = send_form(app, web, slug)
    until(sandbox.invoices, "the invoice")

    web.kill()
    request.join(PATIENCE)
    sandbox.turn({"api": "up"})

    with app.app_context():
        order = db.session.query(Order).one()
        payment = db.session.query(Payment).one()
        assert (order.status, payment.state) == (OrderStatus.PENDING, PaymentState.CREATING)
        sweep(gateway(app), utcnow() + timedelta(minutes=1))
        assert payment.state is PaymentState.UNKNOWN
        sweep(gateway(app), utcnow() + timedelta(minutes=5))
        assert payment.state is PaymentState.ABANDONED
        assert db.session.query(Product).one().available == 4
        address = order_url(order)

    buyer = Buyer(app)
    page = buyer.opens(address)
    assert "Nothing was charged" in page.text
    buyer.sends(f"{address.removeprefix('http://localhost')}/pay")
    assert buyer.page.headers["Location"].startswith(sandbox.settings.pay_origins())
    with app.app_context():
        assert db.session.query(Order).count() == 1
        states = [payment.state for payment in payments_of(db.session.query(Order).one().id)]
        assert states == [PaymentState.ABANDONED, PaymentState.OPEN]


class Mailbox:
    """A mail server that can be told to hang before it takes a mail."""

    def __init__(self) -> None:
        self.taken: list[EmailMessage] = []
        self.asked = threading.Event()
        self.hangs = True

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        self.asked.set()
        while self.hangs:
            await asyncio.sleep(0.01)
        self.taken.append(
            email.message_from_bytes(envelope.content, policy=email.policy.default)  # type: ignore[arg-type]
        )
        return "250 OK"


def test_a_worker_killed_while_it_sends_the_mail_sends_it_once(
    app: Flask, settings: Settings, mail_port: int
) -> None:
    mailbox = Mailbox()
    server = Controller(mailbox, hostname="127.0.0.1", port=mail_port)
    server.start()
    try:
        with app.app_context():
            order, payment = make_open_order(app)
            with provider(app) as calls:
                calls.invoice_is("paid")
                refresh(payment, gateway(app))
            assert order.status is OrderStatus.FULFILLED
            end_read()
        worker = subprocess.Popen(
            [sys.executable, "-m", "flask", "--app", "wsgi", "jobs", "run", "mails"],
            cwd=ROOT,
            env=environment(settings),
            start_new_session=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        assert mailbox.asked.wait(PATIENCE)

        os.killpg(worker.pid, signal.SIGKILL)
        worker.wait(PATIENCE)
        server.stop()
        mailbox.hangs = False
        mailbox.taken.clear()
        server = Controller(mailbox, hostname="127.0.0.1", port=mail_port)
        server.start()

        with app.app_context():
            (mail,) = goods_mails()
            assert mail.state is MailState.SENDING
            assert send_due_mails() == 0, "its lease has not run out: another worker may be alive"
            end_read()
            assert send_due_mails(utcnow() + timedelta(minutes=3)) == 1
            end_read()
            assert send_due_mails(utcnow() + timedelta(minutes=6)) == 0
            assert mail.state is MailState.SENT
            assert [taken["Message-ID"] for taken in mailbox.taken] == [mail.message_id]
    finally:
        server.stop()


def test_a_process_killed_between_paid_and_delivered_delivers_at_the_next_sweep(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    with app.app_context():
        order, payment = make_open_order(app)

        def die(order_id: int) -> None:
            raise SystemExit

        with monkeypatch.context() as patch, provider(app) as calls:
            patch.setattr("shop.payments.checking.deliver_order", die)
            calls.invoice_is("paid")
            with pytest.raises(SystemExit):
                refresh(payment, gateway(app))
        assert order.status is OrderStatus.PAID

        jobs.deliveries()
        jobs.deliveries()

        assert order.status is OrderStatus.FULFILLED
        assert [event.kind for event in order.events].count("delivered") == 1


def test_without_the_sweep_a_lost_call_would_stay_lost(app: Flask) -> None:
    """The control for the first test: `creating` does not repair itself, and nobody may pay."""
    with app.app_context():
        order, payment = make_order(app)

        with pytest.raises(PaymentInProgress):
            start_payment(order.id)

        forget_lost_calls(Round(gateway(app)), utcnow() + timedelta(minutes=1))
        assert payment.state is PaymentState.UNKNOWN
        assert start_payment(order.id)[1]
