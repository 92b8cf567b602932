"""For load balancers: alive is one question, ready another."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import event, text

from shop import create_app, jobs
from shop.config import Settings
from shop.db import db, transaction, utcnow
from shop.mail import Mail, MailNotSent
from shop.ops.models import JobRun
from shop.orders.links import find_order_by_token, order_token
from tests.conftest import make_settings, migrate
from tests.factories import make_order
from tests.support.sold import sell


def test_a_live_process_says_so_without_the_database(app: Flask, client: FlaskClient) -> None:
    """A slow database must not make somebody restart healthy processes."""
    with app.app_context():
        event.listen(db.engine, "checkout", lambda *_: pytest.fail("the database was used"))

    response = client.get("/healthz")

    assert response.status_code == 200
    assert response.get_json() == {"status": "ok"}


NONCE = "abcdefghijklmnop-_0123456789"


def test_a_live_process_proves_that_it_is_this_shop(tmp_path: Path) -> None:
    """Same key, same proof; another key or another nonce, another one."""
    ours, twin = make_settings(tmp_path / "a"), make_settings(tmp_path / "b")
    other = make_settings(tmp_path / "c", secret_key="another-key" * 4)

    def proof(settings: Settings, nonce: str = NONCE) -> str:
        answer = create_app(settings).test_client().get(f"/healthz?nonce={nonce}").get_json()
        assert answer["status"] == "ok"
        return str(answer["proof"])

    assert proof(ours) == proof(twin)
    assert len({proof(ours), proof(other), proof(ours, f"{NONCE}x")}) == 3


@pytest.mark.parametrize("nonce", ["", "x" * 15, "x" * 65, "x" * 15 + "%20", "x" * 15 + "%C3%A9"])
def test_only_a_nonce_is_answered_with_a_proof(tmp_path: Path, nonce: str) -> None:
    response = create_app(make_settings(tmp_path)).test_client().get(f"/healthz?nonce={nonce}")

    assert response.status_code == 200
    assert response.get_json() == {"status": "ok"}


@pytest.mark.parametrize("engine", ["sqlite"])
def test_a_proof_opens_no_order(app: Flask, client: FlaskClient) -> None:
    """Anybody may have any nonce signed, an order link's first half too: it must not make a link."""
    with app.app_context():
        order, _ = make_order(app)
        first_half = order_token(order).rpartition(".")[0]
        proof = client.get(f"/healthz?nonce={first_half}").get_json()["proof"]

        assert find_order_by_token(order_token(order)) is not None
        assert find_order_by_token(f"{first_half}.{proof}") is None


def test_a_shop_with_its_database_is_ready(app: Flask, client: FlaskClient) -> None:
    with app.app_context():
        jobs.run("sweep")

    response = client.get("/readyz")

    assert response.status_code == 200
    assert response.get_json() == {"status": "ok", "worker": "ok", "mail": "ok"}


def test_a_shop_whose_worker_is_silent_is_ready_and_says_so(
    app: Flask, client: FlaskClient
) -> None:
    """It can sell; a load balancer that took it out would close the shop."""
    assert client.get("/readyz").get_json()["worker"] == "has never swept"
    with app.app_context(), transaction() as session:
        session.add(JobRun(name="sweep", finished_at=utcnow() - timedelta(minutes=7)))

    response = client.get("/readyz")

    assert response.status_code == 200
    assert response.get_json()["status"] == "ok"
    assert response.get_json()["worker"] == "last swept 7 minutes ago"


def test_a_shop_whose_mail_server_takes_nothing_is_ready_and_says_so(
    app: Flask, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(mail: Mail) -> None:
        raise MailNotSent("ConnectionRefusedError")

    with app.app_context(), monkeypatch.context() as away:
        sell(app)
        away.setattr("shop.outbox.sending.send", refuse)
        jobs.mails()

    response = client.get("/readyz")

    assert response.status_code == 200
    assert response.get_json()["mail"] == "the mail server keeps 1 waiting"


def test_a_shop_whose_database_is_away_is_alive_and_not_ready(tmp_path: Path) -> None:
    settings = make_settings(tmp_path, "postgresql://nobody:tell-nobody@127.0.0.1:1/nothing")
    client = create_app(settings).test_client()

    response = client.get("/readyz")

    assert response.status_code == 503
    assert response.get_json() == {"status": "unavailable", "reason": "OperationalError"}
    assert client.get("/healthz").status_code == 200


def test_a_shop_without_its_tables_is_not_ready(tmp_path: Path) -> None:
    app = create_app(make_settings(tmp_path))

    response = app.test_client().get("/readyz")

    assert response.status_code == 503
    assert response.get_json() == {"status": "migrations are missing"}
    with app.app_context():
        db.engine.dispose()


def test_a_shop_with_another_versions_tables_is_not_ready(app: Flask, client: FlaskClient) -> None:
    with app.app_context(), transaction() as session:
        session.execute(text("UPDATE alembic_version SET version_num = 'from-the-future'"))

    assert client.get("/readyz").status_code == 503


def test_being_asked_often_costs_no_connections(app: Flask, client: FlaskClient) -> None:
    for _ in range(100):
        assert client.get("/readyz").status_code == 200

    with app.app_context():
        assert db.engine.pool.checkedout() == 0  # type: ignore[attr-defined]


def test_a_shop_that_gets_its_tables_becomes_ready_without_a_restart(tmp_path: Path) -> None:
    settings = make_settings(tmp_path)
    app = create_app(settings)
    client = app.test_client()
    assert client.get("/readyz").status_code == 503

    migrate(settings)

    assert client.get("/readyz").status_code == 200
    with app.app_context():
        db.engine.dispose()


@pytest.mark.parametrize("address", ["/healthz", "/readyz"])
def test_an_answer_is_never_kept(client: FlaskClient, address: str) -> None:
    assert client.get(address).headers["Cache-Control"] == "no-store"
