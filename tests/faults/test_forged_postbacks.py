"""Whoever can post to the shop can pretend to be the provider; nobody gets anything by it."""

from __future__ import annotations

import json
import secrets
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jwt
import pytest
from flask import Flask
from sqlalchemy import select

from shop.attention.service import raise_attention
from shop.because import Because
from shop.catalogue.models import DeliveryKind
from shop.config import Settings
from shop.db import Base, db, transaction, utcnow
from shop.orders.links import order_token
from shop.orders.models import OrderStatus
from shop.orders.service import lock_order
from shop.payments.checking import refresh
from shop.payments.cryptocloud import CryptoCloud, postbacks
from shop.payments.models import Payment, Postback
from shop.payments.sweep import sweep
from tests.conftest import make_settings
from tests.factories import Provider, gateway, make_open_order, make_product, provider
from tests.payments.wire import make_client
from tests.support.forgeries import ADDRESS, RETIRED, Request, Target, forged, lying, signed
from tests.support.promises import Promise

SECRET = secrets.token_urlsafe(64)
"""Long enough for HS512: else a forgery with it would be refused for the key's length."""
REFUSED = (403, 405, 413)
NUDGED = {
    *("next_check_at", "refused_postbacks", "refused_at", "refused_because"),
    *("checked_at", "provider_status"),
}
"""Columns of a payment that a refused postback may touch: it has the provider asked a little sooner."""
CHECKED = {"next_check_at", "checked_at", "provider_status"}
"""Columns of a payment that a stored postback may touch, when the provider says that nothing was paid."""

AT_A_TIME = 50
"""Rounds after which the forgeries are made anew, so that none is refused because it has grown old."""

Kinds = dict[str, list[Request]]
Tables = dict[str, list[Any]]


@pytest.fixture
def settings(tmp_path: Path, database_url: str) -> Settings:
    return make_settings(
        tmp_path / "data",
        database_url,
        cryptocloud_secret_key=SECRET,
        cryptocloud_previous_secret_key=RETIRED,
        cryptocloud_previous_secret_until=datetime.now(UTC) - timedelta(seconds=1),
    )


@pytest.fixture
def target(app: Flask) -> Target:
    """A shop with a row in every table: a paid order, a refunded one, and the unpaid one that is wanted."""
    with app.app_context():
        wanted, payment = make_open_order(app, make_product(kind=DeliveryKind.KEY, keys=3))
        cheap, refunded = pay(app, price=1), pay(app)
        for status in (OrderStatus.REFUND_DUE, OrderStatus.REFUNDED):
            with transaction() as session:
                lock_order(session, refunded.order_id).move(
                    status, Because("the buyer asked for it")
                )
        with transaction() as session:
            raise_attention(session, "keys_short", "delivery-1", "an older one")
        assert payment.invoice_id
        assert cheap.invoice_id
        assert refunded.invoice_id
        return Target(
            app, payment.invoice_id, payment.reference, order_token(wanted),
            cheap.invoice_id, cheap.reference, refunded.invoice_id, refunded.reference,
        )  # fmt: skip


def pay(app: Flask, price: int = 1000) -> Payment:
    _, payment = make_open_order(app, make_product(price=price))
    with provider(app) as calls:
        calls.invoice_is("paid")
        refresh(payment, gateway(app))
    return payment


def rows(app: Flask, without: set[str]) -> Tables:
    """Every row of every table; of payments, all columns but these."""
    found: Tables = {}
    with app.app_context():
        for table in Base.metadata.sorted_tables:
            columns = [c for c in table.c if table.name != "payments" or c.name not in without]
            query = select(*columns).order_by(*table.primary_key)
            found[table.name] = [tuple(row) for row in db.session.execute(query)]
    return found


