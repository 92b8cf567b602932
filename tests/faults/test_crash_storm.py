"""kill -9 at random, at all points at once, under a load of buyers: in the end nothing is lost or twice."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import select

from shop.catalogue.models import DeliveryKind
from shop.config import Settings
from shop.db import db, end_read, utcnow
from shop.orders.models import Order
from shop.outbox.models import OutboxMail
from tests.conftest import make_settings
from tests.factories import make_product
from tests.support.crashing import Nursery, Task
from tests.support.ledger import UNSENT, tally, truth_of, violations
from tests.support.live_sandbox import Sandbox, running_sandbox
from tests.support.processes import ROOT, WebProcess, free_port
from tests.support.promises import Promise
from tests.support.stage import charges
from tests.support.storm import Storm

GUNICORN = (sys.executable, "-m", "gunicorn", "-c", "tests/support/preloaded.conf.py", "wsgi:app")
CHANCE = 0.05
OPERATOR = "operator@shop.example"
SWEEPS = (5, 10)
"""Minutes after the last death at which the two sweeps run that must repair everything."""


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def sandbox(port: int) -> Iterator[Sandbox]:
    postbacks = f"http://127.0.0.1:{port}/payments/cryptocloud/postback"
    with running_sandbox(notification_url=postbacks) as sandbox:
        yield sandbox


@pytest.fixture
def settings(tmp_path: Path, database_url: str, sandbox: Sandbox, api: str) -> Settings:
    provider = sandbox.settings
    return make_settings(
        tmp_path / "data",
        database_url,
        cryptocloud_api_url=provider.public_url,
        cryptocloud_pay_hosts=provider.pay_origins(),
        cryptocloud_api_version=api,
        shop_alert_email=OPERATOR,
    )


def every_point(chance: float) -> str:
    """Every failpoint of the shop, armed with this probability."""
    code = "".join(path.read_text() for path in (ROOT / "shop").rglob("*.py"))
    names = set(re.findall(r'\btransaction\("(\w+)"[,)]', code))
    points = {f"{when}_{name}" for name in names for when in ("before", "inside", "after")}
    points |= set(re.findall(r'\bfailpoint\("(\w+)"\)', code))
    return " ".join(f"{point}={chance}" for point in sorted(points))


@pytest.mark.promise(4, 5)
@pytest.mark.parametrize(
    ("engine", "api", "kills", "clients"),
    [
        # In the quick tier, the named points of test_crash_points are all that kill.
        pytest.param("sqlite", "2", 8, 3, marks=pytest.mark.long),
        pytest.param("sqlite", "1", 500, 6, marks=pytest.mark.long),
        pytest.param("sqlite", "2", 500, 6, marks=pytest.mark.long),
        pytest.param("postgresql", "1", 500, 6, marks=pytest.mark.long),
        pytest.param("postgresql", "2", 500, 6, marks=pytest.mark.long),
    ],
    indirect=["engine"],
)
def test_processes_that_die_at_random_lose_and_double_nothing(
    app: Flask,
    settings: Settings,
    sandbox: Sandbox,
    port: int,
    tmp_path: Path,
    api: str,
    kills: int,
    clients: int,
    promise: Promise,
) -> None:
    deaths = tmp_path / "deaths"
    deaths.touch()
    more = {"CRYPTOCLOUD_API_VERSION": api, "SHOP_ALERT_EMAIL": OPERATOR}
    points = every_point(CHANCE)
    with Nursery(settings, tmp_path / "nursery.log", **more) as nursery:
        with app.app_context():
            known = db.session.query(Order).count()  # the nursery's rehearsal
            keys = [
                make_product(stock=100_000),
                make_product(kind=DeliveryKind.KEY, keys=kills * 3),
            ]
            slugs = [product.slug for product in keys]
            end_read()
        with (
            closing(
                WebProcess(
                    settings,
                    workers=2,
                    port=port,
                    command=GUNICORN,
                    SHOP_FAILPOINTS=points,
                    DEATHS=str(deaths),
                    **more,
                )
            ) as web,
            Storm(web.url, slugs, sandbox, nursery, clients=clients, points=points) as storm,
        ):
            while deaths.stat().st_size + storm.killed < kills:
                assert web.process.poll() is None
                storm.ended.wait(0.1)
        promise.cases += deaths.stat().st_size + storm.killed

        for minutes in SWEEPS:
            ahead = timedelta(minutes=minutes).total_seconds()
            assert nursery.run(Task(command=("jobs", "run", "sweep"), ahead=ahead)).code == 0

    now = utcnow() + timedelta(minutes=SWEEPS[-1])
    with app.app_context():
        placed = set(db.session.scalars(select(Order.checkout_key)).all())
        unsent = select(OutboxMail.dedupe_key).where(UNSENT)
        waiting = db.session.scalars(unsent).all()
        end_read()
    found = [
        *violations(app, truth_of(sandbox), settled=True, now=now),
        *charges(app, sandbox),
        *storm.complaints,
        *(f"lost: the order of form {key}" for key in storm.placed if key not in placed),
    ]
    assert tally(promise, found) == []
    assert storm.troubles == []
    assert waiting == []
    assert len(placed) >= known + len(storm.placed)
