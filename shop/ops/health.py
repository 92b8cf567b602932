"""For load balancers: is the process alive, and can it serve?"""

from __future__ import annotations

import hashlib
import re
import secrets
import time

from flask import Blueprint, current_app, request
from flask.typing import ResponseReturnValue
from itsdangerous import Signer
from sqlalchemy import delete, insert

from ..db import db, end_read, transaction, utcnow
from ..schema import migrated
from .models import JobRun

bp = Blueprint("ops", __name__)

NONCE = re.compile(r"[A-Za-z0-9_-]{16,64}")
WRITES_EVERY = 5.0
"""Seconds between two test writes: anybody may ask whether the shop is ready, and must not make it write much."""
ROOM = 64 * 1024
"""Bytes of a test write on SQLite, whose file may have reached its limit: more than an order takes."""


@bp.get("/healthz")
def healthz() -> ResponseReturnValue:
    """Say that the process answers. Nothing else is touched: a slow database must get no process restarted.

    Asked with a nonce, the process proves that it is this shop and not some other web server: the doctor
    looks that way whether the public address leads here.
    """
    nonce = request.args.get("nonce", "")
    if NONCE.fullmatch(nonce):
        return {"status": "ok", "proof": proof_for(nonce).decode()}
    return {"status": "ok"}


def proof_for(nonce: str) -> bytes:
    """An answer that only a process with our SECRET_KEY can give; the salt keeps it from signing anything else."""
    key = str(current_app.secret_key)
    signer = Signer(key, salt="healthz-proof", key_derivation="hmac", digest_method=hashlib.sha256)
    return signer.get_signature(nonce)


@bp.get("/readyz")
def readyz() -> ResponseReturnValue:
    """Say whether the shop can sell: whether its database is usable. Other faults are told, but do not count."""
    try:
        if not usable():
            return {"status": "migrations are missing"}, 503
        others = {name: words() or "ok" for name, words in current_app.extensions["vitals"].items()}
    except Exception as error:  # whatever is wrong, the answer is "not ready"
        return {"status": "unavailable", "reason": type(error).__name__}, 503
    return {"status": "ok"} | others


def usable() -> bool:
    """Whether the database has this version's tables; raises what is wrong when it cannot be used at all."""
    if not migrated():
        return False
    end_read()
    _write()
    return True


def _write() -> None:
    """Write a row and take it away again: to a reader, a full or read-only database looks healthy."""
    now, known = time.monotonic(), current_app.extensions
    if now < known.get("writable_until", 0.0):
        return
    name = f"probe {secrets.token_hex(8)}" + "." * (db.engine.dialect.name == "sqlite") * ROOM
    with transaction("probe") as session:
        session.execute(insert(JobRun).values(name=name, finished_at=utcnow()))
        session.execute(delete(JobRun).where(JobRun.name == name))
    known["writable_until"] = now + WRITES_EVERY