@dataclass
class Report:
    """What a flood of postbacks did to the shop."""

    sent: int = 0
    accepted: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)

    @property
    def p99(self) -> float:
        return sorted(self.seconds)[len(self.seconds) * 99 // 100]


def attack(app: Flask, kinds: Kinds, rounds: int = 1, report: Report | None = None) -> Report:
    """Send every postback of every kind so many times, and see what was taken and what has changed."""
    report, client, before = report or Report(), app.test_client(), rows(app, NUDGED)
    for kind, requests in kinds.items():
        for request in requests * rounds:
            started = time.perf_counter()
            response = client.open(ADDRESS, **{"method": "POST", **request})
            report.seconds.append(time.perf_counter() - started)
            if response.status_code not in REFUSED:
                report.accepted.append(f"{kind}: {response.status_code}")
        report.sent += len(requests) * rounds
        after = rows(app, NUDGED)
        report.changed += [f"{kind}: {name}" for name in after if after[name] != before[name]]
        before = after
    return report


def nothing_was_paid(app: Flask) -> Provider:
    calls = provider(app)
    calls.invoice_is("created")
    return calls


@pytest.mark.promise(1)
@pytest.mark.parametrize("rounds", [2, pytest.param(500, marks=pytest.mark.long)])
def test_no_forged_postback_is_taken_and_none_changes_a_row_or_asks_the_provider(
    target: Target, rounds: int, promise: Promise, capsys: pytest.CaptureFixture[str]
) -> None:
    report, started = Report(), time.monotonic()
    assert len(forged(target)) + len(lying(target)) == 43
    assert len(rows(target.app, set())["deliveries"]) == 2, "there is something to change"

    with nothing_was_paid(target.app) as calls:
        for _ in range(0, rounds, AT_A_TIME):
            attack(target.app, forged(target), min(rounds, AT_A_TIME), report)
        asked = len(calls.calls)

    promise.cases += report.sent
    promise.doubled += len(report.accepted)
    if rounds > 2:
        with capsys.disabled():
            sys.stdout.write(f"\n{report.sent:,} forgeries, p99 {report.p99 * 1000:.1f} ms\n")
    minutes = (time.monotonic() - started) // 60
    assert (report.accepted, report.changed) == ([], [])
    # A token of our own for no invoice has the provider asked when a minute has passed since any other.
    assert asked <= minutes


@pytest.mark.promise(1)
@pytest.mark.parametrize("kind", ["no id", "id an integer", "id a list"])
def test_a_token_of_ours_for_no_invoice_is_not_taken_and_has_the_provider_asked_once(
    target: Target, kind: str, promise: Promise
) -> None:
    with nothing_was_paid(target.app) as calls:
        report = attack(target.app, {kind: forged(target)[kind]}, rounds=20)
        asked = len(calls.calls)

    promise.cases += report.sent
    promise.doubled += len(report.accepted)
    assert (report.accepted, report.changed, asked) == ([], [], 1)

    with provider(target.app) as calls, target.app.app_context():  # the control: had it been paid
        calls.invoice_is("paid")
        sweep(gateway(target.app), utcnow() + timedelta(minutes=2))
        assert set(attack(target.app, {kind: forged(target)[kind]}).accepted) == {f"{kind}: 200"}


@pytest.mark.promise(1)
@pytest.mark.parametrize("rounds", [2, pytest.param(500, marks=pytest.mark.long)])
def test_a_genuine_token_with_lies_around_it_is_kept_and_has_no_effect(
    target: Target, rounds: int, promise: Promise
) -> None:
    client, before = target.app.test_client(), rows(target.app, CHECKED)
    answers, sent = set[int](), 0

    with nothing_was_paid(target.app) as calls:
        for _ in range(0, rounds, AT_A_TIME):
            kinds = lying(target)
            postbacks = [postback for several in kinds.values() for postback in several]
            postbacks *= min(rounds, AT_A_TIME)
            answers |= {client.post(ADDRESS, **postback).status_code for postback in postbacks}
            sent += len(postbacks)
        asked = len(calls.calls)

    promise.cases += sent
    after = rows(target.app, CHECKED)
    before.pop("postbacks")
    assert answers == {200}
    assert len(after.pop("postbacks")) == 2, "one for each invoice that was named"
    assert after == before
    assert 0 < asked <= sent
    with target.app.app_context():
        stored = db.session.get_one(Postback, target.invoice)
        assert stored.done_at is None, "the sweep goes on looking"


@pytest.mark.promise(1)
@pytest.mark.parametrize(
    "engine", ["sqlite", pytest.param("postgresql", marks=pytest.mark.long)], indirect=True
)
def test_however_many_come_the_provider_is_asked_about_an_invoice_once_a_minute(
    target: Target, promise: Promise, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = utcnow()  # and stays so: a slow machine needs more than a minute for all of them
    monkeypatch.setattr("shop.db.datetime", SimpleNamespace(now=lambda tz: now))
    with target.app.app_context(), nothing_was_paid(target.app) as calls:
        for _ in range(3):
            promise.cases += attack(target.app, forged(target)).sent
            sweep(gateway(target.app), now)
        asked = [call.request.url for call in calls.calls]

    assert len(asked) == 1, "about the one open invoice that they named"
    with target.app.app_context():
        payment = db.session.scalars(select(Payment).where(Payment.invoice_id == target.invoice))
        assert payment.one().refused_postbacks == 1


Loosened = Callable[..., Any]
decode = jwt.decode


def signature_unchecked(token: str, key: str, algorithms: list[str], **given: Any) -> Any:
    given["options"] = given["options"] | {"verify_signature": False}
    return decode(token, key, algorithms=algorithms, **given)


def algorithms_widened(token: str, key: str, algorithms: list[str], **given: Any) -> Any:
    return decode(token, key, algorithms=["HS256", "HS384", "HS512"], **given)


def id_not_compared(token: object, named: str, secrets: list[str], now: float) -> str:
    postbacks._check_times(postbacks._signed_claims(token, secrets), now)
    return named


def expiry_unchecked(token: str, key: str, algorithms: list[str], **given: Any) -> Any:
    claims = decode(token, key, algorithms=algorithms, **given)
    return claims | {"exp": int(time.time()) + 300}


DECODE, PROVEN = "jwt.decode", "shop.payments.cryptocloud.postbacks._proven"
BELIEVED: list[tuple[str, Loosened, set[str]]] = [
    (DECODE, signature_unchecked, {"wrong key", "flipped bit", "retired secret after its grace"}),
    (DECODE, algorithms_widened, {"HS384 with the right key", "HS512 with the right key"}),
    (
        PROVEN,
        id_not_compared,
        {
            "no id",
            "id a list",
            "id of a cheaper invoice that was paid",
            "body names another invoice",
        },
    ),
    (DECODE, expiry_unchecked, {"expired beyond leeway", "replay after expiry"}),
]


CONTROLS = ["sqlite", pytest.param("postgresql", marks=pytest.mark.long)]
"""No check of a token asks the database; the quick tier sees on one engine that each is needed."""


@pytest.mark.parametrize("engine", CONTROLS)
def test_with_a_check_switched_off_the_same_attack_gets_through(
    target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control: these forgeries fail because of that check, and the report would show it."""
    for name, loosened, believed in BELIEVED:
        with monkeypatch.context() as patch, nothing_was_paid(target.app) as calls:
            patch.setattr(name, loosened)
            patch.setattr("shop.payments.inbox.COUNTED_EVERY", timedelta())
            report = attack(target.app, forged(target))

            assert {f"{kind}: 200" for kind in believed} <= set(report.accepted)
            assert any(line.endswith(": postbacks") for line in report.changed)
            assert len(calls.calls) > 0


@pytest.mark.parametrize("engine", CONTROLS)
def test_without_the_comparison_of_orders_a_postback_for_another_order_gets_through(
    target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another control."""
    read = CryptoCloud.read_postback
    monkeypatch.setattr(
        CryptoCloud, "read_postback", lambda *given: replace(read(*given), order_id=None)
    )
    with nothing_was_paid(target.app):
        report = attack(target.app, forged(target))

    assert "body names another order: 200" in report.accepted


def test_the_retired_secret_was_good_during_its_grace() -> None:
    """A control as well: it is refused for its age, and not because nobody knows it."""
    body = json.dumps(
        {
            "invoice_id": "ABCD1234",
            "token": signed(RETIRED, {"id": "ABCD1234", "exp": int(time.time()) + 300}),
        }
    ).encode()
    until = utcnow() + timedelta(days=1)

    client = make_client(previous_secret_key=RETIRED, previous_until=until)

    assert client.read_postback("application/json", body).invoice_id == "ABCD1234"
