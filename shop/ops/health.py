"""For load balancers: is the process alive, and can it serve?"""

from __future__ import annotations

from flask import Blueprint
from flask.typing import ResponseReturnValue
from sqlalchemy import text

from ..db import db
from ..schema import migrated

bp = Blueprint("ops", __name__)


@bp.get("/healthz")
def healthz() -> ResponseReturnValue:
    """The process answers. Touches nothing else, so that a slow database restarts nobody."""
    return {"status": "ok"}


@bp.get("/readyz")
def readyz() -> ResponseReturnValue:
    """The database answers and has this version's tables."""
    try:
        db.session.execute(text("SELECT 1"))
        current = migrated()
    except Exception as error:  # whatever is wrong, the answer is "not ready"
        return {"status": "unavailable", "reason": type(error).__name__}, 503
    return {"status": "ok"} if current else ({"status": "migrations are missing"}, 503)
